/* face_follow: the faces of a clip's frames, searched in some of them and followed through all.
 *
 * In: a clip's frames in time order. Out: the same frames, each with the tracks that are alive in it, handed to a function.
 * Faces are searched in the first frame, in every detect_every-th after it, and in the last. Frames between wait for the next
 * search, and then get boxes and points on the straight line, by time stamp, between the two searches around them: nothing has
 * to be guessed about where a face went. What waits is bounded in bytes: where it would be more (large frames), a frame is
 * searched earlier, so the rule depends on nothing but the frames. A face that one of the two searches misses is held as a
 * tracker holds it. With `smooth`, a box is smooth * the one before + (1 - smooth) * itself, from frame to frame of its track.
 * One thread owns a follower; frames that wait are copied. */
#ifndef FAKESIFT_NODES_FACE_FOLLOW_H
#define FAKESIFT_NODES_FACE_FOLLOW_H

#include "nodes/faces.h"
#include "nodes/tracks.h"

struct follower;

enum { FOLLOWER_ROOM_BYTES = 256 << 20 }; /* of frames that wait */

struct followed_frame {
    struct image image; /* valid during the call */
    int64_t pts_us;
    unsigned index; /* of the clip's frames */
    size_t n_faces;
    struct tracked_face faces[2 * CARD_MAX_FACES]; /* by ascending track */
};

struct follower_sink {
    enum status (*take)(void *context, const struct followed_frame *frame, struct error *e);
    void *context;
};

/* The finder outlives it. STATUS_NO_MEMORY. */
enum status follower_open(const struct card_face *settings, struct face_finder *finder, struct follower **ret_f,
                          struct error *e);
void follower_close(struct follower **f); /* NULL-safe; sets *f = NULL */

/* A clip begins; what is left of another is forgotten. */
enum status follower_begin(struct follower *f, struct error *e);
enum status follower_push(struct follower *f, const struct image *frame, int64_t pts_us,
                          const struct follower_sink *sink, struct error *e);
/* The clip's last frame was pushed. */
enum status follower_end(struct follower *f, const struct follower_sink *sink, struct error *e);

#endif
