/* Conv and ConvTranspose, float32, one to three spatial dimensions. */
#include <limits.h>
#include <string.h>

#include "models/window.h"

struct conv_state {
    struct conv_geometry geometry;
    int64_t batch, in_image, out_image; /* elements of one image, all channels */
};

static enum status check_weights(const struct call *c, int64_t *ret_groups, struct error *e)
{
    const struct tensor *x = c->in[0], *w = c->in[1];
    int64_t groups = call_int(c, "group", 1);
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);

    if (s == STATUS_OK)
        s = call_type(c, 1, TYPE_BIT(TENSOR_F32), e);
    if (s == STATUS_OK)
        s = call_rank(c, 0, 3, 5, e);
    if (s != STATUS_OK)
        return s;
    if (w->shape.rank != x->shape.rank)
        return call_error(c, e, STATUS_INVALID, "weights of rank %u do not fit an input of rank %u", w->shape.rank,
                          x->shape.rank);
    if (groups < 1 || x->shape.dims[1] < 1 || x->shape.dims[1] % groups != 0 || w->shape.dims[0] < 1 ||
        w->shape.dims[1] < 1)
        return call_error(c, e, STATUS_INVALID, "%lld channels do not divide into %lld groups",
                          (long long)x->shape.dims[1], (long long)groups);
    *ret_groups = groups;
    return STATUS_OK;
}

static void geometry_of(const struct window *w, struct conv_geometry *g)
{
    for (unsigned d = 0; d < 3; d++) {
        g->in[d] = w->in[d];
        g->out[d] = w->out[d];
        g->kernel[d] = w->kernel[d];
        g->stride[d] = w->stride[d];
        g->dilation[d] = w->dilation[d];
        g->pad[d] = w->pad[d];
    }
}

/* The matrices' sides are ints in BLAS. */
static bool fits_int(const struct conv_geometry *g)
{
    int64_t taps = g->kernel[0] * g->kernel[1] * g->kernel[2];

    return g->channels_in <= INT_MAX && g->channels_out <= INT_MAX && taps <= INT_MAX &&
           g->channels_in / g->groups * taps <= INT_MAX && g->out[0] * g->out[1] <= INT_MAX &&
           g->out[0] * g->out[1] * g->out[2] <= INT_MAX;
}

static enum status conv_infer(struct call *c, struct error *e)
{
    struct conv_state *state = c->state;
    struct conv_geometry *g = &state->geometry;
    const struct tensor *x = c->in[0], *w = c->in[1];
    struct window window;
    size_t bytes;
    enum status s = check_weights(c, &g->groups, e);

    if (s != STATUS_OK)
        return s;
    g->channels_in = x->shape.dims[1];
    g->channels_out = w->shape.dims[0];
    if (w->shape.dims[1] * g->groups != g->channels_in || g->channels_out % g->groups != 0)
        return call_error(
            c, e, STATUS_INVALID, "weights of %lld filters over %lld channels do not fit %lld channels in %lld groups",
            (long long)g->channels_out, (long long)w->shape.dims[1], (long long)g->channels_in, (long long)g->groups);
    s = call_vector(c, 2, g->channels_out, e);
    if (s == STATUS_OK)
        s = window_infer(c, w->shape.dims + 2, &window, e);
    if (s != STATUS_OK)
        return s;
    geometry_of(&window, g);
    c->out[0]->type = TENSOR_F32;
    window_shape(&window, x->shape.dims[0], g->channels_out, &c->out[0]->shape);
    if (!tensor_shape_bytes(&c->out[0]->shape, TENSOR_F32, &bytes) || !fits_int(g))
        return call_error(c, e, STATUS_INVALID, "the output or the kernel is too large");
    state->batch = x->shape.dims[0];
    state->in_image = tensor_shape_span(&x->shape, 1, x->shape.rank);
    state->out_image = tensor_shape_span(&c->out[0]->shape, 1, c->out[0]->shape.rank);
    c->scratch_bytes = c->kernels->conv_scratch_floats(g) * sizeof(float);
    c->flops = 2 * (uint64_t)(tensor_count(c->out[0])) * (uint64_t)tensor_shape_span(&w->shape, 1, w->shape.rank);
    return STATUS_OK;
}

