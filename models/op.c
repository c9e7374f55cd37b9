#include "models/op.h"
#include "models/graph_gradient.h"

#include <string.h>

static const struct op_group *const groups[] = {
    &ops_conv,       &ops_pool,         &ops_norm,   &ops_unary,  &ops_binary,      &ops_linear,
    &ops_softmax,    &ops_shape,        &ops_move,   &ops_index,  &ops_reduce,      &ops_recurrent,
    &ops_resize,     &ops_constant,     &ops_select, &ops_bits,   &ops_control,     &ops_einsum,
    &ops_filter,     &ops_grid,         &ops_matrix, &ops_nms,    &ops_pad,         &ops_quant,
    &ops_quant_conv, &ops_quant_matmul, &ops_roi,    &ops_unpool, &ops_standardize,
};

const struct op *op_find(const char *domain, const char *name, int64_t opset, bool *ret_known)
{
    const struct op_group *own = &ops_gradient;

    *ret_known = false;
    if (strcmp(domain, GRADIENT_DOMAIN) == 0 || strcmp(domain, GRADIENT_OWN_DOMAIN) == 0) {
        for (size_t k = 0; k < own->n; k++) {
            if (strcmp(own->ops[k].name, name) == 0)
                return &own->ops[k];
        }
    }
    if (domain[0] != '\0' && strcmp(domain, "ai.onnx") != 0)
        return NULL;
    for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
        for (size_t k = 0; k < groups[i]->n; k++) {
            const struct op *op = &groups[i]->ops[k];

            if (strcmp(op->name, name) != 0)
                continue;
            *ret_known = true;
            if (opset >= op->since && (op->until == 0 || opset <= op->until))
                return op;
        }
    }
    return NULL;
}

enum status call_error(const struct call *c, struct error *e, enum status s, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    va_end(args);
    return graph_node_error(c->path, c->node, e, s, "%s", text);
}

enum status call_unknown(const struct call *c, size_t input, struct error *e)
{
    return call_error(c, e, STATUS_UNSUPPORTED, "its shape depends on the value of input %zu, known only at run time",
                      input);
}

static const struct attribute *find(const struct call *c, const char *name, enum attribute_kind kind)
{
    const struct attribute *a = node_attribute(c->node, name);

    return a && a->kind == kind ? a : NULL;
}

int64_t call_int(const struct call *c, const char *name, int64_t fallback)
{
    const struct attribute *a = find(c, name, ATTRIBUTE_INT);

    return a ? a->i : fallback;
}

float call_float(const struct call *c, const char *name, float fallback)
{
    const struct attribute *a = find(c, name, ATTRIBUTE_FLOAT);

    return a ? a->f : fallback;
}

const char *call_string(const struct call *c, const char *name, const char *fallback)
{
    const struct attribute *a = find(c, name, ATTRIBUTE_STRING);

    return a ? a->s : fallback;
}

enum status call_ints(const struct call *c, const char *name, int64_t *values, size_t max, size_t *ret_n,
                      struct error *e)
{
    const struct attribute *a = find(c, name, ATTRIBUTE_INTS);

    *ret_n = 0;
    if (!a)
        return STATUS_OK;
    if (a->n > max)
        return call_error(c, e, STATUS_INVALID, "attribute %s has %zu values, at most %zu fit", name, a->n, max);
    for (size_t i = 0; i < a->n; i++)
        values[i] = a->ints[i];
    *ret_n = a->n;
    return STATUS_OK;
}

enum status call_input_ints(const struct call *c, size_t input, int64_t *values, size_t max, size_t *ret_n,
                            struct error *e)
{
    const struct tensor *t = call_in(c, input);
    size_t n;

    *ret_n = 0;
    if (!t)
        return STATUS_OK;
    if (t->type != TENSOR_I64 && t->type != TENSOR_I32)
        return call_error(c, e, STATUS_INVALID, "input %zu is %s, must be int64", input, tensor_type_name(t->type));
    if (t->shape.rank > 1)
        return call_error(c, e, STATUS_INVALID, "input %zu has rank %u, must be 1", input, t->shape.rank);
    if (!t->data)
        return call_unknown(c, input, e);
    n = (size_t)tensor_count(t);
    if (n > max)
        return call_error(c, e, STATUS_INVALID, "input %zu has %zu values, at most %zu fit", input, n, max);
    for (size_t i = 0; i < n; i++)
        values[i] = t->type == TENSOR_I64 ? ((const int64_t *)t->data)[i] : ((const int32_t *)t->data)[i];
    *ret_n = n;
    return STATUS_OK;
}

enum status call_axes(const struct call *c, const char *name, size_t input, int64_t *values, size_t max, size_t *ret_n,
                      struct error *e)
{
    if (call_in(c, input))
        return call_input_ints(c, input, values, max, ret_n, e);
    return call_ints(c, name, values, max, ret_n, e);
}

enum status call_axis(const struct call *c, int64_t axis, unsigned rank, unsigned *ret_axis, struct error *e)
{
    if (axis < -(int64_t)rank || axis >= (int64_t)rank)
        return call_error(c, e, STATUS_INVALID, "axis %lld is outside rank %u", (long long)axis, rank);
    *ret_axis = (unsigned)(axis < 0 ? axis + rank : axis);
    return STATUS_OK;
}

enum status call_type(const struct call *c, size_t input, unsigned types, struct error *e)
{
    const struct tensor *t = call_in(c, input);

    if (t && !(TYPE_BIT(t->type) & types))
        return call_error(c, e, STATUS_UNSUPPORTED, "input %zu of type %s is not supported", input,
                          tensor_type_name(t->type));
    return STATUS_OK;
}

enum status call_rank(const struct call *c, size_t input, unsigned min, unsigned max, struct error *e)
{
    const struct tensor *t = call_in(c, input);

    if (t && (t->shape.rank < min || t->shape.rank > max))
        return call_error(c, e, STATUS_INVALID, "input %zu has rank %u, must be %u to %u", input, t->shape.rank, min,
                          max);
    return STATUS_OK;
}

enum status call_vector(const struct call *c, size_t input, int64_t n, struct error *e)
{
    const struct tensor *t = call_in(c, input);
    char text[TENSOR_SHAPE_TEXT_BYTES];
    enum status s = call_type(c, input, TYPE_BIT(TENSOR_F32), e);

    if (s != STATUS_OK || !t)
        return s;
    if (t->shape.rank != 1 || t->shape.dims[0] != n)
        return call_error(c, e, STATUS_INVALID, "input %zu is %s, must be [%lld]", input,
                          tensor_shape_text(&t->shape, text), (long long)n);
    return STATUS_OK;
}

enum status call_same(struct call *c, struct error *e)
{
    (void)e;
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = c->in[0]->shape;
    return STATUS_OK;
}
