/* If, Loop and Scan whose course follows from constants and declared shapes: the branch that is taken, or every turn of
 * the loop, stands in the graph in their place. What follows from constants is computed on the way, since conditions of
 * inner loops and of further turns hang on it. All that a hostile file could make grow is bounded. */
#include <stdlib.h>
#include <string.h>

#include "models/graph_control.h"

enum { MAX_TURNS = GRAPH_MAX_NODES, MAX_DEPTH = 32 };

/* Of copies made and lists kept, and of what is computed ahead. */
#define MAX_COST_BYTES ((size_t)1 << 29)

enum status expansion_refuse(const struct expansion *x, const struct node *node, struct error *e, const char *why)
{
    return graph_node_error(x->g->path, node, e, STATUS_UNSUPPORTED, "%s", why);
}

enum status expansion_spend(struct expansion *x, const struct node *node, size_t bytes, struct error *e)
{
    if (bytes > MAX_COST_BYTES - x->cost_bytes)
        return graph_node_error(x->g->path, node, e, STATUS_UNSUPPORTED, "unrolled, it needs more than %zu bytes",
                                MAX_COST_BYTES);
    x->cost_bytes += bytes;
    return STATUS_OK;
}

static enum status make_room(struct expansion *x, struct error *e)
{
    size_t room = x->g->room_values;
    struct tensor *known;

    if (x->g->n_values <= x->room)
        return STATUS_OK;
    known = realloc(x->known, room * sizeof(*known));
    if (!known)
        return error_no_memory(e);
    memset(known + x->room, 0, (room - x->room) * sizeof(*known));
    x->known = known;
    x->room = room;
    return STATUS_OK;
}

enum status expansion_value(struct expansion *x, const char *base, size_t *ret_value, struct error *e)
{
    enum status s = graph_new_value(x->g, base, ret_value, e);

    return s == STATUS_OK ? make_room(x, e) : s;
}

enum status expansion_constant(struct expansion *x, const char *base, const struct tensor *t, size_t *ret_value,
                               struct error *e)
{
    enum status s = expansion_value(x, base, ret_value, e);

    if (s != STATUS_OK) {
        free(t->data);
        return s;
    }
    x->g->values[*ret_value].tensor = *t;
    x->g->values[*ret_value].is_constant = x->g->values[*ret_value].is_shaped = true;
    x->known[*ret_value] = *t;
    return STATUS_OK;
}

/* Shapes and, where all inputs are constant, values of one node's outputs. What cannot be told stays unknown; an error
 * that a plan will meet again is left to it. */
static enum status learn(struct expansion *x, size_t index, struct error *e)
{
    struct graph *g = x->g;
    struct node *node = &g->nodes[index];
    struct step step;
    enum status s;
    bool known = true;

    for (size_t i = 0; i < node->n_in; i++)
        known = known && (node->in[i] == GRAPH_NO_VALUE || x->known[node->in[i]].type != 0);
    if (!known)
        return STATUS_OK;
    s = step_open(g, index, x->known, kernels_choose(NETWORK_BACKEND_AUTO), &step, e);
    if (s != STATUS_OK)
        return s;
    s = call_infer(&step.call, NULL);
    known = s == STATUS_OK;
    if (known && step_is_constant(&step) && step_is_cheap(&step, &x->budget)) {
        s = step_evaluate(&step, e);
        known = s == STATUS_OK;
        for (size_t i = 0; known && i < node->n_out; i++) {
            if (node->out[i] == GRAPH_NO_VALUE)
                continue;
            g->values[node->out[i]].tensor = x->known[node->out[i]];
            g->values[node->out[i]].is_constant = true;
        }
        node->removed = known;
    }
    for (size_t i = 0; !known && i < node->n_out; i++) {
        if (node->out[i] != GRAPH_NO_VALUE)
            x->known[node->out[i]] = (struct tensor){0};
    }
    step_clear(&step);
    return s == STATUS_NO_MEMORY ? s : STATUS_OK;
}

static enum status expand_node(struct expansion *x, size_t index, struct error *e);

