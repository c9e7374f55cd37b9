#include "coordinator/audit/logistic.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_STEPS = 100, MAX_HALVINGS = 40, ROOM = LOGISTIC_MAX_WIDTH + 1 };

/* One step's sums. */
struct newton {
    double gradient[ROOM];
    double hessian[ROOM * ROOM]; /* lower triangle by rows; then its Cholesky factor */
};

static double linear(const struct logistic_data *d, size_t row, const double *w)
{
    double z = w[d->width];

    for (size_t k = 0; k < d->width; k++)
        z += d->x[row * d->width + k] * w[k];
    return z;
}

static double sigmoid(double z)
{
    return z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z));
}

double logistic_score(const struct logistic_data *d, size_t row, const double *w)
{
    return sigmoid(linear(d, row, w));
}

static double objective(const struct logistic_data *d, const uint8_t *keep, const double *w)
{
    double sum = 0;

    for (size_t k = 0; k < d->width; k++)
        sum += 0.5 * w[k] * w[k];
    for (size_t i = 0; i < d->n; i++) {
        double z;

        if (keep && !keep[i])
            continue;
        z = d->y[i] ? linear(d, i, w) : -linear(d, i, w);
        sum += z >= 0 ? log1p(exp(-z)) : log1p(exp(z)) - z;
    }
    return sum;
}

static void accumulate(const struct logistic_data *d, const uint8_t *keep, const double *w, struct newton *t)
{
    size_t m = d->width + 1;
    double row[ROOM];

    memset(t->gradient, 0, m * sizeof(t->gradient[0]));
    memset(t->hessian, 0, m * m * sizeof(t->hessian[0]));
    for (size_t k = 0; k < d->width; k++) {
        t->gradient[k] = w[k];
        t->hessian[k * m + k] = 1;
    }
    row[d->width] = 1;
    for (size_t i = 0; i < d->n; i++) {
        double p, weight;

        if (keep && !keep[i])
            continue;
        p = logistic_score(d, i, w);
        weight = p * (1 - p);
        memcpy(row, d->x + i * d->width, d->width * sizeof(row[0]));
        for (size_t k = 0; k < m; k++) {
            double scaled = weight * row[k];

            t->gradient[k] += (p - d->y[i]) * row[k];
            for (size_t l = 0; l <= k; l++)
                t->hessian[k * m + l] += scaled * row[l];
        }
    }
    /* All scores at 0 or 1 leave the intercept without curvature. */
    t->hessian[d->width * m + d->width] += 1e-10;
}

/* In place. False: not positive definite. */
static bool cholesky(double *a, size_t m)
{
    for (size_t k = 0; k < m; k++) {
        for (size_t l = 0; l <= k; l++) {
            double sum = a[k * m + l];

            for (size_t i = 0; i < l; i++)
                sum -= a[k * m + i] * a[l * m + i];
            if (k == l && !(sum > 0))
                return false;
            a[k * m + l] = k == l ? sqrt(sum) : sum / a[l * m + l];
        }
    }
    return true;
}

static void solve(const double *factor, size_t m, double *v)
{
    for (size_t k = 0; k < m; k++) {
        for (size_t i = 0; i < k; i++)
            v[k] -= factor[k * m + i] * v[i];
        v[k] /= factor[k * m + k];
    }
    for (size_t k = m; k-- > 0;) {
        for (size_t i = k + 1; i < m; i++)
            v[k] -= factor[i * m + k] * v[i];
        v[k] /= factor[k * m + k];
    }
}

/* One step; *ret_done when nothing is left to be gained. */
static bool step(const struct logistic_data *d, const uint8_t *keep, struct newton *t, double *w, double *value,
                 bool *ret_done)
{
    size_t m = d->width + 1;
    double size = 1, decrease = 0, direction[ROOM], tried[ROOM], next;

    accumulate(d, keep, w, t);
    memcpy(direction, t->gradient, m * sizeof(direction[0]));
    if (!cholesky(t->hessian, m))
        return false;
    solve(t->hessian, m, direction);
    for (size_t k = 0; k < m; k++)
        decrease += direction[k] * t->gradient[k];
    *ret_done = decrease < 1e-18 * (1 + fabs(*value));
    for (int h = 0; h < MAX_HALVINGS; h++, size /= 2) {
        for (size_t k = 0; k < m; k++)
            tried[k] = w[k] - size * direction[k];
        next = objective(d, keep, tried);
        if (next <= *value) {
            *ret_done = *ret_done || next == *value;
            memcpy(w, tried, m * sizeof(w[0]));
            *value = next;
            return true;
        }
    }
    *ret_done = true; /* no smaller value in double precision */
    return true;
}

