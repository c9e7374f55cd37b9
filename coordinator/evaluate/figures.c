#include "coordinator/evaluate/figures.h"

#include <math.h>
#include <string.h>

#include "coordinator/evaluate/sum.h"

static const struct {
    const char *name;
    bool lower_is_better, needs_both;
} known[FIGURE_COUNT] = {
    [FIGURE_AUC] = {"auc", false, true},
    [FIGURE_PAUC] = {"pauc_fpr_0.1", false, true},
    [FIGURE_AVERAGE_PRECISION] = {"average_precision", false, true},
    [FIGURE_EER] = {"eer", true, true},
    [FIGURE_EER_ARGMIN] = {"eer_argmin", true, true},
    [FIGURE_TPR_AT_FPR_1E2] = {"tpr_at_fpr_0.01", false, true},
    [FIGURE_TPR_AT_FPR_1E3] = {"tpr_at_fpr_0.001", false, true},
    [FIGURE_LN_WP_10] = {"ln_wp_at_recall_0.1", false, true},
    [FIGURE_LN_WP_50] = {"ln_wp_at_recall_0.5", false, true},
    [FIGURE_LN_WP_90] = {"ln_wp_at_recall_0.9", false, true},
    [FIGURE_LOG_LOSS] = {"log_loss", true, false},
    [FIGURE_BRIER] = {"brier", true, false},
    [FIGURE_ECE] = {"ece_15", true, false},
    [FIGURE_ACCURACY] = {"accuracy_at_0.5", false, false},
};

const char *figure_name(enum figure_id f)
{
    return (unsigned)f < FIGURE_COUNT ? known[f].name : NULL;
}

enum figure_id figure_from_name(const char *name)
{
    int f = 0;

    while (f < FIGURE_COUNT && strcmp(known[f].name, name) != 0)
        f++;
    return (enum figure_id)f;
}

bool figure_lower_is_better(enum figure_id f)
{
    return known[f].lower_is_better;
}

bool figure_needs_both_classes(enum figure_id f)
{
    return known[f].needs_both;
}

double figures_log_loss_of(double p_fake, bool is_fake, double epsilon)
{
    double p = p_fake;

    if (p < epsilon)
        p = epsilon;
    if (p > 1 - epsilon)
        p = 1 - epsilon;
    return is_fake ? -log(p) : -log1p(-p);
}

/* What needs no order, only one item at a time. Returns how many items count. */
static double pointwise(const struct ranking *r, const uint8_t *times, const double *loss, double epsilon,
                        struct figures *f)
{
    struct sum log_loss = {0}, brier = {0}, ece = {0}, mean_p[METRICS_ECE_BINS] = {0};
    double n = 0, n_right = 0, n_fake[METRICS_ECE_BINS] = {0};

    for (size_t i = 0; i < r->n; i++) {
        unsigned w = times ? times[i] : 1;
        double p = r->p_fake[i], off = p - r->is_fake[i];
        bool called_fake = p >= 0.5;
        int bin = (int)(p * METRICS_ECE_BINS);

        if (w == 0)
            continue;
        if (bin == METRICS_ECE_BINS)
            bin--;
        n += w;
        n_right += called_fake == (r->is_fake[i] != 0) ? w : 0;
        f->n_fake_called_fake += called_fake && r->is_fake[i] ? w : 0;
        f->n_real_called_fake += called_fake && !r->is_fake[i] ? w : 0;
        sum_add(&log_loss, w * (loss ? loss[i] : figures_log_loss_of(p, r->is_fake[i], epsilon)));
        sum_add(&brier, w * (off * off));
        sum_add(&mean_p[bin], w * p);
        n_fake[bin] += r->is_fake[i] ? w : 0;
    }
    for (int bin = 0; bin < METRICS_ECE_BINS; bin++)
        sum_add(&ece, fabs(n_fake[bin] - sum_value(&mean_p[bin])));
    f->value[FIGURE_LOG_LOSS] = sum_value(&log_loss) / n; /* 0 / 0: NaN */
    f->value[FIGURE_BRIER] = sum_value(&brier) / n;
    f->value[FIGURE_ECE] = sum_value(&ece) / n;
    f->value[FIGURE_ACCURACY] = n_right / n;
    return n;
}

static const double pauc_max = 0.1, recalls[3] = {0.1, 0.5, 0.9};
enum { WP_WEIGHT = 100 };

/* The ROC polygon from (0, 0) up, threshold by threshold, falling. All counts are whole numbers, so sums of them are exact;
 * rates are compared by counts, since divisions would take most of the time of a bootstrap. */
struct curve {
    double n_real, n_fake;
    double fp, tp;                   /* called fake so far */
    double twice_u;                  /* of Mann and Whitney */
    double twice_area;               /* the same up to the last threshold within pauc_max */
    double fp_pauc, fp_1e2, fp_1e3;  /* most false alarms within FPR 0.1, 0.01, 0.001 */
    double tp_recall[3];             /* fewest hits that reach the recalls */
    double tp_1e2, tp_1e3;           /* most hits within them */
    struct sum precisions;           /* fakes x precision */
    double eer, least_gap, fp_least; /* eer < 0: not crossed yet */
};

