/* Quantisation: QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear; products of 8-bit matrices: MatMulInteger,
 * QLinearMatMul. */
#include <math.h>

#include "models/broadcast.h"
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

static enum status quantize_run(struct call *c, struct error *e)
{
    const struct linear_state *state = c->state;
    const struct tensor *x = c->in[0], *zero = call_in(c, 2);
    const float *scale = c->in[1]->data;

    (void)e;
    for (int64_t i = 0; i < tensor_count(x); i++) {
        int64_t channel = i / state->inner % state->n;
        float v = x->type == TENSOR_F32 ? ((const float *)x->data)[i] : (float)((const int32_t *)x->data)[i];

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

    for (size_t i = 0; i < 3; i++) {
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
    for (int64_t i = 0; i < tensor_count(c->in[0]); i++)
        ((uint8_t *)c->out[0]->data)[i] = (uint8_t)quant_round(scale > 0 ? x[i] / scale : 0.0f, zero, TENSOR_U8);
    if (c->out[1])
        *(float *)c->out[1]->data = scale;
    if (c->out[2])
        *(uint8_t *)c->out[2]->data = (uint8_t)zero;
    return STATUS_OK;
}

/* Where the operands' scales and zero points stand among the inputs. */
struct ports {
    size_t b, a_scale, a_zero, b_scale, b_zero, y_scale, y_zero;
};

static const struct ports integer_ports = {1, SIZE_MAX, 2, SIZE_MAX, 3, SIZE_MAX, SIZE_MAX};
static const struct ports linear_ports = {3, 1, 2, 4, 5, 6, 7};

enum { MATMUL_INTEGER, MATMUL_LINEAR };

struct matmul_state {
    int64_t m, k, n;
    struct broadcast batch;
    bool a_rows, b_columns; /* scale and zero point are one a row of A, one a column of B */
};

static const struct ports *ports_of(const struct call *c)
{
    return c->op->kind == MATMUL_LINEAR ? &linear_ports : &integer_ports;
}

static enum status matmul_shape(struct call *c, struct error *e)
{
    struct matmul_state *state = c->state;
    struct tensor_shape a = c->in[0]->shape, b = c->in[ports_of(c)->b]->shape, heads_a, heads_b, out;
    const struct tensor_shape *operands[2] = {&heads_a, &heads_b};
    bool a_vector = a.rank == 1, b_vector = b.rank == 1;
    char x[TENSOR_SHAPE_TEXT_BYTES], y[TENSOR_SHAPE_TEXT_BYTES];

    if (a.rank == 0 || b.rank == 0)
        return call_error(c, e, STATUS_INVALID, "a scalar input");
    if (a_vector)
        a = (struct tensor_shape){.rank = 2, .dims = {1, a.dims[0]}};
    if (b_vector)
        b = (struct tensor_shape){.rank = 2, .dims = {b.dims[0], 1}};
    state->m = a.dims[a.rank - 2];
    state->k = a.dims[a.rank - 1];
    state->n = b.dims[b.rank - 1];
    heads_a = a;
    heads_b = b;
    heads_a.rank -= 2;
    heads_b.rank -= 2;
    if (b.dims[b.rank - 2] != state->k || !broadcast_shape(&heads_a, &heads_b, &out))
        return call_error(c, e, STATUS_INVALID, "%s and %s do not multiply", tensor_shape_text(&c->in[0]->shape, x),
                          tensor_shape_text(&c->in[ports_of(c)->b]->shape, y));
    broadcast_plan(&out, operands, 2, &state->batch);
    if (!a_vector)
        out.dims[out.rank++] = state->m;
    if (!b_vector)
        out.dims[out.rank++] = state->n;
    c->out[0]->shape = out;
    return STATUS_OK;
}

static enum status matmul_infer(struct call *c, struct error *e)
{
    struct matmul_state *state = c->state;
    const struct ports *p = ports_of(c);
    bool linear = c->op->kind == MATMUL_LINEAR, by_channel = false;
    size_t bytes;
    enum status s = call_type(c, 0, TYPES_BYTE, e);

    if (s == STATUS_OK)
        s = call_type(c, p->b, TYPES_BYTE, e);
    if (s == STATUS_OK)
        s = matmul_shape(c, e);
    if (s == STATUS_OK)
        s = quant_port(c, p->a_scale, p->a_zero, c->in[0]->type, state->m, &state->a_rows, e);
    if (s == STATUS_OK)
        s = quant_port(c, p->b_scale, p->b_zero, c->in[p->b]->type, state->n, &state->b_columns, e);
    if (s == STATUS_OK && linear)
        s = call_type(c, p->y_zero, TYPES_BYTE, e);
    if (s == STATUS_OK && linear)
        s = quant_port(c, p->y_scale, p->y_zero, c->in[p->y_zero]->type, 0, &by_channel, e);
    if (s != STATUS_OK)
        return s;
    c->out[0]->type = linear ? c->in[p->y_zero]->type : TENSOR_I32;
    if (!tensor_shape_bytes(&c->out[0]->shape, TENSOR_I32, &bytes))
        return call_error(c, e, STATUS_INVALID, "the output is too large");
    c->scratch_bytes = (size_t)state->n * sizeof(uint32_t);
    c->flops = 2 * (uint64_t)tensor_count(c->out[0]) * (uint64_t)state->k;
    return STATUS_OK;
}

static int32_t zero_at(const struct call *c, size_t input, bool by_channel, int64_t channel)
{
    const struct tensor *t = call_in(c, input);

    return t ? quant_byte(t, by_channel ? channel : 0) : 0;
}

static float scale_at(const struct call *c, size_t input, bool by_channel, int64_t channel)
{
    return ((const float *)c->in[input]->data)[by_channel ? channel : 0];
}

/* Stores one row of sums, as they are or requantised. */
static void store_row(const struct call *c, const uint32_t *sums, int64_t row, int64_t at)
{
    const struct matmul_state *state = c->state;
    const struct ports *p = ports_of(c);

    for (int64_t j = 0; j < state->n; j++) {
        int32_t sum = (int32_t)sums[j];
        float factor;

        if (c->op->kind == MATMUL_INTEGER) {
            ((int32_t *)c->out[0]->data)[at + j] = sum;
            continue;
        }
        factor = scale_at(c, p->a_scale, state->a_rows, row) * scale_at(c, p->b_scale, state->b_columns, j) /
                 scale_at(c, p->y_scale, false, 0);
        tensor_set_integer(c->out[0], at + j,
                           quant_round((float)sum * factor, zero_at(c, p->y_zero, false, 0), c->out[0]->type));
    }
}

/* One row: sums wrap at 32 bits, as the standard lets them. */
static void multiply_row(const struct call *c, int64_t row, int64_t a_at, int64_t b_at, int64_t y_at)
{
    const struct matmul_state *state = c->state;
    const struct ports *p = ports_of(c);
    uint32_t *sums = c->scratch;
    int32_t a_zero = zero_at(c, p->a_zero, state->a_rows, row);

    for (int64_t j = 0; j < state->n; j++)
        sums[j] = 0;
    for (int64_t k = 0; k < state->k; k++) {
        int32_t a = quant_byte(c->in[0], a_at + k) - a_zero;

        for (int64_t j = 0; j < state->n; j++) {
            int32_t b = quant_byte(c->in[p->b], b_at + k * state->n + j) - zero_at(c, p->b_zero, state->b_columns, j);

            sums[j] += (uint32_t)(a * b);
        }
    }
    store_row(c, sums, row, y_at);
}

static enum status matmul_run(struct call *c, struct error *e)
{
    const struct matmul_state *state = c->state;
    struct broadcast_walk w;

    (void)e;
    if (tensor_count(c->out[0]) == 0)
        return STATUS_OK;
    for (broadcast_begin(&w, &state->batch); w.more; broadcast_next(&w)) {
        for (int64_t i = 0; i < w.n; i++) {
            int64_t a = (w.at[0] + i * w.step[0]) * state->m * state->k;
            int64_t b = (w.at[1] + i * w.step[1]) * state->k * state->n, y = (w.out + i) * state->m * state->n;

            for (int64_t row = 0; row < state->m; row++)
                multiply_row(c, row, a + row * state->k, b, y + row * state->n);
        }
    }
    return STATUS_OK;
}

#define ENTRY(op_name, first_opset, least_in, most_in, outputs, op_kind, state, op_infer, op_run)                      \
    {                                                                                                                  \
        .name = op_name, .since = first_opset, .min_in = least_in, .max_in = most_in, .min_out = 1,                    \
        .max_out = outputs, .kind = op_kind, .state_bytes = sizeof(struct state), .infer = op_infer, .run = op_run     \
    }

static const struct op quant_ops[] = {
    ENTRY("QuantizeLinear", 10, 2, 3, 1, 0, linear_state, quantize_infer, quantize_run),
    ENTRY("DequantizeLinear", 10, 2, 3, 1, 0, linear_state, dequantize_infer, dequantize_run),
    ENTRY("DynamicQuantizeLinear", 11, 1, 1, 3, 0, linear_state, dynamic_infer, dynamic_run),
    ENTRY("MatMulInteger", 10, 2, 4, 1, MATMUL_INTEGER, matmul_state, matmul_infer, matmul_run),
    ENTRY("QLinearMatMul", 10, 8, 8, 1, MATMUL_LINEAR, matmul_state, matmul_infer, matmul_run),
};

const struct op_group ops_quant = {quant_ops, sizeof(quant_ops) / sizeof(quant_ops[0])};
