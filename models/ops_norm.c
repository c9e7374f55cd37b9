/* Normalisations of float32 tensors: batch, instance, layer, local response, mean and variance. Sums are in
 * double. */
#include <math.h>

#include "models/op.h"

static enum status batch_infer(struct call *c, struct error *e)
{
    const struct tensor *x = c->in[0];
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);
    /* Before opset 7 an attribute said that the statistics are used as they are. */
    bool training = c->opset < 7 ? call_int(c, "is_test", 0) == 0 : call_int(c, "training_mode", 0) != 0;

    if (s == STATUS_OK)
        s = call_rank(c, 0, 2, TENSOR_MAX_RANK, e);
    for (size_t i = 1; s == STATUS_OK && i < 5; i++)
        s = call_vector(c, i, x->shape.dims[1], e);
    if (s != STATUS_OK)
        return s;
    if (training)
        return call_error(c, e, STATUS_UNSUPPORTED, "training mode is not supported");
    for (size_t i = 1; i < c->n_out; i++) {
        if (c->out[i])
            return call_error(c, e, STATUS_UNSUPPORTED, "the outputs of training are not supported");
    }
    c->flops = 2 * (uint64_t)tensor_count(x);
    return call_same(c, e);
}

KERNEL_CLONES static void scale_shift(const float *x, float *y, int64_t n, float scale, float shift)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] * scale + shift;
}

static enum status batch_run(struct call *c, struct error *e)
{
    const struct tensor_shape *x = &c->in[0]->shape;
    const float *scale = c->in[1]->data, *shift = c->in[2]->data, *mean = c->in[3]->data, *var = c->in[4]->data;
    int64_t channels = x->dims[1], n = tensor_shape_span(x, 2, x->rank);
    double eps = (double)call_float(c, "epsilon", 1e-5f);

    (void)e;
    for (int64_t i = 0; i < x->dims[0] * channels; i++) {
        int64_t channel = i % channels;
        double factor = (double)scale[channel] / sqrt((double)var[channel] + eps);

        scale_shift((const float *)c->in[0]->data + i * n, (float *)c->out[0]->data + i * n, n, (float)factor,
                    (float)((double)shift[channel] - (double)mean[channel] * factor));
    }
    activation_apply(&c->node->activation, c->out[0]->data, (size_t)tensor_count(c->out[0]));
    return STATUS_OK;
}

static void moments(const float *x, int64_t n, double *ret_mean, double *ret_var)
{
    double sum = 0, squares = 0, mean;

    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i];
    mean = n > 0 ? sum / (double)n : 0;
    for (int64_t i = 0; i < n; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    *ret_mean = mean;
    *ret_var = n > 0 ? squares / (double)n : 0;
}

static enum status instance_infer(struct call *c, struct error *e)
{
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);

    if (s == STATUS_OK)
        s = call_rank(c, 0, 3, TENSOR_MAX_RANK, e);
    for (size_t i = 1; s == STATUS_OK && i < 3; i++)
        s = call_vector(c, i, c->in[0]->shape.dims[1], e);
    return s == STATUS_OK ? call_same(c, e) : s;
}

static enum status instance_run(struct call *c, struct error *e)
{
    const struct tensor_shape *x = &c->in[0]->shape;
    const float *scale = c->in[1]->data, *shift = c->in[2]->data;
    int64_t channels = x->dims[1], n = tensor_shape_span(x, 2, x->rank);
    double eps = (double)call_float(c, "epsilon", 1e-5f);

    (void)e;
    for (int64_t i = 0; i < x->dims[0] * channels; i++) {
        const float *from = (const float *)c->in[0]->data + i * n;
        double mean, var, factor;

        moments(from, n, &mean, &var);
        factor = (double)scale[i % channels] / sqrt(var + eps);
        scale_shift(from, (float *)c->out[0]->data + i * n, n, (float)factor,
                    (float)((double)shift[i % channels] - mean * factor));
    }
    return STATUS_OK;
}

struct layer_state {
    int64_t rows, n;
};

static enum status layer_infer(struct call *c, struct error *e)
{
    struct layer_state *state = c->state;
    const struct tensor *x = c->in[0];
    struct tensor_shape reduced = x->shape;
    unsigned axis;
    enum status s = STATUS_OK;

