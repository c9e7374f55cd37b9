/* report_time: what `fakesift report RUN` does, without the rest of the program, so that it also runs where libav and MPI
 * are not. In: a run folder. Out: its report, and how long each part took. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "coordinator/reduce.h"
#include "coordinator/report/report.h"
#include "coordinator/run_folder.h"
#include "shard/clock.h"

static double since(int64_t start_us)
{
    return (double)(clock_monotonic_us() - start_us) / 1e6;
}

int main(int argc, char **argv)
{
    struct run_folder *f = NULL;
    struct manifest *m = NULL;
    struct reduction r = {0};
    struct report_times t = {0};
    struct error e = {0};
    struct rusage usage;
    int64_t start = clock_monotonic_us();
    double manifest_s = 0, journals_s = 0;
    enum status s;

    if (argc != 2) {
        fprintf(stderr, "report_time RUN\n");
        return 1;
    }
    s = run_folder_open_readonly(argv[1], &f, &e);
    if (s == STATUS_OK)
        s = manifest_read(run_folder_manifest_path(f), &m, &e);
    manifest_s = since(start);
    if (s == STATUS_OK)
        s = reduce(run_folder_journal_path(f), run_folder_fingerprint(f), m, &r, &e);
    journals_s = since(start) - manifest_s;
    if (s == STATUS_OK) {
        char *protocol = run_folder_identity_json(f), *execution = run_folder_execution_json(f);
        const struct report_input in = {
            .run_folder = run_folder_path(f),
            .manifest = m,
            .results = r.results,
            .protocol_json = protocol,
            .execution_json = execution,
            .detector_name = run_folder_identity(f, "detector"),
            .detector_worth = run_folder_worth(f),
        };

        s = report_make(&in, stdout, &t, &e);
        free(protocol);
        free(execution);
    }
    if (s != STATUS_OK) {
        fprintf(stderr, "report_time: %s\n", e.text);
        return 2;
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("%zu records: %.1f s of the wall, %.1f s of CPU, %.2f GiB\n"
           "manifest %.1f s, journals %.1f s, figures %.1f s, scores.csv %.1f s, report.json %.1f s, report.html %.1f "
           "s, beside these four "
           "results.sqlite %.1f s\n",
           r.count, since(start),
           (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6,
           (double)usage.ru_maxrss / (1 << 20), manifest_s, journals_s, t.figures_s, t.scores_csv_s, t.report_json_s,
           t.report_html_s, t.results_sqlite_s);
    reduction_clear(&r);
    manifest_close(&m);
    run_folder_close(&f);
    return 0;
}