static enum status settle(struct expansion *x, size_t index, struct error *e)
{
    enum status s = graph_check_node(x->g, &x->g->nodes[index], e);

    if (s != STATUS_OK)
        return s;
    return x->g->nodes[index].op->flags & OP_CONTROL ? expand_node(x, index, e) : learn(x, index, e);
}

enum status expansion_node(struct expansion *x, const char *op_type, const size_t *in, size_t n_in, size_t out,
                           const char *attribute, enum attribute_kind kind, int64_t number, struct error *e)
{
    struct node *node;
    enum status s = graph_add_node(x->g, &node, e);

    if (s != STATUS_OK)
        return s;
    node->name = strdup(x->g->values[out].name);
    node->op_type = strdup(op_type);
    node->domain = strdup("");
    node->in = calloc(n_in + 1, sizeof(*node->in));
    node->out = calloc(1, sizeof(*node->out));
    node->attributes = calloc(1, sizeof(*node->attributes));
    if (!node->name || !node->op_type || !node->domain || !node->in || !node->out || !node->attributes)
        return error_no_memory(e);
    memcpy(node->in, in, n_in * sizeof(*in));
    node->n_in = n_in;
    node->out[0] = out;
    node->n_out = 1;
    if (attribute) {
        struct attribute *a = &node->attributes[node->n_attributes++];

        a->name = strdup(attribute);
        a->kind = kind;
        a->i = number;
        a->n = kind == ATTRIBUTE_INTS ? 1 : 0;
        a->ints = kind == ATTRIBUTE_INTS ? calloc(1, sizeof(*a->ints)) : NULL;
        if (!a->name || (kind == ATTRIBUTE_INTS && !a->ints))
            return error_no_memory(e);
        if (a->ints)
            a->ints[0] = number;
    }
    return settle(x, x->g->n_nodes - 1, e);
}

enum status expansion_pass(struct expansion *x, size_t from, size_t to, struct error *e)
{
    return to == GRAPH_NO_VALUE ? STATUS_OK : expansion_node(x, "Identity", &from, 1, to, NULL, 0, 0, e);
}

enum status copy_value(struct expansion *x, struct copy *c, size_t v, size_t *ret_value, struct error *e)
{
    const struct value *from = v == GRAPH_NO_VALUE ? NULL : &c->body->values[v];
    struct tensor t;
    size_t bytes;
    enum status s = STATUS_OK;

    if (!from || c->map[v] != GRAPH_NO_VALUE) {
        *ret_value = from ? c->map[v] : GRAPH_NO_VALUE;
        return STATUS_OK;
    }
    if (from->is_constant) {
        t = from->tensor;
        if (!tensor_shape_bytes(&t.shape, t.type, &bytes))
            return graph_node_error(x->g->path, c->node, e, STATUS_BUG, "a constant without a size");
        s = expansion_spend(x, c->node, bytes, e);
        if (s == STATUS_OK)
            s = tensor_allocate(&t, e);
        if (s != STATUS_OK)
            return s;
        if (bytes > 0)
            memcpy(t.data, from->tensor.data, bytes);
        s = expansion_constant(x, from->name, &t, &c->map[v], e);
    } else {
        s = expansion_value(x, from->name, &c->map[v], e);
    }
    if (s == STATUS_OK)
        *ret_value = c->map[v];
    return s;
}

static enum status copy_ports(struct expansion *x, struct copy *c, const size_t *from, size_t n, size_t **ret_ports,
                              size_t *ret_n, struct error *e)
{
    *ret_ports = calloc(n + 1, sizeof(**ret_ports));
    if (!*ret_ports)
        return error_no_memory(e);
    for (size_t i = 0; i < n; i++) {
        enum status s = copy_value(x, c, from[i], &(*ret_ports)[i], e);

        if (s != STATUS_OK)
            return s;
    }
    *ret_n = n;
    return STATUS_OK;
}

