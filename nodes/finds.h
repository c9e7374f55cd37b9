/* finds: what a lane gives of a video besides its result: crops of the faces that were scored, the features behind the
 * clip scores, and the scores of single frames. For whoever looks at them later; they decide nothing.
 *
 *     scorer -> finds_add_* (with the number of a clip score) -> finds_settle (the video's tracks) -> finds_send
 *            -> socket, in packets -> finds_take (the agent; a lane is not trusted) -> finds_match -> finds_encode -> a sink
 *
 * Crops travel as pixels and are encoded by the agent: then what stands in a file named .jpg is a JPEG whatever a lane that
 * was taken over says, and no encoder is needed where no file may be opened. */
#ifndef FAKESIFT_NODES_FINDS_H
#define FAKESIFT_NODES_FINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard/result.h"
#include "shard/status.h"

enum {
    FINDS_MAX_CROPS = 64,            /* of a video */
    FINDS_MAX_SIDE_PX = 512,         /* of a crop; a larger one is shrunk */
    FINDS_MAX_BYTES = 256 << 20,     /* of a video's */
    FINDS_PACKET_BYTES = 128 * 1024, /* at most */
};

struct finds_settings {
    unsigned crops; /* of a track in a clip, at most; 0: none */
    bool features;
    bool frames; /* P(fake) of each frame of a clip, where the networks give one */
};

enum find_kind { FIND_CROP = 1, FIND_FEATURES, FIND_FRAMES };

struct find {
    enum find_kind kind;
    uint32_t track, clip;     /* of the result */
    uint32_t number;          /* crops: 0, 1, ... within track and clip */
    int64_t start_us, end_us; /* the clip's; a crop's time, twice */
    uint32_t width, height;   /* a crop's pixels; a time step's values and the time steps; 2 and the frames */
    uint32_t source;          /* struct clip_score's, until it is settled */
    size_t len_bytes;
    uint8_t *data; /* 8-bit RGB, tightly packed, or a JPEG once encoded; float32 */
};

struct finds {
    struct find *list;
    size_t n, room, bytes;
    size_t n_crops, n_dropped; /* dropped: beyond FINDS_MAX_BYTES */
    size_t received;           /* finds_take: bytes of the last one that are there */
};

void finds_clear(struct finds *f); /* zeroes it */

/* Up to n crops of the patches that show a face, evenly spread: times_us[i] is patch i's time, below 0 where the face was not
 * found. STATUS_NO_MEMORY. */
struct finds_patches {
    uint32_t source;
    const uint8_t *rgb_hwc;
    unsigned width_px, height_px, n;
    const int64_t *times_us;
};

enum status finds_add_crops(struct finds *f, const struct finds_patches *p, unsigned n);
/* Room for rows * width values of a clip score (kind: not FIND_CROP). *ret_values is NULL where it would be too much. */
enum status finds_add_values(struct finds *f, enum find_kind kind, uint32_t source, unsigned rows, unsigned width,
                             float **ret_values);

/* Gives each the track, clip and times of its clip score in r, and puts them in the order of (track, clip, kind, number). */
void finds_settle(struct finds *f, const struct result *r);
enum status finds_send(const struct finds *f, int socket_fd);

bool finds_is_packet(const uint8_t *data, size_t len_bytes);
/* STATUS_CORRUPT: not what finds_send sends. */
enum status finds_take(struct finds *f, const uint8_t *data, size_t len_bytes);
/* Drops what is not whole or not of a clip score of r. */
void finds_match(struct finds *f, const struct result *r);
/* Crops become JPEGs. */
enum status finds_encode(struct finds *f, struct error *e);

#endif