/* The largest count with count / n <= rate, as doubles divide. */
static double most_within(double rate, double n)
{
    double count = floor(rate * n) + 1;

    while (count > 0 && count / n > rate)
        count--;
    return count;
}

/* The least count with count / n >= rate. */
static double least_reaching(double rate, double n)
{
    double count = floor(rate * n) - 1;

    while (count < 0 || count / n < rate)
        count++;
    return count;
}

static void step(struct curve *c, double fakes, double reals, struct figures *f)
{
    double fp = c->fp + reals, tp = c->tp + fakes;
    /* FNR - FPR times both classes, falls to below 0; whole numbers, so that equal rates give an exact 0. */
    double gap = (c->n_fake - tp) * c->n_real - fp * c->n_fake;

    if (fp <= c->fp_pauc) {
        c->twice_area += reals * (2 * c->tp + fakes);
    } else if (c->fp <= c->fp_pauc) {
        /* The side that crosses the limit counts up to it. */
        double width = pauc_max * c->n_real - c->fp;

        c->twice_area += width * (2 * c->tp + fakes * width / reals);
    }
    c->twice_u += reals * (2 * c->tp + fakes);
    if (fakes > 0)
        sum_add(&c->precisions, fakes * tp / (tp + fp));
    if (fp <= c->fp_1e2)
        c->tp_1e2 = tp;
    if (fp <= c->fp_1e3)
        c->tp_1e3 = tp;
    if (c->eer < 0 && gap <= 0) {
        double before = (c->n_fake - c->tp) * c->n_real - c->fp * c->n_fake;

        c->eer = (c->fp + reals * (before / (before - gap))) / c->n_real;
    }
    if (fabs(gap) < c->least_gap) {
        c->least_gap = fabs(gap);
        c->fp_least = fp;
    }
    for (int k = 0; k < 3; k++) {
        if (c->tp < c->tp_recall[k] && tp >= c->tp_recall[k])
            f->value[FIGURE_LN_WP_10 + k] = log(tp / (tp + WP_WEIGHT * fp));
    }
    c->fp = fp;
    c->tp = tp;
}

static void curve(const struct ranking *r, const uint8_t *times, double n_real, double n_fake, struct figures *f)
{
    struct curve c = {.n_real = n_real,
                      .n_fake = n_fake,
                      .fp_pauc = most_within(pauc_max, n_real),
                      .fp_1e2 = most_within(1e-2, n_real),
                      .fp_1e3 = most_within(1e-3, n_real),
                      .eer = -1,
                      .least_gap = n_real * n_fake};
    double least = 0.5 * pauc_max * pauc_max;

    for (int k = 0; k < 3; k++)
        c.tp_recall[k] = least_reaching(recalls[k], n_fake);
    for (size_t end = r->n; end > 0;) {
        double score = r->p_fake[end - 1];
        unsigned long fakes = 0, all = 0;

        do {
            unsigned long w = times ? times[end - 1] : 1;

            all += w;
            fakes += w * r->is_fake[end - 1];
            end--;
        } while (end > 0 && r->p_fake[end - 1] == score);
        /* A score that was not drawn is no threshold. */
        if (all > 0)
            step(&c, (double)fakes, (double)(all - fakes), f);
    }
    f->value[FIGURE_AUC] = c.twice_u / (2 * n_real * n_fake);
    f->value[FIGURE_PAUC] = 0.5 * (1 + (c.twice_area / (2 * n_real * n_fake) - least) / (pauc_max - least));
    f->value[FIGURE_TPR_AT_FPR_1E2] = c.tp_1e2 / n_fake;
    f->value[FIGURE_TPR_AT_FPR_1E3] = c.tp_1e3 / n_fake;
    f->value[FIGURE_EER_ARGMIN] = c.fp_least / n_real;
    f->value[FIGURE_AVERAGE_PRECISION] = sum_value(&c.precisions) / n_fake;
    f->value[FIGURE_EER] = c.eer;
}

void figures_walk(const struct ranking *r, const uint8_t *times, const double *loss, double epsilon,
                  struct figures *ret_f)
{
    struct figures f = {0};
    double n = pointwise(r, times, loss, epsilon, &f), n_fake = 0;

    for (size_t i = 0; i < r->n; i++)
        n_fake += r->is_fake[i] ? (times ? times[i] : 1) : 0;
    if (n_fake > 0 && n_fake < n) {
        curve(r, times, n - n_fake, n_fake, &f);
    } else {
        for (int k = 0; k < FIGURE_COUNT; k++)
            f.value[k] = known[k].needs_both ? NAN : f.value[k];
    }
    *ret_f = f;
}
