#include "coordinator/dispatch.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N_AGENTS = 2, N_UNITS = 5, SILENCE_US = 1000000, GRACE_US = 500000 };

/* What the dispatch said, newest last. */
struct stage {
    struct ledger *ledger;
    struct manifest *manifest;
    struct dispatch *dispatch;
    struct {
        uint32_t agent;
        struct message m;
        char text[256];
    } said[256];
    unsigned n_said;
    unsigned n_given_up;
    bool given_up_fails;
};

static struct stage stage;

static enum status hear(void *context, uint32_t agent, const struct message *m)
{
    struct stage *s = context;

    cr_assert_lt(s->n_said, 256);
    s->said[s->n_said].agent = agent;
    s->said[s->n_said].m = *m;
    snprintf(s->said[s->n_said].text, sizeof(s->said[0].text), "%s", m->text ? m->text : "");
    s->n_said++;
    return STATUS_OK;
}

static enum status give_up(void *context, uint32_t unit, struct error *e)
{
    struct stage *s = context;

    (void)unit;
    if (s->given_up_fails)
        return error_set(e, STATUS_NO_SPACE, "disk full");
    s->n_given_up++;
    return STATUS_OK;
}

static void set_up_with(int64_t lease_us)
{
    const struct ledger_settings ledger = {
        .n_units = N_UNITS, .n_agents = N_AGENTS, .attempts = 2, .max_losses = 2, .lease_us = lease_us};
    struct dispatch_settings settings = {
        .n_agents = N_AGENTS,
        .fingerprint = "abc",
        .silence_us = SILENCE_US,
        .grace_us = GRACE_US,
        .send = hear,
        .record_given_up = give_up,
        .context = &stage,
    };
    struct error e;

    cr_assert_eq(manifest_create("/corpus", "dir", &stage.manifest, &e), STATUS_OK);
    for (unsigned i = 0; i < N_UNITS; i++) {
        char path[16];
        struct manifest_entry entry = {.path = path, .exists = true, .size_bytes = 10 + i, .mtime_ns = 1};

        snprintf(path, sizeof(path), "%u.mp4", i);
        cr_assert_eq(manifest_add(stage.manifest, &entry, &e), STATUS_OK);
    }
    cr_assert_eq(manifest_sort(stage.manifest, &e), STATUS_OK);
    cr_assert_eq(ledger_open(&ledger, &stage.ledger), STATUS_OK);
    settings.manifest = stage.manifest;
    settings.ledger = stage.ledger;
    cr_assert_eq(dispatch_open(&settings, 0, &stage.dispatch, &e), STATUS_OK);
}

static void set_up(void)
{
    set_up_with(100 * SILENCE_US);
}

static void tear_down(void)
{
    dispatch_close(&stage.dispatch);
    ledger_close(&stage.ledger);
    manifest_close(&stage.manifest);
}

TestSuite(dispatch, .init = set_up, .fini = tear_down);

static void say(uint32_t from, struct message m, int64_t now)
{
    if (m.text)
        m.text = strdup(m.text);
    dispatch_take(stage.dispatch, from, &m, now);
}

static void hello(uint32_t from, const char *fingerprint)
{
    struct message m = {.kind = MESSAGE_HELLO, .n_lanes = 1, .text = (char *)"host"};

    strcpy(m.fingerprint, fingerprint);
    say(from, m, 0);
}

static unsigned count_said(uint32_t agent, enum message_kind kind)
{
    unsigned n = 0;

    for (unsigned i = 0; i < stage.n_said; i++)
        n += stage.said[i].agent == agent && stage.said[i].m.kind == kind;
    return n;
}

static struct message lease_said(uint32_t agent, unsigned nth)
{
    for (unsigned i = 0; i < stage.n_said; i++) {
        if (stage.said[i].agent == agent && stage.said[i].m.kind == MESSAGE_LEASE && nth-- == 0)
            return stage.said[i].m;
    }
    cr_assert_fail("no such lease");
    return (struct message){0};
}

static void answer(uint32_t agent, const struct message *lease, int64_t now)
{
    say(agent,
        (struct message){.kind = MESSAGE_RESULT,
                         .unit = lease->unit,
                         .lease = lease->lease,
                         .outcome = OUTCOME_SCORED,
                         .n_frames = 3},
        now);
}

