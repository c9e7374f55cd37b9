/* metrics: how well scores tell fakes from reals. Fake is the positive class.
 *
 * Pure functions over a ranking: no clock, no files, sums in a fixed order, so the same items give the same bits, on any
 * number of threads. A figure that the items do not define (one class only, say) is not NaN in disguise: it carries the
 * reason.
 *
 * Definitions
 *   AUC                Mann-Whitney: P(fake > real) + P(equal) / 2, from integer counts.
 *   partial AUC        the area up to FPR 0.1, standardised as McClish (1989) has it: 0.5 is chance, 1 perfect.
 *   average precision  sum over distinct thresholds, falling, of (recall step) x precision; no interpolation.
 *   TPR at FPR x       the highest TPR among thresholds with FPR <= x; no interpolation.
 *   EER                where the ROC polygon (ties are its oblique sides) meets FNR = FPR, interpolated linearly.
 *   EER (argmin)       the FPR of the threshold with the least |FNR - FPR|, the highest such threshold; all thresholds
 *                      count, also those that do not turn the polygon.
 *   ln wP at recall x  ln(TP / (TP + 100 FP)) at the highest threshold with recall >= x (DFDC preview, Dolhansky 2019).
 *   log loss           -mean ln(probability given to the truth), p clipped to eps .. 1 - eps.
 *   Brier              mean (p - y)^2.
 *   ECE                15 equal bins of p, [k/15, (k+1)/15), 1 in the last: mean over items of
 *                      |share of fakes - mean p|.
 *   accuracy           at 0.5: p >= 0.5 counts as called fake.
 *   DeLong interval    AUC -+ 1.959963984540054 standard errors, cut to 0..1; DeLong et al. 1988, computed as in Sun and
 *                      Xu 2014. Plain, not logit: it is what most papers print, and at AUC 0 or 1 it collapses to a
 *                      point (is_collapsed), where it says nothing about uncertainty.
 *   bootstrap          percentile interval (2.5 and 97.5, linear between order statistics) over replicates that draw
 *                      clusters with replacement, stratified by what a cluster holds (reals only, fakes only, both):
 *                      every replicate then has both classes, and with one item a cluster this is the usual bootstrap
 *                      stratified by class. Replicate k of a seed draws from a stream of its own (random.h), so threads
 *                      share the work in any order, and two rankings of the same items are resampled alike. */
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
    UNDEFINED_TOO_MANY_ITEMS, /* fewer than the least number of replicates within max_draws */
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

enum {
    METRICS_ECE_BINS = 15,
    METRICS_MIN_REPLICATES = 1000,       /* of the AUC */
    METRICS_MIN_FIGURE_REPLICATES = 200, /* of the other figures */
};

/* The figures, in the order of report.json. */
enum figure_id {
    FIGURE_AUC,
    FIGURE_PAUC,
    FIGURE_AVERAGE_PRECISION,
    FIGURE_EER,
    FIGURE_EER_ARGMIN,
    FIGURE_TPR_AT_FPR_1E2,
    FIGURE_TPR_AT_FPR_1E3,
    FIGURE_LN_WP_10, /* at recall .1, .5, .9 */
    FIGURE_LN_WP_50,
    FIGURE_LN_WP_90,
    FIGURE_LOG_LOSS,
    FIGURE_BRIER,
    FIGURE_ECE,
    FIGURE_ACCURACY,
    FIGURE_COUNT
};

/* Its key in report.json: "auc", "log_loss". NULL for no figure. */
const char *figure_name(enum figure_id f);
/* FIGURE_COUNT for an unknown name. */
enum figure_id figure_from_name(const char *name);
bool figure_lower_is_better(enum figure_id f);
/* It says something about order; the others need one item only. */
bool figure_needs_both_classes(enum figure_id f);

struct metrics_settings {
    double log_loss_epsilon; /* 0 < eps < 0.5; default 1e-15 */
    uint32_t replicates;     /* at most; default 2,000. 0: none is run */
    /* Replicates x items at most, so that a large corpus stays quick: replicates shrink, down to METRICS_MIN_REPLICATES.
     * Default 2 x 10^9: 2,000 up to 1,000,000 items, 1,000 at 2,000,000. */
    uint64_t max_draws;
    /* The same for figures other than the AUC, which cost ten times as much a draw, down to
     * METRICS_MIN_FIGURE_REPLICATES. Default 2 x 10^8: 2,000 up to 100,000 items, 200 at 1,000,000. */
    uint64_t max_figure_draws;
    /* What clusters get beyond that: true, the default: metrics_influence; false: UNDEFINED_TOO_MANY_ITEMS, which is
     * also what items without clusters get, since DeLong's interval is theirs. */
    bool influence_beyond;
    unsigned n_threads; /* 0, the default: one a processor that this process may use */
    uint64_t seed;      /* default 0x66616b6573696674 ("fakesift") */
};

