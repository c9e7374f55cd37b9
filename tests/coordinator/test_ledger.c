#include "coordinator/ledger.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct ledger *open_ledger(size_t n_units, unsigned attempts, unsigned max_losses)
{
    const struct ledger_settings settings = {
        .n_units = n_units, .n_agents = 4, .attempts = attempts, .max_losses = max_losses, .lease_us = 100};
    struct ledger *l = NULL;

    cr_assert_eq(ledger_open(&settings, &l), STATUS_OK);
    return l;
}

Test(ledger, the_costliest_unit_is_leased_first_and_ties_go_by_number)
{
    static const float costs[] = {1, 5, 3, 5};
    static const uint32_t want[] = {1, 3, 2, 0};
    struct ledger *l = open_ledger(4, 1, 1);
    struct lease lease;

    for (uint32_t i = 0; i < 4; i++)
        ledger_set_cost(l, i, costs[i]);
    for (uint32_t i = 0; i < 4; i++) {
        cr_assert_eq(ledger_lease(l, 0, 0, &lease), STATUS_OK);
        cr_assert_eq(lease.unit, want[i]);
    }
    cr_assert_eq(ledger_lease(l, 0, 0, &lease), STATUS_AGAIN);
    ledger_close(&l);
}

Test(ledger, a_unit_with_a_record_is_never_leased)
{
    struct ledger *l = open_ledger(2, 1, 1);
    struct lease lease;

    ledger_mark_done(l, 0);
    ledger_mark_done(l, 0);
    cr_assert_eq(ledger_lease(l, 0, 0, &lease), STATUS_OK);
    cr_assert_eq(lease.unit, 1);
    cr_assert(ledger_result(l, lease.number, 1));
    cr_assert_eq(ledger_lease(l, 0, 0, &lease), STATUS_END);
    ledger_close(&l);
}

Test(ledger, expired_lease_is_reissued_once)
{
    struct ledger *l = open_ledger(1, 1, 3);
    struct lease first, second;

    cr_assert_eq(ledger_lease(l, 0, 0, &first), STATUS_OK);
    cr_assert_eq(ledger_expire(l, 99), 0);
    cr_assert_eq(ledger_expire(l, 100), 1);
    cr_assert_eq(ledger_expire(l, 100), 0);
    cr_assert_eq(ledger_lease(l, 1, 100, &second), STATUS_OK);
    cr_assert_neq(first.number, second.number);
    cr_assert_eq(second.attempt, 1, "an agent's silence is not the unit's failure");
    ledger_close(&l);
}

Test(ledger, a_late_result_of_an_expired_lease_decides_and_the_second_is_a_duplicate)
{
    struct ledger *l = open_ledger(1, 1, 3);
    struct lease first, second;

    ledger_lease(l, 0, 0, &first);
    ledger_expire(l, 100);
    ledger_lease(l, 1, 100, &second);
    cr_assert(ledger_result(l, first.number, 0));
    cr_assert_not(ledger_result(l, second.number, 0));
    cr_assert_eq(ledger_duplicates(l), 1);
    cr_assert_eq(ledger_done(l), 1);
    cr_assert_eq(ledger_leased(l), 0);
    cr_assert_eq(ledger_leased_by(l, 1), 0);
    ledger_close(&l);
}

Test(ledger, a_failure_waits_for_another_attempt_and_the_last_attempt_is_marked)
{
    struct ledger *l = open_ledger(1, 2, 1);
    struct lease lease;

    ledger_lease(l, 0, 0, &lease);
    cr_assert_not(lease.last_attempt);
    ledger_failed(l, lease.number + 1, 0);
    cr_assert_eq(ledger_leased(l), 1, "a lease that is not live fails nothing");
    ledger_failed(l, lease.number, 0);
    ledger_lease(l, 0, 0, &lease);
    cr_assert_eq(lease.attempt, 2);
    cr_assert(lease.last_attempt);
    ledger_close(&l);
}

Test(ledger, a_unit_whose_agents_vanish_is_given_up_after_max_losses)
{
    struct ledger *l = open_ledger(1, 1, 2);
    struct lease lease;
    uint32_t unit = 7;

    ledger_lease(l, 0, 0, &lease);
    cr_assert_eq(ledger_agent_lost(l, 0), 1);
    cr_assert_eq(ledger_next_given_up(l, &unit), STATUS_END);
    ledger_lease(l, 1, 0, &lease);
    cr_assert_eq(ledger_agent_lost(l, 1), 1);
    cr_assert_eq(ledger_lease(l, 2, 0, &lease), STATUS_AGAIN);
    cr_assert_eq(ledger_next_given_up(l, &unit), STATUS_OK);
    cr_assert_eq(unit, 0);
    cr_assert_eq(ledger_next_given_up(l, &unit), STATUS_END);
    cr_assert(ledger_result(l, 0, 0));
    cr_assert_eq(ledger_lease(l, 2, 0, &lease), STATUS_END);
    ledger_close(&l);
}

Test(ledger, settings_out_of_range_are_refused)
{
    static const struct ledger_settings bad[] = {
        {.n_units = 1, .n_agents = 0, .attempts = 1, .max_losses = 1},
        {.n_units = 1, .n_agents = 1, .attempts = 0, .max_losses = 1},
        {.n_units = 1, .n_agents = 1, .attempts = 101, .max_losses = 1},
        {.n_units = 1, .n_agents = 1, .attempts = 1, .max_losses = 0},
        {.n_units = UINT32_MAX, .n_agents = 1, .attempts = 1, .max_losses = 1},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ledger *l = NULL;

        cr_assert_eq(ledger_open(&bad[i], &l), STATUS_INVALID, "case %zu", i);
    }
}

Test(ledger, a_clock_that_is_set_back_makes_no_lease_longer_or_older)
{
    struct ledger *l = open_ledger(2, 1, 3);
    struct lease lease;

    ledger_lease(l, 0, 1000, &lease);
    cr_assert_eq(ledger_expire(l, 500), 0);
    ledger_lease(l, 1, 500, &lease);
    cr_assert_eq(ledger_expire(l, 1099), 0, "the second was not leased in the past");
    cr_assert_eq(ledger_expire(l, 1100), 2);
    ledger_close(&l);
}
