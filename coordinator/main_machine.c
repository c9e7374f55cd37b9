#include "coordinator/main_machine.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes/lane_pool.h"
#include "shard/channel.h"
#include "shard/text.h"

uint64_t machine_number_of(const char *name, uint64_t otherwise)
{
    const char *value = getenv(name);
    uint64_t number;

    return value && parse_u64(value, 1, UINT32_MAX, &number) == STATUS_OK ? number : otherwise;
}

unsigned machine_share_of_cores(void)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    uint64_t n = online < 1 ? 1 : (uint64_t)online, given, local = channel_announced_local_size();
    cpu_set_t set;
    bool bound = false;

    if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) {
        bound = (uint64_t)CPU_COUNT(&set) < n;
        n = (uint64_t)CPU_COUNT(&set);
    }
    given = machine_number_of("SLURM_CPUS_ON_NODE", n);
    if (given < n) {
        n = given;
        bound = false;
    }
    /* A rank that is bound has its share already. */
    if (!bound && local > 1)
        n /= local;
    return n < 1 ? 1 : n > LANE_POOL_MAX_LANES ? LANE_POOL_MAX_LANES : (unsigned)n;
}

void machine_cpu_name(char *ret_name, size_t room)
{
    char line[512];
    FILE *f = fopen("/proc/cpuinfo", "re");

    snprintf(ret_name, room, "unknown");
    while (f && fgets(line, sizeof(line), f)) {
        char *colon = strchr(line, ':');

        if (strncmp(line, "model name", 10) == 0 && colon) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(ret_name, room, "%s", colon + 2);
            break;
        }
    }
    if (f)
        fclose(f);
}
