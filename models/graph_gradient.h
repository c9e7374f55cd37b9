/* graph_gradient: ai.onnx.preview.training's Gradient, replaced at load by the nodes that compute it, in reverse mode. */
#ifndef FAKESIFT_MODELS_GRAPH_GRADIENT_H
#define FAKESIFT_MODELS_GRAPH_GRADIENT_H

#include "models/graph.h"

#define GRADIENT_DOMAIN     "ai.onnx.preview.training"
#define GRADIENT_OWN_DOMAIN "fakesift"

/* A graph that derivatives are being added to. */
struct gradient {
    struct graph *g;
    const char *name; /* of the Gradient node, for the nodes that are made */
};

/* A node of one output; *ret_out: its new value. */
enum status gradient_emit(struct gradient *x, const char *op_type, const size_t *in, size_t n_in, size_t *ret_out,
                          struct error *e);
/* Attributes of the node that was made last. */
enum status gradient_set_text(struct gradient *x, const char *name, const char *text, struct error *e);
enum status gradient_set_ints(struct gradient *x, const char *name, const int64_t *ints, size_t n, struct error *e);
/* A float32 constant number. */
enum status gradient_number(struct gradient *x, float number, size_t *ret_out, struct error *e);
/* A tensor of that number, of the shape of `like`. */
enum status gradient_fill(struct gradient *x, size_t like, float number, size_t *ret_out, struct error *e);

/* The derivative by input `port` of a node (a copy: nodes move), where `of_out` is that by its output; GRAPH_NO_VALUE: none,
 * the output does not change with it. STATUS_UNSUPPORTED names an operator that has none here. graph_derivatives.c. */
enum status gradient_of_input(struct gradient *x, const struct node *node, size_t port, size_t of_out,
                              size_t *ret_of_in, struct error *e);

/* Replaces every Gradient. After graph_link, and links again. */
enum status graph_differentiate(struct graph *g, struct error *e);

#endif
