/* nhwc_bytes: a convolution of 8-bit images, channels last, by oneDNN; bit for bit what ops_quant_conv.c makes.
 *
 * In: ONNX's weights, zero points and scales, all constant. Out: sums of 32 bits, or bytes requantised. The zero point
 * of the image goes into the bias, and where there is padding into a border around a copy of the image; that of the
 * weights is taken off them at once. Where oneDNN's own requantisation rounds like ours it does both in one pass. What
 * was prepared is tried on one image of extreme bytes before it is handed out, unless that would take long. */
#ifndef FAKESIFT_MODELS_NHWC_BYTES_H
#define FAKESIFT_MODELS_NHWC_BYTES_H

#include "models/backend_onednn.h"

struct nhwc_bytes_settings {
    struct conv_geometry geometry;
    unsigned dims;
    enum tensor_type in, out; /* out: TENSOR_I32 = the sums */
    int32_t in_zero, out_zero;
    const struct tensor *weights, *weights_zero; /* weights_zero: NULL = 0; one value or one a channel */
    const int32_t *bias;                         /* NULL = none */
    const float *factors;                        /* one a channel; NULL for the sums */
    bool trusted;                                /* not tried first */
};

struct nhwc_bytes;

/* STATUS_UNSUPPORTED: not here, or not exactly. */
enum status nhwc_bytes_open(struct onednn *o, const struct nhwc_bytes_settings *settings, struct nhwc_bytes **ret_b,
                            struct error *e);
void nhwc_bytes_close(struct nhwc_bytes **b); /* NULL-safe */
size_t nhwc_bytes_scratch_bytes(const struct nhwc_bytes *b);
const char *nhwc_bytes_name(const struct nhwc_bytes *b);
/* One image. */
enum status nhwc_bytes_run(struct nhwc_bytes *b, const void *x, void *y, void *scratch, struct error *e);

#endif
