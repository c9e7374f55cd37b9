/* ledger: who works on what. A pure state machine: no MPI, no clock (the caller gives the time), no file.
 *
 *                 lease                 result
 *     WAITING ------------> LEASED ---------------> DONE        DONE is final: nothing leaves it.
 *        ^                    |
 *        +--------------------+   failed attempt that may be repeated; lease expired; agent lost
 *
 * In: the units that are not done yet, with their cost; then what agents report. Out: the next lease.
 * Invariants: a unit is in exactly one state; it has a live lease if and only if it is LEASED; n_waiting + n_leased +
 * n_done = n_units, beside the few that were given up and have no record yet. Lease numbers are never used twice. A clock
 * that is set back makes no lease longer or older; one that jumps ahead ends leases, which costs work and nothing else.
 * Memory: 16 bytes a unit, plus the live leases. */
#ifndef FAKESIFT_COORDINATOR_LEDGER_H
#define FAKESIFT_COORDINATOR_LEDGER_H

#include <stddef.h>
#include <stdint.h>

#include "shard/outcome.h"
#include "shard/status.h"

struct ledger;

struct ledger_settings {
    size_t n_units;      /* 0..UINT32_MAX - 1 */
    uint32_t n_agents;   /* agents are numbered from 0 */
    unsigned attempts;   /* tries of a unit before a failure is its outcome, 1..100 */
    unsigned max_losses; /* leases of a unit that may end with their agent or expire before it is given up, 1..100 */
    int64_t lease_us;    /* a lease older than this is leased again */
};

struct lease {
    uint64_t number;
    uint32_t unit;
    uint32_t agent;
    uint32_t attempt;  /* 1-based */
    bool last_attempt; /* a failure of this attempt is the unit's outcome */
};

enum status ledger_open(const struct ledger_settings *settings, struct ledger **ret_l);
void ledger_close(struct ledger **l); /* NULL-safe; sets *l = NULL */

/* Before the first lease: the cost decides the order (largest first, then by unit). Any unit of cost; default 0. */
void ledger_set_cost(struct ledger *l, uint32_t unit, float cost);
/* At any time: new costs for all units. O(n_units). */
void ledger_recost(struct ledger *l, float (*cost_of)(const void *context, uint32_t unit), const void *context);
float ledger_cost(const struct ledger *l, uint32_t unit);
/* Before the first lease: a record of it exists already. */
void ledger_mark_done(struct ledger *l, uint32_t unit);

/* It needs no record any more: done, whatever it was. */
void ledger_drop(struct ledger *l, uint32_t unit);

/* Before the first lease: nobody gets it before it is released (a video whose segments are worked on in its place). It
 * does not count as waiting. ledger_result may also decide it. */
void ledger_hold(struct ledger *l, uint32_t unit);
/* A held unit waits like the others from now on; anything else is left alone. */
void ledger_release(struct ledger *l, uint32_t unit);

/* agent < n_agents. STATUS_AGAIN: nothing waits now. STATUS_END: every unit is done. */
enum status ledger_lease(struct ledger *l, uint32_t agent, int64_t now_us, struct lease *ret_lease);

/* The unit's record is durable. True when this decided it; false for a duplicate (the unit was done already). The
 * lease may be expired, lost or unknown: a durable record is a durable record. */
bool ledger_result(struct ledger *l, uint64_t lease_number, uint32_t unit);

/* The attempt failed, nothing was recorded: the unit waits again. A lease that is not live is ignored. */
void ledger_failed(struct ledger *l, uint64_t lease_number, uint32_t unit);

/* Takes back every lease of an agent that is gone. Returns how many. */
size_t ledger_agent_lost(struct ledger *l, uint32_t agent);
/* The same for an agent that leaves by its own word, without having begun any: it costs the units nothing. */
size_t ledger_agent_left(struct ledger *l, uint32_t agent);
/* Takes back the leases that are older than lease_us. Returns how many. */
size_t ledger_expire(struct ledger *l, int64_t now_us);

/* The next unit whose leases ended max_losses times without an answer; the caller records an outcome for it and calls
 * ledger_result(l, 0, unit). STATUS_END: none. Such a unit is not leased any more. */
enum status ledger_next_given_up(struct ledger *l, uint32_t *ret_unit);

size_t ledger_waiting(const struct ledger *l); /* without those that are held */
size_t ledger_leased(const struct ledger *l);
size_t ledger_leased_by(const struct ledger *l, uint32_t agent);
/* Leases of this agent that expired so far. */
uint64_t ledger_expired_by(const struct ledger *l, uint32_t agent);
size_t ledger_done(const struct ledger *l);
uint64_t ledger_duplicates(const struct ledger *l);

/* For tests: true when the invariants above hold. O(n_units). */
bool ledger_is_consistent(const struct ledger *l);

#endif
