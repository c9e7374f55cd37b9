/* Efron's bootstrap of the AUC, by cluster. A replicate draws as many clusters as there are from each
 * stratum, then one pass over the ranking takes each item as often as its cluster was drawn: linear in the
 * items, no sort. */
#include "coordinator/evaluate/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/evaluate/random.h"

/* What a cluster holds, as bits: 1 = a real, 2 = a fake. */
enum { N_STRATA = 4 };

struct clusters {
    uint32_t *of_position; /* dense cluster of each position of the ranking */
    uint32_t *members;     /* clusters, stratum by stratum, each in rising order */
    uint32_t *drawn;       /* how often each was drawn in the replicate */
    size_t first[N_STRATA + 1];
    size_t n;
};

static void clusters_free(struct clusters *c)
{
    free(c->of_position);
    free(c->members);
    free(c->drawn);
    *c = (struct clusters){0};
}

struct keyed {
    uint32_t cluster, position;
};

static int compare_keyed(const void *left, const void *right)
{
    const struct keyed *a = left, *b = right;

    if (a->cluster != b->cluster)
        return a->cluster < b->cluster ? -1 : 1;
    return a->position < b->position ? -1 : a->position > b->position;
}

/* As number_clusters below, where a table of all names is small: one pass. */
static enum status number_by_table(const struct ranking *r, const uint32_t *cluster, uint32_t max_name,
                                   struct clusters *c, struct error *e)
{
    uint32_t *number = calloc((size_t)max_name + 1, sizeof(*number)); /* + 1; 0: not seen yet */

    if (!number)
        return error_no_memory(e);
    for (size_t i = 0; i < r->n; i++) {
        uint32_t *its = &number[cluster[r->item[i]]];

        if (*its == 0)
            *its = (uint32_t)++c->n;
        c->of_position[i] = *its - 1;
    }
    free(number);
    return STATUS_OK;
}

/* Numbers the clusters densely, in rising order of their first position in the ranking, so that a replicate
 * does not depend on how the caller named them. */
static enum status number_clusters(const struct ranking *r, const uint32_t *cluster, struct clusters *c,
                                   struct error *e)
{
    struct keyed *keyed;
    uint32_t *first_position; /* of each position's cluster */
    uint32_t max_name = 0;

    if (!cluster) {
        for (size_t i = 0; i < r->n; i++)
            c->of_position[i] = (uint32_t)i;
        c->n = r->n;
        return STATUS_OK;
    }
    for (size_t i = 0; i < r->n; i++)
        max_name = cluster[r->item[i]] > max_name ? cluster[r->item[i]] : max_name;
    if (max_name / 8 <= r->n)
        return number_by_table(r, cluster, max_name, c, e);
    keyed = malloc(r->n * sizeof(*keyed));
    first_position = malloc(r->n * sizeof(*first_position));
    if (!keyed || !first_position) {
        free(keyed);
        free(first_position);
        return error_no_memory(e);
    }
    for (size_t i = 0; i < r->n; i++)
        keyed[i] = (struct keyed){.cluster = cluster[r->item[i]], .position = (uint32_t)i};
    qsort(keyed, r->n, sizeof(*keyed), compare_keyed);
    for (size_t i = 0, head = 0; i < r->n; i++) {
        if (keyed[i].cluster != keyed[head].cluster)
            head = i;
        first_position[keyed[i].position] = keyed[head].position;
    }
    for (size_t i = 0; i < r->n; i++)
        c->of_position[i] = first_position[i] == i ? (uint32_t)c->n++ : c->of_position[first_position[i]];
    free(keyed);
    free(first_position);
    return STATUS_OK;
}

static enum status clusters_make(const struct ranking *r, const uint32_t *cluster, struct clusters *ret_c,
                                 struct error *e)
{
    struct clusters c = {0};
    uint8_t *holds = NULL;
    size_t next[N_STRATA];
    enum status s = STATUS_NO_MEMORY;

