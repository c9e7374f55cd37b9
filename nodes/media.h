/* media: what nodes/decoder.c and nodes/probe.c share. Opens a container on a descriptor, chooses the video
 * stream and states its facts. Nobody else includes this; libav's types are only named here.
 *
 * Safety: the demuxer is one of a list of real media containers, so no playlist, pattern or script can make
 * libav open a second file, and the callback that would open one refuses. Reading is pread(2) on the given
 * descriptor alone. */
#ifndef FAKESIFT_NODES_MEDIA_H
#define FAKESIFT_NODES_MEDIA_H

#include <stdbool.h>
#include <stdint.h>

#include "nodes/window.h"
#include "shard/outcome.h"
#include "shard/result.h"
#include "shard/status.h"

struct AVCodec;
struct AVFormatContext;
struct AVIOContext;
struct AVStream;
struct media_source;

/* libav's error messages, which it hands to one callback for the whole process. The callback gives them to
 * the words that the calling thread listens with, and drops them when there are none. */
struct media_words {
    char last[RESULT_MESSAGE_BYTES]; /* the last whole line, "" when none */
    unsigned n_errors;               /* lines so far */
    char partial[RESULT_MESSAGE_BYTES];
};

/* Makes w the words of this thread until media_listen(the returned one). w may be NULL. */
struct media_words *media_listen(struct media_words *w);

/* How stored pixels become upright ones: mirror along x and y (of the stored picture), then swap the axes. */
struct media_orientation {
    bool mirror_x, mirror_y, swap_axes;
};

struct media {
    struct media_source *source;
    struct AVIOContext *io;
    struct AVFormatContext *format;
    struct AVStream *stream; /* the chosen one, of format */
    const struct AVCodec *codec;
    bool has_times;            /* the container stores time stamps; false for raw streams */
    bool can_seek;             /* a seek lands on the packet that the index says, with true time stamps */
    bool index_grows;          /* as the file is read */
    bool index_is_whole;       /* from the start: every packet is in it */
    bool whole_frames;         /* a packet holds both fields of an interlaced frame */
    bool duration_is_absolute; /* counted from time stamp 0, not from the first frame */
    struct media_orientation orientation;
    bool has_orientation;
};

/* Fills *ret_m, which media_close must free, on success only. ret_facts (never NULL) gets what is known
 * either way; its duration is 0 when the container does not state one. */
enum status media_open(int fd, const struct window *window, unsigned max_side_px, struct media *ret_m,
                       struct video_facts *ret_facts, enum outcome *ret_outcome, struct error *e);
/* The same file again, for its packets alone: what the container's header says, without a look into its streams. stream: the
 * index of the one that media_open chose. */
enum status media_open_packets(int fd, const struct window *window, int stream, struct media *ret_m, struct error *e);
void media_close(struct media *m); /* accepts a zeroed one; zeroes it */

/* Reads every packet, without decoding, up to a bound (beyond it the rest is estimated by bytes), for videos
 * whose container states no duration: the time from the first frame to the last one's end. m is at its end
 * afterwards. 0: no packet with a time. */
int64_t media_scan_duration(struct media *m);

/* What the container says beyond the facts; nodes/probe_extras.c. */
void media_extras(const struct media *m, struct stream_extras *ret_x);

/* How long the first audio stream is silent at its begin (below -60 dB, looked for up to 10 s), as struct stream_extras has it;
 * nodes/probe_silence.c. Opens the file anew, and decodes common codecs alone. */
uint32_t media_leading_silence(int fd, const struct window *window);

/* The frame rate, 25/1 where the stream states none. */
void media_frame_rate(const struct media *m, int *ret_num, int *ret_den);

/* Widens or narrows a width by the sample aspect ratio; ratios beyond 1:8 to 8:1 are not believed. */
unsigned media_square_width(unsigned width_px, int sar_num, int sar_den);
/* From a 3 x 3 display matrix as libav stores it. */
struct media_orientation media_orientation_from_matrix(const int32_t matrix[9], int32_t *ret_rotation_deg);

/* One line of text for an AVERROR code, with w's last words when there are any. */
enum status media_error(struct error *e, enum status s, int av_code, const struct media_words *w, const char *what);

#endif
