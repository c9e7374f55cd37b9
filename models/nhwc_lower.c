/* Steps -> operations on nhwc values. A step that is not understood here stays as it is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/nhwc_plan.h"

static bool is(const struct call *c, const char *name)
{
    return strcmp(c->op->name, name) == 0;
}

static size_t index_of(const struct nhwc_plan *p, const struct tensor *t)
{
    return (size_t)(t - p->tensors);
}

/* A batch of images, known only when the network runs. */
static bool is_images(const struct tensor *t)
{
    return t && !t->data && t->type == TENSOR_F32 && t->shape.rank >= 3 && t->shape.rank <= 5 && tensor_count(t) > 0;
}

bool nhwc_is_lowered(const struct nhwc_plan *p, const struct tensor *t)
{
    return t && p->value_of[index_of(p, t)] != NHWC_NONE;
}

static const float *constant(const struct tensor *t)
{
    return t && t->data && t->type == TENSOR_F32 ? t->data : NULL;
}

/* Rank 2: one pixel. */
struct nhwc_value nhwc_value_for(const struct nhwc_plan *p, const struct tensor *t, bool bf16)
{
    const struct tensor_shape *s = &t->shape;
    struct nhwc_value v = {.batch = s->dims[0],
                           .channels = s->dims[1],
                           .size = {1, 1, 1},
                           .pixels = tensor_shape_span(s, 2, s->rank),
                           .dims = s->rank - 2,
                           .tensor = index_of(p, t),
                           .parent = NHWC_NONE};

    for (unsigned d = 2; d < s->rank; d++)
        v.size[3 - v.dims + d - 2] = s->dims[d];
    /* Single values cost nothing, and what is pooled down to them deserves the precision. */
    v.integer = t->type == TENSOR_F32 ? 0 : t->type;
    v.bf16 = bf16 && v.pixels > 1 && !v.integer;
    return v;
}

enum status nhwc_take_in(struct nhwc_plan *p, size_t step, const struct tensor *t, size_t *ret_value, struct error *e)
{
    size_t *known = &p->value_of[index_of(p, t)];
    struct nhwc_value v = nhwc_value_for(p, t, p->bf16);
    struct nhwc_op op = {.kind = NHWC_IMPORT, .step = step, .in = {NHWC_NONE, NHWC_NONE}};
    enum status s;

    if (*known != NHWC_NONE) {
        *ret_value = *known;
        return STATUS_OK;
    }
    s = nhwc_new_value(p, &v, &op.out, e);
    if (s == STATUS_OK)
        s = nhwc_new_op(p, &op, NULL, e);
    if (s == STATUS_OK)
        *ret_value = *known = op.out;
    return s;
}

enum status nhwc_put_out(struct nhwc_plan *p, struct nhwc_op *op, const struct tensor *out, bool bf16, struct error *e)
{
    struct nhwc_value v = nhwc_value_for(p, out, bf16);
    enum status s = nhwc_new_value(p, &v, &op->out, e);

    if (s == STATUS_OK)
        s = nhwc_new_op(p, op, NULL, e);
    if (s != STATUS_OK) {
        free(op->scale);
        free(op->shift);
        nhwc_bytes_close(&op->bytes);
        return s;
    }
    p->value_of[index_of(p, out)] = op->out;
    p->taken[op->step] = true;
    return STATUS_OK;
}

static enum status lower_conv(struct nhwc_plan *p, size_t step, struct error *e)
{
    struct call *c = &p->steps[step].call;
    const struct tensor *x = c->in[0], *w = c->in[1], *b = call_in(c, 2);
    struct nhwc_op op = {
        .kind = NHWC_CONV, .step = step, .in = {NHWC_NONE, NHWC_NONE}, .activation = c->node->activation};
    struct nhwc_value in, out;
    struct conv_geometry g;
    struct onednn_conv_settings settings = {.geometry = &g};
    enum status s;

