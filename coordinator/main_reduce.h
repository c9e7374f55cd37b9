/* main_reduce: what `run` and `report` do alike at their end. In: a run folder and its reduction. Out: the report. */
#ifndef FAKESIFT_COORDINATOR_MAIN_REDUCE_H
#define FAKESIFT_COORDINATOR_MAIN_REDUCE_H

#include <stdio.h>

#include "coordinator/reduce.h"
#include "coordinator/run_folder.h"

/* Writes the report's files, and its summary to out. */
enum status main_write_report(const struct run_folder *folder, const struct manifest *m, const struct reduction *r,
                              FILE *out, struct error *e);

/* Names each damage of the journals in the log. */
void main_log_journal_damage(const struct reduction *r);
/* Lines about torn, damaged, repeated and foreign records; nothing when there are none. */
void main_print_journal_remarks(const struct reduction *r, FILE *out);

#endif
