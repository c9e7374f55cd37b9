/* main_machine: what a command has to know of the machine that it runs on. */
#ifndef FAKESIFT_COORDINATOR_MAIN_MACHINE_H
#define FAKESIFT_COORDINATOR_MAIN_MACHINE_H

#include <stddef.h>

/* The cores that this process may use, shared with the job's other ranks on the machine when nothing binds them. */
unsigned machine_share_of_cores(void);
/* "unknown" where /proc/cpuinfo does not name it. */
void machine_cpu_name(char *ret_name, size_t room);

#endif
