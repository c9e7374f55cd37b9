/* Together with backend_onednn_bytes.c the only files that see oneDNN. */
#include "models/backend_onednn_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Of libgomp, which oneDNN is linked with; its header is the compiler's, and clang's may be absent. */
void omp_set_num_threads(int n);

/* Weights lie together in few large blocks, so that they fit into huge pages: each image walks through all of them, tens
 * of megabytes, which is more pages of 4 KiB than a processor remembers the addresses of. */
struct block {
    struct block *next;
    size_t used, bytes; /* with this head */
};

enum { HUGE_PAGE = 2 << 20, MIN_BLOCK = 1 << 16, MAX_BLOCK = 8 << 20, BLOCK_HEAD = 64 };

enum { MAX_EXTENT = 1 << 20, MAX_KERNEL = 1024, MAX_ELEMENTS = 1 << 29 };

bool onednn_is_fast(void)
{
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           dnnl_get_effective_cpu_isa() >= dnnl_cpu_isa_avx2;
#else
    return false;
#endif
}

bool onednn_has_bf16(void)
{
    switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_avx512_core_bf16:
    case dnnl_cpu_isa_avx512_core_amx:
        return true;
    default:
        return false;
    }
}

void onednn_begin(void)
{
    omp_set_num_threads(1);
}

enum status onednn_status(dnnl_status_t s, const char *what, struct error *e)
{
    if (s == dnnl_success)
        return STATUS_OK;
    if (s == dnnl_out_of_memory)
        return error_no_memory(e);
    return error_set(e, STATUS_UNSUPPORTED, "oneDNN: %s: %s", what,
                     s == dnnl_unimplemented       ? "not implemented"
                     : s == dnnl_invalid_arguments ? "invalid arguments"
                     : s == dnnl_runtime_error     ? "runtime error"
                                                   : "not possible");
}

enum status onednn_open(struct onednn **ret_o, struct error *e)
{
    struct onednn *o = calloc(1, sizeof(*o));
    enum status s;

    if (!o)
        return error_no_memory(e);
    onednn_begin();
    s = onednn_status(dnnl_engine_create(&o->engine, dnnl_cpu, 0), "engine", e);
    if (s == STATUS_OK)
        s = onednn_status(dnnl_stream_create(&o->stream, o->engine, dnnl_stream_in_order), "stream", e);
    if (s != STATUS_OK) {
        onednn_close(&o);
        return s;
    }
    *ret_o = o;
    return STATUS_OK;
}

void onednn_close(struct onednn **o)
{
    if (!*o)
        return;
    if ((*o)->stream)
        dnnl_stream_destroy((*o)->stream);
    if ((*o)->engine)
        dnnl_engine_destroy((*o)->engine);
    while ((*o)->blocks) {
        struct block *next = (*o)->blocks->next;

        free((*o)->blocks);
        (*o)->blocks = next;
    }
    free(*o);
    *o = NULL;
}

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

void *onednn_keep(struct onednn *o, size_t bytes)
{
    struct block *b = o->blocks;
    size_t rounded = round_up(bytes, BLOCK_HEAD);

    if (!b || b->bytes - b->used < rounded) {
        size_t room = o->next_bytes ? o->next_bytes : MIN_BLOCK, align;

        room = room < rounded + BLOCK_HEAD ? rounded + BLOCK_HEAD : room;
        align = room >= HUGE_PAGE ? HUGE_PAGE : BLOCK_HEAD;
        room = round_up(room, align);
        b = aligned_alloc(align, room);
        if (!b)
            return NULL;
        if (align == HUGE_PAGE)
            (void)madvise(b, room, MADV_HUGEPAGE);
        *b = (struct block){.next = o->blocks, .used = BLOCK_HEAD, .bytes = room};
        o->blocks = b;
        o->next_bytes = room * 2 < MAX_BLOCK ? room * 2 : MAX_BLOCK;
    }
    b->used += rounded;
    return (char *)b + b->used - rounded;
}

