/* onnx_reader: the bytes of an ONNX file -> graph, and of a TensorProto -> tensor. The only place that sees
 * the generated protobuf code (with onnx_reader_tensor). The bytes are hostile: nesting, counts and sizes are bounded before anything
 * is unpacked. */
#ifndef FAKESIFT_MODELS_ONNX_READER_H
#define FAKESIFT_MODELS_ONNX_READER_H

#include "models/graph.h"

/* path names the bytes in errors; with `external` they are that file, and tensors may lie in other files of its folder.
 * STATUS_CORRUPT: not ONNX, truncated, a location outside the folder. STATUS_UNSUPPORTED: a type, an operator set. The
 * graph is not linked yet. */
enum status onnx_read(const void *data, size_t len_bytes, const char *path, bool external, struct graph **ret_g,
                      struct error *e);

/* Maps TensorProto.DataType as attributes state it (Cast). False: a type that we lack. */
bool onnx_tensor_type(int64_t onnx_type, enum tensor_type *ret_type);

/* ret_tensor->data is the caller's to free. */
enum status onnx_read_tensor(const void *data, size_t len_bytes, const char *path, struct tensor *ret_tensor,
                             struct error *e);

#endif
