/* aggregate: many scores -> one, by the rule that a card names. Sums run in the given order in double precision, so
 * the same values in the same order give the same bits. */
#ifndef FAKESIFT_NODES_AGGREGATE_H
#define FAKESIFT_NODES_AGGREGATE_H

#include <stddef.h>

#include "models/card.h"

/* values: count >= 1 probabilities in 0..1; their order may be changed. top_k as in struct card_aggregation. */
double aggregate(enum aggregation rule, unsigned top_k, double *values, size_t count);

/* sigmoid((logit(p) + bias) / temperature), p clipped to [1e-7, 1 - 1e-7] first; the identity for (1, 0). */
double calibrate(const struct card_calibration *c, double p);

#endif
