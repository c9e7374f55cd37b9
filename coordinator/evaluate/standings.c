#include "coordinator/evaluate/standings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/evaluate/resample.h"

struct work {
    const struct truth *t;
    const struct standings_settings *settings;
    const uint8_t *counts;
    double *p_fake; /* scratch, by entry */
    uint8_t *is_fake;
    uint32_t *index;
};

static bool takes_part(const struct work *w, const struct submission *s, size_t i)
{
    return s->answer[i] == ANSWER_GIVEN || w->settings->unanswered == UNANSWERED_HALF;
}

/* The submission's ranking over the entries that count and that all of others take part in; items are entries. */
static enum status rank(const struct work *w, const struct submission *s, struct submission *const *others,
                        size_t n_others, struct ranking *ret_r, struct error *e)
{
    size_t n = 0;
    enum status status;

    for (size_t i = 0; i < truth_count(w->t); i++) {
        enum label label = manifest_entry(truth_manifest(w->t), i)->label;
        bool in = w->counts[i] && label != LABEL_UNKNOWN && takes_part(w, s, i);

        for (size_t k = 0; in && k < n_others; k++)
            in = takes_part(w, others[k], i);
        if (!in)
            continue;
        w->p_fake[n] = s->p_fake[i];
        w->is_fake[n] = label == LABEL_FAKE;
        w->index[n++] = (uint32_t)i;
    }
    status = ranking_open(w->p_fake, w->is_fake, n, ret_r, e);
    for (size_t k = 0; status == STATUS_OK && k < n; k++)
        ret_r->item[k] = w->index[ret_r->item[k]];
    return status;
}

/* How many replicates of this figure are worth their time. */
static size_t replicates_of(const struct standings_settings *settings, size_t n)
{
    uint64_t draws = settings->figure == FIGURE_AUC ? settings->metrics.max_draws : settings->metrics.max_figure_draws;
    size_t wanted = settings->metrics.replicates, most = n > 0 ? (size_t)(draws / n) : wanted;

    return wanted < most ? wanted : most > METRICS_MIN_FIGURE_REPLICATES ? most : 0;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return a < b ? -1 : a > b;
}

/* For figures that are no mean over items: percentiles of the difference, both resampled alike. */
static enum status compare_by_replicates(const struct work *w, const struct ranking *a, const struct ranking *b,
                                         struct ahead *ret_ahead, struct error *e)
{
    struct metrics_settings settings = w->settings->metrics;
    struct metrics of_a, of_b;
    double *values, *others;
    size_t n = replicates_of(w->settings, a->n), n_below = 0, n_above = 0;
    enum status s;

    settings.replicates = 0;
    s = metrics_compute(a, NULL, &settings, &of_a, e);
    if (s == STATUS_OK)
        s = metrics_compute(b, NULL, &settings, &of_b, e);
    if (s != STATUS_OK)
        return s;
    *ret_ahead = (struct ahead){
        .undefined = metrics_figure(&of_a, w->settings->figure)->undefined, .test = "paired bootstrap", .n = a->n};
    if (ret_ahead->undefined == DEFINED && (n == 0 || metrics_auc(a).undefined))
        ret_ahead->undefined = n == 0 ? UNDEFINED_TOO_MANY_ITEMS : metrics_auc(a).undefined;
    if (ret_ahead->undefined)
        return STATUS_OK;
    settings.replicates = (uint32_t)n;
    values = malloc(2 * n * sizeof(*values));
    if (!values)
        return error_no_memory(e);
    others = values + n;
    s = metrics_replicates(a, w->settings->cluster, &settings, w->settings->figure, values, e);
    if (s == STATUS_OK)
        s = metrics_replicates(b, w->settings->cluster, &settings, w->settings->figure, others, e);
    for (size_t k = 0; s == STATUS_OK && k < n; k++) {
        values[k] -= others[k];
        n_below += values[k] <= 0;
        n_above += values[k] >= 0;
    }
    if (s == STATUS_OK) {
        qsort(values, n, sizeof(*values), compare_doubles);
        ret_ahead->by =
            metrics_figure(&of_a, w->settings->figure)->value - metrics_figure(&of_b, w->settings->figure)->value;
        resample_percentiles(values, n, &ret_ahead->low, &ret_ahead->high);
        /* + 1: no p below what so many replicates can tell */
        ret_ahead->p = 2 * ((double)(n_below < n_above ? n_below : n_above) + 1) / ((double)n + 1);
        ret_ahead->p = ret_ahead->p < 1 ? ret_ahead->p : 1;
    }
    free(values);
    return s;
}

