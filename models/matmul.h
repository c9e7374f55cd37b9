/* matmul: the shape rule of ONNX's matrix products, whatever they multiply. */
#ifndef FAKESIFT_MODELS_MATMUL_H
#define FAKESIFT_MODELS_MATMUL_H

#include "models/broadcast.h"
#include "models/op.h"

struct matmul {
    int64_t m, k, n;
    struct broadcast batch; /* over matrices of A and B */
    bool flat;              /* B is one matrix: all of A's matrices are one list of rows */
};

/* Vectors are a row on the left, a column on the right, and lose that dimension again. ret_out: the result's shape. */
enum status matmul_infer_shape(const struct call *c, const struct tensor_shape *a, const struct tensor_shape *b,
                               struct matmul *ret_m, struct tensor_shape *ret_out, struct error *e);

#endif
