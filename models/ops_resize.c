/* Resize and Upsample, float32: nearest, linear and cubic, one axis after the other. Each output coordinate
 * of an axis is a weighted sum of up to four input coordinates. */
#include <math.h>
#include <string.h>

#include "models/op.h"

enum { MAX_TAPS = 4 };

enum coordinate_mode {
    COORDINATE_HALF_PIXEL,
    COORDINATE_PYTORCH_HALF_PIXEL,
    COORDINATE_ALIGN_CORNERS,
    COORDINATE_ASYMMETRIC,
    COORDINATE_HALF_PIXEL_NN,
    COORDINATE_CROP,
    COORDINATE_SYMMETRIC,
};

enum nearest_mode { NEAREST_PREFER_FLOOR, NEAREST_PREFER_CEIL, NEAREST_FLOOR, NEAREST_CEIL };

struct resize_state {
    enum coordinate_mode coordinates;
    enum nearest_mode nearest;
    unsigned taps; /* 1 nearest, 2 linear, 4 cubic */
    float cubic_a, outside;
    bool exclude_outside;
    double scales[TENSOR_MAX_RANK], start[TENSOR_MAX_RANK], end[TENSOR_MAX_RANK];
    size_t buffer_floats;
};

static enum status pick(const struct call *c, const char *attribute, const char *fallback, const char *const *names,
                        int n, int *ret_index, struct error *e)
{
    const char *text = call_string(c, attribute, fallback);

    for (int i = 0; i < n; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret_index = i;
            return STATUS_OK;
        }
    }
    return call_error(c, e, STATUS_UNSUPPORTED, "%s %.40s is not supported", attribute, text);
}

static enum status read_modes(const struct call *c, struct resize_state *state, struct error *e)
{
    static const char *const modes[] = {"nearest", "linear", "cubic", "bilinear"};
    static const char *const coordinates[] = {"half_pixel",          "pytorch_half_pixel",   "align_corners",
                                              "asymmetric",          "tf_half_pixel_for_nn", "tf_crop_and_resize",
                                              "half_pixel_symmetric"};
    static const char *const nearest[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};
    static const unsigned taps[] = {1, 2, 4, 2};
    int mode = 0, coordinate = 0, near = 0;
    bool old = c->op->kind != 0 || c->opset < 11;
    enum status s = pick(c, "mode", "nearest", modes, 4, &mode, e);

    if (s == STATUS_OK)
        s = pick(c, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel", coordinates, 7, &coordinate,
                 e);
    if (s == STATUS_OK)
        s = pick(c, "nearest_mode", old ? "floor" : "round_prefer_floor", nearest, 4, &near, e);
    if (s != STATUS_OK)
        return s;
    if (call_int(c, "antialias", 0) != 0)
        return call_error(c, e, STATUS_UNSUPPORTED, "antialias is not supported");
    state->taps = taps[mode];
    state->coordinates = (enum coordinate_mode)coordinate;
    state->nearest = (enum nearest_mode)near;
    state->cubic_a = call_float(c, "cubic_coeff_a", -0.75f);
    state->exclude_outside = call_int(c, "exclude_outside", 0) != 0;
    state->outside = call_float(c, "extrapolation_value", 0.0f);
    return STATUS_OK;
}

/* n numbers of a constant float input or attribute. */
static enum status read_floats(const struct call *c, size_t input, const char *attribute, double *ret_values, size_t n,
                               struct error *e)
{
    const struct tensor *t = call_in(c, input);
    const struct attribute *a = node_attribute(c->node, attribute);
    const float *from;

    if (!t && a && a->kind == ATTRIBUTE_FLOATS && a->n == n) {
        from = a->floats;
    } else {
        if (!t)
            return call_error(c, e, STATUS_INVALID, "neither sizes nor scales");
        if (t->type != TENSOR_F32 || tensor_count(t) != (int64_t)n)
            return call_error(c, e, STATUS_INVALID, "input %zu must hold %zu float32 values", input, n);
        if (!t->data)
            return call_unknown(c, input, e);
        from = t->data;
    }
    for (size_t i = 0; i < n; i++)
        ret_values[i] = (double)from[i];
    return STATUS_OK;
}

/* The axes that sizes, scales and roi tell of: all of them before opset 18. */
static enum status read_axes(const struct call *c, unsigned ret_axes[TENSOR_MAX_RANK], size_t *ret_n, struct error *e)
{
    unsigned rank = c->in[0]->shape.rank, seen = 0;
    int64_t axes[TENSOR_MAX_RANK];
    enum status s = call_ints(c, "axes", axes, TENSOR_MAX_RANK, ret_n, e);