    c.of_position = malloc(r->n * sizeof(*c.of_position));
    if (!c.of_position)
        goto error;
    s = number_clusters(r, cluster, &c, e);
    if (s != STATUS_OK)
        goto error;
    s = STATUS_NO_MEMORY;
    /* Room for as many clusters as there are items, of which the caller has some. */
    holds = calloc(r->n, sizeof(*holds));
    c.members = malloc(r->n * sizeof(*c.members));
    c.drawn = malloc(r->n * sizeof(*c.drawn));
    if (!holds || !c.members || !c.drawn)
        goto error;
    for (size_t i = 0; i < r->n; i++)
        holds[c.of_position[i]] |= r->is_fake[i] ? 2 : 1;
    for (size_t k = 0; k < c.n; k++)
        c.first[holds[k] + 1]++;
    for (int stratum = 0; stratum < N_STRATA; stratum++) {
        c.first[stratum + 1] += c.first[stratum];
        next[stratum] = c.first[stratum];
    }
    for (size_t k = 0; k < c.n; k++)
        c.members[next[holds[k]]++] = (uint32_t)k;
    free(holds);
    *ret_c = c;
    return STATUS_OK;
error:
    free(holds);
    clusters_free(&c);
    return s == STATUS_NO_MEMORY ? error_no_memory(e) : s;
}

static void draw(struct clusters *c, struct random *random)
{
    memset(c->drawn, 0, c->n * sizeof(*c->drawn));
    for (int stratum = 0; stratum < N_STRATA; stratum++) {
        uint32_t n = (uint32_t)(c->first[stratum + 1] - c->first[stratum]);
        const uint32_t *members = c->members + c->first[stratum];

        for (uint32_t k = 0; k < n; k++)
            c->drawn[members[random_below(random, n)]]++;
    }
}

static double auc_of_replicate(const struct ranking *r, const struct clusters *c)
{
    uint64_t reals_below = 0, n_fake = 0;
    double u = 0; /* sums of halves below 2^53 for any corpus that fits in memory: exact */

    for (size_t i = 0; i < r->n;) {
        double score = r->p_fake[i];
        uint64_t reals = 0, fakes = 0;

        do {
            uint64_t times = c->drawn[c->of_position[i]];

            if (r->is_fake[i])
                fakes += times;
            else
                reals += times;
            i++;
        } while (i < r->n && r->p_fake[i] == score);
        u += (double)fakes * ((double)reals_below + (double)reals / 2);
        reals_below += reals;
        n_fake += fakes;
    }
    return u / ((double)reals_below * (double)n_fake);
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return a < b ? -1 : a > b;
}

/* Between order statistics, linearly (type 7 of Hyndman and Fan, numpy's default). */
static double quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t below = (size_t)at;

    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

enum status metrics_bootstrap(const struct ranking *r, const uint32_t *cluster, const struct metrics_settings *settings,
                              struct interval *ret_i, struct error *e)
{
    struct interval interval = {.undefined = metrics_auc(r).undefined, .low = NAN, .high = NAN};
    struct clusters c = {0};
    struct random random;
    double *aucs = NULL;
    size_t replicates = settings->replicates;
    bool by_influence = false;
    enum status s;

    if (interval.undefined == DEFINED && replicates == 0)
        interval.undefined = UNDEFINED_NOT_ASKED;
    if (interval.undefined == DEFINED && replicates > settings->max_draws / r->n) {
        replicates = (size_t)(settings->max_draws / r->n);
        by_influence = replicates < METRICS_MIN_REPLICATES;
        if (by_influence && (!cluster || !settings->influence_beyond))
            interval.undefined = UNDEFINED_TOO_MANY_ITEMS;
    }
    if (interval.undefined != DEFINED) {
        *ret_i = interval;
        return STATUS_OK;
    }
    s = clusters_make(r, cluster, &c, e);
    if (s != STATUS_OK)
        return s;
    if (by_influence) {
        s = metrics_influence(r, c.of_position, c.n, ret_i, e);
        goto end;
    }
    aucs = malloc(replicates * sizeof(*aucs));
    if (!aucs) {
        s = error_no_memory(e);
        goto end;
    }
    random_seed(&random, settings->seed);
    for (size_t k = 0; k < replicates; k++) {
        draw(&c, &random);
        aucs[k] = auc_of_replicate(r, &c);
    }
    qsort(aucs, replicates, sizeof(*aucs), compare_doubles);
    interval.low = quantile(aucs, replicates, 0.025);
    interval.high = quantile(aucs, replicates, 0.975);
    interval.is_collapsed = aucs[0] == aucs[replicates - 1];
    interval.replicates = (uint32_t)replicates;
    interval.n_clusters = (uint32_t)c.n;
    *ret_i = interval;
end:
    free(aucs);
    clusters_free(&c);
    return s;
}
