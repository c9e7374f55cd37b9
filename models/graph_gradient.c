#include "models/graph_gradient.h"

#include <stdlib.h>
#include <string.h>

#include "models/op.h"

/* A file's gradients, and the nodes of one: what a hostile file can make grow. */
enum { MAX_GRADIENTS = 16, MAX_ADDED_NODES = 8192 };

enum status gradient_emit(struct gradient *x, const char *op_type, const size_t *in, size_t n_in, size_t *ret_out,
                          struct error *e)
{
    struct node *node;
    size_t out;
    enum status s = graph_new_value(x->g, "gradient", &out, e);

    if (s == STATUS_OK)
        s = graph_add_node(x->g, &node, e);
    if (s != STATUS_OK)
        return s;
    node->name = strdup(x->name);
    node->op_type = strdup(op_type);
    node->domain = strdup(strcmp(op_type, "SumToShape") == 0 ? GRADIENT_OWN_DOMAIN : "");
    node->in = calloc(n_in + 1, sizeof(*node->in));
    node->out = calloc(1, sizeof(*node->out));
    node->attributes = calloc(1, sizeof(*node->attributes));
    if (!node->name || !node->op_type || !node->domain || !node->in || !node->out || !node->attributes)
        return error_no_memory(e);
    memcpy(node->in, in, n_in * sizeof(*in));
    node->n_in = n_in;
    node->out[0] = out;
    node->n_out = 1;
    *ret_out = out;
    return STATUS_OK;
}

static struct attribute *last_attribute(struct gradient *x, const char *name, enum attribute_kind kind)
{
    struct node *node = &x->g->nodes[x->g->n_nodes - 1];

    node->attributes[0] = (struct attribute){.name = strdup(name), .kind = kind};
    node->n_attributes = 1;
    return &node->attributes[0];
}

enum status gradient_set_text(struct gradient *x, const char *name, const char *text, struct error *e)
{
    struct attribute *a = last_attribute(x, name, ATTRIBUTE_STRING);

    a->s = strdup(text);
    return a->name && a->s ? STATUS_OK : error_no_memory(e);
}

enum status gradient_set_ints(struct gradient *x, const char *name, const int64_t *ints, size_t n, struct error *e)
{
    struct attribute *a = last_attribute(x, name, ATTRIBUTE_INTS);

    a->ints = calloc(n + 1, sizeof(*a->ints));
    if (!a->name || !a->ints)
        return error_no_memory(e);
    memcpy(a->ints, ints, n * sizeof(*ints));
    a->n = n;
    return STATUS_OK;
}

enum status gradient_number(struct gradient *x, float number, size_t *ret_out, struct error *e)
{
    struct tensor t = {.type = TENSOR_F32};
    enum status s = tensor_allocate(&t, e);

    if (s != STATUS_OK)
        return s;
    *(float *)t.data = number;
    s = graph_new_value(x->g, "number", ret_out, e);
    if (s != STATUS_OK) {
        free(t.data);
        return s;
    }
    x->g->values[*ret_out].tensor = t;
    x->g->values[*ret_out].is_constant = x->g->values[*ret_out].is_shaped = true;
    return STATUS_OK;
}

enum status gradient_fill(struct gradient *x, size_t like, float number, size_t *ret_out, struct error *e)
{
    size_t in[2] = {GRAPH_NO_VALUE, GRAPH_NO_VALUE};
    enum status s = gradient_emit(x, "Shape", &like, 1, &in[1], e);

    if (s == STATUS_OK)
        s = gradient_number(x, number, &in[0], e);
    return s == STATUS_OK ? gradient_emit(x, "Expand", in, 2, ret_out, e) : s;
}

/* One Gradient: what it differentiates, as nodes in order, and what is known of each value. */
struct work {
    struct gradient x;
    const struct node *node; /* a copy of the Gradient node's head, its lists borrowed */
    const char *const *xs, *const *zs;
    size_t n_xs, n_zs, y;
    size_t n_values; /* of the graph, before anything was added */
    size_t *map;  /* the value that stands for a value of the graph; GRAPH_NO_VALUE: itself, it does not depend on xs */
    bool *needed; /* y depends on it */
    size_t *path, n_path; /* nodes between, in order; those of the graph, or copies */
};

static enum status refuse(const struct work *w, struct error *e, enum status s, const char *why)
{
    return graph_node_error(w->x.g->path, w->node, e, s, "%s", why);
}