    if (!is_images(x) || !is_images(c->out[0]) || !constant(w) || (b && !constant(b)))
        return STATUS_OK;
    s = window_infer(c, w->shape.dims + 2, &op.window, e);
    if (s != STATUS_OK)
        return s;
    op.weights = w->data;
    op.bias = b ? b->data : NULL;
    op.groups = call_int(c, "group", 1);
    in = nhwc_is_lowered(p, x) ? p->values[p->value_of[index_of(p, x)]] : nhwc_value_for(p, x, p->bf16);
    out = nhwc_value_for(p, c->out[0], p->bf16 && in.bf16);
    g = nhwc_geometry(p, &op);
    g.channels_in = in.channels;
    g.channels_out = out.channels;
    settings.dims = in.dims;
    settings.weights = op.weights;
    settings.bias = op.bias;
    settings.in_bf16 = in.bf16;
    settings.out_bf16 = out.bf16;
    if (!onednn_conv_suits(p->onednn, &settings))
        return STATUS_OK;
    s = nhwc_take_in(p, step, x, &op.in[0], e);
    return s == STATUS_OK ? nhwc_put_out(p, &op, c->out[0], out.bf16, e) : s;
}

static enum status lower_pool(struct nhwc_plan *p, size_t step, enum nhwc_kind kind, struct error *e)
{
    struct call *c = &p->steps[step].call;
    struct nhwc_op op = {.kind = kind, .step = step, .in = {NHWC_NONE, NHWC_NONE}};
    enum status s;

    /* Bytes are lowered only where they are images. */
    if ((!is_images(c->in[0]) && c->in[0]->type == TENSOR_F32) || call_out(c, 1) || !nhwc_is_lowered(p, c->in[0]) ||
        tensor_count(c->out[0]) == 0)
        return STATUS_OK;
    op.count_padding = call_int(c, "count_include_pad", 0) != 0;
    s = window_infer(c, NULL, &op.window, e);
    if (s == STATUS_OK)
        s = nhwc_take_in(p, step, c->in[0], &op.in[0], e);
    return s == STATUS_OK ? nhwc_put_out(p, &op, c->out[0], p->bf16, e) : s;
}

static enum status lower_global(struct nhwc_plan *p, size_t step, enum nhwc_kind kind, struct error *e)
{
    struct call *c = &p->steps[step].call;
    struct nhwc_op op = {.kind = kind, .step = step, .in = {NHWC_NONE, NHWC_NONE}};
    enum status s;

    if (!is_images(c->in[0]) || !nhwc_is_lowered(p, c->in[0]) || c->out[0]->shape.rank < 2)
        return STATUS_OK;
    s = nhwc_take_in(p, step, c->in[0], &op.in[0], e);
    if (s != STATUS_OK)
        return s;
    op.window.rank = p->values[op.in[0]].dims;
    for (unsigned d = 0; d < 3; d++) {
        op.window.in[d] = op.window.kernel[d] = p->values[op.in[0]].size[d];
        op.window.out[d] = op.window.stride[d] = op.window.dilation[d] = 1;
    }
    return nhwc_put_out(p, &op, c->out[0], p->bf16, e);
}

/* A mean over all spatial axes is a global pool; without keepdims its tensor has the same bytes. */
static enum status lower_mean(struct nhwc_plan *p, size_t step, struct error *e)
{
    struct call *c = &p->steps[step].call;
    int64_t axes[TENSOR_MAX_RANK];
    unsigned seen = 0, rank = c->in[0]->shape.rank;
    size_t n;
    enum status s;

    if (!nhwc_is_lowered(p, c->in[0]) || !is_images(c->in[0]) || (call_in(c, 1) && !c->in[1]->data))
        return STATUS_OK;
    s = call_axes(c, "axes", 1, axes, TENSOR_MAX_RANK, &n, e);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < n; i++) {
        unsigned axis;

        s = call_axis(c, axes[i], rank, &axis, e);
        if (s != STATUS_OK)
            return s;
        seen |= 1u << axis;
    }
    return seen == (1u << rank) - 4u ? lower_global(p, step, NHWC_AVERAGE, e) : STATUS_OK;
}

