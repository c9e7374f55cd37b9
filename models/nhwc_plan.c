#include "models/nhwc_plan.h"

#include <stdlib.h>
#include <string.h>

#include "models/quant_product.h"
#include "models/timing.h"

enum status nhwc_new_value(struct nhwc_plan *p, const struct nhwc_value *v, size_t *ret_index, struct error *e)
{
    if (p->n_values == p->room_values) {
        size_t room = p->room_values ? p->room_values * 2 : 64;
        struct nhwc_value *values = realloc(p->values, room * sizeof(*values));

        if (!values)
            return error_no_memory(e);
        p->values = values;
        p->room_values = room;
    }
    p->values[p->n_values] = *v;
    *ret_index = p->n_values++;
    return STATUS_OK;
}

enum status nhwc_new_op(struct nhwc_plan *p, const struct nhwc_op *op, size_t *ret_index, struct error *e)
{
    if (p->n_ops == p->room_ops) {
        size_t room = p->room_ops ? p->room_ops * 2 : 64;
        struct nhwc_op *ops = realloc(p->ops, room * sizeof(*ops));

        if (!ops)
            return error_no_memory(e);
        p->ops = ops;
        p->room_ops = room;
    }
    p->ops[p->n_ops] = *op;
    if (ret_index)
        *ret_index = p->n_ops;
    p->n_ops++;
    return STATUS_OK;
}

size_t nhwc_root(const struct nhwc_plan *p, size_t v, int64_t *ret_channel)
{
    int64_t channel = 0;

    for (; p->values[v].parent != NHWC_NONE; v = p->values[v].parent)
        channel += p->values[v].first_channel;
    if (ret_channel)
        *ret_channel = channel;
    return v;
}

struct conv_geometry nhwc_geometry(const struct nhwc_plan *p, const struct nhwc_op *op)
{
    struct conv_geometry g = {.groups = op->groups};

    if (op->in[0] != NHWC_NONE) {
        g.channels_in = p->values[op->in[0]].channels;
        g.channels_out = p->values[op->out].channels;
    }
    for (unsigned d = 0; d < 3; d++) {
        g.in[d] = op->window.in[d];
        g.out[d] = op->window.out[d];
        g.kernel[d] = op->window.kernel[d];
        g.stride[d] = op->window.stride[d];
        g.dilation[d] = op->window.dilation[d];
        g.pad[d] = op->window.pad[d];
    }
    return g;
}

static enum status prepare_conv(struct nhwc_plan *p, struct nhwc_op *op, struct error *e)
{
    const struct conv_geometry g = nhwc_geometry(p, op);
    const struct nhwc_value *in = &p->values[op->in[0]], *out = &p->values[op->out];
    const struct onednn_conv_settings settings = {
        .geometry = &g,
        .dims = in->dims,
        .weights = op->weights,
        .bias = op->bias,
        .in_bf16 = in->bf16,
        .out_bf16 = out->bf16,
        .adds = op->adds,
        .activation = op->activation,
    };
    enum status s;

    if (!in->bf16 && winograd_suits(&g)) {
        s = winograd_open(p->kernels, &g, op->weights, op->bias, &op->winograd, e);
        if (s == STATUS_OK)
            op->scratch_bytes = winograd_scratch_bytes(op->winograd);
        return s;
    }
    s = onednn_conv_open(p->onednn, &settings, &op->conv, e);
    if (s == STATUS_OK)
        op->scratch_bytes = onednn_conv_scratch_bytes(op->conv);
    return s;
}

/* A convolution that adds works on its second input's memory. */
static void join_sums(struct nhwc_plan *p)
{
    for (size_t i = 0; i < p->n_ops; i++) {
        const struct nhwc_op *op = &p->ops[i];

        if (!op->removed && op->kind == NHWC_CONV && op->adds)
            p->values[op->out].parent = op->in[1];
    }
}

/* Trials of 8-bit layers together cost no more than this many operations, well below a second; later ones go without: the
 * processor is known to be exact. */
