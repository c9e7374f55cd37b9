/* The derivative of each operator, as nodes. */
#include <string.h>

#include "models/graph_gradient.h"

static bool is(const struct node *node, const char *name)
{
    return strcmp(node->op_type, name) == 0;
}

static enum status one(struct gradient *x, const char *op, size_t a, size_t *ret_out, struct error *e)
{
    return gradient_emit(x, op, &a, 1, ret_out, e);
}

static enum status two(struct gradient *x, const char *op, size_t a, size_t b, size_t *ret_out, struct error *e)
{
    const size_t in[2] = {a, b};

    return gradient_emit(x, op, in, 2, ret_out, e);
}

/* of_out * op(a) */
static enum status times(struct gradient *x, size_t of_out, const char *op, size_t a, size_t *ret_out, struct error *e)
{
    size_t factor;
    enum status s = one(x, op, a, &factor, e);

    return s == STATUS_OK ? two(x, "Mul", of_out, factor, ret_out, e) : s;
}

/* of_out * (1 - factor), for functions whose derivative ends like that. */
static enum status times_rest(struct gradient *x, size_t of_out, size_t factor, size_t *ret_out, struct error *e)
{
    size_t unit, rest;
    enum status s = gradient_number(x, 1.0f, &unit, e);

    if (s == STATUS_OK)
        s = two(x, "Sub", unit, factor, &rest, e);
    return s == STATUS_OK ? two(x, "Mul", of_out, rest, ret_out, e) : s;
}

static enum status of_relu(struct gradient *x, size_t in, size_t of_out, size_t *ret_out, struct error *e)
{
    size_t zero, above;
    enum status s = gradient_number(x, 0.0f, &zero, e);

    if (s == STATUS_OK)
        s = two(x, "Greater", in, zero, &above, e);
    if (s == STATUS_OK) {
        const size_t choice[3] = {above, of_out, zero};

        s = gradient_emit(x, "Where", choice, 3, ret_out, e);
    }
    return s;
}

/* Where chooses between its inputs 1 and 2. */
static enum status of_where(struct gradient *x, const struct node *node, size_t port, size_t of_out, size_t *ret_out,
                            struct error *e)
{
    size_t zero;
    enum status s = gradient_number(x, 0.0f, &zero, e);

    if (s == STATUS_OK) {
        const size_t choice[3] = {node->in[0], port == 1 ? of_out : zero, port == 1 ? zero : of_out};

        s = gradient_emit(x, "Where", choice, 3, ret_out, e);
    }
    return s;
}

static enum status of_pow(struct gradient *x, const struct node *node, size_t port, size_t of_out, size_t *ret_out,
                          struct error *e)
{
    size_t unit, lower, power, slope;
    enum status s;

    if (port == 1) {
        /* y * ln(a) */
        s = one(x, "Log", node->in[0], &slope, e);
        if (s == STATUS_OK)
            s = two(x, "Mul", node->out[0], slope, &slope, e);
        return s == STATUS_OK ? two(x, "Mul", of_out, slope, ret_out, e) : s;
    }
    s = gradient_number(x, 1.0f, &unit, e);
    if (s == STATUS_OK)
        s = two(x, "Sub", node->in[1], unit, &lower, e);
    if (s == STATUS_OK)
        s = two(x, "Pow", node->in[0], lower, &power, e);
    if (s == STATUS_OK)
        s = two(x, "Mul", node->in[1], power, &slope, e);
    return s == STATUS_OK ? two(x, "Mul", of_out, slope, ret_out, e) : s;
}

static enum status of_div(struct gradient *x, const struct node *node, size_t port, size_t of_out, size_t *ret_out,
                          struct error *e)
{
    size_t share;
    enum status s = two(x, "Div", of_out, node->in[1], &share, e);

    if (s != STATUS_OK || port == 0) {
        *ret_out = share;
        return s;
    }
    s = two(x, "Mul", share, node->out[0], &share, e);
    return s == STATUS_OK ? one(x, "Neg", share, ret_out, e) : s;
}