/* A constant that is one number a channel of images of that rank, or one for all: widened to a number a channel.
 * False: something else, or no memory (*ret_failed). */
static bool channel_constant(const struct tensor *t, unsigned rank, int64_t channels, float **ret_values,
                             bool *ret_failed)
{
    const float *from = constant(t);
    int64_t count = from ? tensor_count(t) : 0;
    float *values;

    if (!from || t->shape.rank > rank || (count != 1 && count != channels))
        return false;
    /* Counted from the end, the channel is axis 1. */
    if (count != 1 && (t->shape.rank < rank - 1 || t->shape.dims[t->shape.rank - (rank - 1)] != channels))
        return false;
    values = malloc((size_t)channels * sizeof(*values));
    *ret_failed = !values;
    for (int64_t i = 0; values && i < channels; i++)
        values[i] = from[count == 1 ? 0 : i];
    *ret_values = values;
    return values != NULL;
}

static bool same_images(const struct tensor *a, const struct tensor *b)
{
    return is_images(a) && is_images(b) && a->shape.rank == b->shape.rank && a->shape.dims[0] == b->shape.dims[0] &&
           a->shape.dims[1] == b->shape.dims[1];
}

static bool is_single(const struct tensor *t)
{
    return tensor_shape_span(&t->shape, 2, t->shape.rank) == 1;
}

static enum status lower_pair(struct nhwc_plan *p, size_t step, enum nhwc_kind kind, struct error *e)
{
    struct call *c = &p->steps[step].call;
    const struct tensor *a = c->in[0], *b = c->in[1], *y = c->out[0];
    struct nhwc_op op = {.kind = kind, .step = step, .in = {NHWC_NONE, NHWC_NONE}, .activation = c->node->activation};
    enum status s;

    if (!same_images(a, b) || (!nhwc_is_lowered(p, a) && !nhwc_is_lowered(p, b)))
        return STATUS_OK;
    if (!tensor_shape_equal(&a->shape, &b->shape) && !is_single(b)) {
        const struct tensor *swap = a;

        a = b;
        b = swap;
    }
    if (!tensor_shape_equal(&a->shape, &y->shape) || (!tensor_shape_equal(&a->shape, &b->shape) && !is_single(b)))
        return STATUS_OK;
    s = nhwc_take_in(p, step, a, &op.in[0], e);
    if (s == STATUS_OK)
        s = nhwc_take_in(p, step, b, &op.in[1], e);
    return s == STATUS_OK ? nhwc_put_out(p, &op, y, p->bf16, e) : s;
}

enum arithmetic { PLUS, MINUS, TIMES, OVER };

static enum status lower_arithmetic(struct nhwc_plan *p, size_t step, enum arithmetic what, struct error *e)
{
    struct call *c = &p->steps[step].call;
    bool failed = false, turned = !is_images(c->in[0]);
    const struct tensor *x = c->in[turned], *other = c->in[!turned];
    struct nhwc_op op = {
        .kind = NHWC_AFFINE, .step = step, .in = {NHWC_NONE, NHWC_NONE}, .activation = c->node->activation};
    float *values = NULL;
    enum status s;

    if (!constant(other))
        return what == PLUS    ? lower_pair(p, step, NHWC_ADD, e)
               : what == TIMES ? lower_pair(p, step, NHWC_MULTIPLY, e)
                               : STATUS_OK;
    if (!is_images(x) || !nhwc_is_lowered(p, x) || !tensor_shape_equal(&x->shape, &c->out[0]->shape) ||
        (turned && (what == MINUS || what == OVER)))
        return STATUS_OK;
    if (!channel_constant(other, x->shape.rank, x->shape.dims[1], &values, &failed))
        return failed ? error_no_memory(e) : STATUS_OK;
    for (int64_t i = 0; i < x->shape.dims[1]; i++)
        values[i] = what == MINUS ? -values[i] : what == OVER ? (float)(1.0 / (double)values[i]) : values[i];
    if (what == PLUS || what == MINUS)
        op.shift = values;
    else
        op.scale = values;
    s = nhwc_take_in(p, step, x, &op.in[0], e);
    if (s != STATUS_OK) {
        free(values);
        return s;
    }
    return nhwc_put_out(p, &op, c->out[0], p->bf16, e);
}

