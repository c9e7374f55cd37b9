/* One node of a graph by itself: its attributes, found, copied and freed. */
#include <stdlib.h>
#include <string.h>

#include "models/graph.h"

static void attribute_clear(struct attribute *a)
{
    free(a->name);
    free(a->s);
    free(a->t.data);
    free(a->floats);
    free(a->ints);
    for (size_t i = 0; a->strings && i < a->n; i++)
        free(a->strings[i]);
    free(a->strings);
    graph_close(&a->g); /* as deep as the reader lets graphs nest */
}

void node_clear(struct node *node)
{
    for (size_t i = 0; node->attributes && i < node->n_attributes; i++)
        attribute_clear(&node->attributes[i]);
    free(node->attributes);
    free(node->name);
    free(node->op_type);
    free(node->domain);
    free(node->in);
    free(node->out);
    free(node->prepared);
    memset(node, 0, sizeof(*node));
}

const struct attribute *node_attribute(const struct node *node, const char *name)
{
    for (size_t i = 0; i < node->n_attributes; i++) {
        if (strcmp(node->attributes[i].name, name) == 0)
            return &node->attributes[i];
    }
    return NULL;
}

static size_t tensor_bytes(const struct tensor *t)
{
    size_t bytes = 0;

    return t->data && tensor_shape_bytes(&t->shape, t->type, &bytes) ? bytes : 0;
}

size_t node_attribute_bytes(const struct node *node)
{
    size_t bytes = 0;

    for (size_t i = 0; i < node->n_attributes; i++) {
        const struct attribute *a = &node->attributes[i];

        bytes += tensor_bytes(&a->t) + a->n * sizeof(int64_t) + (a->s ? strlen(a->s) : 0) + sizeof(*a);
        for (size_t k = 0; a->strings && k < a->n; k++)
            bytes += strlen(a->strings[k]);
    }
    return bytes;
}

/* False: out of memory. `to` can be cleared either way. */
static bool attribute_copy(const struct attribute *from, struct attribute *to)
{
    size_t bytes = tensor_bytes(&from->t);

    to->name = strdup(from->name);
    to->kind = from->kind;
    to->f = from->f;
    to->i = from->i;
    if (from->g) {
        to->g = from->g;
        to->g->n_owners++;
    }
    if (from->s && !(to->s = strdup(from->s)))
        return false;
    if (from->t.data) {
        to->t = from->t;
        to->t.data = tensor_memory(bytes);
        if (!to->t.data)
            return false;
        memcpy(to->t.data, from->t.data, bytes);
    }
    if (from->floats) {
        to->floats = calloc(from->n + 1, sizeof(*to->floats));
        if (!to->floats)
            return false;
        memcpy(to->floats, from->floats, from->n * sizeof(*to->floats));
    }
    if (from->ints) {
        to->ints = calloc(from->n + 1, sizeof(*to->ints));
        if (!to->ints)
            return false;
        memcpy(to->ints, from->ints, from->n * sizeof(*to->ints));
    }
    if (from->strings) {
        to->strings = calloc(from->n + 1, sizeof(*to->strings));
        if (!to->strings)
            return false;
    }
    to->n = from->n;
    for (size_t i = 0; from->strings && i < from->n; i++) {
        to->strings[i] = strdup(from->strings[i]);
        if (!to->strings[i])
            return false;
    }
    return to->name != NULL;
}

enum status node_copy(const struct node *from, struct node *ret_node, struct error *e)
{
    struct node node = {.name = strdup(from->name),
                        .op_type = strdup(from->op_type),
                        .domain = strdup(from->domain),
                        .attributes = calloc(from->n_attributes + 1, sizeof(*node.attributes)),
                        .n_captured = from->n_captured};
    bool whole = node.name && node.op_type && node.domain && node.attributes;

    for (size_t i = 0; whole && i < from->n_attributes; i++) {
        whole = attribute_copy(&from->attributes[i], &node.attributes[i]);
        node.n_attributes++;
    }
    if (!whole) {
        node_clear(&node);
        return error_no_memory(e);
    }
    *ret_node = node;
    return STATUS_OK;
}
