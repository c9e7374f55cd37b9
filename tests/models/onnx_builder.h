/* onnx_builder: small ONNX files in memory, for tests that try many shapes. Every call asserts. */
#ifndef FAKESIFT_TESTS_ONNX_BUILDER_H
#define FAKESIFT_TESTS_ONNX_BUILDER_H

#include "models/network_private.h"

struct bytes {
    unsigned char *data;
    size_t n, room;
};

struct onnx_builder {
    struct bytes graph;
    struct bytes node; /* the one under construction */
};

/* dims[0] = -1: an open batch. */
void onnx_input(struct onnx_builder *b, const char *name, unsigned rank, const int64_t *dims);
void onnx_input_of(struct onnx_builder *b, const char *name, enum tensor_type type, unsigned rank, const int64_t *dims);
void onnx_output(struct onnx_builder *b, const char *name);
void onnx_constant(struct onnx_builder *b, const char *name, unsigned rank, const int64_t *dims, const float *values);
void onnx_constant_of(struct onnx_builder *b, const char *name, enum tensor_type type, unsigned rank,
                      const int64_t *dims, const void *values);
/* in and out: names with spaces between. Attributes follow, then onnx_node_end. */
void onnx_node(struct onnx_builder *b, const char *op, const char *in, const char *out);
void onnx_int(struct onnx_builder *b, const char *name, int64_t value);
void onnx_float(struct onnx_builder *b, const char *name, float value);
void onnx_ints(struct onnx_builder *b, const char *name, size_t n, const int64_t *values);
void onnx_node_end(struct onnx_builder *b);
/* Opset 14. Clears the builder. */
struct network *onnx_network(struct onnx_builder *b);

#endif
