/* graph: an ONNX graph in memory, free of protobuf. Values are numbered; nodes name values by number. Built
 * by onnx_reader, then sorted and simplified (graph_fold.c, graph_fuse.c); immutable once a network holds it.
 */
#ifndef FAKESIFT_MODELS_GRAPH_H
#define FAKESIFT_MODELS_GRAPH_H

#include "models/tensor.h"

/* An input or output that a node leaves out. */
#define GRAPH_NO_VALUE SIZE_MAX

/* Real networks hold thousands; the bounds keep a hostile file from costing hours. */
enum { GRAPH_MAX_NODES = 32768, GRAPH_MAX_VALUES = 262144, GRAPH_MAX_PORTS = 4096 };

enum attribute_kind {
    ATTRIBUTE_FLOAT = 1,
    ATTRIBUTE_INT,
    ATTRIBUTE_STRING,
    ATTRIBUTE_TENSOR,
    ATTRIBUTE_FLOATS,
    ATTRIBUTE_INTS,
    ATTRIBUTE_STRINGS,
    ATTRIBUTE_GRAPH, /* the body of an If, Loop or Scan */
    ATTRIBUTE_OTHER, /* a sparse tensor, a list of graphs, ...: kept by name only */
};

struct attribute {
    char *name;
    enum attribute_kind kind;
    float f;
    int64_t i;
    char *s;
    struct tensor t;
    size_t n;
    float *floats;
    int64_t *ints;
    char **strings;
    struct graph *g; /* shared with copies of the node: n_owners */
};

/* What an activation does to the output of the node that it was fused into. */
enum activation_kind {
    ACTIVATION_NONE = 0,
    ACTIVATION_RELU,
    ACTIVATION_LEAKY, /* x < 0: a * x */
    ACTIVATION_CLIP,  /* a..b */
    ACTIVATION_SIGMOID,
    ACTIVATION_TANH,
    ACTIVATION_HARD_SIGMOID, /* clip(a * x + b, 0, 1) */
    ACTIVATION_HARD_SWISH,
    ACTIVATION_SWISH, /* x * sigmoid(x) */
};

struct activation {
    enum activation_kind kind;
    float a, b;
};

struct op;

struct node {
    char *name, *op_type, *domain;
    const struct op *op;
    size_t n_in, n_out;
    size_t *in, *out;
    size_t n_captured; /* the last ones of in: what the node's bodies read, in the order of attributes and captures */
    size_t n_attributes;
    struct attribute *attributes;
    struct activation activation;
    void *prepared; /* made by op->prepare from constant inputs; shared by all sessions; freed with free() */
    bool removed;
};

struct value {
    char *name;
    struct tensor tensor; /* constants: with data, owned; others: what the file declares, -1 = open dimension */
    bool is_constant, is_input, is_output;
    bool is_shaped; /* tensor.shape is declared */
    /* Set by graph_link. */
    size_t producer; /* index of the node, GRAPH_NO_VALUE for inputs and constants */
    size_t n_uses;   /* as inputs of nodes that are not removed */
};

struct graph {
    char *path;
    int64_t opset;     /* of the default domain */
    bool has_external; /* a tensor came from a file beside this one */
    size_t n_values, room_values;
    struct value *values;
    size_t n_nodes, room_nodes;
    struct node *nodes;
    size_t n_inputs, n_outputs;
    size_t *inputs, *outputs;
    size_t n_captures, *captures; /* of a body: values that it reads and does not make */
    unsigned n_owners;            /* attributes that hold a body */
    size_t *buckets;              /* hash of value names, room_values * 2 of them; GRAPH_NO_VALUE = empty */
};

struct graph *graph_open(const char *path); /* NULL when out of memory */
void graph_close(struct graph **g);         /* NULL-safe; sets *g = NULL. Frees with the last owner. */

/* The value of that name, made when it is new. */
enum status graph_value(struct graph *g, const char *name, size_t *ret_value, struct error *e);
/* A new value, named after base, for what a simplification makes. Moves g->values. */
enum status graph_new_value(struct graph *g, const char *base, size_t *ret_value, struct error *e);
/* A zeroed node at the end; the caller fills it. */
enum status graph_add_node(struct graph *g, struct node **ret_node, struct error *e);

/* "PATH: node 'NAME' (OP): " and the rule. */
enum status graph_node_error(const char *path, const struct node *node, struct error *e, enum status s,
                             const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Checks that every value has one producer and every node an operator that we know, and sorts nodes so that
 * producers come first (their order in the file is kept where it is free). A cycle is STATUS_CORRUPT. */
enum status graph_link(struct graph *g, struct error *e);
/* Counts uses anew; marks nodes whose outputs nobody needs as removed, and compacts the node list. */
enum status graph_prune(struct graph *g, struct error *e);

/* Frees nodes that are marked as removed; link or prune comes after. */
void graph_drop_removed(struct graph *g);
/* Finds the node's operator and checks how many inputs and outputs it has. */
enum status graph_check_node(const struct graph *g, struct node *node, struct error *e);

const struct attribute *node_attribute(const struct node *node, const char *name);
/* Name, operator and attributes, not the ports; bodies are shared. */
enum status node_copy(const struct node *from, struct node *ret_node, struct error *e);
/* What node_copy copies of large attributes. */
size_t node_attribute_bytes(const struct node *node);
void node_clear(struct node *node);

/* Puts the bodies of If, Loop and Scan in their place (graph_control.c). After graph_link, and links again.
 * STATUS_UNSUPPORTED: which branch or how many turns is known only at run time, or it grows beyond bounds. */
enum status graph_expand(struct graph *g, struct error *e);
/* Constants of 16-bit floats that are weights become float32 once, instead of in each run. */
enum status graph_widen(struct graph *g, struct error *e);

/* Runs every node whose inputs are all constant, and replaces it by its result. except: NULL, or an operator that stays. */
enum status graph_fold(struct graph *g, const char *except, struct error *e);
/* Float operators between DequantizeLinear and QuantizeLinear become operators on bytes (graph_quant.c): for processors that
 * are faster at them. */
enum status graph_quantize(struct graph *g, struct error *e);
/* Folds batch norms into convolutions, and activations into the node before them. */
enum status graph_fuse(struct graph *g, struct error *e);
/* Whether a node is an activation of its first input, and which. */
bool graph_activation(const struct graph *g, const struct node *node, struct activation *ret_a);
/* Lets each operator lay out its constant inputs for its kernel, and frees constants that nobody reads any
 * more. */
enum status graph_prepare(struct graph *g, struct error *e);

#endif
