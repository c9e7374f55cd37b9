#include "nodes/sampler.h"

#include <math.h>
#include <stdlib.h>

/* floor((2 i + 1) * whole / (2 n)), the middle of part i of n, without overflow for any whole. */
static int64_t middle_of_part(int64_t whole, uint64_t i, uint64_t n)
{
    uint64_t quotient = (uint64_t)whole / (2 * n), rest = (uint64_t)whole % (2 * n);

    return (int64_t)((2 * i + 1) * quotient + (2 * i + 1) * rest / (2 * n));
}

static void fill_spread(const struct sample_plan *p, int64_t duration_us)
{
    size_t n = (size_t)p->n_clips * p->n_frames;

    for (size_t i = 0; i < n; i++)
        p->wanted_us[i] = middle_of_part(duration_us, i, n);
}

static void fill_strided(const struct sample_plan *p, int64_t duration_us, double stride_us)
{
    int64_t length_us = llround(stride_us * p->n_frames);

    for (unsigned c = 0; c < p->n_clips; c++) {
        int64_t start_us = middle_of_part(duration_us, c, p->n_clips) - length_us / 2;

        if (start_us > duration_us - length_us)
            start_us = duration_us - length_us;
        if (start_us < 0)
            start_us = 0;
        for (unsigned f = 0; f < p->n_frames; f++)
            p->wanted_us[(size_t)c * p->n_frames + f] = start_us + llround(stride_us * f);
    }
}

enum status sample_plan_make(const struct card_sampling *sampling, int64_t duration_us, struct sample_plan *ret_plan)
{
    struct sample_plan p = {.n_clips = sampling->clips, .n_frames = sampling->frames};
    double stride_us = sampling->stride_s * 1e6;

    if (sampling->mode != SAMPLING_UNIFORM || duration_us <= 0 || sampling->clips == 0 ||
        sampling->clips > CARD_MAX_CLIPS || sampling->frames == 0 || sampling->frames > CARD_MAX_FRAMES ||
        !(sampling->stride_s >= 0 && sampling->stride_s <= 60))
        return STATUS_INVALID;
    if (stride_us > 0) {
        double fitting = floor((double)duration_us / (stride_us * p.n_frames));

        if (fitting < p.n_clips)
            p.n_clips = fitting < 1 ? 1 : (unsigned)fitting;
    }
    p.wanted_us = calloc((size_t)p.n_clips * p.n_frames, sizeof(*p.wanted_us));
    if (!p.wanted_us)
        return STATUS_NO_MEMORY;
    if (stride_us > 0)
        fill_strided(&p, duration_us, stride_us);
    else
        fill_spread(&p, duration_us);
    *ret_plan = p;
    return STATUS_OK;
}

void sample_plan_clear(struct sample_plan *p)
{
    if (!p)
        return;
    free(p->wanted_us);
    *p = (struct sample_plan){0};
}
