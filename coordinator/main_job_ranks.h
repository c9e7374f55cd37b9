/* main_job_ranks: what a job's ranks say to each other outside of the work itself: that they live, and that they may leave. */
#ifndef FAKESIFT_COORDINATOR_MAIN_JOB_RANKS_H
#define FAKESIFT_COORDINATOR_MAIN_JOB_RANKS_H

#include "shard/channel.h"
#include "shard/wire.h"

/* The first byte of every message between ranks: whom it is for. */
enum addressee { FOR_COORDINATOR = 'C', FOR_AGENT = 'A' };

enum status job_send(struct channel *channel, enum addressee whom, unsigned rank, const struct message *m);
/* Rank 0: all is over, every rank may finalise MPI. */
void job_release_all(struct channel *channel);

#endif
