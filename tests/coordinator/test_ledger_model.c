/* The ledger beside a model of it that is too plain to be wrong: an array of units, searched from end to end for each
 * question. Random histories of everything that may happen to a run; after each event both must say the same, and each
 * history ends with every unit decided exactly once. FAKESIFT_LEDGER_SEED=N repeats the history that a failure names,
 * FAKESIFT_LEDGER_HISTORIES=N makes more of them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/ledger.h"

enum { MAX_UNITS = 24, N_AGENTS = 4, LEASE_US = 100, MAX_LETTERS = 64, N_EVENTS = 150, N_HISTORIES = 10000 };

struct model_unit {
    enum { WAITS, IS_LEASED, IS_GIVEN_UP, IS_DONE } state;
    float cost;
    unsigned n_failures, n_losses;
    bool told_given_up; /* the ledger has named it to its caller */
    /* IS_LEASED: */
    uint64_t number;
    uint32_t agent;
    int64_t left_us;
    unsigned n_decided; /* times that it was counted since the coordinator started */
};

/* An answer that an agent could give, as long as it stands here; it may be given late, twice or never. */
struct letter {
    uint64_t number;
    uint32_t unit;
    bool last_attempt;
};

struct world {
    unsigned seed, n_events;
    uint64_t random;
    struct ledger *l;
    struct ledger_settings settings;
    int64_t now_us, highest_us; /* highest: as far as this coordinator's clock ever was */
    uint64_t n_duplicates, n_expired_by[N_AGENTS];
    struct model_unit units[MAX_UNITS];
    unsigned n_records[MAX_UNITS]; /* on disk: what survives anything */
    struct letter letters[MAX_LETTERS];
    unsigned n_letters;
};

#define CHECK(condition, ...)                                                                                          \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail(w, #condition, __VA_ARGS__);                                                                          \
    } while (0)

static void fail(const struct world *w, const char *condition, const char *what, unsigned number)
{
    cr_assert_fail("FAKESIFT_LEDGER_SEED=%u, event %u: %s %u: not so: %s", w->seed, w->n_events, what, number,
                   condition);
}

static unsigned below(struct world *w, unsigned n)
{
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((w->random >> 33) % n);
}

static unsigned n_units(const struct world *w)
{
    return (unsigned)w->settings.n_units;
}

static size_t count(const struct world *w, int state)
{
    size_t n = 0;

    for (unsigned u = 0; u < n_units(w); u++)
        n += (int)w->units[u].state == state;
    return n;
}

/* What the ledger should lease next: SIZE_MAX is nothing. */
static size_t costliest(const struct world *w)
{
    size_t best = SIZE_MAX;

    for (unsigned u = 0; u < n_units(w); u++) {
        if (w->units[u].state == WAITS && (best == SIZE_MAX || w->units[u].cost > w->units[best].cost))
            best = u;
    }
    return best;
}

static void compare(struct world *w)
{
    CHECK(ledger_waiting(w->l) == count(w, WAITS), "units", n_units(w));
    CHECK(ledger_leased(w->l) == count(w, IS_LEASED), "units", n_units(w));
    CHECK(ledger_done(w->l) == count(w, IS_DONE), "units", n_units(w));
    CHECK(ledger_duplicates(w->l) == w->n_duplicates, "units", n_units(w));
    for (uint32_t agent = 0; agent < N_AGENTS; agent++) {
        size_t n = 0;

        for (unsigned u = 0; u < n_units(w); u++)
            n += w->units[u].state == IS_LEASED && w->units[u].agent == agent;
        CHECK(ledger_leased_by(w->l, agent) == n, "agent", agent);
        CHECK(ledger_expired_by(w->l, agent) == w->n_expired_by[agent], "agent", agent);
    }
    CHECK(ledger_is_consistent(w->l), "units", n_units(w));
}

static void unit_lost(struct world *w, struct model_unit *u)
{
    u->n_losses++;
    u->state = u->n_losses >= w->settings.max_losses ? IS_GIVEN_UP : WAITS;
    u->told_given_up = false;
}

