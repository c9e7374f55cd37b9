#include "nodes/sampler.h"

#include <math.h>
#include <stdlib.h>

/* What the fill functions share. */
struct strides {
    int64_t duration_us;
    double stride_us; /* 0: spread evenly */
    double early_us;  /* half a frame where the stride is in frames */
};

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

/* Whole frames, from the first to the last, as numpy's linspace(0, frames - 1, n, dtype=int) counts them. A time lies
 * half a frame before its frame, so that rounded time stamps do not matter. */
static void fill_ends(const struct sample_plan *p, int64_t duration_us, double step_us)
{
    size_t n = (size_t)p->n_clips * p->n_frames;
    double last = nearbyint((double)duration_us / step_us), stride = n > 1 ? last / (double)(n - 1) : 0;

    for (size_t i = 0; i < n; i++) {
        /* numpy's order of operations: another would differ by a frame where a product is nearly whole. */
        double frame = i > 0 && i + 1 == n ? last : floor(stride * (double)i);
        double at = frame * step_us - step_us / 2;

        p->wanted_us[i] = at > 0 ? llround(at) : 0;
    }
}

static int64_t not_negative(int64_t us)
{
    return us > 0 ? us : 0;
}

/* exact_first: the clip begins with the frame of start_us itself. */
static void fill_clip(const struct sample_plan *p, unsigned clip, int64_t start_us, const struct strides *s,
                      bool exact_first)
{
    int64_t *wanted_us = p->wanted_us + (size_t)clip * p->n_frames;

    for (unsigned f = 0; f < p->n_frames; f++)
        wanted_us[f] = not_negative(start_us + llround(s->stride_us * f - s->early_us));
    if (exact_first)
        wanted_us[0] = start_us;
}

static void fill_strided(const struct sample_plan *p, const struct strides *s)
{
    int64_t length_us = llround(s->stride_us * p->n_frames);

    for (unsigned c = 0; c < p->n_clips; c++) {
        int64_t start_us = middle_of_part(s->duration_us, c, p->n_clips) - length_us / 2;

        if (start_us > s->duration_us - length_us)
            start_us = s->duration_us - length_us;
        start_us = not_negative(start_us);
        if (s->early_us > 0)
            start_us = llround(nearbyint((double)start_us / (2 * s->early_us)) * 2 * s->early_us);
        fill_clip(p, c, start_us, s, false);
    }
}

/* The key frames that may begin a clip, as sampler.h says; their number. Only counts when ret_us is NULL. */
static size_t eligible_keys(const struct sample_video *video, const struct strides *s, unsigned n_frames,
                            int64_t *ret_us)
{
    double length_us = s->stride_us * n_frames, span_us = s->stride_us * (n_frames - 1) - s->early_us;
    size_t n = 0;
    int64_t last_us = 0;

    for (size_t i = 0; i < video->n_keys; i++) {
        int64_t at_us = not_negative(video->key_us[i]);

        if (n > 0 && ((double)(at_us - last_us) < length_us || (double)at_us + span_us > (double)s->duration_us))
            continue;
        if (ret_us)
            ret_us[n] = at_us;
        n++;
        last_us = at_us;
    }
    return n;
}

static enum status fill_keyframe(const struct sample_plan *p, const struct sample_video *video, const struct strides *s,
                                 size_t n_keys)
{
    int64_t *keys_us = calloc(n_keys + 1, sizeof(*keys_us));

    if (!keys_us)
        return STATUS_NO_MEMORY;
    (void)eligible_keys(video, s, p->n_frames, keys_us);
    for (unsigned c = 0; c < p->n_clips; c++)
        fill_clip(p, c, keys_us[n_keys > 0 ? middle_of_part((int64_t)n_keys, c, p->n_clips) : 0], s, true);
    free(keys_us);
    return STATUS_OK;
}

static void fill_all(const struct sample_plan *p, const struct strides *s, unsigned hop)
{
    for (unsigned c = 0; c < p->n_clips; c++) {
        for (unsigned f = 0; f < p->n_frames; f++)
            p->wanted_us[(size_t)c * p->n_frames + f] =
                not_negative(llround(s->stride_us * ((double)c * hop + f) - s->early_us));
    }
}