static size_t find_value(const struct graph *g, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(g->values[i].name, name) == 0)
            return i;
    }
    return GRAPH_NO_VALUE;
}

/* Attributes and inputs: each name of xs, then of zs, stands beside the input that takes its place. */
static enum status read_names(struct work *w, struct error *e)
{
    const struct attribute *xs = node_attribute(w->node, "xs"), *zs = node_attribute(w->node, "zs");
    const struct attribute *y = node_attribute(w->node, "y");
    size_t n;

    if (!xs || xs->kind != ATTRIBUTE_STRINGS || !y || y->kind != ATTRIBUTE_STRING ||
        (zs && zs->kind != ATTRIBUTE_STRINGS))
        return refuse(w, e, STATUS_CORRUPT, "needs names: xs, y and perhaps zs");
    w->xs = (const char *const *)xs->strings;
    w->n_xs = xs->n;
    w->zs = zs ? (const char *const *)zs->strings : NULL;
    w->n_zs = zs ? zs->n : 0;
    if (w->n_xs == 0 || w->node->n_in != w->n_xs + w->n_zs || w->node->n_out > w->n_xs)
        return refuse(w, e, STATUS_CORRUPT, "has another number of inputs or outputs than of names");
    n = w->n_values;
    w->y = find_value(w->x.g, n, y->s);
    if (w->y >= n)
        return refuse(w, e, STATUS_CORRUPT, "y names no value");
    for (size_t i = 0; i < w->node->n_in; i++) {
        size_t v = find_value(w->x.g, n, i < w->n_xs ? w->xs[i] : w->zs[i - w->n_xs]);

        if (v >= n || w->node->in[i] == GRAPH_NO_VALUE)
            return refuse(w, e, STATUS_CORRUPT, "xs or zs name no value");
        w->map[v] = w->node->in[i];
    }
    return STATUS_OK;
}

/* Which values y needs, as far back as xs and zs. Nodes are in order. */
static void find_needed(struct work *w)
{
    const struct graph *g = w->x.g;

    w->needed[w->y] = true;
    for (size_t i = g->n_nodes; i-- > 0;) {
        const struct node *node = &g->nodes[i];
        bool used = false;

        for (size_t k = 0; k < node->n_out; k++)
            used = used || (node->out[k] != GRAPH_NO_VALUE && w->needed[node->out[k]] &&
                            w->map[node->out[k]] == GRAPH_NO_VALUE);
        for (size_t k = 0; used && k < node->n_in; k++) {
            if (node->in[k] != GRAPH_NO_VALUE)
                w->needed[node->in[k]] = true;
        }
    }
}

/* The node with each value replaced by what stands for it, and new values for its outputs. */
static enum status copy_node(struct work *w, size_t index, struct error *e)
{
    struct graph *g = w->x.g;
    struct node copy = {0}, *to;
    enum status s = node_copy(&g->nodes[index], &copy, e);

    if (s != STATUS_OK)
        return s;
    copy.in = calloc(g->nodes[index].n_in + 1, sizeof(*copy.in));
    copy.out = calloc(g->nodes[index].n_out + 1, sizeof(*copy.out));
    s = copy.in && copy.out ? STATUS_OK : error_no_memory(e);
    for (size_t k = 0; s == STATUS_OK && k < g->nodes[index].n_in; k++) {
        size_t v = g->nodes[index].in[k];

        copy.in[copy.n_in++] = v == GRAPH_NO_VALUE || w->map[v] == GRAPH_NO_VALUE ? v : w->map[v];
    }
    for (size_t k = 0; s == STATUS_OK && k < g->nodes[index].n_out; k++) {
        size_t v = g->nodes[index].out[k];

        copy.out[copy.n_out] = GRAPH_NO_VALUE;
        if (v != GRAPH_NO_VALUE)
            s = graph_new_value(g, "again", &copy.out[copy.n_out], e);
        if (s == STATUS_OK && v != GRAPH_NO_VALUE)
            w->map[v] = copy.out[copy.n_out];
        copy.n_out++;
    }
    if (s == STATUS_OK)
        s = graph_add_node(g, &to, e);
    if (s != STATUS_OK) {
        node_clear(&copy);
        return s;
    }
    *to = copy;
    w->path[w->n_path++] = g->n_nodes - 1;
    return STATUS_OK;
}