static void lease(struct world *w, uint32_t agent)
{
    size_t want = costliest(w);
    struct lease lease;
    enum status s = ledger_lease(w->l, agent, w->now_us, &lease);
    struct model_unit *u;

    if (want == SIZE_MAX) {
        CHECK(s == (count(w, IS_DONE) == n_units(w) ? STATUS_END : STATUS_AGAIN), "agent", agent);
        return;
    }
    CHECK(s == STATUS_OK, "agent", agent);
    CHECK(lease.unit == want, "unit", (unsigned)want);
    CHECK(lease.agent == agent, "unit", lease.unit);
    CHECK(w->n_records[lease.unit] == 0 || w->units[want].n_decided == 0, "a decided unit was leased:", lease.unit);
    u = &w->units[want];
    CHECK(lease.attempt == u->n_failures + 1, "unit", lease.unit);
    CHECK(lease.last_attempt == (lease.attempt == w->settings.attempts), "unit", lease.unit);
    for (unsigned i = 0; i < n_units(w); i++)
        CHECK(w->units[i].number != lease.number, "a number was used twice, unit", i);
    *u = (struct model_unit){.state = IS_LEASED,
                             .cost = u->cost,
                             .n_failures = u->n_failures,
                             .n_losses = u->n_losses,
                             .number = lease.number,
                             .agent = agent,
                             .left_us = LEASE_US};
    if (w->n_letters < MAX_LETTERS)
        w->letters[w->n_letters++] = (struct letter){lease.number, lease.unit, lease.last_attempt};
}

/* The message; the record is there already. */
static void result(struct world *w, uint64_t number, uint32_t unit)
{
    bool first = ledger_result(w->l, number, unit);
    struct model_unit *u;

    if (unit >= n_units(w)) {
        CHECK(!first, "a unit that is none:", unit);
        return;
    }
    u = &w->units[unit];
    CHECK(first == (u->state != IS_DONE), "unit", unit);
    if (first)
        u->n_decided++;
    else
        w->n_duplicates++;
    u->state = IS_DONE;
}

static void failed(struct world *w, uint64_t number, uint32_t unit)
{
    ledger_failed(w->l, number, unit);
    if (unit < n_units(w) && w->units[unit].state == IS_LEASED && w->units[unit].number == number) {
        struct model_unit *u = &w->units[unit];

        u->state = WAITS;
        if (u->n_failures + 1 < w->settings.attempts)
            u->n_failures++;
    }
}

static void agent_gone(struct world *w, uint32_t agent, bool by_its_word)
{
    size_t n = 0, got = by_its_word ? ledger_agent_left(w->l, agent) : ledger_agent_lost(w->l, agent);

    for (unsigned i = 0; i < n_units(w); i++) {
        struct model_unit *u = &w->units[i];

        if (u->state != IS_LEASED || u->agent != agent)
            continue;
        n++;
        if (by_its_word)
            u->state = WAITS;
        else
            unit_lost(w, u);
    }
    CHECK(got == n, "agent", agent);
}

/* Any new time, also an earlier one. Only time that never was before counts. */
static void clock_to(struct world *w, int64_t now_us)
{
    int64_t passed = now_us > w->highest_us ? now_us - w->highest_us : 0;
    size_t n = 0;

    w->now_us = now_us;
    w->highest_us += passed;
    for (unsigned i = 0; i < n_units(w); i++) {
        struct model_unit *u = &w->units[i];

        if (u->state != IS_LEASED)
            continue;
        u->left_us -= passed;
        if (u->left_us <= 0) {
            w->n_expired_by[u->agent]++;
            unit_lost(w, u);
            n++;
        }
    }
    CHECK(ledger_expire(w->l, now_us) == n, "leases should expire:", (unsigned)n);
}

/* recorded: whether the disk took the outcome. */
static void give_up(struct world *w, bool recorded)
{
    uint32_t unit;

    while (ledger_next_given_up(w->l, &unit) == STATUS_OK) {
        CHECK(unit < n_units(w) && w->units[unit].state == IS_GIVEN_UP, "unit", unit);
        CHECK(!w->units[unit].told_given_up, "unit", unit);
        w->units[unit].told_given_up = true;
        if (!recorded)
            continue;
        w->n_records[unit]++;
        result(w, 0, unit);
    }
    for (unsigned u = 0; u < n_units(w); u++)
        CHECK(w->units[u].state != IS_GIVEN_UP || w->units[u].told_given_up, "not named as given up: unit", u);
}

/* A coordinator that knows what is on disk and nothing else. Agents of the one before may still speak. */
static void start(struct world *w)
{
    ledger_close(&w->l);
    cr_assert_eq(ledger_open(&w->settings, &w->l), STATUS_OK);
    w->now_us = w->highest_us = (int64_t)below(w, 1000) - 500;
    w->n_duplicates = 0;
    memset(w->n_expired_by, 0, sizeof(w->n_expired_by));
    for (unsigned u = 0; u < n_units(w); u++) {
        w->units[u] = (struct model_unit){.state = WAITS, .cost = (float)below(w, 5)};
        ledger_set_cost(w->l, u, w->units[u].cost);
        if (w->n_records[u] == 0)
            continue;
        ledger_mark_done(w->l, u);
        w->units[u].state = IS_DONE;
        w->units[u].n_decided = 1;
    }
    /* Its first word to the ledger tells the time. */
    clock_to(w, w->now_us);
}

