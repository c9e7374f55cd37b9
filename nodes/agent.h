/* agent: the part of a rank that works. Takes leases from the coordinator, keeps its lanes busy with them, records every
 * finished unit before it reports it, and keeps the clock.
 *
 * In: messages from the coordinator (LEASE, STOP, HEARTBEAT, WELCOME) and events of its lanes. Out: results to a sink
 * (the journal, given by main), then messages (HELLO, RESULT, FAILED, HEARTBEAT, STOP, BYE). It neither waits nor spins:
 * the caller polls agent_poll_set's descriptors and calls agent_step.
 *
 * A RESULT leaves only after the sink's flush succeeded, so what the coordinator counts as done survives anything. */
#ifndef FAKESIFT_NODES_AGENT_H
#define FAKESIFT_NODES_AGENT_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "nodes/lane_pool.h"
#include "shard/hash.h"
#include "shard/result.h"
#include "shard/wire.h"

struct agent;

/* Where finished results go. Either call may fail; then nothing since the last flush counts as recorded. */
struct agent_sink {
    enum status (*append)(void *context, const struct result *r, struct error *e);
    enum status (*flush)(void *context, struct error *e);
    /* Before append: what was found beside r, its crops encoded; n is 0 where there was nothing or no lane answered. NULL: such
     * finds are dropped. */
    enum status (*keep)(void *context, const struct result *r, const struct finds *finds, struct error *e);
    void *context;
};

/* Sends a message to the coordinator. Not STATUS_OK: the coordinator cannot be reached. */
struct agent_mouth {
    enum status (*send)(void *context, const struct message *m);
    void *context;
};

struct agent_settings {
    struct lane_pool_settings lanes;
    uint32_t rank;
    const char *host_name;   /* copied */
    const char *fingerprint; /* of what decides scores, SHA-256 hex; outlives the agent */
    int64_t silence_us;      /* a coordinator that says nothing for this long is gone, also at the start; > 0 */
    unsigned
        flush_records; /* finished results that wait for a flush at the most, 1..AGENT_FLUSH_RECORDS; 0: the most */
    struct agent_sink sink;
    struct agent_mouth mouth;
};

enum { AGENT_FLUSH_RECORDS = 64, AGENT_FLUSH_US = 1000000, AGENT_HEARTBEAT_US = 2000000 };

/* Takes over *z on success. */
enum status agent_open(const struct agent_settings *settings, struct zygote **z, struct agent **ret_a, struct error *e);
/* Kills what runs. NULL-safe; sets *a = NULL. */
void agent_close(struct agent **a);

/* Takes what m holds (it is cleared). */
void agent_take(struct agent *a, struct message *m, int64_t now_us);

/* As lane_pool_poll_set. */
size_t agent_poll_set(const struct agent *a, struct pollfd *fds, size_t room);

/* Does what can be done now. STATUS_OK: goes on. STATUS_END: said BYE after a STOP. Anything else: the agent is broken
 * (said in e); it has told the coordinator if it could. */
enum status agent_step(struct agent *a, int64_t now_us, struct error *e);

bool agent_is_idle(const struct agent *a); /* no lease, nothing unrecorded */
unsigned agent_sandbox_layers(const struct agent *a);

#endif