enum status logistic_fit(const struct logistic_data *d, const uint8_t *keep, double *ret_w, struct error *e)
{
    double w[ROOM] = {0}, value;
    size_t n[2] = {0};
    struct newton *t;
    bool done = false;

    if (d->width > LOGISTIC_MAX_WIDTH)
        return error_set(e, STATUS_INVALID, "logistic regression: %zu columns, at most %d", d->width,
                         LOGISTIC_MAX_WIDTH);
    for (size_t i = 0; i < d->n; i++)
        n[d->y[i] != 0] += !keep || keep[i];
    if (n[0] == 0 || n[1] == 0) {
        error_set(e, STATUS_INVALID, "logistic regression: one class only");
        return STATUS_INVALID;
    }
    t = malloc(sizeof(*t));
    if (!t)
        return error_no_memory(e);
    value = objective(d, keep, w);
    for (int k = 0; k < MAX_STEPS && !done; k++) {
        if (!step(d, keep, t, w, &value, &done))
            break;
    }
    free(t);
    memcpy(ret_w, w, (d->width + 1) * sizeof(w[0]));
    return STATUS_OK;
}

/* Columns of the rows that keep has: their mean and deviation; 1 where nothing varies. */
static void measure(const struct logistic_data *d, const uint8_t *keep, double *mean, double *deviation)
{
    size_t n = 0;

    memset(mean, 0, d->width * sizeof(mean[0]));
    memset(deviation, 0, d->width * sizeof(deviation[0]));
    for (size_t i = 0; i < d->n; i++) {
        n += keep[i] != 0;
        for (size_t k = 0; keep[i] && k < d->width; k++)
            mean[k] += d->x[i * d->width + k];
    }
    for (size_t k = 0; k < d->width; k++)
        mean[k] /= n > 0 ? (double)n : 1;
    for (size_t i = 0; i < d->n; i++) {
        for (size_t k = 0; keep[i] && k < d->width; k++) {
            double off = d->x[i * d->width + k] - mean[k];

            deviation[k] += off * off;
        }
    }
    for (size_t k = 0; k < d->width; k++) {
        deviation[k] = sqrt(deviation[k] / (n > 0 ? (double)n : 1));
        if (!(deviation[k] > 1e-12))
            deviation[k] = 1;
    }
}

enum status logistic_cross(const struct logistic_data *d, const uint8_t *fold, double *ret_p, struct error *e)
{
    uint8_t *keep = malloc(d->n + 1);
    double *x = malloc((d->n * d->width + 1) * sizeof(*x)), *p = malloc((d->n + 1) * sizeof(*p));
    double mean[ROOM] = {0}, deviation[ROOM] = {0}, w[ROOM] = {0};
    const struct logistic_data scaled = {.x = x, .y = d->y, .n = d->n, .width = d->width};
    enum status s = keep && x && p ? STATUS_OK : error_no_memory(e);

    if (s == STATUS_OK && d->width > LOGISTIC_MAX_WIDTH)
        s = error_set(e, STATUS_INVALID, "logistic regression: %zu columns, at most %d", d->width, LOGISTIC_MAX_WIDTH);
    for (unsigned f = 0; s == STATUS_OK && f < LOGISTIC_FOLDS; f++) {
        size_t n_left = 0;

        for (size_t i = 0; i < d->n; i++) {
            keep[i] = fold[i] != f;
            n_left += !keep[i];
        }
        if (n_left == 0)
            continue;
        measure(d, keep, mean, deviation);
        for (size_t i = 0; i < d->n; i++) {
            for (size_t k = 0; k < d->width; k++)
                x[i * d->width + k] = (d->x[i * d->width + k] - mean[k]) / deviation[k];
        }
        s = logistic_fit(&scaled, keep, w, e);
        for (size_t i = 0; s == STATUS_OK && i < d->n; i++) {
            if (!keep[i])
                p[i] = logistic_score(&scaled, i, w);
        }
    }
    if (s == STATUS_OK)
        memcpy(ret_p, p, d->n * sizeof(*p));
    free(keep);
    free(x);
    free(p);
    return s;
}
