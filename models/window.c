#include "models/window.h"

#include <string.h>

/* Bound of kernels, strides, dilations and pads: products of two stay far inside 64 bits. */
static const int64_t max_extent = 1 << 20;

static enum status read_list(const struct call *c, const char *name, unsigned rank, int64_t fallback, int64_t min,
                             int64_t *ret_values, struct error *e)
{
    int64_t values[TENSOR_MAX_RANK];
    size_t n;
    enum status s = call_ints(c, name, values, TENSOR_MAX_RANK, &n, e);

    if (s != STATUS_OK)
        return s;
    if (n != 0 && n != rank)
        return call_error(c, e, STATUS_INVALID, "attribute %s has %zu values, must have %u", name, n, rank);
    for (unsigned i = 0; i < rank; i++) {
        int64_t v = n > 0 ? values[i] : fallback;

        if (v < min || v > max_extent)
            return call_error(c, e, STATUS_INVALID, "attribute %s holds %lld", name, (long long)v);
        ret_values[3 - rank + i] = v;
    }
    return STATUS_OK;
}

static enum status read_pads(const struct call *c, struct window *w, struct error *e)
{
    int64_t values[6];
    size_t n;
    enum status s = call_ints(c, "pads", values, 6, &n, e);

    if (s != STATUS_OK)
        return s;
    if (n != 0 && n != (size_t)w->rank * 2)
        return call_error(c, e, STATUS_INVALID, "attribute pads has %zu values, must have %u", n, w->rank * 2);
    for (unsigned i = 0; n > 0 && i < w->rank; i++) {
        if (values[i] < 0 || values[i + w->rank] < 0 || values[i] > max_extent || values[i + w->rank] > max_extent)
            return call_error(c, e, STATUS_INVALID, "attribute pads holds %lld and %lld", (long long)values[i],
                              (long long)values[i + w->rank]);
        w->pad[3 - w->rank + i] = values[i];
        w->pad_end[3 - w->rank + i] = values[i + w->rank];
    }
    return STATUS_OK;
}

static enum status read_common(const struct call *c, const int64_t *kernel_shape, struct window *w, struct error *e)
{
    const struct tensor_shape *in = &c->in[0]->shape;
    unsigned first;
    enum status s = call_rank(c, 0, 3, 5, e);

    if (s != STATUS_OK)
        return s;
    *w = (struct window){.rank = in->rank - 2,
                         .in = {1, 1, 1},
                         .out = {1, 1, 1},
                         .kernel = {1, 1, 1},
                         .stride = {1, 1, 1},
                         .dilation = {1, 1, 1}};
    first = 3 - w->rank;
    for (unsigned i = 0; i < w->rank; i++)
        w->in[first + i] = in->dims[2 + i];
    s = read_list(c, "kernel_shape", w->rank, kernel_shape ? 1 : 0, 1, w->kernel, e);
    if (s != STATUS_OK)
        return s;
    for (unsigned i = 0; kernel_shape && i < w->rank; i++) {
        if (node_attribute(c->node, "kernel_shape") && w->kernel[first + i] != kernel_shape[i])
            return call_error(c, e, STATUS_INVALID, "kernel_shape disagrees with the weights");
        if (kernel_shape[i] < 1 || kernel_shape[i] > max_extent)
            return call_error(c, e, STATUS_INVALID, "the kernel has the dimension %lld", (long long)kernel_shape[i]);
        w->kernel[first + i] = kernel_shape[i];
    }
    s = read_list(c, "strides", w->rank, 1, 1, w->stride, e);
    if (s == STATUS_OK)
        s = read_list(c, "dilations", w->rank, 1, 1, w->dilation, e);
    return s == STATUS_OK ? read_pads(c, w, e) : s;
}

