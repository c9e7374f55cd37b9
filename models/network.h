/* network: an ONNX file as something that can be run.
 *
 * file -> onnx_reader (protobuf-c) -> graph (checked, shapes inferred, constants and batch norms folded)
 *      -> session: the graph at fixed input shapes, its memory planned into one arena, its kernels prepared
 * -> run
 *
 * A network is immutable after network_open and may be shared by any number of sessions and forked processes.
 * A session belongs to one thread. session_run allocates nothing. Results do not depend on other rows of a
 * batch. */
#ifndef FAKESIFT_MODELS_NETWORK_H
#define FAKESIFT_MODELS_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shard/status.h"

enum { TENSOR_MAX_RANK = 8 };

enum tensor_type {
    TENSOR_F32 = 1,
    TENSOR_I64,
    TENSOR_I32,
    TENSOR_U8,
    TENSOR_BOOL,
    TENSOR_F64,
    TENSOR_I8,
    TENSOR_I16,
    TENSOR_U16,
    TENSOR_U32,
    TENSOR_U64,
    TENSOR_F16, /* 16-bit floats are storage: operators compute in float32 and round what they store */
    TENSOR_BF16,
};

size_t tensor_type_bytes(enum tensor_type t);
const char *tensor_type_name(enum tensor_type t); /* "float32", as numpy names them */

struct tensor_shape {
    unsigned rank;
    int64_t dims[TENSOR_MAX_RANK]; /* >= 0; in network_input() -1 stands for a dimension that the file leaves
                                      open */
};

int64_t tensor_shape_count(const struct tensor_shape *s); /* product of dims; 1 for rank 0 */

struct network_tensor {
    const char *name;
    enum tensor_type type;
    struct tensor_shape shape;
};

struct network;

/* path: an .onnx file. Errors name the file and what is wrong: not protobuf, truncated, an operator that is
 * not supported (with its node's name), a cycle, a shape that does not fit. */
enum status network_open(const char *path, struct network **ret_n, struct error *e);
void network_close(struct network **n); /* NULL-safe; sets *n = NULL. After its sessions. */

/* Whether weights lie in files beside the .onnx file, so that its hash does not tell the network. */
bool network_has_external(const struct network *n);

size_t network_input_count(const struct network *n);
size_t network_output_count(const struct network *n);
const struct network_tensor *network_input(const struct network *n, size_t index);
const struct network_tensor *network_output(const struct network *n, size_t index);

/* AUTO: network_backend_auto(). NATIVE: this engine's own kernels alone. */
enum network_backend {
    NETWORK_BACKEND_AUTO = 0,
    NETWORK_BACKEND_NATIVE,
    NETWORK_BACKEND_OPENBLAS,
    NETWORK_BACKEND_ONEDNN,
};

/* What values between layers are kept as; sums, inputs and outputs are float32 either way. */
enum network_precision { NETWORK_PRECISION_F32 = 0, NETWORK_PRECISION_BF16 };

const char *network_backend_name(enum network_backend b); /* "onednn" */
bool network_backend_parse(const char *name, enum network_backend *ret_b);
const char *network_precision_name(enum network_precision p); /* "bf16" */
bool network_precision_parse(const char *name, enum network_precision *ret_p);
/* oneDNN on x86 with AVX2 or more, else OpenBLAS: never AUTO. A property of the machine. */
enum network_backend network_backend_auto(void);
/* STATUS_UNSUPPORTED, with the reason: bf16 without AVX512-BF16, bf16 with another backend than oneDNN. */
enum status network_check_precision(enum network_backend b, enum network_precision p, struct error *e);

struct session_settings {
    enum network_backend backend;     /* default NETWORK_BACKEND_AUTO */
    enum network_precision precision; /* default NETWORK_PRECISION_F32 */
    /* The shape of each input in the network's order; NULL: those of the file, with open dimensions as 1. */
    const struct tensor_shape *input_shapes;
};

struct session;

/* STATUS_INVALID: a shape that contradicts the file's; the text names the input. STATUS_UNSUPPORTED: as
 * network_check_precision. */
enum status session_open(const struct network *n, const struct session_settings *settings, struct session **ret_s,
                         struct error *e);
void session_close(struct session **s); /* NULL-safe; sets *s = NULL */

/* The memory of an input, to be filled before each run (its content does not survive a run). */
void *session_input(struct session *s, size_t index);
/* The result of the last run, valid until the next. */
const void *session_output(const struct session *s, size_t index);
void session_input_shape(const struct session *s, size_t index, struct tensor_shape *ret_shape);
void session_output_shape(const struct session *s, size_t index, struct tensor_shape *ret_shape);
enum tensor_type session_output_type(const struct session *s, size_t index);

/* Fails only for values that break a rule at run time (an index out of range): STATUS_INVALID with the node's
 * name. */
enum status session_run(struct session *s, struct error *e);

/* Bytes of the planned arena, and floating-point operations (2 a multiply-add) of one run. */
size_t session_arena_bytes(const struct session *s);
uint64_t session_flops(const struct session *s);

/* For `models info`: backend, precision and how many layers each implementation runs, in a line. */
void session_summarize(const struct session *s, FILE *out);
/* The same, and each layer with the implementation that runs it. */
void session_describe(const struct session *s, FILE *out);

/* For `models info`: inputs, outputs, operators with counts, parameters. */
void network_describe(const struct network *n, FILE *out);

#endif
