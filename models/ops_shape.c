/* Operators that give the same bytes another shape: Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout.
 */
#include <string.h>

#include "models/op.h"

static enum status view_run(struct call *c, struct error *e)
{
    size_t bytes;

    (void)e;
    if (c->out[0]->data != c->in[0]->data && tensor_shape_bytes(&c->out[0]->shape, c->out[0]->type, &bytes) && bytes)
        memcpy(c->out[0]->data, c->in[0]->data, bytes);
    return STATUS_OK;
}

static enum status reshape_infer(struct call *c, struct error *e)
{
    const struct tensor_shape *in = &c->in[0]->shape;
    struct tensor_shape out = {0};
    int64_t dims[TENSOR_MAX_RANK], known = 1, count = tensor_count(c->in[0]);
    bool keep_zero = call_int(c, "allowzero", 0) != 0;
    char x[TENSOR_SHAPE_TEXT_BYTES], y[TENSOR_SHAPE_TEXT_BYTES];
    int open = -1;
    size_t n;
    /* Opset 1 had an attribute. */
    enum status s = call_axes(c, "shape", 1, dims, TENSOR_MAX_RANK, &n, e);

    if (s != STATUS_OK)
        return s;
    out.rank = (unsigned)n;
    for (unsigned i = 0; i < out.rank; i++) {
        out.dims[i] = dims[i];
        if (dims[i] == 0 && !keep_zero) {
            if (i >= in->rank)
                return call_error(c, e, STATUS_INVALID, "dimension %u is to be copied from %s", i,
                                  tensor_shape_text(in, x));
            out.dims[i] = in->dims[i];
        }
        if (dims[i] == -1 && open >= 0)
            return call_error(c, e, STATUS_INVALID, "two dimensions are -1");
        if (dims[i] < -1)
            return call_error(c, e, STATUS_INVALID, "a dimension is %lld", (long long)dims[i]);
        if (dims[i] == -1)
            open = (int)i;
        else if (out.dims[i] > 0 && known > TENSOR_MAX_BYTES / out.dims[i])
            return call_error(c, e, STATUS_INVALID, "the shape is too large");
        else
            known *= out.dims[i];
    }
    if (open >= 0)
        out.dims[open] = known > 0 ? count / known : 0;
    if (known * (open >= 0 ? out.dims[open] : 1) != count)
        return call_error(c, e, STATUS_INVALID, "%s does not reshape to %s", tensor_shape_text(in, x),
                          tensor_shape_text(&out, y));
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = out;
    return STATUS_OK;
}

static enum status flatten_infer(struct call *c, struct error *e)
{
    const struct tensor_shape *in = &c->in[0]->shape;
    int64_t axis = call_int(c, "axis", 1);

    if (axis < -(int64_t)in->rank || axis > (int64_t)in->rank)
        return call_error(c, e, STATUS_INVALID, "axis %lld is outside rank %u", (long long)axis, in->rank);
    axis = axis < 0 ? axis + in->rank : axis;
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = (struct tensor_shape){
        .rank = 2, .dims = {tensor_shape_span(in, 0, (unsigned)axis), tensor_shape_span(in, (unsigned)axis, in->rank)}};
    return STATUS_OK;
}

/* The axes as a set, for a tensor of that rank. */
static enum status axis_set(const struct call *c, unsigned rank, bool set[2 * TENSOR_MAX_RANK], size_t *ret_n,
                            struct error *e)
{
    int64_t axes[TENSOR_MAX_RANK];
    enum status s = call_axes(c, "axes", 1, axes, TENSOR_MAX_RANK, ret_n, e);

    for (size_t i = 0; s == STATUS_OK && i < *ret_n; i++) {
        int64_t axis = axes[i];
        unsigned at;

        s = call_axis(c, axis, rank, &at, e);
        if (s == STATUS_OK && set[at])
            s = call_error(c, e, STATUS_INVALID, "axis %lld is named twice", (long long)axis);
        if (s == STATUS_OK)
            set[at] = true;
    }
    return s;
}