static const uint64_t max_tried_flops = (uint64_t)1 << 36;

bool nhwc_may_try(struct nhwc_plan *p, const struct call *c)
{
    if (c->flops > max_tried_flops - p->tried_flops)
        return false;
    p->tried_flops += c->flops;
    return true;
}

enum status nhwc_plan_open(const struct graph *g, struct step *steps, size_t n_steps, struct tensor *tensors,
                           enum network_precision precision, struct nhwc_plan **ret_p, struct error *e)
{
    struct nhwc_plan *p = calloc(1, sizeof(*p));
    enum status s;

    if (!p)
        return error_no_memory(e);
    p->graph = g;
    p->steps = steps;
    p->n_steps = n_steps;
    p->tensors = tensors;
    p->kernels = kernels_choose(NETWORK_BACKEND_ONEDNN);
    p->bf16 = precision == NETWORK_PRECISION_BF16;
    p->value_of = malloc((g->n_values + 1) * sizeof(*p->value_of));
    p->taken = calloc(n_steps + 1, sizeof(*p->taken));
    if (!p->value_of || !p->taken) {
        s = error_no_memory(e);
        goto error;
    }
    for (size_t i = 0; i < g->n_values; i++)
        p->value_of[i] = NHWC_NONE;
    s = onednn_open(&p->onednn, e);
    if (s == STATUS_OK)
        s = nhwc_lower(p, e);
    if (s != STATUS_OK)
        goto error;
    nhwc_fuse(p);
    join_sums(p);
    for (size_t i = 0; i < p->n_ops && s == STATUS_OK; i++) {
        struct nhwc_op *op = &p->ops[i];

        if (op->removed)
            continue;
        if (op->kind == NHWC_CONV)
            s = prepare_conv(p, op, e);
        else if (op->kind == NHWC_BYTES)
            op->scratch_bytes = nhwc_bytes_scratch_bytes(op->bytes);
        else if (op->kind == NHWC_MAX || op->kind == NHWC_AVERAGE)
            op->scratch_bytes = (size_t)p->values[op->in[0]].channels * sizeof(float);
    }
    for (size_t i = 0; i < n_steps && s == STATUS_OK; i++) {
        if (!p->taken[i])
            s = quant_matmul_adopt(&steps[i].call, p->onednn, !nhwc_may_try(p, &steps[i].call), e);
    }
    if (s == STATUS_OK)
        s = nhwc_order(p, e);
    if (s != STATUS_OK)
        goto error;
    *ret_p = p;
    return STATUS_OK;
error:
    nhwc_plan_close(&p);
    return s;
}

void nhwc_plan_close(struct nhwc_plan **p)
{
    struct nhwc_plan *x = *p;

    if (!x)
        return;
    for (size_t i = 0; i < x->n_ops; i++) {
        onednn_conv_close(&x->ops[i].conv);
        winograd_close(&x->ops[i].winograd);
        nhwc_bytes_close(&x->ops[i].bytes);
        free(x->ops[i].scale);
        free(x->ops[i].shift);
    }
    for (size_t i = 0; i < x->n_steps; i++)
        quant_product_close(&x->steps[i].call.product);
    onednn_close(&x->onednn);
    free(x->value_of);
    free(x->taken);
    free(x->values);
    free(x->ops);
    free(x->entries);
    free(x);
    *p = NULL;
}

size_t nhwc_plan_block_count(const struct nhwc_plan *p)
{
    return p->n_values + p->n_ops;
}

static bool owns_memory(const struct nhwc_plan *p, size_t v)
{
    return p->values[v].placed && p->values[v].parent == NHWC_NONE;
}

