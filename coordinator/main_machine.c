#include "coordinator/main_machine.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "nodes/lane_pool.h"
#include "shard/channel.h"

unsigned machine_share_of_cores(void)
{
    cpu_set_t set;
    unsigned n = 1, online = (unsigned)sysconf(_SC_NPROCESSORS_ONLN), local = channel_announced_local_size();

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        n = (unsigned)CPU_COUNT(&set);
    if (n == online && local > 1)
        n /= local;
    return n < 1 ? 1 : n > LANE_POOL_MAX_LANES ? LANE_POOL_MAX_LANES : n;
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
