/* Pooling over regions: RoiAlign, MaxRoiPool; float32. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "models/op.h"

/* Samples along one side of a bin; a region so large is no region of this picture. */
enum { MAX_SAMPLES = 1 << 12, MAX_POOLED = 1 << 16 };

struct roi_state {
    int64_t channels, in[2], out[2]; /* height, width */
    int64_t sampling;
    float scale, offset;
    bool most, force_one;
};

static enum status check_sizes(const struct call *c, int64_t row, struct error *e)
{
    struct roi_state *state = c->state;
    const struct tensor_shape *x = &c->in[0]->shape, *rois = &c->in[1]->shape;

    if (rois->dims[1] != row)
        return call_error(c, e, STATUS_INVALID, "regions of %lld values, must have %lld", (long long)rois->dims[1],
                          (long long)row);
    for (unsigned d = 0; d < 2; d++) {
        if (state->out[d] < 1 || state->out[d] > MAX_POOLED || x->dims[2 + d] < 1)
            return call_error(c, e, STATUS_INVALID, "%lld x %lld pooled to %lld x %lld", (long long)x->dims[2],
                              (long long)x->dims[3], (long long)state->out[0], (long long)state->out[1]);
        state->in[d] = x->dims[2 + d];
    }
    state->channels = x->dims[1];
    c->out[0]->type = TENSOR_F32;
    c->out[0]->shape =
        (struct tensor_shape){.rank = 4, .dims = {rois->dims[0], x->dims[1], state->out[0], state->out[1]}};
    return STATUS_OK;
}

static enum status check_types(const struct call *c, struct error *e)
{
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);

    if (s == STATUS_OK)
        s = call_type(c, 1, TYPE_BIT(TENSOR_F32), e);
    if (s == STATUS_OK)
        s = call_type(c, 2, TYPES_INDEX, e);
    if (s == STATUS_OK)
        s = call_rank(c, 0, 4, 4, e);
    return s == STATUS_OK ? call_rank(c, 1, 2, 2, e) : s;
}

static enum status align_infer(struct call *c, struct error *e)
{
    struct roi_state *state = c->state;
    const char *mode = call_string(c, "mode", "avg");
    const char *transform =
        call_string(c, "coordinate_transformation_mode", c->opset >= 16 ? "half_pixel" : "output_half_pixel");
    enum status s = check_types(c, e);

    if (s != STATUS_OK)
        return s;
    state->out[0] = call_int(c, "output_height", 1);
    state->out[1] = call_int(c, "output_width", 1);
    state->sampling = call_int(c, "sampling_ratio", 0);
    state->scale = call_float(c, "spatial_scale", 1.0f);
    state->most = strcmp(mode, "max") == 0;
    state->offset = strcmp(transform, "half_pixel") == 0 ? 0.5f : 0.0f;
    state->force_one = state->offset == 0.0f;
    if (state->sampling < 0 || state->sampling > MAX_SAMPLES || (!state->most && strcmp(mode, "avg") != 0))
        return call_error(c, e, STATUS_INVALID, "mode %.40s with %lld samples", mode, (long long)state->sampling);
    if (c->in[2]->shape.rank != 1 || c->in[2]->shape.dims[0] != c->in[1]->shape.dims[0])
        return call_error(c, e, STATUS_INVALID, "the list of pictures does not fit the regions");
    s = check_sizes(c, 4, e);
    if (s == STATUS_OK && tensor_shape_bytes(&c->out[0]->shape, TENSOR_F32, &(size_t){0}))
        c->flops = (uint64_t)tensor_count(c->out[0]) * 32;
    return s;
}