/* Of matrices, and of heaps of them. */
static enum status of_matmul(struct gradient *x, const struct node *node, size_t port, size_t of_out, size_t *ret_out,
                             struct error *e)
{
    const size_t left[2] = {of_out, node->in[1]}, right[2] = {node->in[0], of_out};
    enum status s = gradient_emit(x, "Einsum", port == 0 ? left : right, 2, ret_out, e);

    return s == STATUS_OK ? gradient_set_text(x, "equation", port == 0 ? "...ij,...kj->...ik" : "...ji,...jk->...ik", e)
                          : s;
}

static enum status of_transpose(struct gradient *x, const struct node *node, size_t of_out, size_t *ret_out,
                                struct error *e)
{
    const struct attribute *a = node_attribute(node, "perm");
    int64_t back[TENSOR_MAX_RANK] = {0};
    enum status s = one(x, "Transpose", of_out, ret_out, e);

    if (s != STATUS_OK || !a || a->kind != ATTRIBUTE_INTS || a->n > TENSOR_MAX_RANK)
        return s;
    for (size_t i = 0; i < a->n; i++) {
        if (a->ints[i] >= 0 && a->ints[i] < (int64_t)a->n)
            back[a->ints[i]] = (int64_t)i;
    }
    return gradient_set_ints(x, "perm", back, a->n, e);
}

static enum status of_shaped(struct gradient *x, const char *op, size_t like, size_t of_out, size_t *ret_out,
                             struct error *e)
{
    size_t shape;
    enum status s = one(x, "Shape", like, &shape, e);

    return s == STATUS_OK ? two(x, op, of_out, shape, ret_out, e) : s;
}

/* Sums and means that keep their dimensions, or leave none. */
static enum status of_reduction(struct gradient *x, const struct node *node, bool mean, size_t of_out, size_t *ret_out,
                                struct error *e)
{
    const struct attribute *keep = node_attribute(node, "keepdims");
    bool keeps = !keep || keep->kind != ATTRIBUTE_INT || keep->i != 0;
    size_t all, kept, ones, units;
    enum status s;

    if (!keeps && (node_attribute(node, "axes") || (node->n_in > 1 && node->in[1] != GRAPH_NO_VALUE)))
        return graph_node_error(x->g->path, node, e, STATUS_UNSUPPORTED,
                                "no gradient where some dimensions go and others stay (keepdims 0)");
    s = of_shaped(x, "Expand", node->in[0], of_out, ret_out, e);
    if (s != STATUS_OK || !mean)
        return s;
    /* How many values one mean is of: as many as a sum of ones of the input's shape by the output's. */
    s = gradient_fill(x, node->in[0], 1.0f, &ones, e);
    if (s == STATUS_OK)
        s = gradient_fill(x, node->out[0], 1.0f, &units, e);
    if (s == STATUS_OK)
        s = two(x, "SumToShape", ones, units, &kept, e);
    if (s == STATUS_OK)
        s = of_shaped(x, "Expand", node->in[0], kept, &all, e);
    return s == STATUS_OK ? two(x, "Div", *ret_out, all, ret_out, e) : s;
}

/* sigmoid: y (1 - y); tanh: 1 - y y; exp: y; sqrt: 1 / (2 y); log: 1 / a. */
static enum status of_function(struct gradient *x, const struct node *node, size_t of_out, size_t *ret_out,
                               struct error *e)
{
    size_t a = node->in[0], y = node->out[0], t;
    enum status s;

