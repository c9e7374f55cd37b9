/* figures: every figure of a ranking in one walk, of its items once each or as often as a replicate drew them. Internal to
 * coordinator/evaluate. */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_FIGURES_H
#define FAKESIFT_COORDINATOR_EVALUATE_FIGURES_H

#include "coordinator/evaluate/metrics.h"

/* What a walk gives; NaN where a class is missing, or nothing is there. */
struct figures {
    double value[FIGURE_COUNT];
    size_t n_fake_called_fake, n_real_called_fake;
};

double figures_log_loss_of(double p_fake, bool is_fake, double epsilon);
/* times: by position, how often the item counts; NULL: once. loss: by position, its log loss; NULL: computed. */
void figures_walk(const struct ranking *r, const uint8_t *times, const double *loss, double epsilon,
                  struct figures *ret_f);

#endif
