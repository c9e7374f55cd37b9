/* Quantised networks in the form that tools export (DequantizeLinear, a float operator, QuantizeLinear) -> the operators on
 * bytes: QLinearConv, QLinearMatMul, and what only moves values on the bytes themselves.
 *
 * Scales and zero points have to be constant. A bias becomes int32 in units of the sum, which is what it was. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/quant.h"

/* A graph, and what may be added to it: weights and biases of a real network are read once, a hostile file can have
 * thousands of nodes read the same. */
struct rewriting {
    struct graph *g;
    size_t room_bytes;
};

enum { MAX_ADDED_BYTES = 1 << 28 };

/* A value as bytes: what a DequantizeLinear reads. */
struct code {
    size_t bytes, scale, zero; /* values; zero may be GRAPH_NO_VALUE for int32 */
    int64_t axis;
};

static bool is_op(const struct node *node, const char *name)
{
    return node && !node->removed && strcmp(node->op_type, name) == 0;
}

static struct node *producer_of(struct graph *g, size_t value)
{
    const struct value *v = value == GRAPH_NO_VALUE ? NULL : &g->values[value];

    return v && v->producer != GRAPH_NO_VALUE && !g->nodes[v->producer].removed ? &g->nodes[v->producer] : NULL;
}

/* When the value has no other reader. */
static struct node *sole_producer(struct graph *g, size_t value)
{
    struct node *node = producer_of(g, value);

    return node && g->values[value].n_uses == 1 && !g->values[value].is_output && node->out[0] == value ? node : NULL;
}

static size_t input_of(const struct node *node, size_t index)
{
    return index < node->n_in ? node->in[index] : GRAPH_NO_VALUE;
}

static const struct tensor *constant(const struct graph *g, size_t value)
{
    const struct value *v = value == GRAPH_NO_VALUE ? NULL : &g->values[value];

    return v && v->is_constant && v->tensor.data ? &v->tensor : NULL;
}

static const struct tensor *constant_of(const struct graph *g, size_t value, unsigned types)
{
    const struct tensor *t = constant(g, value);

    return t && (TYPE_BIT(t->type) & types) ? t : NULL;
}

static int64_t int_attribute(const struct node *node, const char *name, int64_t fallback)
{
    const struct attribute *a = node_attribute(node, name);

    return a && a->kind == ATTRIBUTE_INT ? a->i : fallback;
}

static bool is_one_float(const struct node *node, const char *name)
{
    const struct attribute *a = node_attribute(node, name);

    return !a || (a->kind == ATTRIBUTE_FLOAT && a->f == 1.0f);
}

/* What stands behind a value of floats. Bytes need a zero point, whose type tells theirs. */
static bool decode(struct graph *g, size_t value, struct code *ret_code)
{
    const struct node *node = producer_of(g, value);
    struct code code;

    if (!is_op(node, "DequantizeLinear") || node->n_in < 2)
        return false;
    code = (struct code){
        .bytes = node->in[0], .scale = node->in[1], .zero = input_of(node, 2), .axis = int_attribute(node, "axis", 1)};
    if (!constant_of(g, code.scale, TYPE_BIT(TENSOR_F32)) || !constant_of(g, code.zero, TYPES_BYTE))
        return false;
    *ret_code = code;
    return true;
}

static bool is_single(const struct graph *g, const struct code *code)
{
    return tensor_count(constant(g, code->scale)) == 1 && tensor_count(constant(g, code->zero)) == 1;
}

/* One scale, or one for each of n places along that axis of constant weights. */
static bool fits_weights(const struct graph *g, const struct code *code, unsigned rank, int64_t axis, int64_t *ret_n)
{
    const struct tensor *w = constant_of(g, code->bytes, TYPES_BYTE), *scale = constant(g, code->scale);

    if (!w || w->shape.rank < 2 || (rank != 0 && w->shape.rank != rank))
        return false;
    *ret_n = w->shape.dims[axis];
    if (is_single(g, code))
        return true;
    return scale->shape.rank == 1 && scale->shape.dims[0] == *ret_n &&
           (code->axis == axis || code->axis == axis - (int64_t)w->shape.rank);
}

static bool has_room(const struct rewriting *r, int64_t n, enum tensor_type type)
{
    return n >= 0 && (size_t)n <= r->room_bytes / tensor_type_bytes(type);
}

