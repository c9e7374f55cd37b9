/* Efron's bootstrap, by cluster. A replicate says how often each cluster was drawn; then it is one pass over the ranking,
 * linear in the items, without a sort. The AUC has a pass of its own without a branch: sums of drawn reals along the
 * ranking, of which each fake takes those below it and those up to its score. All of it in whole numbers. */
#include "coordinator/evaluate/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/evaluate/figures.h"
#include "coordinator/evaluate/resample.h"

/* Sums of draws stay below 2^32 and their products below 2^64, each item drawn at most 255 times. */
enum { MAX_ITEMS = 1 << 22 };

/* For AUCs of replicates: the ranking without its scores. */
struct places {
    struct resample resample;
    size_t n_real, n_fake;
    uint32_t *of_real, *of_fake; /* clusters, reals and fakes each in the ranking's order */
    uint32_t *n_below, *n_up_to; /* of each fake: reals with a lower score, with a lower or the same */
    double *aucs;                /* by replicate */
};

static void places_close(struct places *p)
{
    resample_close(&p->resample);
    free(p->of_real);
    free(p->of_fake);
    free(p->n_below);
    free(p->n_up_to);
}

static enum status places_open(const struct ranking *r, const uint32_t *cluster, uint64_t seed, struct places *ret_p,
                               struct error *e)
{
    struct places p = {.of_real = malloc((r->n_real + 1) * sizeof(*p.of_real)),
                       .of_fake = malloc((r->n_fake + 1) * sizeof(*p.of_fake)),
                       .n_below = malloc((r->n_fake + 1) * sizeof(*p.n_below)),
                       .n_up_to = malloc((r->n_fake + 1) * sizeof(*p.n_up_to))};
    enum status s;

    if (!p.of_real || !p.of_fake || !p.n_below || !p.n_up_to)
        s = error_no_memory(e);
    else
        s = resample_open(r, cluster, seed, &p.resample, e);
    if (s != STATUS_OK) {
        places_close(&p);
        return s;
    }
    for (size_t i = 0, end; i < r->n; i = end) {
        size_t below = p.n_real, fakes = p.n_fake;

        end = ranking_tie_end(r, i);
        for (size_t k = i; k < end; k++) {
            if (r->is_fake[k])
                p.of_fake[p.n_fake++] = p.resample.of_position[k];
            else
                p.of_real[p.n_real++] = p.resample.of_position[k];
        }
        for (; fakes < p.n_fake; fakes++) {
            p.n_below[fakes] = (uint32_t)below;
            p.n_up_to[fakes] = (uint32_t)p.n_real;
        }
    }
    *ret_p = p;
    return STATUS_OK;
}

/* scratch: n_real + 1 sums, then the draws. */
static size_t places_scratch(const struct places *p)
{
    return (p->n_real + 1) * sizeof(uint32_t) + p->resample.n;
}

static void auc_of_replicate(void *context, size_t replicate, void *scratch)
{
    struct places *p = context;
    uint32_t *reals_before = scratch;
    uint8_t *drawn = (uint8_t *)(reals_before + p->n_real + 1);
    uint64_t twice_u = 0, n_fake = 0;

    resample_draw(&p->resample, replicate, drawn);
    reals_before[0] = 0;
    for (size_t i = 0; i < p->n_real; i++)
        reals_before[i + 1] = reals_before[i] + drawn[p->of_real[i]];
    for (size_t i = 0; i < p->n_fake; i++) {
        uint64_t times = drawn[p->of_fake[i]];

        twice_u += times * ((uint64_t)reals_before[p->n_below[i]] + reals_before[p->n_up_to[i]]);
        n_fake += times;
    }
    p->aucs[replicate] = (double)twice_u / (2.0 * (double)reals_before[p->n_real] * (double)n_fake);
}

/* How many replicates, at least least of them; 0: too many items. */
static size_t affordable(const struct ranking *r, size_t wanted, uint64_t max_draws, size_t least)
{
    if (r->n > 0 && wanted > max_draws / r->n) {
        wanted = (size_t)(max_draws / r->n);
        wanted = wanted < least ? 0 : wanted;
    }
    return r->n <= MAX_ITEMS ? wanted : 0;
}

static enum status influence_of_clusters(const struct ranking *r, const uint32_t *cluster, struct interval *ret_i,
                                         struct error *e)
{
    struct resample resample = {0};
    enum status s = resample_open(r, cluster, 0, &resample, e);

    if (s == STATUS_OK)
        s = metrics_influence(r, resample.of_position, resample.n, ret_i, e);
    resample_close(&resample);
    return s;
}

enum status metrics_bootstrap(const struct ranking *r, const uint32_t *cluster, const struct metrics_settings *settings,
                              struct interval *ret_i, struct error *e)
{
    struct interval interval = {.undefined = metrics_lacks(r), .low = NAN, .high = NAN};
    size_t n = affordable(r, settings->replicates, settings->max_draws, METRICS_MIN_REPLICATES);
    struct places p = {0};
    enum status s;

