#include "shard/aggregate.h"

#include <math.h>
#include <stdlib.h>

static const double CLIP_EPSILON = 1e-7;

static double mean(const double *values, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

static double logit(double p)
{
    p = fmin(fmax(p, CLIP_EPSILON), 1 - CLIP_EPSILON);
    return log(p / (1 - p));
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double mean_logit(const double *values, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += logit(values[i]);
    return sigmoid(sum / (double)count);
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x < y) - (x > y);
}

static double median(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), descending);
    if (count % 2 == 1)
        return values[count / 2];
    return (values[count / 2 - 1] + values[count / 2]) / 2;
}

static double mean_where(const double *values, size_t count, double low, double high)
{
    double sum = 0;
    size_t n = 0;

    for (size_t i = 0; i < count; i++) {
        if (values[i] > low && values[i] < high) {
            sum += values[i];
            n++;
        }
    }
    return sum / (double)n;
}

/* FORMATS.md, "confident": trust sure frames when there are enough of them. */
static double confident(const double *values, size_t count)
{
    size_t n_fake = 0, n_real = 0;

    for (size_t i = 0; i < count; i++) {
        n_fake += values[i] > 0.8;
        n_real += values[i] < 0.2;
    }
    if (n_fake > (size_t)floor((double)count / 2.5) && n_fake > 11)
        return mean_where(values, count, 0.8, INFINITY);
    if ((double)n_real > 0.9 * (double)count)
        return mean_where(values, count, -INFINITY, 0.2);
    return mean(values, count);
}

double aggregate(enum aggregation rule, unsigned top_k, double *values, size_t count)
{
    size_t n = 0;

    switch (rule) {
    case AGGREGATE_MEAN_LOGIT:
        return mean_logit(values, count);
    case AGGREGATE_MEDIAN:
        return median(values, count);
    case AGGREGATE_MAX:
        qsort(values, count, sizeof(*values), descending);
        return values[0];
    case AGGREGATE_TOP_K:
        qsort(values, count, sizeof(*values), descending);
        return mean(values, count < top_k ? count : top_k);
    case AGGREGATE_CONFIDENT:
        return confident(values, count);
    case AGGREGATE_SHARE:
        for (size_t i = 0; i < count; i++)
            n += values[i] >= 0.5;
        return (double)n / (double)count;
    case AGGREGATE_MEAN:
        break;
    }
    return mean(values, count);
}

double aggregate_weighted(enum aggregation rule, const double *values, const double *weights, size_t count)
{
    double sum = 0, all = 0;

    for (size_t i = 0; i < count; i++) {
        sum += weights[i] * (rule == AGGREGATE_MEAN_LOGIT ? logit(values[i]) : values[i]);
        all += weights[i];
    }
    return rule == AGGREGATE_MEAN_LOGIT ? sigmoid(sum / all) : sum / all;
}

double calibrate(double temperature, double bias, double p)
{
    if (temperature == 1 && bias == 0)
        return p;
    return sigmoid((logit(p) + bias) / temperature);
}
