/* Pad: constant, reflect, edge, wrap; negative pads cut. */
#include <string.h>

#include "models/op.h"

enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP };

struct pad_state {
    int64_t before[TENSOR_MAX_RANK], after[TENSOR_MAX_RANK];
    enum pad_mode mode;
};

static enum status read_pads(const struct call *c, struct pad_state *state, struct error *e)
{
    unsigned rank = c->in[0]->shape.rank;
    int64_t pads[2 * TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK];
    size_t n, n_axes;
    enum status s = call_axes(c, node_attribute(c->node, "paddings") ? "paddings" : "pads", 1, pads,
                              (size_t)2 * TENSOR_MAX_RANK, &n, e);

    if (s == STATUS_OK)
        s = call_input_ints(c, 3, axes, TENSOR_MAX_RANK, &n_axes, e);
    if (s != STATUS_OK)
        return s;
    if (!call_in(c, 3)) {
        n_axes = rank;
        for (unsigned d = 0; d < rank; d++)
            axes[d] = d;
    }
    if (n != 2 * n_axes)
        return call_error(c, e, STATUS_INVALID, "%zu pads for %zu axes", n, n_axes);
    for (size_t i = 0; i < n_axes; i++) {
        int64_t limit = TENSOR_MAX_BYTES;
        unsigned axis;

        s = call_axis(c, axes[i], rank, &axis, e);
        if (s != STATUS_OK)
            return s;
        if (pads[i] < -limit || pads[i] > limit || pads[i + n_axes] < -limit || pads[i + n_axes] > limit)
            return call_error(c, e, STATUS_INVALID, "pads %lld and %lld", (long long)pads[i],
                              (long long)pads[i + n_axes]);
        state->before[axis] = pads[i];
        state->after[axis] = pads[i + n_axes];
    }
    return STATUS_OK;
}

static enum status read_mode(const struct call *c, struct pad_state *state, struct error *e)
{
    static const char *const names[] = {"constant", "reflect", "edge", "wrap"};
    const char *mode = call_string(c, "mode", "constant");

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(mode, names[i]) == 0) {
            state->mode = (enum pad_mode)i;
            return STATUS_OK;
        }
    }
    return call_error(c, e, STATUS_UNSUPPORTED, "mode %.40s is not supported", mode);
}

static enum status pad_infer(struct call *c, struct error *e)
{
    struct pad_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    enum status s = read_mode(c, state, e);

    if (s == STATUS_OK)
        s = read_pads(c, state, e);
    if (s != STATUS_OK)
        return s;
    if (call_in(c, 2) && (c->in[2]->type != c->in[0]->type || tensor_count(c->in[2]) != 1))
        return call_error(c, e, STATUS_INVALID, "the pad value must be one %s", tensor_type_name(c->in[0]->type));
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape.rank = in->rank;
    for (unsigned d = 0; d < in->rank; d++) {
        int64_t before = state->before[d], after = state->after[d], size = in->dims[d];
        int64_t most = before > after ? before : after, reach = state->mode == PAD_REFLECT ? size - 1 : size;

        if (size + before + after < 0 || (state->mode != PAD_CONSTANT && most > 0 && size == 0) ||
            (state->mode != PAD_CONSTANT && state->mode != PAD_EDGE && most > 0 && most > reach))
            return call_error(c, e, STATUS_INVALID, "pads %lld and %lld do not fit an extent of %lld",
                              (long long)before, (long long)after, (long long)size);
        c->out[0]->shape.dims[d] = size + before + after;
    }
    return STATUS_OK;
}

/* The source coordinate of output coordinate o; -1 = padding. */
static int64_t pad_source(enum pad_mode mode, int64_t o, int64_t size)
{
    if (o >= 0 && o < size)
        return o;
    switch (mode) {
    case PAD_EDGE:
        return o < 0 ? 0 : size - 1;
    case PAD_REFLECT:
        return o < 0 ? -o : 2 * (size - 1) - o;
    case PAD_WRAP:
        return o < 0 ? o + size : o - size;
    case PAD_CONSTANT:
        break;
    }
    return -1;
}

static enum status pad_run(struct call *c, struct error *e)
{
    const struct pad_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape, *out = &c->out[0]->shape;
    size_t unit = tensor_type_bytes(c->in[0]->type);
    double old_value = 0;
    struct tensor old = {.type = c->in[0]->type, .data = &old_value};
    const void *fill = call_in(c, 2) ? c->in[2]->data : &old_value;
    int64_t width = out->rank > 0 ? out->dims[out->rank - 1] : 1, rows;
    char *to = c->out[0]->data;

    (void)e;
    if (tensor_count(c->out[0]) == 0)
        return STATUS_OK;
    tensor_set_value(&old, 0, (double)call_float(c, "value", 0.0f)); /* an attribute up to opset 10 */
    rows = tensor_count(c->out[0]) / width;
    for (int64_t r = 0; r < rows; r++) {
        int64_t rest = r, from = 0, stride = out->rank > 0 ? in->dims[in->rank - 1] : 1;
        bool inside = true;

        for (unsigned d = out->rank > 0 ? out->rank - 1 : 0; d-- > 0;) {
            int64_t at = pad_source(state->mode, rest % out->dims[d] - state->before[d], in->dims[d]);

            inside = inside && at >= 0;
            from += at * stride;
            stride *= in->dims[d];
            rest /= out->dims[d];
        }
        for (int64_t i = 0; i < width; i++, to += unit) {
            int64_t at =
                out->rank == 0 ? 0 : pad_source(state->mode, i - state->before[out->rank - 1], in->dims[in->rank - 1]);

            memcpy(to, inside && at >= 0 ? (const char *)c->in[0]->data + (size_t)(from + at) * unit : fill, unit);
        }
    }
    return STATUS_OK;
}

static const struct op pad_ops[] = {
    {.name = "Pad",
     .since = 1,
     .min_in = 1,
     .max_in = 4,
     .min_out = 1,
     .max_out = 1,
     .flags = OP_BYTES,
     .state_bytes = sizeof(struct pad_state),
     .infer = pad_infer,
     .run = pad_run},
};

const struct op_group ops_pad = {pad_ops, sizeof(pad_ops) / sizeof(pad_ops[0])};
