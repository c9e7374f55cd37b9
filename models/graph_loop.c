/* Loop and Scan, unrolled. */
#include <stdlib.h>
#include <string.h>

#include "models/graph_control.h"

static enum status new_number(struct expansion *x, enum tensor_type type, int64_t number, size_t *ret_value,
                              struct error *e)
{
    struct tensor t = {.type = type};
    enum status s = tensor_allocate(&t, e);

    if (s != STATUS_OK)
        return s;
    tensor_set_integer(&t, 0, number);
    return expansion_constant(x, "loop", &t, ret_value, e);
}

/* What the turns of a loop give one after the other: [output][turn]. */
struct series {
    size_t n_outputs, n_turns, room;
    size_t *values;
};

static enum status series_add(struct series *r, struct expansion *x, struct copy *c, size_t first_output,
                              struct error *e)
{
    if (r->n_turns == r->room) {
        size_t room = r->room ? 2 * r->room : 16;
        size_t *values = realloc(r->values, (room * r->n_outputs + 1) * sizeof(*values));

        if (!values)
            return error_no_memory(e);
        r->values = values;
        r->room = room;
    }
    for (size_t i = 0; i < r->n_outputs; i++) {
        enum status s =
            copy_value(x, c, c->body->outputs[first_output + i], &r->values[r->n_turns * r->n_outputs + i], e);

        if (s != STATUS_OK)
            return s;
    }
    r->n_turns++;
    return expansion_spend(x, c->node, r->n_outputs * sizeof(size_t), e);
}

/* A loop without a turn gives an empty tensor, whose other dimensions only the body's declaration can tell. */
static enum status empty_series(struct expansion *x, const struct copy *c, size_t body_output, int64_t axis, size_t out,
                                struct error *e)
{
    const struct value *declared = &c->body->values[c->body->outputs[body_output]];
    struct tensor t = {.type = declared->tensor.type, .shape = {.rank = declared->tensor.shape.rank + 1}};
    size_t value;
    enum status s;

    if (axis < 0)
        axis += (int64_t)t.shape.rank;
    if (!declared->is_shaped || t.type == 0 || t.shape.rank > TENSOR_MAX_RANK || axis < 0 ||
        axis >= (int64_t)t.shape.rank)
        return expansion_refuse(x, c->node, e,
                                "it has no turn, and the file does not tell the shape of what it collects");
    for (unsigned d = 0, from = 0; d < t.shape.rank; d++)
        t.shape.dims[d] = d == (unsigned)axis ? 0 : declared->tensor.shape.dims[from++];
    for (unsigned d = 0; d < t.shape.rank; d++)
        t.shape.dims[d] = t.shape.dims[d] < 0 ? 0 : t.shape.dims[d];
    s = tensor_allocate(&t, e);
    if (s == STATUS_OK)
        s = expansion_constant(x, "none", &t, &value, e);
    return s == STATUS_OK ? expansion_pass(x, value, out, e) : s;
}

/* Stacks output `index` of all turns along a new axis; backwards: the last turn first. */
static enum status join_series(struct expansion *x, const struct copy *c, const struct series *r, size_t index,
                               int64_t axis, bool backwards, size_t out, struct error *e)
{
    size_t *parts;
    enum status s = STATUS_OK;

    if (out == GRAPH_NO_VALUE)
        return STATUS_OK;
    if (r->n_turns > GRAPH_MAX_PORTS)
        return graph_node_error(x->g->path, c->node, e, STATUS_UNSUPPORTED,
                                "collects from %zu turns, at most %d are "
                                "supported",
                                r->n_turns, GRAPH_MAX_PORTS);
    parts = calloc(r->n_turns + 1, sizeof(*parts));
    if (!parts)
        return error_no_memory(e);
    for (size_t i = 0; i < r->n_turns && s == STATUS_OK; i++) {
        size_t turn = backwards ? r->n_turns - 1 - i : i;

        s = expansion_value(x, "turn", &parts[i], e);
        if (s == STATUS_OK)
            s = expansion_node(x, "Unsqueeze", &r->values[turn * r->n_outputs + index], 1, parts[i], "axes",
                               ATTRIBUTE_INTS, axis, e);
    }
    if (s == STATUS_OK)
        s = expansion_node(x, "Concat", parts, r->n_turns, out, "axis", ATTRIBUTE_INT, axis, e);
    free(parts);
    return s;
}

/* One turn of a Loop; state: the values carried, before and after. */
static enum status loop_turn(struct expansion *x, struct copy *c, int64_t turn, size_t n_carried, size_t *state,
                             struct series *r, bool *ret_goes_on, struct error *e)
{
    const struct graph *body = c->body;
    size_t number, go, after;
    enum status s = copy_again(x, c, e);

