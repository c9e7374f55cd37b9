/* MatMul and Gemm over the rows kernel: the bits of a row of the result depend on that row of A alone. */
#include <string.h>

#include "models/matmul.h"

struct linear_state {
    struct matmul by;        /* of Gemm: m, k and n */
    struct broadcast addend; /* C onto the result; Gemm */
    float alpha, beta;
    bool a_transposed, b_transposed;
};

static enum status matmul_infer(struct call *c, struct error *e)
{
    struct linear_state *state = c->state;
    size_t bytes;
    enum status s = call_type(c, 0, TYPES_FLOAT | TYPES_INDEX | TYPE_BIT(TENSOR_U32) | TYPE_BIT(TENSOR_U64), e);

    if (s == STATUS_OK)
        s = call_type(c, 1, TYPE_BIT(c->in[0]->type), e);
    if (s == STATUS_OK)
        s = matmul_infer_shape(c, &c->in[0]->shape, &c->in[1]->shape, &state->by, &c->out[0]->shape, e);
    if (s != STATUS_OK)
        return s;
    c->out[0]->type = c->in[0]->type;
    if (!tensor_shape_bytes(&c->out[0]->shape, c->in[0]->type, &bytes))
        return call_error(c, e, STATUS_INVALID, "the output is too large");
    if (!c->prepared && c->in[0]->type == TENSOR_F32)
        c->scratch_bytes = rows_packed_floats((size_t)state->by.k, (size_t)state->by.n) * sizeof(float);
    c->flops = 2 * (uint64_t)tensor_count(c->out[0]) * (uint64_t)state->by.k;
    return STATUS_OK;
}

/* One product; B is packed when it is not already. */
static void multiply(const struct call *c, const float *a, int64_t m, const float *b, float *y)
{
    const struct linear_state *state = c->state;
    struct rows_job job = {
        .x = a,
        .x_stride = (size_t)state->by.k,
        .packed = c->prepared,
        .y = y,
        .y_stride = (size_t)state->by.n,
        .m = (size_t)m,
        .k = (size_t)state->by.k,
        .n = (size_t)state->by.n,
    };

    if (!job.packed) {
        rows_pack(b, job.k, job.n, job.n, 1, c->scratch);
        job.packed = c->scratch;
    }
    c->kernels->rows(&job);
}

/* One product of a type that networks rarely multiply. Integers wrap. */
static void multiply_any(const struct call *c, int64_t a, int64_t b, int64_t y)
{
    const struct linear_state *state = c->state;
    bool floats = c->in[0]->type == TENSOR_F64;

    for (int64_t i = 0; i < state->by.m * state->by.n; i++) {
        int64_t row = a + i / state->by.n * state->by.k, column = b + i % state->by.n;
        double sum = 0;
        uint64_t whole = 0;

        for (int64_t k = 0; k < state->by.k; k++) {
            if (floats)
                sum += tensor_value(c->in[0], row + k) * tensor_value(c->in[1], column + k * state->by.n);
            else
                whole += (uint64_t)tensor_integer(c->in[0], row + k) *
                         (uint64_t)tensor_integer(c->in[1], column + k * state->by.n);
        }
        if (floats)
            tensor_set_value(c->out[0], y + i, sum);
        else
            tensor_set_integer(c->out[0], y + i, (int64_t)whole);
    }
}

static enum status matmul_run(struct call *c, struct error *e)
{
    const struct linear_state *state = c->state;
    const float *a = c->in[0]->data, *b = c->in[1]->data;
    float *y = c->out[0]->data;
    struct broadcast_walk w;

    (void)e;
    if (tensor_count(c->out[0]) == 0)
        return STATUS_OK;
    if (state->by.flat && c->in[0]->type == TENSOR_F32) {
        multiply(c, a, tensor_count(c->out[0]) / state->by.n, b, y);
        return STATUS_OK;
    }
    for (broadcast_begin(&w, &state->by.batch); w.more; broadcast_next(&w)) {
        for (int64_t i = 0; i < w.n; i++) {
            int64_t at_a = (w.at[0] + i * w.step[0]) * state->by.m * state->by.k;
            int64_t at_b = (w.at[1] + i * w.step[1]) * state->by.k * state->by.n,
                    to = (w.out + i) * state->by.m * state->by.n;

            if (c->in[0]->type == TENSOR_F32)
                multiply(c, a + at_a, state->by.m, b + at_b, y + to);
            else
                multiply_any(c, at_a, at_b, to);
        }
    }
    return STATUS_OK;
}

static enum status pack_constant(struct call *c, int64_t k, int64_t n, bool transposed, void **ret_prepared,
                                 struct error *e)
{
    size_t floats = rows_packed_floats((size_t)k, (size_t)n);
    float *packed;

    if (floats > c->prepare_bytes / sizeof(float))
        return STATUS_OK;
    packed = tensor_memory(floats * sizeof(float));
    if (!packed)
        return error_no_memory(e);
    rows_pack(c->in[1]->data, (size_t)k, (size_t)n, transposed ? 1 : (size_t)n, transposed ? (size_t)k : 1, packed);
    c->prepare_bytes -= floats * sizeof(float);
    *ret_prepared = packed;
    return STATUS_OK;
}

static enum status matmul_prepare(struct call *c, void **ret_prepared, unsigned *ret_frees, struct error *e)
{
    const struct tensor *b = c->in[1];

    if (!b->data || b->type != TENSOR_F32 || b->shape.rank != 2 || tensor_count(b) == 0)
        return STATUS_OK;
    *ret_frees = 1u << 1;
    return pack_constant(c, b->shape.dims[0], b->shape.dims[1], false, ret_prepared, e);
}