    for (size_t i = 0; i < 3 && s == STATUS_OK; i++)
        s = call_type(c, i, TYPE_BIT(TENSOR_F32), e);
    if (s == STATUS_OK)
        s = call_axis(c, call_int(c, "axis", -1), x->shape.rank, &axis, e);
    if (s != STATUS_OK)
        return s;
    state->rows = tensor_shape_span(&x->shape, 0, axis);
    state->n = tensor_shape_span(&x->shape, axis, x->shape.rank);
    for (size_t i = 1; i < 3; i++) {
        if (call_in(c, i) && tensor_count(c->in[i]) != state->n)
            return call_error(c, e, STATUS_UNSUPPORTED, "input %zu has %lld values, %lld are normalised", i,
                              (long long)tensor_count(c->in[i]), (long long)state->n);
    }
    for (unsigned d = axis; d < reduced.rank; d++)
        reduced.dims[d] = 1;
    for (size_t i = 1; i < 3; i++) {
        if (!call_out(c, i))
            continue;
        c->out[i]->type = TENSOR_F32;
        c->out[i]->shape = reduced;
    }
    return call_same(c, e);
}

static enum status layer_run(struct call *c, struct error *e)
{
    const struct layer_state *state = c->state;
    const float *scale = c->in[1]->data, *shift = call_in(c, 2) ? c->in[2]->data : NULL;
    double eps = (double)call_float(c, "epsilon", 1e-5f);

    (void)e;
    for (int64_t r = 0; r < state->rows; r++) {
        const float *x = (const float *)c->in[0]->data + r * state->n;
        float *y = (float *)c->out[0]->data + r * state->n;
        double mean, var, factor;

        moments(x, state->n, &mean, &var);
        factor = 1.0 / sqrt(var + eps);
        for (int64_t i = 0; i < state->n; i++)
            y[i] = (float)(((double)x[i] - mean) * factor) * scale[i] + (shift ? shift[i] : 0.0f);
        if (call_out(c, 1))
            ((float *)c->out[1]->data)[r] = (float)mean;
        if (call_out(c, 2))
            ((float *)c->out[2]->data)[r] = (float)factor;
    }
    return STATUS_OK;
}

static enum status lrn_infer(struct call *c, struct error *e)
{
    int64_t size = call_int(c, "size", 0);
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);

    if (s == STATUS_OK)
        s = call_rank(c, 0, 2, TENSOR_MAX_RANK, e);
    if (s != STATUS_OK)
        return s;
    if (size < 1 || size > 1 << 20)
        return call_error(c, e, STATUS_INVALID, "attribute size is %lld", (long long)size);
    c->flops = 2 * (uint64_t)tensor_count(c->in[0]) * (uint64_t)size;
    return call_same(c, e);
}

/* y = x / (bias + alpha / size * sum of squares of the neighbouring channels)^beta */
static enum status lrn_run(struct call *c, struct error *e)
{
    const struct tensor_shape *shape = &c->in[0]->shape;
    int64_t channels = shape->dims[1], n = tensor_shape_span(shape, 2, shape->rank), size = call_int(c, "size", 1);
    float alpha = call_float(c, "alpha", 1e-4f), beta = call_float(c, "beta", 0.75f),
          bias = call_float(c, "bias", 1.0f);
    const float *x = c->in[0]->data;
    float *y = c->out[0]->data;

    (void)e;
    for (int64_t p = 0; p < shape->dims[0] * channels; p++, y += n) {
        int64_t channel = p % channels, image = p - channel;
        int64_t first = channel - (size - 1) / 2, last = channel + size / 2;

        first = first < 0 ? 0 : first;
        last = last >= channels ? channels - 1 : last;
        for (int64_t i = 0; i < n; i++) {
            float sum = 0.0f, v = x[p * n + i];

            for (int64_t k = first; k <= last; k++)
                sum += x[(image + k) * n + i] * x[(image + k) * n + i];
            y[i] = v / powf(bias + alpha / (float)size * sum, beta);
        }
    }
    return STATUS_OK;
}

static const struct op norm_ops[] = {
    {.name = "BatchNormalization",
     .since = 1,
     .min_in = 5,
     .max_in = 5,
     .min_out = 1,
     .max_out = 5,
     .flags = OP_IN_PLACE | OP_ACTIVATION,
     .infer = batch_infer,
     .run = batch_run},
    {.name = "InstanceNormalization",
     .since = 1,
     .min_in = 3,
     .max_in = 3,
     .min_out = 1,
     .max_out = 1,
     .flags = OP_IN_PLACE,
     .infer = instance_infer,
     .run = instance_run},
    {.name = "LayerNormalization",
     .since = 17,
     .min_in = 2,
     .max_in = 3,
     .min_out = 1,
     .max_out = 3,
     .state_bytes = sizeof(struct layer_state),
     .infer = layer_infer,
     .run = layer_run},
    {.name = "LRN",
     .since = 1,
     .min_in = 1,
     .max_in = 1,
     .min_out = 1,
     .max_out = 1,
     .infer = lrn_infer,
     .run = lrn_run},
};

const struct op_group ops_norm = {norm_ops, sizeof(norm_ops) / sizeof(norm_ops[0])};
