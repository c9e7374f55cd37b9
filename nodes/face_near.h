/* face_near: whether a face is still near where it was, by a search of the part of the picture around it.
 *
 * In: a frame, and a face's box in the frame before. Out: the face in this one. The part is a square of WINDOW_SIDES of the
 * box's longer side about its centre, brought to one small size at which the face has the size that detectors find best, so
 * a search costs the same whatever the frame is, and its sessions are made when it is opened. One thread owns it. */
#ifndef FAKESIFT_NODES_FACE_NEAR_H
#define FAKESIFT_NODES_FACE_NEAR_H

#include "nodes/faces.h"

struct face_near;

/* As face_finder_open. */
enum status face_near_open(const struct card *face_card, const struct network *const networks[3],
                           const struct card_face *face, struct face_near **ret_n, struct error *e);
void face_near_close(struct face_near **n); /* NULL-safe; sets *n = NULL */

/* The face that overlaps the one before most, and by the card's min_overlap at least. STATUS_AGAIN: there is none. */
enum status face_near_run(struct face_near *n, const struct image *frame, const struct face *before,
                          struct face *ret_face, struct error *e);

#endif