/* Adds the activation to the post-operations; false where oneDNN has none that is the same. */
static bool append_activation(dnnl_post_ops_t ops, const struct activation *a)
{
    dnnl_alg_kind_t kind = dnnl_eltwise_relu;
    float alpha = 0.0f, beta = 0.0f;

    switch (a->kind) {
    case ACTIVATION_NONE:
        return true;
    case ACTIVATION_RELU:
        break;
    case ACTIVATION_LEAKY:
        alpha = a->a;
        break;
    case ACTIVATION_CLIP:
        if (isnan(a->a) || isnan(a->b) || a->a > a->b)
            return false;
        kind = dnnl_eltwise_clip;
        alpha = a->a;
        beta = a->b;
        break;
    case ACTIVATION_SIGMOID:
        kind = dnnl_eltwise_logistic;
        break;
    case ACTIVATION_TANH:
        kind = dnnl_eltwise_tanh;
        break;
    case ACTIVATION_SWISH:
        kind = dnnl_eltwise_swish;
        alpha = 1.0f;
        break;
    case ACTIVATION_HARD_SWISH:
        kind = dnnl_eltwise_hardswish;
        break;
    case ACTIVATION_HARD_SIGMOID:
        return false;
    }
    return dnnl_post_ops_append_eltwise(ops, 1.0f, kind, alpha, beta) == dnnl_success;
}

/* dims: those of the geometry in use, with `lead` numbers before them. */
static void spatial(const int64_t from[3], unsigned dims, dnnl_dims_t to, unsigned lead)
{
    for (unsigned d = 0; d < dims; d++)
        to[lead + d] = from[3 - dims + d];
}

static unsigned weight_dims(const struct conv_geometry *g, unsigned n_spatial, dnnl_dims_t dims)
{
    unsigned n = 0;

    if (g->groups > 1)
        dims[n++] = g->groups;
    dims[n++] = g->channels_out / g->groups;
    dims[n++] = g->channels_in / g->groups;
    spatial(g->kernel, n_spatial, dims, n);
    return n + n_spatial;
}

dnnl_status_t onednn_conv_desc(const struct conv_geometry *g, unsigned dims, const struct onednn_types *types,
                               bool biased, dnnl_convolution_desc_t *ret_desc)
{
    const dnnl_format_tag_t tag = dims == 1 ? dnnl_nwc : dims == 2 ? dnnl_nhwc : dnnl_ndhwc;
    dnnl_dims_t in = {1, g->channels_in}, out = {1, g->channels_out}, w = {0}, bias = {g->channels_out};
    dnnl_dims_t stride = {0}, dilation = {0}, pad = {0}, pad_end = {0};
    dnnl_memory_desc_t in_desc, out_desc, w_desc, bias_desc;
    int n = (int)dims + 2, n_w = (int)weight_dims(g, dims, w);
    dnnl_status_t s;

    spatial(g->in, dims, in, 2);
    spatial(g->out, dims, out, 2);
    spatial(g->stride, dims, stride, 0);
    spatial(g->dilation, dims, dilation, 0);
    spatial(g->pad, dims, pad, 0);
    for (unsigned d = 0; d < dims; d++) {
        int64_t extent = (w[(unsigned)n_w - dims + d] - 1) * dilation[d] + 1;

        /* What the last window reaches beyond the input. */
        pad_end[d] = (out[2 + d] - 1) * stride[d] + extent - in[2 + d] - pad[d];
        pad_end[d] = pad_end[d] > 0 ? pad_end[d] : 0;
        dilation[d]--;
    }
    s = dnnl_memory_desc_init_by_tag(&in_desc, n, in, types->in, tag);
    if (s == dnnl_success)
        s = dnnl_memory_desc_init_by_tag(&out_desc, n, out, types->out, tag);
    if (s == dnnl_success)
        s = dnnl_memory_desc_init_by_tag(&w_desc, n_w, w, types->weights, dnnl_format_tag_any);
    if (s == dnnl_success)
        s = dnnl_memory_desc_init_by_tag(&bias_desc, 1, bias, types->bias, dnnl_a);
    if (s != dnnl_success)
        return s;
    return dnnl_dilated_convolution_forward_desc_init(ret_desc, dnnl_forward_inference, dnnl_convolution_direct,
                                                      &in_desc, &w_desc, biased ? &bias_desc : NULL, &out_desc, stride,
                                                      dilation, pad, pad_end);
}