/* The nodes between xs and y. With xs and zs as they are, those of the graph; else copies over the inputs. */
static enum status find_path(struct work *w, struct error *e)
{
    struct graph *g = w->x.g;
    size_t n = g->n_nodes;
    bool again = false;
    enum status s = STATUS_OK;

    for (size_t v = 0; v < w->n_values; v++)
        again = again || (w->map[v] != GRAPH_NO_VALUE && w->map[v] != v);
    for (size_t i = 0; i < n && s == STATUS_OK; i++) {
        const struct node *node = &g->nodes[i];
        bool depends = false, used = false;

        for (size_t k = 0; k < node->n_in; k++)
            depends = depends || (node->in[k] != GRAPH_NO_VALUE && w->map[node->in[k]] != GRAPH_NO_VALUE);
        for (size_t k = 0; k < node->n_out; k++)
            used = used || (node->out[k] != GRAPH_NO_VALUE && w->needed[node->out[k]] &&
                            w->map[node->out[k]] == GRAPH_NO_VALUE);
        if (!depends || !used)
            continue;
        if (w->n_path >= MAX_ADDED_NODES)
            return refuse(w, e, STATUS_UNSUPPORTED, "too many nodes lie between xs and y");
        if (again) {
            s = copy_node(w, i, e);
            continue;
        }
        for (size_t k = 0; k < node->n_out; k++) {
            if (node->out[k] != GRAPH_NO_VALUE)
                w->map[node->out[k]] = node->out[k];
        }
        w->path[w->n_path++] = i;
    }
    return s;
}

/* What derivatives were found by, as a list that grows with the graph. */
struct found {
    size_t *of, n; /* of[v]: the derivative by value v */
};

static enum status found_room(struct found *f, size_t n, struct error *e)
{
    size_t *of;

    if (n <= f->n)
        return STATUS_OK;
    n *= 2;
    of = realloc(f->of, n * sizeof(*of));
    if (!of)
        return error_no_memory(e);
    for (size_t i = f->n; i < n; i++)
        of[i] = GRAPH_NO_VALUE;
    f->of = of;
    f->n = n;
    return STATUS_OK;
}

static enum status add_to(struct work *w, struct found *f, size_t value, size_t part, struct error *e)
{
    size_t in[2] = {f->of[value], part};

    if (part == GRAPH_NO_VALUE)
        return STATUS_OK;
    if (in[0] == GRAPH_NO_VALUE) {
        f->of[value] = part;
        return STATUS_OK;
    }
    return gradient_emit(&w->x, "Add", in, 2, &f->of[value], e);
}

/* active: one a value of the graph and of its copies, whether it depends on xs. */
static enum status pass_back(struct work *w, struct found *f, const bool *active, size_t n_active, size_t index,
                             struct error *e)
{
    struct graph *g = w->x.g;
    /* Its lists stay where they are when nodes move. */
    const struct node node = g->nodes[index];
    enum status s = STATUS_OK;

    for (size_t k = 1; k < node.n_out; k++) {
        if (node.out[k] != GRAPH_NO_VALUE && f->of[node.out[k]] != GRAPH_NO_VALUE)
            return graph_node_error(g->path, &node, e, STATUS_UNSUPPORTED,
                                    "the gradient of %.60s's output %zu is not supported", node.op_type, k);
    }
    if (node.out[0] == GRAPH_NO_VALUE || f->of[node.out[0]] == GRAPH_NO_VALUE)
        return STATUS_OK;
    for (size_t k = 0; k < node.n_in && s == STATUS_OK; k++) {
        size_t part;

        if (node.in[k] == GRAPH_NO_VALUE || node.in[k] >= n_active || !active[node.in[k]])
            continue;
        if (g->n_nodes >= GRAPH_MAX_NODES / 2)
            return refuse(w, e, STATUS_UNSUPPORTED, "its graph would grow beyond bounds");
        s = gradient_of_input(&w->x, &node, k, f->of[node.out[0]], &part, e);
        if (s == STATUS_OK)
            s = add_to(w, f, node.in[k], part, e);
    }
    return s;
}

/* The derivative by each of xs becomes the Gradient node's output. */
static enum status write_outputs(struct work *w, const struct found *f, struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; i < w->node->n_out && s == STATUS_OK; i++) {
        size_t in = w->node->in[i], of = in < f->n ? f->of[in] : GRAPH_NO_VALUE, unused;

