/* MaxUnpool: puts what a MaxPool kept back where it was; the rest is zero. */
#include <string.h>

#include "models/window.h"

struct unpool_state {
    unsigned rank;
    int64_t pooled[TENSOR_MAX_RANK]; /* what the indices count over: the shape that was pooled */
};

static enum status read_list(const struct call *c, const char *name, size_t n, int64_t fallback, int64_t *ret_values,
                             struct error *e)
{
    size_t found;
    enum status s = call_ints(c, name, ret_values, n, &found, e);

    if (s != STATUS_OK)
        return s;
    if (found != 0 && found != n)
        return call_error(c, e, STATUS_INVALID, "attribute %s has %zu values, must have %zu", name, found, n);
    for (size_t i = 0; i < n; i++) {
        ret_values[i] = found ? ret_values[i] : fallback;
        if (ret_values[i] < 0 || ret_values[i] > 1 << 20)
            return call_error(c, e, STATUS_INVALID, "attribute %s holds %lld", name, (long long)ret_values[i]);
    }
    return STATUS_OK;
}

static enum status unpool_infer(struct call *c, struct error *e)
{
    struct unpool_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    struct tensor_shape *out = &c->out[0]->shape;
    unsigned n = in->rank - 2;
    int64_t kernel[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK], pads[2 * TENSOR_MAX_RANK];
    size_t n_wanted, bytes;
    enum status s = call_rank(c, 0, 3, TENSOR_MAX_RANK, e);

    if (s == STATUS_OK)
        s = call_type(c, 1, TYPE_BIT(TENSOR_I64), e);
    if (s == STATUS_OK)
        s = read_list(c, "kernel_shape", n, 0, kernel, e);
    if (s == STATUS_OK)
        s = read_list(c, "strides", n, 1, strides, e);
    if (s == STATUS_OK)
        s = read_list(c, "pads", 2 * (size_t)n, 0, pads, e);
    if (s != STATUS_OK)
        return s;
    if (!tensor_shape_equal(in, &c->in[1]->shape))
        return call_error(c, e, STATUS_INVALID, "the indices do not fit the input");
    *out = *in;
    for (unsigned d = 0; d < n; d++) {
        int64_t size = in->dims[2 + d];

        if (size < 1 || kernel[d] < 1 || strides[d] < 1)
            return call_error(c, e, STATUS_INVALID, "a kernel of %lld, a stride of %lld over %lld",
                              (long long)kernel[d], (long long)strides[d], (long long)size);
        out->dims[2 + d] = (size - 1) * strides[d] + kernel[d] - pads[d] - pads[n + d];
        if (out->dims[2 + d] < 1)
            return call_error(c, e, STATUS_INVALID, "the output would have the extent %lld",
                              (long long)out->dims[2 + d]);
    }
    if (!tensor_shape_bytes(out, TENSOR_F64, &bytes))
        return call_error(c, e, STATUS_INVALID, "the output is too large");
    state->rank = out->rank;
    memcpy(state->pooled, out->dims, sizeof(state->pooled));
    c->out[0]->type = c->in[0]->type;
    if (call_in(c, 2)) {
        s = call_input_ints(c, 2, out->dims, TENSOR_MAX_RANK, &n_wanted, e);
        if (s == STATUS_OK && (n_wanted != in->rank || out->dims[0] != in->dims[0] || out->dims[1] != in->dims[1]))
            s = call_error(c, e, STATUS_INVALID, "the output shape does not fit the input");
    }
    return s;
}

static enum status unpool_run(struct call *c, struct error *e)
{
    const struct unpool_state *state = c->state;
    const struct tensor_shape *out = &c->out[0]->shape;
    size_t unit = tensor_type_bytes(c->in[0]->type);
    const int64_t *indices = c->in[1]->data;

    memset(c->out[0]->data, 0, (size_t)tensor_count(c->out[0]) * unit);
    for (int64_t i = 0; i < tensor_count(c->in[0]); i++) {
        int64_t rest = indices[i], at = 0, stride = 1;
        bool inside = rest >= 0;

        for (unsigned d = state->rank; inside && d-- > 0;) {
            int64_t coordinate = rest % state->pooled[d];

            inside = coordinate < out->dims[d];
            at += coordinate * stride;
            stride *= out->dims[d];
            rest /= state->pooled[d];
        }
        if (!inside || rest != 0)
            return call_error(c, e, STATUS_INVALID, "index %lld is outside the output", (long long)indices[i]);
        memcpy((char *)c->out[0]->data + (size_t)at * unit, (const char *)c->in[0]->data + (size_t)i * unit, unit);
    }
    return STATUS_OK;
}

static const struct op unpool_ops[] = {
    {.name = "MaxUnpool",
     .since = 9,
     .min_in = 2,
     .max_in = 3,
     .min_out = 1,
     .max_out = 1,
     .flags = OP_BYTES,
     .state_bytes = sizeof(struct unpool_state),
     .infer = unpool_infer,
     .run = unpool_run},
};

const struct op_group ops_unpool = {unpool_ops, sizeof(unpool_ops) / sizeof(unpool_ops[0])};
