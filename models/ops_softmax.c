/* Softmax, LogSoftmax, Hardmax. Up to opset 12 they see a matrix (dimensions before the axis, the rest); from
 * 13 on one axis. */
#include <math.h>

#include "models/op.h"

enum { SOFTMAX, LOG_SOFTMAX, HARDMAX };

struct softmax_state {
    int64_t outer, n, inner;
};

static enum status softmax_infer(struct call *c, struct error *e)
{
    struct softmax_state *state = c->state;
    const struct tensor_shape *x = &c->in[0]->shape;
    bool old = c->opset < 13;
    int64_t axis = call_int(c, "axis", old ? 1 : -1);
    unsigned at = 0;
    enum status s = call_type(c, 0, TYPES_FLOAT, e);

    if (s != STATUS_OK)
        return s;
    if (!(old && axis == (int64_t)x->rank) && x->rank > 0) {
        s = call_axis(c, axis, x->rank, &at, e);
        if (s != STATUS_OK)
            return s;
    } else {
        at = x->rank;
    }
    state->outer = tensor_shape_span(x, 0, at);
    state->n = old ? tensor_shape_span(x, at, x->rank) : at < x->rank ? x->dims[at] : 1;
    state->inner = old || at >= x->rank ? 1 : tensor_shape_span(x, at + 1, x->rank);
    return call_same(c, e);
}

static void softmax_f64(int kind, const double *x, double *y, int64_t n, int64_t step)
{
    double most = -INFINITY, sum = 0;
    int64_t best = 0;

    for (int64_t i = 0; i < n; i++) {
        if (x[i * step] > most) {
            most = x[i * step];
            best = i;
        }
    }
    for (int64_t i = 0; kind != HARDMAX && i < n; i++)
        sum += exp(x[i * step] - most);
    for (int64_t i = 0; i < n; i++)
        y[i * step] = kind == HARDMAX   ? i == best
                      : kind == SOFTMAX ? exp(x[i * step] - most) / sum
                                        : x[i * step] - most - log(sum);
}

static void any_f32(int kind, const float *x, float *y, int64_t n, int64_t step)
{
    float most = -INFINITY, scale;
    double sum = 0;
    int64_t best = 0;

    for (int64_t i = 0; i < n; i++) {
        if (x[i * step] > most) {
            most = x[i * step];
            best = i;
        }
    }
    if (kind == HARDMAX) {
        for (int64_t i = 0; i < n; i++)
            y[i * step] = i == best;
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        float shifted = x[i * step] - most, power = expf(shifted);

        sum += (double)power;
        y[i * step] = kind == SOFTMAX ? power : shifted;
    }
    scale = kind == SOFTMAX ? (float)(1.0 / sum) : (float)log(sum);
    for (int64_t i = 0; i < n; i++)
        y[i * step] = kind == SOFTMAX ? y[i * step] * scale : y[i * step] - scale;
}

static enum status softmax_run(struct call *c, struct error *e)
{
    const struct softmax_state *state = c->state;

    (void)e;
    for (int64_t o = 0; o < state->outer; o++) {
        for (int64_t i = 0; i < state->inner; i++) {
            int64_t at = o * state->n * state->inner + i;

            if (c->in[0]->type == TENSOR_F32 && c->op->kind == SOFTMAX && state->inner == 1)
                softmax_f32((const float *)c->in[0]->data + at, (float *)c->out[0]->data + at, (size_t)state->n);
            else if (c->in[0]->type == TENSOR_F32)
                any_f32(c->op->kind, (const float *)c->in[0]->data + at, (float *)c->out[0]->data + at, state->n,
                        state->inner);
            else
                softmax_f64(c->op->kind, (const double *)c->in[0]->data + at, (double *)c->out[0]->data + at, state->n,
                            state->inner);
        }
    }
    return STATUS_OK;
}

#define ENTRY(op_name, op_kind)                                                                                        \
    {                                                                                                                  \
        .name = op_name, .since = 1, .min_in = 1, .max_in = 1, .min_out = 1, .max_out = 1, .kind = op_kind,            \
        .state_bytes = sizeof(struct softmax_state), .infer = softmax_infer, .run = softmax_run                        \
    }

static const struct op softmax_ops[] = {
    ENTRY("Softmax", SOFTMAX),
    ENTRY("LogSoftmax", LOG_SOFTMAX),
    ENTRY("Hardmax", HARDMAX),
};

const struct op_group ops_softmax = {softmax_ops, sizeof(softmax_ops) / sizeof(softmax_ops[0])};
