/* main_job: one rank's part of a run, from the first message to the last: the loop that feeds the agent, and on rank 0
 * the dispatch, with messages, lane events, signals and time. It waits on descriptors with a back-off that grows to
 * JOB_MAX_WAIT_MS, since MPI's messages have no descriptor: an idle rank wakes 20 times a second and does next to nothing.
 *
 * In: a channel, an agent's settings, on rank 0 a manifest with what is done already. Out: journal segments, and how it
 * ended. */
#ifndef FAKESIFT_COORDINATOR_MAIN_JOB_H
#define FAKESIFT_COORDINATOR_MAIN_JOB_H

#include "coordinator/dispatch.h"
#include "coordinator/main_progress.h"
#include "coordinator/main_save.h"
#include "coordinator/run_folder.h"
#include "coordinator/tally.h"
#include "nodes/agent.h"
#include "shard/channel.h"

enum { JOB_MAX_WAIT_MS = 50 };

struct job_settings {
    const char *journal_folder;
    const char *fingerprint;
    struct lane_pool_settings lanes;
    unsigned flush_records; /* as in nodes/agent.h */
    int64_t silence_us, grace_us;
    const struct save_settings *saves; /* beside results, lanes.takes_finds; NULL: nothing */
    /* Rank 0 only. */
    const struct run_folder *folder; /* NULL: nobody can take the run over */
    const struct manifest *manifest;
    struct ledger *ledger;
    struct units *units;
    size_t n_before;                 /* videos that earlier starts decided */
    const uint64_t *outcomes_before; /* OUTCOME_COUNT of them, of earlier starts */
    const char *progress_path;
};

struct job_end {
    bool orderly;                      /* every rank said goodbye: MPI may be finalised */
    bool drained;                      /* a signal ended it early, or another job took the run over */
    unsigned sandbox_layers;           /* that the lanes of every rank had (nodes/sandbox.h); 0: no lane was started */
    struct dispatch_progress progress; /* rank 0 */
    struct record_tally tally;         /* rank 0: what the ranks recorded */
    bool tally_is_whole;               /* rank 0: every rank's is in it */
    struct lane_use use;               /* rank 0 */
    struct error trouble;              /* the first; status STATUS_OK when there was none */
};

/* A descriptor that SIGTERM, SIGINT and SIGUSR1 arrive on from now on, or -1. After the zygote is forked. */
int job_catch_signals(void);

/* Joins the job (shard/channel.h); ends the process, resumable, when MPI_Init does not return within a few silences. */
enum status job_open_channel(unsigned silence_s, struct channel **ret_channel, struct error *e);

/* Rank 0: runs work in a thread (a scan or a report may take long) and lets the others know that it lives. False: a signal
 * came on signal_fd (-1: none does) and the work goes on; the process must end by job_leave. channel may be NULL. */
bool job_beat_during(struct channel *channel, int signal_fd, void (*work)(void *context), void *context);

/* Rank 0, before the run has begun: sends everybody home without waiting for long, and ends the process. */
__attribute__((noreturn)) void job_leave(struct channel *channel, int code);

/* Rank 0: dispatches and works until all is done, drained, or no agent is left. Other ranks: work until rank 0 lets
 * them go. Takes over *z. */
enum status job_run(const struct job_settings *settings, struct channel *channel, int signal_fd, struct zygote **z,
                    struct job_end *ret_end, struct error *e);

/* Rank 0, last of all, when the end is not orderly: the other ranks end as well. Where mpirun can be told to end them it
 * is, with the code as its own, and this does not return; else they are told, and a rank that hangs is left behind. */
void job_abandon(struct channel *channel, int code);

/* Rank 0, when it cannot begin: sends everybody home. True when all have left, so that MPI may be finalised. */
bool job_refuse(struct channel *channel, int64_t silence_us);

#endif
