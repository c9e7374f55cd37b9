/* Operators that read or write at indices: Gather, GatherElements, GatherND, ScatterElements, ScatterND. */
#include <math.h>
#include <string.h>

#include "models/op.h"

enum reduction { REDUCE_NONE, REDUCE_ADD, REDUCE_MUL, REDUCE_MAX, REDUCE_MIN };

struct index_state {
    unsigned axis; /* of tuples: how many coordinates one has */
    unsigned batch_dims;
    int64_t batch; /* tuples: of how many parts of the data each sees its own */
    int64_t outer, length, inner;
    enum reduction reduction;
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

/* What a scatter does where it meets a value. */
static enum status read_reduction(const struct call *c, struct index_state *state, struct error *e)
{
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    const char *name = call_string(c, "reduction", "none");

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) != 0)
            continue;
        state->reduction = (enum reduction)i;
        if (i != REDUCE_NONE && c->in[0]->type == TENSOR_BOOL)
            break;
        return STATUS_OK;
    }
    return call_error(c, e, STATUS_UNSUPPORTED, "reduction %.40s of %s", name, tensor_type_name(c->in[0]->type));
}

/* n elements of the updates into the output. A sum or product of two values in double, rounded to their type, is what
 * their own arithmetic gives. */
static void scatter(struct call *c, int64_t to, int64_t from, int64_t n)
{
    const struct index_state *state = c->state;
    const struct tensor *updates = c->in[2];
    struct tensor *out = c->out[0];
    size_t unit = tensor_type_bytes(out->type);

    if (state->reduction == REDUCE_NONE) {
        memcpy((char *)out->data + (size_t)to * unit, (const char *)updates->data + (size_t)from * unit,
               (size_t)n * unit);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        if (TYPE_BIT(out->type) & (TYPES_FLOAT | TYPES_HALF)) {
            double x = tensor_value(out, to + i), y = tensor_value(updates, from + i);

            tensor_set_value(out, to + i,
                             state->reduction == REDUCE_ADD   ? x + y
                             : state->reduction == REDUCE_MUL ? x * y
                             : state->reduction == REDUCE_MAX ? (x > y || isnan(x) ? x : y)
                                                              : (x < y || isnan(x) ? x : y));
        } else {
            int64_t x = tensor_integer(out, to + i), y = tensor_integer(updates, from + i);
            bool less = out->type == TENSOR_U64 ? (uint64_t)x < (uint64_t)y : x < y;

            tensor_set_integer(out, to + i,
                               state->reduction == REDUCE_ADD   ? (int64_t)((uint64_t)x + (uint64_t)y)
                               : state->reduction == REDUCE_MUL ? (int64_t)((uint64_t)x * (uint64_t)y)
                               : state->reduction == REDUCE_MAX ? (less ? y : x)
                                                                : (less ? x : y));
        }
    }
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
    return c->op->kind != 0 ? read_reduction(c, state, e) : STATUS_OK;
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
    copy_data(c);
    for (int64_t i = 0; i < tensor_count(c->in[1]); i++) {
        int64_t at = 0;
        enum status s = element_of(c, i, &at, e);

        if (s != STATUS_OK)
            return s;
        scatter(c, at, i, 1);
    }
    return STATUS_OK;
}

/* The last dimension of the indices is a tuple: coordinates of a slice of the data. */
static enum status tuples_infer(struct call *c, struct error *e)
{
    struct index_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape, *indices = &c->in[1]->shape;
    int64_t batch_dims = c->op->kind == 0 ? call_int(c, "batch_dims", 0) : 0, width;
    struct tensor_shape slices = *indices;
    enum status s = index_types(c, 1, e);

    if (s != STATUS_OK)
        return s;
    width = indices->rank > 0 ? indices->dims[indices->rank - 1] : 0;
    if (batch_dims < 0 || batch_dims >= (int64_t)indices->rank || batch_dims >= (int64_t)in->rank)
        return call_error(c, e, STATUS_INVALID, "batch_dims %lld", (long long)batch_dims);
    state->batch_dims = (unsigned)batch_dims;
    if (width < 1 || width > in->rank - batch_dims ||
        indices->rank - 1 + in->rank - (unsigned)width - state->batch_dims > TENSOR_MAX_RANK)
        return call_error(c, e, STATUS_INVALID, "indices of %lld for rank %u", (long long)width, in->rank);
    for (unsigned d = 0; d < state->batch_dims; d++) {
        if (in->dims[d] != indices->dims[d])
            return call_error(c, e, STATUS_INVALID, "the first %u dimensions differ", state->batch_dims);
    }
    state->axis = (unsigned)width;
    state->batch = tensor_shape_span(in, 0, state->batch_dims);
    state->inner = tensor_shape_span(in, state->batch_dims + state->axis, in->rank);
    state->outer = tensor_shape_span(indices, 0, indices->rank - 1);
    slices.rank--;
    for (unsigned d = state->batch_dims + state->axis; d < in->rank; d++)
        slices.dims[slices.rank++] = in->dims[d];
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = c->op->kind == 0 ? slices : *in;
    if (c->op->kind != 0 && (!tensor_shape_equal(&slices, &c->in[2]->shape) || c->in[2]->type != c->in[0]->type))
        return call_error(c, e, STATUS_INVALID, "updates do not fit the indices");
    return c->op->kind != 0 ? read_reduction(c, state, e) : STATUS_OK;
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
        int64_t at = state->batch > 0 ? i / (state->outer / state->batch) : 0;

        for (unsigned d = 0; d < state->axis; d++) {
            int64_t length = c->in[0]->shape.dims[state->batch_dims + d],
                    index = index_at(c->in[1], i * state->axis + d);

            if (index < -length || index >= length)
                return bad_index(c, index, length, e);
            at = at * length + (index < 0 ? index + length : index);
        }
        if (c->op->kind == 0)
            memcpy((char *)c->out[0]->data + (size_t)i * bytes, (const char *)c->in[0]->data + (size_t)at * bytes,
                   bytes);
        else
            scatter(c, at * state->inner, i * state->inner, state->inner);
    }
    return STATUS_OK;
}

#define ENTRY(op_name, first_opset, in, op_kind, op_infer, op_run)                                                     \
    {                                                                                                                  \
        .name = op_name, .since = first_opset, .min_in = in, .max_in = in, .min_out = 1, .max_out = 1,                 \
        .flags = OP_BYTES, .kind = op_kind, .state_bytes = sizeof(struct index_state), .infer = op_infer,              \
        .run = op_run                                                                                                  \
    }

static const struct op index_ops[] = {
    ENTRY("Gather", 1, 2, 0, gather_infer, gather_run),
    ENTRY("GatherElements", 11, 2, 0, elements_infer, gather_elements_run),
    ENTRY("ScatterElements", 11, 3, 1, elements_infer, scatter_elements_run),
    ENTRY("Scatter", 9, 3, 1, elements_infer, scatter_elements_run),
    ENTRY("GatherND", 11, 2, 0, tuples_infer, tuples_run),
    ENTRY("ScatterND", 11, 3, 1, tuples_infer, tuples_run),
};

const struct op_group ops_index = {index_ops, sizeof(index_ops) / sizeof(index_ops[0])};
