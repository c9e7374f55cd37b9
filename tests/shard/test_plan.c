#include "shard/plan.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>

static const struct plan_work faces = {
    .reads_video = true, .clips = 8, .frames = 16, .stride_s = 0.1, .clip_s = 0.5, .face_s = 0.05};
static const struct plan_work light = {.reads_video = true, .clips = 1, .frames = 16, .clip_s = 0.001};

static struct video_facts facts_of(const char *codec, unsigned width, unsigned height, double seconds)
{
    struct video_facts f = {
        .width_px = width, .height_px = height, .fps_num = 25, .fps_den = 1, .duration_us = (int64_t)(seconds * 1e6)};

    snprintf(f.codec, sizeof(f.codec), "%s", codec);
    return f;
}

Test(plan, more_pixels_more_bits_and_a_longer_video_cost_more)
{
    struct video_facts small = facts_of("h264", 320, 240, 10), large = facts_of("h264", 1920, 1080, 10);
    struct video_facts minute = facts_of("h264", 1920, 1080, 60), hevc = facts_of("hevc", 1920, 1080, 10);

    cr_assert_lt(plan_cost(&light, &small, 1000000, 0), plan_cost(&light, &large, 1000000, 0));
    cr_assert_lt(plan_cost(&light, &large, 1000000, 0), plan_cost(&light, &large, 9000000, 0));
    cr_assert_lt(plan_cost(&light, &large, 1000000, 0), plan_cost(&light, &minute, 1000000, 0));
    cr_assert_lt(plan_cost(&light, &large, 1000000, 0), plan_cost(&light, &hevc, 1000000, 0));
    cr_assert_lt(plan_cost(&light, NULL, 1000000, 0), plan_cost(&light, NULL, 2000000, 0), "the size is enough");
}

Test(plan, only_the_way_from_a_key_frame_to_a_wanted_frame_is_decoded)
{
    struct video_facts hours = facts_of("h264", 1920, 1080, 3 * 3600);
    double often = plan_cost(&light, &hours, 0, 1), seldom = plan_cost(&light, &hours, 0, 10);
    double pixels = 1920.0 * 1080, one = pixels * 1e-9;

    /* 16 wanted frames, half of 250 frames each, against half of 25. */
    cr_assert_float_eq(seldom - often, 16 * (125 - 12.5) * one, 1e-3);
    cr_assert_lt(seldom, 0.05 * 270000 * one, "far from a full decode");
}

Test(plan, networks_and_face_search_count_by_the_sampling)
{
    struct video_facts f = facts_of("h264", 320, 240, 60);
    struct plan_work heavy = faces;

    heavy.clip_s += 1;
    cr_assert_float_eq(plan_cost(&heavy, &f, 0, 0) - plan_cost(&faces, &f, 0, 0), 8, 1e-9, "eight clips");
    heavy = faces;
    heavy.face_s += 0.01;
    cr_assert_float_eq(plan_cost(&heavy, &f, 0, 0) - plan_cost(&faces, &f, 0, 0), 1.28, 1e-9, "128 frames");
}

Test(plan, a_video_over_the_bound_is_cut_at_most_into_its_clips)
{
    struct plan_work text = faces;

    cr_assert_eq(plan_segments(&faces, 100, 100), 1);
    cr_assert_eq(plan_segments(&faces, 101, 100), 2);
    cr_assert_eq(plan_segments(&faces, 350, 100), 4);
    cr_assert_eq(plan_segments(&faces, 1e9, 100), 8);
    cr_assert_eq(plan_segments(&faces, 1e9, 0), 1, "0 never cuts");
    cr_assert_eq(plan_segments(&light, 1e9, 100), 1, "one clip is not cut");
    cr_assert_eq(plan_segments(&faces, NAN, 100), 1);
    text.reads_video = false;
    cr_assert_eq(plan_segments(&text, 1e9, 100), 1);
}

Test(plan, the_correction_finds_a_factor_for_each_class)
{
    struct video_facts a = facts_of("h264", 320, 240, 10), b = facts_of("vp9", 1920, 1080, 10);
    struct plan_correction c = {0};
    unsigned slow = plan_class(&a), fast = plan_class(&b);

    cr_assert_neq(slow, fast);
    cr_assert_eq(plan_factor(&c, slow), 1);
    for (unsigned i = 0; i < 200; i++) {
        plan_learn(&c, slow, 2, 6);
        plan_learn(&c, fast, 2, 1);
    }
    cr_assert_float_eq(plan_factor(&c, slow), 3, 0.3);
    cr_assert_float_eq(plan_factor(&c, fast), 0.5, 0.06);
    cr_assert(plan_factor(&c, plan_class(NULL)) > 0.5 && plan_factor(&c, plan_class(NULL)) < 3,
              "what was not measured is like all");
}

Test(plan, one_absurd_time_moves_little_and_bounds_hold)
{
    struct plan_correction c = {0};
    double before;

    for (unsigned i = 0; i < 100; i++)
        plan_learn(&c, 0, 1, 1);
    before = plan_factor(&c, 0);
    plan_learn(&c, 0, 1, 1e9);
    cr_assert_lt(plan_factor(&c, 0), before * 1.05);
    plan_learn(&c, 0, 0, 1);
    plan_learn(&c, 0, 1, -1);
    plan_learn(&c, 0, NAN, 1);
    plan_learn(&c, 0, 1, INFINITY);
    plan_learn(&c, PLAN_N_CLASSES, 1, 1);
    cr_assert_lt(plan_factor(&c, 0), before * 1.05);
    for (unsigned i = 0; i < 100000; i++)
        plan_learn(&c, 0, 1e-6, 1e9);
    cr_assert_leq(plan_factor(&c, 0), PLAN_MAX_FACTOR * 1.0001);
}

Test(plan, every_class_is_in_range_and_unknown_facts_have_their_own)
{
    struct video_facts nothing = {0}, odd = facts_of("no such codec", 100000, 100000, 1e6);

    cr_assert_eq(plan_class(&nothing), plan_class(NULL));
    cr_assert_lt(plan_class(NULL), PLAN_N_CLASSES);
    cr_assert_lt(plan_class(&odd), PLAN_N_CLASSES);
    cr_assert(isfinite(plan_cost(&faces, &odd, UINT64_MAX, 0)));
    cr_assert_gt(plan_cost(&faces, &nothing, 0, 0), 0);
}
