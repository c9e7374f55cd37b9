/* throughput: empty units a second through one coordinator.
 *
 *     mpirun -n 4 bench_throughput [UNITS [LANES]]
 *
 * What runs is the program's own: coordinator/main_job.c's loop on every rank, dispatch, ledger, units, prefetch, MPI
 * channel, wire messages, agents with their leases, opening of each unit's file (an empty one, reached through 1,000 names in
 * each of many linked folders), journal records with CRC and fdatasync, RESULT messages after the sync. What does not: lanes
 * (bench/null_lane_pool.c answers at once), so no sandbox, no decoder, no network; no manifest is read, no report written.
 * Out: one line of JSON on rank 0. Nothing stays on disk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/main_job.h"
#include "shard/clock.h"
#include "shard/log.h"

enum { N_FILES = 1000 };

static const char fingerprint[SHA256_HEX_BYTES] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench_throughput: %s\n", what);
    exit(1);
}

static void make_corpus(const char *folder, unsigned n_links)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/journal", folder);
    if (mkdir(path, 0777) != 0)
        die("no folder for the journal");
    snprintf(path, sizeof(path), "%s/files", folder);
    if (mkdir(path, 0777) != 0)
        die("no folder for files");
    for (unsigned i = 0; i < N_FILES; i++) {
        FILE *f;

        snprintf(path, sizeof(path), "%s/files/%04u.mp4", folder, i);
        f = fopen(path, "we");
        if (!f)
            die("a file cannot be made");
        fclose(f);
    }
    for (unsigned i = 0; i < n_links; i++) {
        snprintf(path, sizeof(path), "%s/part%05u", folder, i);
        if (symlink("files", path) != 0)
            die("a link cannot be made");
    }
}

static struct manifest *make_manifest(const char *folder, size_t n_units)
{
    struct manifest *m = NULL;
    struct error e;

    if (manifest_create(folder, "dir", &m, &e) != STATUS_OK)
        die(e.text);
    for (size_t i = 0; i < n_units; i++) {
        char path[64];
        struct manifest_entry entry = {.path = path, .exists = true, .mtime_ns = 1};

        snprintf(path, sizeof(path), "part%05zu/%04zu.mp4", i / N_FILES, i % N_FILES);
        if (manifest_add(m, &entry, &e) != STATUS_OK)
            die(e.text);
    }
    if (manifest_sort(m, &e) != STATUS_OK)
        die(e.text);
    return m;
}

static double cpu_s(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static struct manifest *prepare(const char *folder, size_t n_units, unsigned n_ranks, struct job_settings *settings)
{
    struct ledger_settings ledger = {
        .n_units = n_units, .n_agents = n_ranks, .attempts = 2, .max_losses = 4, .lease_us = INT64_C(1860000000)};
    struct manifest *m;

    if (mkdir(folder, 0777) != 0)
        die("no folder to work in");
    make_corpus(folder, (unsigned)((n_units + N_FILES - 1) / N_FILES));
    m = make_manifest(folder, n_units);
    settings->manifest = m;
    if (units_open(n_units, &settings->units) != STATUS_OK || ledger_open(&ledger, &settings->ledger) != STATUS_OK)
        die("out of memory");
    for (size_t i = 0; i < n_units; i++)
        units_set_cost(settings->units, (uint32_t)i, 0.0001, 0);
    units_fill(settings->units, settings->ledger);
    return m;
}

static void remove_folder(const char *folder)
{
    char command[600];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        die("the folder could not be removed");
}

int main(int argc, char **argv)
{
    size_t n_units = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 400000;
    unsigned n_lanes = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 16;
    const char *base = getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp", *job = getenv("PMIX_NAMESPACE");
    char folder[256], journal[300];
    struct job_settings settings = {
        .journal_folder = journal,
        .fingerprint = fingerprint,
        .lanes = {.n_lanes = n_lanes, .work = LANE_SCORE, .timeout_us = INT64_C(600000000)},
        .silence_us = 30000000,
        .grace_us = 1000000,
    };
    struct channel *channel = NULL;
    struct manifest *manifest = NULL;
    struct zygote *none = NULL;
    struct job_end end = {0};
    struct error e;
    int64_t start_us;
    double start_cpu_s, wall_s;
    int signal_fd = job_catch_signals();

    log_setup(LOG_LEVEL_WARNING, -1);
    snprintf(folder, sizeof(folder), "%s/fakesift-throughput.%s", base, job ? job : "alone");
    snprintf(journal, sizeof(journal), "%s/journal", folder);
    if (channel_open(channel_is_launched(), &channel, &e) != STATUS_OK)
        die(e.text);
    if (channel_rank(channel) == 0)
        manifest = prepare(folder, n_units, channel_size(channel), &settings);
    start_us = clock_monotonic_us();
    start_cpu_s = cpu_s();
    if (job_run(&settings, channel, signal_fd, &none, &end, &e) != STATUS_OK)
        die(e.text);
    wall_s = (double)(clock_monotonic_us() - start_us) / 1e6;
    if (end.trouble.status != STATUS_OK)
        die(end.trouble.text);
    if (channel_rank(channel) == 0) {
        if (ledger_done(settings.ledger) != n_units || ledger_duplicates(settings.ledger) != 0)
            die("not every unit was done once");
        printf("{\"units\": %zu, \"ranks\": %u, \"lanes_a_rank\": %u, \"wall_s\": %.3f, \"units_a_second\": %.0f, "
               "\"rank0_cpu_us_a_unit\": %.2f}\n",
               n_units, channel_size(channel), n_lanes, wall_s, (double)n_units / wall_s,
               1e6 * (cpu_s() - start_cpu_s) / (double)n_units);
        remove_folder(folder);
    }
    units_close(&settings.units);
    ledger_close(&settings.ledger);
    manifest_close(&manifest);
    channel_close(&channel, end.orderly);
    return 0;
}
