/* score_plan: the frames of one opened video that a card's sampling wants. */
#ifndef FAKESIFT_NODES_SCORE_PLAN_H
#define FAKESIFT_NODES_SCORE_PLAN_H

#include "models/card.h"
#include "nodes/decoder.h"
#include "nodes/sampler.h"

/* The time of the last frame, as far as the container tells: a time after it has no frame. */
int64_t score_last_frame_us(const struct video_facts *facts);

/* sample_plan_clear(ret_plan) is the caller's. */
enum status score_make_plan(const struct card_sampling *sampling, struct decoder *decoder, struct sample_plan *ret_plan,
                            struct error *e);

/* The clips of a plan that are worked on. */
struct plan_range {
    const struct sample_plan *plan;
    uint32_t first_clip, n_clips;
    unsigned n_waiting; /* frames of a clip that are asked for again when later ones have come */
};

/* Tells the decoder of every wanted time of n plans that go forward together, and how many frames to hold for those that are
 * asked for again: where a clip goes back, and where frames wait. */
enum status score_announce_plans(const struct plan_range *ranges, size_t n, struct decoder *decoder, struct error *e);

/* The union of the plans' times, ascending, each once. *ret_us is the caller's to free. STATUS_NO_MEMORY. */
enum status score_unite_plans(const struct plan_range *ranges, size_t n, int64_t **ret_us, size_t *ret_n);
/* Of them, the most that lie between a frame and the last one that was read when it is asked for again. */
unsigned score_plans_back(const struct plan_range *ranges, size_t n, const int64_t *us, size_t n_us);

#endif
