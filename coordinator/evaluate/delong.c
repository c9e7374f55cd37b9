/* DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated ROC curves",
 * Biometrics 44 (1988); computed from ranks as Sun and Xu, "Fast implementation of DeLong's algorithm", IEEE
 * SPL 21 (2014). */
#include "coordinator/evaluate/metrics.h"

#include "coordinator/evaluate/sum.h"

/* Placements: for a fake, the share of reals that it beats (a tie is half); for a real, the share of fakes
 * that beat it. Twice the count is an integer, taken per run of ties. */
struct placements {
    struct sum fakes, reals; /* of squared deviations from the mean */
};

static void walk(const struct ranking *r, double mean, struct placements *ret_p)
{
    double n_real = (double)r->n_real, n_fake = (double)r->n_fake;
    size_t reals_below = 0, fakes_below = 0;
    struct placements p = {0};

    for (size_t i = 0, end; i < r->n; i = end) {
        size_t fakes = 0, reals;
        double of_fake, of_real;

        end = ranking_tie_end(r, i);
        for (size_t k = i; k < end; k++)
            fakes += r->is_fake[k];
        reals = end - i - fakes;
        of_fake = (double)(2 * reals_below + reals) / (2 * n_real) - mean;
        of_real = (double)(2 * (r->n_fake - fakes_below - fakes) + fakes) / (2 * n_fake) - mean;
        sum_add(&p.fakes, (double)fakes * of_fake * of_fake);
        sum_add(&p.reals, (double)reals * of_real * of_real);
        reals_below += reals;
        fakes_below += fakes;
    }
    *ret_p = p;
}

static struct measure variance_of(const struct ranking *r, struct measure auc)
{
    double n_real = (double)r->n_real, n_fake = (double)r->n_fake;
    struct placements p;

    if (auc.undefined)
        return auc;
    if (r->n_real < 2 || r->n_fake < 2)
        return (struct measure){.undefined = UNDEFINED_ONE_OF_A_CLASS, .value = NAN};
    /* Both kinds of placement have the AUC as their mean. */
    walk(r, auc.value, &p);
    return (struct measure){.value = sum_value(&p.fakes) / (n_fake - 1) / n_fake +
                                     sum_value(&p.reals) / (n_real - 1) / n_real};
}

struct measure metrics_delong_variance(const struct ranking *r)
{
    return variance_of(r, metrics_auc(r));
}

struct interval metrics_delong(const struct ranking *r)
{
    const double normal_97_5 = 1.959963984540054; /* the normal distribution's 0.975 quantile */
    struct measure auc = metrics_auc(r), variance = variance_of(r, auc);
    double reach;

    if (variance.undefined)
        return (struct interval){.undefined = variance.undefined, .low = NAN, .high = NAN};
    reach = normal_97_5 * sqrt(variance.value);
    return (struct interval){
        .low = auc.value - reach > 0 ? auc.value - reach : 0,
        .high = auc.value + reach < 1 ? auc.value + reach : 1,
        .is_collapsed = variance.value == 0,
    };
}