enum status window_infer(const struct call *c, const int64_t *kernel_shape, struct window *w, struct error *e)
{
    const char *automatic = call_string(c, "auto_pad", "NOTSET");
    bool ceil_mode = call_int(c, "ceil_mode", 0) != 0;
    enum status s = read_common(c, kernel_shape, w, e);

    for (unsigned d = 3 - w->rank; s == STATUS_OK && d < 3; d++) {
        int64_t span = w->dilation[d] * (w->kernel[d] - 1) + 1, extent, room;

        if (strcmp(automatic, "SAME_UPPER") == 0 || strcmp(automatic, "SAME_LOWER") == 0) {
            int64_t out = (w->in[d] + w->stride[d] - 1) / w->stride[d];
            int64_t pad = (out - 1) * w->stride[d] + span - w->in[d];

            pad = pad < 0 ? 0 : pad;
            w->pad[d] = automatic[5] == 'U' ? pad / 2 : pad - pad / 2;
            w->pad_end[d] = pad - w->pad[d];
        } else if (strcmp(automatic, "VALID") == 0) {
            w->pad[d] = w->pad_end[d] = 0;
        }
        extent = w->in[d] + w->pad[d] + w->pad_end[d];
        room = extent - span;
        if (room < 0 || w->in[d] < 1)
            return call_error(c, e, STATUS_INVALID, "a window of %lld does not fit into an extent of %lld",
                              (long long)span, (long long)extent);
        w->out[d] = room / w->stride[d] + 1;
        /* A last window that would start in the padding after the image is left out (PyTorch's rule). */
        if (ceil_mode && room % w->stride[d] != 0 && w->out[d] * w->stride[d] < w->in[d] + w->pad[d])
            w->out[d]++;
    }
    return s;
}

/* ONNX, ConvTranspose: out = stride * (in - 1) + output_padding + span - pads; output_shape fixes out and
 * derives the pads, the larger half after for SAME_UPPER, before otherwise. */
enum status window_infer_transposed(const struct call *c, const int64_t *kernel_shape, struct window *w,
                                    struct error *e)
{
    const char *automatic = call_string(c, "auto_pad", "NOTSET");
    int64_t extra[3] = {0}, wanted[3] = {0};
    bool same, given = node_attribute(c->node, "output_shape") != NULL;
    enum status s = read_common(c, kernel_shape, w, e);

    if (s == STATUS_OK)
        s = read_list(c, "output_padding", w->rank, 0, 0, extra, e);
    if (s == STATUS_OK && given)
        s = read_list(c, "output_shape", w->rank, 1, 1, wanted, e);
    same = strncmp(automatic, "SAME", 4) == 0;
    for (unsigned d = 3 - w->rank; s == STATUS_OK && d < 3; d++) {
        int64_t span = w->dilation[d] * (w->kernel[d] - 1) + 1;
        int64_t full = w->stride[d] * (w->in[d] - 1) + extra[d] + span;

        if (w->in[d] < 1)
            return call_error(c, e, STATUS_INVALID, "the input has an empty dimension");
        if (given || same) {
            int64_t out = given ? wanted[d] : w->in[d] * w->stride[d], pad = full > out ? full - out : 0;

            w->pad[d] = strcmp(automatic, "SAME_UPPER") == 0 ? pad / 2 : pad - pad / 2;
            w->pad_end[d] = pad - w->pad[d];
            w->out[d] = out;
        } else {
            w->out[d] = full - w->pad[d] - w->pad_end[d];
        }
        if (w->out[d] < 1)
            return call_error(c, e, STATUS_INVALID, "the output would have the extent %lld", (long long)w->out[d]);
    }
    return s;
}

void window_shape(const struct window *w, int64_t n, int64_t channels, struct tensor_shape *ret_shape)
{
    ret_shape->rank = w->rank + 2;
    ret_shape->dims[0] = n;
    ret_shape->dims[1] = channels;
    for (unsigned i = 0; i < w->rank; i++)
        ret_shape->dims[2 + i] = w->out[3 - w->rank + i];
}
