/* Simplifications that hold for every input shape, done once a network. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/op.h"

static bool is_op(const struct node *node, const char *name)
{
    return !node->removed && strcmp(node->op_type, name) == 0;
}

/* The node that makes `value`, when the value has no other reader. */
static struct node *sole_producer(struct graph *g, size_t value)
{
    const struct value *v = value == GRAPH_NO_VALUE ? NULL : &g->values[value];

    if (!v || v->is_output || v->n_uses != 1 || v->producer == GRAPH_NO_VALUE || g->nodes[v->producer].removed)
        return NULL;
    return &g->nodes[v->producer];
}

/* The constant float32 vector of n values that input `index` is; NULL when it is something else. */
static const float *constant_vector(const struct graph *g, const struct node *node, size_t index, int64_t n)
{
    const struct value *v =
        index >= node->n_in || node->in[index] == GRAPH_NO_VALUE ? NULL : &g->values[node->in[index]];

    if (!v || !v->is_constant || !v->tensor.data || v->tensor.type != TENSOR_F32 || v->tensor.shape.rank != 1 ||
        v->tensor.shape.dims[0] != n)
        return NULL;
    return v->tensor.data;
}

static enum status add_constant(struct graph *g, const char *base, const struct tensor_shape *shape, size_t *ret_value,
                                struct error *e)
{
    struct tensor t = {.type = TENSOR_F32, .shape = *shape};
    enum status s = tensor_allocate(&t, e);

    if (s != STATUS_OK)
        return s;
    s = graph_new_value(g, base, ret_value, e);
    if (s != STATUS_OK) {
        free(t.data);
        return s;
    }
    g->values[*ret_value].tensor = t;
    g->values[*ret_value].is_constant = g->values[*ret_value].is_shaped = true;
    g->values[*ret_value].n_uses = 1;
    return STATUS_OK;
}

/* y = (conv(x) + b - mean) * f + shift with f = scale / sqrt(var + eps) is a convolution with weights w * f
 * and bias (b - mean) * f + shift. The factors are made in double. */
static enum status fold_norm(struct graph *g, struct node *conv, struct node *norm, struct error *e)
{
    const struct attribute *eps_attribute = node_attribute(norm, "epsilon");
    double eps = eps_attribute && eps_attribute->kind == ATTRIBUTE_FLOAT ? (double)eps_attribute->f : 1e-5;
    const struct value *w = &g->values[conv->in[1]];
    struct tensor_shape filters = {.rank = 1}, shape;
    const float *scale, *shift, *mean, *var, *old_bias = NULL, *from;
    size_t weights, bias;
    int64_t n, taps;
    float *to, *new_bias;
    enum status s;

    if (!w->is_constant || !w->tensor.data || w->tensor.type != TENSOR_F32 || w->tensor.shape.rank < 3)
        return STATUS_OK;
    shape = w->tensor.shape;
    n = filters.dims[0] = shape.dims[0];
    taps = tensor_shape_span(&shape, 1, shape.rank);
    if (conv->n_in > 2 && conv->in[2] != GRAPH_NO_VALUE) {
        old_bias = constant_vector(g, conv, 2, n);
        if (!old_bias)
            return STATUS_OK;
    }
    scale = constant_vector(g, norm, 1, n);
    shift = constant_vector(g, norm, 2, n);
    mean = constant_vector(g, norm, 3, n);
    var = constant_vector(g, norm, 4, n);
    if (!scale || !shift || !mean || !var || norm->n_out != 1)
        return STATUS_OK;
    s = add_constant(g, "weights", &shape, &weights, e);
    if (s == STATUS_OK)
        s = add_constant(g, "bias", &filters, &bias, e);
    if (s != STATUS_OK)
        return s;
    from = g->values[conv->in[1]].tensor.data;
    to = g->values[weights].tensor.data;
    new_bias = g->values[bias].tensor.data;
    for (int64_t f = 0; f < n; f++) {
        double factor = (double)scale[f] / sqrt((double)var[f] + eps);

        for (int64_t i = 0; i < taps; i++)
            to[f * taps + i] = (float)((double)from[f * taps + i] * factor);
        new_bias[f] = (float)(((old_bias ? (double)old_bias[f] : 0.0) - (double)mean[f]) * factor + (double)shift[f]);
    }
    if (conv->n_in < 3) {
        size_t *in = realloc(conv->in, 3 * sizeof(*in));

        if (!in)
            return error_no_memory(e);
        conv->in = in;
        conv->n_in = 3;
    }
    conv->in[1] = weights;
    conv->in[2] = bias;
    conv->out[0] = norm->out[0];
    norm->removed = true;
    g->values[conv->out[0]].producer = (size_t)(conv - g->nodes);
    return STATUS_OK;
}

