/* window: the attributes that convolutions and pools share (kernel, strides, dilations, pads, auto_pad,
 * ceil_mode), for one to three spatial dimensions. Dimensions are normalised to three; those that are missing
 * are 1. */
#ifndef FAKESIFT_MODELS_WINDOW_H
#define FAKESIFT_MODELS_WINDOW_H

#include "models/op.h"

struct window {
    unsigned rank; /* spatial dimensions of the operator, 1..3 */
    int64_t in[3], out[3], kernel[3], stride[3], dilation[3], pad[3], pad_end[3];
};

/* kernel_shape: the kernel's spatial dimensions where the weights give them; NULL: the attribute must. Fills
 * all of w. The input is call_in(c, 0), N x C x spatial. */
enum status window_infer(const struct call *c, const int64_t *kernel_shape, struct window *w, struct error *e);
/* The transposed convolution's rules (output_shape, output_padding). */
enum status window_infer_transposed(const struct call *c, const int64_t *kernel_shape, struct window *w,
                                    struct error *e);
/* N x channels x out. */
void window_shape(const struct window *w, int64_t n, int64_t channels, struct tensor_shape *ret_shape);

#endif
