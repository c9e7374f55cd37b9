/* Operators that read or write at indices: Gather, GatherElements, GatherND, ScatterElements, ScatterND; and
 * Pad. */
#include <string.h>

#include "models/op.h"

struct index_state {
    unsigned axis;
    int64_t outer, length, inner;
};

static enum status index_types(const struct call *c, size_t input, struct error *e)
{
    return call_type(c, input, TYPES_INDEX, e);
}

static int64_t index_at(const struct tensor *t, int64_t i)
{
    return t->type == TENSOR_I64 ? ((const int64_t *)t->data)[i] : ((const int32_t *)t->data)[i];
}

static enum status bad_index(const struct call *c, int64_t index, int64_t length, struct error *e)
{
    return call_error(c, e, STATUS_INVALID, "index %lld is outside %lld", (long long)index, (long long)length);
}

static enum status gather_infer(struct call *c, struct error *e)
{
    struct index_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape, *indices = &c->in[1]->shape;
    struct tensor_shape *out = &c->out[0]->shape;
    enum status s = index_types(c, 1, e);

    if (s == STATUS_OK)
        s = call_axis(c, call_int(c, "axis", 0), in->rank, &state->axis, e);
    if (s != STATUS_OK)
        return s;
    if (in->rank + indices->rank - 1 > TENSOR_MAX_RANK)
        return call_error(c, e, STATUS_UNSUPPORTED, "a result of rank %u", in->rank + indices->rank - 1);
    out->rank = 0;
    for (unsigned i = 0; i < state->axis; i++)
        out->dims[out->rank++] = in->dims[i];
    for (unsigned i = 0; i < indices->rank; i++)
        out->dims[out->rank++] = indices->dims[i];
    for (unsigned i = state->axis + 1; i < in->rank; i++)
        out->dims[out->rank++] = in->dims[i];
    c->out[0]->type = c->in[0]->type;
    state->outer = tensor_shape_span(in, 0, state->axis);
    state->length = in->dims[state->axis];
    state->inner = tensor_shape_span(in, state->axis + 1, in->rank);
    return STATUS_OK;
}

static enum status gather_run(struct call *c, struct error *e)
{
    const struct index_state *state = c->state;
    int64_t n = tensor_count(c->in[1]);
    size_t bytes = (size_t)state->inner * tensor_type_bytes(c->in[0]->type);
    char *to = c->out[0]->data;

    if (bytes == 0 || n == 0)
        return STATUS_OK;
    for (int64_t o = 0; o < state->outer; o++) {
        for (int64_t i = 0; i < n; i++, to += bytes) {
            int64_t index = index_at(c->in[1], i);

            if (index < -state->length || index >= state->length)
                return bad_index(c, index, state->length, e);
            index += index < 0 ? state->length : 0;
            memcpy(to, (const char *)c->in[0]->data + (size_t)(o * state->length + index) * bytes, bytes);
        }
    }
    return STATUS_OK;
}

/* Indices have the data's rank; element by element they replace the coordinate at `axis`. */
static enum status elements_infer(struct call *c, struct error *e)
{
    struct index_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape, *indices = &c->in[1]->shape;
    enum status s = index_types(c, 1, e);

    if (s == STATUS_OK)
        s = call_axis(c, call_int(c, "axis", 0), in->rank, &state->axis, e);
    if (s != STATUS_OK)
        return s;
    if (indices->rank != in->rank)
        return call_error(c, e, STATUS_INVALID, "indices of rank %u for data of rank %u", indices->rank, in->rank);
    for (unsigned d = 0; d < in->rank; d++) {
        if (d != state->axis && indices->dims[d] > in->dims[d])
            return call_error(c, e, STATUS_INVALID, "indices are larger than the data");
    }
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = c->op->kind == 0 ? *indices : *in;
    if (c->op->kind != 0 && (!tensor_shape_equal(indices, &c->in[2]->shape) || c->in[2]->type != c->in[0]->type))
        return call_error(c, e, STATUS_INVALID, "updates do not fit the indices");
    if (c->op->kind != 0 && strcmp(call_string(c, "reduction", "none"), "none") != 0)
        return call_error(c, e, STATUS_UNSUPPORTED, "reduction %.40s", call_string(c, "reduction", "none"));
    return STATUS_OK;
}

/* The element of the data that element i of the indices means. */
static enum status element_of(const struct call *c, int64_t i, int64_t *ret_at, struct error *e)
{
    const struct index_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape, *indices = &c->in[1]->shape;
    int64_t length = in->dims[state->axis], index = index_at(c->in[1], i), at = 0, stride = 1, rest = i;