/* The four neighbours of a point and their weights; false outside the picture. */
static bool neighbours(const struct roi_state *state, float y, float x, int64_t at[4], float weight[4])
{
    int64_t y0, x0, y1, x1;
    float dy, dx;

    if (!(y >= -1.0f && y <= (float)state->in[0] && x >= -1.0f && x <= (float)state->in[1]))
        return false;
    y = y <= 0 ? 0 : y;
    x = x <= 0 ? 0 : x;
    y0 = (int64_t)y;
    x0 = (int64_t)x;
    y1 = y0 + 1;
    x1 = x0 + 1;
    if (y0 >= state->in[0] - 1) {
        y0 = y1 = state->in[0] - 1;
        y = (float)y0;
    }
    if (x0 >= state->in[1] - 1) {
        x0 = x1 = state->in[1] - 1;
        x = (float)x0;
    }
    dy = y - (float)y0;
    dx = x - (float)x0;
    at[0] = y0 * state->in[1] + x0;
    at[1] = y0 * state->in[1] + x1;
    at[2] = y1 * state->in[1] + x0;
    at[3] = y1 * state->in[1] + x1;
    weight[0] = (1 - dy) * (1 - dx);
    weight[1] = (1 - dy) * dx;
    weight[2] = dy * (1 - dx);
    weight[3] = dy * dx;
    return true;
}

struct region {
    float y, x, bin_y, bin_x; /* where it begins, and the sides of a bin */
    int64_t samples[2];
};

static float align_bin(const struct roi_state *state, const struct region *r, const float *plane, int64_t ph,
                       int64_t pw)
{
    float sum = 0.0f, best = 0.0f;
    bool any = false;

    for (int64_t iy = 0; iy < r->samples[0]; iy++) {
        float y = r->y + (float)ph * r->bin_y + ((float)iy + 0.5f) * r->bin_y / (float)r->samples[0];

        for (int64_t ix = 0; ix < r->samples[1]; ix++) {
            float x = r->x + (float)pw * r->bin_x + ((float)ix + 0.5f) * r->bin_x / (float)r->samples[1];
            float weight[4] = {0}, most = -FLT_MAX;
            int64_t at[4] = {0};

            (void)neighbours(state, y, x, at, weight);
            for (int k = 0; k < 4; k++) {
                sum += weight[k] * plane[at[k]];
                most = fmaxf(most, weight[k] * plane[at[k]]);
            }
            best = any ? fmaxf(best, most) : most;
            any = true;
        }
    }
    return state->most ? best : sum / (float)(any ? r->samples[0] * r->samples[1] : 1);
}

static enum status region_of(const struct call *c, const float *roi, struct region *ret_r, struct error *e)
{
    const struct roi_state *state = c->state;
    struct region r = {.x = roi[0] * state->scale - state->offset, .y = roi[1] * state->scale - state->offset};
    float width = roi[2] * state->scale - state->offset - r.x, height = roi[3] * state->scale - state->offset - r.y;

    if (state->force_one) {
        width = fmaxf(width, 1.0f);
        height = fmaxf(height, 1.0f);
    }
    r.bin_y = height / (float)state->out[0];
    r.bin_x = width / (float)state->out[1];
    if (!(r.bin_y <= (float)MAX_SAMPLES) || !(r.bin_x <= (float)MAX_SAMPLES))
        return call_error(c, e, STATUS_INVALID, "a region of %g x %g", (double)width, (double)height);
    r.samples[0] = state->sampling > 0 ? state->sampling : (int64_t)ceilf(r.bin_y);
    r.samples[1] = state->sampling > 0 ? state->sampling : (int64_t)ceilf(r.bin_x);
    *ret_r = r;
    return STATUS_OK;
}

static enum status align_run(struct call *c, struct error *e)
{
    const struct roi_state *state = c->state;
    float *y = c->out[0]->data;

    for (int64_t n = 0; n < c->in[1]->shape.dims[0]; n++) {
        int64_t image = tensor_integer(c->in[2], n);
        struct region r = {0};
        enum status s;

        if (image < 0 || image >= c->in[0]->shape.dims[0])
            return call_error(c, e, STATUS_INVALID, "picture %lld is outside %lld", (long long)image,
                              (long long)c->in[0]->shape.dims[0]);
        s = region_of(c, (const float *)c->in[1]->data + n * 4, &r, e);
        if (s != STATUS_OK)
            return s;
        for (int64_t k = 0; k < state->channels; k++) {
            const float *plane =
                (const float *)c->in[0]->data + (image * state->channels + k) * state->in[0] * state->in[1];

            for (int64_t p = 0; p < state->out[0] * state->out[1]; p++)
                *y++ = align_bin(state, &r, plane, p / state->out[1], p % state->out[1]);
        }
    }
    return STATUS_OK;
}

