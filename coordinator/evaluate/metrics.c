#include "coordinator/evaluate/metrics.h"

#include <math.h>

#include "coordinator/evaluate/sum.h"

const struct metrics_settings metrics_defaults = {
    .log_loss_epsilon = 1e-15,
    .replicates = 2000,
    .max_draws = 200000000,
    .influence_beyond = true,
    .seed = 0x66616b6573696674,
};

const char *undefined_reason(enum undefined why)
{
    switch (why) {
    case DEFINED:
        return "";
    case UNDEFINED_NO_ITEMS:
        return "nothing both scored and labelled";
    case UNDEFINED_NO_REALS:
        return "no scored reals: it needs both classes";
    case UNDEFINED_NO_FAKES:
        return "no scored fakes: it needs both classes";
    case UNDEFINED_ONE_OF_A_CLASS:
        return "one scored item of a class: a variance needs two";
    case UNDEFINED_NOT_ASKED:
        return "no bootstrap was asked for";
    case UNDEFINED_TOO_MANY_ITEMS:
        return "too many items for a bootstrap; the DeLong interval serves";
    }
    return "unknown";
}

static struct measure defined(double value)
{
    return (struct measure){.value = value};
}

static struct measure undefined(enum undefined why)
{
    return (struct measure){.undefined = why, .value = NAN};
}

static enum undefined needs_both_classes(const struct ranking *r)
{
    if (r->n == 0)
        return UNDEFINED_NO_ITEMS;
    if (r->n_real == 0)
        return UNDEFINED_NO_REALS;
    return r->n_fake == 0 ? UNDEFINED_NO_FAKES : DEFINED;
}

struct measure metrics_auc(const struct ranking *r)
{
    enum undefined why = needs_both_classes(r);
    uint64_t twice_u = 0, reals_below = 0;

    if (why != DEFINED)
        return undefined(why);
    for (size_t i = 0, end; i < r->n; i = end) {
        uint64_t fakes = 0, reals;

        end = ranking_tie_end(r, i);
        for (size_t k = i; k < end; k++)
            fakes += r->is_fake[k];
        reals = end - i - fakes;
        twice_u += fakes * (2 * reals_below + reals);
        reals_below += reals;
    }
    return defined((double)twice_u / (2.0 * (double)r->n_real * (double)r->n_fake));
}

static struct measure average_precision(const struct ranking *r)
{
    enum undefined why = needs_both_classes(r);
    struct sum sum = {0};
    size_t fakes_called = 0;

    if (why != DEFINED)
        return undefined(why);
    for (size_t end = r->n, first; end > 0; end = first) {
        size_t fakes = 0;

        first = end - 1;
        while (first > 0 && r->p_fake[first - 1] == r->p_fake[first])
            first--;
        for (size_t k = first; k < end; k++)
            fakes += r->is_fake[k];
        fakes_called += fakes;
        sum_add(&sum, (double)fakes * (double)fakes_called / (double)(r->n - first));
    }
    return defined(sum_value(&sum) / (double)r->n_fake);
}

/* The ROC polygon from (0, 0) up, threshold by threshold, falling. */
struct roc_walk {
    const struct ranking *r;
    size_t end; /* items from here on are called fake */
    size_t false_fakes, true_fakes;
};

static bool roc_step(struct roc_walk *w)
{
    size_t first = w->end;

    if (first == 0)
        return false;
    do {
        first--;
        w->true_fakes += w->r->is_fake[first];
        w->false_fakes += !w->r->is_fake[first];
    } while (first > 0 && w->r->p_fake[first - 1] == w->r->p_fake[first]);
    w->end = first;
    return true;
}

static struct measure equal_error_rate(const struct ranking *r)
{
    enum undefined why = needs_both_classes(r);
    struct roc_walk w = {.r = r, .end = r->n};
    double n_real = (double)r->n_real, n_fake = (double)r->n_fake;
    double fpr = 0, gap = 1; /* gap: FNR - FPR, falls from 1 to -1 */

