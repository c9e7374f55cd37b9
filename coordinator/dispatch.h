/* dispatch: the coordinator's side of the conversation with the agents, over the ledger.
 *
 * In: messages from agents (HELLO, RESULT, FAILED, HEARTBEAT, STOP, BYE) and the time. Out: messages to them (WELCOME,
 * LEASE, HEARTBEAT, STOP). No MPI and no clock here; main gives both, so every failure is a unit test. */
#ifndef FAKESIFT_COORDINATOR_DISPATCH_H
#define FAKESIFT_COORDINATOR_DISPATCH_H

#include <stddef.h>
#include <stdint.h>

#include "coordinator/ledger.h"
#include "coordinator/units.h"
#include "shard/manifest.h"
#include "shard/wire.h"

struct dispatch;

struct dispatch_settings {
    const struct manifest *manifest;
    struct ledger *ledger;
    struct units *units;     /* what the ledger's units are, and their costs; NULL: unit i is entry i of the manifest */
    uint32_t n_agents;       /* one a rank */
    const char *fingerprint; /* an agent with another is sent away */
    int64_t silence_us;      /* an agent that says nothing for this long is lost; > 0 */
    int64_t grace_us;        /* how long a drain waits for what is in flight; >= 0 */
    /* Sends; not STATUS_OK: that agent is as good as lost. */
    enum status (*send)(void *context, uint32_t agent, const struct message *m);
    /* Records that a unit was given up (its leases ended again and again without an answer), durably. */
    enum status (*record_given_up)(void *context, uint32_t unit, struct error *e);
    void *context;
};

enum { DISPATCH_HEARTBEAT_US = 2000000, DISPATCH_AGAIN_US = 1000000 };

struct dispatch_progress {
    uint64_t outcomes[OUTCOME_COUNT]; /* of units decided while this dispatch ran */
    uint64_t n_frames;
    uint64_t n_videos; /* that were decided while this dispatch ran */
    uint64_t n_failed_attempts, n_lost_agents;
    uint32_t n_agents_working, n_lanes;
};

enum status dispatch_open(const struct dispatch_settings *settings, int64_t now_us, struct dispatch **ret_d,
                          struct error *e);
void dispatch_close(struct dispatch **d); /* NULL-safe; sets *d = NULL */

/* Clears m. */
void dispatch_take(struct dispatch *d, uint32_t from, struct message *m, int64_t now_us);

/* Gives no more leases; what is in flight may end within grace_us. Asked again, DISPATCH_AGAIN_US later or more: what is in
 * flight is dropped at once. (Launchers pass one signal on more than one way.) */
void dispatch_drain(struct dispatch *d, int64_t now_us);

/* Expires, leases, beats. STATUS_OK: goes on. STATUS_END: no agent is left, because all is done, because of a drain, or
 * because they are gone (the ledger and dispatch_trouble tell which). */
enum status dispatch_step(struct dispatch *d, int64_t now_us);

void dispatch_get_progress(const struct dispatch *d, struct dispatch_progress *ret_progress);
/* True when every rank said BYE: only then may MPI be finalised. */
bool dispatch_all_left_orderly(const struct dispatch *d);
/* The first thing that went wrong with an agent, "" when nothing did. */
const char *dispatch_trouble(const struct dispatch *d);

#endif
