#include "coordinator/prefetch.h"

#include <criterion/criterion.h>

enum { MANY = 1000000, SECOND_US = 1000000 };

static struct prefetch *open_with(uint32_t n_agents, uint32_t n_lanes)
{
    struct prefetch *p = NULL;

    cr_assert_eq(prefetch_open(n_agents, &p), STATUS_OK);
    for (uint32_t i = 0; i < n_agents; i++)
        cr_assert_eq(prefetch_join(p, i, n_lanes), STATUS_OK);
    return p;
}

/* How many units of this cost the agent is given at once; leases are numbered from first. */
static unsigned fill(struct prefetch *p, uint32_t agent, double cost_s, size_t n_waiting, int64_t now_us,
                     uint64_t first)
{
    unsigned n = 0;

    for (; n < 2000 && prefetch_wants(p, agent, n_waiting, now_us); n++)
        prefetch_leased(p, agent, first + n, cost_s, now_us);
    return n;
}

Test(prefetch, nothing_is_held_ahead_while_all_lanes_are_busy_for_long)
{
    struct prefetch *p = open_with(1, 4);

    cr_assert_eq(fill(p, 0, 60, MANY, 0, 1), 4);
    cr_assert_eq(fill(p, 0, 60, MANY, 58 * SECOND_US, 5), 0);
    cr_assert_eq(fill(p, 0, 60, MANY, 59 * SECOND_US, 5), 4, "one ahead for each lane that is free within a second");
    prefetch_close(&p);
}

Test(prefetch, short_units_are_held_ahead_for_about_a_second_and_within_a_bound)
{
    struct prefetch *p = open_with(2, 2);

    cr_assert_eq(fill(p, 0, 0.1, MANY, 0, 1), 22, "eleven a lane begin within a second");
    cr_assert_eq(fill(p, 1, 0.00001, MANY, 0, 100), 2 + PREFETCH_MAX_AHEAD);
    prefetch_close(&p);
}

Test(prefetch, in_the_tail_only_free_lanes_get_units)
{
    struct prefetch *p = open_with(8, 4);

    cr_assert_eq(fill(p, 0, 0.01, 32, 0, 1), 4, "no more wait than there are lanes");
    cr_assert_gt(fill(p, 0, 0.01, 33, 0, 10), 0);
    prefetch_close(&p);
}

Test(prefetch, a_lane_that_is_early_or_late_moves_what_is_expected_of_it)
{
    struct prefetch *p = open_with(1, 1);

    cr_assert_eq(fill(p, 0, 100, MANY, 0, 1), 1);
    prefetch_ended(p, 0, 1, 5 * SECOND_US);
    cr_assert_eq(prefetch_held(p, 0), 0);
    cr_assert_eq(fill(p, 0, 100, MANY, 5 * SECOND_US, 2), 1, "free again, and then for long not");
    cr_assert_eq(fill(p, 0, 100, MANY, 50 * SECOND_US, 3), 0);
    /* Far beyond what was expected: one ahead, not one each time somebody looks. */
    cr_assert_eq(fill(p, 0, 100, MANY, 300 * SECOND_US, 3), 1);
    cr_assert_eq(fill(p, 0, 100, MANY, 301 * SECOND_US, 4), 0);
    prefetch_ended(p, 0, 99, 301 * SECOND_US);
    cr_assert_eq(prefetch_held(p, 0), 2, "an unknown lease is ignored");
    prefetch_close(&p);
}

Test(prefetch, an_agent_that_left_gets_nothing_and_may_come_back)
{
    struct prefetch *p = open_with(2, 3);

    cr_assert_eq(fill(p, 0, 10, MANY, 0, 1), 3);
    prefetch_leave(p, 0);
    cr_assert_eq(fill(p, 0, 10, MANY, 0, 4), 0);
    prefetch_leased(p, 0, 9, 1, 0);
    prefetch_ended(p, 0, 9, 1);
    cr_assert_eq(prefetch_join(p, 0, 2), STATUS_OK);
    cr_assert_eq(fill(p, 0, 10, MANY, 0, 4), 2);
    prefetch_close(&p);
    prefetch_close(&p);
}