    if (s == STATUS_OK)
        s = new_number(x, TENSOR_I64, turn, &number, e);
    if (s == STATUS_OK)
        s = new_number(x, TENSOR_BOOL, 1, &go, e);
    if (s != STATUS_OK)
        return s;
    c->map[body->inputs[0]] = number;
    c->map[body->inputs[1]] = go;
    for (size_t i = 0; i < n_carried; i++)
        c->map[body->inputs[2 + i]] = state[i];
    s = copy_body(x, c, e);
    for (size_t i = 0; i < n_carried && s == STATUS_OK; i++)
        s = copy_value(x, c, body->outputs[1 + i], &state[i], e);
    if (s == STATUS_OK)
        s = series_add(r, x, c, 1 + n_carried, e);
    if (s == STATUS_OK)
        s = copy_value(x, c, body->outputs[0], &after, e);
    if (s != STATUS_OK)
        return s;
    if (x->known[after].type != TENSOR_BOOL || !x->known[after].data || tensor_count(&x->known[after]) != 1)
        return graph_node_error(x->g->path, c->node, e, STATUS_UNSUPPORTED,
                                "whether it goes on after turn %lld is known only at run time", (long long)turn);
    *ret_goes_on = tensor_integer(&x->known[after], 0) != 0;
    return STATUS_OK;
}

enum status expand_loop(struct expansion *x, const struct node *node, struct error *e)
{
    size_t formal = node->n_in - node->n_captured, n_carried = formal >= 2 ? formal - 2 : 0;
    int64_t turns = INT64_MAX, condition = 1;
    struct copy c = {0};
    struct series r = {0};
    size_t *state = NULL;
    bool goes_on;
    enum status s;

    if (formal < 2 || node->n_out < n_carried)
        return graph_node_error(x->g->path, node, e, STATUS_CORRUPT, "%zu inputs and %zu outputs do not fit", formal,
                                node->n_out);
    if (node->in[0] != GRAPH_NO_VALUE && !expansion_number(x, node, 0, &turns))
        return expansion_refuse(x, node, e, "its number of turns is known only at run time");
    if (node->in[1] != GRAPH_NO_VALUE && !expansion_number(x, node, 1, &condition))
        return expansion_refuse(x, node, e, "its condition is known only at run time");
    s = copy_open(x, node, "body", &c, e);
    if (s == STATUS_OK)
        s = copy_check(x, &c, 2 + n_carried, 1 + node->n_out, e);
    if (s != STATUS_OK)
        goto end;
    r.n_outputs = node->n_out - n_carried;
    state = calloc(n_carried + 1, sizeof(*state));
    if (!state) {
        s = error_no_memory(e);
        goto end;
    }
    for (size_t i = 0; i < n_carried; i++)
        state[i] = node->in[2 + i];
    goes_on = condition != 0;
    for (int64_t turn = 0; turn < turns && goes_on && s == STATUS_OK; turn++)
        s = loop_turn(x, &c, turn, n_carried, state, &r, &goes_on, e);
    for (size_t i = 0; i < node->n_out && s == STATUS_OK; i++) {
        if (i < n_carried)
            s = state[i] == GRAPH_NO_VALUE ? STATUS_OK : expansion_pass(x, state[i], node->out[i], e);
        else if (r.n_turns == 0)
            s = empty_series(x, &c, 1 + i, 0, node->out[i], e);
        else
            s = join_series(x, &c, &r, i - n_carried, 0, false, node->out[i], e);
    }
end:
    free(c.map);
    free(r.values);
    free(state);
    return s;
}

/* Element i of an integer list attribute of `n` values, 0 where the node has none. */
static enum status list_at(const struct expansion *x, const struct node *node, const char *name, size_t n, size_t i,
                           int64_t *ret_value, struct error *e)
{
    const struct attribute *a = node_attribute(node, name);

    *ret_value = 0;
    if (!a)
        return STATUS_OK;
    if (a->kind != ATTRIBUTE_INTS || a->n != n)
        return graph_node_error(x->g->path, node, e, STATUS_CORRUPT, "%s must hold %zu values", name, n);
    *ret_value = a->ints[i];
    return STATUS_OK;
}

/* The slices that a turn of Scan reads. */
static enum status scan_inputs(struct expansion *x, struct copy *c, size_t n_state, size_t n_scan, int64_t turn,
                               int64_t length, struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; i < n_scan && s == STATUS_OK; i++) {
        int64_t axis, backwards;
        size_t in[2] = {c->node->in[n_state + i], 0}, slice;

        s = list_at(x, c->node, "scan_input_axes", n_scan, i, &axis, e);
        if (s == STATUS_OK)
            s = list_at(x, c->node, "scan_input_directions", n_scan, i, &backwards, e);
        if (s == STATUS_OK)
            s = new_number(x, TENSOR_I64, backwards ? length - 1 - turn : turn, &in[1], e);
        if (s == STATUS_OK)
            s = expansion_value(x, "slice", &slice, e);
        if (s == STATUS_OK)
            s = expansion_node(x, "Gather", in, 2, slice, "axis", ATTRIBUTE_INT, axis, e);
        if (s == STATUS_OK)
            c->map[c->body->inputs[n_state + i]] = slice;
    }
    return s;
}

