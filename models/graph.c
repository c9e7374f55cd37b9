#include "models/graph.h"

#include <stdlib.h>
#include <string.h>

#include "models/op.h"

struct graph *graph_open(const char *path)
{
    struct graph *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    g->n_owners = 1;
    g->path = strdup(path);
    if (!g->path)
        graph_close(&g);
    return g;
}

void graph_close(struct graph **g)
{
    struct graph *x = *g;

    *g = NULL;
    if (!x || --x->n_owners > 0)
        return;
    for (size_t i = 0; i < x->n_nodes; i++)
        node_clear(&x->nodes[i]);
    for (size_t i = 0; i < x->n_values; i++) {
        free(x->values[i].name);
        free(x->values[i].tensor.data);
    }
    free(x->nodes);
    free(x->values);
    free(x->inputs);
    free(x->outputs);
    free(x->captures);
    free(x->buckets);
    free(x->path);
    free(x);
}

static size_t hash_name(const char *name)
{
    size_t h = 14695981039346656037u; /* FNV-1a */

    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * 1099511628211u;
    return h;
}

/* The bucket that holds the name, or the empty one where it belongs. */
static size_t find_bucket(const struct graph *g, const char *name)
{
    size_t mask = g->room_values * 2 - 1, b = hash_name(name) & mask;

    while (g->buckets[b] != GRAPH_NO_VALUE && strcmp(g->values[g->buckets[b]].name, name) != 0)
        b = (b + 1) & mask;
    return b;
}

static enum status grow_values(struct graph *g, struct error *e)
{
    size_t room = g->room_values ? g->room_values * 2 : 64;
    struct value *values = realloc(g->values, room * sizeof(*values));
    size_t *buckets;

    if (!values)
        return error_no_memory(e);
    g->values = values;
    buckets = realloc(g->buckets, room * 2 * sizeof(*buckets));
    if (!buckets)
        return error_no_memory(e);
    g->buckets = buckets;
    g->room_values = room;
    for (size_t i = 0; i < room * 2; i++)
        buckets[i] = GRAPH_NO_VALUE;
    for (size_t i = 0; i < g->n_values; i++)
        buckets[find_bucket(g, g->values[i].name)] = i;
    return STATUS_OK;
}

enum status graph_value(struct graph *g, const char *name, size_t *ret_value, struct error *e)
{
    enum status s;
    struct value *v;
    size_t b;

    if (g->n_values == g->room_values) {
        if (g->n_values >= GRAPH_MAX_VALUES)
            return error_set(e, STATUS_UNSUPPORTED, "%s: more than %d values", g->path, GRAPH_MAX_VALUES);
        s = grow_values(g, e);
        if (s != STATUS_OK)
            return s;
    }
    b = find_bucket(g, name);
    if (g->buckets[b] != GRAPH_NO_VALUE) {
        *ret_value = g->buckets[b];
        return STATUS_OK;
    }
    v = &g->values[g->n_values];
    memset(v, 0, sizeof(*v));
    v->producer = GRAPH_NO_VALUE;
    v->name = strdup(name);
    if (!v->name)
        return error_no_memory(e);
    g->buckets[b] = g->n_values;
    *ret_value = g->n_values++;
    return STATUS_OK;
}

enum status graph_new_value(struct graph *g, const char *base, size_t *ret_value, struct error *e)
{
    /* Begins where names are likely free: many values share a base when a loop is unrolled. */
    for (size_t k = g->n_values;; k++) {
        size_t before = g->n_values;
        char name[160];
        enum status s;

        snprintf(name, sizeof(name), "%.100s#%zu", base, k);
        s = graph_value(g, name, ret_value, e);
        if (s != STATUS_OK || g->n_values > before)
            return s;
    }
}

enum status graph_add_node(struct graph *g, struct node **ret_node, struct error *e)
{
    if (g->n_nodes == g->room_nodes) {
        size_t room = g->room_nodes ? g->room_nodes * 2 : 64;
        struct node *nodes;

        if (g->n_nodes >= GRAPH_MAX_NODES)
            return error_set(e, STATUS_UNSUPPORTED, "%s: more than %d nodes", g->path, GRAPH_MAX_NODES);
        nodes = realloc(g->nodes, room * sizeof(*nodes));
        if (!nodes)
            return error_no_memory(e);
        g->nodes = nodes;
        g->room_nodes = room;
    }
    *ret_node = &g->nodes[g->n_nodes++];
    memset(*ret_node, 0, sizeof(**ret_node));
    return STATUS_OK;
}