static float float_attribute(const struct node *node, const char *name, float fallback)
{
    const struct attribute *a = node_attribute(node, name);

    return a && a->kind == ATTRIBUTE_FLOAT ? a->f : fallback;
}

/* A bound of Clip: an attribute up to opset 10, a constant scalar input from 11 on. False: not known. */
static bool clip_bound(const struct graph *g, const struct node *node, size_t index, const char *name, float fallback,
                       float *ret_bound)
{
    const struct value *v;

    if (index >= node->n_in || node->in[index] == GRAPH_NO_VALUE) {
        *ret_bound = float_attribute(node, name, fallback);
        return true;
    }
    v = &g->values[node->in[index]];
    if (!v->is_constant || !v->tensor.data || v->tensor.type != TENSOR_F32 || tensor_count(&v->tensor) != 1)
        return false;
    *ret_bound = *(const float *)v->tensor.data;
    return true;
}

bool graph_activation(const struct graph *g, const struct node *node, struct activation *ret_a)
{
    struct activation a = {ACTIVATION_NONE, 0.0f, 0.0f};

    if (is_op(node, "Relu")) {
        a.kind = ACTIVATION_RELU;
    } else if (is_op(node, "LeakyRelu")) {
        a.kind = ACTIVATION_LEAKY;
        a.a = float_attribute(node, "alpha", 0.01f);
    } else if (is_op(node, "Sigmoid")) {
        a.kind = ACTIVATION_SIGMOID;
    } else if (is_op(node, "Tanh")) {
        a.kind = ACTIVATION_TANH;
    } else if (is_op(node, "HardSigmoid")) {
        a.kind = ACTIVATION_HARD_SIGMOID;
        a.a = float_attribute(node, "alpha", 0.2f);
        a.b = float_attribute(node, "beta", 0.5f);
    } else if (is_op(node, "HardSwish")) {
        a.kind = ACTIVATION_HARD_SWISH;
    } else if (is_op(node, "Clip") && clip_bound(g, node, 1, "min", -INFINITY, &a.a) &&
               clip_bound(g, node, 2, "max", INFINITY, &a.b)) {
        a.kind = ACTIVATION_CLIP;
    }
    if (a.kind == ACTIVATION_NONE)
        return false;
    *ret_a = a;
    return true;
}

static void fuse_activation(struct graph *g, struct node *node)
{
    struct activation a;
    struct node *before;

    if (node->n_in == 0 || !graph_activation(g, node, &a))
        return;
    before = sole_producer(g, node->in[0]);
    if (!before || !(before->op->flags & OP_ACTIVATION) || before->activation.kind != ACTIVATION_NONE ||
        before->out[0] != node->in[0])
        return;
    before->activation = a;
    before->out[0] = node->out[0];
    g->values[node->out[0]].producer = (size_t)(before - g->nodes);
    node->removed = true;
}

/* Mul(x, Sigmoid(x)) right after the node that makes x: how PyTorch exports SiLU. */
static void fuse_swish(struct graph *g, struct node *mul)
{
    for (size_t k = 0; k < 2 && mul->n_in == 2; k++) {
        struct node *sigmoid = sole_producer(g, mul->in[1 - k]), *before;
        const struct value *x = &g->values[mul->in[k]];

        if (!sigmoid || !is_op(sigmoid, "Sigmoid") || sigmoid->in[0] != mul->in[k] || x->n_uses != 2 || x->is_output ||
            x->producer == GRAPH_NO_VALUE)
            continue;
        before = &g->nodes[x->producer];
        if (before->removed || !(before->op->flags & OP_ACTIVATION) || before->activation.kind != ACTIVATION_NONE ||
            before->out[0] != mul->in[k])
            continue;
        before->activation.kind = ACTIVATION_SWISH;
        before->out[0] = mul->out[0];
        g->values[mul->out[0]].producer = x->producer;
        sigmoid->removed = mul->removed = true;
        return;
    }
}

enum status graph_fuse(struct graph *g, struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; i < g->n_nodes && s == STATUS_OK; i++) {
        struct node *node = &g->nodes[i], *before;

        if (!is_op(node, "BatchNormalization"))
            continue;
        before = sole_producer(g, node->in[0]);
        if (before && is_op(before, "Conv") && before->activation.kind == ACTIVATION_NONE)
            s = fold_norm(g, before, node, e);
    }
    for (size_t i = 0; i < g->n_nodes && s == STATUS_OK; i++) {
        if (is_op(&g->nodes[i], "Mul"))
            fuse_swish(g, &g->nodes[i]);
        else
            fuse_activation(g, &g->nodes[i]);
    }
    return s == STATUS_OK ? graph_prune(g, e) : s;
}
