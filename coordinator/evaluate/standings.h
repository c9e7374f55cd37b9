/* standings: submissions ranked as a leaderboard ranks them, and how far the order can be believed.
 *
 * In: submissions over one truth, and which of its entries count. Out: places, figures with intervals, and for each pair of
 * neighbours whether the one is ahead of the other beyond chance. */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_STANDINGS_H
#define FAKESIFT_COORDINATOR_EVALUATE_STANDINGS_H

#include "coordinator/evaluate/submission.h"

enum unanswered {
    UNANSWERED_HALF, /* counts as 0.5 */
    UNANSWERED_DROP  /* is left out; two submissions are compared on what both answered */
};

struct standings_settings {
    enum figure_id figure; /* that ranks */
    enum unanswered unanswered;
    const uint32_t *cluster; /* by entry of the truth: whom it belongs with; NULL: everybody alone */
    struct metrics_settings metrics;
};

/* a against b: better by so much, by the figure's own sense of better. */
struct ahead {
    enum undefined undefined;
    double by, low, high, p;
    const char *test; /* "paired DeLong", "paired z", "paired bootstrap" */
    size_t n;         /* videos that both have */
};

struct standing {
    const struct submission *submission;
    size_t n, n_answered;
    struct metrics metrics;
    struct interval by_cluster;   /* of the AUC, where there are clusters */
    struct ahead of_next;         /* the next in the order; undefined for the last */
    struct ahead of_this;         /* the first, of this one; undefined for the first */
    double of_this_p_holm;        /* its p, Holm's correction for all that are compared with the first */
    double share_first;           /* of the replicates in which it is first; NaN where they cannot be had */
    size_t place_low, place_high; /* 95 % of the replicates; 0: none */
};

struct standings {
    size_t n_videos, n_real, n_fake; /* labelled, of those that count */
    struct standing *rows;           /* best first; equals in the order given */
    size_t n;
    size_t n_common; /* videos that the replicates are of */
};

/* counts: by entry of the truth. */
enum status standings_make(const struct truth *t, struct submission *const *submissions, size_t n,
                           const uint8_t *counts, const struct standings_settings *settings, struct standings *ret_s,
                           struct error *e);
void standings_clear(struct standings *s);

#endif
