/* run_lock: one job at a time works on a run folder, also where the file system's locks do not reach other machines.
 *
 * Two guards. A kernel lock on the file (of its open description): exact on one machine, and across machines on file
 * systems that pass it on (NFS 4, Lustre with -o flock). And a heartbeat in the file's text, for those that lock on one
 * machine alone or not at all (Lustre with -o localflock or none):
 *     host n7, pid 4711, Slurm job 42
 *     boot 6d0c9a... space 4026531836 start 123456 beat 17 at 1767225600
 * boot, space, start: which kernel, which namespace of process ids, and the process' start, so that a pid means something.
 *
 * Who holds it is judged so: the kernel says that somebody does: held. It says that nobody does, and the text is of this
 * very kernel: stale. No kernel lock to be had, but the same kernel and namespace: held if that process lives. Else the
 * heartbeat decides: an old one (RUN_LOCK_OLD_S, by the clocks) is stale; any other is watched, and when it does not change
 * for RUN_LOCK_WATCH_S by our own clock, it is stale. So the clocks of two machines need not agree within seconds.
 * A holder that was stopped for so long finds another's text and knows that it lost the run. Two jobs on one folder do
 * double work and no harm (coordinator/dispatch.c), so a lock that errs costs no result. */
#ifndef FAKESIFT_COORDINATOR_RUN_LOCK_H
#define FAKESIFT_COORDINATOR_RUN_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

enum {
    RUN_LOCK_BEAT_S = 5,
    RUN_LOCK_WATCH_S = 30,
    RUN_LOCK_OLD_S = 600,
};

struct run_lock;

/* What a test puts in the system's place. NULL members: the system's. */
struct run_lock_world {
    bool no_kernel_locks;
    int64_t (*unix_s)(void *context);
    void (*pause_s)(void *context, unsigned seconds);
    void *context;
};

/* Takes the lock, with a pause of up to RUN_LOCK_WATCH_S where only watching can tell. STATUS_BUSY: e says who holds it.
 * world: NULL for the system's. */
enum status run_lock_take(const char *path, const struct run_lock_world *world, struct run_lock **ret_l,
                          struct error *e);
/* Empties the file and lets go. NULL-safe; sets *l = NULL. */
void run_lock_release(struct run_lock **l);

/* Beats every RUN_LOCK_BEAT_S in a thread, until the release. */
enum status run_lock_keep(struct run_lock *l, struct error *e);
/* One beat. */
void run_lock_beat(struct run_lock *l);
/* Another job took the run over. Any thread may ask. */
bool run_lock_is_lost(const struct run_lock *l);

/* Whether somebody holds the lock, as far as one look tells; ret_holder (may be NULL) gets its first line. */
bool run_lock_is_held(const char *path, const struct run_lock_world *world, char *ret_holder, size_t room_bytes);

#endif
