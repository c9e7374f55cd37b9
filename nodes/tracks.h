/* tracks: joins the faces of successive sampled frames into tracks. Pure state, no pictures.
 * A face joins the track whose last box overlaps it most (greedy by overlap, ties by lower track number). With
 * FOLLOW_MOTION a track's box is expected where its motion leads, and a face that overlaps too little still joins when
 * its centre lies near that and its size is alike; so a track survives quick motion and short misses. A track without a
 * face keeps its last box for hold_frames frames and then ends. Track numbers are never used
 * again. Where more than 2 * CARD_MAX_FACES would be alive, those that have waited longest for a face end
 * early. */
#ifndef FAKESIFT_NODES_TRACKS_H
#define FAKESIFT_NODES_TRACKS_H

#include "models/card.h"
#include "nodes/faces.h"

struct tracker;

struct tracked_face {
    uint32_t track; /* 0, 1, ... in order of first appearance (confidence order within a frame) */
    bool held;      /* no face was found for it in this frame; the box is its last one */
    struct face face;
};

/* NULL when out of memory. */
struct tracker *tracker_open(const struct card_face *settings);
void tracker_close(struct tracker **t); /* NULL-safe; sets *t = NULL */

/* Takes a frame's faces (at most CARD_MAX_FACES) and gives the tracks that are alive in it, by ascending
 * number, at most 2 * CARD_MAX_FACES; a held track only while it is within hold_frames. Returns their count.
 */
size_t tracker_push(struct tracker *t, const struct face *faces, size_t n_faces,
                    struct tracked_face ret_tracked[2 * CARD_MAX_FACES]);
/* The same for a frame that comes n_frames (at least 1) after the one pushed before: frames between were not searched, and
 * count as missed where the face is not found now. */
size_t tracker_push_after(struct tracker *t, unsigned n_frames, const struct face *faces, size_t n_faces,
                          struct tracked_face ret_tracked[2 * CARD_MAX_FACES]);
uint32_t tracker_track_count(const struct tracker *t); /* tracks begun so far */

#endif