    if (is(node, "Sigmoid")) {
        s = two(x, "Mul", of_out, y, &t, e);
        return s == STATUS_OK ? times_rest(x, t, y, ret_out, e) : s;
    }
    if (is(node, "Tanh")) {
        s = two(x, "Mul", y, y, &t, e);
        return s == STATUS_OK ? times_rest(x, of_out, t, ret_out, e) : s;
    }
    if (is(node, "Exp"))
        return two(x, "Mul", of_out, y, ret_out, e);
    if (is(node, "Log"))
        return two(x, "Div", of_out, a, ret_out, e);
    if (is(node, "Sqrt")) {
        s = two(x, "Add", y, y, &t, e);
        return s == STATUS_OK ? two(x, "Div", of_out, t, ret_out, e) : s;
    }
    if (is(node, "Abs"))
        return times(x, of_out, "Sign", a, ret_out, e);
    if (is(node, "Sin"))
        return times(x, of_out, "Cos", a, ret_out, e);
    if (is(node, "Cos")) {
        s = times(x, of_out, "Sin", a, &t, e);
        return s == STATUS_OK ? one(x, "Neg", t, ret_out, e) : s;
    }
    if (is(node, "Relu"))
        return of_relu(x, a, of_out, ret_out, e);
    return graph_node_error(x->g->path, node, e, STATUS_UNSUPPORTED, "the gradient of %.60s is not supported",
                            node->op_type);
}

/* Of operators that broadcast: by the input as it was repeated. */
static enum status of_pair(struct gradient *x, const struct node *node, size_t port, size_t of_out, size_t *ret_out,
                           struct error *e)
{
    *ret_out = of_out;
    if (is(node, "Sub") && port == 1)
        return one(x, "Neg", of_out, ret_out, e);
    if (is(node, "Mul"))
        return two(x, "Mul", of_out, node->in[1 - port], ret_out, e);
    if (is(node, "Div"))
        return of_div(x, node, port, of_out, ret_out, e);
    if (is(node, "Pow"))
        return of_pow(x, node, port, of_out, ret_out, e);
    if (is(node, "Where"))
        return of_where(x, node, port, of_out, ret_out, e);
    if (is(node, "MatMul"))
        return of_matmul(x, node, port, of_out, ret_out, e);
    return STATUS_OK;
}

enum status gradient_of_input(struct gradient *x, const struct node *node, size_t port, size_t of_out,
                              size_t *ret_of_in, struct error *e)
{
    static const char *const pairs[] = {"Add", "Sub", "Mul", "Div", "Pow", "MatMul", "Sum", "Where", "Expand"};
    enum status s;

    /* What an earlier gradient left. Its second input is a shape. */
    *ret_of_in = GRAPH_NO_VALUE;
    if (is(node, "SumToShape") && strcmp(node->domain, GRADIENT_OWN_DOMAIN) == 0)
        return port == 0 ? of_shaped(x, "Expand", node->in[0], of_out, ret_of_in, e) : STATUS_OK;
    if (node->domain[0] != '\0')
        return graph_node_error(x->g->path, node, e, STATUS_UNSUPPORTED, "the gradient of %.60s is not supported",
                                node->op_type);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (!is(node, pairs[i]))
            continue;
        s = of_pair(x, node, port, of_out, ret_of_in, e);
        return s == STATUS_OK ? two(x, "SumToShape", *ret_of_in, node->in[port], ret_of_in, e) : s;
    }
    if (port > 0)
        return graph_node_error(x->g->path, node, e, STATUS_UNSUPPORTED, "no gradient by input %zu", port);
    if (is(node, "Identity")) {
        *ret_of_in = of_out;
        return STATUS_OK;
    }
    if (is(node, "Neg"))
        return one(x, "Neg", of_out, ret_of_in, e);
    if (is(node, "Transpose"))
        return of_transpose(x, node, of_out, ret_of_in, e);
    if (is(node, "Reshape") || is(node, "Flatten") || is(node, "Squeeze") || is(node, "Unsqueeze"))
        return of_shaped(x, "Reshape", node->in[0], of_out, ret_of_in, e);
    if (is(node, "ReduceSum") || is(node, "ReduceMean"))
        return of_reduction(x, node, is(node, "ReduceMean"), of_out, ret_of_in, e);
    return of_function(x, node, of_out, ret_of_in, e);
}
