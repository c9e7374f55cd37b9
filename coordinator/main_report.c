/* fakesift report. In: a run folder. Out: the report's files, and its summary on standard output. */
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/main.h"
#include "coordinator/main_reduce.h"
#include "coordinator/reduce.h"
#include "shard/clock.h"
#include "shard/log.h"

struct options {
    const char *run;
    bool verbose;
};

static const struct argp_option report_options[] = {
    {"verbose", 'v', NULL, 0, "Say how long each part took", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'v':
        o->verbose = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->run)
            argp_error(state, "one RUN, not also %s", arg);
        o->run = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->run)
            argp_error(state, "RUN is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

struct opened {
    struct run_folder *folder;
    struct manifest *manifest;
    struct reduction reduction;
};

static void opened_close(struct opened *o)
{
    reduction_clear(&o->reduction);
    manifest_close(&o->manifest);
    run_folder_close(&o->folder);
}

static enum status opened_open(const char *path, struct opened *ret_o, struct error *e)
{
    struct opened o = {0};
    enum status s = run_folder_open_readonly(path, &o.folder, e);

    if (s == STATUS_OK)
        s = manifest_read(run_folder_manifest_path(o.folder), &o.manifest, e);
    if (s == STATUS_OK)
        s = reduce(run_folder_journal_path(o.folder), run_folder_fingerprint(o.folder), o.manifest, &o.reduction, e);
    if (s != STATUS_OK) {
        opened_close(&o);
        return s;
    }
    *ret_o = o;
    return STATUS_OK;
}

int main_report(int argc, char **argv)
{
    static const struct argp argp = {
        report_options,
        parse_option,
        "RUN",
        "Write scores.csv, report.json, results.sqlite and report.html of a run from its journals.",
        NULL,
        NULL,
        NULL};
    struct options o = {0};
    struct opened x;
    struct error e = {0};
    int64_t start = clock_monotonic_us();
    enum status s;

    main_parse(&argp, argc, argv, &o);
    log_setup(o.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, -1);
    if (opened_open(o.run, &x, &e) != STATUS_OK)
        return main_fail("report", &e);
    log_debug("report: manifest and journals read in %.1f s", (double)(clock_monotonic_us() - start) / 1e6);
    s = main_write_report(x.folder, x.manifest, &x.reduction, stdout, &e);
    if (s == STATUS_OK)
        main_print_journal_remarks(&x.reduction, stdout);
    opened_close(&x);
    return s == STATUS_OK ? EXIT_DONE : main_fail("report", &e);
}
