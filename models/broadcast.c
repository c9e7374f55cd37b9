#include "models/broadcast.h"

bool broadcast_shape(const struct tensor_shape *a, const struct tensor_shape *b, struct tensor_shape *ret_shape)
{
    struct tensor_shape out = {.rank = a->rank > b->rank ? a->rank : b->rank};

    for (unsigned i = 0; i < out.rank; i++) {
        int64_t x = i < out.rank - a->rank ? 1 : a->dims[i - (out.rank - a->rank)];
        int64_t y = i < out.rank - b->rank ? 1 : b->dims[i - (out.rank - b->rank)];

        if (x != y && x != 1 && y != 1)
            return false;
        out.dims[i] = x == 1 ? y : x;
    }
    *ret_shape = out;
    return true;
}

/* Strides of s seen as a tensor of rank `rank`. */
static void strides_of(const struct tensor_shape *s, unsigned rank, int64_t *ret_strides)
{
    int64_t stride = 1;

    for (unsigned i = rank; i-- > 0;) {
        int64_t d = i < rank - s->rank ? 1 : s->dims[i - (rank - s->rank)];

        ret_strides[i] = d == 1 ? 0 : stride;
        stride *= d;
    }
}

/* Whether dimension i continues the loop of dimension `last` for every operand. */
static bool continues(const struct broadcast *b, unsigned last, const int64_t strides[][TENSOR_MAX_RANK], unsigned i,
                      int64_t d)
{
    for (unsigned k = 0; k < b->n_operands; k++) {
        if (b->strides[k][last] != strides[k][i] * d)
            return false;
    }
    return true;
}

void broadcast_plan(const struct tensor_shape *out, const struct tensor_shape *const *operands, unsigned n,
                    struct broadcast *ret_b)
{
    struct broadcast b = {.n_operands = n};
    int64_t strides[BROADCAST_MAX_OPERANDS][TENSOR_MAX_RANK] = {{0}};

    for (unsigned k = 0; k < n; k++)
        strides_of(operands[k], out->rank, strides[k]);
    for (unsigned i = 0; i < out->rank; i++) {
        if (out->dims[i] == 1)
            continue;
        if (b.rank > 0 && continues(&b, b.rank - 1, (const int64_t(*)[TENSOR_MAX_RANK])strides, i, out->dims[i])) {
            b.dims[b.rank - 1] *= out->dims[i];
            for (unsigned k = 0; k < n; k++)
                b.strides[k][b.rank - 1] = strides[k][i];
            continue;
        }
        b.dims[b.rank] = out->dims[i];
        for (unsigned k = 0; k < n; k++)
            b.strides[k][b.rank] = strides[k][i];
        b.rank++;
    }
    if (b.rank == 0) {
        b.rank = 1;
        b.dims[0] = 1;
    }
    *ret_b = b;
}

void broadcast_begin(struct broadcast_walk *w, const struct broadcast *b)
{
    *w = (struct broadcast_walk){.b = b, .n = b->dims[b->rank - 1], .more = true};
    for (unsigned k = 0; k < b->n_operands; k++)
        w->step[k] = b->strides[k][b->rank - 1];
    for (unsigned i = 0; i < b->rank; i++)
        w->more = w->more && b->dims[i] > 0;
}

void broadcast_next(struct broadcast_walk *w)
{
    const struct broadcast *b = w->b;

    w->out += w->n;
    for (unsigned i = b->rank - 1; i-- > 0;) {
        for (unsigned k = 0; k < b->n_operands; k++)
            w->at[k] += b->strides[k][i];
        if (++w->index[i] < b->dims[i])
            return;
        for (unsigned k = 0; k < b->n_operands; k++)
            w->at[k] -= b->strides[k][i] * b->dims[i];
        w->index[i] = 0;
    }
    w->more = false;
}
