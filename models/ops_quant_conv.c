/* Convolutions of 8-bit tensors: ConvInteger (sums of 32 bits) and QLinearConv (requantised). Exact sums, one to three
 * spatial dimensions. */
#include <string.h>

#include "models/quant.h"
#include "models/window.h"

enum { CONV_INTEGER, CONV_LINEAR };

enum { LINE = 256 };

struct conv_state {
    struct window window;
    int64_t groups, in_channels, out_channels;
    bool by_channel; /* scale and zero point of the weights are one an output channel */
};

/* Where weights, scales and zero points stand among the inputs. */
struct ports {
    size_t w, x_scale, x_zero, w_scale, w_zero, y_scale, y_zero, bias;
};

static const struct ports integer_ports = {1, SIZE_MAX, 2, SIZE_MAX, 3, SIZE_MAX, SIZE_MAX, SIZE_MAX};
static const struct ports linear_ports = {3, 1, 2, 4, 5, 6, 7, 8};

static const struct ports *ports_of(const struct call *c)
{
    return c->op->kind == CONV_LINEAR ? &linear_ports : &integer_ports;
}

static enum status check_weights(struct call *c, struct error *e)
{
    struct conv_state *state = c->state;
    const struct tensor_shape *x = &c->in[0]->shape, *w = &c->in[ports_of(c)->w]->shape;

    if (w->rank != x->rank || x->rank < 3 || x->rank > 5)
        return call_error(c, e, STATUS_INVALID, "weights of rank %u for an input of rank %u", w->rank, x->rank);
    state->groups = call_int(c, "group", 1);
    state->in_channels = x->dims[1];
    state->out_channels = w->dims[0];
    if (state->groups < 1 || state->in_channels < 1 || state->out_channels < 1 ||
        state->in_channels % state->groups != 0 || state->out_channels % state->groups != 0 ||
        w->dims[1] != state->in_channels / state->groups)
        return call_error(
            c, e, STATUS_INVALID, "weights of %lld filters over %lld channels do not fit %lld channels in %lld groups",
            (long long)w->dims[0], (long long)w->dims[1], (long long)x->dims[1], (long long)state->groups);
    return STATUS_OK;
}

static enum status check_linear(const struct call *c, struct error *e)
{
    const struct conv_state *state = c->state;
    const struct ports *p = ports_of(c);
    const struct tensor *bias = call_in(c, p->bias);
    bool by_channel = false;
    enum status s = call_type(c, p->y_zero, TYPES_BYTE, e);

    if (s == STATUS_OK)
        s = quant_port(c, p->y_scale, p->y_zero, c->in[p->y_zero]->type, 0, &by_channel, e);
    if (s == STATUS_OK && bias &&
        (bias->type != TENSOR_I32 || bias->shape.rank != 1 || bias->shape.dims[0] != state->out_channels))
        s = call_error(c, e, STATUS_INVALID, "the bias must be %lld int32 values", (long long)state->out_channels);
    return s;
}

/* Values of a group's window, less their zero points, as a list for each position and each filter: what is outside the
 * image adds nothing. */
static int64_t window_values(const struct conv_state *state)
{
    const struct window *w = &state->window;

    return state->in_channels / state->groups * w->kernel[0] * w->kernel[1] * w->kernel[2];
}

static enum status conv_infer(struct call *c, struct error *e)
{
    struct conv_state *state = c->state;
    const struct ports *p = ports_of(c);
    bool by_channel = false;
    double scratch;
    int64_t filters;
    size_t bytes;
    enum status s = call_type(c, 0, TYPES_BYTE, e);

