/* Steps on 8-bit images -> operations on nhwc values. */
#include <stdlib.h>
#include <string.h>

#include "models/nhwc_plan.h"
#include "models/quant.h"

static bool is(const struct call *c, const char *name)
{
    return strcmp(c->op->name, name) == 0;
}

static bool is_byte(const struct tensor *t)
{
    return t->type == TENSOR_U8 || t->type == TENSOR_I8;
}

static bool are_images(const struct tensor *t)
{
    return t && !t->data && t->shape.rank >= 3 && t->shape.rank <= 5 && tensor_count(t) > 0;
}

static bool is_known(const struct tensor *t)
{
    return t && t->data;
}

static bool is_one(const struct tensor *t)
{
    return is_known(t) && tensor_count(t) == 1;
}

static int32_t zero_of(const struct tensor *t)
{
    return t ? quant_byte(t, 0) : 0;
}

static struct conv_geometry geometry_of(const struct window *w, int64_t groups, const struct tensor *x,
                                        const struct tensor *y)
{
    struct conv_geometry g = {.groups = groups, .channels_in = x->shape.dims[1], .channels_out = y->shape.dims[1]};

    for (unsigned d = 0; d < 3; d++) {
        g.in[d] = w->in[d];
        g.out[d] = w->out[d];
        g.kernel[d] = w->kernel[d];
        g.stride[d] = w->stride[d];
        g.dilation[d] = w->dilation[d];
        g.pad[d] = w->pad[d];
    }
    return g;
}

/* Opens the convolution; *ret_bytes stays NULL where the plain loops are to do it. */
static enum status open_bytes(struct nhwc_plan *p, const struct nhwc_bytes_settings *settings,
                              struct nhwc_bytes **ret_bytes, struct error *e)
{
    enum status s = nhwc_bytes_open(p->onednn, settings, ret_bytes, NULL);

    return s == STATUS_NO_MEMORY ? error_no_memory(e) : STATUS_OK;
}

/* x_zero, w, w_zero: places among the inputs. */
static enum status lower_conv(struct nhwc_plan *p, size_t step, struct nhwc_bytes_settings *settings, size_t x_zero,
                              size_t w, size_t w_zero, struct error *e)
{
    struct call *c = &p->steps[step].call;
    const struct tensor *x = c->in[0];
    struct nhwc_op op = {.kind = NHWC_BYTES, .step = step, .in = {NHWC_NONE, NHWC_NONE}};
    enum status s;

    if (!are_images(x) || !are_images(c->out[0]) || !is_known(c->in[w]) ||
        (call_in(c, x_zero) && !is_known(c->in[x_zero])) || (call_in(c, w_zero) && !is_known(c->in[w_zero])))
        return STATUS_OK;
    s = window_infer(c, c->in[w]->shape.dims + 2, &op.window, e);
    if (s != STATUS_OK)
        return s;
    op.groups = call_int(c, "group", 1);
    settings->geometry = geometry_of(&op.window, op.groups, x, c->out[0]);
    settings->dims = x->shape.rank - 2;
    settings->in = x->type;
    settings->out = c->out[0]->type;
    settings->in_zero = zero_of(call_in(c, x_zero));
    settings->weights = c->in[w];
    settings->trusted = !nhwc_may_try(p, c);
    settings->weights_zero = call_in(c, w_zero);
    s = open_bytes(p, settings, &op.bytes, e);
    if (s != STATUS_OK || !op.bytes)
        return s;
    s = nhwc_take_in(p, step, x, &op.in[0], e);
    if (s != STATUS_OK) {
        nhwc_bytes_close(&op.bytes);
        return s;
    }
    return nhwc_put_out(p, &op, c->out[0], false, e);
}

/* Scales, output and bias of QLinearConv; the factors are what ops_quant_conv.c computes, operation for operation. */
static enum status lower_linear(struct nhwc_plan *p, size_t step, struct error *e)
{
    struct call *c = &p->steps[step].call;
    const struct tensor *bias = call_in(c, 8);
    struct nhwc_bytes_settings settings = {0};
    int64_t n = c->out[0]->shape.dims[1];
    float *factors;
    enum status s;

    if (!is_one(c->in[1]) || !is_known(c->in[4]) || !is_one(c->in[6]) || !is_one(c->in[7]) || (bias && !is_known(bias)))
        return STATUS_OK;
    factors = malloc((size_t)n * sizeof(*factors));
    if (!factors)
        return error_no_memory(e);
    for (int64_t i = 0; i < n; i++) {
        const float *w = c->in[4]->data;

        factors[i] =
            *(const float *)c->in[1]->data * w[tensor_count(c->in[4]) > 1 ? i : 0] / *(const float *)c->in[6]->data;
    }
    settings.factors = factors;
    settings.out_zero = zero_of(c->in[7]);
    settings.bias = bias ? bias->data : NULL;
    s = lower_conv(p, step, &settings, 2, 3, 5, e);
    free(factors);
    return s;
}

/* One scale for all. */
static enum status lower_code(struct nhwc_plan *p, size_t step, bool quantize, struct error *e)
{
    struct call *c = &p->steps[step].call;
    const struct tensor *x = c->in[0], *zero = call_in(c, 2);
    struct nhwc_op op = {.kind = NHWC_AFFINE, .step = step, .in = {NHWC_NONE, NHWC_NONE}};
    struct nhwc_code code;
    enum status s;

    if (!are_images(x) || !is_one(c->in[1]) || (zero && !is_one(zero)) ||
        (quantize ? x->type != TENSOR_F32 : !is_byte(x)))
        return STATUS_OK;
    /* What a convolution of bytes is going to read comes in early. */
    if (!nhwc_is_lowered(p, x) && !(quantize && p->has_bytes))
        return STATUS_OK;
    code = (struct nhwc_code){.scale = *(const float *)c->in[1]->data, .zero = zero_of(zero)};
    op.in_code[0] = op.out_code = code;
    s = nhwc_take_in(p, step, x, &op.in[0], e);
    return s == STATUS_OK ? nhwc_put_out(p, &op, c->out[0], false, e) : s;
}

enum status nhwc_lower_bytes(struct nhwc_plan *p, size_t step, struct error *e)
{
    const struct call *c = &p->steps[step].call;

    if (is(c, "QLinearConv"))
        return lower_linear(p, step, e);
    if (is(c, "ConvInteger"))
        return lower_conv(p, step, &(struct nhwc_bytes_settings){0}, 2, 1, 3, e);
    if (is(c, "QuantizeLinear"))
        return lower_code(p, step, true, e);
    if (is(c, "DequantizeLinear"))
        return lower_code(p, step, false, e);
    return STATUS_OK;
}