static dnnl_status_t make_desc(const struct onednn *o, const struct onednn_conv_settings *x, bool activate,
                               dnnl_primitive_desc_t *ret_desc)
{
    dnnl_convolution_desc_t desc;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    const struct onednn_types types = {.in = x->in_bf16 ? dnnl_bf16 : dnnl_f32,
                                       .weights = x->in_bf16 ? dnnl_bf16 : dnnl_f32,
                                       .out = x->out_bf16 ? dnnl_bf16 : dnnl_f32,
                                       .bias = dnnl_f32};
    dnnl_status_t s = onednn_conv_desc(x->geometry, x->dims, &types, x->bias != NULL, &desc);

    if (s == dnnl_success)
        s = dnnl_primitive_attr_create(&attr);
    if (s == dnnl_success)
        s = dnnl_post_ops_create(&ops);
    if (s == dnnl_success && x->adds)
        s = dnnl_post_ops_append_sum(ops, 1.0f);
    if (s == dnnl_success && activate && !append_activation(ops, &x->activation))
        s = dnnl_unimplemented;
    if (s == dnnl_success)
        s = dnnl_primitive_attr_set_post_ops(attr, ops);
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

static const char *name_of(const_dnnl_primitive_desc_t desc)
{
    const char *name = NULL;

    if (dnnl_primitive_desc_query(desc, dnnl_query_impl_info_str, 0, &name) != dnnl_success || !name)
        return "?";
    return name;
}

bool onednn_is_reference(const_dnnl_primitive_desc_t desc)
{
    return strncmp(name_of(desc), "ref", 3) == 0;
}

/* Some of oneDNN 2.6's kernels leave their memory for some windows that no network has, found by fuzz_onnx: a stride beyond
 * the input (volumes of 5 x 5 x 5, kernel 2, stride 16). Those, and pads larger than the kernel, are left to others. */
static bool is_common_window(const struct conv_geometry *g)
{
    for (unsigned d = 0; d < 3; d++) {
        int64_t extent = (g->kernel[d] - 1) * g->dilation[d] + 1;
        int64_t after = (g->out[d] - 1) * g->stride[d] + extent - g->in[d] - g->pad[d];

        if (g->stride[d] > (g->in[d] > extent ? g->in[d] : extent) || g->pad[d] > extent || after > extent)
            return false;
    }
    return true;
}

/* oneDNN counts in int inside, and nobody else tries what only a hostile file asks for. */
static bool is_sane(const struct conv_geometry *g)
{
    int64_t w_in = g->channels_in / g->groups;
    double in = (double)g->channels_in, out = (double)g->channels_out, taps = (double)w_in;

    for (unsigned d = 0; d < 3; d++) {
        if (g->in[d] > MAX_EXTENT || g->out[d] > MAX_EXTENT || g->kernel[d] > MAX_KERNEL || g->stride[d] > MAX_KERNEL ||
            g->dilation[d] > MAX_KERNEL || g->pad[d] > MAX_KERNEL)
            return false;
        in *= (double)g->in[d];
        out *= (double)g->out[d];
        taps *= (double)g->kernel[d];
    }
    return in < MAX_ELEMENTS && out < MAX_ELEMENTS && taps * (double)g->channels_out < MAX_ELEMENTS;
}

bool onednn_is_possible(const struct conv_geometry *g)
{
    return is_sane(g) && is_common_window(g);
}

bool onednn_conv_suits(struct onednn *o, const struct onednn_conv_settings *settings)
{
    dnnl_primitive_desc_t desc = NULL;
    bool suits;

    if (!onednn_is_possible(settings->geometry))
        return false;
    onednn_begin();
    if (make_desc(o, settings, false, &desc) != dnnl_success)
        return false;
    suits = !onednn_is_reference(desc);
    dnnl_primitive_desc_destroy(desc);
    return suits;
}

/* With the activation inside where that has a fast implementation, else without. */
static enum status choose_desc(struct onednn_conv *c, const struct onednn_conv_settings *x, struct error *e)
{
    c->activates = true;
    if (make_desc(c->onednn, x, true, &c->desc) == dnnl_success && !onednn_is_reference(c->desc))
        return STATUS_OK;
    if (c->desc)
        dnnl_primitive_desc_destroy(c->desc);
    c->desc = NULL;
    c->activates = x->activation.kind == ACTIVATION_NONE;
    return onednn_status(make_desc(c->onednn, x, false, &c->desc), "convolution", e);
}

enum status onednn_add_arg(struct onednn_conv *c, int index, int arg, const dnnl_memory_desc_t *desc, void *data,
                           struct error *e)
{
    c->args[index].arg = arg;
    c->n_args++;
    return onednn_status(
        dnnl_memory_create(&c->args[index].memory, desc, c->onednn->engine, data ? data : DNNL_MEMORY_NONE), "memory",
        e);
}

enum status onednn_reorder(struct onednn *o, dnnl_memory_t from, dnnl_memory_t to, struct error *e)
{
    const dnnl_memory_desc_t *from_desc, *to_desc;
    dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_status_t s = dnnl_memory_get_memory_desc(from, &from_desc);

    if (s == dnnl_success)
        s = dnnl_memory_get_memory_desc(to, &to_desc);
    if (s == dnnl_success)
        s = dnnl_reorder_primitive_desc_create(&desc, from_desc, o->engine, to_desc, o->engine, NULL);
    if (s == dnnl_success)
        s = dnnl_primitive_create(&primitive, desc);
    if (s == dnnl_success)
        s = dnnl_primitive_execute(primitive, o->stream, 2, args);
    if (s == dnnl_success)
        s = dnnl_stream_wait(o->stream);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (desc)
        dnnl_primitive_desc_destroy(desc);
    return onednn_status(s, "reorder", e);
}

/* ONNX's order of weights. */
static dnnl_format_tag_t weights_tag(const struct conv_geometry *g, unsigned dims)
{
    bool grouped = g->groups > 1;

    switch (dims) {
    case 1:
        return grouped ? dnnl_goiw : dnnl_oiw;
    case 2:
        return grouped ? dnnl_goihw : dnnl_oihw;
    default:
        return grouped ? dnnl_goidhw : dnnl_oidhw;
    }
}

static enum status pack_weights(struct onednn_conv *c, const struct onednn_constants *x, struct error *e)
{
    const dnnl_memory_desc_t *desc = dnnl_primitive_desc_query_md(c->desc, dnnl_query_weights_md, 0);
    dnnl_memory_desc_t plain;
    dnnl_memory_t from = NULL;
    dnnl_dims_t dims = {0};
    int n = (int)weight_dims(x->geometry, x->dims, dims);
    /* oneDNN takes what it reads as not constant. */
    union {
        const void *from;
        void *to;
    } weights = {x->weights};
    void *packed = onednn_keep(c->onednn, dnnl_memory_desc_get_size(desc));
    enum status s;

    if (!packed)
        return error_no_memory(e);
    s = onednn_add_arg(c, WEIGHTS, DNNL_ARG_WEIGHTS, desc, packed, e);
    if (s == STATUS_OK)
        s = onednn_status(
            dnnl_memory_desc_init_by_tag(&plain, n, dims, x->weights_type, weights_tag(x->geometry, x->dims)),
            "weights", e);
    if (s == STATUS_OK)
        s = onednn_status(dnnl_memory_create(&from, &plain, c->onednn->engine, weights.to), "weights", e);
    if (s == STATUS_OK)
        s = onednn_reorder(c->onednn, from, c->args[WEIGHTS].memory, e);
    if (from)
        dnnl_memory_destroy(from);
    return s;
}

enum status onednn_conv_complete(struct onednn_conv *c, const struct onednn_constants *x, struct error *e)
{
    size_t bias_bytes = (size_t)x->geometry->channels_out * sizeof(float);
    const dnnl_memory_desc_t *scratch;
    void *bias;
    enum status s = onednn_status(dnnl_primitive_create(&c->primitive, c->desc), "convolution", e);

    if (s == STATUS_OK)
        s = onednn_add_arg(c, SRC, DNNL_ARG_SRC, dnnl_primitive_desc_query_md(c->desc, dnnl_query_src_md, 0), NULL, e);
    if (s == STATUS_OK)
        s = pack_weights(c, x, e);
    if (s == STATUS_OK)
        s = onednn_add_arg(c, DST, DNNL_ARG_DST, dnnl_primitive_desc_query_md(c->desc, dnnl_query_dst_md, 0), NULL, e);
    if (s != STATUS_OK)
        return s;
    scratch = dnnl_primitive_desc_query_md(c->desc, dnnl_query_scratchpad_md, 0);
    c->scratch_bytes = dnnl_memory_desc_get_size(scratch);
    s = onednn_add_arg(c, SCRATCH, DNNL_ARG_SCRATCHPAD, scratch, NULL, e);
    if (s != STATUS_OK || !x->bias)
        return s;
    bias = onednn_keep(c->onednn, bias_bytes);
    if (!bias)
        return error_no_memory(e);
    memcpy(bias, x->bias, bias_bytes);
    return onednn_add_arg(c, BIAS, DNNL_ARG_BIAS, dnnl_primitive_desc_query_md(c->desc, dnnl_query_weights_md, 1), bias,
                          e);
}

enum status onednn_conv_open(struct onednn *o, const struct onednn_conv_settings *settings, struct onednn_conv **ret_c,
                             struct error *e)
{
    const struct onednn_constants constants = {.geometry = settings->geometry,
                                               .dims = settings->dims,
                                               .weights_type = dnnl_f32,
                                               .weights = settings->weights,
                                               .bias = settings->bias};
    struct onednn_conv *c = calloc(1, sizeof(*c));
    enum status s;

    if (!c)
        return error_no_memory(e);
    onednn_begin();
    c->onednn = o;
    s = choose_desc(c, settings, e);
    if (s == STATUS_OK)
        s = onednn_conv_complete(c, &constants, e);
    if (s != STATUS_OK) {
        onednn_conv_close(&c);
        return s;
    }
    *ret_c = c;
    return STATUS_OK;
}

void onednn_conv_close(struct onednn_conv **c)
{
    struct onednn_conv *x = *c;

    if (!x)
        return;
    for (int i = 0; i < ARGS; i++) {
        if (x->args[i].memory)
            dnnl_memory_destroy(x->args[i].memory);
    }
    if (x->primitive)
        dnnl_primitive_destroy(x->primitive);
    if (x->desc)
        dnnl_primitive_desc_destroy(x->desc);
    free(x);
    *c = NULL;
}

const char *onednn_conv_name(const struct onednn_conv *c)
{
    return name_of(c->desc);
}

size_t onednn_conv_scratch_bytes(const struct onednn_conv *c)
{
    return c->scratch_bytes;
}

bool onednn_conv_activates(const struct onednn_conv *c)
{
    return c->activates;
}

enum status onednn_conv_run(struct onednn_conv *c, const void *x, void *y, void *scratch, struct error *e)
{
    union {
        const void *from;
        void *to;
    } in = {x};
    dnnl_status_t s = dnnl_memory_set_data_handle(c->args[SRC].memory, in.to);

    if (s == dnnl_success)
        s = dnnl_memory_set_data_handle(c->args[DST].memory, y);
    if (s == dnnl_success && c->scratch_bytes > 0)
        s = dnnl_memory_set_data_handle(c->args[SCRATCH].memory, scratch);
    if (s == dnnl_success)
        s = dnnl_primitive_execute(c->primitive, c->onednn->stream, c->n_args, c->args);
    return onednn_status(s, "convolution", e);
}
