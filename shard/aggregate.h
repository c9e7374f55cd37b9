/* aggregate: many scores -> one, by the rule that a card names. Sums run in the given order in double precision, so
 * the same values in the same order give the same bits. */
#ifndef FAKESIFT_SHARD_AGGREGATE_H
#define FAKESIFT_SHARD_AGGREGATE_H

#include <stddef.h>

enum aggregation {
    AGGREGATE_MEAN = 1, /* of probabilities */
    AGGREGATE_MEAN_LOGIT,
    AGGREGATE_MAX,
    AGGREGATE_MEDIAN,
    AGGREGATE_TOP_K,     /* mean of the k largest */
    AGGREGATE_CONFIDENT, /* FORMATS.md: the DFDC winner's rule */
    AGGREGATE_SHARE      /* share of values >= 0.5 */
};

/* values: count >= 1 probabilities in 0..1; their order may be changed. top_k: of AGGREGATE_TOP_K. */
double aggregate(enum aggregation rule, unsigned top_k, double *values, size_t count);

/* The mean of probabilities (AGGREGATE_MEAN) or of their logits (AGGREGATE_MEAN_LOGIT), each by its weight > 0; with weights of
 * 1 what aggregate gives, bit for bit. */
double aggregate_weighted(enum aggregation rule, const double *values, const double *weights, size_t count);

/* sigmoid((logit(p) + bias) / temperature), p clipped to [1e-7, 1 - 1e-7] first; the identity for (1, 0). */
double calibrate(double temperature, double bias, double p);

#endif