static enum status lower_norm(struct nhwc_plan *p, size_t step, struct error *e)
{
    struct call *c = &p->steps[step].call;
    const float *v[5] = {NULL};
    double eps = (double)call_float(c, "epsilon", 1e-5f);
    int64_t channels;
    struct nhwc_op op = {
        .kind = NHWC_AFFINE, .step = step, .in = {NHWC_NONE, NHWC_NONE}, .activation = c->node->activation};
    enum status s;

    if (!is_images(c->in[0]) || !nhwc_is_lowered(p, c->in[0]))
        return STATUS_OK;
    for (size_t i = 1; i < 5; i++) {
        v[i] = constant(c->in[i]);
        if (!v[i])
            return STATUS_OK;
    }
    s = nhwc_take_in(p, step, c->in[0], &op.in[0], e);
    if (s != STATUS_OK)
        return s;
    channels = c->in[0]->shape.dims[1];
    op.scale = malloc((size_t)channels * sizeof(float));
    op.shift = malloc((size_t)channels * sizeof(float));
    if (!op.scale || !op.shift) {
        free(op.scale);
        free(op.shift);
        return error_no_memory(e);
    }
    for (int64_t i = 0; i < channels; i++) {
        double factor = (double)v[1][i] / sqrt((double)v[4][i] + eps);

        op.scale[i] = (float)factor;
        op.shift[i] = (float)((double)v[2][i] - (double)v[3][i] * factor);
    }
    return nhwc_put_out(p, &op, c->out[0], p->bf16, e);
}

static enum status lower_prelu(struct nhwc_plan *p, size_t step, struct error *e)
{
    struct call *c = &p->steps[step].call;
    const struct tensor *x = c->in[0];
    struct nhwc_op op = {.kind = NHWC_PRELU, .step = step, .in = {NHWC_NONE, NHWC_NONE}};
    bool failed = false;
    enum status s;

    if (!is_images(x) || !nhwc_is_lowered(p, x))
        return STATUS_OK;
    if (!channel_constant(c->in[1], x->shape.rank, x->shape.dims[1], &op.scale, &failed))
        return failed ? error_no_memory(e) : STATUS_OK;
    s = nhwc_take_in(p, step, x, &op.in[0], e);
    if (s != STATUS_OK) {
        free(op.scale);
        return s;
    }
    return nhwc_put_out(p, &op, c->out[0], p->bf16, e);
}

static enum status lower_activation(struct nhwc_plan *p, size_t step, const struct activation *a, struct error *e)
{
    struct call *c = &p->steps[step].call;
    struct nhwc_op op = {.kind = NHWC_AFFINE, .step = step, .in = {NHWC_NONE, NHWC_NONE}, .activation = *a};
    enum status s;

    if (!is_images(c->in[0]) || !nhwc_is_lowered(p, c->in[0]))
        return STATUS_OK;
    s = nhwc_take_in(p, step, c->in[0], &op.in[0], e);
    return s == STATUS_OK ? nhwc_put_out(p, &op, c->out[0], p->bf16, e) : s;
}

static enum status lower_concat(struct nhwc_plan *p, size_t step, struct error *e)
{
    struct call *c = &p->steps[step].call;
    const struct tensor *y = c->out[0];
    struct nhwc_op op = {.kind = NHWC_COPY, .step = step, .in = {NHWC_NONE, NHWC_NONE}};
    struct nhwc_value v;
    bool any = false;
    unsigned axis;
    enum status s;

