/* oneDNN's 8-bit kernels. Their sums are exact: 32 bits, wrapping, whatever the order. */
#include <stdlib.h>

#include "models/backend_onednn_private.h"

bool onednn_has_exact_bytes(void)
{
    switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_avx2_vnni:
    case dnnl_cpu_isa_avx512_core_vnni:
    case dnnl_cpu_isa_avx512_core_bf16:
    case dnnl_cpu_isa_avx512_core_amx:
        return true;
    default:
        return false;
    }
}

static dnnl_data_type_t type_of(enum tensor_type t)
{
    return t == TENSOR_U8 ? dnnl_u8 : t == TENSOR_I8 ? dnnl_s8 : dnnl_s32;
}

/* ONNX rounds, to even, before it adds the zero point; oneDNN's own zero point is added before. */
static dnnl_status_t set_requantisation(const struct onednn_bytes_settings *x, dnnl_primitive_attr_t attr,
                                        dnnl_post_ops_t ops)
{
    dnnl_status_t s = dnnl_primitive_attr_set_output_scales(attr, x->geometry->channels_out, 2, x->factors);

    if (s == dnnl_success && x->zero != 0)
        s = dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_round, 0.0f, 0.0f);
    if (s == dnnl_success && x->zero != 0)
        s = dnnl_post_ops_append_eltwise(ops, 1.0f, dnnl_eltwise_linear, 1.0f, (float)x->zero);
    return s == dnnl_success ? dnnl_primitive_attr_set_post_ops(attr, ops) : s;
}

static dnnl_status_t bytes_desc(const struct onednn *o, const struct onednn_bytes_settings *x,
                                dnnl_primitive_desc_t *ret_desc)
{
    const struct onednn_types types = {
        .in = x->in_signed ? dnnl_s8 : dnnl_u8, .weights = dnnl_s8, .out = type_of(x->out), .bias = dnnl_s32};
    dnnl_convolution_desc_t desc;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t s = onednn_conv_desc(x->geometry, x->dims, &types, x->bias != NULL, &desc);

    if (s == dnnl_success)
        s = dnnl_primitive_attr_create(&attr);
    if (s == dnnl_success)
        s = dnnl_post_ops_create(&ops);
    if (s == dnnl_success && x->out != TENSOR_I32)
        s = set_requantisation(x, attr, ops);
    if (s == dnnl_success)
        s = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (s == dnnl_success)
        s = dnnl_primitive_desc_create(ret_desc, &desc, attr, o->engine, NULL);
    if (ops)
        dnnl_post_ops_destroy(ops);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return s;
}

enum status onednn_bytes_open(struct onednn *o, const struct onednn_bytes_settings *settings,
                              struct onednn_conv **ret_c, struct error *e)
{
    const struct onednn_constants constants = {.geometry = settings->geometry,
                                               .dims = settings->dims,
                                               .weights_type = dnnl_s8,
                                               .weights = settings->weights,
                                               .bias = settings->bias};
    struct onednn_conv *c;
    enum status s;

    if (!onednn_has_exact_bytes() || !onednn_is_possible(settings->geometry)) {
        error_set(e, STATUS_UNSUPPORTED, "oneDNN: no exact 8-bit convolution here");
        return STATUS_UNSUPPORTED;
    }
    c = calloc(1, sizeof(*c));
    if (!c)
        return error_no_memory(e);
    onednn_begin();
    c->onednn = o;
    c->activates = true;
    s = onednn_status(bytes_desc(o, settings, &c->desc), "8-bit convolution", e);
    if (s == STATUS_OK && onednn_is_reference(c->desc))
        s = error_set(e, STATUS_UNSUPPORTED, "oneDNN: no fast 8-bit convolution of this shape");
    if (s == STATUS_OK)
        s = onednn_conv_complete(c, &constants, e);
    if (s != STATUS_OK) {
        onednn_conv_close(&c);
        return s;
    }
    *ret_c = c;
    return STATUS_OK;
}
