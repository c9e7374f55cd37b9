#include "nodes/sampler.h"

#include <criterion/criterion.h>

static const int64_t keys_us[] = {0, 1000000, 1100000, 2000000, 4000000, 9900000};

static struct sample_plan plan_with(const struct card_sampling *s, int64_t duration_us)
{
    const struct sample_video v = {
        .duration_us = duration_us, .fps_num = 25, .fps_den = 1, .key_us = keys_us, .n_keys = 6};
    struct sample_plan p = {0};

    cr_assert_eq(sample_plan_make(s, &v, &p), STATUS_OK);
    cr_assert_eq(p.n_frames, s->frames);
    return p;
}

static struct sample_plan plan_of(unsigned clips, unsigned frames, double stride_s, int64_t duration_us)
{
    struct card_sampling s = {
        .mode = SAMPLING_UNIFORM, .clips = clips, .frames = frames, .stride_s = stride_s, .min_frames = 1};

    return plan_with(&s, duration_us);
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
        {{.mode = SAMPLING_UNIFORM, .clips = 1, .frames = 1, .stride_frames = 3601}, 1},
        {{.mode = SAMPLING_UNIFORM, .clips = 1, .frames = 1, .stride_frames = 1, .stride_s = 1}, 1},
        {{.mode = SAMPLING_ALL, .clips = 1, .frames = 1, .overlap = 1}, 1},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct sample_video v = {.duration_us = cases[i].duration_us};
        struct sample_plan p = {.n_clips = 77};

        cr_assert_eq(sample_plan_make(&cases[i].s, &v, &p), STATUS_INVALID, "case %zu", i);
        cr_assert_eq(p.n_clips, 77);
    }
}

Test(sampler, a_stride_in_frames_asks_half_a_frame_early_from_a_whole_one)
{
    const struct card_sampling s = {.mode = SAMPLING_UNIFORM, .clips = 2, .frames = 4, .stride_frames = 3};
    struct sample_plan p = plan_with(&s, 9990000);

    /* The middle of the first half less half of 0.48 s is 2.2575 s, which is nearest to frame 56. */
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(p.wanted_us[i], 2240000 + 120000 * (int64_t)i - 20000, "%lld", (long long)p.wanted_us[i]);
    sample_plan_clear(&p);
}

Test(sampler, keyframe_clips_begin_at_key_frames_that_leave_room)
{
    struct card_sampling s = {.mode = SAMPLING_KEYFRAME, .clips = 64, .frames = 10};
    struct sample_plan p = plan_with(&s, 9990000);
    static const int64_t starts_us[] = {0, 1000000, 2000000, 4000000}; /* 1.1 s overlaps, 9.9 s does not fit */

    cr_assert_eq(p.n_clips, 4);
    for (unsigned c = 0; c < 4; c++) {
        cr_assert_eq(p.wanted_us[10 * c], starts_us[c]);
        for (unsigned i = 1; i < 10; i++)
            cr_assert_eq(p.wanted_us[10 * c + i], starts_us[c] + 40000 * (int64_t)i - 20000);
    }
    sample_plan_clear(&p);
    s.clips = 2;
    p = plan_with(&s, 9990000);
    cr_assert_eq(p.n_clips, 2);
    cr_assert_eq(p.wanted_us[0], 1000000);
    cr_assert_eq(p.wanted_us[10], 4000000);
    sample_plan_clear(&p);
    s.frames = 300;
    p = plan_with(&s, 1000000); /* longer than the video */
    cr_assert_eq(p.n_clips, 1);
    cr_assert_eq(p.wanted_us[0], 0);
    sample_plan_clear(&p);
}

Test(sampler, all_covers_every_frame_and_shares_times_to_the_microsecond)
{
    static const double overlaps[] = {0, 0.25, 0.5, 0.75, 0.9};

    for (unsigned k = 0; k < 5; k++) {
        for (unsigned n_frames = 1; n_frames < 200; n_frames += 7) {
            const struct card_sampling s = {.mode = SAMPLING_ALL, .clips = 1, .frames = 16, .overlap = overlaps[k]};
            const struct sample_video v = {
                .duration_us = n_frames * INT64_C(1001000) / 30 + 1, .fps_num = 30000, .fps_den = 1001};
            bool seen[256] = {0};
            struct sample_plan p;

            cr_assert_eq(sample_plan_make(&s, &v, &p), STATUS_OK);
            cr_assert_eq(p.n_shared, 16 - (unsigned)(16 * (1 - overlaps[k]) + 0.5));
            for (size_t i = 0; i < (size_t)p.n_clips * 16; i++) {
                int64_t frame = (p.wanted_us[i] * 30 + 1000999) / 1001000;

                if (frame < 256)
                    seen[frame] = true;
            }
            for (unsigned f = 0; f <= n_frames; f++)
                cr_assert(seen[f], "overlap %g: frame %u of %u", overlaps[k], f, n_frames);
            for (unsigned c = 1; c < p.n_clips; c++)
                cr_assert_arr_eq(p.wanted_us + 16 * c, p.wanted_us + 16 * c - p.n_shared, p.n_shared * sizeof(int64_t));
            sample_plan_clear(&p);
        }
    }
}

Test(sampler, all_of_a_long_video_keeps_to_the_most_clips)
{
    const struct card_sampling s = {.mode = SAMPLING_ALL, .clips = 1, .frames = 8, .overlap = 0.5};
    struct sample_plan p = plan_with(&s, INT64_C(4) * 3600 * 1000000);

    cr_assert(p.n_clips > SAMPLE_MAX_CLIPS / 2 && p.n_clips <= SAMPLE_MAX_CLIPS, "%u", p.n_clips);
    cr_assert_eq(p.n_shared, 0);
    cr_assert(p.wanted_us[(size_t)p.n_clips * 8 - 1] > INT64_C(4) * 3600 * 1000000 - 60000000);
    sample_plan_clear(&p);
}

/* numpy.linspace(0, F - 1, n, dtype=int) of numpy 1.24, and the time of each frame less half a frame. */
Test(sampler, ends_takes_the_frames_of_numpys_linspace)
{
    static const struct {
        unsigned n_frames, n, at[8];
    } cases[] = {
        {300, 8, {0, 42, 85, 128, 170, 213, 256, 299}},
        {100, 5, {0, 24, 49, 74, 99}},
        {8, 8, {0, 1, 2, 3, 4, 5, 6, 7}},
        {3, 5, {0, 0, 1, 1, 2}},
        {1000, 3, {0, 499, 999}},
        {50, 1, {0}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct card_sampling s = {.mode = SAMPLING_UNIFORM, .clips = 1, .frames = cases[i].n, .ends = true};
        const struct sample_video video = {
            .duration_us = ((int64_t)cases[i].n_frames - 1) * 1001000000 / 30000, .fps_num = 30000, .fps_den = 1001};
        struct sample_plan p;

        cr_assert_eq(sample_plan_make(&s, &video, &p), STATUS_OK);
        for (unsigned k = 0; k < cases[i].n; k++) {
            double want = cases[i].at[k] > 0 ? (cases[i].at[k] - 0.5) * 1001e6 / 30000 : 0;

            cr_assert_float_eq((double)p.wanted_us[k], want, 1, "case %zu, %u: %g", i, k, (double)p.wanted_us[k]);
        }
        sample_plan_clear(&p);
    }
}
