/* Values from attributes and shapes alone: Constant, ConstantOfShape, Shape, Size, Range, EyeLike; and Cast.
 */
#include <math.h>
#include <string.h>

#include "models/half.h"
#include "models/onnx_reader.h"
#include "models/op.h"

/* The value that the node's attributes hold, as type, shape and bytes. */
static enum status constant_value(const struct call *c, struct tensor *ret_t, struct error *e)
{
    const struct attribute *a;
    struct tensor t = {0};

    if (c->node->n_attributes == 0)
        return call_error(c, e, STATUS_CORRUPT, "has no value");
    a = &c->node->attributes[0];
    t.shape.rank = 1;
    t.shape.dims[0] = (int64_t)a->n;
    switch (a->kind) {
    case ATTRIBUTE_TENSOR:
        t = a->t;
        break;
    case ATTRIBUTE_FLOAT:
        t = (struct tensor){.type = TENSOR_F32, .data = (void *)&a->f};
        break;
    case ATTRIBUTE_INT:
        t = (struct tensor){.type = TENSOR_I64, .data = (void *)&a->i};
        break;
    case ATTRIBUTE_FLOATS:
        t.type = TENSOR_F32;
        t.data = a->floats;
        break;
    case ATTRIBUTE_INTS:
        t.type = TENSOR_I64;
        t.data = a->ints;
        break;
    default:
        return call_error(c, e, STATUS_UNSUPPORTED, "a value of this kind is not supported");
    }
    *ret_t = t;
    return STATUS_OK;
}

static enum status constant_infer(struct call *c, struct error *e)
{
    struct tensor t = {0};
    enum status s = constant_value(c, &t, e);

    if (s != STATUS_OK)
        return s;
    c->out[0]->type = t.type;
    c->out[0]->shape = t.shape;
    return STATUS_OK;
}

static enum status constant_run(struct call *c, struct error *e)
{
    struct tensor t = {0};
    enum status s = constant_value(c, &t, e);
    size_t bytes;

    if (s == STATUS_OK && t.data && tensor_shape_bytes(&t.shape, t.type, &bytes) && bytes > 0)
        memcpy(c->out[0]->data, t.data, bytes);
    return s;
}

static enum status fill_infer(struct call *c, struct error *e)
{
    const struct attribute *a = node_attribute(c->node, "value");
    struct tensor_shape *shape = &c->out[0]->shape;
    size_t n;
    enum status s = call_input_ints(c, 0, shape->dims, TENSOR_MAX_RANK, &n, e);

    if (s != STATUS_OK)
        return s;
    shape->rank = (unsigned)n;
    if (a && (a->kind != ATTRIBUTE_TENSOR || tensor_count(&a->t) != 1))
        return call_error(c, e, STATUS_INVALID, "attribute value is not one number");
    c->out[0]->type = a ? a->t.type : TENSOR_F32;
    return STATUS_OK;
}

static enum status fill_run(struct call *c, struct error *e)
{
    const struct attribute *a = node_attribute(c->node, "value");
    size_t unit = tensor_type_bytes(c->out[0]->type), bytes = (size_t)tensor_count(c->out[0]) * unit;
    char *to = c->out[0]->data;

    (void)e;
    if (!a) {
        memset(to, 0, bytes);
    } else if (bytes > 0) {
        memcpy(to, a->t.data, unit);
        for (size_t done = unit; done < bytes; done *= 2)
            memcpy(to + done, to, done < bytes - done ? done : bytes - done);
    }
    return STATUS_OK;
}

/* Shape (with start and end from opset 15 on). */
static void shape_range(const struct call *c, unsigned *ret_first, unsigned *ret_end)
{
    int64_t rank = c->in[0]->shape.rank;
    int64_t first = call_int(c, "start", 0), end = call_int(c, "end", rank);

    first = first < -rank ? 0 : first < 0 ? first + rank : first > rank ? rank : first;
    end = end < -rank ? 0 : end < 0 ? end + rank : end > rank ? rank : end;
    *ret_first = (unsigned)first;
    *ret_end = (unsigned)(end < first ? first : end);
}

static enum status shape_infer(struct call *c, struct error *e)
{
    unsigned first, end;

    (void)e;
    shape_range(c, &first, &end);
    c->out[0]->type = TENSOR_I64;
    c->out[0]->shape = (struct tensor_shape){.rank = 1, .dims = {end - first}};
    return STATUS_OK;
}

static enum status shape_run(struct call *c, struct error *e)
{
    unsigned first, end;

    (void)e;
    shape_range(c, &first, &end);
    for (unsigned i = first; i < end; i++)
        ((int64_t *)c->out[0]->data)[i - first] = c->in[0]->shape.dims[i];
    return STATUS_OK;
}

static enum status size_infer(struct call *c, struct error *e)
{
    (void)e;
    c->out[0]->type = TENSOR_I64;
    c->out[0]->shape = (struct tensor_shape){.rank = 0};
    return STATUS_OK;
}

static enum status size_run(struct call *c, struct error *e)
{
    (void)e;
    *(int64_t *)c->out[0]->data = tensor_count(c->in[0]);
    return STATUS_OK;
}