/* The caller has seen that there is room. */
static enum status add_constant(struct rewriting *r, const char *base, enum tensor_type type,
                                const struct tensor_shape *shape, size_t *ret_value, struct error *e)
{
    struct graph *g = r->g;
    struct tensor t = {.type = type, .shape = *shape};
    enum status s = tensor_allocate(&t, e);

    r->room_bytes -= (size_t)tensor_count(&t) * tensor_type_bytes(type);
    if (s != STATUS_OK)
        return s;
    s = graph_new_value(g, base, ret_value, e);
    if (s != STATUS_OK) {
        free(t.data);
        return s;
    }
    g->values[*ret_value].tensor = t;
    g->values[*ret_value].is_constant = g->values[*ret_value].is_shaped = true;
    return STATUS_OK;
}

static float scale_at(const struct graph *g, const struct code *code, int64_t i)
{
    const struct tensor *t = constant(g, code->scale);

    return ((const float *)t->data)[tensor_count(t) > 1 ? i : 0];
}

/* A bias in units of the sum. *ret_bias: GRAPH_NO_VALUE where the node has none. False: it is no list of n constants, or
 * beyond what an int32 holds. */
static bool take_bias(struct rewriting *r, const struct node *node, int64_t n, const struct code *x,
                      const struct code *w, size_t *ret_bias, enum status *ret_status, struct error *e)
{
    struct graph *g = r->g;
    const struct tensor_shape shape = {.rank = 1, .dims = {n}};
    size_t value = input_of(node, 2);
    const struct node *dequantize = producer_of(g, value);
    const struct tensor *b = constant_of(g, value, TYPE_BIT(TENSOR_F32)), *scale = NULL;
    int32_t *to;

    *ret_bias = GRAPH_NO_VALUE;
    if (value == GRAPH_NO_VALUE)
        return true;
    if (!b && is_op(dequantize, "DequantizeLinear") && dequantize->n_in >= 2) {
        const struct tensor *zero = constant_of(g, input_of(dequantize, 2), TYPE_BIT(TENSOR_I32));

        b = constant_of(g, dequantize->in[0], TYPE_BIT(TENSOR_I32));
        scale = constant_of(g, dequantize->in[1], TYPE_BIT(TENSOR_F32));
        if (!scale || (tensor_count(scale) != 1 && tensor_count(scale) != n) ||
            (input_of(dequantize, 2) != GRAPH_NO_VALUE && !zero))
            return false;
        for (int64_t i = 0; zero && i < tensor_count(zero); i++) {
            if (((const int32_t *)zero->data)[i] != 0)
                return false;
        }
    }
    if (!b || b->shape.rank != 1 || b->shape.dims[0] != n || !has_room(r, n, TENSOR_I32))
        return false;
    /* Adding a constant may move values, not the tensors' data. */
    const struct tensor from = *b, by = scale ? *scale : (struct tensor){0};

    *ret_status = add_constant(r, "bias", TENSOR_I32, &shape, ret_bias, e);
    if (*ret_status != STATUS_OK)
        return false;
    to = g->values[*ret_bias].tensor.data;
    for (int64_t i = 0; i < n; i++) {
        double v = scale ? (double)((const int32_t *)from.data)[i] *
                               (double)((const float *)by.data)[tensor_count(&by) > 1 ? i : 0]
                         : (double)((const float *)from.data)[i];

        v = nearbyint(v / ((double)scale_at(g, x, 0) * (double)scale_at(g, w, i)));
        if (!(v >= INT32_MIN && v <= INT32_MAX))
            return false;
        to[i] = (int32_t)v;
    }
    return true;
}

/* The zero point of a QuantizeLinear; made where it has none. */
static enum status output_zero(struct rewriting *r, const struct node *quantize, size_t *ret_zero, struct error *e)
{
    const struct tensor_shape scalar = {.rank = 0};

    *ret_zero = input_of(quantize, 2);
    return *ret_zero == GRAPH_NO_VALUE ? add_constant(r, "zero", TENSOR_U8, &scalar, ret_zero, e) : STATUS_OK;
}

