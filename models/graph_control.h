/* graph_control: what graph_control.c and graph_loop.c share: a graph that is being expanded, and the copy of a body. */
#ifndef FAKESIFT_MODELS_GRAPH_CONTROL_H
#define FAKESIFT_MODELS_GRAPH_CONTROL_H

#include "models/step.h"

struct expansion {
    struct graph *g;
    struct tensor *known; /* one a value: type 0 = nothing is known; data = it is constant. Borrowed from the graph. */
    struct fold_budget budget;
    size_t room, cost_bytes, turns;
    unsigned depth;
};

/* One body being copied: map[v] is the value of the graph that the body's value v became. */
struct copy {
    const struct node *node; /* the control node, its lists borrowed */
    struct graph *body;
    size_t *map;
    size_t first_capture; /* in node->in */
};

enum status expansion_refuse(const struct expansion *x, const struct node *node, struct error *e, const char *why);
/* STATUS_UNSUPPORTED once all bodies together cost too much. */
enum status expansion_spend(struct expansion *x, const struct node *node, size_t bytes, struct error *e);
enum status expansion_value(struct expansion *x, const char *base, size_t *ret_value, struct error *e);
/* Takes t->data over, on failure too. */
enum status expansion_constant(struct expansion *x, const char *base, const struct tensor *t, size_t *ret_value,
                               struct error *e);
/* Input `index` when it is one constant number; false: it is not known. */
bool expansion_number(const struct expansion *x, const struct node *node, size_t index, int64_t *ret_number);
/* A node of our own making, over `out`. attribute: NULL, or the name of an integer (or list of one) that is `number`. */
enum status expansion_node(struct expansion *x, const char *op_type, const size_t *in, size_t n_in, size_t out,
                           const char *attribute, enum attribute_kind kind, int64_t number, struct error *e);
/* `to` becomes another name of `from`; nothing when the node leaves `to` out. */
enum status expansion_pass(struct expansion *x, size_t from, size_t to, struct error *e);

/* The body that is the node's attribute; free(ret_c->map) ends it. */
enum status copy_open(struct expansion *x, const struct node *node, const char *attribute, struct copy *ret_c,
                      struct error *e);
enum status copy_check(const struct expansion *x, const struct copy *c, size_t n_in, size_t n_out, struct error *e);
/* Forgets what the last turn made; constants and captures stay. Counts turns. */
enum status copy_again(struct expansion *x, struct copy *c, struct error *e);
/* Appends the body's nodes, and settles them as far as constants carry. */
enum status copy_body(struct expansion *x, struct copy *c, struct error *e);
/* The value of the graph for value v of the body; made when the body has not met it yet. */
enum status copy_value(struct expansion *x, struct copy *c, size_t v, size_t *ret_value, struct error *e);

enum status expand_loop(struct expansion *x, const struct node *node, struct error *e);
enum status expand_scan(struct expansion *x, const struct node *node, struct error *e);

#endif
