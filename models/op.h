/* op: what an operator is to the engine. An operator is one entry of a table in an ops_*.c file: its name,
 * the opsets that the entry is right for, and functions that
 *  - infer: check inputs and attributes, set each output's type and shape, and say what the run needs
 * (scratch, flops). An input's data is there only when its value is a constant of the plan; a shape that
 * depends on other values cannot be planned (call_unknown).
 *  - run: compute. Allocates nothing, and keeps the rows of a batch independent: the bits of an output row
 * depend on that row's input alone.
 *  - prepare (optional): from constant inputs, make what the kernel reads (packed weights), once a network, where it
 *    takes no more than call->prepare_bytes, and take that off them.
 */
#ifndef FAKESIFT_MODELS_OP_H
#define FAKESIFT_MODELS_OP_H

#include "models/graph.h"
#include "models/kernels.h"

enum op_flags {
    OP_VIEW = 1,       /* output 0 is input 0's bytes under another shape */
    OP_IN_PLACE = 2,   /* output 0 may share input 0's memory when the sizes agree */
    OP_SHAPE_ONLY = 4, /* the value depends on the inputs' shapes alone */
    OP_ACTIVATION = 8, /* applies node->activation to its output */
    OP_BYTES = 16,     /* takes 16-bit floats as they are; other operators see them as float32 (op_half.c) */
    OP_CONTROL = 32,   /* holds subgraphs; gone once graph_control.c has replaced it */
};

enum { OP_ANY_COUNT = GRAPH_MAX_PORTS };

struct call;

struct op {
    const char *name;
    int since, until; /* opsets, both inclusive; until 0: no end */
    unsigned min_in, max_in, min_out, max_out;
    unsigned flags;
    int kind;           /* which of several operators that share functions */
    size_t state_bytes; /* of call->state */
    enum status (*infer)(struct call *c, struct error *e);
    enum status (*run)(struct call *c, struct error *e);
    /* Sets *ret_prepared (freed with free()), or leaves it NULL where there is nothing to gain. in[i] is NULL
     * or without data where an input is not constant. *ret_frees: a bit for each input that run then no
     * longer reads. */
    enum status (*prepare)(struct call *c, void **ret_prepared, unsigned *ret_frees, struct error *e);
};

struct call {
    const struct op *op;
    const struct node *node;
    const char *path;
    int64_t opset;
    const struct kernels *kernels;
    size_t n_in, n_out;
    struct tensor **in, **out; /* NULL = absent */
    void *state;               /* zeroed before infer, which fills it for run */
    const void *prepared;
    void *scratch;
    size_t scratch_bytes;          /* set by infer */
    uint64_t flops;                /* set by infer */
    struct quant_product *product; /* of 8-bit matrices, made and freed by the session (models/quant_product.h) */
    size_t prepare_bytes;          /* for prepare: the most that it may allocate, less what it did */
    /* For an operator that gets 16-bit floats and computes in float32; see op_half.c. */
    enum tensor_type half; /* 0 = none */
    size_t own_scratch_bytes;
    struct tensor *wide_tensors; /* one an input, then one an output */
    struct tensor **wide;        /* the same order */
};

struct op_group {
    const struct op *ops;
    size_t n;
};

extern const struct op_group ops_conv, ops_pool, ops_norm, ops_unary, ops_binary, ops_linear, ops_softmax, ops_shape,
    ops_move, ops_index, ops_reduce, ops_recurrent, ops_resize, ops_constant, ops_select, ops_bits, ops_control,
    ops_einsum, ops_filter, ops_gradient, ops_grid, ops_matrix, ops_nms, ops_pad, ops_quant, ops_quant_conv,
    ops_quant_matmul, ops_roi, ops_unpool, ops_standardize;

/* NULL: none for this opset; *ret_known tells whether the name is known at another opset. */
const struct op *op_find(const char *domain, const char *name, int64_t opset, bool *ret_known);

static inline struct tensor *call_in(const struct call *c, size_t index)
{
    return index < c->n_in ? c->in[index] : NULL;
}

static inline struct tensor *call_out(const struct call *c, size_t index)
{
    return index < c->n_out ? c->out[index] : NULL;
}

enum status call_error(const struct call *c, struct error *e, enum status s, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* STATUS_UNSUPPORTED: the shape depends on the value of an input that is known only when the network runs. */
enum status call_unknown(const struct call *c, size_t input, struct error *e);

/* Attributes; the default where the node has none of that name and kind. */
int64_t call_int(const struct call *c, const char *name, int64_t fallback);
float call_float(const struct call *c, const char *name, float fallback);
const char *call_string(const struct call *c, const char *name, const char *fallback);
/* Copies an integer list; *ret_n = 0 when absent. More than max is an error; the values may be anything. */
enum status call_ints(const struct call *c, const char *name, int64_t *values, size_t max, size_t *ret_n,
                      struct error *e);
/* The same from a constant input of type int64 or int32 and rank <= 1. */
enum status call_input_ints(const struct call *c, size_t input, int64_t *values, size_t max, size_t *ret_n,
                            struct error *e);
/* Attribute (older opsets) or input (newer), whichever the node has. */
enum status call_axes(const struct call *c, const char *name, size_t input, int64_t *values, size_t max, size_t *ret_n,
                      struct error *e);
/* Maps -rank..rank-1 to 0..rank-1. */
enum status call_axis(const struct call *c, int64_t axis, unsigned rank, unsigned *ret_axis, struct error *e);

/* Types as a set of bits. */
#define TYPE_BIT(t) (1u << (t))
enum {
    TYPES_FLOAT = TYPE_BIT(TENSOR_F32) | TYPE_BIT(TENSOR_F64),
    TYPES_INDEX = TYPE_BIT(TENSOR_I64) | TYPE_BIT(TENSOR_I32),
    TYPES_BYTE = TYPE_BIT(TENSOR_U8) | TYPE_BIT(TENSOR_I8),
    TYPES_UNSIGNED = TYPE_BIT(TENSOR_U8) | TYPE_BIT(TENSOR_U16) | TYPE_BIT(TENSOR_U32) | TYPE_BIT(TENSOR_U64),
    TYPES_INTEGER = TYPES_INDEX | TYPES_UNSIGNED | TYPE_BIT(TENSOR_I8) | TYPE_BIT(TENSOR_I16),
    TYPES_NUMBER = TYPES_FLOAT | TYPES_INTEGER,
    TYPES_HALF = TYPE_BIT(TENSOR_F16) | TYPE_BIT(TENSOR_BF16), /* only OP_BYTES operators see them */
    TYPES_ANY = TYPES_NUMBER | TYPES_HALF | TYPE_BIT(TENSOR_BOOL),
};
enum status call_type(const struct call *c, size_t input, unsigned types, struct error *e);
/* STATUS_INVALID unless input has that rank. */
enum status call_rank(const struct call *c, size_t input, unsigned min, unsigned max, struct error *e);
/* A one-dimensional float32 input of n values. */
enum status call_vector(const struct call *c, size_t input, int64_t n, struct error *e);
/* Output 0 as input 0; in-place operators and views share it. */
enum status call_same(struct call *c, struct error *e);

/* Checks everything that infer promised: types, shapes within bounds. */
enum status call_infer(struct call *c, struct error *e);
/* After call_infer, with the memory of outputs and scratch set. */
enum status call_run(struct call *c, struct error *e);

#endif