    for (unsigned d = 0; s == STATUS_OK && *ret_n == 0 && d < rank; d++)
        ret_axes[d] = d;
    for (size_t i = 0; s == STATUS_OK && i < *ret_n; i++) {
        s = call_axis(c, axes[i], rank, &ret_axes[i], e);
        if (s == STATUS_OK && seen & 1u << ret_axes[i])
            s = call_error(c, e, STATUS_INVALID, "axis %lld is named twice", (long long)axes[i]);
        if (s == STATUS_OK)
            seen |= 1u << ret_axes[i];
    }
    *ret_n = *ret_n == 0 ? rank : *ret_n;
    return s;
}

/* keep_aspect_ratio_policy: one scale for all axes, so that no size is exceeded or undershot. */
static enum status keep_aspect(const struct call *c, const unsigned *axes, size_t n, int64_t *sizes, struct error *e)
{
    const char *policy = call_string(c, "keep_aspect_ratio_policy", "stretch");
    bool larger = strcmp(policy, "not_smaller") == 0;
    double scale = 0;

    if (strcmp(policy, "stretch") == 0)
        return STATUS_OK;
    if (!larger && strcmp(policy, "not_larger") != 0)
        return call_error(c, e, STATUS_INVALID, "keep_aspect_ratio_policy %.40s", policy);
    for (size_t i = 0; i < n; i++) {
        int64_t size = c->in[0]->shape.dims[axes[i]];
        double one = size > 0 ? (double)sizes[i] / (double)size : 1;

        scale = i == 0 || (larger ? one > scale : one < scale) ? one : scale;
    }
    for (size_t i = 0; i < n; i++) {
        double size = nearbyint(scale * (double)c->in[0]->shape.dims[axes[i]]);

        if (!(size >= 0 && size <= (double)TENSOR_MAX_BYTES))
            return call_error(c, e, STATUS_INVALID, "a size of %g", size);
        sizes[i] = (int64_t)size;
    }
    return STATUS_OK;
}

static enum status read_sizes(struct call *c, struct resize_state *state, struct error *e)
{
    const struct tensor_shape *in = &c->in[0]->shape;
    struct tensor_shape *out = &c->out[0]->shape;
    bool old = c->op->kind != 0 || c->opset < 11;
    size_t scales_at = old ? 1 : 2, n_axes, n;
    unsigned axes[TENSOR_MAX_RANK];
    double scales[TENSOR_MAX_RANK];
    int64_t sizes[TENSOR_MAX_RANK];
    enum status s = read_axes(c, axes, &n_axes, e);

    if (s != STATUS_OK)
        return s;
    *out = *in;
    for (unsigned d = 0; d < in->rank; d++)
        state->scales[d] = 1;
    if (!old && call_in(c, 3)) {
        s = call_input_ints(c, 3, sizes, TENSOR_MAX_RANK, &n, e);
        if (s == STATUS_OK && n != n_axes)
            s = call_error(c, e, STATUS_INVALID, "%zu sizes for %zu axes", n, n_axes);
        if (s == STATUS_OK)
            s = keep_aspect(c, axes, n_axes, sizes, e);
        for (size_t i = 0; s == STATUS_OK && i < n_axes; i++) {
            out->dims[axes[i]] = sizes[i];
            state->scales[axes[i]] = in->dims[axes[i]] > 0 ? (double)sizes[i] / (double)in->dims[axes[i]] : 1;
        }
    } else {
        s = read_floats(c, scales_at, "scales", scales, n_axes, e);
        for (size_t i = 0; s == STATUS_OK && i < n_axes; i++)
            state->scales[axes[i]] = scales[i];
    }
    if (s != STATUS_OK)
        return s;
    for (unsigned d = 0; d < in->rank; d++) {
        double size = state->coordinates == COORDINATE_CROP
                          ? floor((double)in->dims[d] * (state->end[d] - state->start[d]) * state->scales[d])
                          : floor((double)in->dims[d] * state->scales[d]);

        if (!(state->scales[d] > 0) || !(size >= 1 && size <= (double)TENSOR_MAX_BYTES) || in->dims[d] < 1)
            return call_error(c, e, STATUS_INVALID, "axis %u of %lld is scaled by %g", d, (long long)in->dims[d],
                              state->scales[d]);
        if (old || !call_in(c, 3))
            out->dims[d] = (int64_t)size;
    }
    return STATUS_OK;
}

