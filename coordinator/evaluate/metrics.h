/* metrics: how well scores tell fakes from reals. Fake is the positive class.
 *
 * Pure functions over a ranking: no clock, no files, sums in a fixed order, so the same items give the same
 * bits. A figure that the items do not define (one class only, say) is not NaN in disguise: it carries the
 * reason.
 *
 * Definitions
 *   AUC                Mann-Whitney: P(fake > real) + P(equal) / 2, from integer counts.
 *   average precision  sum over distinct thresholds, falling, of (recall step) x precision; no interpolation.
 *   log loss           -mean ln(probability given to the truth), p clipped to eps .. 1 - eps.
 *   Brier              mean (p - y)^2.
 *   ECE                15 equal bins of p, [k/15, (k+1)/15), 1 in the last: mean over items of |share of
 * fakes - mean p|. accuracy           at 0.5: p >= 0.5 counts as called fake. EER                where the
 * ROC polygon (ties are its oblique sides) meets FNR = FPR, interpolated linearly. TPR at FPR x       the
 * highest TPR among thresholds with FPR <= x; no interpolation. DeLong interval    AUC -+ 1.959963984540054
 * standard errors, cut to 0..1; DeLong et al. 1988, computed as in Sun and Xu 2014. Plain, not logit: it is
 * what most papers print, and at AUC 0 or 1 it collapses to a point (is_collapsed), where it says nothing
 * about uncertainty. bootstrap          percentile interval (2.5 and 97.5, linear between order statistics)
 * over replicates that draw clusters with replacement, stratified by what a cluster holds (reals only, fakes
 * only, both): every replicate then has both classes, and with one item a cluster this is the usual bootstrap
 * stratified by class. */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_METRICS_H
#define FAKESIFT_COORDINATOR_EVALUATE_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/evaluate/ranking.h"

enum undefined {
    DEFINED = 0,
    UNDEFINED_NO_ITEMS,
    UNDEFINED_NO_REALS,       /* one class only */
    UNDEFINED_NO_FAKES,       /* one class only */
    UNDEFINED_ONE_OF_A_CLASS, /* a variance needs two */
    UNDEFINED_NOT_ASKED,      /* settings->replicates == 0 */
    UNDEFINED_TOO_MANY_ITEMS, /* fewer than METRICS_MIN_REPLICATES within max_draws */
};

/* Why a figure is undefined, as part of a sentence: "no real items: AUC needs both classes". */
const char *undefined_reason(enum undefined why);

struct measure {
    enum undefined undefined;
    double value; /* NaN unless defined */
};

struct interval {
    enum undefined undefined;
    bool is_collapsed;   /* low == high because nothing varied, not because it is certain */
    bool is_influence;   /* no bootstrap: by metrics_influence */
    uint32_t replicates; /* bootstrap: how many; DeLong: 0 */
    uint32_t n_clusters; /* bootstrap, influence: how many there are; DeLong: 0 */
    double low, high;    /* NaN unless defined */
};

enum { METRICS_ECE_BINS = 15, METRICS_MIN_REPLICATES = 200 };

struct metrics_settings {
    double log_loss_epsilon; /* 0 < eps < 0.5; default 1e-15 */
    uint32_t replicates;     /* at most; default 2,000. 0: none is run */
    /* replicates x items at most, so that a large corpus stays quick: replicates shrink, down to
     * METRICS_MIN_REPLICATES. Default 2 x 10^8: 2,000 up to 100,000 items, 200 at 1,000,000. */
    uint64_t max_draws;
    /* What clusters get beyond that: true, the default: metrics_influence; false: UNDEFINED_TOO_MANY_ITEMS, which is
     * also what items without clusters get, since DeLong's interval is theirs. */
    bool influence_beyond;
    uint64_t seed; /* default 0x66616b6573696674 ("fakesift") */
};

extern const struct metrics_settings metrics_defaults;

struct metrics {
    size_t n, n_real, n_fake;
    size_t n_fake_called_fake, n_real_called_fake; /* at 0.5 */
    struct measure auc, average_precision, eer, tpr_at_fpr_1e2, tpr_at_fpr_1e3;
    struct measure log_loss, brier, ece, accuracy;
    struct interval auc_delong, auc_bootstrap;
};

/* All of the above. cluster: NULL, or for each item its cluster, below 2^32 - 1; indexed by the ranking's
 * item. */
enum status metrics_compute(const struct ranking *r, const uint32_t *cluster, const struct metrics_settings *settings,
                            struct metrics *ret_m, struct error *e);

struct measure metrics_auc(const struct ranking *r);
struct measure metrics_tpr_at_fpr(const struct ranking *r, double max_fpr);
/* The variance of the AUC; undefined unless each class has two items. */
struct measure metrics_delong_variance(const struct ranking *r);
struct interval metrics_delong(const struct ranking *r);
/* In place of a bootstrap by cluster, in one pass. of_position: for each position of the ranking its cluster, below
 * n_clusters. */
enum status metrics_influence(const struct ranking *r, const uint32_t *of_position, size_t n_clusters,
                              struct interval *ret_i, struct error *e);
enum status metrics_bootstrap(const struct ranking *r, const uint32_t *cluster, const struct metrics_settings *settings,
                              struct interval *ret_i, struct error *e);

#endif