static enum status range_infer(struct call *c, struct error *e)
{
    double count;

    for (size_t i = 0; i < 3; i++) {
        enum status s = call_type(c, i, TYPES_FLOAT | TYPES_INDEX | TYPE_BIT(TENSOR_I16), e);

        if (s != STATUS_OK)
            return s;
        if (c->in[i]->type != c->in[0]->type || tensor_count(c->in[i]) != 1)
            return call_error(c, e, STATUS_INVALID, "input %zu must be one %s", i, tensor_type_name(c->in[0]->type));
        if (!c->in[i]->data)
            return call_unknown(c, i, e);
    }
    count = ceil((tensor_value(c->in[1], 0) - tensor_value(c->in[0], 0)) / tensor_value(c->in[2], 0));
    if (!(count <= (double)TENSOR_MAX_BYTES))
        return call_error(c, e, STATUS_INVALID, "the range has %g values", count);
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = (struct tensor_shape){.rank = 1, .dims = {count > 0 ? (int64_t)count : 0}};
    return STATUS_OK;
}

static enum status range_run(struct call *c, struct error *e)
{
    const struct tensor *start = c->in[0], *step = c->in[2];
    struct tensor *out = c->out[0];

    (void)e;
    for (int64_t i = 0; i < out->shape.dims[0]; i++) {
        switch (out->type) {
        case TENSOR_F32:
            ((float *)out->data)[i] = *(const float *)start->data + (float)i * *(const float *)step->data;
            break;
        case TENSOR_F64:
            ((double *)out->data)[i] = *(const double *)start->data + (double)i * *(const double *)step->data;
            break;
        default:
            tensor_set_integer(
                out, i,
                (int64_t)((uint64_t)tensor_integer(start, 0) + (uint64_t)i * (uint64_t)tensor_integer(step, 0)));
            break;
        }
    }
    return STATUS_OK;
}

static enum status cast_infer(struct call *c, struct error *e)
{
    const struct tensor *like = call_in(c, 1);

    if (c->op->kind)
        c->out[0]->type = like->type;
    else if (!onnx_tensor_type(call_int(c, "to", 0), &c->out[0]->type))
        return call_error(c, e, STATUS_UNSUPPORTED, "the target type %lld is not supported",
                          (long long)call_int(c, "to", 0));
    c->out[0]->shape = c->in[0]->shape;
    return STATUS_OK;
}

static bool is_float(enum tensor_type t)
{
    return TYPE_BIT(t) & (TYPES_FLOAT | TYPES_HALF);
}

/* One rounding, whatever the two types are. Floating values outside an integer's range have no defined result in ONNX. */
static void cast_one(const struct tensor *x, struct tensor *y, int64_t i)
{
    if (y->type == TENSOR_BOOL)
        tensor_set_integer(y, i, tensor_value(x, i) != 0.0);
    else if (x->type == TENSOR_U64 && y->type == TENSOR_F32)
        ((float *)y->data)[i] = (float)((const uint64_t *)x->data)[i];
    else if (is_float(x->type) || (x->type == TENSOR_U64 && is_float(y->type)))
        tensor_set_value(y, i, tensor_value(x, i));
    else
        tensor_set_integer(y, i, tensor_integer(x, i));
}

static enum status cast_run(struct call *c, struct error *e)
{
    const struct tensor *x = c->in[0];
    struct tensor *y = c->out[0];
    int64_t n = tensor_count(x);

    (void)e;
    if (x->type == y->type) {
        if (n > 0)
            memcpy(y->data, x->data, (size_t)n * tensor_type_bytes(x->type));
    } else if (half_type(x->type) && y->type == TENSOR_F32) {
        half_widen(x->type, x->data, y->data, n);
    } else if (x->type == TENSOR_F32 && half_type(y->type)) {
        half_narrow(y->type, x->data, y->data, n);
    } else {
        for (int64_t i = 0; i < n; i++)
            cast_one(x, y, i);
    }
    return STATUS_OK;
}

#define ENTRY(op_name, first_opset, in, op_flags, op_kind, op_infer, op_run)                                           \
    {                                                                                                                  \
        .name = op_name, .since = first_opset, .min_in = in, .max_in = in, .min_out = 1, .max_out = 1,                 \
        .flags = op_flags, .kind = op_kind, .infer = op_infer, .run = op_run                                           \
    }

static const struct op constant_ops[] = {
    ENTRY("Constant", 1, 0, 0, 0, constant_infer, constant_run),
    ENTRY("ConstantOfShape", 9, 1, 0, 0, fill_infer, fill_run),
    ENTRY("Shape", 1, 1, OP_SHAPE_ONLY | OP_BYTES, 0, shape_infer, shape_run),
    ENTRY("Size", 1, 1, OP_SHAPE_ONLY | OP_BYTES, 0, size_infer, size_run),
    ENTRY("Range", 11, 3, 0, 0, range_infer, range_run),
    ENTRY("Cast", 6, 1, OP_BYTES, 0, cast_infer, cast_run),
    ENTRY("CastLike", 15, 2, OP_BYTES, 1, cast_infer, cast_run),
};

const struct op_group ops_constant = {constant_ops, sizeof(constant_ops) / sizeof(constant_ops[0])};
