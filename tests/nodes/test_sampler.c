#include "nodes/sampler.h"

#include <criterion/criterion.h>

static struct sample_plan plan_of(unsigned clips, unsigned frames, double stride_s, int64_t duration_us)
{
    struct card_sampling s = {
        .mode = SAMPLING_UNIFORM, .clips = clips, .frames = frames, .stride_s = stride_s, .min_frames = 1};
    struct sample_plan p = {0};

    cr_assert_eq(sample_plan_make(&s, duration_us, &p), STATUS_OK);
    cr_assert_eq(p.n_frames, frames);
    return p;
}

Test(sampler, spreads_frames_at_the_middles_of_equal_parts)
{
    struct sample_plan p = plan_of(2, 4, 0, 8000000);

    cr_assert_eq(p.n_clips, 2);
    for (unsigned i = 0; i < 8; i++)
        cr_assert_eq(p.wanted_us[i], 500000 + 1000000 * (int64_t)i);
    sample_plan_clear(&p);
    cr_assert_null(p.wanted_us);
}

Test(sampler, spread_times_round_down_and_do_not_overflow)
{
    struct sample_plan p = plan_of(1, 3, 0, 10);

    cr_assert_eq(p.wanted_us[0], 1); /* 10 / 6 */
    cr_assert_eq(p.wanted_us[1], 5);
    cr_assert_eq(p.wanted_us[2], 8); /* 50 / 6 */
    sample_plan_clear(&p);
    p = plan_of(64, 300, 0, INT64_MAX);
    for (unsigned i = 1; i < 64 * 300; i++)
        cr_assert(p.wanted_us[i] > p.wanted_us[i - 1]);
    cr_assert(p.wanted_us[64 * 300 - 1] > INT64_MAX / 19200 * 19199);
    sample_plan_clear(&p);
    p = plan_of(1, 8, 0, 1); /* a video of one microsecond */
    cr_assert_eq(p.wanted_us[7], 0);
    sample_plan_clear(&p);
}

Test(sampler, strided_clips_are_centred_in_their_parts)
{
    struct sample_plan p = plan_of(2, 5, 0.2, 10000000);
    static const int64_t want[10] = {2000000, 2200000, 2400000, 2600000, 2800000,
                                     7000000, 7200000, 7400000, 7600000, 7800000};

    cr_assert_eq(p.n_clips, 2);
    for (unsigned i = 0; i < 10; i++)
        cr_assert_eq(p.wanted_us[i], want[i], "%u: %lld", i, (long long)p.wanted_us[i]);
    sample_plan_clear(&p);
}

Test(sampler, a_short_video_gets_fewer_clips_and_they_do_not_overlap)
{
    struct sample_plan p = plan_of(8, 10, 0.1, 3500000); /* clips of 1 s */

    cr_assert_eq(p.n_clips, 3);
    for (unsigned c = 0; c < 3; c++) {
        cr_assert(p.wanted_us[c * 10] >= 0);
        cr_assert(p.wanted_us[c * 10] + 1000000 <= 3500000);
        cr_assert(c == 0 || p.wanted_us[c * 10] >= p.wanted_us[c * 10 - 10] + 1000000);
    }
    sample_plan_clear(&p);
}

Test(sampler, a_video_shorter_than_one_clip_starts_at_zero)
{
    struct sample_plan p = plan_of(4, 10, 0.1, 300000);

    cr_assert_eq(p.n_clips, 1);
    cr_assert_eq(p.wanted_us[0], 0);
    cr_assert_eq(p.wanted_us[9], 900000);
    sample_plan_clear(&p);
}

Test(sampler, a_stride_that_is_no_whole_microsecond_does_not_drift)
{
    struct sample_plan p = plan_of(1, 300, 1.0 / 30, 100000000);

    cr_assert_eq(p.wanted_us[299] - p.wanted_us[0], 9966667);
    sample_plan_clear(&p);
}

Test(sampler, refuses_settings_and_durations_out_of_range)
{
    static const struct {
        struct card_sampling s;
        int64_t duration_us;
    } cases[] = {
        {{.mode = SAMPLING_UNIFORM, .clips = 0, .frames = 1}, 1},
        {{.mode = SAMPLING_UNIFORM, .clips = 65, .frames = 1}, 1},
        {{.mode = SAMPLING_UNIFORM, .clips = 1, .frames = 0}, 1},
        {{.mode = SAMPLING_UNIFORM, .clips = 1, .frames = 301}, 1},
        {{.mode = SAMPLING_UNIFORM, .clips = 1, .frames = 1, .stride_s = -1}, 1},
        {{.mode = SAMPLING_UNIFORM, .clips = 1, .frames = 1, .stride_s = 61}, 1},
        {{.mode = SAMPLING_UNIFORM, .clips = 1, .frames = 1}, 0},
        {{.mode = SAMPLING_UNIFORM, .clips = 1, .frames = 1}, -5},
        {{.mode = (enum sampling_mode)9, .clips = 1, .frames = 1}, 1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct sample_plan p = {.n_clips = 77};

        cr_assert_eq(sample_plan_make(&cases[i].s, cases[i].duration_us, &p), STATUS_INVALID, "case %zu", i);
        cr_assert_eq(p.n_clips, 77);
    }
}
