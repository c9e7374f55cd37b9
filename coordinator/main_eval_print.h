/* main_eval_print: what fakesift eval shows. In: standings and submissions. Out: a table, and the same and more as JSON. */
#ifndef FAKESIFT_COORDINATOR_MAIN_EVAL_PRINT_H
#define FAKESIFT_COORDINATOR_MAIN_EVAL_PRINT_H

#include <stdio.h>

#include "coordinator/evaluate/segment_standings.h"
#include "coordinator/evaluate/standings.h"
#include "coordinator/main_json.h"

/* One part of the truth: all of it, the public or the private videos. */
struct eval_part {
    const char *name; /* "all", "public", "private" */
    struct standings standings;
    struct segment_standings segments; /* in its place where the files are of 1mdf-2 */
};

struct eval {
    const char *truth_path;
    const struct truth *truth;
    struct standings_settings settings;
    struct submission **submissions; /* all of them */
    size_t n_submissions;
    bool has_segments; /* all files that rank are of 1mdf-2 */
    bool may_miss;     /* an id without a row does not break a submission */
    const char *dealt; /* how public and private were told apart; NULL: they were not */
    struct eval_part parts[2];
    size_t n_parts; /* the last is the one that decides */
};

void eval_print(const struct eval *v, FILE *out);
/* Each problem a line; those beyond SUBMISSION_MAX_TOLD of a kind are counted. */
void eval_print_problems(const struct eval *v, FILE *out);
/* A name from the command line may hold anything. */
void eval_print_name(FILE *out, const char *name, int width);
/* main_eval_segments.c: the same for files of fake stretches. */
void eval_print_segments(const struct eval *v, const struct eval_part *part, FILE *out);
void eval_json_segments(struct json *j, cJSON *part, const struct segment_standings *s);
enum status eval_write_json(const struct eval *v, const char *path, struct error *e);

#endif
