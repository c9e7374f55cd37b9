/* main_batch: what a batch system gives a rank, and what its script wants to know. In: environment variables of Slurm and of
 * slurm/job.sh. Out: the number of lanes; a line in a file. */
#ifndef FAKESIFT_COORDINATOR_MAIN_BATCH_H
#define FAKESIFT_COORDINATOR_MAIN_BATCH_H

#include <stdint.h>

/* Lanes for this rank: a core each, of those that this process may use and that Slurm gave the job here (SLURM_CPUS_ON_NODE),
 * shared with the job's other ranks on the machine; fewer where Slurm's limit on memory (SLURM_MEM_PER_NODE or
 * SLURM_MEM_PER_CPU, MiB) does not hold lane_memory_mib for each. At least 1, at most max_lanes. */
unsigned batch_lanes(uint64_t lane_memory_mib, unsigned max_lanes);

/* Rank 0 writes into the file that FAKESIFT_STATE_FILE names, where it is set: "running HOST PID", and when the process
 * exits, "ended CODE". The batch script trusts this and not mpirun's exit code, which says nothing once a rank is lost. A
 * file that cannot be written is a warning in the log. */
void batch_note_running(void);
/* Before _exit, which runs no handlers. */
void batch_note_end(int code);

#endif