void nhwc_plan_blocks(struct nhwc_plan *p, struct memory_block *blocks)
{
    for (size_t i = 0; i < p->n_values; i++) {
        const struct nhwc_value *v = &p->values[i];

        blocks[i] = (struct memory_block){.bytes = owns_memory(p, i) ? (size_t)v->n_images * nhwc_image_bytes(v) : 0,
                                          .first = v->first,
                                          .last = v->last};
    }
    for (size_t i = 0; i < p->n_ops; i++)
        blocks[p->n_values + i] = (struct memory_block){0};
    for (size_t i = 0; i < p->n_entries; i++) {
        if (p->entries[i].is_op)
            blocks[p->n_values + p->entries[i].index] =
                (struct memory_block){.bytes = p->ops[p->entries[i].index].scratch_bytes, .first = i, .last = i};
    }
}

void nhwc_plan_place(struct nhwc_plan *p, const struct memory_block *blocks, void *arena)
{
    for (size_t i = 0; i < p->n_values; i++)
        p->values[i].data = (char *)arena + blocks[i].offset;
    for (size_t i = 0; i < p->n_ops; i++)
        p->ops[i].scratch = (char *)arena + blocks[p->n_values + i].offset;
}

static struct nhwc_view view_of(const struct nhwc_plan *p, size_t v, int64_t image)
{
    const struct nhwc_value *x = &p->values[v], *root;
    struct nhwc_view view = {.pixels = x->pixels, .channels = x->channels, .bf16 = x->bf16, .integer = x->integer};
    int64_t channel;

    root = &p->values[nhwc_root(p, v, &channel)];
    view.stride = root->channels;
    view.data = (char *)root->data + (size_t)(image % root->n_images) * nhwc_image_bytes(root) +
                channel * nhwc_element_bytes(x->integer, x->bf16);
    return view;
}

static struct nhwc_view coded_view(const struct nhwc_plan *p, size_t v, int64_t image, const struct nhwc_code *code)
{
    struct nhwc_view view = view_of(p, v, image);

    view.scale = code->scale;
    view.zero = code->zero;
    return view;
}

/* An image of the graph's tensor that a view is of. */
static void *planes_of(const struct nhwc_plan *p, size_t v, const struct nhwc_view *view, int64_t image)
{
    return (char *)p->tensors[p->values[v].tensor].data +
           image * view->pixels * view->channels * nhwc_element_bytes(view->integer, false);
}

static void activate(const struct nhwc_op *op, const struct nhwc_view *y)
{
    nhwc_affine(y, NULL, NULL, &op->activation, y);
}

static enum status run_op(struct nhwc_plan *p, const struct nhwc_op *op, int64_t image, struct error *e)
{
    struct nhwc_view a = {0}, b = {0}, y = {0};
    enum status s;

    if (op->kind != NHWC_IMPORT)
        a = coded_view(p, op->in[0], image, &op->in_code[0]);
    if (op->in[1] != NHWC_NONE)
        b = coded_view(p, op->in[1], image, &op->in_code[1]);
    if (op->kind != NHWC_EXPORT)
        y = coded_view(p, op->out, image, &op->out_code);
    switch (op->kind) {
    case NHWC_IMPORT:
        nhwc_from_planes(planes_of(p, op->out, &y, image), &y);
        break;
    case NHWC_EXPORT:
        nhwc_to_planes(&a, planes_of(p, op->in[0], &a, image));
        break;
    case NHWC_CONV:
        s = onednn_conv_run(op->conv, a.data, y.data, op->scratch, e);
        if (s == STATUS_OK && !onednn_conv_activates(op->conv))
            activate(op, &y);
        return s;
    case NHWC_BYTES:
        return nhwc_bytes_run(op->bytes, a.data, y.data, op->scratch, e);
    case NHWC_MAX:
        nhwc_pool_max(&op->window, &a, &y, op->scratch);
        break;
    case NHWC_AVERAGE:
        nhwc_pool_average(&op->window, op->count_padding, &a, &y, op->scratch);
        break;
    case NHWC_ADD:
    case NHWC_MULTIPLY:
        nhwc_combine(op->kind == NHWC_MULTIPLY, &a, &b, &op->activation, &y);
        break;
    case NHWC_AFFINE:
        nhwc_affine(&a, op->scale, op->shift, &op->activation, &y);
        break;
    case NHWC_PRELU:
        nhwc_prelu(&a, op->scale, &y);
        break;
    case NHWC_COPY:
        y.data = (char *)y.data + op->first_channel * nhwc_element_bytes(y.integer, y.bf16);
        y.channels = a.channels;
        nhwc_copy(&a, &y);
        break;
    }
    return STATUS_OK;
}

