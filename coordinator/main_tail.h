/* main_tail: what a run says at its end of its own work: how well its lanes were used and which videos took longest.
 * In: the job's end, the results. Out: lines for a person, and the same for run.json. */
#ifndef FAKESIFT_COORDINATOR_MAIN_TAIL_H
#define FAKESIFT_COORDINATOR_MAIN_TAIL_H

#include <stdio.h>

#include "coordinator/main_job.h"
#include "coordinator/results.h"
#include "coordinator/run_folder.h"
#include "shard/manifest.h"

/* Of the whole run: the ten slowest videos, longest first. room: of RUN_MAX_SLOWEST. Strings are the manifest's. */
enum status tail_find_slowest(const struct manifest *m, const struct results *r, struct run_slow *ret_slow,
                              size_t *ret_n, struct error *e);
/* Of this start. */
void tail_fill_use(const struct job_end *end, struct run_use *ret_use);
/* Nothing when this start decided no video. */
void tail_print(const struct run_use *use, const struct run_slow *slow, size_t n_slow, FILE *out);

#endif