static enum status conv_run(struct call *c, struct error *e)
{
    const struct conv_state *state = c->state;
    const struct tensor *bias = call_in(c, 2);

    (void)e;
    for (int64_t n = 0; n < state->batch; n++) {
        struct conv_job job = {
            .geometry = &state->geometry,
            .x = (const float *)c->in[0]->data + n * state->in_image,
            .weights = c->in[1]->data,
            .bias = bias ? bias->data : NULL,
            .y = (float *)c->out[0]->data + n * state->out_image,
            .scratch = c->scratch,
            .activation = c->node->activation,
        };

        c->kernels->conv(c->kernels, &job);
    }
    return STATUS_OK;
}

static enum status transpose_infer(struct call *c, struct error *e)
{
    struct conv_state *state = c->state;
    struct conv_geometry *g = &state->geometry;
    const struct tensor *x = c->in[0], *w = c->in[1];
    struct window window;
    int64_t taps, positions;
    size_t bytes;
    enum status s = check_weights(c, &g->groups, e);

    if (s != STATUS_OK)
        return s;
    g->channels_in = x->shape.dims[1];
    if (w->shape.dims[0] != g->channels_in || w->shape.dims[1] > INT_MAX / g->groups)
        return call_error(c, e, STATUS_INVALID, "weights for %lld channels do not fit %lld channels",
                          (long long)w->shape.dims[0], (long long)g->channels_in);
    g->channels_out = w->shape.dims[1] * g->groups;
    s = call_vector(c, 2, g->channels_out, e);
    if (s == STATUS_OK)
        s = window_infer_transposed(c, w->shape.dims + 2, &window, e);
    if (s != STATUS_OK)
        return s;
    geometry_of(&window, g);
    c->out[0]->type = TENSOR_F32;
    window_shape(&window, x->shape.dims[0], g->channels_out, &c->out[0]->shape);
    if (!tensor_shape_bytes(&c->out[0]->shape, TENSOR_F32, &bytes))
        return call_error(c, e, STATUS_INVALID, "the output is too large");
    state->batch = x->shape.dims[0];
    state->in_image = tensor_shape_span(&x->shape, 1, x->shape.rank);
    state->out_image = tensor_shape_span(&c->out[0]->shape, 1, c->out[0]->shape.rank);
    /* Both are parts of tensors, so bounded; their product is bounded by the division. */
    taps = tensor_shape_span(&w->shape, 1, w->shape.rank);
    positions = tensor_shape_span(&x->shape, 2, x->shape.rank);
    if (taps > TENSOR_MAX_BYTES / 64 / (positions + ROWS_PANEL))
        return call_error(c, e, STATUS_INVALID, "needs too much memory");
    c->scratch_bytes = sizeof(float) * (rows_packed_floats((size_t)(g->channels_in / g->groups), (size_t)positions) +
                                        (size_t)(taps * positions) + (size_t)tensor_count(w));
    c->flops = 2 * (uint64_t)tensor_count(x) * (uint64_t)taps;
    return STATUS_OK;
}