Test(dispatch, an_agent_holds_one_lease_more_than_it_has_lanes)
{
    hello(0, "abc");
    cr_assert_eq(dispatch_step(stage.dispatch, 1), STATUS_OK);
    cr_assert_str_eq(stage.said[0].text, "/corpus");
    cr_assert_eq(count_said(0, MESSAGE_LEASE), 2);
    cr_assert_eq(count_said(1, MESSAGE_LEASE), 0, "an agent that has not said hello gets nothing");
}

Test(dispatch, in_the_tail_nobody_holds_a_unit_ahead)
{
    hello(0, "abc");
    hello(1, "abc");
    dispatch_step(stage.dispatch, 1);
    cr_assert_eq(count_said(0, MESSAGE_LEASE) + count_said(1, MESSAGE_LEASE), 3, "two wait for whoever is free first");
    cr_assert_eq(ledger_waiting(stage.ledger), 2);
}

Test(dispatch, leases_go_around_so_that_long_units_spread)
{
    hello(0, "abc");
    hello(1, "abc");
    dispatch_step(stage.dispatch, 1);
    cr_assert_eq(lease_said(0, 0).unit, 0);
    cr_assert_eq(lease_said(1, 0).unit, 1);
    cr_assert_eq(lease_said(0, 0).size_bytes, 10);
}

Test(dispatch, an_agent_with_another_detector_is_sent_away_and_the_rest_goes_on)
{
    hello(0, "abc");
    hello(1, "other");
    dispatch_step(stage.dispatch, 1);
    cr_assert_eq(count_said(1, MESSAGE_LEASE), 0);
    cr_assert_eq(count_said(1, MESSAGE_STOP), 1);
    cr_assert(strstr(dispatch_trouble(stage.dispatch), "another detector"));
}

Test(dispatch, all_results_end_the_run_and_everybody_leaves)
{
    struct dispatch_progress p;
    unsigned answered = 0;

    hello(0, "abc");
    for (int64_t now = 1; answered < N_UNITS; now++) {
        struct message lease;

        cr_assert_eq(dispatch_step(stage.dispatch, now), STATUS_OK);
        lease = lease_said(0, answered++);
        answer(0, &lease, now);
    }
    cr_assert_eq(dispatch_step(stage.dispatch, 10), STATUS_OK);
    cr_assert_eq(count_said(0, MESSAGE_STOP), 1);
    cr_assert_eq(count_said(1, MESSAGE_STOP), 1, "one that still loads is told as well");
    say(0, (struct message){.kind = MESSAGE_BYE}, 11);
    say(1, (struct message){.kind = MESSAGE_BYE}, 11);
    cr_assert_eq(dispatch_step(stage.dispatch, 12), STATUS_END);
    cr_assert(dispatch_all_left_orderly(stage.dispatch));
    dispatch_get_progress(stage.dispatch, &p);
    cr_assert_eq(p.outcomes[OUTCOME_SCORED], N_UNITS);
    cr_assert_eq(p.n_frames, 3 * N_UNITS);
}

Test(dispatch, a_silent_agents_leases_go_to_another_and_its_late_result_still_counts)
{
    struct message lost;
    struct dispatch_progress p;

    hello(0, "abc");
    dispatch_step(stage.dispatch, 1);
    lost = lease_said(0, 0);
    hello(1, "abc");
    say(1, (struct message){.kind = MESSAGE_HEARTBEAT}, SILENCE_US);
    dispatch_step(stage.dispatch, SILENCE_US);
    cr_assert_eq(ledger_leased_by(stage.ledger, 0), 0);
    cr_assert_eq(lease_said(1, 0).unit, lost.unit);
    answer(0, &lost, SILENCE_US + 1);
    dispatch_get_progress(stage.dispatch, &p);
    cr_assert_eq(p.n_lost_agents, 1);
    cr_assert_eq(p.outcomes[OUTCOME_SCORED], 1);
    answer(1, &lost, SILENCE_US + 2);
    cr_assert_eq(ledger_duplicates(stage.ledger), 1);
}

Test(dispatch, when_every_agent_is_gone_it_ends_with_units_left)
{
    hello(0, "abc");
    dispatch_step(stage.dispatch, 1);
    cr_assert_eq(dispatch_step(stage.dispatch, SILENCE_US + 1), STATUS_END);
    cr_assert_lt(ledger_done(stage.ledger), N_UNITS);
    cr_assert_not(dispatch_all_left_orderly(stage.dispatch));
}

