/* Products of 8-bit matrices: MatMulInteger (sums of 32 bits), QLinearMatMul (requantised), and the same with a bias, for
 * graph_quant.c. */
#include <string.h>

#include "models/matmul.h"
#include "models/quant.h"
#include "models/quant_product.h"

/* Where the operands' scales and zero points stand among the inputs. */
struct ports {
    size_t b, a_scale, a_zero, b_scale, b_zero, y_scale, y_zero, bias;
};

static const struct ports integer_ports = {1, SIZE_MAX, 2, SIZE_MAX, 3, SIZE_MAX, SIZE_MAX, SIZE_MAX};
static const struct ports linear_ports = {3, 1, 2, 4, 5, 6, 7, 8};

enum { MATMUL_INTEGER, MATMUL_LINEAR };

struct matmul_state {
    struct matmul by;
    bool a_rows, b_columns; /* scale and zero point are one a row of A, one a column of B */
};

static const struct ports *ports_of(const struct call *c)
{
    return c->op->kind == MATMUL_LINEAR ? &linear_ports : &integer_ports;
}

static enum status check_linear(const struct call *c, struct error *e)
{
    const struct matmul_state *state = c->state;
    const struct ports *p = ports_of(c);
    const struct tensor *bias = call_in(c, p->bias);
    bool by_channel = false;
    enum status s = call_type(c, p->y_zero, TYPES_BYTE, e);

    if (s == STATUS_OK)
        s = quant_port(c, p->y_scale, p->y_zero, c->in[p->y_zero]->type, 0, &by_channel, e);
    if (s == STATUS_OK && bias &&
        (bias->type != TENSOR_I32 || bias->shape.rank != 1 || bias->shape.dims[0] != state->by.n))
        s = call_error(c, e, STATUS_INVALID, "the bias must be %lld int32 values", (long long)state->by.n);
    return s;
}

static enum status matmul_infer(struct call *c, struct error *e)
{
    struct matmul_state *state = c->state;
    const struct ports *p = ports_of(c);
    bool linear = c->op->kind == MATMUL_LINEAR;
    size_t bytes;
    enum status s = call_type(c, 0, TYPES_BYTE, e);

    if (s == STATUS_OK)
        s = call_type(c, p->b, TYPES_BYTE, e);
    if (s == STATUS_OK)
        s = matmul_infer_shape(c, &c->in[0]->shape, &c->in[p->b]->shape, &state->by, &c->out[0]->shape, e);
    if (s == STATUS_OK)
        s = quant_port(c, p->a_scale, p->a_zero, c->in[0]->type, state->by.m, &state->a_rows, e);
    if (s == STATUS_OK)
        s = quant_port(c, p->b_scale, p->b_zero, c->in[p->b]->type, state->by.n, &state->b_columns, e);
    if (s == STATUS_OK && linear)
        s = check_linear(c, e);
    if (s != STATUS_OK)
        return s;
    c->out[0]->type = linear ? c->in[p->y_zero]->type : TENSOR_I32;
    if (!tensor_shape_bytes(&c->out[0]->shape, TENSOR_I32, &bytes))
        return call_error(c, e, STATUS_INVALID, "the output is too large");
    /* The sums of one row, and their factors. */
    c->scratch_bytes = (size_t)state->by.n * (sizeof(uint32_t) + sizeof(float));
    c->flops = 2 * (uint64_t)tensor_count(c->out[0]) * (uint64_t)state->by.k;
    return STATUS_OK;
}

/* Inputs of one value may be lists of one. */
static float scale_at(const struct call *c, size_t input, bool by_channel, int64_t channel)
{
    return ((const float *)c->in[input]->data)[by_channel && tensor_count(c->in[input]) > 1 ? channel : 0];
}

/* Stores one row of sums, as they are or requantised. */
static void store_row(const struct call *c, int32_t *sums, float *factors, int64_t row, int64_t at)
{
    const struct matmul_state *state = c->state;
    const struct ports *p = ports_of(c);
    const struct tensor *bias = call_in(c, p->bias);
    float a;

    if (c->op->kind == MATMUL_INTEGER) {
        memcpy((int32_t *)c->out[0]->data + at, sums, (size_t)state->by.n * sizeof(*sums));
        return;
    }
    a = scale_at(c, p->a_scale, state->a_rows, row);
    for (int64_t j = 0; j < (state->b_columns ? state->by.n : 1); j++)
        factors[j] = a * scale_at(c, p->b_scale, state->b_columns, j) / scale_at(c, p->y_scale, false, 0);
    for (int64_t j = 0; bias && j < state->by.n; j++)
        sums[j] = (int32_t)((uint32_t)sums[j] + ((const uint32_t *)bias->data)[j]);
    quant_sums(sums, factors, state->b_columns, quant_byte(c->in[p->y_zero], 0), c->out[0]->type,
               (char *)c->out[0]->data + at, state->by.n);
}

/* One row: sums wrap at 32 bits, as the standard lets them. */
static void multiply_row(const struct call *c, int64_t row, int64_t a_at, int64_t b_at, int64_t y_at)
{
    const struct matmul_state *state = c->state;
    const struct ports *p = ports_of(c);
    const struct tensor *a_zeros = call_in(c, p->a_zero), *b_zeros = call_in(c, p->b_zero), *b = c->in[p->b];
    uint32_t *sums = c->scratch, total = 0;
    int32_t a_zero = a_zeros ? quant_byte(a_zeros, state->a_rows && tensor_count(a_zeros) > 1 ? row : 0) : 0;

    memset(sums, 0, (size_t)state->by.n * sizeof(*sums));
    for (int64_t k = 0; k < state->by.k; k++) {
        int32_t a = quant_byte(c->in[0], a_at + k) - a_zero;

        total += (uint32_t)a;
        quant_accumulate(sums, b->type, (const char *)b->data + b_at + k * state->by.n, 1, 0, a, state->by.n);
    }
    for (int64_t j = 0; b_zeros && j < state->by.n; j++)
        sums[j] -= total * (uint32_t)quant_byte(b_zeros, state->b_columns && tensor_count(b_zeros) > 1 ? j : 0);
    store_row(c, (int32_t *)sums, (float *)c->scratch + state->by.n, row, y_at);
}