static enum status resize_infer(struct call *c, struct error *e)
{
    struct resize_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape, *out = &c->out[0]->shape;
    double region[2 * TENSOR_MAX_RANK];
    unsigned axes[TENSOR_MAX_RANK];
    size_t n_axes = 0;
    int64_t most = 0, longest = 0;
    size_t bytes;
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);

    if (s == STATUS_OK)
        s = read_modes(c, state, e);
    if (s == STATUS_OK && state->coordinates == COORDINATE_CROP) {
        s = read_axes(c, axes, &n_axes, e);
        if (s == STATUS_OK)
            s = read_floats(c, 1, "roi", region, 2 * n_axes, e);
        for (unsigned d = 0; d < in->rank; d++)
            state->end[d] = 1;
        for (size_t i = 0; s == STATUS_OK && i < n_axes; i++) {
            state->start[axes[i]] = region[i];
            state->end[axes[i]] = region[n_axes + i];
        }
    }
    if (s == STATUS_OK)
        s = read_sizes(c, state, e);
    if (s != STATUS_OK)
        return s;
    c->out[0]->type = TENSOR_F32;
    if (!tensor_shape_bytes(out, TENSOR_F32, &bytes))
        return call_error(c, e, STATUS_INVALID, "the output is too large");
    for (unsigned d = 0; d < in->rank; d++) {
        struct tensor_shape between = *in;

        for (unsigned k = 0; k <= d; k++)
            between.dims[k] = out->dims[k];
        if (!tensor_shape_bytes(&between, TENSOR_F32, &bytes))
            return call_error(c, e, STATUS_INVALID, "a step between is too large");
        most = tensor_shape_count(&between) > most ? tensor_shape_count(&between) : most;
        longest = out->dims[d] > longest ? out->dims[d] : longest;
    }
    state->buffer_floats = (size_t)most;
    c->scratch_bytes =
        2 * sizeof(float) * (size_t)most + (size_t)longest * MAX_TAPS * (sizeof(float) + sizeof(int64_t));
    return STATUS_OK;
}

static double source_of(const struct resize_state *state, unsigned d, int64_t o, int64_t in, int64_t out)
{
    double scale = state->scales[d], x = (double)o;

    switch (state->coordinates) {
    case COORDINATE_HALF_PIXEL:
        return (x + 0.5) / scale - 0.5;
    case COORDINATE_PYTORCH_HALF_PIXEL:
        return out > 1 ? (x + 0.5) / scale - 0.5 : 0.0;
    case COORDINATE_ALIGN_CORNERS:
        /* The exact length, as ONNX's reference and cases have it: with scales it need not be whole. */
        return out > 1 ? x * (double)(in - 1) / (scale * (double)in - 1) : 0.0;
    case COORDINATE_SYMMETRIC:
        /* The middle of the image stays in the middle when the exact length is cut to a whole one. */
        return (double)in / 2 * (1 - (double)out / (scale * (double)in)) + (x + 0.5) / scale - 0.5;
    case COORDINATE_ASYMMETRIC:
        return x / scale;
    case COORDINATE_HALF_PIXEL_NN:
        return (x + 0.5) / scale;
    case COORDINATE_CROP:
        return out > 1 ? state->start[d] * (double)(in - 1) +
                             x * (state->end[d] - state->start[d]) * (double)(in - 1) / (double)(out - 1)
                       : 0.5 * (state->start[d] + state->end[d]) * (double)(in - 1);
    }
    return 0.0;
}

static double nearest_of(enum nearest_mode mode, double x)
{
    switch (mode) {
    case NEAREST_PREFER_FLOOR:
        return ceil(x - 0.5);
    case NEAREST_PREFER_CEIL:
        return floor(x + 0.5);
    case NEAREST_FLOOR:
        return floor(x);
    case NEAREST_CEIL:
        return ceil(x);
    }
    return x;
}

/* Keys, "Cubic Convolution Interpolation for Digital Image Processing", 1981; distance t from the sample. */
static double cubic(double a, double t)
{
    t = fabs(t);
    if (t <= 1)
        return ((a + 2) * t - (a + 3)) * t * t + 1;
    return t < 2 ? ((a * t - 5 * a) * t + 8 * a) * t - 4 * a : 0;
}

/* The taps of one output coordinate: at[0..taps), weight[0..taps). */
static void taps_of(const struct resize_state *state, double x, int64_t in, int64_t *at, float *weight)
{
    double base, weights[MAX_TAPS] = {1, 0, 0, 0}, sum = 0;
    int first = state->taps == 4 ? -1 : 0;

    x = x < -4 ? -4 : x > (double)in + 4 ? (double)in + 4 : x;
    base = state->taps == 1 ? nearest_of(state->nearest, x) : floor(x);
    for (unsigned k = 0; k < state->taps; k++) {
        int64_t i = (int64_t)base + first + (int64_t)k;

        if (state->taps == 2)
            weights[k] = k == 0 ? 1 - (x - base) : x - base;
        else if (state->taps == 4)
            weights[k] = cubic((double)state->cubic_a, x - (double)i);
        if (state->exclude_outside && (i < 0 || i >= in))
            weights[k] = 0;
        sum += weights[k];
        at[k] = i < 0 ? 0 : i >= in ? in - 1 : i;
    }
    for (unsigned k = 0; k < state->taps; k++)
        weight[k] = (float)(state->exclude_outside && sum != 0 ? weights[k] / sum : weights[k]);
}

