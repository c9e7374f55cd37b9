#include "coordinator/dispatch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/prefetch.h"
#include "shard/log.h"

/* A look at every lease, of which there may be tens of thousands. */
enum { EXPIRE_EVERY_US = 10000 };

enum agent_state {
    AGENT_LOADING, /* not heard of, or not ready */
    AGENT_WORKING,
    AGENT_STOPPING, /* was told to stop */
    AGENT_LEFT,     /* said BYE */
    AGENT_LOST,     /* fell silent */
};

struct peer {
    enum agent_state state;
    uint32_t n_lanes;
    int64_t heard_us;
    int64_t told_us;
    uint64_t n_expired; /* of its leases, when it was last heard */
};

struct dispatch {
    struct dispatch_settings settings;
    struct peer *peers;
    struct prefetch *prefetch;
    int64_t expired_us; /* when leases were last looked at */
    bool draining, cut_off;
    int64_t drain_us; /* the grace counts from here */
    int64_t asked_us; /* first */
    struct dispatch_progress progress;
    char trouble[ERROR_TEXT_BYTES];
};

enum status dispatch_open(const struct dispatch_settings *settings, int64_t now_us, struct dispatch **ret_d,
                          struct error *e)
{
    struct dispatch *d = calloc(1, sizeof(*d));

    if (!d)
        return error_no_memory(e);
    d->settings = *settings;
    d->peers = calloc(settings->n_agents, sizeof(*d->peers));
    if (!d->peers || prefetch_open(settings->n_agents, &d->prefetch) != STATUS_OK) {
        dispatch_close(&d);
        return error_no_memory(e);
    }
    d->expired_us = now_us;
    for (uint32_t i = 0; i < settings->n_agents; i++)
        d->peers[i].heard_us = now_us;
    *ret_d = d;
    return STATUS_OK;
}

void dispatch_close(struct dispatch **d)
{
    if (!*d)
        return;
    prefetch_close(&(*d)->prefetch);
    free((*d)->peers);
    free(*d);
    *d = NULL;
}

static void note_trouble(struct dispatch *d, uint32_t agent, const char *what)
{
    /* Alone it is the end of the run, which says it. */
    if (d->settings.n_agents > 1)
        log_error("rank %u: %s", agent, what);
    if (d->trouble[0] == '\0')
        snprintf(d->trouble, sizeof(d->trouble), "%s", what);
}

static bool is_here(const struct peer *p)
{
    return p->state == AGENT_LOADING || p->state == AGENT_WORKING || p->state == AGENT_STOPPING;
}

static void lose(struct dispatch *d, uint32_t agent, const char *why)
{
    size_t n = ledger_agent_lost(d->settings.ledger, agent);

    d->peers[agent].state = AGENT_LOST;
    prefetch_leave(d->prefetch, agent);
    d->progress.n_lost_agents++;
    note_trouble(d, agent, why);
    if (n > 0)
        log_warning("rank %u: %zu leases taken back", agent, n);
}

static void tell(struct dispatch *d, uint32_t agent, const struct message *m, int64_t now_us)
{
    d->peers[agent].told_us = now_us;
    if (d->settings.send(d->settings.context, agent, m) != STATUS_OK && is_here(&d->peers[agent]))
        lose(d, agent, "takes no messages any more");
}

static void stop(struct dispatch *d, uint32_t agent, bool at_once, int64_t now_us)
{
    const struct message m = {.kind = MESSAGE_STOP, .drain = at_once};

    d->peers[agent].state = AGENT_STOPPING;
    tell(d, agent, &m, now_us);
}

static void begin_work(struct dispatch *d, uint32_t agent)
{
    struct peer *p = &d->peers[agent];

    p->state = AGENT_WORKING;
    /* Without memory for what it holds it is given nothing, and the others do its share. */
    if (prefetch_join(d->prefetch, agent, p->n_lanes) != STATUS_OK)
        note_trouble(d, agent, "no memory for its leases");
}

static void welcome(struct dispatch *d, uint32_t agent, const struct message *hello, int64_t now_us)
{
    struct peer *p = &d->peers[agent];
    const struct message m = {
        .kind = MESSAGE_WELCOME,
        .text = (char *)(uintptr_t)manifest_root(d->settings.manifest),
    };

    if (p->state != AGENT_LOADING)
        return;
    if (strcmp(hello->fingerprint, d->settings.fingerprint) != 0) {
        char why[512];

        snprintf(why, sizeof(why),
                 "%.200s has another detector or another fakesift than rank 0: its scores could "
                 "differ, so it is not used",
                 hello->text);
        note_trouble(d, agent, why);
        stop(d, agent, true, now_us);
        return;
    }
    p->n_lanes = hello->n_lanes;
    begin_work(d, agent);
    tell(d, agent, &m, now_us);
}