static enum status compare(const struct work *w, const struct submission *a, const struct submission *b,
                           struct ahead *ret_ahead, struct error *e)
{
    enum figure_id figure = w->settings->figure;
    struct submission *const both[2] = {(struct submission *)a, (struct submission *)b};
    struct ranking of_a = {0}, of_b = {0};
    struct ahead ahead = {0};
    struct paired p;
    enum status s = rank(w, a, both, 2, &of_a, e);

    if (s == STATUS_OK)
        s = rank(w, b, both, 2, &of_b, e);
    if (s == STATUS_OK && figure != FIGURE_AUC && figure != FIGURE_LOG_LOSS && figure != FIGURE_BRIER &&
        figure != FIGURE_ACCURACY) {
        s = compare_by_replicates(w, &of_a, &of_b, &ahead, e);
    } else if (s == STATUS_OK) {
        s = figure == FIGURE_AUC
                ? metrics_paired_auc(&of_a, &of_b, w->settings->cluster, &p, e)
                : metrics_paired_mean(&of_a, &of_b, figure, w->settings->metrics.log_loss_epsilon, &p, e);
        if (s == STATUS_OK)
            ahead = (struct ahead){
                .undefined = p.undefined, .by = p.difference, .low = p.low, .high = p.high, .p = p.p, .n = of_a.n};
        ahead.test = figure != FIGURE_AUC ? "paired z" : w->settings->cluster ? "paired, by original" : "paired DeLong";
    }
    if (s == STATUS_OK && figure_lower_is_better(figure)) {
        double low = ahead.low;

        ahead.by = -ahead.by;
        ahead.low = -ahead.high;
        ahead.high = -low;
    }
    ranking_close(&of_a);
    ranking_close(&of_b);
    if (s == STATUS_OK)
        *ret_ahead = ahead;
    return s;
}

static enum status measure(const struct work *w, const struct submission *submission, struct standing *row,
                           struct error *e)
{
    struct ranking r = {0};
    enum status s = rank(w, submission, NULL, 0, &r, e);

    if (s != STATUS_OK)
        return s;
    row->submission = submission;
    row->n = r.n;
    for (size_t i = 0; i < truth_count(w->t); i++)
        row->n_answered += w->counts[i] && submission->answer[i] == ANSWER_GIVEN &&
                           manifest_entry(truth_manifest(w->t), i)->label != LABEL_UNKNOWN;
    s = metrics_compute(&r, NULL, &w->settings->metrics, &row->metrics, e);
    if (s == STATUS_OK && w->settings->cluster)
        s = metrics_bootstrap(&r, w->settings->cluster, &w->settings->metrics, &row->by_cluster, e);
    ranking_close(&r);
    return s;
}

/* Negative: a is better. Undefined figures come last. */
static int compare_figures(const struct standing *a, const struct standing *b, enum figure_id figure)
{
    const struct measure *x = metrics_figure(&a->metrics, figure), *y = metrics_figure(&b->metrics, figure);
    double sign = figure_lower_is_better(figure) ? 1 : -1;

    if (x->undefined || y->undefined)
        return (x->undefined != DEFINED) - (y->undefined != DEFINED);
    return sign * x->value < sign * y->value ? -1 : sign * x->value > sign * y->value;
}

/* Insertion: a leaderboard is short, and equals stay in the order given. */
static void sort(struct standing *rows, size_t n, enum figure_id figure)
{
    for (size_t i = 1; i < n; i++) {
        struct standing row = rows[i];
        size_t k = i;

        for (; k > 0 && compare_figures(&row, &rows[k - 1], figure) < 0; k--)
            rows[k] = rows[k - 1];
        rows[k] = row;
    }
}

static void place_in_replicates(struct standings *s, const double *values, size_t n_replicates, enum figure_id figure,
                                double *places)
{
    double sign = figure_lower_is_better(figure) ? 1 : -1;

    for (size_t a = 0; a < s->n; a++) {
        size_t n_first = 0;

        for (size_t k = 0; k < n_replicates; k++) {
            size_t n_better = 0;

            for (size_t b = 0; b < s->n; b++)
                n_better += sign * values[b * n_replicates + k] < sign * values[a * n_replicates + k];
            places[k] = (double)n_better + 1;
            n_first += n_better == 0;
        }
        qsort(places, n_replicates, sizeof(*places), compare_doubles);
        s->rows[a].share_first = (double)n_first / (double)n_replicates;
        s->rows[a].place_low = (size_t)places[(size_t)(0.025 * (double)n_replicates)];
        s->rows[a].place_high = (size_t)places[(size_t)(0.975 * (double)(n_replicates - 1))];
    }
}

