/* sum: Neumaier's compensated sum. Its error does not grow with the number of terms, so a mean over 10^7
 * items is as good as one over ten. Needs a compiler that does not reassociate (no -ffast-math). */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_SUM_H
#define FAKESIFT_COORDINATOR_EVALUATE_SUM_H

#include <math.h>

struct sum {
    double total, lost;
};

static inline void sum_add(struct sum *s, double term)
{
    double total = s->total + term;

    if (fabs(s->total) >= fabs(term))
        s->lost += (s->total - total) + term;
    else
        s->lost += (term - total) + s->total;
    s->total = total;
}

static inline double sum_value(const struct sum *s)
{
    return s->total + s->lost;
}

#endif