/* The length that all scanned inputs share. */
static enum status scan_length(const struct expansion *x, const struct node *node, size_t n_state, size_t n_scan,
                               int64_t *ret_length, struct error *e)
{
    for (size_t i = 0; i < n_scan; i++) {
        const struct tensor *t = &x->known[node->in[n_state + i]];
        int64_t axis;
        enum status s = list_at(x, node, "scan_input_axes", n_scan, i, &axis, e);

        if (s != STATUS_OK)
            return s;
        if (t->type == 0)
            return expansion_refuse(x, node, e, "the length that it scans is known only at run time");
        axis += axis < 0 ? (int64_t)t->shape.rank : 0;
        if (axis < 0 || axis >= (int64_t)t->shape.rank)
            return graph_node_error(x->g->path, node, e, STATUS_CORRUPT, "axis %lld is outside rank %u",
                                    (long long)axis, t->shape.rank);
        if (i > 0 && t->shape.dims[axis] != *ret_length)
            return graph_node_error(x->g->path, node, e, STATUS_CORRUPT, "scans %lld and %lld elements",
                                    (long long)*ret_length, (long long)t->shape.dims[axis]);
        *ret_length = t->shape.dims[axis];
    }
    return STATUS_OK;
}

enum status expand_scan(struct expansion *x, const struct node *node, struct error *e)
{
    const struct attribute *count = node_attribute(node, "num_scan_inputs");
    size_t formal = node->n_in - node->n_captured, n_scan, n_state;
    int64_t length = 0;
    struct copy c = {0};
    struct series r = {0};
    size_t *state = NULL;
    enum status s;

    if (!count || count->kind != ATTRIBUTE_INT || count->i < 1 || (uint64_t)count->i > formal)
        return graph_node_error(x->g->path, node, e, STATUS_CORRUPT, "num_scan_inputs does not fit %zu inputs", formal);
    n_scan = (size_t)count->i;
    n_state = formal - n_scan;
    for (size_t i = 0; i < formal; i++) {
        if (node->in[i] == GRAPH_NO_VALUE || node->n_out < n_state)
            return graph_node_error(x->g->path, node, e, STATUS_CORRUPT, "inputs or outputs are absent");
    }
    s = scan_length(x, node, n_state, n_scan, &length, e);
    if (s == STATUS_OK)
        s = copy_open(x, node, "body", &c, e);
    if (s == STATUS_OK)
        s = copy_check(x, &c, formal, node->n_out, e);
    if (s != STATUS_OK)
        goto end;
    r.n_outputs = node->n_out - n_state;
    state = calloc(n_state + 1, sizeof(*state));
    if (!state) {
        s = error_no_memory(e);
        goto end;
    }
    for (size_t i = 0; i < n_state; i++)
        state[i] = node->in[i];
    for (int64_t turn = 0; turn < length && s == STATUS_OK; turn++) {
        s = copy_again(x, &c, e);
        if (s == STATUS_OK)
            s = scan_inputs(x, &c, n_state, n_scan, turn, length, e);
        for (size_t i = 0; i < n_state && s == STATUS_OK; i++)
            c.map[c.body->inputs[i]] = state[i];
        if (s == STATUS_OK)
            s = copy_body(x, &c, e);
        for (size_t i = 0; i < n_state && s == STATUS_OK; i++)
            s = copy_value(x, &c, c.body->outputs[i], &state[i], e);
        if (s == STATUS_OK)
            s = series_add(&r, x, &c, n_state, e);
    }
    for (size_t i = 0; i < node->n_out && s == STATUS_OK; i++) {
        int64_t axis = 0, backwards = 0;

        if (i < n_state) {
            s = expansion_pass(x, state[i], node->out[i], e);
            continue;
        }
        s = list_at(x, node, "scan_output_axes", r.n_outputs, i - n_state, &axis, e);
        if (s == STATUS_OK)
            s = list_at(x, node, "scan_output_directions", r.n_outputs, i - n_state, &backwards, e);
        if (s == STATUS_OK && r.n_turns == 0)
            s = empty_series(x, &c, i, axis, node->out[i], e);
        else if (s == STATUS_OK)
            s = join_series(x, &c, &r, i - n_state, axis, backwards != 0, node->out[i], e);
    }
end:
    free(c.map);
    free(r.values);
    free(state);
    return s;
}