/* All submissions on what all of them have, resampled alike. */
static enum status resample_places(const struct work *w, struct submission *const *submissions, struct standings *s,
                                   struct error *e)
{
    struct metrics_settings settings = w->settings->metrics;
    struct ranking r = {0};
    double *values = NULL;
    size_t n = 0;
    enum status status = STATUS_OK;

    for (size_t k = 0; k < s->n; k++)
        s->rows[k].share_first = NAN;
    for (size_t k = 0; status == STATUS_OK && k < s->n; k++) {
        status = rank(w, s->rows[k].submission, submissions, s->n, &r, e);
        if (status != STATUS_OK)
            break;
        s->n_common = r.n;
        if (k == 0) {
            n = metrics_auc(&r).undefined ? 0 : replicates_of(w->settings, r.n);
            values = n > 0 ? reallocarray(NULL, (s->n + 1) * n, sizeof(*values)) : NULL;
            if (n > 0 && !values)
                status = error_no_memory(e);
            settings.replicates = (uint32_t)n;
        }
        if (status == STATUS_OK && n > 0)
            status = metrics_replicates(&r, w->settings->cluster, &settings, w->settings->figure, values + k * n, e);
        ranking_close(&r);
    }
    if (status == STATUS_OK && n > 0)
        place_in_replicates(s, values, n, w->settings->figure, values + s->n * n);
    free(values);
    return status;
}

/* Holm's step-down over the comparisons with the first, so that a long table does not find a difference by trying often. */
static void correct(struct standings *s)
{
    size_t n = s->n > 0 ? s->n - 1 : 0;

    for (size_t a = 1; a < s->n; a++) {
        double worst = 0;

        /* The largest, over all that have no larger p, of p times how many have no smaller one. */
        for (size_t b = 1; b < s->n; b++) {
            size_t n_smaller = 0;

            if (s->rows[b].of_this.undefined || s->rows[a].of_this.undefined ||
                s->rows[b].of_this.p > s->rows[a].of_this.p)
                continue;
            for (size_t c = 1; c < s->n; c++)
                n_smaller += !s->rows[c].of_this.undefined && (s->rows[c].of_this.p < s->rows[b].of_this.p ||
                                                               (c < b && s->rows[c].of_this.p == s->rows[b].of_this.p));
            worst = fmax(worst, s->rows[b].of_this.p * (double)(n - n_smaller));
        }
        s->rows[a].of_this_p_holm = s->rows[a].of_this.undefined ? NAN : fmin(worst, 1);
    }
}

enum status standings_make(const struct truth *t, struct submission *const *submissions, size_t n,
                           const uint8_t *counts, const struct standings_settings *settings, struct standings *ret_s,
                           struct error *e)
{
    size_t n_entries = truth_count(t);
    struct work w = {.t = t,
                     .settings = settings,
                     .counts = counts,
                     .p_fake = malloc((n_entries + 1) * sizeof(double)),
                     .is_fake = malloc(n_entries + 1),
                     .index = malloc((n_entries + 1) * sizeof(uint32_t))};
    struct standings s = {.rows = calloc(n + 1, sizeof(*s.rows)), .n = n};
    enum status status = w.p_fake && w.is_fake && w.index && s.rows ? STATUS_OK : error_no_memory(e);

    for (size_t i = 0; i < n_entries; i++) {
        enum label label = manifest_entry(truth_manifest(t), i)->label;

        s.n_real += counts[i] && label == LABEL_REAL;
        s.n_fake += counts[i] && label == LABEL_FAKE;
    }
    s.n_videos = s.n_real + s.n_fake;
    for (size_t k = 0; status == STATUS_OK && k < n; k++)
        status = measure(&w, submissions[k], &s.rows[k], e);
    if (status == STATUS_OK)
        sort(s.rows, n, settings->figure);
    for (size_t k = 0; status == STATUS_OK && k < n; k++) {
        s.rows[k].of_next.undefined = s.rows[k].of_this.undefined = UNDEFINED_NOT_ASKED;
        if (k + 1 < n)
            status = compare(&w, s.rows[k].submission, s.rows[k + 1].submission, &s.rows[k].of_next, e);
        if (status == STATUS_OK && k > 0)
            status = compare(&w, s.rows[0].submission, s.rows[k].submission, &s.rows[k].of_this, e);
    }
    if (status == STATUS_OK)
        correct(&s);
    if (status == STATUS_OK)
        status = resample_places(&w, submissions, &s, e);
    free(w.p_fake);
    free(w.is_fake);
    free(w.index);
    if (status != STATUS_OK) {
        standings_clear(&s);
        return status;
    }
    *ret_s = s;
    return STATUS_OK;
}

void standings_clear(struct standings *s)
{
    free(s->rows);
    *s = (struct standings){0};
}
