/* MaxPool, AveragePool, LpPool and their global forms, float32, one to three spatial dimensions. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "models/window.h"

enum pool_kind { POOL_MAX, POOL_AVERAGE, POOL_LP };

struct pool_state {
    struct window window;
    int64_t planes;
    bool count_padding, column_major;
    int64_t p;
};

static enum status pool_infer(struct call *c, struct error *e)
{
    struct pool_state *state = c->state;
    const struct tensor *x = c->in[0];
    enum status s = call_type(c, 0, c->op->kind == POOL_MAX ? TYPES_FLOAT | TYPES_BYTE : TYPE_BIT(TENSOR_F32), e);

    if (s == STATUS_OK)
        s = window_infer(c, NULL, &state->window, e);
    if (s != STATUS_OK)
        return s;
    state->planes = x->shape.dims[0] * x->shape.dims[1];
    state->count_padding = call_int(c, "count_include_pad", 0) != 0;
    state->column_major = call_int(c, "storage_order", 0) != 0;
    state->p = call_int(c, "p", 2);
    c->out[0]->type = x->type;
    window_shape(&state->window, x->shape.dims[0], x->shape.dims[1], &c->out[0]->shape);
    if (call_out(c, 1)) {
        c->out[1]->type = TENSOR_I64;
        c->out[1]->shape = c->out[0]->shape;
    }
    c->flops = (uint64_t)tensor_count(c->out[0]) * (uint64_t)state->window.kernel[0] *
               (uint64_t)state->window.kernel[1] * (uint64_t)state->window.kernel[2];
    return STATUS_OK;
}

/* The part of a window that is inside the image, in one dimension: taps first..end. */
static void clip_window(const struct window *w, unsigned d, int64_t o, int64_t *ret_start, int64_t *ret_first,
                        int64_t *ret_end)
{
    int64_t start = o * w->stride[d] - w->pad[d], step = w->dilation[d];
    int64_t first = start < 0 ? (-start + step - 1) / step : 0;
    int64_t end = w->in[d] <= start ? 0 : (w->in[d] - start + step - 1) / step;

    *ret_start = start;
    *ret_end = end > w->kernel[d] ? w->kernel[d] : end;
    *ret_first = first > *ret_end ? *ret_end : first;
}

struct tap_box {
    int64_t start[3], first[3], end[3];
};

static float max_of(const struct window *w, const struct tap_box *b, const float *x, int64_t *ret_at)
{
    float best = -INFINITY;
    int64_t best_at = -1;

    for (int64_t kd = b->first[0]; kd < b->end[0]; kd++) {
        for (int64_t kh = b->first[1]; kh < b->end[1]; kh++) {
            int64_t row = (b->start[0] + kd * w->dilation[0]) * w->in[1] + b->start[1] + kh * w->dilation[1];

            for (int64_t kw = b->first[2]; kw < b->end[2]; kw++) {
                int64_t at = row * w->in[2] + b->start[2] + kw * w->dilation[2];

                if (x[at] > best || best_at < 0 || isnan(x[at])) {
                    best = x[at];
                    best_at = at;
                }
            }
        }
    }
    *ret_at = best_at;
    return best;
}

/* The same for types that are rare here. */
static int64_t max_at(const struct window *w, const struct tap_box *b, const struct tensor *x, int64_t plane)
{
    int64_t best = -1;

    for (int64_t kd = b->first[0]; kd < b->end[0]; kd++) {
        for (int64_t kh = b->first[1]; kh < b->end[1]; kh++) {
            int64_t row = (b->start[0] + kd * w->dilation[0]) * w->in[1] + b->start[1] + kh * w->dilation[1];

            for (int64_t kw = b->first[2]; kw < b->end[2]; kw++) {
                int64_t at = row * w->in[2] + b->start[2] + kw * w->dilation[2];

                if (best < 0 || tensor_compare(x, plane + at, plane + best) > 0)
                    best = at;
            }
        }
    }
    return best;
}

static float sum_of(const struct window *w, const struct tap_box *b, const float *x, int64_t p)
{
    float sum = 0.0f;

    for (int64_t kd = b->first[0]; kd < b->end[0]; kd++) {
        for (int64_t kh = b->first[1]; kh < b->end[1]; kh++) {
            int64_t row = (b->start[0] + kd * w->dilation[0]) * w->in[1] + b->start[1] + kh * w->dilation[1];

            for (int64_t kw = b->first[2]; kw < b->end[2]; kw++) {
                float v = x[row * w->in[2] + b->start[2] + kw * w->dilation[2]];

                sum += p == 0 ? v : p == 1 ? fabsf(v) : p == 2 ? v * v : powf(fabsf(v), (float)p);
            }
        }
    }
    return sum;
}

/* How many positions an average divides by: inside the image, or inside image and padding (a window of
 * ceil_mode may reach beyond both). */