    if (s == STATUS_OK)
        s = call_type(c, p->w, TYPES_BYTE, e);
    if (s == STATUS_OK)
        s = check_weights(c, e);
    if (s == STATUS_OK)
        s = window_infer(c, c->in[p->w]->shape.dims + 2, &state->window, e);
    if (s == STATUS_OK)
        s = quant_port(c, p->x_scale, p->x_zero, c->in[0]->type, 0, &by_channel, e);
    if (s == STATUS_OK)
        s = quant_port(c, p->w_scale, p->w_zero, c->in[p->w]->type, state->out_channels, &state->by_channel, e);
    if (s == STATUS_OK && c->op->kind == CONV_LINEAR)
        s = check_linear(c, e);
    if (s != STATUS_OK)
        return s;
    c->out[0]->type = c->op->kind == CONV_LINEAR ? c->in[p->y_zero]->type : TENSOR_I32;
    window_shape(&state->window, c->in[0]->shape.dims[0], state->out_channels, &c->out[0]->shape);
    if (!tensor_shape_bytes(&c->out[0]->shape, TENSOR_I32, &bytes))
        return call_error(c, e, STATUS_INVALID, "the output is too large");
    /* The sums of a group of one image, the windows of a line of positions, and the group's filters. */
    filters = state->out_channels / state->groups;
    scratch = (double)tensor_shape_span(&c->out[0]->shape, 2, c->out[0]->shape.rank) * (double)filters * 4 +
              ((double)state->window.out[2] + (double)filters) * (double)window_values(state) * 2;
    if (scratch > (double)TENSOR_MAX_BYTES)
        return call_error(c, e, STATUS_INVALID, "its working memory is beyond %lld bytes", (long long)TENSOR_MAX_BYTES);
    c->scratch_bytes = (size_t)scratch;
    c->flops = 2 * (uint64_t)tensor_count(c->out[0]) *
               (uint64_t)tensor_shape_span(&c->in[p->w]->shape, 1, c->in[p->w]->shape.rank);
    return STATUS_OK;
}

/* The filters of a group. */
static void widen_filters(const struct call *c, int64_t group, int16_t *to)
{
    const struct conv_state *state = c->state;
    const struct ports *p = ports_of(c);
    const struct tensor *zeros = call_in(c, p->w_zero);
    int64_t k = window_values(state), filters = state->out_channels / state->groups, first = group * filters;

    for (int64_t f = first; f < first + filters; f++) {
        int32_t zero = zeros ? quant_byte(zeros, tensor_count(zeros) > 1 ? f : 0) : 0;

        for (int64_t i = 0; i < k; i++)
            *to++ = (int16_t)(quant_byte(c->in[p->w], f * k + i) - zero);
    }
}

/* The window of one line of output positions in the last dimension: list[ow][k]. */
static void gather_line(const struct call *c, int64_t first_plane, int64_t od, int64_t oh, int32_t zero, int16_t *lists)
{
    const struct conv_state *state = c->state;
    const struct window *w = &state->window;
    int64_t k = window_values(state), plane = w->in[0] * w->in[1] * w->in[2], at = 0;

    memset(lists, 0, (size_t)(w->out[2] * k) * sizeof(*lists));
    for (int64_t channel = 0; channel < state->in_channels / state->groups; channel++) {
        for (int64_t t = 0; t < w->kernel[0] * w->kernel[1] * w->kernel[2]; t++, at++) {
            int64_t id = od * w->stride[0] + t / (w->kernel[1] * w->kernel[2]) * w->dilation[0] - w->pad[0];
            int64_t ih = oh * w->stride[1] + t / w->kernel[2] % w->kernel[1] * w->dilation[1] - w->pad[1];
            int64_t shift = t % w->kernel[2] * w->dilation[2] - w->pad[2], first, end;
            int64_t row = (first_plane + channel) * plane + (id * w->in[1] + ih) * w->in[2] + shift;

            conv_valid_range(w->out[2], w->in[2], w->stride[2], shift, &first, &end);
            if (id < 0 || id >= w->in[0] || ih < 0 || ih >= w->in[1])
                continue;
            for (int64_t ow = first; ow < end; ow++)
                lists[ow * k + at] = (int16_t)(quant_byte(c->in[0], row + ow * w->stride[2]) - zero);
        }
    }
}

