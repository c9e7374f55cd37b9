/* onnx_external: the bytes of a tensor that lie beside the model, in a file of its folder. The location comes from the
 * model, so it is hostile: it may not leave the folder, by no way that a path can. */
#ifndef FAKESIFT_MODELS_ONNX_EXTERNAL_H
#define FAKESIFT_MODELS_ONNX_EXTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

struct onnx_external {
    const char *model_path; /* its folder is where location begins */
    const char *tensor;     /* names it in errors */
    const char *location;   /* relative; NULL is an error */
    uint64_t offset;
    size_t len_bytes;
};

/* *ret_data: len_bytes bytes, aligned as a tensor, the caller's to free. STATUS_CORRUPT: a location that is absolute or
 * has "..", a link that leaves the folder, something that is not a file, a range beyond its end. STATUS_NOT_FOUND. */
enum status onnx_external_read(const struct onnx_external *x, void **ret_data, struct error *e);

#endif