static struct unit_place place_of(const struct dispatch *d, uint32_t unit)
{
    return d->settings.units ? units_place(d->settings.units, unit)
                             : (struct unit_place){.entry = unit, .n_segments = 1};
}

static bool is_unit(const struct dispatch *d, uint64_t unit)
{
    return unit < (d->settings.units ? units_count(d->settings.units) : manifest_count(d->settings.manifest));
}

/* What is not done yet of a cut video's segments is of no use any more. */
static void drop_segments(struct dispatch *d, uint32_t entry)
{
    uint32_t n;
    size_t first = units_first_segment(d->settings.units, entry, &n);

    for (uint32_t i = 0; i < n; i++)
        ledger_drop(d->settings.ledger, (uint32_t)first + i);
}

/* A unit has a record for the first time: what that means for its video. */
static void take_decided(struct dispatch *d, uint32_t unit, enum outcome outcome, enum segment_state state)
{
    uint32_t entry = place_of(d, unit).entry;
    enum unit_verdict verdict = d->settings.units ? units_take_result(d->settings.units, unit, state) : UNIT_DECIDED;

    if (verdict == UNIT_GOES_ON)
        return;
    if (entry != unit)
        drop_segments(d, entry);
    if (verdict == UNIT_WHOLE) {
        log_info("%s: damaged; worked on whole, not in parts", manifest_entry(d->settings.manifest, entry)->path);
        ledger_release(d->settings.ledger, entry);
        return;
    }
    if (entry != unit)
        ledger_drop(d->settings.ledger, entry);
    d->progress.n_videos++;
    d->progress.outcomes[outcome]++;
}

static void take_result(struct dispatch *d, uint32_t from, const struct message *m, int64_t now_us)
{
    uint32_t unit = (uint32_t)m->unit;

    prefetch_ended(d->prefetch, from, m->lease, now_us);
    if (!is_unit(d, m->unit) || !ledger_result(d->settings.ledger, m->lease, unit))
        return;
    d->progress.n_frames += m->n_frames;
    if (d->settings.units && log_current_level() >= LOG_LEVEL_DEBUG)
        log_debug("cost: unit %u: predicted %.6f s, corrected %.6f s, took %.6f s: %s", unit,
                  units_prediction(d->settings.units, unit), units_cost(d->settings.units, unit),
                  (double)m->wall_us / 1e6, manifest_entry(d->settings.manifest, place_of(d, unit).entry)->path);
    take_decided(d, unit, m->outcome, (enum segment_state)m->segment_state);
    /* How long a video took that was not read to its end says nothing of the others. */
    if (d->settings.units && (outcome_has_score(m->outcome) || m->outcome == OUTCOME_NO_FACE) &&
        units_learn(d->settings.units, unit, (double)m->wall_us / 1e6))
        units_reorder(d->settings.units, d->settings.ledger);
}

void dispatch_take(struct dispatch *d, uint32_t from, struct message *m, int64_t now_us)
{
    struct peer *p;

    if (from >= d->settings.n_agents) {
        message_clear(m);
        return;
    }
    p = &d->peers[from];
    p->heard_us = now_us;
    p->n_expired = ledger_expired_by(d->settings.ledger, from);
    /* It was only slow. Its leases are gone, its results still count. */
    if (p->state == AGENT_LOST && m->kind != MESSAGE_BYE && m->kind != MESSAGE_STOP) {
        log_warning("rank %u is back", from);
        p->state = AGENT_LOADING;
        if (p->n_lanes > 0)
            begin_work(d, from);
    }
    switch (m->kind) {
    case MESSAGE_HELLO:
        welcome(d, from, m, now_us);
        break;
    case MESSAGE_RESULT:
        take_result(d, from, m, now_us);
        break;
    case MESSAGE_FAILED:
        prefetch_ended(d->prefetch, from, m->lease, now_us);
        if (is_unit(d, m->unit)) {
            d->progress.n_failed_attempts++;
            log_warning("rank %u: %s: attempt failed: %s: %s", from,
                        manifest_entry(d->settings.manifest, place_of(d, (uint32_t)m->unit).entry)->path,
                        outcome_name(m->outcome), m->text);
            ledger_failed(d->settings.ledger, m->lease, (uint32_t)m->unit);
        }
        break;
    case MESSAGE_STOP:
        note_trouble(d, from, m->text);
        /* Nodes that cannot work at all must not use up the patience with the units that they were leased. */
        if (m->drain)
            ledger_agent_left(d->settings.ledger, from);
        else
            ledger_agent_lost(d->settings.ledger, from);
        p->state = AGENT_STOPPING;
        prefetch_leave(d->prefetch, from);
        break;
    case MESSAGE_BYE:
        ledger_agent_lost(d->settings.ledger, from);
        p->state = AGENT_LEFT;
        prefetch_leave(d->prefetch, from);
        break;
    default:
        break;
    }
    message_clear(m);
}

