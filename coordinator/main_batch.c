#include "coordinator/main_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/main_machine.h"
#include "shard/channel.h"
#include "shard/file.h"
#include "shard/log.h"

/* For a rank, its zygote with the detector's networks, and MPI. */
enum { RANK_MEMORY_MIB = 512 };

unsigned batch_lanes(uint64_t lane_memory_mib, unsigned max_lanes)
{
    uint64_t n = machine_share_of_cores(), local = channel_announced_local_size();
    uint64_t memory_mib = machine_number_of("SLURM_MEM_PER_NODE", 0), fit;

    if (memory_mib == 0)
        memory_mib = machine_number_of("SLURM_MEM_PER_CPU", 0) * machine_number_of("SLURM_CPUS_ON_NODE", n);
    if (memory_mib > 0) {
        memory_mib /= local > 1 ? local : 1;
        fit = memory_mib > RANK_MEMORY_MIB ? (memory_mib - RANK_MEMORY_MIB) / lane_memory_mib : 0;
        if (fit < n) {
            fit = fit < 1 ? 1 : fit;
            log_warning(
                "Slurm's %llu MiB hold %llu lanes of up to %llu MiB, where there are %llu cores: ask for more memory, "
                "or lower --lane-memory",
                (unsigned long long)memory_mib, (unsigned long long)fit, (unsigned long long)lane_memory_mib,
                (unsigned long long)n);
            n = fit;
        }
    }
    return n > max_lanes ? max_lanes : (unsigned)n;
}

static void note(const char *line)
{
    const char *path = getenv("FAKESIFT_STATE_FILE");
    struct error e = {0};

    if (path && path[0] != '\0' && channel_announced_rank() == 0 &&
        file_write(path, line, strlen(line), &e) != STATUS_OK)
        log_warning("%s", e.text);
}

/* Forked children inherit this and are not meant. */
static void note_exit(int code, void *pid)
{
    if ((intptr_t)pid == (intptr_t)getpid())
        batch_note_end(code);
}

void batch_note_running(void)
{
    char line[256], host[128] = "?";

    gethostname(host, sizeof(host) - 1);
    snprintf(line, sizeof(line), "running %s %ld\n", host, (long)getpid());
    note(line);
    /* NOLINTNEXTLINE(performance-no-int-to-ptr): a number is what is carried. */
    on_exit(note_exit, (void *)(intptr_t)getpid());
}

void batch_note_end(int code)
{
    char line[64];

    snprintf(line, sizeof(line), "ended %d\n", code);
    note(line);
}
