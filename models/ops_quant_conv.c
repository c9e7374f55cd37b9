/* Convolutions of 8-bit tensors: ConvInteger (sums of 32 bits) and QLinearConv (requantised). Exact sums, one to three
 * spatial dimensions. */
#include "models/quant.h"
#include "models/window.h"

enum { CONV_INTEGER, CONV_LINEAR };

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

static enum status conv_infer(struct call *c, struct error *e)
{
    struct conv_state *state = c->state;
    const struct ports *p = ports_of(c);
    bool by_channel = false;
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
    /* The sums of one output channel of one image. */
    c->scratch_bytes = (size_t)(state->window.out[0] * state->window.out[1] * state->window.out[2]) * sizeof(uint32_t);
    c->flops = 2 * (uint64_t)tensor_count(c->out[0]) *
               (uint64_t)tensor_shape_span(&c->in[p->w]->shape, 1, c->in[p->w]->shape.rank);
    return STATUS_OK;
}

/* Adds one tap of the kernel, `weight` on the plane of one input channel that begins at element x_at. What lies outside
 * the image is the zero point, so it adds nothing. */
static void add_tap(const struct call *c, int64_t x_at, const int64_t tap[3], int32_t weight, int32_t x_zero,
                    uint32_t *sums)
{
    const struct window *w = &((const struct conv_state *)c->state)->window;
    int64_t shift = tap[2] * w->dilation[2] - w->pad[2], first, end;

    conv_valid_range(w->out[2], w->in[2], w->stride[2], shift, &first, &end);
    for (int64_t od = 0; od < w->out[0]; od++) {
        int64_t id = od * w->stride[0] + tap[0] * w->dilation[0] - w->pad[0];

        for (int64_t oh = 0; oh < w->out[1]; oh++, sums += w->out[2]) {
            int64_t ih = oh * w->stride[1] + tap[1] * w->dilation[1] - w->pad[1];
            int64_t row = x_at + (id * w->in[1] + ih) * w->in[2];

            if (id < 0 || id >= w->in[0] || ih < 0 || ih >= w->in[1] || first >= end)
                continue;
            quant_accumulate(sums + first, c->in[0]->type,
                             (const char *)c->in[0]->data + row + first * w->stride[2] + shift, w->stride[2], x_zero,
                             weight, end - first);
        }
    }
}

static void sum_channel(const struct call *c, int64_t image, int64_t channel, uint32_t *sums)
{
    const struct conv_state *state = c->state;
    const struct window *w = &state->window;
    const struct ports *p = ports_of(c);
    const struct tensor *x_zero = call_in(c, p->x_zero), *w_zero = call_in(c, p->w_zero);
    int64_t group_in = state->in_channels / state->groups, group = channel / (state->out_channels / state->groups);
    int64_t plane = w->in[0] * w->in[1] * w->in[2], taps = w->kernel[0] * w->kernel[1] * w->kernel[2];
    int32_t zero = w_zero ? quant_byte(w_zero, tensor_count(w_zero) > 1 ? channel : 0) : 0;

    for (int64_t k = 0; k < group_in; k++) {
        int64_t x_at = (image * state->in_channels + group * group_in + k) * plane;

        for (int64_t t = 0; t < taps; t++) {
            const int64_t tap[3] = {t / (w->kernel[1] * w->kernel[2]), t / w->kernel[2] % w->kernel[1],
                                    t % w->kernel[2]};

            add_tap(c, x_at, tap, quant_byte(c->in[p->w], (channel * group_in + k) * taps + t) - zero,
                    x_zero ? quant_byte(x_zero, 0) : 0, sums);
        }
    }
}

static void store_channel(const struct call *c, const uint32_t *sums, int64_t n, int64_t channel, int64_t at)
{
    const struct conv_state *state = c->state;
    const struct ports *p = ports_of(c);
    float factor;
    int32_t zero;

    if (c->op->kind == CONV_INTEGER) {
        for (int64_t i = 0; i < n; i++)
            ((int32_t *)c->out[0]->data)[at + i] = (int32_t)sums[i];
        return;
    }
    factor = *(const float *)c->in[p->x_scale]->data *
             ((const float *)c->in[p->w_scale]
                  ->data)[state->by_channel && tensor_count(c->in[p->w_scale]) > 1 ? channel : 0] /
             *(const float *)c->in[p->y_scale]->data;
    zero = quant_byte(c->in[p->y_zero], 0);
    quant_sums((const int32_t *)sums, &factor, false, zero, c->out[0]->type, (char *)c->out[0]->data + at, n);
}

static enum status conv_run(struct call *c, struct error *e)
{
    const struct conv_state *state = c->state;
    const struct window *w = &state->window;
    const struct tensor *bias = c->op->kind == CONV_LINEAR ? call_in(c, ports_of(c)->bias) : NULL;
    int64_t n = w->out[0] * w->out[1] * w->out[2];
    uint32_t *sums = c->scratch;

    (void)e;
    for (int64_t i = 0; i < c->in[0]->shape.dims[0] * state->out_channels; i++) {
        int64_t channel = i % state->out_channels;

        for (int64_t k = 0; k < n; k++)
            sums[k] = bias ? ((const uint32_t *)bias->data)[channel] : 0;
        sum_channel(c, i / state->out_channels, channel, sums);
        store_channel(c, sums, n, channel, i * n);
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