void dispatch_drain(struct dispatch *d, int64_t now_us)
{
    if (d->draining && now_us - d->asked_us >= DISPATCH_AGAIN_US)
        d->drain_us = now_us - d->settings.grace_us;
    if (d->draining)
        return;
    d->asked_us = now_us;
    d->draining = true;
    d->drain_us = now_us;
    for (uint32_t i = 0; i < d->settings.n_agents; i++) {
        if (is_here(&d->peers[i]))
            stop(d, i, false, now_us);
    }
}

/* After the grace what is still in flight is dropped; it was not recorded, so it will be done again. */
static void cut_off(struct dispatch *d, int64_t now_us)
{
    d->cut_off = true;
    for (uint32_t i = 0; i < d->settings.n_agents; i++) {
        if (is_here(&d->peers[i]))
            stop(d, i, true, now_us);
    }
}

static enum status lease_one(struct dispatch *d, uint32_t agent, int64_t now_us)
{
    struct lease lease;
    struct message m;
    const struct manifest_entry *entry;
    struct unit_place place;
    enum status s = ledger_lease(d->settings.ledger, agent, now_us, &lease);

    if (s != STATUS_OK)
        return s;
    place = place_of(d, lease.unit);
    entry = manifest_entry(d->settings.manifest, place.entry);
    m = (struct message){
        .kind = MESSAGE_LEASE,
        .text = (char *)(uintptr_t)entry->path,
        .unit = lease.unit,
        .lease = lease.number,
        .attempt = lease.attempt,
        .last_attempt = lease.last_attempt,
        .size_bytes = entry->size_bytes,
        .mtime_ns = entry->mtime_ns,
        .archive_bytes = entry->archive_bytes,
        .offset_bytes = entry->offset_bytes,
        .content = entry->content[0] != '\0' ? (char *)(uintptr_t)entry->content : NULL,
        .segment = place.segment,
        .n_segments = place.n_segments,
    };
    prefetch_leased(d->prefetch, agent, lease.number,
                    d->settings.units ? units_cost(d->settings.units, lease.unit) : PREFETCH_LEAD_US / 1e6, now_us);
    tell(d, agent, &m, now_us);
    return STATUS_OK;
}

/* One whose lease expired gets no other before it is heard: were it dead, it would take the same unit until that is given
 * up. An expired lease, or one of a dropped segment, is not in the ledger any more, though its agent may still be at it. */
static bool wants_lease(const struct dispatch *d, uint32_t agent, int64_t now_us)
{
    return d->peers[agent].state == AGENT_WORKING &&
           ledger_expired_by(d->settings.ledger, agent) == d->peers[agent].n_expired &&
           (ledger_leased_by(d->settings.ledger, agent) < d->peers[agent].n_lanes ||
            prefetch_wants(d->prefetch, agent, ledger_waiting(d->settings.ledger), now_us));
}

/* Gives one lease to each in turn, so that the longest units spread over the agents. */
static void lease_out(struct dispatch *d, int64_t now_us)
{
    bool gave = true;

    while (gave) {
        gave = false;
        for (uint32_t i = 0; i < d->settings.n_agents; i++) {
            if (!wants_lease(d, i, now_us))
                continue;
            if (lease_one(d, i, now_us) != STATUS_OK)
                return;
            gave = true;
        }
    }
}

static void record_given_up(struct dispatch *d)
{
    uint32_t unit;

    while (ledger_next_given_up(d->settings.ledger, &unit) == STATUS_OK) {
        struct error e;

        if (d->settings.record_given_up(d->settings.context, unit, &e) != STATUS_OK) {
            /* Not durable, so not done: the run ends incomplete and can be resumed. */
            note_trouble(d, 0, e.text);
            continue;
        }
        if (ledger_result(d->settings.ledger, 0, unit))
            take_decided(d, unit, OUTCOME_CRASHED, SEGMENT_FAILED);
    }
}

static void look_after_peers(struct dispatch *d, int64_t now_us)
{
    static const struct message beat = {.kind = MESSAGE_HEARTBEAT};

    for (uint32_t i = 0; i < d->settings.n_agents; i++) {
        struct peer *p = &d->peers[i];

        /* One that has left waits, without a lease, for the end of the others. */
        if (!is_here(p) && p->state != AGENT_LEFT)
            continue;
        if (is_here(p) && now_us - p->heard_us >= d->settings.silence_us)
            lose(d, i, "fell silent");
        else if (now_us - p->told_us >= DISPATCH_HEARTBEAT_US)
            tell(d, i, &beat, now_us);
    }
}

