/* npy: numpy's file format for one array, versions 1.0 to 3.0, C order, little-endian, of the types of
 * models/network.h. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef FAKESIFT_MODELS_NPY_H
#define FAKESIFT_MODELS_NPY_H

#include "models/network.h"

/* *ret_data is the caller's to free, aligned for every type. STATUS_CORRUPT: not an .npy file, cut off, or
 * with bytes after its end. STATUS_UNSUPPORTED: Fortran order, big-endian, another type, more than
 * TENSOR_MAX_RANK dimensions. */
enum status npy_read(const char *path, enum tensor_type *ret_type, struct tensor_shape *ret_shape, void **ret_data,
                     struct error *e);
/* The same from bytes; path names them in errors. */
enum status npy_parse(const void *bytes, size_t len_bytes, const char *path, enum tensor_type *ret_type,
                      struct tensor_shape *ret_shape, void **ret_data, struct error *e);
enum status npy_write(const char *path, enum tensor_type type, const struct tensor_shape *shape, const void *data,
                      struct error *e);

#endif
