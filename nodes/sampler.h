/* sampler: which time stamps of a video are wanted. Pure arithmetic on the card's sampling and the video's
 * length. */
#ifndef FAKESIFT_NODES_SAMPLER_H
#define FAKESIFT_NODES_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "models/card.h"
#include "shard/status.h"

struct sample_plan {
    unsigned n_clips, n_frames; /* frames a clip */
    int64_t *wanted_us;         /* n_clips * n_frames, nondecreasing within a clip; owned */
};

/* duration_us > 0. uniform with stride 0: n = clips * frames times at (i + 0.5) * duration / n, dealt to the
 * clips in order. With a stride: clip c starts at (c + 0.5) * duration / clips - half of a clip's length,
 * kept inside [0, duration]; its length is frames * stride. Clips never overlap: a video shorter than clips *
 * length gets fewer clips, at least one (spread by the same formula); the times of a single clip that is
 * longer than the video run past its end. STATUS_INVALID: a setting out of its range, or a duration that is
 * not positive. */
enum status sample_plan_make(const struct card_sampling *sampling, int64_t duration_us, struct sample_plan *ret_plan);
void sample_plan_clear(struct sample_plan *p);

#endif
