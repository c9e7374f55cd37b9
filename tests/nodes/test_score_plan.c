#include "nodes/score_plan.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static void expect_union(const struct plan_range *ranges, size_t n, const int64_t *want, size_t n_want, unsigned back)
{
    int64_t *us = NULL;
    size_t n_us = 0;

    cr_assert_eq(score_unite_plans(ranges, n, &us, &n_us), STATUS_OK);
    cr_assert_eq(n_us, n_want, "%zu times", n_us);
    for (size_t i = 0; i < n_us; i++)
        cr_expect_eq(us[i], want[i], "time %zu: %lld", i, (long long)us[i]);
    cr_expect_eq(score_plans_back(ranges, n, us, n_us), back, "back: %u", score_plans_back(ranges, n, us, n_us));
    free(us);
}

Test(score_plan, times_of_several_plans_are_united_in_order_each_once)
{
    int64_t a[] = {10, 20, 30, 40}, b[] = {5, 20, 35};
    const struct sample_plan pa = {.n_clips = 2, .n_frames = 2, .wanted_us = a};
    const struct sample_plan pb = {.n_clips = 1, .n_frames = 3, .wanted_us = b};
    const struct plan_range ranges[] = {{&pa, 0, 2, 0}, {&pb, 0, 1, 0}};
    const int64_t want[] = {5, 10, 20, 30, 35, 40};

    expect_union(ranges, 2, want, 6, 0);
}

Test(score_plan, only_the_clips_of_the_part_count)
{
    int64_t a[] = {10, 20, 30, 40, 50, 60}, b[] = {5, 55};
    const struct sample_plan pa = {.n_clips = 3, .n_frames = 2, .wanted_us = a};
    const struct sample_plan pb = {.n_clips = 1, .n_frames = 2, .wanted_us = b};
    const struct plan_range ranges[] = {{&pa, 1, 1, 0}, {&pb, 0, 0, 0}};
    const int64_t want[] = {30, 40};

    expect_union(ranges, 2, want, 2, 0);
}

Test(score_plan, a_plan_that_goes_back_holds_what_other_plans_want_there_too)
{
    /* Clip 1 begins at 20, before clip 0 ends at 40: 20, 25, 30, 35 and 40 lie in between, and one more may be ahead. */
    int64_t a[] = {10, 20, 30, 40, 20, 30, 40, 50}, b[] = {5, 25, 35, 60};
    const struct sample_plan pa = {.n_clips = 2, .n_frames = 4, .wanted_us = a, .n_shared = 3};
    const struct sample_plan pb = {.n_clips = 1, .n_frames = 4, .wanted_us = b};
    const struct plan_range ranges[] = {{&pa, 0, 2, 0}, {&pb, 0, 1, 0}};
    const int64_t want[] = {5, 10, 20, 25, 30, 35, 40, 50, 60};

    expect_union(ranges, 2, want, 9, 6);
}

Test(score_plan, frames_that_wait_are_held_beside_what_other_plans_read_meanwhile)
{
    /* When 40 comes, 10 may be asked for again: 10, 15, 20, 25, 30, 35 and 40 lie in between, and one more may be ahead. */
    int64_t a[] = {10, 20, 30, 40}, b[] = {15, 25, 35, 60};
    const struct sample_plan pa = {.n_clips = 1, .n_frames = 4, .wanted_us = a};
    const struct sample_plan pb = {.n_clips = 1, .n_frames = 4, .wanted_us = b};
    const struct plan_range ranges[] = {{&pa, 0, 1, 3}, {&pb, 0, 1, 0}};
    const int64_t want[] = {10, 15, 20, 25, 30, 35, 40, 60};

    expect_union(ranges, 2, want, 8, 8);
}

Test(score_plan, nothing_wanted_is_no_time)
{
    const struct sample_plan p = {.n_frames = 4};
    const struct plan_range range = {&p, 0, 0, 0};

    expect_union(&range, 1, NULL, 0, 0);
}
