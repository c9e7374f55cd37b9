/* main_machine: what a command has to know of the machine that it runs on. */
#ifndef FAKESIFT_COORDINATOR_MAIN_MACHINE_H
#define FAKESIFT_COORDINATOR_MAIN_MACHINE_H

#include <stddef.h>
#include <stdint.h>

/* A number in an environment variable; `otherwise` where it is not set or not a number in 1..2^32-1. */
uint64_t machine_number_of(const char *name, uint64_t otherwise);
/* The cores that this process may use, of those that Slurm gave the job here (SLURM_CPUS_ON_NODE), shared with the job's
 * other ranks on the machine when nothing binds them. 1..LANE_POOL_MAX_LANES. */
unsigned machine_share_of_cores(void);
/* "unknown" where /proc/cpuinfo does not name it. */
void machine_cpu_name(char *ret_name, size_t room);

#endif