/* The images of a chunk lie one after the other. */
static void run_winograd(struct nhwc_plan *p, const struct nhwc_op *op, int64_t first, int64_t n)
{
    const struct nhwc_view x = view_of(p, op->in[0], first), y = view_of(p, op->out, first);

    winograd_run(op->winograd, x.data, y.data, n, op->adds, &op->activation, op->scratch);
}

enum status nhwc_plan_run(struct nhwc_plan *p, size_t entry, struct error *e)
{
    size_t end = p->entries[entry].region_end;
    int64_t batch = nhwc_batch(p, &p->ops[p->entries[entry].index]), chunk = p->entries[entry].chunk;
    enum status s = STATUS_OK;

    for (int64_t first = 0; first < batch; first += chunk) {
        int64_t after = first + chunk < batch ? first + chunk : batch;

        for (size_t i = entry; i < end; i++) {
            const struct nhwc_op *op = &p->ops[p->entries[i].index];
            uint64_t began = p->entry_ns ? timing_ns(CLOCK_THREAD_CPUTIME_ID) : 0;

            if (op->winograd) {
                run_winograd(p, op, first, after - first);
                continue;
            }
            for (int64_t image = first; image < after && s == STATUS_OK; image++)
                s = run_op(p, op, image, e);
            if (p->entry_ns)
                p->entry_ns[i] += timing_ns(CLOCK_THREAD_CPUTIME_ID) - began;
        }
    }
    return s;
}

void nhwc_plan_describe(const struct nhwc_plan *p, size_t entry, FILE *out)
{
    static const char *const names[] = {[NHWC_IMPORT] = "to channels last",
                                        [NHWC_CONV] = "convolution",
                                        [NHWC_BYTES] = "8-bit convolution",
                                        [NHWC_MAX] = "maximum",
                                        [NHWC_AVERAGE] = "average",
                                        [NHWC_ADD] = "sum",
                                        [NHWC_MULTIPLY] = "product",
                                        [NHWC_AFFINE] = "scale and shift",
                                        [NHWC_PRELU] = "prelu",
                                        [NHWC_COPY] = "copy",
                                        [NHWC_EXPORT] = "to channels first"};
    static const char *const activations[] = {"",        " + relu",         " + leaky relu", " + clip", " + sigmoid",
                                              " + tanh", " + hard sigmoid", " + hard swish", " + swish"};
    const struct nhwc_op *op = &p->ops[p->entries[entry].index];
    const struct nhwc_value *v = &p->values[op->out != NHWC_NONE ? op->out : op->in[0]];
    const char *type = v->integer ? tensor_type_name(v->integer) : v->bf16 ? "bf16" : "f32";
    const long long rows = (long long)v->size[0] * (long long)v->size[1];

    fprintf(out, "%s%s%s, %s %lldx%lldx%lld, %lld at a time, ", names[op->kind],
            op->kind == NHWC_CONV && op->adds ? " + sum" : "", activations[op->activation.kind], type,
            (long long)v->channels, rows, (long long)v->size[2], (long long)p->entries[entry].chunk);
}

const char *nhwc_plan_implementation(const struct nhwc_plan *p, size_t entry)
{
    const struct nhwc_op *op = &p->ops[p->entries[entry].index];

    if (op->winograd)
        return "winograd 4x4";
    if (op->bytes)
        return nhwc_bytes_name(op->bytes);
    return op->conv ? onednn_conv_name(op->conv) : "nhwc";
}