    if (interval.undefined == DEFINED && settings->replicates == 0)
        interval.undefined = UNDEFINED_NOT_ASKED;
    if (interval.undefined == DEFINED && n == 0) {
        if (cluster && settings->influence_beyond)
            return influence_of_clusters(r, cluster, ret_i, e);
        interval.undefined = UNDEFINED_TOO_MANY_ITEMS;
    }
    if (interval.undefined != DEFINED) {
        *ret_i = interval;
        return STATUS_OK;
    }
    s = places_open(r, cluster, settings->seed, &p, e);
    if (s != STATUS_OK)
        return s;
    p.aucs = malloc(n * sizeof(*p.aucs));
    s = p.aucs ? resample_each(n, r->n, settings->n_threads, places_scratch(&p), auc_of_replicate, &p, e)
               : error_no_memory(e);
    if (s == STATUS_OK) {
        resample_percentiles(p.aucs, n, &interval.low, &interval.high);
        interval.is_collapsed = p.aucs[0] == p.aucs[n - 1];
        interval.replicates = (uint32_t)n;
        interval.n_clusters = (uint32_t)p.resample.n;
        *ret_i = interval;
    }
    free(p.aucs);
    places_close(&p);
    return s;
}

/* For all figures of replicates. */
struct walks {
    struct resample resample;
    const struct ranking *r;
    const double *loss; /* by position */
    double epsilon;
    size_t n;
    double *values;      /* n a figure, or n of one */
    enum figure_id only; /* FIGURE_COUNT: all */
};

static void figures_of_replicate(void *context, size_t replicate, void *scratch)
{
    struct walks *w = context;
    uint8_t *drawn = scratch, *times = drawn + w->resample.n;
    struct figures f;

    resample_draw(&w->resample, replicate, drawn);
    for (size_t i = 0; i < w->r->n; i++)
        times[i] = drawn[w->resample.of_position[i]];
    figures_walk(w->r, times, w->loss, w->epsilon, &f);
    if (w->only < FIGURE_COUNT) {
        w->values[replicate] = f.value[w->only];
        return;
    }
    for (int k = 0; k < FIGURE_COUNT; k++)
        w->values[(size_t)k * w->n + replicate] = f.value[k];
}

static enum status walk_all(struct walks *w, const uint32_t *cluster, const struct metrics_settings *settings,
                            struct error *e)
{
    const struct ranking *r = w->r;
    double *loss = malloc((r->n + 1) * sizeof(*loss));
    enum status s = loss ? resample_open(r, cluster, settings->seed, &w->resample, e) : error_no_memory(e);

    if (s == STATUS_OK) {
        for (size_t i = 0; i < r->n; i++)
            loss[i] = figures_log_loss_of(r->p_fake[i], r->is_fake[i], w->epsilon);
        w->loss = loss;
        s = resample_each(w->n, 10 * r->n, settings->n_threads, r->n + w->resample.n, figures_of_replicate, w, e);
    }
    free(loss);
    return s;
}

enum status metrics_intervals(const struct ranking *r, const uint32_t *cluster, const struct metrics_settings *settings,
                              struct interval ret_intervals[FIGURE_COUNT], struct error *e)
{
    size_t n = affordable(r, settings->replicates, settings->max_figure_draws, METRICS_MIN_FIGURE_REPLICATES);
    enum undefined order = metrics_lacks(r), any = DEFINED;
    struct walks w = {.r = r, .epsilon = settings->log_loss_epsilon, .n = n, .only = FIGURE_COUNT};
    enum status s = STATUS_OK;

    if (r->n == 0)
        any = UNDEFINED_NO_ITEMS;
    else if (settings->replicates == 0)
        any = UNDEFINED_NOT_ASKED;
    else if (n == 0)
        any = UNDEFINED_TOO_MANY_ITEMS;
    if (any == DEFINED) {
        w.values = malloc(n * FIGURE_COUNT * sizeof(*w.values));
        s = w.values ? walk_all(&w, cluster, settings, e) : error_no_memory(e);
    }
    for (int k = 0; s == STATUS_OK && k < FIGURE_COUNT; k++) {
        struct interval i = {.undefined = any, .low = NAN, .high = NAN};
        double *values = w.values + (size_t)k * n;

        if (figure_needs_both_classes((enum figure_id)k) && order != DEFINED)
            i.undefined = order;
        if (i.undefined == DEFINED) {
            resample_percentiles(values, n, &i.low, &i.high);
            i.is_collapsed = values[0] == values[n - 1];
            i.replicates = (uint32_t)n;
            i.n_clusters = (uint32_t)w.resample.n;
        }
        ret_intervals[k] = i;
    }
    free(w.values);
    resample_close(&w.resample);
    return s;
}

enum status metrics_replicates(const struct ranking *r, const uint32_t *cluster,
                               const struct metrics_settings *settings, enum figure_id figure, double *ret_values,
                               struct error *e)
{
    struct places p = {0};
    struct walks w = {.r = r, .epsilon = settings->log_loss_epsilon, .n = settings->replicates, .only = figure};
    enum status s;

    if (metrics_lacks(r))
        return error_set(e, STATUS_INVALID, "metrics: %s", undefined_reason(metrics_lacks(r)));
    w.values = ret_values;
    if (figure != FIGURE_AUC || r->n > MAX_ITEMS) {
        s = walk_all(&w, cluster, settings, e);
        resample_close(&w.resample);
        return s;
    }
    s = places_open(r, cluster, settings->seed, &p, e);
    if (s != STATUS_OK)
        return s;
    p.aucs = ret_values;
    s = resample_each(settings->replicates, r->n, settings->n_threads, places_scratch(&p), auc_of_replicate, &p, e);
    places_close(&p);
    return s;
}