    if (why != DEFINED)
        return undefined(why);
    while (roc_step(&w)) {
        double next_fpr = (double)w.false_fakes / n_real;
        /* Integers first, so that equal rates give an exact 0. */
        double next_gap =
            ((double)(r->n_fake - w.true_fakes) * n_real - (double)w.false_fakes * n_fake) / (n_real * n_fake);

        if (next_gap <= 0)
            return defined(fpr + (next_fpr - fpr) * (gap / (gap - next_gap)));
        fpr = next_fpr;
        gap = next_gap;
    }
    return defined(fpr); /* not reached: the gap ends at -1 */
}

struct measure metrics_tpr_at_fpr(const struct ranking *r, double max_fpr)
{
    enum undefined why = needs_both_classes(r);
    struct roc_walk w = {.r = r, .end = r->n};
    size_t best = 0;

    if (why != DEFINED)
        return undefined(why);
    while (roc_step(&w) && (double)w.false_fakes / (double)r->n_real <= max_fpr)
        best = w.true_fakes;
    return defined((double)best / (double)r->n_fake);
}

static double log_loss_of(double p_fake, bool is_fake, double epsilon)
{
    double p = p_fake;

    if (p < epsilon)
        p = epsilon;
    if (p > 1 - epsilon)
        p = 1 - epsilon;
    return is_fake ? -log(p) : -log1p(-p);
}

static struct measure calibration_error(const struct ranking *r)
{
    struct sum mean_p[METRICS_ECE_BINS] = {0}, error = {0};
    size_t n_fake[METRICS_ECE_BINS] = {0};

    for (size_t i = 0; i < r->n; i++) {
        int bin = (int)(r->p_fake[i] * METRICS_ECE_BINS);

        if (bin == METRICS_ECE_BINS)
            bin--;
        sum_add(&mean_p[bin], r->p_fake[i]);
        n_fake[bin] += r->is_fake[i];
    }
    for (int bin = 0; bin < METRICS_ECE_BINS; bin++)
        sum_add(&error, fabs((double)n_fake[bin] - sum_value(&mean_p[bin])));
    return defined(sum_value(&error) / (double)r->n);
}

/* What needs no ranking, only one item at a time. */
static void pointwise(const struct ranking *r, double epsilon, struct metrics *m)
{
    struct sum log_loss = {0}, brier = {0};
    double n = (double)r->n;

    if (r->n == 0) {
        m->log_loss = m->brier = m->ece = m->accuracy = undefined(UNDEFINED_NO_ITEMS);
        return;
    }
    for (size_t i = 0; i < r->n; i++) {
        double off = r->p_fake[i] - r->is_fake[i];
        bool called_fake = r->p_fake[i] >= 0.5;

        sum_add(&log_loss, log_loss_of(r->p_fake[i], r->is_fake[i], epsilon));
        sum_add(&brier, off * off);
        m->n_fake_called_fake += called_fake && r->is_fake[i];
        m->n_real_called_fake += called_fake && !r->is_fake[i];
    }
    m->log_loss = defined(sum_value(&log_loss) / n);
    m->brier = defined(sum_value(&brier) / n);
    m->ece = calibration_error(r);
    m->accuracy = defined((double)(m->n_fake_called_fake + r->n_real - m->n_real_called_fake) / n);
}

enum status metrics_compute(const struct ranking *r, const uint32_t *cluster, const struct metrics_settings *settings,
                            struct metrics *ret_m, struct error *e)
{
    struct metrics m = {.n = r->n, .n_real = r->n_real, .n_fake = r->n_fake};
    enum status s;

    if (!(settings->log_loss_epsilon > 0 && settings->log_loss_epsilon < 0.5))
        return error_set(e, STATUS_INVALID, "metrics: log loss epsilon %g is not between 0 and 0.5",
                         settings->log_loss_epsilon);
    m.auc = metrics_auc(r);
    m.average_precision = average_precision(r);
    m.eer = equal_error_rate(r);
    m.tpr_at_fpr_1e2 = metrics_tpr_at_fpr(r, 1e-2);
    m.tpr_at_fpr_1e3 = metrics_tpr_at_fpr(r, 1e-3);
    pointwise(r, settings->log_loss_epsilon, &m);
    m.auc_delong = metrics_delong(r);
    s = metrics_bootstrap(r, cluster, settings, &m.auc_bootstrap, e);
    if (s != STATUS_OK)
        return s;
    *ret_m = m;
    return STATUS_OK;
}