/* The node becomes another operator, over those inputs, and makes what `quantize` made. */
static enum status replace(struct graph *g, struct node *node, struct node *quantize, const char *name,
                           const struct op *op, const size_t *in, size_t n_in, struct error *e)
{
    size_t *inputs = malloc(n_in * sizeof(*inputs));
    char *op_type = strdup(name);

    if (!inputs || !op_type) {
        free(inputs);
        free(op_type);
        return error_no_memory(e);
    }
    memcpy(inputs, in, n_in * sizeof(*inputs));
    free(node->in);
    free(node->op_type);
    node->in = inputs;
    node->n_in = n_in;
    node->op_type = op_type;
    node->op = op;
    node->out[0] = quantize->out[0];
    g->values[node->out[0]].producer = (size_t)(node - g->nodes);
    quantize->removed = true;
    return STATUS_OK;
}

static enum status rewrite_linear(struct rewriting *r, struct node *node, struct node *quantize, const char *name,
                                  const struct op *op, const struct code *x, const struct code *w, size_t bias,
                                  struct error *e)
{
    struct graph *g = r->g;
    size_t in[9] = {x->bytes, x->scale, x->zero, w->bytes, w->scale, w->zero, quantize->in[1], 0, bias};
    enum status s = output_zero(r, quantize, &in[7], e);

    return s == STATUS_OK ? replace(g, node, quantize, name, op, in, bias == GRAPH_NO_VALUE ? 8 : 9, e) : s;
}

static enum status rewrite_conv(struct rewriting *r, struct node *node, struct node *quantize, struct error *e)
{
    struct graph *g = r->g;
    struct code x, w;
    size_t bias;
    int64_t n;
    bool known;
    const struct op *op = op_find("", "QLinearConv", g->opset, &known);
    enum status s = STATUS_OK;

    if (!op || !decode(g, input_of(node, 0), &x) || !decode(g, input_of(node, 1), &w) || !is_single(g, &x) ||
        !fits_weights(g, &w, 0, 0, &n) || !take_bias(r, node, n, &x, &w, &bias, &s, e))
        return s;
    return rewrite_linear(r, node, quantize, "QLinearConv", op, &x, &w, bias, e);
}

static enum status rewrite_matmul(struct rewriting *r, struct node *node, struct node *quantize, struct error *e)
{
    struct graph *g = r->g;
    struct code a, b;
    int64_t n;
    bool known;
    const struct op *op = op_find("", "QLinearMatMul", g->opset, &known);

    if (!op || !decode(g, input_of(node, 0), &a) || !decode(g, input_of(node, 1), &b) || !is_single(g, &a) ||
        (!is_single(g, &b) && !fits_weights(g, &b, 2, 1, &n)))
        return STATUS_OK;
    return rewrite_linear(r, node, quantize, "QLinearMatMul", op, &a, &b, GRAPH_NO_VALUE, e);
}

static enum status transpose(struct rewriting *r, size_t *value, struct error *e)
{
    struct graph *g = r->g;
    const struct tensor from = g->values[*value].tensor;
    const struct tensor_shape shape = {.rank = 2, .dims = {from.shape.dims[1], from.shape.dims[0]}};
    int64_t rows = from.shape.dims[0], columns = from.shape.dims[1];
    size_t turned;
    char *to;
    enum status s = add_constant(r, "weights", from.type, &shape, &turned, e);

    if (s != STATUS_OK)
        return s;
    to = g->values[turned].tensor.data;
    for (int64_t i = 0; i < rows * columns; i++)
        to[i % columns * rows + i / columns] = ((const char *)from.data)[i];
    *value = turned;
    return STATUS_OK;
}

static enum status rewrite_gemm(struct rewriting *r, struct node *node, struct node *quantize, struct error *e)
{
    struct graph *g = r->g;
    int64_t turned = int_attribute(node, "transB", 0) != 0, n;
    struct code a, b;
    size_t bias;
    enum status s = STATUS_OK;

    if (int_attribute(node, "transA", 0) != 0 || !is_one_float(node, "alpha") || !is_one_float(node, "beta") ||
        !decode(g, input_of(node, 0), &a) || !decode(g, input_of(node, 1), &b) || !is_single(g, &a) ||
        !fits_weights(g, &b, 2, turned ? 0 : 1, &n) ||
        !has_room(r, tensor_count(constant(g, b.bytes)) + n * 4, TENSOR_U8) ||
        !take_bias(r, node, n, &a, &b, &bias, &s, e))
        return s;
    if (turned)
        s = transpose(r, &b.bytes, e);
    return s == STATUS_OK ? rewrite_linear(r, node, quantize, "QLinearMatMul", &quant_gemm, &a, &b, bias, e) : s;
}