static enum status max_infer(struct call *c, struct error *e)
{
    struct roi_state *state = c->state;
    size_t n;
    enum status s = check_types(c, e);

    if (s == STATUS_OK)
        s = call_ints(c, "pooled_shape", state->out, 2, &n, e);
    if (s == STATUS_OK && n != 2)
        s = call_error(c, e, STATUS_INVALID, "pooled_shape has %zu values, must have 2", n);
    state->scale = call_float(c, "spatial_scale", 1.0f);
    return s == STATUS_OK ? check_sizes(c, 5, e) : s;
}

/* From a to b in elements, cut to 0..size. */
static int64_t edge(float v, int64_t start, int64_t size)
{
    double at = (double)v + (double)start;

    return at < 0 ? 0 : at > (double)size ? size : (int64_t)at;
}

static enum status max_run(struct call *c, struct error *e)
{
    const struct roi_state *state = c->state;
    float *y = c->out[0]->data;

    for (int64_t n = 0; n < c->in[1]->shape.dims[0]; n++) {
        const float *roi = (const float *)c->in[1]->data + n * 5;
        int64_t corner[4], image;
        float side[2];

        for (unsigned k = 0; k < 5; k++) {
            float v = k == 0 ? roi[0] : roundf(roi[k] * state->scale);

            if (!(fabsf(v) < 1e9f) || (k == 0 && (v < 0 || v >= (float)c->in[0]->shape.dims[0])))
                return call_error(c, e, STATUS_INVALID, "region %lld holds %g", (long long)n, (double)roi[k]);
            if (k > 0)
                corner[k - 1] = (int64_t)v;
        }
        image = (int64_t)roi[0];
        /* Corners are x, y, x, y and belong to the region. */
        for (unsigned d = 0; d < 2; d++) {
            int64_t length = corner[3 - d] - corner[1 - d] + 1;

            side[d] = (float)(length < 1 ? 1 : length) / (float)state->out[d];
        }
        for (int64_t i = 0; i < state->channels * state->out[0] * state->out[1]; i++) {
            int64_t pw = i % state->out[1], ph = i / state->out[1] % state->out[0];
            const float *plane =
                (const float *)c->in[0]->data +
                (image * state->channels + i / (state->out[0] * state->out[1])) * state->in[0] * state->in[1];
            int64_t y0 = edge(floorf((float)ph * side[0]), corner[1], state->in[0]);
            int64_t y1 = edge(ceilf((float)(ph + 1) * side[0]), corner[1], state->in[0]);
            int64_t x0 = edge(floorf((float)pw * side[1]), corner[0], state->in[1]);
            int64_t x1 = edge(ceilf((float)(pw + 1) * side[1]), corner[0], state->in[1]);
            float best = y1 <= y0 || x1 <= x0 ? 0.0f : -FLT_MAX;

            for (int64_t iy = y0; iy < y1; iy++) {
                for (int64_t ix = x0; ix < x1; ix++)
                    best = fmaxf(best, plane[iy * state->in[1] + ix]);
            }
            *y++ = best;
        }
    }
    return STATUS_OK;
}

#define ROI(op_name, first_opset, inputs, op_infer, op_run)                                                            \
    {                                                                                                                  \
        .name = op_name, .since = first_opset, .min_in = inputs, .max_in = inputs, .min_out = 1, .max_out = 1,         \
        .state_bytes = sizeof(struct roi_state), .infer = op_infer, .run = op_run                                      \
    }

static const struct op roi_ops[] = {
    ROI("RoiAlign", 10, 3, align_infer, align_run),
    ROI("MaxRoiPool", 1, 2, max_infer, max_run),
};

const struct op_group ops_roi = {roi_ops, sizeof(roi_ops) / sizeof(roi_ops[0])};
