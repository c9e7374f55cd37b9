/* onnx_reader_tensor: a TensorProto -> tensor, wherever its values lie: in raw bytes, in a typed list, in another file. */
#ifndef FAKESIFT_MODELS_ONNX_READER_TENSOR_H
#define FAKESIFT_MODELS_ONNX_READER_TENSOR_H

#include "models/tensor.h"

struct Onnx__TensorProto;

/* What the tensors of one file have in common. */
struct onnx_source {
    const char *path;
    bool external;         /* tensors may lie in other files of path's folder */
    bool external_read;    /* one did */
    size_t external_bytes; /* read from there so far */
};

/* Takes buffers of *p over where it can. ret_tensor->data is the caller's to free. */
enum status onnx_tensor_read(struct onnx_source *source, struct Onnx__TensorProto *p, struct tensor *ret_tensor,
                             struct error *e);

#endif
