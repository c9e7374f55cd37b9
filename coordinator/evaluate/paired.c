/* Is a really better than b, on the same items? DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more
 * correlated ROC curves", Biometrics 44 (1988); by cluster, Obuchowski, Biometrics 53 (1997). */
#include "coordinator/evaluate/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/evaluate/figures.h"
#include "coordinator/evaluate/resample.h"
#include "coordinator/evaluate/sum.h"

static const double normal_97_5 = 1.959963984540054;

static struct paired no_test(enum undefined why)
{
    return (struct paired){
        .undefined = why, .difference = NAN, .standard_error = NAN, .z = NAN, .p = NAN, .low = NAN, .high = NAN};
}

/* scale: of the items' differences, whose rounding must not pass for variation. */
static struct paired test_of(double difference, double variance, double scale, size_t n)
{
    struct paired p = {.difference = difference, .n = n};

    if (variance * (double)n < 1e-28 * scale * scale)
        variance = 0;
    p.standard_error = sqrt(variance);
    p.low = difference - normal_97_5 * p.standard_error;
    p.high = difference + normal_97_5 * p.standard_error;
    /* Nothing varies: equal, or one is ahead on every pair, which a normal test cannot weigh. */
    p.z = variance > 0 ? difference / p.standard_error : difference == 0 ? 0 : copysign(INFINITY, difference);
    p.p = erfc(fabs(p.z) / sqrt(2));
    return p;
}

/* position[item of b] = position in b; UINT32_MAX elsewhere. STATUS_INVALID unless both hold the same items and labels. */
static enum status match(const struct ranking *a, const struct ranking *b, uint32_t **ret_of_b, struct error *e)
{
    uint32_t max_item = 0, *of_b;
    bool same = a->n == b->n && a->n_fake == b->n_fake;

    for (size_t i = 0; i < a->n; i++)
        max_item = a->item[i] > max_item ? a->item[i] : max_item;
    of_b = malloc(((size_t)max_item + 1) * sizeof(*of_b));
    if (!of_b)
        return error_no_memory(e);
    for (size_t i = 0; i <= max_item; i++)
        of_b[i] = UINT32_MAX;
    for (size_t i = 0; same && i < b->n; i++) {
        same = b->item[i] <= max_item && of_b[b->item[i]] == UINT32_MAX;
        if (same)
            of_b[b->item[i]] = (uint32_t)i;
    }
    for (size_t i = 0; same && i < a->n; i++) {
        uint32_t there = of_b[a->item[i]];

        same = there != UINT32_MAX && b->is_fake[there] == a->is_fake[i];
    }
    if (!same) {
        free(of_b);
        error_set(e, STATUS_INVALID, "metrics: a paired test needs the same items with the same labels");
        return STATUS_INVALID;
    }
    *ret_of_b = of_b;
    return STATUS_OK;
}

/* By position: the share of the other class that the item is on the right side of, a tie being half. */
static void place(const struct ranking *r, double *placement)
{
    double n_real = (double)r->n_real, n_fake = (double)r->n_fake;
    size_t reals_below = 0, fakes_below = 0;

    for (size_t i = 0, end; i < r->n; i = end) {
        size_t fakes = 0, reals;

        end = ranking_tie_end(r, i);
        for (size_t k = i; k < end; k++)
            fakes += r->is_fake[k];
        reals = end - i - fakes;
        for (size_t k = i; k < end; k++)
            placement[k] = r->is_fake[k] ? (double)(2 * reals_below + reals) / (2 * n_real)
                                         : (double)(2 * (r->n_fake - fakes_below - fakes) + fakes) / (2 * n_fake);
        reals_below += reals;
        fakes_below += fakes;
    }
}

/* differences: by position of a. */
static struct paired by_item(const struct ranking *a, const double *differences, double difference)
{
    double n_real = (double)a->n_real, n_fake = (double)a->n_fake;
    struct sum squares[2] = {{0}};

    for (size_t i = 0; i < a->n; i++) {
        double off = differences[i] - difference;

        sum_add(&squares[a->is_fake[i]], off * off);
    }
    return test_of(difference,
                   sum_value(&squares[1]) / (n_fake - 1) / n_fake + sum_value(&squares[0]) / (n_real - 1) / n_real, 1,
                   a->n);
}