/* One axis: from [outer, in, inner] to [outer, out, inner]. */
static void resize_axis(const struct resize_state *state, const float *from, float *to, const int64_t *at,
                        const float *weight, int64_t outer, int64_t in, int64_t out, int64_t inner)
{
    for (int64_t o = 0; o < outer; o++, from += in * inner) {
        for (int64_t i = 0; i < out; i++, to += inner) {
            const int64_t *taps = at + i * MAX_TAPS;
            const float *w = weight + i * MAX_TAPS;

            if (state->taps == 1) {
                memcpy(to, from + taps[0] * inner, (size_t)inner * sizeof(float));
                continue;
            }
            for (int64_t k = 0; k < inner; k++) {
                float sum = from[taps[0] * inner + k] * w[0];

                for (unsigned t = 1; t < state->taps; t++)
                    sum += from[taps[t] * inner + k] * w[t];
                to[k] = sum;
            }
        }
    }
}

/* Crops beyond the image give a constant. */
static void fill_outside(const struct resize_state *state, const struct tensor_shape *in,
                         const struct tensor_shape *out, float *y)
{
    for (int64_t i = 0; i < tensor_shape_count(out); i++) {
        int64_t rest = i;

        for (unsigned d = out->rank; d-- > 0;) {
            double x = source_of(state, d, rest % out->dims[d], in->dims[d], out->dims[d]);

            rest /= out->dims[d];
            if (x < 0 || x > (double)(in->dims[d] - 1))
                y[i] = state->outside;
        }
    }
}

static enum status resize_run(struct call *c, struct error *e)
{
    const struct resize_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape, *out = &c->out[0]->shape;
    float *buffers[2], *weight;
    const float *from = c->in[0]->data;
    int64_t *at = c->scratch;
    unsigned next = 0, last = in->rank;
    int64_t longest = 0;

    (void)e;
    for (unsigned d = 0; d < in->rank; d++) {
        longest = out->dims[d] > longest ? out->dims[d] : longest;
        if (out->dims[d] != in->dims[d] || state->scales[d] != 1.0 || state->coordinates == COORDINATE_CROP)
            last = d;
    }
    weight = (float *)(void *)(at + longest * MAX_TAPS);
    buffers[0] = weight + longest * MAX_TAPS;
    buffers[1] = buffers[0] + state->buffer_floats;
    if (last == in->rank)
        memcpy(c->out[0]->data, from, (size_t)tensor_count(c->out[0]) * sizeof(float));
    for (unsigned d = 0; d <= last && last < in->rank; d++) {
        float *to = d == last ? c->out[0]->data : buffers[next];

        if (d != last && out->dims[d] == in->dims[d] && state->scales[d] == 1.0 &&
            state->coordinates != COORDINATE_CROP)
            continue;
        for (int64_t i = 0; i < out->dims[d]; i++)
            taps_of(state, source_of(state, d, i, in->dims[d], out->dims[d]), in->dims[d], at + i * MAX_TAPS,
                    weight + i * MAX_TAPS);
        resize_axis(state, from, to, at, weight, tensor_shape_span(out, 0, d), in->dims[d], out->dims[d],
                    tensor_shape_span(in, d + 1, in->rank));
        from = to;
        next = 1 - next;
    }
    if (state->coordinates == COORDINATE_CROP)
        fill_outside(state, in, out, c->out[0]->data);
    return STATUS_OK;
}

static const struct op resize_ops[] = {
    {.name = "Resize",
     .since = 10,
     .min_in = 1,
     .max_in = 4,
     .min_out = 1,
     .max_out = 1,
     .kind = 0,
     .state_bytes = sizeof(struct resize_state),
     .infer = resize_infer,
     .run = resize_run},
    {.name = "Upsample",
     .since = 7,
     .until = 9,
     .min_in = 1,
     .max_in = 2,
     .min_out = 1,
     .max_out = 1,
     .kind = 1,
     .state_bytes = sizeof(struct resize_state),
     .infer = resize_infer,
     .run = resize_run},
};

const struct op_group ops_resize = {resize_ops, sizeof(resize_ops) / sizeof(resize_ops[0])};