static enum status copy_node(struct expansion *x, struct copy *c, size_t index, struct error *e)
{
    const struct node *from = &c->body->nodes[index];
    struct node copied = {0};
    struct node *slot;
    size_t bytes = (from->n_in + from->n_out) * sizeof(size_t) + node_attribute_bytes(from);
    enum status s = expansion_spend(x, c->node, bytes, e);

    if (s != STATUS_OK)
        return s;
    if (x->g->n_nodes >= GRAPH_MAX_NODES)
        return graph_node_error(x->g->path, c->node, e, STATUS_UNSUPPORTED, "unrolled, it has more than %d nodes",
                                GRAPH_MAX_NODES);
    s = node_copy(from, &copied, e);
    if (s == STATUS_OK)
        s = copy_ports(x, c, from->in, from->n_in, &copied.in, &copied.n_in, e);
    if (s == STATUS_OK)
        s = copy_ports(x, c, from->out, from->n_out, &copied.out, &copied.n_out, e);
    if (s == STATUS_OK)
        s = graph_add_node(x->g, &slot, e);
    if (s != STATUS_OK) {
        node_clear(&copied);
        return s;
    }
    *slot = copied;
    return settle(x, x->g->n_nodes - 1, e);
}

enum status copy_open(struct expansion *x, const struct node *node, const char *attribute, struct copy *ret_c,
                      struct error *e)
{
    struct copy c = {.node = node, .first_capture = node->n_in - node->n_captured};
    enum status s;

    for (size_t i = 0; i < node->n_attributes && !c.body; i++) {
        const struct attribute *a = &node->attributes[i];

        if (a->kind != ATTRIBUTE_GRAPH)
            continue;
        if (strcmp(a->name, attribute) == 0)
            c.body = a->g;
        else
            c.first_capture += a->g->n_captures;
    }
    if (!c.body)
        return graph_node_error(x->g->path, node, e, STATUS_CORRUPT, "has no %s", attribute);
    s = expansion_spend(x, node, c.body->n_values * sizeof(*c.map), e);
    if (s != STATUS_OK)
        return s;
    c.map = malloc((c.body->n_values + 1) * sizeof(*c.map));
    if (!c.map)
        return error_no_memory(e);
    for (size_t i = 0; i < c.body->n_values; i++)
        c.map[i] = GRAPH_NO_VALUE;
    for (size_t i = 0; i < c.body->n_captures; i++)
        c.map[c.body->captures[i]] = node->in[c.first_capture + i];
    *ret_c = c;
    return STATUS_OK;
}

enum status copy_again(struct expansion *x, struct copy *c, struct error *e)
{
    for (size_t i = 0; i < c->body->n_values; i++) {
        if (!c->body->values[i].is_constant)
            c->map[i] = GRAPH_NO_VALUE;
    }
    for (size_t i = 0; i < c->body->n_captures; i++)
        c->map[c->body->captures[i]] = c->node->in[c->first_capture + i];
    if (++x->turns > MAX_TURNS)
        return graph_node_error(x->g->path, c->node, e, STATUS_UNSUPPORTED, "more than %d turns of loops", MAX_TURNS);
    return expansion_spend(x, c->node, c->body->n_values * sizeof(*c->map), e);
}

enum status copy_body(struct expansion *x, struct copy *c, struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; i < c->body->n_nodes && s == STATUS_OK; i++)
        s = copy_node(x, c, i, e);
    return s;
}

enum status copy_check(const struct expansion *x, const struct copy *c, size_t n_in, size_t n_out, struct error *e)
{
    if (c->body->n_inputs == n_in && c->body->n_outputs == n_out)
        return STATUS_OK;
    return graph_node_error(x->g->path, c->node, e, STATUS_CORRUPT,
                            "its body has %zu inputs and %zu outputs, must have %zu and %zu", c->body->n_inputs,
                            c->body->n_outputs, n_in, n_out);
}

bool expansion_number(const struct expansion *x, const struct node *node, size_t index, int64_t *ret_number)
{
    const struct tensor *t = &x->known[node->in[index]];

    if (t->type == 0 || !t->data || tensor_count(t) != 1 ||
        !(TYPE_BIT(t->type) & (TYPES_INDEX | TYPE_BIT(TENSOR_BOOL))))
        return false;
    *ret_number = tensor_integer(t, 0);
    return true;
}

