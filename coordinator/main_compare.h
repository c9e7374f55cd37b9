/* main_compare: two runs over the same videos. In: two run folders. Out: what differs between their protocols, their outcomes
 * and their scores, and whether one detector is ahead beyond chance. */
#ifndef FAKESIFT_COORDINATOR_MAIN_COMPARE_H
#define FAKESIFT_COORDINATOR_MAIN_COMPARE_H

#include <stdio.h>

#include "coordinator/evaluate/metrics.h"
#include "coordinator/main_opened.h"

/* A field of the runs' identities or of their detectors' cards; NULL where a run lacks it. */
struct field_pair {
    char *name, *a, *b;
};

/* A video that both runs list under one path. */
struct video_pair {
    uint32_t a, b; /* entries of the manifests */
};

struct comparison {
    struct opened run[2];
    const char *path[2];
    struct field_pair *fields; /* all of them, in a's order, then b's own */
    size_t n_fields, n_fields_differ;
    bool has_cards;            /* the detectors' cards are among the fields */
    struct video_pair *common; /* in a's order */
    size_t n_common, n_only[2];
    size_t n_other_bytes;  /* same path, other size or content: compared all the same, and said */
    size_t n_other_labels; /* same path, other label: in no figure */
    size_t n_both_scored, n_only_scored[2];
    size_t outcomes[OUTCOME_COUNT][OUTCOME_COUNT]; /* of common videos, a's by b's */
    struct video_pair *flips;                      /* on different sides of 0.5, the furthest apart first */
    size_t n_flips, n_flips_right[2];              /* which run has a labelled one right */
    struct video_pair *changed;                    /* another outcome, in a's order */
    size_t n_changed;
    size_t n_same_score;    /* bit by bit */
    double mean_difference; /* mean |a - b| of what both scored; NaN: none */
    double largest_difference;
    struct metrics common_figures[2]; /* over labelled videos that both scored */
    struct metrics own_figures[2];    /* over each run's own labelled, scored videos */
    struct paired auc, auc_by_original, log_loss, brier, accuracy;
    bool has_originals;
};

void comparison_print(const struct comparison *c, size_t n_listed, FILE *out);
enum status comparison_write_json(const struct comparison *c, const char *path, struct error *e);

static inline const struct manifest_entry *comparison_entry(const struct comparison *c, int run,
                                                            const struct video_pair *v)
{
    return manifest_entry(c->run[run].manifest, run == 0 ? v->a : v->b);
}

static inline double comparison_score(const struct comparison *c, int run, const struct video_pair *v)
{
    return results_p_fake(c->run[run].reduction.results, run == 0 ? v->a : v->b);
}

static inline enum outcome comparison_outcome(const struct comparison *c, int run, const struct video_pair *v)
{
    return results_outcome(c->run[run].reduction.results, run == 0 ? v->a : v->b);
}

#endif
