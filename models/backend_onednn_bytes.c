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

enum { MAX_PRODUCT = 1 << 27 };

static bool is_sane_product(const struct onednn_product_settings *x)
{
    return x->m > 0 && x->k > 0 && x->n > 0 && x->m < MAX_PRODUCT && x->k < MAX_PRODUCT && x->n < MAX_PRODUCT &&
           x->m * x->k < MAX_PRODUCT && x->k * x->n < MAX_PRODUCT && x->m * x->n < MAX_PRODUCT;
}

static dnnl_status_t product_desc(const struct onednn *o, const struct onednn_product_settings *x,
                                  dnnl_primitive_desc_t *ret_desc)
{
    const dnnl_dims_t a = {x->m, x->k}, b = {x->k, x->n}, y = {x->m, x->n};
    dnnl_memory_desc_t a_desc, b_desc, y_desc;
    dnnl_matmul_desc_t desc;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t s = dnnl_memory_desc_init_by_tag(&a_desc, 2, a, x->in_signed ? dnnl_s8 : dnnl_u8, dnnl_ab);

    if (s == dnnl_success)
        s = dnnl_memory_desc_init_by_tag(&b_desc, 2, b, dnnl_s8, x->b ? dnnl_format_tag_any : dnnl_ab);
    if (s == dnnl_success)
        s = dnnl_memory_desc_init_by_tag(&y_desc, 2, y, dnnl_s32, dnnl_ab);
    if (s == dnnl_success)
        s = dnnl_matmul_desc_init(&desc, &a_desc, &b_desc, NULL, &y_desc);
    if (s == dnnl_success)
        s = dnnl_primitive_attr_create(&attr);
    if (s == dnnl_success)
        s = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    if (s == dnnl_success)
        s = dnnl_primitive_desc_create(ret_desc, &desc, attr, o->engine, NULL);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return s;
}

/* B as the kernel wants it; not constant: its memory is set before each run. */
static enum status product_weights(struct onednn_conv *c, const struct onednn_product_settings *x, struct error *e)
{
    const dnnl_memory_desc_t *desc = dnnl_primitive_desc_query_md(c->desc, dnnl_query_weights_md, 0);
    const dnnl_dims_t dims = {x->k, x->n};
    dnnl_memory_desc_t plain;
    dnnl_memory_t from = NULL;
    /* oneDNN takes what it reads as not constant. */
    union {
        const int8_t *from;
        void *to;
    } b = {x->b};
    void *packed = x->b ? onednn_keep(c->onednn, dnnl_memory_desc_get_size(desc)) : NULL;
    enum status s;

    if (x->b && !packed)
        return error_no_memory(e);
    s = onednn_add_arg(c, WEIGHTS, DNNL_ARG_WEIGHTS, desc, packed, e);
    if (s != STATUS_OK || !x->b)
        return s;
    s = onednn_status(dnnl_memory_desc_init_by_tag(&plain, 2, dims, dnnl_s8, dnnl_ab), "weights", e);
    if (s == STATUS_OK)
        s = onednn_status(dnnl_memory_create(&from, &plain, c->onednn->engine, b.to), "weights", e);
    if (s == STATUS_OK)
        s = onednn_reorder(c->onednn, from, c->args[WEIGHTS].memory, e);
    if (from)
        dnnl_memory_destroy(from);
    return s;
}

enum status onednn_product_open(struct onednn *o, const struct onednn_product_settings *settings,
                                struct onednn_conv **ret_c, struct error *e)
{
    const dnnl_memory_desc_t *scratch;
    struct onednn_conv *c;
    enum status s;

    if (!onednn_has_exact_bytes() || !is_sane_product(settings)) {
        error_set(e, STATUS_UNSUPPORTED, "oneDNN: no exact 8-bit product here");
        return STATUS_UNSUPPORTED;
    }
    c = calloc(1, sizeof(*c));
    if (!c)
        return error_no_memory(e);
    onednn_begin();
    c->onednn = o;
    s = onednn_status(product_desc(o, settings, &c->desc), "8-bit product", e);
    if (s == STATUS_OK && onednn_is_reference(c->desc))
        s = error_set(e, STATUS_UNSUPPORTED, "oneDNN: no fast 8-bit product of this shape");
    if (s == STATUS_OK)
        s = onednn_status(dnnl_primitive_create(&c->primitive, c->desc), "8-bit product", e);
    if (s == STATUS_OK)
        s = onednn_add_arg(c, SRC, DNNL_ARG_SRC, dnnl_primitive_desc_query_md(c->desc, dnnl_query_src_md, 0), NULL, e);
    if (s == STATUS_OK)
        s = product_weights(c, settings, e);
    if (s == STATUS_OK)
        s = onednn_add_arg(c, DST, DNNL_ARG_DST, dnnl_primitive_desc_query_md(c->desc, dnnl_query_dst_md, 0), NULL, e);
    if (s == STATUS_OK) {
        scratch = dnnl_primitive_desc_query_md(c->desc, dnnl_query_scratchpad_md, 0);
        c->scratch_bytes = dnnl_memory_desc_get_size(scratch);
        s = onednn_add_arg(c, SCRATCH, DNNL_ARG_SCRATCHPAD, scratch, NULL, e);
    }
    if (s != STATUS_OK) {
        onednn_conv_close(&c);
        return s;
    }
    *ret_c = c;
    return STATUS_OK;
}

enum status onednn_product_run(struct onednn_conv *c, const void *x, const int8_t *b, int32_t *y, void *scratch,
                               struct error *e)
{
    union {
        const int8_t *from;
        void *to;
    } weights = {b};

    if (b && dnnl_memory_set_data_handle(c->args[WEIGHTS].memory, weights.to) != dnnl_success)
        return onednn_status(dnnl_runtime_error, "8-bit product", e);
    return onednn_conv_run(c, x, y, scratch, e);
}
