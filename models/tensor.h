/* tensor: a typed, dense, row-major (C order) array, and the checks that keep its size inside what we can
 * address. */
#ifndef FAKESIFT_MODELS_TENSOR_H
#define FAKESIFT_MODELS_TENSOR_H

#include <stdbool.h>

#include "models/network.h"

enum { TENSOR_ALIGN_BYTES = 64, TENSOR_SHAPE_TEXT_BYTES = 192 };

/* No single tensor is larger: 300 frames of 1024 x 1024 x 3 float32 are 3.8e9 bytes. */
#define TENSOR_MAX_BYTES ((int64_t)1 << 34)

struct tensor {
    enum tensor_type type; /* 0 = not known */
    struct tensor_shape shape;
    void *data; /* NULL = the value is not known (yet) */
};

/* False when a dimension is negative or the whole exceeds TENSOR_MAX_BYTES; *ret_bytes is then untouched. */
bool tensor_shape_bytes(const struct tensor_shape *s, enum tensor_type t, size_t *ret_bytes);
bool tensor_shape_equal(const struct tensor_shape *a, const struct tensor_shape *b);
/* "[1,3,?,?]" with ? for an open dimension; returns text. */
const char *tensor_shape_text(const struct tensor_shape *s, char text[TENSOR_SHAPE_TEXT_BYTES]);
/* Product of dims[first..end). */
int64_t tensor_shape_span(const struct tensor_shape *s, unsigned first, unsigned end);

/* Zeroed memory aligned to TENSOR_ALIGN_BYTES, never NULL for 0 bytes; NULL when out of memory. Freed with
 * free(). */
void *tensor_memory(size_t bytes);
/* Allocates t->data for t's type and shape. */
enum status tensor_allocate(struct tensor *t, struct error *e);
/* Element i of t's data, whatever its type, as the nearest double. i < tensor_count(t). */
double tensor_value(const struct tensor *t, int64_t i);
/* The same as an integer, exact for every integer type (uint64 as the bits of an int64); floating values are cut. */
int64_t tensor_integer(const struct tensor *t, int64_t i);
/* -1, 0 or 1 as element a is below, equal to or above element b, exact for every type; NaN is equal to itself and above
 * all else. */
int tensor_compare(const struct tensor *t, int64_t a, int64_t b);
/* Stores v as t's type: rounded for floats, cut (and for integers taken modulo their range) otherwise. */
void tensor_set_value(struct tensor *t, int64_t i, double v);
void tensor_set_integer(struct tensor *t, int64_t i, int64_t v);
static inline int64_t tensor_count(const struct tensor *t)
{
    return tensor_shape_count(&t->shape);
}

#endif
