/* score_speed: how long a detector's stages take here, for whoever plans the work. In: what the scorer has opened. Out:
 * seconds of one core. Running the stages once is also what lanes, forked afterwards, find prepared. */
#ifndef FAKESIFT_NODES_SCORE_SPEED_H
#define FAKESIFT_NODES_SCORE_SPEED_H

#include "nodes/faces.h"
#include "nodes/inference.h"

/* A frame's share of a search in a frame of the size that is searched: two in a small black picture, of which the second is
 * timed. */
enum status score_speed_faces(struct face_finder *finder, const struct card *card, double *ret_s, struct error *e);

/* One clip through the networks; reckoned from their operations where it would take long. */
enum status score_speed_clip(struct inference *inference, const struct card *card, double *ret_s, struct error *e);

#endif