static int64_t divisor_of(const struct window *w, const struct tap_box *b, bool count_padding)
{
    int64_t n = 1;

    for (unsigned d = 0; d < 3; d++) {
        int64_t limit = w->in[d] + w->pad_end[d] - b->start[d];
        int64_t taps = (limit + w->dilation[d] - 1) / w->dilation[d];

        if (count_padding)
            n *= taps < w->kernel[d] ? taps : w->kernel[d];
        else
            n *= b->end[d] - b->first[d];
    }
    return n;
}

/* The index output counts over the whole input; column-major swaps the two last dimensions of an image. */
static int64_t index_of(const struct pool_state *state, int64_t plane, int64_t at)
{
    const struct window *w = &state->window;
    int64_t base = plane * w->in[0] * w->in[1] * w->in[2];

    if (!state->column_major)
        return base + at;
    return base + at % w->in[2] * w->in[1] + at / w->in[2] % w->in[1] +
           at / (w->in[1] * w->in[2]) * w->in[1] * w->in[2];
}

/* y = the larger of y and x; a NaN wins and stays. */
KERNEL_CLONES static void larger(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] > y[i] || x[i] != x[i] ? x[i] : y[i];
}

KERNEL_CLONES static void larger_of_second(float *y, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = x[2 * i] > y[i] || x[2 * i] != x[2 * i] ? x[2 * i] : y[i];
}

/* Maximum over one plane of two dimensions, tap by tap over whole rows. */
static void max_plane(const struct window *w, const float *x, float *y)
{
    for (int64_t oh = 0; oh < w->out[1]; oh++, y += w->out[2]) {
        for (int64_t ow = 0; ow < w->out[2]; ow++)
            y[ow] = -INFINITY;
        for (int64_t tap = 0; tap < w->kernel[1] * w->kernel[2]; tap++) {
            int64_t ih = oh * w->stride[1] + tap / w->kernel[2] * w->dilation[1] - w->pad[1], first, end;
            int64_t offset = tap % w->kernel[2] * w->dilation[2] - w->pad[2], stride = w->stride[2];
            const float *row = x + ih * w->in[2];

            if (ih < 0 || ih >= w->in[1])
                continue;
            conv_valid_range(w->out[2], w->in[2], stride, offset, &first, &end);
            if (first >= end)
                continue;
            row += first * stride + offset;
            if (stride == 1)
                larger(y + first, row, end - first);
            else if (stride == 2)
                larger_of_second(y + first, row, end - first);
            for (int64_t i = first; stride > 2 && i < end; i++)
                larger(y + i, row + (i - first) * stride, 1);
        }
    }
}

static enum status pool_any(struct call *c)
{
    const struct pool_state *state = c->state;
    const struct window *w = &state->window;
    size_t unit = tensor_type_bytes(c->in[0]->type);
    int64_t in = w->in[0] * w->in[1] * w->in[2], out = w->out[0] * w->out[1] * w->out[2];

    for (int64_t i = 0; i < state->planes * out; i++) {
        int64_t plane = i / out, o = i % out, at;
        struct tap_box b;

        clip_window(w, 0, o / (w->out[1] * w->out[2]), &b.start[0], &b.first[0], &b.end[0]);
        clip_window(w, 1, o / w->out[2] % w->out[1], &b.start[1], &b.first[1], &b.end[1]);
        clip_window(w, 2, o % w->out[2], &b.start[2], &b.first[2], &b.end[2]);
        at = max_at(w, &b, c->in[0], plane * in);
        if (at >= 0)
            memcpy((char *)c->out[0]->data + (size_t)i * unit,
                   (const char *)c->in[0]->data + (size_t)(plane * in + at) * unit, unit);
        else
            tensor_set_value(c->out[0], i,
                             c->in[0]->type == TENSOR_I8   ? -128
                             : c->in[0]->type == TENSOR_U8 ? 0
                                                           : -INFINITY);
        if (call_out(c, 1))
            ((int64_t *)c->out[1]->data)[i] = at >= 0 ? index_of(state, plane, at) : -1;
    }
    return STATUS_OK;
}

static enum status pool_run(struct call *c, struct error *e)
{
    const struct pool_state *state = c->state;
    const struct window *w = &state->window;
    int64_t in = w->in[0] * w->in[1] * w->in[2];
    float *y = c->out[0]->data;
    int64_t *indices = call_out(c, 1) ? c->out[1]->data : NULL;
    struct tap_box b;

