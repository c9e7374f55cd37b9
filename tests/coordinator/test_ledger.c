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

/* A model that keeps what must hold in the plainest way: which units have a record, and how often each was recorded. */
struct history {
    struct ledger *l;
    uint64_t random;
    int64_t now_us;
    unsigned n_units;
    unsigned records[32];
    struct lease live[64]; /* that agents believe to hold; some are stale */
    unsigned n_live;
};

static unsigned below(struct history *h, unsigned n)
{
    h->random = h->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((h->random >> 33) % n);
}

static void record(struct history *h, uint64_t lease, uint32_t unit)
{
    bool first = ledger_result(h->l, lease, unit);

    cr_assert_eq(first, h->records[unit] == 0, "the ledger counts a unit once");
    h->records[unit]++;
}

static void drop(struct history *h, unsigned i)
{
    h->live[i] = h->live[--h->n_live];
}

static void restart(struct history *h)
{
    struct ledger_settings settings = {
        .n_units = h->n_units, .n_agents = 4, .attempts = 3, .max_losses = 3, .lease_us = 100};

    ledger_close(&h->l);
    cr_assert_eq(ledger_open(&settings, &h->l), STATUS_OK);
    h->n_live = 0;
    for (unsigned u = 0; u < h->n_units; u++) {
        ledger_set_cost(h->l, u, (float)below(h, 5));
        if (h->records[u] > 0)
            ledger_mark_done(h->l, u);
    }
}

static void one_event(struct history *h)
{
    struct lease lease;
    uint32_t unit;
    unsigned i = h->n_live > 0 ? below(h, h->n_live) : 0;

    switch (below(h, 12)) {
    case 0:
    case 1:
    case 2:
    case 3:
        if (h->n_live < 64 && ledger_lease(h->l, below(h, 4), h->now_us, &lease) == STATUS_OK) {
            cr_assert_eq(h->records[lease.unit], 0, "a unit with a record is never leased");
            h->live[h->n_live++] = lease;
        }
        break;
    case 4:
    case 5:
        if (h->n_live > 0) {
            record(h, h->live[i].number, h->live[i].unit);
            if (below(h, 3) > 0)
                drop(h, i); /* else its message comes once more */
        }
        break;
    case 6:
        if (h->n_live > 0 && !h->live[i].last_attempt) {
            ledger_failed(h->l, h->live[i].number, h->live[i].unit);
            drop(h, i);
        }
        break;
    case 7:
        ledger_agent_lost(h->l, below(h, 4));
        break;
    case 8:
        h->now_us += below(h, 150);
        ledger_expire(h->l, h->now_us);
        break;
    case 9:
        h->now_us -= below(h, 50); /* a clock that jumps back */
        break;
    case 10:
        while (ledger_next_given_up(h->l, &unit) == STATUS_OK)
            record(h, 0, unit);
        break;
    case 11:
        if (below(h, 20) == 0)
            restart(h);
        break;
    }
}

static void finish(struct history *h)
{
    struct lease lease;
    uint32_t unit;
    enum status s;

    ledger_expire(h->l, h->now_us + 1000);
    for (unsigned agent = 0; agent < 4; agent++)
        ledger_agent_lost(h->l, agent);
    while ((s = ledger_lease(h->l, 0, h->now_us, &lease)) == STATUS_OK)
        record(h, lease.number, lease.unit);
    while (ledger_next_given_up(h->l, &unit) == STATUS_OK)
        record(h, 0, unit);
    cr_assert_eq(ledger_lease(h->l, 0, h->now_us, &lease), STATUS_END);
}

Test(ledger, every_random_history_ends_with_each_unit_decided_and_none_lost)
{
    for (unsigned seed = 0; seed < 10000; seed++) {
        struct history h = {.random = seed, .n_units = 1 + seed % 32};

        restart(&h);
        for (unsigned k = 0; k < 120; k++) {
            one_event(&h);
            if (k % 10 == 0)
                cr_assert(ledger_is_consistent(h.l), "seed %u after %u events", seed, k);
        }
        finish(&h);
        cr_assert(ledger_is_consistent(h.l), "seed %u at its end", seed);
        cr_assert_eq(ledger_done(h.l), h.n_units);
        for (unsigned u = 0; u < h.n_units; u++)
            cr_assert_geq(h.records[u], 1, "seed %u lost unit %u", seed, u);
        ledger_close(&h.l);
    }
}