/* One group of one image: sums[position][filter]. */
static void sum_group(const struct call *c, int64_t image, int64_t group, const int16_t *filters, int16_t *lists,
                      uint32_t *sums)
{
    const struct conv_state *state = c->state;
    const struct window *w = &state->window;
    const struct tensor *x_zero = call_in(c, ports_of(c)->x_zero);
    int64_t k = window_values(state), n = state->out_channels / state->groups;
    int64_t first_plane = image * state->in_channels + group * (state->in_channels / state->groups);

    for (int64_t od = 0; od < w->out[0]; od++) {
        for (int64_t oh = 0; oh < w->out[1]; oh++) {
            gather_line(c, first_plane, od, oh, x_zero ? quant_byte(x_zero, 0) : 0, lists);
            for (int64_t ow = 0; ow < w->out[2]; ow++, sums += n)
                quant_dots(lists + ow * k, filters, k, sums, n);
        }
    }
}

/* One channel of the result from its sums, `step` apart. */
static void store_channel(const struct call *c, const uint32_t *sums, int64_t step, int64_t n, int64_t channel,
                          int64_t at)
{
    const struct conv_state *state = c->state;
    const struct ports *p = ports_of(c);
    float factor;

    if (c->op->kind == CONV_INTEGER) {
        for (int64_t i = 0; i < n; i++)
            ((int32_t *)c->out[0]->data)[at + i] = (int32_t)sums[i * step];
        return;
    }
    factor = *(const float *)c->in[p->x_scale]->data *
             ((const float *)c->in[p->w_scale]
                  ->data)[state->by_channel && tensor_count(c->in[p->w_scale]) > 1 ? channel : 0] /
             *(const float *)c->in[p->y_scale]->data;
    for (int64_t i = 0; i < n; i += LINE) {
        int32_t line[LINE];
        int64_t m = n - i < LINE ? n - i : LINE;

        for (int64_t k = 0; k < m; k++)
            line[k] = (int32_t)sums[(i + k) * step];
        quant_sums(line, &factor, false, quant_byte(c->in[p->y_zero], 0), c->out[0]->type,
                   (char *)c->out[0]->data + at + i, m);
    }
}

static enum status conv_run(struct call *c, struct error *e)
{
    const struct conv_state *state = c->state;
    const struct window *w = &state->window;
    const struct tensor *bias = c->op->kind == CONV_LINEAR ? call_in(c, ports_of(c)->bias) : NULL;
    int64_t n = w->out[0] * w->out[1] * w->out[2], width = state->out_channels / state->groups;
    uint32_t *sums = c->scratch;
    int16_t *lists = (int16_t *)(void *)(sums + n * width), *filters = lists + w->out[2] * window_values(state);

    (void)e;
    for (int64_t group = 0; group < state->groups; group++) {
        widen_filters(c, group, filters);
        for (int64_t image = 0; image < c->in[0]->shape.dims[0]; image++) {
            for (int64_t i = 0; i < n * width; i++)
                sums[i] = bias ? ((const uint32_t *)bias->data)[group * width + i % width] : 0;
            sum_group(c, image, group, filters, lists, sums);
            for (int64_t f = 0; f < width; f++)
                store_channel(c, sums + f, width, n, group * width + f,
                              (image * state->out_channels + group * width + f) * n);
        }
    }
    return STATUS_OK;
}

#define CONV(op_name, least_in, most_in, op_kind)                                                                      \
    {                                                                                                                  \
        .name = op_name, .since = 10, .min_in = least_in, .max_in = most_in, .min_out = 1, .max_out = 1,               \
        .kind = op_kind, .state_bytes = sizeof(struct conv_state), .infer = conv_infer, .run = conv_run                \
    }

static const struct op quant_conv_ops[] = {
    CONV("ConvInteger", 2, 4, CONV_INTEGER),
    CONV("QLinearConv", 8, 9, CONV_LINEAR),
};

const struct op_group ops_quant_conv = {quant_conv_ops, sizeof(quant_conv_ops) / sizeof(quant_conv_ops[0])};
