#include "nodes/score_plan.h"

#include <stdlib.h>
#include <string.h>

static int by_time(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

int64_t score_last_frame_us(const struct video_facts *facts)
{
    int64_t step_us = facts->fps_num > 0 ? INT64_C(1000000) * facts->fps_den / facts->fps_num : 0;

    return facts->duration_us > step_us ? facts->duration_us - step_us : 1;
}

enum status score_make_plan(const struct card_sampling *sampling, struct decoder *decoder, struct sample_plan *ret_plan,
                            struct error *e)
{
    const struct video_facts *facts = decoder_facts(decoder);
    struct sample_video video = {
        .duration_us = score_last_frame_us(facts), .fps_num = facts->fps_num, .fps_den = facts->fps_den};
    enum status s = STATUS_OK;

    if (sampling_wants_key_frames(sampling))
        s = decoder_key_frames(decoder, &video.key_us, &video.n_keys, e);
    if (s != STATUS_OK)
        return s;
    s = sample_plan_make(sampling, &video, ret_plan);
    if (s != STATUS_OK)
        return error_set(e, s, "the sampling plan: %s", status_name(s));
    return STATUS_OK;
}

enum status score_unite_plans(const struct plan_range *ranges, size_t n, int64_t **ret_us, size_t *ret_n)
{
    size_t count = 0, kept = 0;
    int64_t *us;

    for (size_t i = 0; i < n; i++)
        count += (size_t)ranges[i].n_clips * ranges[i].plan->n_frames;
    us = malloc((count + 1) * sizeof(*us));
    if (!us)
        return STATUS_NO_MEMORY;
    count = 0;
    for (size_t i = 0; i < n; i++) {
        const struct sample_plan *p = ranges[i].plan;
        size_t n_times = (size_t)ranges[i].n_clips * p->n_frames;

        if (n_times > 0)
            memcpy(us + count, p->wanted_us + (size_t)ranges[i].first_clip * p->n_frames, n_times * sizeof(*us));
        count += n_times;
    }
    qsort(us, count, sizeof(*us), by_time);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || us[i] != us[kept - 1])
            us[kept++] = us[i];
    }
    *ret_us = us;
    *ret_n = kept;
    return STATUS_OK;
}

/* How many times are before us. */
static size_t count_before(const int64_t *times, size_t n, int64_t us)
{
    size_t low = 0, high = n;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (times[middle] < us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* How many times lie from one to another, which other plans may have passed by a frame. */
static unsigned count_between(const int64_t *us, size_t n_us, int64_t from_us, int64_t to_us)
{
    return (unsigned)(count_before(us, n_us, to_us) + 2 - count_before(us, n_us, from_us));
}

unsigned score_plans_back(const struct plan_range *ranges, size_t n, const int64_t *us, size_t n_us)
{
    unsigned most = 0;

    for (size_t i = 0; i < n; i++) {
        const struct plan_range *r = &ranges[i];

        for (uint32_t c = r->first_clip; c < r->first_clip + r->n_clips; c++) {
            const int64_t *clip = r->plan->wanted_us + (size_t)c * r->plan->n_frames;
            unsigned back = 0;

            if (c > r->first_clip && clip[0] <= clip[-1])
                back = count_between(us, n_us, clip[0], clip[-1]);
            most = back > most ? back : most;
            for (unsigned k = r->n_waiting; r->n_waiting > 0 && k < r->plan->n_frames; k++) {
                back = count_between(us, n_us, clip[k - r->n_waiting], clip[k]);
                most = back > most ? back : most;
            }
        }
    }
    return most;
}

enum status score_announce_plans(const struct plan_range *ranges, size_t n, struct decoder *decoder, struct error *e)
{
    int64_t *us = NULL;
    size_t n_us = 0;
    enum status s;

    if (n == 1) {
        const struct plan_range *r = &ranges[0];

        s = decoder_keep(decoder, r->n_waiting > r->plan->n_shared ? r->n_waiting : r->plan->n_shared, e);
        return s == STATUS_OK ? decoder_expect(decoder, r->plan->wanted_us + (size_t)r->first_clip * r->plan->n_frames,
                                               (size_t)r->n_clips * r->plan->n_frames, e)
                              : s;
    }
    s = score_unite_plans(ranges, n, &us, &n_us);
    if (s != STATUS_OK)
        return error_no_memory(e);
    s = decoder_keep(decoder, score_plans_back(ranges, n, us, n_us), e);
    if (s == STATUS_OK)
        s = decoder_expect(decoder, us, n_us, e);
    free(us);
    return s;
}