        if (w->node->out[i] == GRAPH_NO_VALUE)
            continue;
        if (of == GRAPH_NO_VALUE)
            s = gradient_fill(&w->x, in, 0.0f, &of, e);
        if (s == STATUS_OK)
            s = gradient_emit(&w->x, "Identity", &of, 1, &unused, e);
        if (s == STATUS_OK)
            w->x.g->nodes[w->x.g->n_nodes - 1].out[0] = w->node->out[i];
    }
    return s;
}

/* Operators whose output does not change where their inputs do a little. */
static bool is_flat(const struct node *node)
{
    static const char *const names[] = {"Shape", "Size", "Greater", "Less", "Equal", "Sign", "Floor", "Ceil", "Round"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(node->op_type, names[i]) == 0)
            return true;
    }
    return false;
}

static enum status differentiate(struct work *w, struct error *e)
{
    struct graph *g = w->x.g;
    struct found f = {0};
    size_t y = w->map[w->y] == GRAPH_NO_VALUE ? w->y : w->map[w->y], n_active = g->n_values;
    bool *active = calloc(n_active + 1, sizeof(*active));
    enum status s = active ? found_room(&f, n_active, e) : error_no_memory(e);

    if (s != STATUS_OK)
        goto end;
    for (size_t i = 0; i < w->n_xs; i++)
        active[w->node->in[i]] = true;
    for (size_t i = 0; i < w->n_path; i++) {
        const struct node *node = &g->nodes[w->path[i]];
        bool any = false;

        for (size_t k = 0; k < node->n_in && !is_flat(node); k++)
            any = any || (node->in[k] != GRAPH_NO_VALUE && active[node->in[k]]);
        for (size_t k = 0; any && k < node->n_out; k++) {
            if (node->out[k] != GRAPH_NO_VALUE)
                active[node->out[k]] = true;
        }
    }
    if (active[y])
        s = gradient_fill(&w->x, y, 1.0f, &f.of[y], e);
    for (size_t i = w->n_path; i-- > 0 && s == STATUS_OK;)
        s = pass_back(w, &f, active, n_active, w->path[i], e);
    if (s == STATUS_OK)
        s = write_outputs(w, &f, e);
end:
    free(active);
    free(f.of);
    return s;
}

static enum status replace_gradient(struct graph *g, size_t index, struct error *e)
{
    /* Its lists stay where they are when nodes move. */
    const struct node node = g->nodes[index];
    struct work w = {.x = {.g = g, .name = node.name}, .node = &node, .n_values = g->n_values};
    enum status s;

    w.map = calloc(w.n_values + 1, sizeof(*w.map));
    w.needed = calloc(w.n_values + 1, sizeof(*w.needed));
    w.path = calloc(MAX_ADDED_NODES, sizeof(*w.path));
    s = w.map && w.needed && w.path ? STATUS_OK : error_no_memory(e);
    for (size_t i = 0; s == STATUS_OK && i < w.n_values; i++)
        w.map[i] = GRAPH_NO_VALUE;
    if (s == STATUS_OK)
        s = read_names(&w, e);
    if (s == STATUS_OK) {
        find_needed(&w);
        s = find_path(&w, e);
    }
    if (s == STATUS_OK)
        s = differentiate(&w, e);
    free(w.map);
    free(w.needed);
    free(w.path);
    if (s != STATUS_OK)
        return s;
    g->nodes[index].removed = true;
    graph_drop_removed(g);
    return graph_link(g, e);
}

static size_t find_gradient(const struct graph *g)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (strcmp(g->nodes[i].op_type, "Gradient") == 0 && strcmp(g->nodes[i].domain, GRADIENT_DOMAIN) == 0)
            return i;
    }
    return GRAPH_NO_VALUE;
}

enum status graph_differentiate(struct graph *g, struct error *e)
{
    size_t index = find_gradient(g);

    for (unsigned n = 0; index != GRAPH_NO_VALUE; n++) {
        enum status s;

        if (n == MAX_GRADIENTS)
            return graph_node_error(g->path, &g->nodes[index], e, STATUS_UNSUPPORTED, "more than %d gradients",
                                    MAX_GRADIENTS);
        s = replace_gradient(g, index, e);
        if (s != STATUS_OK)
            return s;
        index = find_gradient(g);
    }
    return STATUS_OK;
}
