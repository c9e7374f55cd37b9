#include "coordinator/units.h"

#include <criterion/criterion.h>

enum { N = 10 };

static struct units *open_cut(void)
{
    struct units *u = NULL;

    cr_assert_eq(units_open(N, &u), STATUS_OK);
    for (uint32_t i = 0; i < N; i++)
        units_set_cost(u, i, 10 * (i + 1), i % 2);
    cr_assert_eq(units_cut(u, 3, 4), STATUS_OK);
    cr_assert_eq(units_cut(u, 8, 2), STATUS_OK);
    return u;
}

static struct ledger *ledger_of(const struct units *u)
{
    const struct ledger_settings settings = {
        .n_units = units_count(u), .n_agents = 1, .attempts = 1, .max_losses = 4, .lease_us = 1000};
    struct ledger *l = NULL;

    cr_assert_eq(ledger_open(&settings, &l), STATUS_OK);
    units_fill(u, l);
    return l;
}

Test(units, segments_stand_behind_the_entries_and_lead_back_to_them)
{
    struct units *u = open_cut();
    struct unit_place place;
    uint32_t n;

    cr_assert_eq(units_count(u), N + 6);
    place = units_place(u, 5);
    cr_assert(place.entry == 5 && place.segment == 0 && place.n_segments == 1);
    for (uint32_t i = 0; i < 6; i++) {
        place = units_place(u, N + i);
        cr_assert_eq(place.entry, i < 4 ? 3 : 8);
        cr_assert_eq(place.segment, i < 4 ? i : i - 4);
        cr_assert_eq(place.n_segments, i < 4 ? 4 : 2);
    }
    cr_assert_eq(units_first_segment(u, 8, &n), N + 4);
    cr_assert_eq(n, 2);
    units_first_segment(u, 7, &n);
    cr_assert_eq(n, 0);
    cr_assert_eq(units_cut(u, 8, 2), STATUS_INVALID, "once");
    cr_assert_eq(units_cut(u, 4, 2), STATUS_INVALID, "in order");
    cr_assert_eq(units_cut(u, 9, 1), STATUS_INVALID);
    cr_assert_eq(units_cut(u, 9, SEGMENT_MAX_COUNT + 1), STATUS_INVALID);
    units_close(&u);
}

Test(units, cut_entries_are_held_and_their_segments_share_the_cost)
{
    struct units *u = open_cut();
    struct ledger *l = ledger_of(u);
    struct lease lease;

    cr_assert_float_eq(ledger_cost(l, N), 10, 1e-6);
    cr_assert_float_eq(ledger_cost(l, N + 5), 45, 1e-6);
    cr_assert_eq(ledger_waiting(l), N + 6 - 2);
    for (size_t i = 0; i < N + 6 - 2; i++) {
        cr_assert_eq(ledger_lease(l, 0, 0, &lease), STATUS_OK);
        cr_assert(lease.unit != 3 && lease.unit != 8);
    }
    cr_assert_eq(ledger_lease(l, 0, 0, &lease), STATUS_AGAIN);
    ledger_release(l, 3);
    cr_assert_eq(ledger_lease(l, 0, 0, &lease), STATUS_OK);
    cr_assert_eq(lease.unit, 3);
    ledger_drop(l, 8);
    ledger_drop(l, 8);
    cr_assert(ledger_is_consistent(l));
    cr_assert_eq(ledger_done(l), 1);
    cr_assert_eq(ledger_duplicates(l), 0);
    ledger_close(&l);
    units_close(&u);
}

Test(units, a_video_is_decided_by_its_last_clean_segment)
{
    struct units *u = open_cut();

    cr_assert_eq(units_take_result(u, 5, 0), UNIT_DECIDED);
    units_mark_done(u, N + 1);
    cr_assert_eq(units_take_result(u, N, SEGMENT_CLEAN), UNIT_GOES_ON);
    cr_assert_eq(units_take_result(u, N + 3, SEGMENT_CLEAN), UNIT_GOES_ON);
    cr_assert_eq(units_take_result(u, N + 2, SEGMENT_CLEAN), UNIT_DECIDED);
    units_close(&u);
}

Test(units, a_failed_segment_decides_and_a_troubled_one_asks_for_the_whole)
{
    struct units *u = open_cut();

    cr_assert_eq(units_take_result(u, N + 2, SEGMENT_FAILED), UNIT_DECIDED);
    cr_assert_eq(units_take_result(u, N + 1, SEGMENT_TROUBLED), UNIT_GOES_ON, "that came too late");
    cr_assert_eq(units_take_result(u, N + 4, SEGMENT_TROUBLED), UNIT_WHOLE);
    cr_assert_eq(units_take_result(u, N + 5, SEGMENT_CLEAN), UNIT_GOES_ON);
    cr_assert_eq(units_take_result(u, 8, 0), UNIT_DECIDED);
    units_close(&u);
}

Test(units, measured_times_change_the_order_of_what_waits)
{
    struct units *u = open_cut();
    struct ledger *l = ledger_of(u);
    struct lease lease;
    bool stale = false;

    cr_assert_eq(ledger_lease(l, 0, 0, &lease), STATUS_OK);
    cr_assert_eq(lease.unit, 9);
    /* Class 0 takes ten times what was thought, class 1 what was thought. */
    for (unsigned i = 0; i < 300; i++) {
        stale = units_learn(u, 0, 100) || stale;
        stale = units_learn(u, 1, 20) || stale;
    }
    cr_assert(stale);
    units_reorder(u, l);
    cr_assert(ledger_is_consistent(l));
    cr_assert_eq(ledger_lease(l, 0, 0, &lease), STATUS_OK);
    cr_assert_eq(lease.unit, 6);
    cr_assert_eq(ledger_lease(l, 0, 0, &lease), STATUS_OK);
    cr_assert_eq(lease.unit, 4);
    cr_assert_eq(ledger_lease(l, 0, 0, &lease), STATUS_OK);
    cr_assert_eq(lease.unit, N + 4, "half of entry 8");
    cr_assert_eq(ledger_lease(l, 0, 0, &lease), STATUS_OK);
    cr_assert_eq(lease.unit, N + 5);
    ledger_close(&l);
    units_close(&u);
}