Test(dispatch, a_failed_attempt_is_leased_again_as_the_last)
{
    struct message lease;

    hello(0, "abc");
    dispatch_step(stage.dispatch, 1);
    lease = lease_said(0, 0);
    cr_assert_not(lease.last_attempt);
    say(0,
        (struct message){.kind = MESSAGE_FAILED,
                         .unit = lease.unit,
                         .lease = lease.lease,
                         .outcome = OUTCOME_CRASHED,
                         .text = (char *)"signal 11"},
        2);
    dispatch_step(stage.dispatch, 3);
    lease = lease_said(0, 2);
    cr_assert_eq(lease.unit, 0);
    cr_assert_eq(lease.attempt, 2);
    cr_assert(lease.last_attempt);
}

Test(dispatch, a_drain_gives_nothing_more_and_cuts_off_after_the_grace)
{
    hello(0, "abc");
    dispatch_step(stage.dispatch, 1);
    dispatch_drain(stage.dispatch, 2);
    dispatch_drain(stage.dispatch, 3);
    dispatch_step(stage.dispatch, 4);
    cr_assert_eq(count_said(0, MESSAGE_STOP), 1);
    cr_assert_not(stage.said[stage.n_said - 2].m.drain);
    cr_assert_eq(count_said(0, MESSAGE_LEASE), 2);
    dispatch_step(stage.dispatch, 2 + GRACE_US);
    cr_assert_eq(count_said(0, MESSAGE_STOP), 2);
    cr_assert(stage.said[stage.n_said - 2].m.drain);
}

Test(dispatch, a_unit_that_takes_its_agents_with_it_is_recorded_as_given_up)
{
    hello(0, "abc");
    hello(1, "abc");
    dispatch_step(stage.dispatch, 1);
    say(0, (struct message){.kind = MESSAGE_STOP, .text = (char *)"zygote died"}, 2);
    say(0, (struct message){.kind = MESSAGE_BYE}, 2);
    for (unsigned i = 0; i < 2; i++) {
        struct message lease = lease_said(1, i);

        answer(1, &lease, 3);
        dispatch_step(stage.dispatch, 4);
    }
    cr_assert_str_eq(dispatch_trouble(stage.dispatch), "zygote died");
    say(1, (struct message){.kind = MESSAGE_STOP, .text = (char *)"zygote died too"}, 5);
    dispatch_step(stage.dispatch, 6);
    cr_assert_gt(stage.n_given_up, 0);
    cr_assert_eq(ledger_done(stage.ledger), 2 + stage.n_given_up);
}

Test(dispatch, a_given_up_unit_that_cannot_be_recorded_is_not_done)
{
    stage.given_up_fails = true;
    for (uint32_t agent = 0; agent < 2; agent++) {
        hello(agent, "abc");
        dispatch_step(stage.dispatch, 1);
        say(agent, (struct message){.kind = MESSAGE_STOP, .text = (char *)"gone"}, 2);
    }
    dispatch_step(stage.dispatch, 3);
    cr_assert_eq(ledger_done(stage.ledger), 0);
}

Test(dispatch, a_unit_that_was_given_up_and_cannot_be_recorded_does_not_keep_the_others_waiting)
{
    unsigned n = 0;

    stage.given_up_fails = true;
    hello(0, "abc");
    /* Units 0 and 1 twice each: the second time one after the other, for the agent holds its first leases still. */
    for (int64_t now = 1; now <= 3; now++) {
        dispatch_step(stage.dispatch, now);
        ledger_agent_lost(stage.ledger, 0);
    }
    for (int64_t now = 4; count_said(0, MESSAGE_STOP) == 0; now++) {
        cr_assert_lt(now, 20, "it waits for a unit that nobody has");
        for (; n < count_said(0, MESSAGE_LEASE); n++) {
            struct message lease = lease_said(0, n);

            if (lease.unit > 1)
                answer(0, &lease, now);
        }
        say(1, (struct message){.kind = MESSAGE_HEARTBEAT}, now);
        dispatch_step(stage.dispatch, now);
    }
    cr_assert_eq(ledger_done(stage.ledger), N_UNITS - 2);
    cr_assert_str_eq(dispatch_trouble(stage.dispatch), "disk full");
}