static enum status by_cluster(const struct ranking *a, const uint32_t *cluster, const double *differences,
                              double difference, struct paired *ret_p, struct error *e)
{
    struct resample resample = {0};
    struct sum squares = {0};
    double *sums = NULL, n;
    enum status s = resample_open(a, cluster, 0, &resample, e);

    if (s != STATUS_OK)
        return s;
    sums = calloc(resample.n + 1, sizeof(*sums));
    if (!sums) {
        resample_close(&resample);
        return error_no_memory(e);
    }
    for (size_t i = 0; i < a->n; i++)
        sums[resample.of_position[i]] +=
            (differences[i] - difference) / (double)(a->is_fake[i] ? a->n_fake : a->n_real);
    for (size_t k = 0; k < resample.n; k++)
        sum_add(&squares, sums[k] * sums[k]);
    n = (double)resample.n;
    *ret_p = resample.n < 2 ? no_test(UNDEFINED_ONE_OF_A_CLASS)
                            : test_of(difference, n / (n - 1) * sum_value(&squares), 1, resample.n);
    free(sums);
    resample_close(&resample);
    return STATUS_OK;
}

enum status metrics_paired_auc(const struct ranking *a, const struct ranking *b, const uint32_t *cluster,
                               struct paired *ret_p, struct error *e)
{
    struct measure auc_a = metrics_auc(a), auc_b = metrics_auc(b);
    uint32_t *of_b = NULL;
    double *of_a = NULL, *there = NULL;
    enum status s = match(a, b, &of_b, e);

    if (s != STATUS_OK)
        return s;
    if (auc_a.undefined || a->n_real < 2 || a->n_fake < 2) {
        *ret_p = no_test(auc_a.undefined ? auc_a.undefined : UNDEFINED_ONE_OF_A_CLASS);
        goto end;
    }
    of_a = calloc(a->n, sizeof(*of_a));
    there = calloc(a->n, sizeof(*there));
    if (!of_a || !there) {
        s = error_no_memory(e);
        goto end;
    }
    place(a, of_a);
    place(b, there);
    for (size_t i = 0; i < a->n; i++)
        of_a[i] -= there[of_b[a->item[i]]];
    if (cluster)
        s = by_cluster(a, cluster, of_a, auc_a.value - auc_b.value, ret_p, e);
    else
        *ret_p = by_item(a, of_a, auc_a.value - auc_b.value);
end:
    free(of_b);
    free(of_a);
    free(there);
    return s;
}

static double loss_of(double p, bool is_fake, enum figure_id figure, double epsilon)
{
    if (figure == FIGURE_LOG_LOSS)
        return figures_log_loss_of(p, is_fake, epsilon);
    if (figure == FIGURE_BRIER)
        return (p - is_fake) * (p - is_fake);
    return (p >= 0.5) == is_fake;
}

enum status metrics_paired_mean(const struct ranking *a, const struct ranking *b, enum figure_id figure, double epsilon,
                                struct paired *ret_p, struct error *e)
{
    struct sum total = {0}, squares = {0};
    uint32_t *of_b = NULL;
    double n = (double)a->n, mean = 0;
    enum status s;

    if (figure != FIGURE_LOG_LOSS && figure != FIGURE_BRIER && figure != FIGURE_ACCURACY)
        return error_set(e, STATUS_INVALID, "metrics: no mean over items: %s", figure_name(figure));
    s = match(a, b, &of_b, e);
    if (s != STATUS_OK)
        return s;
    if (a->n < 2) {
        *ret_p = no_test(a->n == 0 ? UNDEFINED_NO_ITEMS : UNDEFINED_ONE_OF_A_CLASS);
        free(of_b);
        return STATUS_OK;
    }
    for (int pass = 0; pass < 2; pass++) {
        mean = sum_value(&total) / n;
        for (size_t i = 0; i < a->n; i++) {
            double off = loss_of(a->p_fake[i], a->is_fake[i], figure, epsilon) -
                         loss_of(b->p_fake[of_b[a->item[i]]], a->is_fake[i], figure, epsilon);

            if (pass == 0)
                sum_add(&total, off);
            else
                sum_add(&squares, (off - mean) * (off - mean));
        }
    }
    *ret_p = test_of(sum_value(&total) / n, sum_value(&squares) / (n - 1) / n, mean, a->n);
    free(of_b);
    return STATUS_OK;
}