/* Why every unit is decided exactly once and none is lost, through any death.
 *
 * Words. A record is a unit's result in a journal segment that was synced. A unit is decided when a record of it exists; its
 * result is the one that the reduction takes from its records (coordinator/reduce.h). A life is one process of rank 0.
 *
 * Invariants, after each call of this module:
 *   I1  DONE in the ledger implies a record. ledger_result is called for a RESULT, which an agent says only after its sink's
 *       flush returned (nodes/agent.h), and after record_given_up, which syncs before it returns; ledger_mark_done for what
 *       was read from the journals. Nothing else makes a unit DONE, and nothing makes it anything else again.
 *   I2  A unit that is not DONE waits, has one live lease, or was given up and is about to be recorded here. Each is in one
 *       list and in no other (ledger_is_consistent, held against a model in tests/coordinator/test_ledger_model.c).
 *   I3  A live lease belongs to an agent that is here, and has a deadline.
 *
 * None is lost. By I2 a unit leaves circulation only as DONE, which by I1 has a record, and records are never altered:
 * segments are created anew, appended to by one process, and only read after it. A lease ends by RESULT (DONE), FAILED, the
 * loss of its agent or its deadline (it waits again), or the last of max_losses such ends (given up: recorded as an outcome,
 * or, if the disk refuses, left undecided for the next life). Messages may be lost, late or doubled: a LEASE or RESULT that
 * never arrives is a lease that expires; a late or second RESULT is a true statement about a record, and DONE is idempotent;
 * a FAILED for a lease that is not live any more is ignored. If this life ends, the next one knows exactly the records.
 *
 * Exactly once. The ledger counts a unit at its first RESULT of this life. Several records of a unit can exist (an agent
 * that was slow and not dead; one that died between its sync and its word), and the reduction makes one result of them for
 * each entry of the manifest, whatever their number, order and segment; a score is a function of the file and the
 * fingerprint alone, so it does not matter whose it is. Records of another fingerprint are refused, those of a file that
 * has changed since do not count, and what was damaged is no record, so its unit is done again.
 *
 * It ends. While an agent is here and a unit waits, wants_lease is true of some agent or each holds leases, which end by
 * their deadlines; each end is a decision or one of finitely many attempts and losses of a unit. One agent cannot use up a
 * unit's losses alone: silent, it gets no lease after one that expired.
 *
 * Work done twice is bounded: what the dead had leased (lanes + 1 for each, what they recorded without a flush included).
 *
 * Assumed: a sync that succeeded survives (else a record is missing, and its unit is done again); CRC32C tells a damaged
 * record; rank 0's time does not run slower than it says (a clock that is set back only delays deadlines); a score is
 * deterministic (tests/process/same_bytes.sh); one life works on a run folder at a time (coordinator/run_lock.h), which
 * saves work and is not needed for any of the above, since two lives write separate segments and both count them by these
 * rules. */
enum status dispatch_step(struct dispatch *d, int64_t now_us)
{
    bool over, anybody = false;
    size_t n_expired;

    look_after_peers(d, now_us);
    if (now_us - d->expired_us >= EXPIRE_EVERY_US) {
        n_expired = ledger_expire(d->settings.ledger, now_us);
        d->expired_us = now_us;
        if (n_expired > 0)
            log_warning("%zu leases expired; their videos are leased again", n_expired);
    }
    record_given_up(d);
    /* A unit that was given up and could not be recorded is not done, and nobody works on it either. */
    over = ledger_waiting(d->settings.ledger) == 0 && ledger_leased(d->settings.ledger) == 0;
    if (!d->draining && !over)
        lease_out(d, now_us);
    if (d->draining && !d->cut_off && now_us - d->drain_us >= d->settings.grace_us)
        cut_off(d, now_us);
    for (uint32_t i = 0; i < d->settings.n_agents; i++) {
        struct peer *p = &d->peers[i];

        /* In a drain these are agents that were taken for lost and came back. */
        if ((over || d->draining) && (p->state == AGENT_WORKING || p->state == AGENT_LOADING))
            stop(d, i, over || d->cut_off, now_us);
        anybody = anybody || is_here(p);
    }
    return anybody ? STATUS_OK : STATUS_END;
}

void dispatch_get_progress(const struct dispatch *d, struct dispatch_progress *ret_progress)
{
    *ret_progress = d->progress;
    for (uint32_t i = 0; i < d->settings.n_agents; i++) {
        if (d->peers[i].state == AGENT_WORKING) {
            ret_progress->n_agents_working++;
            ret_progress->n_lanes += d->peers[i].n_lanes;
        }
    }
}

bool dispatch_all_left_orderly(const struct dispatch *d)
{
    for (uint32_t i = 0; i < d->settings.n_agents; i++) {
        if (d->peers[i].state != AGENT_LEFT)
            return false;
    }
    return true;
}

const char *dispatch_trouble(const struct dispatch *d)
{
    return d->trouble;
}
