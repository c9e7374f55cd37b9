/* Quantisation: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear. */
#include <string.h>

#include "models/quant.h"

struct linear_state {
    int64_t n, inner; /* channels, and elements of one channel */
};

/* Scale and zero point lie along an axis when they are lists. */
static enum status linear_axis(const struct call *c, enum tensor_type type, struct error *e)
{
    struct linear_state *state = c->state;
    const struct tensor_shape *x = &c->in[0]->shape;
    bool by_channel = false;
    unsigned axis = 0;
    enum status s = STATUS_OK;

    state->n = state->inner = 1;
    if (tensor_count(c->in[1]) != 1 || (c->in[1]->shape.rank == 1 && x->rank > 1)) {
        s = call_axis(c, call_int(c, "axis", 1), x->rank, &axis, e);
        /* A list of one value beside an axis of more is one number all the same. */
        if (s == STATUS_OK && tensor_count(c->in[1]) != 1) {
            state->n = x->dims[axis];
            state->inner = tensor_shape_span(x, axis + 1, x->rank);
        } else {
            s = STATUS_OK;
        }
    }
    return s == STATUS_OK ? quant_port(c, 1, 2, type, state->n, &by_channel, e) : s;
}

static enum status quantize_infer(struct call *c, struct error *e)
{
    const struct tensor *zero = call_in(c, 2);
    enum tensor_type type = zero ? zero->type : TENSOR_U8;
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32) | TYPE_BIT(TENSOR_I32), e);

    if (s == STATUS_OK)
        s = call_type(c, 2, TYPES_BYTE, e);
    if (s == STATUS_OK)
        s = linear_axis(c, type, e);
    c->out[0]->type = type;
    c->out[0]->shape = c->in[0]->shape;
    return s;
}

/* Values in a row that share scale and zero point. */
static int64_t run_length(const struct call *c)
{
    const struct linear_state *state = c->state;

    return state->n > 1 ? state->inner : tensor_count(c->in[0]);
}

static enum status quantize_run(struct call *c, struct error *e)
{
    const struct linear_state *state = c->state;
    const struct tensor *x = c->in[0], *zero = call_in(c, 2);
    const float *scale = c->in[1]->data;

    (void)e;
    if (x->type == TENSOR_F32) {
        for (int64_t i = 0, n = run_length(c); i < tensor_count(x); i += n) {
            int64_t channel = i / state->inner % state->n;

            quant_line((const float *)x->data + i, scale[channel], zero ? quant_byte(zero, channel) : 0,
                       c->out[0]->type, (char *)c->out[0]->data + i, n);
        }
        return STATUS_OK;
    }
    for (int64_t i = 0; i < tensor_count(x); i++) {
        int64_t channel = i / state->inner % state->n;
        float v = (float)((const int32_t *)x->data)[i];

        tensor_set_integer(c->out[0], i,
                           quant_round(v / scale[channel], zero ? quant_byte(zero, channel) : 0, c->out[0]->type));
    }
    return STATUS_OK;
}

static enum status dequantize_infer(struct call *c, struct error *e)
{
    enum status s = call_type(c, 0, TYPES_BYTE | TYPE_BIT(TENSOR_I32), e);

    if (s == STATUS_OK)
        s = linear_axis(c, c->in[0]->type, e);
    c->out[0]->type = TENSOR_F32;
    c->out[0]->shape = c->in[0]->shape;
    return s;
}

static enum status dequantize_run(struct call *c, struct error *e)
{
    const struct linear_state *state = c->state;
    const struct tensor *zero = call_in(c, 2);
    const float *scale = c->in[1]->data;

    (void)e;
    if (c->in[0]->type != TENSOR_I32) {
        for (int64_t i = 0, n = run_length(c); i < tensor_count(c->in[0]); i += n) {
            int64_t channel = i / state->inner % state->n;

            dequant_line(c->in[0]->type, (const char *)c->in[0]->data + i, scale[channel],
                         zero ? quant_byte(zero, channel) : 0, (float *)c->out[0]->data + i, n);
        }
        return STATUS_OK;
    }
    for (int64_t i = 0; i < tensor_count(c->in[0]); i++) {
        int64_t channel = i / state->inner % state->n;
        int64_t v = tensor_integer(c->in[0], i) - (zero ? tensor_integer(zero, channel) : 0);

        ((float *)c->out[0]->data)[i] = (float)v * scale[channel];
    }
    return STATUS_OK;
}

static enum status dynamic_infer(struct call *c, struct error *e)
{
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);

    for (size_t i = 0; i < c->n_out; i++) {
        if (!c->out[i])
            continue;
        c->out[i]->type = i == 1 ? TENSOR_F32 : TENSOR_U8;
        c->out[i]->shape = i == 0 ? c->in[0]->shape : (struct tensor_shape){.rank = 0};
    }
    return s;
}

/* The range is that of the whole tensor, rows of a batch together: ONNX defines it so. */
static enum status dynamic_run(struct call *c, struct error *e)
{
    const float *x = c->in[0]->data;
    float low = 0, high = 0, scale;
    int32_t zero;

    (void)e;
    for (int64_t i = 0; i < tensor_count(c->in[0]); i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    scale = (high - low) / 255.0f;
    zero = scale > 0 ? quant_round(0.0f - low / scale, 0, TENSOR_U8) : 0;
    if (scale > 0)
        quant_line(x, scale, zero, TENSOR_U8, c->out[0]->data, tensor_count(c->in[0]));
    else
        memset(c->out[0]->data, zero, (size_t)tensor_count(c->in[0]));
    if (call_out(c, 1))
        *(float *)c->out[1]->data = scale;
    if (call_out(c, 2))
        *(uint8_t *)c->out[2]->data = (uint8_t)zero;
    return STATUS_OK;
}

#define ENTRY(op_name, first_opset, least_in, most_in, outputs, op_infer, op_run)                                      \
    {                                                                                                                  \
        .name = op_name, .since = first_opset, .min_in = least_in, .max_in = most_in, .min_out = 1,                    \
        .max_out = outputs, .state_bytes = sizeof(struct linear_state), .infer = op_infer, .run = op_run               \
    }

static const struct op quant_ops[] = {
    ENTRY("QuantizeLinear", 10, 2, 3, 1, quantize_infer, quantize_run),
    ENTRY("DequantizeLinear", 10, 2, 3, 1, dequantize_infer, dequantize_run),
    ENTRY("DynamicQuantizeLinear", 11, 1, 1, 3, dynamic_infer, dynamic_run),
};

const struct op_group ops_quant = {quant_ops, sizeof(quant_ops) / sizeof(quant_ops[0])};
