/* backend_onednn_private: what backend_onednn.c and backend_onednn_bytes.c share. */
#ifndef FAKESIFT_MODELS_BACKEND_ONEDNN_PRIVATE_H
#define FAKESIFT_MODELS_BACKEND_ONEDNN_PRIVATE_H

#include <oneapi/dnnl/dnnl.h>

#include "models/backend_onednn.h"

struct onednn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    struct block *blocks;
    size_t next_bytes;
};

enum { SRC, WEIGHTS, DST, SCRATCH, BIAS, ARGS };

/* A convolution, or a product (onednn_product), prepared. */
struct onednn_conv {
    struct onednn *onednn;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t args[ARGS];
    int n_args;
    size_t scratch_bytes;
    bool activates;
};

struct onednn_types {
    dnnl_data_type_t in, weights, out, bias;
};

struct onednn_constants {
    const struct conv_geometry *geometry;
    unsigned dims;
    dnnl_data_type_t weights_type; /* as they are given, in ONNX's order */
    const void *weights, *bias;    /* bias: of 4 bytes each; NULL = none */
};

enum status onednn_status(dnnl_status_t s, const char *what, struct error *e);
dnnl_status_t onednn_conv_desc(const struct conv_geometry *g, unsigned dims, const struct onednn_types *types,
                               bool biased, dnnl_convolution_desc_t *ret_desc);
bool onednn_is_reference(const_dnnl_primitive_desc_t desc);
/* Whether the window is one that oneDNN can be trusted with. */
bool onednn_is_possible(const struct conv_geometry *g);
/* Memory until onednn_close; NULL when there is none. */
void *onednn_keep(struct onednn *o, size_t bytes);
/* data NULL: set before each run. */
enum status onednn_add_arg(struct onednn_conv *c, int index, int arg, const dnnl_memory_desc_t *desc, void *data,
                           struct error *e);
enum status onednn_reorder(struct onednn *o, dnnl_memory_t from, dnnl_memory_t to, struct error *e);
/* From c->desc: the primitive, its arguments and its packed weights. */
enum status onednn_conv_complete(struct onednn_conv *c, const struct onednn_constants *x, struct error *e);

#endif
