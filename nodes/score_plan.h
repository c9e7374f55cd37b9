/* score_plan: the frames of one opened video that a card's sampling wants. */
#ifndef FAKESIFT_NODES_SCORE_PLAN_H
#define FAKESIFT_NODES_SCORE_PLAN_H

#include "models/card.h"
#include "nodes/decoder.h"
#include "nodes/sampler.h"

/* The time of the last frame, as far as the container tells: a time after it has no frame. */
int64_t score_last_frame_us(const struct video_facts *facts);

/* Also tells the decoder how many frames clips share, and how many wait for their faces. sample_plan_clear(ret_plan) is the
 * caller's. */
enum status score_make_plan(const struct card *card, struct decoder *decoder, struct sample_plan *ret_plan,
                            struct error *e);

#endif