    (void)e;
    if (c->in[0]->type != TENSOR_F32)
        return pool_any(c);
    for (int64_t plane = 0; plane < state->planes; plane++) {
        const float *x = (const float *)c->in[0]->data + plane * in;

        if (c->op->kind == POOL_MAX && !indices && w->in[0] == 1 && w->kernel[0] == 1 && w->out[0] == 1) {
            max_plane(w, x, y);
            y += w->out[1] * w->out[2];
            continue;
        }
        for (int64_t od = 0; od < w->out[0]; od++) {
            clip_window(w, 0, od, &b.start[0], &b.first[0], &b.end[0]);
            for (int64_t oh = 0; oh < w->out[1]; oh++) {
                clip_window(w, 1, oh, &b.start[1], &b.first[1], &b.end[1]);
                for (int64_t ow = 0; ow < w->out[2]; ow++, y++) {
                    int64_t at, divisor;

                    clip_window(w, 2, ow, &b.start[2], &b.first[2], &b.end[2]);
                    switch ((enum pool_kind)c->op->kind) {
                    case POOL_MAX:
                        *y = max_of(w, &b, x, &at);
                        if (indices)
                            *indices++ = index_of(state, plane, at);
                        break;
                    case POOL_AVERAGE:
                        divisor = divisor_of(w, &b, state->count_padding);
                        *y = divisor > 0 ? sum_of(w, &b, x, 0) / (float)divisor : 0.0f;
                        break;
                    case POOL_LP:
                        *y = powf(sum_of(w, &b, x, state->p), 1.0f / (float)state->p);
                        break;
                    }
                }
            }
        }
    }
    return STATUS_OK;
}

static enum status global_infer(struct call *c, struct error *e)
{
    const struct tensor *x = c->in[0];
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);

    if (s == STATUS_OK)
        s = call_rank(c, 0, 2, TENSOR_MAX_RANK, e);
    if (s != STATUS_OK)
        return s;
    c->out[0]->type = TENSOR_F32;
    c->out[0]->shape = x->shape;
    for (unsigned d = 2; d < x->shape.rank; d++)
        c->out[0]->shape.dims[d] = 1;
    if (tensor_count(x) == 0)
        return call_error(c, e, STATUS_INVALID, "the input is empty");
    c->flops = (uint64_t)tensor_count(x);
    return STATUS_OK;
}

/* Sixteen sums side by side, so that they go through vectors; the order is fixed. */
KERNEL_CLONES static double sum_all(const float *x, int64_t n)
{
    enum { LANES = 16 };
    double lane[LANES] = {0}, sum = 0;
    int64_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        for (int k = 0; k < LANES; k++)
            lane[k] += (double)x[i + k];
    }
    for (int k = 0; k < LANES; k++)
        sum += lane[k];
    for (; i < n; i++)
        sum += (double)x[i];
    return sum;
}

static enum status global_run(struct call *c, struct error *e)
{
    int64_t n = tensor_shape_span(&c->in[0]->shape, 2, c->in[0]->shape.rank), planes = tensor_count(c->out[0]);
    const float *x = c->in[0]->data;
    float *y = c->out[0]->data, p = (float)call_int(c, "p", 2);

    (void)e;
    for (int64_t i = 0; i < planes; i++, x += n) {
        double sum = 0;
        float best = x[0];

        if (c->op->kind == POOL_AVERAGE)
            sum = sum_all(x, n);
        for (int64_t k = 0; c->op->kind != POOL_AVERAGE && k < n; k++) {
            if (c->op->kind == POOL_MAX)
                best = x[k] > best || isnan(x[k]) ? x[k] : best;
            else
                sum += pow(fabs((double)x[k]), (double)p);
        }
        if (c->op->kind == POOL_MAX)
            y[i] = best;
        else
            y[i] = (float)(c->op->kind == POOL_AVERAGE ? sum / (double)n : pow(sum, 1.0 / (double)p));
    }
    return STATUS_OK;
}

#define POOL(op_name, op_kind, outputs)                                                                                \
    {                                                                                                                  \
        .name = op_name, .since = 1, .min_in = 1, .max_in = 1, .min_out = 1, .max_out = outputs, .kind = op_kind,      \
        .state_bytes = sizeof(struct pool_state), .infer = pool_infer, .run = pool_run                                 \
    }
#define GLOBAL_POOL(op_name, op_kind)                                                                                  \
    {                                                                                                                  \
        .name = op_name, .since = 1, .min_in = 1, .max_in = 1, .min_out = 1, .max_out = 1, .kind = op_kind,            \
        .infer = global_infer, .run = global_run                                                                       \
    }

static const struct op pool_ops[] = {
    POOL("MaxPool", POOL_MAX, 2),
    POOL("AveragePool", POOL_AVERAGE, 1),
    POOL("LpPool", POOL_LP, 1),
    GLOBAL_POOL("GlobalMaxPool", POOL_MAX),
    GLOBAL_POOL("GlobalAveragePool", POOL_AVERAGE),
    GLOBAL_POOL("GlobalLpPool", POOL_LP),
};

const struct op_group ops_pool = {pool_ops, sizeof(pool_ops) / sizeof(pool_ops[0])};
