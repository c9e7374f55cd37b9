#include "nodes/score_plan.h"

#include <stdlib.h>
#include <string.h>

static int by_time(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

void score_prepare_sorting(void)
{
    int64_t numbers[256];

    for (size_t i = 0; i < 256; i++)
        numbers[i] = (int64_t)(255 - i);
    qsort(numbers, 256, sizeof(numbers[0]), by_time);
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
    s = decoder_keep(decoder, ret_plan->n_shared, e);
    if (s != STATUS_OK)
        sample_plan_clear(ret_plan);
    return s;
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

unsigned score_plans_back(const struct plan_range *ranges, size_t n, const int64_t *us, size_t n_us)
{
    size_t most = 0;

    for (size_t i = 0; i < n; i++) {
        const struct sample_plan *p = ranges[i].plan;

        for (uint32_t c = ranges[i].first_clip + 1; c < ranges[i].first_clip + ranges[i].n_clips; c++) {
            const int64_t *clip = p->wanted_us + (size_t)c * p->n_frames;
            /* Up to the end of the clip before, which other plans may have passed by a frame. */
            size_t end = clip[0] <= clip[-1] ? count_before(us, n_us, clip[-1]) + 2 : 0;
            size_t begin = count_before(us, n_us, clip[0]);

            if (end > begin && end - begin > most)
                most = end - begin;
        }
    }
    return (unsigned)most;
}

enum status score_announce_plans(const struct plan_range *ranges, size_t n, struct decoder *decoder, struct error *e)
{
    int64_t *us = NULL;
    size_t n_us = 0;
    enum status s;

    if (n == 1)
        return decoder_expect(decoder,
                              ranges[0].plan->wanted_us + (size_t)ranges[0].first_clip * ranges[0].plan->n_frames,
                              (size_t)ranges[0].n_clips * ranges[0].plan->n_frames, e);
    s = score_unite_plans(ranges, n, &us, &n_us);
    if (s != STATUS_OK)
        return error_no_memory(e);
    s = decoder_keep(decoder, score_plans_back(ranges, n, us, n_us), e);
    if (s == STATUS_OK)
        s = decoder_expect(decoder, us, n_us, e);
    free(us);
    return s;
}