/* How many clips, and for all by how many strides each starts after the one before. */
static unsigned count_clips(const struct card_sampling *sampling, const struct strides *s, size_t n_keys,
                            unsigned *ret_hop)
{
    double hop, most = SAMPLE_MAX_CLIPS - 1, span_us, n;

    if (sampling->mode == SAMPLING_KEYFRAME)
        return n_keys == 0 ? 1 : n_keys < sampling->clips ? (unsigned)n_keys : sampling->clips;
    if (sampling->mode == SAMPLING_UNIFORM) {
        n = s->stride_us > 0 ? floor((double)s->duration_us / (s->stride_us * sampling->frames)) : sampling->clips;
        return n >= sampling->clips ? sampling->clips : n < 1 ? 1 : (unsigned)n;
    }
    /* Strides from the first clip's last frame to the video's last one; half a frame of rounding is none. */
    span_us = (double)s->duration_us - s->stride_us * (sampling->frames - 1) - s->early_us;
    hop = fmax(1, nearbyint(sampling->frames * (1 - sampling->overlap)));
    if (!(span_us > 0)) {
        *ret_hop = (unsigned)hop;
        return 1;
    }
    if (ceil(span_us / (s->stride_us * hop)) > most)
        hop = ceil(span_us / (s->stride_us * most));
    *ret_hop = hop < 1e9 ? (unsigned)hop : 1000000000;
    return 1 + (unsigned)fmin(most, ceil(span_us / (s->stride_us * hop)));
}

static bool settings_are_valid(const struct card_sampling *s, const struct sample_video *video)
{
    return s->mode >= SAMPLING_UNIFORM && s->mode <= SAMPLING_ALL && video->duration_us > 0 && s->clips > 0 &&
           s->clips <= CARD_MAX_CLIPS && s->frames > 0 && s->frames <= CARD_MAX_FRAMES && s->stride_s >= 0 &&
           s->stride_s <= 60 && s->stride_frames <= 3600 && !(s->stride_s > 0 && s->stride_frames > 0) &&
           s->overlap >= 0 && s->overlap <= 0.99;
}

enum status sample_plan_make(const struct card_sampling *sampling, const struct sample_video *video,
                             struct sample_plan *ret_plan)
{
    struct sample_plan p = {.n_frames = sampling->frames};
    struct strides s = {.duration_us = video->duration_us, .stride_us = sampling->stride_s * 1e6};
    double step_us = video->fps_num > 0 && video->fps_den > 0 ? 1e6 * video->fps_den / video->fps_num : 40000;
    unsigned stride_frames = sampling->stride_frames, hop = 0;
    enum status status = STATUS_OK;
    size_t n_keys = 0;

    if (!settings_are_valid(sampling, video))
        return STATUS_INVALID;
    if (sampling->mode != SAMPLING_UNIFORM && !(s.stride_us > 0) && stride_frames == 0)
        stride_frames = 1;
    if (stride_frames > 0) {
        s.stride_us = step_us * stride_frames;
        s.early_us = step_us / 2;
    }
    if (sampling->mode == SAMPLING_KEYFRAME)
        n_keys = eligible_keys(video, &s, p.n_frames, NULL);
    p.n_clips = count_clips(sampling, &s, n_keys, &hop);
    p.wanted_us = calloc((size_t)p.n_clips * p.n_frames, sizeof(*p.wanted_us));
    if (!p.wanted_us)
        return STATUS_NO_MEMORY;
    if (sampling->mode == SAMPLING_ALL) {
        p.n_shared = hop < p.n_frames ? p.n_frames - hop : 0;
        fill_all(&p, &s, hop);
    } else if (sampling->mode == SAMPLING_KEYFRAME) {
        status = fill_keyframe(&p, video, &s, n_keys);
    } else if (s.stride_us > 0) {
        fill_strided(&p, &s);
    } else if (sampling->ends) {
        fill_ends(&p, s.duration_us, step_us);
    } else {
        fill_spread(&p, s.duration_us);
    }
    if (status == STATUS_OK)
        *ret_plan = p;
    else
        sample_plan_clear(&p);
    return status;
}

void sample_plan_clear(struct sample_plan *p)
{
    if (!p)
        return;
    free(p->wanted_us);
    *p = (struct sample_plan){0};
}

bool sampling_wants_key_frames(const struct card_sampling *sampling)
{
    return sampling->mode == SAMPLING_KEYFRAME;
}