Test(dispatch, an_agent_that_left_hears_that_the_coordinator_lives)
{
    hello(0, "abc");
    say(1, (struct message){.kind = MESSAGE_BYE}, 1);
    say(0, (struct message){.kind = MESSAGE_HEARTBEAT}, DISPATCH_HEARTBEAT_US);
    dispatch_step(stage.dispatch, DISPATCH_HEARTBEAT_US);
    cr_assert_eq(count_said(1, MESSAGE_HEARTBEAT), 1);
    say(0, (struct message){.kind = MESSAGE_HEARTBEAT}, DISPATCH_HEARTBEAT_US + SILENCE_US);
    dispatch_step(stage.dispatch, DISPATCH_HEARTBEAT_US + SILENCE_US);
    say(0, (struct message){.kind = MESSAGE_BYE}, DISPATCH_HEARTBEAT_US + SILENCE_US);
    cr_assert(dispatch_all_left_orderly(stage.dispatch), "its silence is no loss");
}

Test(dispatch, an_agent_that_comes_back_after_the_cut_off_is_told_to_stop)
{
    hello(0, "abc");
    hello(1, "abc");
    dispatch_step(stage.dispatch, 1);
    say(0, (struct message){.kind = MESSAGE_HEARTBEAT}, SILENCE_US);
    dispatch_step(stage.dispatch, SILENCE_US);
    dispatch_drain(stage.dispatch, SILENCE_US);
    say(0, (struct message){.kind = MESSAGE_HEARTBEAT}, SILENCE_US + GRACE_US);
    dispatch_step(stage.dispatch, SILENCE_US + GRACE_US);
    cr_assert_eq(count_said(1, MESSAGE_STOP), 0);
    say(1, (struct message){.kind = MESSAGE_HEARTBEAT}, SILENCE_US + GRACE_US + 1);
    dispatch_step(stage.dispatch, SILENCE_US + GRACE_US + 1);
    cr_assert_eq(count_said(1, MESSAGE_STOP), 1);
}

Test(dispatch, agents_that_cannot_begin_do_not_use_up_the_patience_with_a_unit)
{
    for (unsigned i = 0; i < 8; i++) {
        struct lease lease;

        cr_assert_eq(ledger_lease(stage.ledger, 1, 1, &lease), STATUS_OK);
        cr_assert_eq(lease.unit, 0);
        cr_assert_eq(lease.attempt, 1);
        say(1, (struct message){.kind = MESSAGE_STOP, .text = (char *)"no corpus", .drain = true}, 2);
        cr_assert_eq(ledger_waiting(stage.ledger), N_UNITS);
        cr_assert(ledger_is_consistent(stage.ledger));
    }
    cr_assert_eq(dispatch_step(stage.dispatch, 3), STATUS_OK);
    cr_assert_eq(stage.n_given_up, 0);
}

Test(dispatch, an_agent_whose_lease_expired_gets_no_other_before_it_is_heard)
{
    enum { LEASE_US = 40000 }; /* leases are looked at every 10 ms */
    unsigned n_answered = 0;
    int64_t now = 1;

    tear_down();
    set_up_with(LEASE_US);
    hello(0, "abc");
    hello(1, "abc");
    /* Agent 0 dies with its two leases, and it is long until it counts as silent. */
    for (; now < SILENCE_US / 2; now += LEASE_US / 2) {
        dispatch_step(stage.dispatch, now);
        for (; n_answered < count_said(1, MESSAGE_LEASE); n_answered++) {
            struct message lease = lease_said(1, n_answered);

            if (lease.unit != 4)
                answer(1, &lease, now);
        }
        ledger_agent_left(stage.ledger, 1); /* keeps unit 4 in circulation */
    }
    cr_assert_eq(count_said(0, MESSAGE_LEASE), 2, "its units lose one lease each, and not all that they have");
    cr_assert_eq(stage.n_given_up, 0);
    cr_assert_eq(ledger_done(stage.ledger), N_UNITS - 1);
    say(0, (struct message){.kind = MESSAGE_HEARTBEAT}, now);
    dispatch_step(stage.dispatch, now);
    cr_assert_eq(count_said(0, MESSAGE_LEASE), 3, "it was only slow");
}
