#include "coordinator/evaluate/metrics.h"

#include <math.h>

#include "coordinator/evaluate/figures.h"

const struct metrics_settings metrics_defaults = {
    .log_loss_epsilon = 1e-15,
    .replicates = 2000,
    .max_draws = 2000000000,
    .max_figure_draws = 200000000,
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
        return "too many items for a bootstrap; for the AUC the DeLong interval serves";
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

enum undefined metrics_lacks(const struct ranking *r)
{
    if (r->n == 0)
        return UNDEFINED_NO_ITEMS;
    if (r->n_real == 0)
        return UNDEFINED_NO_REALS;
    return r->n_fake == 0 ? UNDEFINED_NO_FAKES : DEFINED;
}

struct measure metrics_auc(const struct ranking *r)
{
    enum undefined why = metrics_lacks(r);
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

struct measure metrics_tpr_at_fpr(const struct ranking *r, double max_fpr)
{
    enum undefined why = metrics_lacks(r);
    struct roc_walk w = {.r = r, .end = r->n};
    size_t best = 0;

    if (why != DEFINED)
        return undefined(why);
    while (roc_step(&w) && (double)w.false_fakes / (double)r->n_real <= max_fpr)
        best = w.true_fakes;
    return defined((double)best / (double)r->n_fake);
}

const struct measure *metrics_figure(const struct metrics *m, enum figure_id f)
{
    switch (f) {
    case FIGURE_AUC:
        return &m->auc;
    case FIGURE_PAUC:
        return &m->pauc;
    case FIGURE_AVERAGE_PRECISION:
        return &m->average_precision;
    case FIGURE_EER:
        return &m->eer;
    case FIGURE_EER_ARGMIN:
        return &m->eer_argmin;
    case FIGURE_TPR_AT_FPR_1E2:
        return &m->tpr_at_fpr_1e2;
    case FIGURE_TPR_AT_FPR_1E3:
        return &m->tpr_at_fpr_1e3;
    case FIGURE_LN_WP_10:
    case FIGURE_LN_WP_50:
    case FIGURE_LN_WP_90:
        return &m->ln_wp[f - FIGURE_LN_WP_10];
    case FIGURE_LOG_LOSS:
        return &m->log_loss;
    case FIGURE_BRIER:
        return &m->brier;
    case FIGURE_ECE:
        return &m->ece;
    case FIGURE_ACCURACY:
        return &m->accuracy;
    case FIGURE_COUNT:
        break;
    }
    return NULL;
}

static void set_figure(struct metrics *m, enum figure_id f, struct measure value)
{
    struct measure *all[FIGURE_COUNT] = {
        [FIGURE_AUC] = &m->auc,
        [FIGURE_PAUC] = &m->pauc,
        [FIGURE_AVERAGE_PRECISION] = &m->average_precision,
        [FIGURE_EER] = &m->eer,
        [FIGURE_EER_ARGMIN] = &m->eer_argmin,
        [FIGURE_TPR_AT_FPR_1E2] = &m->tpr_at_fpr_1e2,
        [FIGURE_TPR_AT_FPR_1E3] = &m->tpr_at_fpr_1e3,
        [FIGURE_LN_WP_10] = &m->ln_wp[0],
        [FIGURE_LN_WP_50] = &m->ln_wp[1],
        [FIGURE_LN_WP_90] = &m->ln_wp[2],
        [FIGURE_LOG_LOSS] = &m->log_loss,
        [FIGURE_BRIER] = &m->brier,
        [FIGURE_ECE] = &m->ece,
        [FIGURE_ACCURACY] = &m->accuracy,
    };

    *all[f] = value;
}

enum status metrics_compute(const struct ranking *r, const uint32_t *cluster, const struct metrics_settings *settings,
                            struct metrics *ret_m, struct error *e)
{
    struct metrics m = {.n = r->n, .n_real = r->n_real, .n_fake = r->n_fake};
    enum undefined order = metrics_lacks(r), any = r->n == 0 ? UNDEFINED_NO_ITEMS : DEFINED;
    struct figures f;
    enum status s;

    if (!(settings->log_loss_epsilon > 0 && settings->log_loss_epsilon < 0.5))
        return error_set(e, STATUS_INVALID, "metrics: log loss epsilon %g is not between 0 and 0.5",
                         settings->log_loss_epsilon);
    figures_walk(r, NULL, NULL, settings->log_loss_epsilon, &f);
    f.value[FIGURE_AUC] = metrics_auc(r).value; /* in whole numbers, however many items */
    for (int k = 0; k < FIGURE_COUNT; k++) {
        enum undefined why = figure_needs_both_classes((enum figure_id)k) ? order : any;

        set_figure(&m, (enum figure_id)k, why == DEFINED ? defined(f.value[k]) : undefined(why));
    }
    m.n_fake_called_fake = f.n_fake_called_fake;
    m.n_real_called_fake = f.n_real_called_fake;
    m.auc_delong = metrics_delong(r);
    s = metrics_intervals(r, cluster, settings, m.intervals, e);
    if (s == STATUS_OK)
        s = metrics_bootstrap(r, cluster, settings, &m.auc_bootstrap, e);
    if (s != STATUS_OK)
        return s;
    m.intervals[FIGURE_AUC] = m.auc_bootstrap;
    *ret_m = m;
    return STATUS_OK;
}
