/* Temperature scaling: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017. */
#include "coordinator/evaluate/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "coordinator/evaluate/sum.h"
#include "shard/aggregate.h"

static const double lowest = 0.01, highest = 100, clipped_at = 1e-7;
enum { MAX_STEPS = 200 };

static double logit_of(double p)
{
    p = p < clipped_at ? clipped_at : p > 1 - clipped_at ? 1 - clipped_at : p;
    return log(p) - log1p(-p);
}

/* The slope of the log loss over beta = 1 / T, which rises with beta, and the slope's slope. */
static double slope(const struct ranking *r, const double *logits, double beta, double *ret_curvature)
{
    struct sum sum = {0}, curvature = {0};

    for (size_t i = 0; i < r->n; i++) {
        double p = 1 / (1 + exp(-beta * logits[i]));

        sum_add(&sum, logits[i] * (p - r->is_fake[i]));
        sum_add(&curvature, logits[i] * logits[i] * p * (1 - p));
    }
    *ret_curvature = sum_value(&curvature);
    return sum_value(&sum);
}

enum status metrics_temperature(const struct ranking *r, struct measure *ret_t, bool *ret_at_bound, struct error *e)
{
    double low = 1 / highest, high = 1 / lowest, beta = 1, curvature, *logits;
    enum undefined why = metrics_auc(r).undefined;

    *ret_at_bound = false;
    if (why != DEFINED) {
        *ret_t = (struct measure){.undefined = why, .value = NAN};
        return STATUS_OK;
    }
    logits = malloc(r->n * sizeof(*logits));
    if (!logits)
        return error_no_memory(e);
    for (size_t i = 0; i < r->n; i++)
        logits[i] = logit_of(r->p_fake[i]);
    if (slope(r, logits, low, &curvature) >= 0) {
        *ret_at_bound = true;
        beta = low;
    } else if (slope(r, logits, high, &curvature) <= 0) {
        *ret_at_bound = true;
        beta = high;
    }
    /* Newton's steps, halving instead where one would leave what is known to hold the root. */
    for (int k = 0; k < MAX_STEPS && !*ret_at_bound && high - low > 1e-14 * high; k++) {
        double at = slope(r, logits, beta, &curvature), next;

        if (at == 0)
            break;
        if (at < 0)
            low = beta;
        else
            high = beta;
        next = beta - at / curvature;
        if (!(next > low && next < high))
            next = low + (high - low) / 2;
        if (fabs(next - beta) <= 1e-15 * beta)
            break;
        beta = next;
    }
    free(logits);
    *ret_t = (struct measure){.value = 1 / beta};
    return STATUS_OK;
}

enum status metrics_tempered(const struct ranking *r, double temperature, struct ranking *ret_r, struct error *e)
{
    double *p_fake = malloc((r->n + 1) * sizeof(*p_fake));
    struct ranking out = {0};
    enum status s;

    if (!p_fake)
        return error_no_memory(e);
    for (size_t i = 0; i < r->n; i++)
        p_fake[i] = calibrate(temperature, 0, r->p_fake[i]);
    s = ranking_open(p_fake, r->is_fake, r->n, &out, e);
    free(p_fake);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < r->n; i++)
        out.item[i] = r->item[out.item[i]];
    *ret_r = out;
    return STATUS_OK;
}