enum status graph_node_error(const char *path, const struct node *node, struct error *e, enum status s,
                             const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    if (vsnprintf(text, sizeof(text), format, args) < 0)
        text[0] = '\0';
    va_end(args);
    return error_set(e, s, "%s: node '%.120s' (%.60s): %s", path, node->name, node->op_type, text);
}

enum status graph_check_node(const struct graph *g, struct node *node, struct error *e)
{
    const struct op *op;
    bool known = false;

    node->op = op = op_find(node->domain, node->op_type, g->opset, &known);
    if (!op && known)
        return graph_node_error(g->path, node, e, STATUS_UNSUPPORTED, "operator %.60s is not supported at opset %lld",
                                node->op_type, (long long)g->opset);
    if (!op)
        return graph_node_error(g->path, node, e, STATUS_UNSUPPORTED, "operator %.60s%s%.60s is not supported",
                                node->op_type, node->domain[0] ? " of domain " : "", node->domain);
    if (node->n_in < op->min_in || node->n_in > op->max_in)
        return graph_node_error(g->path, node, e, STATUS_CORRUPT, "has %zu inputs, must have %u to %u", node->n_in,
                                op->min_in, op->max_in);
    if (node->n_out < op->min_out || node->n_out > op->max_out)
        return graph_node_error(g->path, node, e, STATUS_CORRUPT, "has %zu outputs, must have %u to %u", node->n_out,
                                op->min_out, op->max_out);
    for (size_t i = 0; i < op->min_in; i++) {
        if (node->in[i] == GRAPH_NO_VALUE)
            return graph_node_error(g->path, node, e, STATUS_CORRUPT, "input %zu is absent", i);
    }
    for (size_t i = 0; i < op->min_out; i++) {
        if (node->out[i] == GRAPH_NO_VALUE)
            return graph_node_error(g->path, node, e, STATUS_CORRUPT, "output %zu is absent", i);
    }
    return STATUS_OK;
}

static enum status check_producers(struct graph *g, struct error *e)
{
    for (size_t i = 0; i < g->n_values; i++)
        g->values[i].producer = GRAPH_NO_VALUE;
    for (size_t i = 0; i < g->n_nodes; i++) {
        struct node *node = &g->nodes[i];
        enum status s = graph_check_node(g, node, e);

        if (s != STATUS_OK)
            return s;
        for (size_t k = 0; k < node->n_out; k++) {
            struct value *v;

            if (node->out[k] == GRAPH_NO_VALUE)
                continue;
            v = &g->values[node->out[k]];
            if (v->producer != GRAPH_NO_VALUE || v->is_input || v->is_constant)
                return graph_node_error(g->path, node, e, STATUS_CORRUPT, "writes '%.120s', which is written twice",
                                        v->name);
            v->producer = i;
        }
    }
    return STATUS_OK;
}

static enum status check_consumers(const struct graph *g, struct error *e)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        const struct node *node = &g->nodes[i];

        for (size_t k = 0; k < node->n_in; k++) {
            const struct value *v = node->in[k] == GRAPH_NO_VALUE ? NULL : &g->values[node->in[k]];

            if (v && v->producer == GRAPH_NO_VALUE && !v->is_input && !v->is_constant)
                return graph_node_error(g->path, node, e, STATUS_CORRUPT, "reads '%.120s', which nothing writes",
                                        v->name);
        }
    }
    for (size_t i = 0; i < g->n_outputs; i++) {
        const struct value *v = &g->values[g->outputs[i]];

        if (v->producer == GRAPH_NO_VALUE && !v->is_input && !v->is_constant)
            return error_set(e, STATUS_CORRUPT, "%s: nothing writes the output '%.120s'", g->path, v->name);
    }
    return STATUS_OK;
}

/* Depth first with an explicit stack: each node is pushed once, after its producers. Keeps a sorted file as
 * it is. */
static size_t sort_nodes(const struct graph *g, size_t *stack, size_t *next_in, bool *placed, bool *open, size_t *order)
{
    size_t n = 0;

    for (size_t root = 0; root < g->n_nodes; root++) {
        size_t depth = 0;

        if (placed[root])
            continue;
        stack[depth++] = root;
        open[root] = true;
        while (depth > 0) {
            size_t i = stack[depth - 1];
            const struct node *node = &g->nodes[i];
            size_t p = GRAPH_NO_VALUE;

            while (next_in[i] < node->n_in && p == GRAPH_NO_VALUE) {
                size_t v = node->in[next_in[i]++];

                p = v == GRAPH_NO_VALUE ? GRAPH_NO_VALUE : g->values[v].producer;
                if (p != GRAPH_NO_VALUE && placed[p])
                    p = GRAPH_NO_VALUE;
            }
            if (p == GRAPH_NO_VALUE) {
                placed[i] = true;
                order[n++] = i;
                depth--;
            } else if (open[p]) {
                return p;
            } else {
                open[p] = true;
                stack[depth++] = p;
            }
        }
    }
    return GRAPH_NO_VALUE;
}