/* `rows` rows of A from a_at on with one matrix of B. */
static enum status multiply(struct call *c, int64_t rows, int64_t a_at, int64_t b_at, int64_t y_at, struct error *e)
{
    const struct matmul_state *state = c->state;
    const struct ports *p = ports_of(c);
    const struct tensor *a_zero = call_in(c, p->a_zero), *b_zero = call_in(c, p->b_zero);
    const struct quant_zeros zeros = {.a = a_zero,
                                      .b = b_zero,
                                      .a_rows = a_zero && state->a_rows && tensor_count(a_zero) > 1,
                                      .b_columns = b_zero && state->b_columns && tensor_count(b_zero) > 1,
                                      .period = state->by.m};
    size_t sums_bytes = (size_t)(rows * state->by.n) * sizeof(int32_t);
    int32_t *sums = c->scratch;
    /* After the sums, the factors of a row, then what the product needs, which begins aligned. */
    float *factors = (float *)c->scratch + rows * state->by.n;
    enum status s = STATUS_OK;

    if (c->product) {
        size_t lists = sums_bytes + (size_t)state->by.n * sizeof(float);
        char *own = (char *)c->scratch + (lists + TENSOR_ALIGN_BYTES - 1) / TENSOR_ALIGN_BYTES * TENSOR_ALIGN_BYTES;

        s = quant_product_run(c->product, (const char *)c->in[0]->data + a_at, (const char *)c->in[p->b]->data + b_at,
                              &zeros, sums, own, e);
    }
    for (int64_t row = 0; row < rows && s == STATUS_OK; row++) {
        if (c->product)
            store_row(c, sums + row * state->by.n, factors, row % state->by.m, y_at + row * state->by.n);
        else
            multiply_row(c, row % state->by.m, a_at + row * state->by.k, b_at, y_at + row * state->by.n);
    }
    return s;
}

static int64_t rows_at_once(const struct call *c)
{
    const struct matmul *by = &((const struct matmul_state *)c->state)->by;

    return by->flat ? tensor_count(c->out[0]) / by->n : by->m;
}

static enum status matmul_run(struct call *c, struct error *e)
{
    const struct matmul_state *state = c->state;
    const struct matmul *by = &state->by;
    struct broadcast_walk w;
    enum status s = STATUS_OK;

    if (tensor_count(c->out[0]) == 0)
        return STATUS_OK;
    if (by->flat)
        return multiply(c, rows_at_once(c), 0, 0, 0, e);
    for (broadcast_begin(&w, &by->batch); w.more; broadcast_next(&w)) {
        for (int64_t i = 0; i < w.n && s == STATUS_OK; i++)
            s = multiply(c, by->m, (w.at[0] + i * w.step[0]) * by->m * by->k, (w.at[1] + i * w.step[1]) * by->k * by->n,
                         (w.out + i) * by->m * by->n, e);
        if (s != STATUS_OK)
            return s;
    }
    return s;
}

enum status quant_matmul_adopt(struct call *c, struct onednn *o, bool trusted, struct error *e)
{
    const struct matmul_state *state = c->state;
    const struct tensor *b;
    struct quant_product_settings settings;
    size_t rows;
    enum status s;

    if (c->op->run != matmul_run || tensor_count(c->out[0]) == 0 || state->by.k == 0)
        return STATUS_OK;
    b = c->in[ports_of(c)->b];
    settings = (struct quant_product_settings){.m = rows_at_once(c),
                                               .k = state->by.k,
                                               .n = state->by.n,
                                               .a = c->in[0]->type,
                                               .b = b->type,
                                               .values = state->by.flat ? b->data : NULL,
                                               .trusted = trusted};
    s = quant_product_open(o, &settings, &c->product, NULL);
    if (s != STATUS_OK)
        return s == STATUS_NO_MEMORY ? error_no_memory(e) : STATUS_OK;
    rows = (size_t)settings.m + 1;
    c->scratch_bytes =
        rows * (size_t)settings.n * sizeof(int32_t) + TENSOR_ALIGN_BYTES + quant_product_scratch_bytes(c->product);
    return STATUS_OK;
}

#define MATMUL(op_name, least_in, most_in, op_kind)                                                                    \
    {                                                                                                                  \
        .name = op_name, .since = 10, .min_in = least_in, .max_in = most_in, .min_out = 1, .max_out = 1,               \
        .kind = op_kind, .state_bytes = sizeof(struct matmul_state), .infer = matmul_infer, .run = matmul_run          \
    }

static const struct op quant_matmul_ops[] = {
    MATMUL("MatMulInteger", 2, 4, MATMUL_INTEGER),
    MATMUL("QLinearMatMul", 8, 8, MATMUL_LINEAR),
};

const struct op quant_gemm = MATMUL("QLinearGemm", 8, 9, MATMUL_LINEAR);

const struct op_group ops_quant_matmul = {quant_matmul_ops, sizeof(quant_matmul_ops) / sizeof(quant_matmul_ops[0])};