static void drop_letter(struct world *w, unsigned i)
{
    w->letters[i] = w->letters[--w->n_letters];
}

static void answer(struct world *w)
{
    unsigned i;
    struct letter letter;

    if (w->n_letters == 0)
        return;
    i = below(w, w->n_letters);
    letter = w->letters[i];
    switch (below(w, 8)) {
    case 0: /* the attempt failed */
        if (!letter.last_attempt) {
            failed(w, letter.number, letter.unit);
            drop_letter(w, i);
        }
        break;
    case 1: /* recorded, but the agent died before it could say so */
        w->n_records[letter.unit]++;
        drop_letter(w, i);
        break;
    case 2: /* the agent died, or its work was thrown away */
        drop_letter(w, i);
        break;
    case 3: /* said now, and once more later */
        w->n_records[letter.unit]++;
        result(w, letter.number, letter.unit);
        break;
    default:
        w->n_records[letter.unit]++;
        result(w, letter.number, letter.unit);
        drop_letter(w, i);
        break;
    }
}

static void one_event(struct world *w)
{
    switch (below(w, 20)) {
    case 0:
        agent_gone(w, below(w, N_AGENTS), false);
        break;
    case 1:
        agent_gone(w, below(w, N_AGENTS), true);
        break;
    case 2:
        clock_to(w, w->now_us + below(w, 60));
        break;
    case 3: /* a machine that slept, a clock that was set */
        clock_to(w, below(w, 4) == 0 ? w->now_us + 5 * LEASE_US : w->now_us - below(w, 3 * LEASE_US));
        break;
    case 4:
        give_up(w, below(w, 4) > 0);
        break;
    case 5:
        if (below(w, 8) == 0)
            start(w);
        break;
    case 6: /* messages that nothing here has sent */
        failed(w, below(w, 200), below(w, MAX_UNITS + 2));
        if (below(w, 2) == 0)
            result(w, below(w, 200), n_units(w) + below(w, 3));
        break;
    case 7:
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
        answer(w);
        break;
    default:
        lease(w, below(w, N_AGENTS));
        break;
    }
}

/* From here on no more goes wrong. */
static void finish(struct world *w)
{
    give_up(w, true);
    for (unsigned u = 0; u < n_units(w); u++) {
        /* Given up while the disk was full: the run ends without it, and the next start takes it up. */
        if (w->units[u].state == IS_GIVEN_UP) {
            start(w);
            break;
        }
    }
    clock_to(w, w->highest_us + LEASE_US);
    give_up(w, true);
    for (unsigned rounds = 0; count(w, IS_DONE) < n_units(w); rounds++) {
        CHECK(rounds < MAX_UNITS, "it does not end: rounds", rounds);
        w->n_letters = 0;
        lease(w, rounds % N_AGENTS);
        if (w->n_letters > 0) {
            w->n_records[w->letters[0].unit]++;
            result(w, w->letters[0].number, w->letters[0].unit);
        }
    }
    w->n_letters = 0;
    lease(w, 0); /* which checks that it says STATUS_END */
    compare(w);
    for (unsigned u = 0; u < n_units(w); u++) {
        CHECK(w->n_records[u] >= 1, "lost: unit", u);
        CHECK(w->units[u].n_decided == 1, "not counted once: unit", u);
    }
}

static void live_through(unsigned seed)
{
    struct world *w = calloc(1, sizeof(*w));

    cr_assert(w);
    w->seed = seed;
    w->random = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    w->settings = (struct ledger_settings){
        .n_units = below(w, MAX_UNITS + 1),
        .n_agents = N_AGENTS,
        .attempts = 1 + below(w, 3),
        .max_losses = 1 + below(w, 4),
        .lease_us = LEASE_US,
    };
    start(w);
    for (w->n_events = 0; w->n_events < N_EVENTS; w->n_events++) {
        one_event(w);
        compare(w);
    }
    finish(w);
    ledger_close(&w->l);
    free(w);
}

Test(ledger_model, random_histories_agree_and_end_with_every_unit_decided_once)
{
    const char *seed = getenv("FAKESIFT_LEDGER_SEED"), *more = getenv("FAKESIFT_LEDGER_HISTORIES");
    unsigned long n = more ? strtoul(more, NULL, 10) : N_HISTORIES;

    if (seed) {
        live_through((unsigned)strtoul(seed, NULL, 10));
        return;
    }
    for (unsigned i = 0; i < n; i++)
        live_through(i);
}