    s = call_axis(c, call_int(c, "axis", 1), y->shape.rank, &axis, e);
    if (s != STATUS_OK || axis != 1 || !is_images(y))
        return s;
    for (size_t i = 0; i < c->n_in; i++) {
        if (!is_images(c->in[i]))
            return STATUS_OK;
        any = any || nhwc_is_lowered(p, c->in[i]);
    }
    if (!any)
        return STATUS_OK;
    v = nhwc_value_for(p, y, p->bf16);
    s = nhwc_new_value(p, &v, &op.out, e);
    for (size_t i = 0; i < c->n_in && s == STATUS_OK; i++) {
        s = nhwc_take_in(p, step, c->in[i], &op.in[0], e);
        if (s == STATUS_OK)
            s = nhwc_new_op(p, &op, NULL, e);
        op.first_channel += c->in[i]->shape.dims[1];
    }
    if (s != STATUS_OK)
        return s;
    p->value_of[index_of(p, y)] = op.out;
    p->taken[step] = true;
    return STATUS_OK;
}

static enum status lower_step(struct nhwc_plan *p, size_t step, struct error *e)
{
    const struct call *c = &p->steps[step].call;
    struct activation a;

    if (c->n_in == 0 || !c->in[0] || !c->out[0])
        return STATUS_OK;
    if (is(c, "Conv"))
        return lower_conv(p, step, e);
    if (is(c, "MaxPool"))
        return lower_pool(p, step, NHWC_MAX, e);
    if (is(c, "AveragePool"))
        return lower_pool(p, step, NHWC_AVERAGE, e);
    if (is(c, "GlobalMaxPool"))
        return lower_global(p, step, NHWC_MAX, e);
    if (is(c, "GlobalAveragePool"))
        return lower_global(p, step, NHWC_AVERAGE, e);
    if (is(c, "ReduceMean"))
        return lower_mean(p, step, e);
    if (is(c, "Add") && c->n_in == 2)
        return lower_arithmetic(p, step, PLUS, e);
    if (is(c, "Sub") && c->n_in == 2)
        return lower_arithmetic(p, step, MINUS, e);
    if (is(c, "Mul") && c->n_in == 2)
        return lower_arithmetic(p, step, TIMES, e);
    if (is(c, "Div") && c->n_in == 2)
        return lower_arithmetic(p, step, OVER, e);
    if (is(c, "BatchNormalization"))
        return lower_norm(p, step, e);
    if (is(c, "PRelu"))
        return lower_prelu(p, step, e);
    if (is(c, "Concat"))
        return lower_concat(p, step, e);
    if (graph_activation(p->graph, c->node, &a))
        return lower_activation(p, step, &a, e);
    return nhwc_lower_bytes(p, step, e);
}

enum status nhwc_lower(struct nhwc_plan *p, struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; i < p->n_steps; i++)
        p->has_bytes = p->has_bytes || is(&p->steps[i].call, "QLinearConv");
    for (size_t i = 0; i < p->n_steps && s == STATUS_OK; i++)
        s = lower_step(p, i, e);
    if (s != STATUS_OK)
        return s;
    /* What the steps that stay and the graph's outputs read has to get out. */
    for (size_t i = 0; i < p->n_steps; i++) {
        const struct call *c = &p->steps[i].call;

        for (size_t k = 0; k < c->n_in && !p->taken[i]; k++) {
            if (nhwc_is_lowered(p, c->in[k]))
                p->values[p->value_of[index_of(p, c->in[k])]].exported = true;
        }
    }
    for (size_t i = 0; i < p->graph->n_outputs; i++) {
        size_t v = p->value_of[p->graph->outputs[i]];

        if (v != NHWC_NONE)
            p->values[v].exported = true;
    }
    /* What was brought in is there already. */
    for (size_t i = 0; i < p->n_ops; i++) {
        if (p->ops[i].kind == NHWC_IMPORT)
            p->values[p->ops[i].out].exported = false;
    }
    return STATUS_OK;
}