    if (index < -length || index >= length)
        return bad_index(c, index, length, e);
    index += index < 0 ? length : 0;
    for (unsigned d = in->rank; d-- > 0;) {
        int64_t coordinate = rest % indices->dims[d];

        at += (d == state->axis ? index : coordinate) * stride;
        rest /= indices->dims[d];
        stride *= in->dims[d];
    }
    *ret_at = at;
    return STATUS_OK;
}

static enum status gather_elements_run(struct call *c, struct error *e)
{
    size_t unit = tensor_type_bytes(c->in[0]->type);

    for (int64_t i = 0; i < tensor_count(c->in[1]); i++) {
        int64_t at = 0;
        enum status s = element_of(c, i, &at, e);

        if (s != STATUS_OK)
            return s;
        memcpy((char *)c->out[0]->data + (size_t)i * unit, (const char *)c->in[0]->data + (size_t)at * unit, unit);
    }
    return STATUS_OK;
}

static void copy_data(struct call *c)
{
    size_t bytes = (size_t)tensor_count(c->in[0]) * tensor_type_bytes(c->in[0]->type);

    if (bytes > 0)
        memcpy(c->out[0]->data, c->in[0]->data, bytes);
}

static enum status scatter_elements_run(struct call *c, struct error *e)
{
    size_t unit = tensor_type_bytes(c->in[0]->type);

    copy_data(c);
    for (int64_t i = 0; i < tensor_count(c->in[1]); i++) {
        int64_t at = 0;
        enum status s = element_of(c, i, &at, e);

        if (s != STATUS_OK)
            return s;
        memcpy((char *)c->out[0]->data + (size_t)at * unit, (const char *)c->in[2]->data + (size_t)i * unit, unit);
    }
    return STATUS_OK;
}

/* The last dimension of the indices is a tuple: coordinates of a slice of the data. */
static enum status tuples_infer(struct call *c, struct error *e)
{
    struct index_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape, *indices = &c->in[1]->shape;
    int64_t batch = c->op->kind == 0 ? call_int(c, "batch_dims", 0) : 0, width;
    struct tensor_shape slices = *indices;
    enum status s = index_types(c, 1, e);

    if (s != STATUS_OK)
        return s;
    if (batch != 0)
        return call_error(c, e, STATUS_UNSUPPORTED, "batch_dims %lld is not supported", (long long)batch);
    width = indices->rank > 0 ? indices->dims[indices->rank - 1] : 0;
    if (width < 1 || width > in->rank || indices->rank - 1 + in->rank - (unsigned)width > TENSOR_MAX_RANK)
        return call_error(c, e, STATUS_INVALID, "indices of %lld for rank %u", (long long)width, in->rank);
    state->axis = (unsigned)width;
    state->inner = tensor_shape_span(in, state->axis, in->rank);
    state->outer = tensor_shape_span(indices, 0, indices->rank - 1);
    slices.rank--;
    for (unsigned d = state->axis; d < in->rank; d++)
        slices.dims[slices.rank++] = in->dims[d];
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = c->op->kind == 0 ? slices : *in;
    if (c->op->kind != 0 && (!tensor_shape_equal(&slices, &c->in[2]->shape) || c->in[2]->type != c->in[0]->type))
        return call_error(c, e, STATUS_INVALID, "updates do not fit the indices");
    if (c->op->kind != 0 && strcmp(call_string(c, "reduction", "none"), "none") != 0)
        return call_error(c, e, STATUS_UNSUPPORTED, "reduction %.40s", call_string(c, "reduction", "none"));
    return STATUS_OK;
}

static enum status tuples_run(struct call *c, struct error *e)
{
    const struct index_state *state = c->state;
    size_t bytes = (size_t)state->inner * tensor_type_bytes(c->in[0]->type);

    if (c->op->kind != 0)
        copy_data(c);
    if (bytes == 0)
        return STATUS_OK;
    for (int64_t i = 0; i < state->outer; i++) {
        int64_t at = 0;

        for (unsigned d = 0; d < state->axis; d++) {
            int64_t length = c->in[0]->shape.dims[d], index = index_at(c->in[1], i * state->axis + d);

            if (index < -length || index >= length)
                return bad_index(c, index, length, e);
            at = at * length + (index < 0 ? index + length : index);
        }
        if (c->op->kind == 0)
            memcpy((char *)c->out[0]->data + (size_t)i * bytes, (const char *)c->in[0]->data + (size_t)at * bytes,
                   bytes);
        else
            memcpy((char *)c->out[0]->data + (size_t)at * bytes, (const char *)c->in[2]->data + (size_t)i * bytes,
                   bytes);
    }
    return STATUS_OK;
}

enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE };

struct pad_state {
    int64_t before[TENSOR_MAX_RANK];
    enum pad_mode mode;
};

static enum status pad_infer(struct call *c, struct error *e)
{
    struct pad_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    const char *mode = call_string(c, "mode", "constant");
    int64_t pads[2 * TENSOR_MAX_RANK];
    size_t n;
    enum status s = call_axes(c, node_attribute(c->node, "paddings") ? "paddings" : "pads", 1, pads,
                              (size_t)2 * TENSOR_MAX_RANK, &n, e);

    if (s != STATUS_OK)
        return s;
    if (n != (size_t)in->rank * 2)
        return call_error(c, e, STATUS_INVALID, "%zu pads for rank %u", n, in->rank);
    if (call_in(c, 2) && (c->in[2]->type != c->in[0]->type || tensor_count(c->in[2]) != 1))
        return call_error(c, e, STATUS_INVALID, "the pad value must be one %s", tensor_type_name(c->in[0]->type));
    state->mode = strcmp(mode, "reflect") == 0 ? PAD_REFLECT : strcmp(mode, "edge") == 0 ? PAD_EDGE : PAD_CONSTANT;
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape.rank = in->rank;
    for (unsigned d = 0; d < in->rank; d++) {
        int64_t after = pads[d + in->rank], size = in->dims[d], limit = TENSOR_MAX_BYTES;

        if (pads[d] < -limit || pads[d] > limit || after < -limit || after > limit || size + pads[d] + after < 0)
            return call_error(c, e, STATUS_INVALID, "pads %lld and %lld for an extent of %lld", (long long)pads[d],
                              (long long)after, (long long)size);
        if ((state->mode == PAD_REFLECT && (pads[d] >= size || after >= size) && (pads[d] > 0 || after > 0)) ||
            (state->mode == PAD_EDGE && size == 0))
            return call_error(c, e, STATUS_INVALID, "pads %lld and %lld do not fit an extent of %lld",
                              (long long)pads[d], (long long)after, (long long)size);
        state->before[d] = pads[d];
        c->out[0]->shape.dims[d] = size + pads[d] + after;
    }
    return STATUS_OK;
}

/* The source coordinate of output coordinate o; -1 = padding. */
static int64_t pad_source(enum pad_mode mode, int64_t o, int64_t size)
{
    if (o >= 0 && o < size)
        return o;
    if (mode == PAD_EDGE)
        return o < 0 ? 0 : size - 1;
    if (mode == PAD_REFLECT)
        return o < 0 ? -o : 2 * (size - 1) - o;
    return -1;
}

static enum status pad_run(struct call *c, struct error *e)
{
    const struct pad_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape, *out = &c->out[0]->shape;
    size_t unit = tensor_type_bytes(c->in[0]->type);
    float old_value = call_float(c, "value", 0.0f);
    static const char zero[8] = {0};
    const void *fill = call_in(c, 2) ? c->in[2]->data : c->in[0]->type == TENSOR_F32 ? (const void *)&old_value : zero;
    int64_t width = out->rank > 0 ? out->dims[out->rank - 1] : 1, rows;
    char *to = c->out[0]->data;

    (void)e;
    if (tensor_count(c->out[0]) == 0)
        return STATUS_OK;
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

#define ENTRY(op_name, first_opset, in, op_kind, op_infer, op_run)                                                     \
    {                                                                                                                  \
        .name = op_name, .since = first_opset, .min_in = in, .max_in = in, .min_out = 1, .max_out = 1,                 \
        .kind = op_kind, .state_bytes = sizeof(struct index_state), .infer = op_infer, .run = op_run                   \
    }

static const struct op index_ops[] = {
    ENTRY("Gather", 1, 2, 0, gather_infer, gather_run),
    ENTRY("GatherElements", 11, 2, 0, elements_infer, gather_elements_run),
    ENTRY("ScatterElements", 11, 3, 1, elements_infer, scatter_elements_run),
    ENTRY("Scatter", 9, 3, 1, elements_infer, scatter_elements_run),
    ENTRY("GatherND", 11, 2, 0, tuples_infer, tuples_run),
    ENTRY("ScatterND", 11, 3, 1, tuples_infer, tuples_run),
    {.name = "Pad",
     .since = 1,
     .min_in = 1,
     .max_in = 3,
     .min_out = 1,
     .max_out = 1,
     .state_bytes = sizeof(struct pad_state),
     .infer = pad_infer,
     .run = pad_run},
};

const struct op_group ops_index = {index_ops, sizeof(index_ops) / sizeof(index_ops[0])};