enum status graph_link(struct graph *g, struct error *e)
{
    size_t n = g->n_nodes, culprit;
    size_t *stack = NULL, *next_in = NULL, *order = NULL;
    bool *placed = NULL, *open = NULL;
    struct node *sorted = NULL;
    enum status s = check_producers(g, e);

    if (s == STATUS_OK)
        s = check_consumers(g, e);
    if (s != STATUS_OK)
        return s;
    stack = calloc(n + 1, sizeof(*stack));
    next_in = calloc(n + 1, sizeof(*next_in));
    order = calloc(n + 1, sizeof(*order));
    placed = calloc(n + 1, sizeof(*placed));
    open = calloc(n + 1, sizeof(*open));
    sorted = calloc(n + 1, sizeof(*sorted));
    if (!stack || !next_in || !order || !placed || !open || !sorted) {
        s = error_no_memory(e);
        goto end;
    }
    culprit = sort_nodes(g, stack, next_in, placed, open, order);
    if (culprit != GRAPH_NO_VALUE) {
        s = graph_node_error(g->path, &g->nodes[culprit], e, STATUS_CORRUPT, "is part of a cycle");
        goto end;
    }
    for (size_t i = 0; i < n; i++)
        sorted[i] = g->nodes[order[i]];
    if (n > 0)
        memcpy(g->nodes, sorted, n * sizeof(*sorted));
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < g->nodes[i].n_out; k++) {
            if (g->nodes[i].out[k] != GRAPH_NO_VALUE)
                g->values[g->nodes[i].out[k]].producer = i;
        }
    }
end:
    free(stack);
    free(next_in);
    free(order);
    free(placed);
    free(open);
    free(sorted);
    return s;
}

void graph_drop_removed(struct graph *g)
{
    size_t n = 0;

    for (size_t i = 0; i < g->n_nodes; i++) {
        struct node node = g->nodes[i];

        memset(&g->nodes[i], 0, sizeof(g->nodes[i]));
        if (node.removed)
            node_clear(&node);
        else
            g->nodes[n++] = node;
    }
    g->n_nodes = n;
}

enum status graph_prune(struct graph *g, struct error *e)
{
    size_t n;
    bool *needed = calloc(g->n_values + 1, sizeof(*needed));

    if (!needed)
        return error_no_memory(e);
    for (size_t i = 0; i < g->n_outputs; i++)
        needed[g->outputs[i]] = true;
    for (size_t i = g->n_nodes; i-- > 0;) {
        struct node *node = &g->nodes[i];
        bool used = false;

        for (size_t k = 0; k < node->n_out; k++)
            used = used || (node->out[k] != GRAPH_NO_VALUE && needed[node->out[k]]);
        node->removed = node->removed || !used;
        for (size_t k = 0; !node->removed && k < node->n_in; k++) {
            if (node->in[k] != GRAPH_NO_VALUE)
                needed[node->in[k]] = true;
        }
    }
    for (size_t i = 0; i < g->n_values; i++) {
        g->values[i].n_uses = 0;
        g->values[i].producer = GRAPH_NO_VALUE;
    }
    graph_drop_removed(g);
    n = g->n_nodes;
    for (size_t i = 0; i < n; i++) {
        const struct node *node = &g->nodes[i];

        for (size_t k = 0; k < node->n_in; k++) {
            if (node->in[k] != GRAPH_NO_VALUE)
                g->values[node->in[k]].n_uses++;
        }
        for (size_t k = 0; k < node->n_out; k++) {
            if (node->out[k] != GRAPH_NO_VALUE)
                g->values[node->out[k]].producer = i;
        }
    }
    /* Outputs beyond an operator's first that nobody reads need not be computed. */
    for (size_t i = 0; i < n; i++) {
        for (size_t k = g->nodes[i].op->min_out; k < g->nodes[i].n_out; k++) {
            size_t v = g->nodes[i].out[k];

            if (v != GRAPH_NO_VALUE && g->values[v].n_uses == 0 && !g->values[v].is_output)
                g->nodes[i].out[k] = GRAPH_NO_VALUE;
        }
    }
    for (size_t i = 0; i < g->n_values; i++) {
        struct value *v = &g->values[i];

        if (v->is_constant && !v->is_output && v->n_uses == 0) {
            free(v->tensor.data);
            v->tensor.data = NULL;
            v->is_constant = false;
        }
    }
    free(needed);
    return STATUS_OK;
}