static enum status expand_if(struct expansion *x, const struct node *node, struct error *e)
{
    struct copy c = {0};
    int64_t condition;
    enum status s;

    if (node->n_in - node->n_captured != 1 || node->in[0] == GRAPH_NO_VALUE)
        return graph_node_error(x->g->path, node, e, STATUS_CORRUPT, "must have one input");
    if (!expansion_number(x, node, 0, &condition))
        return expansion_refuse(x, node, e, "its condition is known only at run time");
    s = copy_open(x, node, condition ? "then_branch" : "else_branch", &c, e);
    if (s != STATUS_OK)
        return s;
    s = copy_check(x, &c, 0, node->n_out, e);
    if (s == STATUS_OK)
        s = copy_body(x, &c, e);
    for (size_t i = 0; i < node->n_out && s == STATUS_OK; i++) {
        size_t from = GRAPH_NO_VALUE;

        s = copy_value(x, &c, c.body->outputs[i], &from, e);
        if (s == STATUS_OK)
            s = expansion_pass(x, from, node->out[i], e);
    }
    free(c.map);
    return s;
}

/* Recursion: a body holds control nodes of its own; the reader bounds how deep. */
static enum status expand_node(struct expansion *x, size_t index, struct error *e)
{
    /* Lists of the node stay where they are when the list of nodes moves. */
    struct node node = x->g->nodes[index];
    enum status s;

    if (++x->depth > MAX_DEPTH)
        return expansion_refuse(x, &node, e, "bodies are nested too deep");
    if (strcmp(node.op_type, "If") == 0)
        s = expand_if(x, &node, e);
    else if (strcmp(node.op_type, "Loop") == 0)
        s = expand_loop(x, &node, e);
    else
        s = expand_scan(x, &node, e);
    x->g->nodes[index].removed = true;
    x->depth--;
    return s;
}

static void learn_inputs(struct expansion *x)
{
    const struct graph *g = x->g;

    for (size_t i = 0; i < g->n_values; i++) {
        const struct value *v = &g->values[i];
        bool fixed = v->is_input && v->is_shaped;

        for (unsigned d = 0; fixed && d < v->tensor.shape.rank; d++)
            fixed = v->tensor.shape.dims[d] >= 0;
        if (v->is_constant || fixed)
            x->known[i] = v->tensor;
    }
}

enum status graph_expand(struct graph *g, struct error *e)
{
    struct expansion x = {.g = g, .budget = FOLD_BUDGET};
    size_t n = g->n_nodes;
    bool any = false;
    enum status s;

    for (size_t i = 0; i < n; i++)
        any = any || g->nodes[i].op->flags & OP_CONTROL;
    if (!any)
        return STATUS_OK;
    s = make_room(&x, e);
    if (s == STATUS_OK)
        learn_inputs(&x);
    for (size_t i = 0; i < n && s == STATUS_OK; i++)
        s = g->nodes[i].op->flags & OP_CONTROL ? expand_node(&x, i, e) : learn(&x, i, e);
    free(x.known);
    if (s != STATUS_OK)
        return s;
    graph_drop_removed(g);
    return graph_link(g, e);
}

static enum status control_infer(struct call *c, struct error *e)
{
    return call_error(c, e, STATUS_UNSUPPORTED, "its course is known only at run time");
}

#define CONTROL(op_name, first_opset, inputs)                                                                          \
    {                                                                                                                  \
        .name = op_name, .since = first_opset, .min_in = inputs, .max_in = OP_ANY_COUNT, .min_out = 0,                 \
        .max_out = OP_ANY_COUNT, .flags = OP_CONTROL, .infer = control_infer                                           \
    }

static const struct op control_ops[] = {
    CONTROL("If", 1, 1),
    CONTROL("Loop", 1, 0),
    CONTROL("Scan", 9, 1),
};

const struct op_group ops_control = {control_ops, sizeof(control_ops) / sizeof(control_ops[0])};