static enum status squeeze_infer(struct call *c, struct error *e)
{
    const struct tensor_shape *in = &c->in[0]->shape;
    struct tensor_shape out = {0};
    bool set[2 * TENSOR_MAX_RANK] = {0};
    size_t n;
    enum status s = axis_set(c, in->rank, set, &n, e);

    if (s != STATUS_OK)
        return s;
    for (unsigned i = 0; i < in->rank; i++) {
        if (set[i] && in->dims[i] != 1)
            return call_error(c, e, STATUS_INVALID, "axis %u has %lld elements, must have 1", i,
                              (long long)in->dims[i]);
        if (set[i] || (n == 0 && in->dims[i] == 1))
            continue;
        out.dims[out.rank++] = in->dims[i];
    }
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = out;
    return STATUS_OK;
}

static enum status unsqueeze_infer(struct call *c, struct error *e)
{
    const struct tensor_shape *in = &c->in[0]->shape;
    struct tensor_shape out = {0};
    bool set[2 * TENSOR_MAX_RANK] = {0};
    int64_t axes[TENSOR_MAX_RANK];
    unsigned from = 0;
    size_t n;
    enum status s = call_axes(c, "axes", 1, axes, TENSOR_MAX_RANK, &n, e);

    if (s != STATUS_OK)
        return s;
    if (in->rank + n > TENSOR_MAX_RANK)
        return call_error(c, e, STATUS_UNSUPPORTED, "a result of rank %zu is not supported", in->rank + n);
    out.rank = in->rank + (unsigned)n;
    s = axis_set(c, out.rank, set, &n, e);
    if (s != STATUS_OK)
        return s;
    for (unsigned i = 0; i < out.rank; i++)
        out.dims[i] = set[i] ? 1 : in->dims[from++];
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = out;
    return STATUS_OK;
}

/* Training at a ratio of 0 drops nothing either: so torchvision's Swin is exported. */
static bool dropout_drops(const struct call *c)
{
    const struct tensor *ratio = call_in(c, 1), *training = call_in(c, 2);

    if (!training || (training->data && tensor_count(training) == 1 && tensor_value(training, 0) == 0.0))
        return false;
    return !ratio || !ratio->data || tensor_count(ratio) != 1 || tensor_value(ratio, 0) != 0.0;
}

static enum status dropout_infer(struct call *c, struct error *e)
{
    if (dropout_drops(c))
        return call_error(c, e, STATUS_UNSUPPORTED, "training mode is not supported");
    if (call_out(c, 1)) {
        c->out[1]->type = c->opset < 10 ? c->in[0]->type : TENSOR_BOOL;
        c->out[1]->shape = c->in[0]->shape;
    }
    return call_same(c, e);
}

/* Nothing is dropped, so the mask is all ones. */
static enum status dropout_run(struct call *c, struct error *e)
{
    struct tensor *mask = call_out(c, 1);

    for (int64_t i = 0; mask && i < tensor_count(mask); i++)
        tensor_set_integer(mask, i, 1);
    return view_run(c, e);
}

#define VIEW(op_name, most_in, most_out, op_infer, op_run)                                                             \
    {                                                                                                                  \
        .name = op_name, .since = 1, .min_in = 1, .max_in = most_in, .min_out = 1, .max_out = most_out,                \
        .flags = OP_VIEW | OP_BYTES, .infer = op_infer, .run = op_run                                                  \
    }

static const struct op shape_ops[] = {
    VIEW("Reshape", 2, 1, reshape_infer, view_run), VIEW("Flatten", 1, 1, flatten_infer, view_run),
    VIEW("Squeeze", 2, 1, squeeze_infer, view_run), VIEW("Unsqueeze", 2, 1, unsqueeze_infer, view_run),
    VIEW("Identity", 1, 1, call_same, view_run),    VIEW("Dropout", 3, 2, dropout_infer, dropout_run),
};

const struct op_group ops_shape = {shape_ops, sizeof(shape_ops) / sizeof(shape_ops[0])};