static enum status gemm_infer(struct call *c, struct error *e)
{
    struct linear_state *state = c->state;
    const struct tensor_shape *a = &c->in[0]->shape, *b = &c->in[1]->shape;
    const struct tensor *addend = call_in(c, 2);
    struct tensor_shape *out = &c->out[0]->shape, both;
    size_t bytes;
    enum status s = STATUS_OK;

    for (size_t i = 0; i < 3 && s == STATUS_OK; i++)
        s = call_type(c, i, TYPE_BIT(TENSOR_F32), e);
    if (s == STATUS_OK)
        s = call_rank(c, 0, 2, 2, e);
    if (s == STATUS_OK)
        s = call_rank(c, 1, 2, 2, e);
    if (s != STATUS_OK)
        return s;
    state->a_transposed = call_int(c, "transA", 0) != 0;
    state->b_transposed = call_int(c, "transB", 0) != 0;
    state->alpha = call_float(c, "alpha", 1.0f);
    state->beta = call_float(c, "beta", 1.0f);
    state->by.m = a->dims[state->a_transposed ? 1 : 0];
    state->by.k = a->dims[state->a_transposed ? 0 : 1];
    state->by.n = b->dims[state->b_transposed ? 0 : 1];
    if (b->dims[state->b_transposed ? 1 : 0] != state->by.k)
        return call_error(c, e, STATUS_INVALID, "inner dimensions %lld and %lld differ", (long long)state->by.k,
                          (long long)b->dims[state->b_transposed ? 1 : 0]);
    c->out[0]->type = TENSOR_F32;
    *out = (struct tensor_shape){.rank = 2, .dims = {state->by.m, state->by.n}};
    if (!tensor_shape_bytes(out, TENSOR_F32, &bytes))
        return call_error(c, e, STATUS_INVALID, "the output is too large");
    if (addend) {
        const struct tensor_shape *operands[1] = {&addend->shape};

        if (!broadcast_shape(out, &addend->shape, &both) || !tensor_shape_equal(out, &both))
            return call_error(c, e, STATUS_INVALID, "input 2 does not broadcast to the result");
        broadcast_plan(out, operands, 1, &state->addend);
    }
    c->scratch_bytes =
        sizeof(float) * ((c->prepared ? 0 : rows_packed_floats((size_t)state->by.k, (size_t)state->by.n)) +
                         (state->a_transposed ? (size_t)tensor_count(c->in[0]) : 0));
    c->flops = 2 * (uint64_t)tensor_count(c->out[0]) * (uint64_t)state->by.k;
    return STATUS_OK;
}

static enum status gemm_run(struct call *c, struct error *e)
{
    const struct linear_state *state = c->state;
    const struct tensor *addend = call_in(c, 2);
    float *y = c->out[0]->data, *scratch = c->scratch;
    struct rows_job job = {
        .x = c->in[0]->data,
        .x_stride = (size_t)state->by.k,
        .packed = c->prepared,
        .y = y,
        .y_stride = (size_t)state->by.n,
        .m = (size_t)state->by.m,
        .k = (size_t)state->by.k,
        .n = (size_t)state->by.n,
    };
    int64_t count = tensor_count(c->out[0]);
    struct broadcast_walk w;

    (void)e;
    if (state->a_transposed) {
        for (int64_t i = 0; i < state->by.m; i++) {
            for (int64_t k = 0; k < state->by.k; k++)
                scratch[i * state->by.k + k] = job.x[k * state->by.m + i];
        }
        job.x = scratch;
        scratch += state->by.m * state->by.k;
    }
    if (!job.packed) {
        rows_pack(c->in[1]->data, job.k, job.n, state->b_transposed ? 1 : job.n, state->b_transposed ? job.k : 1,
                  scratch);
        job.packed = scratch;
    }
    c->kernels->rows(&job);
    for (int64_t i = 0; state->alpha != 1.0f && i < count; i++)
        y[i] *= state->alpha;
    if (addend) {
        for (broadcast_begin(&w, &state->addend); w.more; broadcast_next(&w)) {
            const float *from = (const float *)addend->data + w.at[0];

            for (int64_t i = 0; i < w.n; i++)
                y[w.out + i] += state->beta * from[i * w.step[0]];
        }
    }
    activation_apply(&c->node->activation, y, (size_t)count);
    return STATUS_OK;
}

static enum status gemm_prepare(struct call *c, void **ret_prepared, unsigned *ret_frees, struct error *e)
{
    const struct tensor *b = c->in[1];
    bool transposed = call_int(c, "transB", 0) != 0;

    if (!b->data || b->type != TENSOR_F32 || b->shape.rank != 2 || tensor_count(b) == 0)
        return STATUS_OK;
    *ret_frees = 1u << 1;
    return pack_constant(c, b->shape.dims[transposed ? 1 : 0], b->shape.dims[transposed ? 0 : 1], transposed,
                         ret_prepared, e);
}

static const struct op linear_ops[] = {
    {.name = "MatMul",
     .since = 1,
     .min_in = 2,
     .max_in = 2,
     .min_out = 1,
     .max_out = 1,
     .state_bytes = sizeof(struct linear_state),
     .infer = matmul_infer,
     .run = matmul_run,
     .prepare = matmul_prepare},
    {.name = "Gemm",
     .since = 1,
     .min_in = 2,
     .max_in = 3,
     .min_out = 1,
     .max_out = 1,
     .flags = OP_ACTIVATION,
     .state_bytes = sizeof(struct linear_state),
     .infer = gemm_infer,
     .run = gemm_run,
     .prepare = gemm_prepare},
};

const struct op_group ops_linear = {linear_ops, sizeof(linear_ops) / sizeof(linear_ops[0])};