static bool same_constant(const struct graph *g, size_t a, size_t b)
{
    const struct tensor *x = constant(g, a), *y = constant(g, b);

    return a == b || (x && y && x->type == y->type && tensor_count(x) == 1 && tensor_count(y) == 1 &&
                      memcmp(x->data, y->data, tensor_type_bytes(x->type)) == 0);
}

/* What picks or moves values is the same on the bytes when they mean the same before and after. */
static enum status rewrite_move(struct graph *g, struct node *node, struct node *quantize, struct error *e)
{
    struct code x;
    size_t in[8];

    if (!decode(g, input_of(node, 0), &x) || !is_single(g, &x) || !same_constant(g, x.scale, quantize->in[1]) ||
        !same_constant(g, x.zero, input_of(quantize, 2)) || node->n_in > sizeof(in) / sizeof(in[0]))
        return STATUS_OK;
    memcpy(in, node->in, node->n_in * sizeof(*in));
    in[0] = x.bytes;
    return replace(g, node, quantize, node->op_type, node->op, in, node->n_in, e);
}

/* Relu where the lowest byte stands for 0 or more: bytes cannot say less anyway. */
static bool is_implied(const struct graph *g, const struct node *node, const struct node *quantize)
{
    const struct tensor *zero = constant(g, input_of(quantize, 2));

    return is_op(node, "Relu") && (!zero || quant_byte(zero, 0) == (zero->type == TENSOR_I8 ? -128 : 0));
}

static bool is_mover(const struct graph *g, const struct node *node)
{
    static const char *const names[] = {"Flatten", "Reshape", "Transpose", "Squeeze", "Unsqueeze"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (is_op(node, names[i]))
            return true;
    }
    return is_op(node, "MaxPool") && g->opset >= 12;
}

static enum status rewrite(struct rewriting *r, struct node *quantize, struct error *e)
{
    struct graph *g = r->g;
    size_t zero = input_of(quantize, 2);
    const struct tensor *scale = constant_of(g, input_of(quantize, 1), TYPE_BIT(TENSOR_F32));
    struct node *node = sole_producer(g, quantize->in[0]), *relu = NULL;
    enum status s = STATUS_OK;

    if (!scale || tensor_count(scale) != 1 || !node || !has_room(r, 1, TENSOR_U8) || node->n_out != 1 ||
        quantize->out[0] == GRAPH_NO_VALUE)
        return s;
    if (zero != GRAPH_NO_VALUE && (!constant_of(g, zero, TYPES_BYTE) || tensor_count(constant(g, zero)) != 1))
        return s;
    if (is_implied(g, node, quantize)) {
        relu = node;
        node = sole_producer(g, relu->in[0]);
    }
    if (!node || node->n_out != 1)
        return s;
    if (is_op(node, "Conv"))
        s = rewrite_conv(r, node, quantize, e);
    else if (is_op(node, "MatMul"))
        s = rewrite_matmul(r, node, quantize, e);
    else if (is_op(node, "Gemm"))
        s = rewrite_gemm(r, node, quantize, e);
    else if (!relu && is_mover(g, node))
        s = rewrite_move(g, node, quantize, e);
    if (relu && quantize->removed)
        relu->removed = true;
    return s;
}

enum status graph_quantize(struct graph *g, struct error *e)
{
    struct rewriting r = {.g = g, .room_bytes = MAX_ADDED_BYTES};
    bool any = false;
    enum status s = STATUS_OK;

    for (size_t i = 0; i < g->n_nodes; i++)
        any = any || is_op(&g->nodes[i], "QuantizeLinear");
    if (!any)
        return STATUS_OK;
    /* Scales may be constants of nodes; weights have to stay bytes. */
    s = graph_fold(g, "DequantizeLinear", e);
    for (size_t i = 0; i < g->n_nodes && s == STATUS_OK; i++) {
        if (is_op(&g->nodes[i], "QuantizeLinear"))
            s = rewrite(&r, &g->nodes[i], e);
    }
    return s == STATUS_OK ? graph_prune(g, e) : s;
}
