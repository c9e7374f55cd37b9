/* Operators on matrices that are no products: Det, EyeLike. */
#include <math.h>

#include "models/onnx_reader.h"
#include "models/op.h"

static enum status det_infer(struct call *c, struct error *e)
{
    const struct tensor_shape *in = &c->in[0]->shape;
    enum status s = call_type(c, 0, TYPES_FLOAT, e);
    int64_t n;

    if (s == STATUS_OK)
        s = call_rank(c, 0, 2, TENSOR_MAX_RANK, e);
    if (s != STATUS_OK)
        return s;
    n = in->dims[in->rank - 1];
    if (in->dims[in->rank - 2] != n || n > 1 << 14)
        return call_error(c, e, STATUS_INVALID, "matrices of %lld x %lld", (long long)in->dims[in->rank - 2],
                          (long long)n);
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = *in;
    c->out[0]->shape.rank -= 2;
    c->scratch_bytes = (size_t)(n * n) * sizeof(double);
    c->flops = (uint64_t)tensor_count(c->in[0]) * (uint64_t)n;
    return STATUS_OK;
}

/* Gaussian elimination with the largest pivot of each column. */
static double determinant(double *a, int64_t n)
{
    double det = 1;

    for (int64_t k = 0; k < n; k++) {
        int64_t best = k;

        for (int64_t i = k + 1; i < n; i++)
            best = fabs(a[i * n + k]) > fabs(a[best * n + k]) ? i : best;
        if (a[best * n + k] == 0)
            return 0;
        for (int64_t j = k; best != k && j < n; j++) {
            double swap = a[k * n + j];

            a[k * n + j] = a[best * n + j];
            a[best * n + j] = swap;
        }
        det *= best != k ? -a[k * n + k] : a[k * n + k];
        for (int64_t i = k + 1; i < n; i++) {
            double factor = a[i * n + k] / a[k * n + k];

            for (int64_t j = k + 1; j < n; j++)
                a[i * n + j] -= factor * a[k * n + j];
        }
    }
    return det;
}

static enum status det_run(struct call *c, struct error *e)
{
    const struct tensor_shape *in = &c->in[0]->shape;
    int64_t n = in->dims[in->rank - 1];
    double *a = c->scratch;

    (void)e;
    for (int64_t i = 0; i < tensor_count(c->out[0]); i++) {
        for (int64_t k = 0; k < n * n; k++)
            a[k] = tensor_value(c->in[0], i * n * n + k);
        tensor_set_value(c->out[0], i, determinant(a, n));
    }
    return STATUS_OK;
}

static enum status eye_infer(struct call *c, struct error *e)
{
    enum tensor_type type = c->in[0]->type;
    enum status s = call_rank(c, 0, 2, 2, e);

    if (s != STATUS_OK)
        return s;
    if (node_attribute(c->node, "dtype") && !onnx_tensor_type(call_int(c, "dtype", 0), &type))
        return call_error(c, e, STATUS_UNSUPPORTED, "the type %lld is not supported",
                          (long long)call_int(c, "dtype", 0));
    c->out[0]->type = type;
    c->out[0]->shape = c->in[0]->shape;
    return STATUS_OK;
}

static enum status eye_run(struct call *c, struct error *e)
{
    int64_t columns = c->out[0]->shape.dims[1], k = call_int(c, "k", 0), most = TENSOR_MAX_BYTES;

    (void)e;
    k = k < -most ? -most : k > most ? most : k;
    for (int64_t i = 0; i < tensor_count(c->out[0]); i++)
        tensor_set_integer(c->out[0], i, i % columns - i / columns == k);
    return STATUS_OK;
}

static const struct op matrix_ops[] = {
    {.name = "Det",
     .since = 11,
     .min_in = 1,
     .max_in = 1,
     .min_out = 1,
     .max_out = 1,
     .infer = det_infer,
     .run = det_run},
    {.name = "EyeLike",
     .since = 9,
     .min_in = 1,
     .max_in = 1,
     .min_out = 1,
     .max_out = 1,
     .flags = OP_SHAPE_ONLY | OP_BYTES,
     .infer = eye_infer,
     .run = eye_run},
};

const struct op_group ops_matrix = {matrix_ops, sizeof(matrix_ops) / sizeof(matrix_ops[0])};