extern const struct metrics_settings metrics_defaults;

struct metrics {
    size_t n, n_real, n_fake;
    size_t n_fake_called_fake, n_real_called_fake; /* at 0.5 */
    struct measure auc, average_precision, eer, tpr_at_fpr_1e2, tpr_at_fpr_1e3;
    struct measure log_loss, brier, ece, accuracy;
    struct measure pauc, eer_argmin, ln_wp[3]; /* ln_wp: at recall .1, .5, .9 */
    struct interval auc_delong, auc_bootstrap;
    struct interval intervals[FIGURE_COUNT]; /* by bootstrap; the AUC's is auc_bootstrap again */
};

const struct measure *metrics_figure(const struct metrics *m, enum figure_id f);

/* All of the above. cluster: NULL, or for each item its cluster, below 2^32 - 1; indexed by the ranking's item. */
enum status metrics_compute(const struct ranking *r, const uint32_t *cluster, const struct metrics_settings *settings,
                            struct metrics *ret_m, struct error *e);

/* Why figures that need both classes are undefined; DEFINED: they are not. */
enum undefined metrics_lacks(const struct ranking *r);
struct measure metrics_auc(const struct ranking *r);
struct measure metrics_tpr_at_fpr(const struct ranking *r, double max_fpr);
/* The variance of the AUC; undefined unless each class has two items. */
struct measure metrics_delong_variance(const struct ranking *r);
struct interval metrics_delong(const struct ranking *r);
/* In place of a bootstrap by cluster, in one pass. of_position: for each position of the ranking its cluster, below
 * n_clusters. */
enum status metrics_influence(const struct ranking *r, const uint32_t *of_position, size_t n_clusters,
                              struct interval *ret_i, struct error *e);
/* Of the AUC. */
enum status metrics_bootstrap(const struct ranking *r, const uint32_t *cluster, const struct metrics_settings *settings,
                              struct interval *ret_i, struct error *e);
/* Of every figure (intervals[FIGURE_AUC] too), in one set of replicates. */
enum status metrics_intervals(const struct ranking *r, const uint32_t *cluster, const struct metrics_settings *settings,
                              struct interval ret_intervals[FIGURE_COUNT], struct error *e);
/* The figure in each of settings->replicates replicates, whatever it costs; both classes present. Rankings of the same
 * items with the same labels, clusters and seed are resampled alike, so their values may be compared one by one.
 * STATUS_INVALID: a class is missing. */
enum status metrics_replicates(const struct ranking *r, const uint32_t *cluster,
                               const struct metrics_settings *settings, enum figure_id figure, double *ret_values,
                               struct error *e);

/* A difference of two rankings of the same items (a - b), taken item by item. */
struct paired {
    enum undefined undefined;
    double difference, standard_error;
    double z, p;      /* two-sided, normal; p = 1 where nothing differs */
    double low, high; /* 95 % */
    size_t n;         /* items, or clusters where they count */
};

/* Of the AUC: DeLong et al. 1988. With cluster (indexed by item): Obuchowski 1997. Both rankings hold the same items with
 * the same labels; STATUS_INVALID otherwise. */
enum status metrics_paired_auc(const struct ranking *a, const struct ranking *b, const uint32_t *cluster,
                               struct paired *ret_p, struct error *e);
/* Of a mean over items: FIGURE_LOG_LOSS, FIGURE_BRIER or FIGURE_ACCURACY; the items' differences over their standard error. */
enum status metrics_paired_mean(const struct ranking *a, const struct ranking *b, enum figure_id figure, double epsilon,
                                struct paired *ret_p, struct error *e);

/* The temperature T > 0 for which sigmoid(logit(p) / T) has the least log loss, p clipped to 1e-7 .. 1 - 1e-7 as a
 * detector's calibration has it (shard/aggregate.h). Undefined for one class. *ret_at_bound: no finite optimum was found
 * within 0.01..100 (scores that order perfectly, or the wrong way), and the bound is given. */
enum status metrics_temperature(const struct ranking *r, struct measure *ret_t, bool *ret_at_bound, struct error *e);
/* The ranking under that temperature; the caller closes it. */
enum status metrics_tempered(const struct ranking *r, double temperature, struct ranking *ret_r, struct error *e);

#endif
