/* What graph_gradient.c needs beyond ONNX's operators, in a domain of our own; and Gradient itself, which it replaces. */
#include <string.h>

#include "models/broadcast.h"

static enum status gradient_infer(struct call *c, struct error *e)
{
    return call_error(c, e, STATUS_UNSUPPORTED, "a gradient inside the body of an If, Loop or Scan");
}

static enum status gradient_run(struct call *c, struct error *e)
{
    return gradient_infer(c, e);
}

struct sum_state {
    struct broadcast plan;
};

/* The sum of input 0 over whatever broadcasting input 1's shape to it had repeated. */
static enum status sum_infer(struct call *c, struct error *e)
{
    struct sum_state *state = c->state;
    const struct tensor_shape *x = &c->in[0]->shape, *like = &c->in[1]->shape;
    struct tensor_shape both;
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);

    if (s != STATUS_OK)
        return s;
    if (!broadcast_shape(x, like, &both) || !tensor_shape_equal(x, &both))
        return call_error(c, e, STATUS_INVALID, "a gradient that does not fit its value");
    broadcast_plan(x, &like, 1, &state->plan);
    c->out[0]->type = TENSOR_F32;
    c->out[0]->shape = *like;
    c->flops = (uint64_t)tensor_count(c->in[0]);
    return STATUS_OK;
}

static enum status sum_run(struct call *c, struct error *e)
{
    const struct sum_state *state = c->state;
    const float *x = c->in[0]->data;
    float *y = c->out[0]->data;
    struct broadcast_walk w;

    (void)e;
    memset(y, 0, (size_t)tensor_count(c->out[0]) * sizeof(*y));
    if (tensor_count(c->in[0]) == 0)
        return STATUS_OK;
    for (broadcast_begin(&w, &state->plan); w.more; broadcast_next(&w)) {
        for (int64_t i = 0; i < w.n; i++)
            y[w.at[0] + i * w.step[0]] += x[w.out + i];
    }
    return STATUS_OK;
}

static const struct op gradient_ops[] = {
    {.name = "Gradient",
     .since = 1,
     .min_in = 1,
     .max_in = OP_ANY_COUNT,
     .min_out = 1,
     .max_out = OP_ANY_COUNT,
     .infer = gradient_infer,
     .run = gradient_run},
    {.name = "SumToShape",
     .since = 1,
     .min_in = 2,
     .max_in = 2,
     .min_out = 1,
     .max_out = 1,
     .state_bytes = sizeof(struct sum_state),
     .infer = sum_infer,
     .run = sum_run},
};

const struct op_group ops_gradient = {gradient_ops, sizeof(gradient_ops) / sizeof(gradient_ops[0])};
