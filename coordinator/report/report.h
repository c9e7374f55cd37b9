/* report: the reduced results of a run -> scores.csv, report.json, results.sqlite and report.html in its
 * folder.
 *
 * In: a manifest and one result for each of its entries. Out: files that appear by rename. scores.csv and the
 * "results" of report.json depend on nothing but the input's results, labels and protocol: no clock, no host,
 * no timings. Only this folder sees sqlite3.h. */
#ifndef FAKESIFT_COORDINATOR_REPORT_REPORT_H
#define FAKESIFT_COORDINATOR_REPORT_REPORT_H

#include <stdio.h>

#include "coordinator/results.h"
#include "shard/manifest.h"

struct report_input {
    const char *run_folder;
    const struct manifest *manifest;
    /* manifest_count() of them, in its order; OUTCOME_UNDECIDED where no result exists yet. */
    const struct results *results;
    /* Objects as JSON text. protocol: the fields of the run's fingerprint. execution: versions, machines,
     * sandbox, wall times; shown in report.html and kept in run.json, never part of "results". */
    const char *protocol_json, *execution_json;
    const char *detector_name, *detector_worth; /* shown to the reader */
    const char *further_detectors;              /* the run's others by name, with commas between; NULL, "": none */
};

/* What took how long, in seconds of the wall; the database is written beside all others. */
struct report_times {
    double figures_s, scores_csv_s, report_json_s, results_sqlite_s, report_html_s;
};

/* Writes all four, and the summary to out. out and ret_times may be NULL. */
enum status report_make(const struct report_input *in, FILE *out, struct report_times *ret_times, struct error *e);
/* Writes all four. */
enum status report_write(const struct report_input *in, struct error *e);

/* What a run prints at its end: outcome counts that add up to the manifest, coverage, AUC with its interval
 * (or why there is none), and where the report is. */
enum status report_print_summary(const struct report_input *in, FILE *out, struct error *e);

#endif