/* Adds the columns (one image of each filter tap, `taps` a channel) onto the output where they overlap it. */
static void scatter_columns(const struct conv_geometry *g, const float *columns, int64_t channels, float *y)
{
    int64_t in = g->in[0] * g->in[1] * g->in[2];

    for (int64_t i = 0; i < channels * g->kernel[0] * g->kernel[1] * g->kernel[2]; i++) {
        int64_t kw = i % g->kernel[2], kh = i / g->kernel[2] % g->kernel[1];
        int64_t kd = i / (g->kernel[2] * g->kernel[1]) % g->kernel[0];
        int64_t channel = i / (g->kernel[2] * g->kernel[1] * g->kernel[0]);
        const float *from = columns + i * in;

        for (int64_t p = 0; p < g->in[0] * g->in[1]; p++, from += g->in[2]) {
            int64_t od = p / g->in[1] * g->stride[0] + kd * g->dilation[0] - g->pad[0];
            int64_t oh = p % g->in[1] * g->stride[1] + kh * g->dilation[1] - g->pad[1];
            float *row;

            if (od < 0 || od >= g->out[0] || oh < 0 || oh >= g->out[1])
                continue;
            row = y + ((channel * g->out[0] + od) * g->out[1] + oh) * g->out[2];
            for (int64_t iw = 0; iw < g->in[2]; iw++) {
                int64_t ow = iw * g->stride[2] + kw * g->dilation[2] - g->pad[2];

                if (ow >= 0 && ow < g->out[2])
                    row[ow] += from[iw];
            }
        }
    }
}

/* Weights are in x out x taps; the product needs them with the outputs as rows. */
static void transpose_weights(const float *w, int64_t in, int64_t rows, float *to)
{
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t i = 0; i < in; i++)
            to[r * in + i] = w[i * rows + r];
    }
}

static enum status transpose_run(struct call *c, struct error *e)
{
    const struct conv_state *state = c->state;
    const struct conv_geometry *g = &state->geometry;
    const float *bias = call_in(c, 2) ? call_in(c, 2)->data : NULL;
    int64_t in = g->channels_in / g->groups, out = g->channels_out / g->groups;
    int64_t positions = g->in[0] * g->in[1] * g->in[2], out_positions = state->out_image / g->channels_out;
    int64_t rows = out * g->kernel[0] * g->kernel[1] * g->kernel[2];
    float *weights = c->scratch, *columns = weights + tensor_count(c->in[1]);
    float *packed = columns + tensor_shape_span(&c->in[1]->shape, 1, c->in[1]->shape.rank) * positions;

    (void)e;
    for (int64_t group = 0; group < g->groups; group++)
        transpose_weights((const float *)c->in[1]->data + group * in * rows, in, rows, weights + group * in * rows);
    for (int64_t n = 0; n < state->batch; n++) {
        const float *x = (const float *)c->in[0]->data + n * state->in_image;
        float *y = (float *)c->out[0]->data + n * state->out_image;

        for (int64_t i = 0; i < state->out_image; i++)
            y[i] = bias ? bias[i / out_positions] : 0.0f;
        for (int64_t group = 0; group < g->groups; group++) {
            struct rows_job job = {
                .x = weights + group * in * rows,
                .x_stride = (size_t)in,
                .packed = packed,
                .y = columns,
                .y_stride = (size_t)positions,
                .m = (size_t)rows,
                .k = (size_t)in,
                .n = (size_t)positions,
            };

            rows_pack(x + group * in * positions, (size_t)in, (size_t)positions, (size_t)positions, 1, packed);
            c->kernels->rows(&job);
            scatter_columns(g, columns, out, y + group * out * out_positions);
        }
        activation_apply(&c->node->activation, y, (size_t)state->out_image);
    }
    return STATUS_OK;
}

static const struct op conv_ops[] = {
    {.name = "Conv",
     .since = 1,
     .min_in = 2,
     .max_in = 3,
     .min_out = 1,
     .max_out = 1,
     .flags = OP_ACTIVATION,
     .state_bytes = sizeof(struct conv_state),
     .infer = conv_infer,
     .run = conv_run},
    {.name = "ConvTranspose",
     .since = 1,
     .min_in = 2,
     .max_in = 3,
     .min_out = 1,
     .max_out = 1,
     .flags = OP_ACTIVATION,
     .state_bytes = sizeof(struct conv_state),
     .infer = transpose_infer,
     .run = transpose_run},
};

const struct op_group ops_conv = {conv_ops, sizeof(conv_ops) / sizeof(conv_ops[0])};
