/* The interval of the AUC for dependent items, where a bootstrap would take too long: Obuchowski, "Nonparametric analysis
 * of clustered ROC curve data", Biometrics 53 (1997), in its one-sum form. The AUC's first-order change by one item is
 * its placement's deviation from the AUC, over the number of its class; a cluster's is the sum over its items; the
 * variance is that of the clusters' sums. With one item a cluster this is DeLong's, but for the degrees of freedom. */
#include "coordinator/evaluate/metrics.h"

#include <stdlib.h>

#include "coordinator/evaluate/sum.h"

enum status metrics_influence(const struct ranking *r, const uint32_t *of_position, size_t n_clusters,
                              struct interval *ret_i, struct error *e)
{
    const double normal_97_5 = 1.959963984540054;
    struct measure auc = metrics_auc(r);
    double n_real = (double)r->n_real, n_fake = (double)r->n_fake, n = (double)n_clusters, reach;
    double *sums;
    size_t reals_below = 0, fakes_below = 0;
    struct sum squares = {0};

    if (auc.undefined || n_clusters < 2) {
        *ret_i = (struct interval){
            .undefined = auc.undefined ? auc.undefined : UNDEFINED_ONE_OF_A_CLASS, .low = NAN, .high = NAN};
        return STATUS_OK;
    }
    sums = calloc(n_clusters, sizeof(*sums));
    if (!sums)
        return error_no_memory(e);
    for (size_t i = 0, end; i < r->n; i = end) {
        size_t fakes = 0, reals;
        double of_fake, of_real;

        end = ranking_tie_end(r, i);
        for (size_t k = i; k < end; k++)
            fakes += r->is_fake[k];
        reals = end - i - fakes;
        of_fake = (double)(2 * reals_below + reals) / (2 * n_real) - auc.value;
        of_real = (double)(2 * (r->n_fake - fakes_below - fakes) + fakes) / (2 * n_fake) - auc.value;
        for (size_t k = i; k < end; k++)
            sums[of_position[k]] += r->is_fake[k] ? of_fake / n_fake : of_real / n_real;
        reals_below += reals;
        fakes_below += fakes;
    }
    for (size_t k = 0; k < n_clusters; k++)
        sum_add(&squares, sums[k] * sums[k]);
    free(sums);
    reach = normal_97_5 * sqrt(n / (n - 1) * sum_value(&squares));
    *ret_i = (struct interval){
        .is_influence = true,
        .is_collapsed = !(reach > 0),
        .n_clusters = (uint32_t)n_clusters,
        .low = auc.value - reach > 0 ? auc.value - reach : 0,
        .high = auc.value + reach < 1 ? auc.value + reach : 1,
    };
    return STATUS_OK;
}
