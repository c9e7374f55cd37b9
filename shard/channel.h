/* channel: small messages between the ranks of a job. The only module that sees mpi.h.
 *
 * In: byte strings of at most CHANNEL_MAX_BYTES for a rank (its own rank included). Out: the same bytes, in the order
 * that their sender sent them. Nothing here blocks or spins: sends are started and looked after later, receives look
 * once; the caller decides when to look again. Messages to a rank travel together: they are gathered until channel_flush,
 * and no more than eight parcels are on the way to one rank.
 * MPI reports no failures: a message to a dead rank stays pending for ever. Silence is for the caller to judge.
 * Without MPI a channel is rank 0 of 1 and carries messages to itself. One thread owns a channel. */
#ifndef FAKESIFT_SHARD_CHANNEL_H
#define FAKESIFT_SHARD_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

enum {
    CHANNEL_MAX_BYTES = 16 * 1024,
    CHANNEL_MAX_PENDING = 4096 /* messages to one rank that it has not taken; one more is refused */
};

struct channel;

/* True when this process was started by mpirun or srun, as their environment says. */
bool channel_is_launched(void);
/* The rank and size that the environment announces, before any channel exists; 0 and 1 when not launched. */
unsigned channel_announced_rank(void);
unsigned channel_announced_size(void);
/* Ranks of this job on this machine, as the environment announces; 1 when not known. */
unsigned channel_announced_local_size(void);

/* launched: join the job (MPI_Init; may take a while, waits for the others). */
enum status channel_open(bool launched, struct channel **ret_c, struct error *e);
/* orderly: every rank is alive and will close as well. Otherwise MPI is left as it is, for its finalisation would wait
 * for the dead; the process must then end by _exit. NULL-safe; sets *c = NULL. */
void channel_close(struct channel **c, bool orderly);

/* Ends the job although a rank is lost, so that nobody can finalise: mpirun ends every rank, also one that hangs, and gives
 * the code as its own. Does not return then. It returns where that would not do: without MPI, and under `mpirun
 * --enable-recovery`, where it would end this rank alone. */
void channel_end_job(struct channel *c, int code);

unsigned channel_rank(const struct channel *c);
unsigned channel_size(const struct channel *c);

/* Copies the bytes; channel_flush sends them. STATUS_BUSY: CHANNEL_MAX_PENDING are on the way to that rank. */
enum status channel_send(struct channel *c, unsigned to, const void *data, size_t len_bytes);
/* Starts what was gathered, as far as the receivers keep up. For a caller that is about to wait; channel_receive and
 * channel_pending do it as well. */
void channel_flush(struct channel *c);
/* STATUS_AGAIN: nothing is there. */
enum status channel_receive(struct channel *c, uint8_t ret_data[CHANNEL_MAX_BYTES], size_t *ret_len_bytes,
                            unsigned *ret_from);
/* Messages that were started and not taken yet, over all ranks. */
size_t channel_pending(struct channel *c);

#endif
