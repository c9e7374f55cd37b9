#include "coordinator/main_reduce.h"

#include <stdlib.h>

#include "coordinator/main_save.h"
#include "coordinator/report/report.h"
#include "shard/log.h"

enum status main_write_report(const struct run_folder *folder, const struct manifest *m, const struct reduction *r,
                              FILE *out, struct error *e)
{
    char *protocol = run_folder_identity_json(folder), *execution = run_folder_execution_json(folder);
    const struct report_input in = {
        .run_folder = run_folder_path(folder),
        .manifest = m,
        .results = r->results,
        .protocol_json = protocol,
        .execution_json = execution,
        .detector_name = run_folder_identity(folder, "detector"),
        .detector_worth = run_folder_worth(folder),
        .further_detectors = run_folder_identity(folder, "further_detectors"),
    };
    struct report_times t;
    enum status s = protocol && execution ? save_index_frames(in.run_folder, run_folder_fingerprint(folder), m, r, e)
                                          : error_no_memory(e);

    if (s == STATUS_OK)
        s = report_make(&in, out, &t, e);

    if (s == STATUS_OK)
        log_debug("report: figures %.1f s, scores.csv %.1f s, report.json %.1f s, beside them results.sqlite %.1f s; "
                  "report.html %.1f s",
                  t.figures_s, t.scores_csv_s, t.report_json_s, t.results_sqlite_s, t.report_html_s);
    free(protocol);
    free(execution);
    return s;
}

void main_log_journal_damage(const struct reduction *r)
{
    for (unsigned i = 0; i < r->journal.n_named; i++) {
        const struct journal_damage *x = &r->journal.damages[i];
        enum log_level level = x->torn ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;

        log_write(level, "journal/%s: byte %llu: %s, %llu bytes skipped; what they held is done again", x->segment,
                  (unsigned long long)x->at_byte, x->torn ? "ends in the middle of a record" : "damaged",
                  (unsigned long long)x->len_bytes);
    }
}

void main_print_journal_remarks(const struct reduction *r, FILE *out)
{
    if (r->journal.n_torn > 0)
        fprintf(out,
                "journal segments that end in the middle of a record (a process was killed while it wrote): %llu\n",
                (unsigned long long)r->journal.n_torn);
    if (r->journal.n_corrupt > 0)
        fprintf(out, "%llu damaged stretches of the journals skipped; their videos are done again\n",
                (unsigned long long)r->journal.n_corrupt);
    for (unsigned i = 0; i < r->journal.n_named; i++) {
        const struct journal_damage *x = &r->journal.damages[i];

        if (!x->torn)
            fprintf(out, "  journal/%s: %llu bytes from byte %llu\n", x->segment, (unsigned long long)x->len_bytes,
                    (unsigned long long)x->at_byte);
    }
    if (r->n_duplicates > 0)
        fprintf(out, "%llu record%s of videos that had one already; each counts once\n",
                (unsigned long long)r->n_duplicates, r->n_duplicates == 1 ? "" : "s");
    if (r->n_foreign > 0)
        fprintf(out, "%llu records are of files that changed or left the corpus; they do not count\n",
                (unsigned long long)r->n_foreign);
}
