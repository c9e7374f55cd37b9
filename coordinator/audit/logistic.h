/* logistic: ridge-penalised logistic regression, and the scores that it gives to items that it was not fitted on.
 *
 * In: a matrix of numbers, labels, a fold for each item. Out: coefficients, probabilities. Minimises
 * 0.5 |w|^2 + sum of log(1 + exp(-y (x w + b))), y = -1 or 1, b without penalty: scikit-learn's LogisticRegression(C=1).
 * Newton's method with step halving, in double, one order of summation: the same bits everywhere. */
#ifndef FAKESIFT_COORDINATOR_AUDIT_LOGISTIC_H
#define FAKESIFT_COORDINATOR_AUDIT_LOGISTIC_H

#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

enum { LOGISTIC_FOLDS = 5, LOGISTIC_MAX_WIDTH = 128 };

struct logistic_data {
    const double *x;  /* n rows of width values */
    const uint8_t *y; /* 0 or 1 */
    size_t n, width;
};

/* keep[n] (NULL: all): the rows to fit. ret_w: width values, then the intercept. STATUS_INVALID: one class only, or more
 * than LOGISTIC_MAX_WIDTH columns. */
enum status logistic_fit(const struct logistic_data *d, const uint8_t *keep, double *ret_w, struct error *e);
double logistic_score(const struct logistic_data *d, size_t row, const double *w); /* 0..1 */

/* ret_p[n]: each row's probability by the fit on the other folds, whose columns are brought to mean 0 and deviation 1.
 * fold[n]: below LOGISTIC_FOLDS. STATUS_INVALID also: some fold's others hold one class only. */
enum status logistic_cross(const struct logistic_data *d, const uint8_t *fold, double *ret_p, struct error *e);

#endif
