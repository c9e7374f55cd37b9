/* face_follow: the faces of a clip's frames, searched in some of them and followed through all.
 *
 * In: a clip's frames in time order. Out: the same frames, each with the tracks that are alive in it, handed to a function.
 * Faces are searched in the first frame and in every detect_every-th after it; how they are followed between is the card's:
 * - BETWEEN_LINE: the clip's last frame is searched too. Frames between wait for the next search, and then get boxes and points
 *   on the straight line, by time stamp, between the two searches around them: nothing has to be guessed about where a face
 *   went. What waits is bounded in bytes: where it would be more (large frames), a frame is searched earlier, so the rule
 *   depends on nothing but the frames. No pixels wait: whoever pushes frames is asked for them again.
 * - BETWEEN_SEARCH: each face is searched near its place in the frame before (nodes/face_near.h); where one of them is not
 *   there, or none was, the whole frame is searched as if it were its turn. So a face that is followed costs a small search, a
 *   face that is lost costs what it would anyway, and a face that appears is found detect_every - 1 frames later at the most.
 * A face that a search misses is held as a tracker holds it. With `smooth`, a box is smooth * the one before +
 * (1 - smooth) * itself, from frame to frame of its track. One thread owns a follower. */
#ifndef FAKESIFT_NODES_FACE_FOLLOW_H
#define FAKESIFT_NODES_FACE_FOLLOW_H

#include "nodes/face_near.h"
#include "nodes/faces.h"
#include "nodes/tracks.h"

struct follower;

enum { FOLLOWER_ROOM_BYTES = 256 << 20 }; /* of frames that wait, three bytes a pixel */

struct followed_frame {
    struct image image; /* valid during the call */
    int64_t pts_us;
    unsigned index; /* of the clip's frames */
    size_t n_faces;
    struct tracked_face faces[2 * CARD_MAX_FACES]; /* by ascending track */
};

struct follower_sink {
    enum status (*take)(void *context, const struct followed_frame *frame, struct error *e);
    /* The image of the clip's index-th frame again, valid until the next call; only asked for with BETWEEN_LINE, and only
     * of the last frame pushed and the n_kept before it. */
    enum status (*fetch)(void *context, unsigned index, struct image *ret_image, struct error *e);
    void *context;
};

/* finder, and near (NULL but for BETWEEN_SEARCH), outlive it. STATUS_NO_MEMORY. */
enum status follower_open(const struct card_face *settings, struct face_finder *finder, struct face_near *near,
                          struct follower **ret_f, struct error *e);
void follower_close(struct follower **f); /* NULL-safe; sets *f = NULL */

/* A clip begins; what is left of another is forgotten. n_kept: frames before the last one that fetch can give. */
enum status follower_begin(struct follower *f, unsigned n_kept, struct error *e);
enum status follower_push(struct follower *f, const struct image *frame, int64_t pts_us,
                          const struct follower_sink *sink, struct error *e);
/* The clip's last frame was pushed. */
enum status follower_end(struct follower *f, const struct follower_sink *sink, struct error *e);

#endif
