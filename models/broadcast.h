/* broadcast: numpy's rule for operands of different shapes, planned as nested loops over strides. */
#ifndef FAKESIFT_MODELS_BROADCAST_H
#define FAKESIFT_MODELS_BROADCAST_H

#include "models/op.h"

enum { BROADCAST_MAX_OPERANDS = 3 };

/* dims are the output's, neighbours merged where every operand allows it; a stride of 0 repeats. In elements.
 */
struct broadcast {
    unsigned rank, n_operands;
    int64_t dims[TENSOR_MAX_RANK];
    int64_t strides[BROADCAST_MAX_OPERANDS][TENSOR_MAX_RANK];
};

/* The shape that a and b give together; false when they do not fit. *ret_shape may be a or b. */
bool broadcast_shape(const struct tensor_shape *a, const struct tensor_shape *b, struct tensor_shape *ret_shape);
/* Each operand must broadcast to out. */
void broadcast_plan(const struct tensor_shape *out, const struct tensor_shape *const *operands, unsigned n,
                    struct broadcast *ret_b);

/* A walk over all but the innermost dimension:
 *     for (broadcast_begin(&w, b); w.more; broadcast_next(&w)) use w.at[k] .. + i * b->strides[k][b->rank -
 * 1] */
struct broadcast_walk {
    const struct broadcast *b;
    int64_t index[TENSOR_MAX_RANK], at[BROADCAST_MAX_OPERANDS], out;
    int64_t n, step[BROADCAST_MAX_OPERANDS]; /* of the innermost dimension */
    bool more;
};

void broadcast_begin(struct broadcast_walk *w, const struct broadcast *b);
void broadcast_next(struct broadcast_walk *w);

#endif
