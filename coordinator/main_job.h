/* main_job: one rank's part of a run, from the first message to the last: the loop that feeds the agent, and on rank 0
 * the dispatch, with messages, lane events, signals and time. It waits on descriptors with a back-off that grows to
 * JOB_MAX_WAIT_MS, since MPI's messages have no descriptor: an idle rank wakes 20 times a second and does next to nothing.
 *
 * In: a channel, an agent's settings, on rank 0 a manifest with what is done already. Out: journal segments, and how it
 * ended. */
#ifndef FAKESIFT_COORDINATOR_MAIN_JOB_H
#define FAKESIFT_COORDINATOR_MAIN_JOB_H

#include <stdatomic.h>

#include "coordinator/dispatch.h"
#include "nodes/agent.h"
#include "shard/channel.h"

enum { JOB_MAX_WAIT_MS = 50 };

struct job_settings {
    const char *journal_folder;
    const char *fingerprint;
    struct lane_pool_settings lanes;
    int64_t silence_us, grace_us;
    /* Rank 0 only. */
    const struct manifest *manifest;
    struct ledger *ledger;
    struct units *units;
    size_t n_before; /* videos that earlier starts decided */
};

struct job_end {
    bool orderly; /* every rank said goodbye: MPI may be finalised */
    bool drained; /* a signal ended it early */
    unsigned sandbox_layers;
    struct dispatch_progress progress; /* rank 0 */
    struct error trouble;              /* the first; status STATUS_OK when there was none */
};

/* A descriptor that SIGTERM, SIGINT and SIGUSR1 arrive on from now on, or -1. After the zygote is forked. */
int job_catch_signals(void);

/* Rank 0, while another thread prepares the run (a scan may take long): lets the others know that it lives, until done. */
void job_beat_until(struct channel *channel, const atomic_bool *done);

/* Rank 0: dispatches and works until all is done, drained, or no agent is left. Other ranks: work until rank 0 lets
 * them go. Takes over *z. */
enum status job_run(const struct job_settings *settings, struct channel *channel, int signal_fd, struct zygote **z,
                    struct job_end *ret_end, struct error *e);

/* Rank 0, last of all, when the end is not orderly: the other ranks end as well. */
void job_abandon(struct channel *channel);

/* Rank 0, when it cannot begin: sends everybody home. True when all have left, so that MPI may be finalised. */
bool job_refuse(struct channel *channel, int64_t silence_us);

#endif
