/* nhwc_kernels: what happens between convolutions, on one image whose channels lie side by side. Values are
 * float32 or bfloat16 (the upper half of a float32, rounded to nearest even); sums are float32 either way. */
#ifndef FAKESIFT_MODELS_NHWC_KERNELS_H
#define FAKESIFT_MODELS_NHWC_KERNELS_H

#include "models/window.h"

/* Some channels of an image: pixel p's are stride values further for each p. */
struct nhwc_view {
    void *data;
    int64_t pixels, channels, stride;
    bool bf16;
    /* 0: floats. TENSOR_U8, TENSOR_I8: bytes that stand for (byte - zero) * scale. TENSOR_I32: sums, only to be moved. */
    enum tensor_type integer;
    float scale;
    int32_t zero;
};

static inline int64_t nhwc_element_bytes(enum tensor_type integer, bool bf16)
{
    return integer == TENSOR_U8 || integer == TENSOR_I8 ? 1 : integer == TENSOR_I32 ? 4 : bf16 ? 2 : 4;
}

/* Channels of a C x pixels array of float32, or of what a view of integers holds, and back. */
void nhwc_from_planes(const void *planes, const struct nhwc_view *to);
void nhwc_to_planes(const struct nhwc_view *from, void *planes);

void nhwc_copy(const struct nhwc_view *x, const struct nhwc_view *y);
/* y = activation(a + b), or activation(a * b); the same pixels and channels, or b of one pixel for all of a's. */
void nhwc_combine(bool multiply, const struct nhwc_view *a, const struct nhwc_view *b,
                  const struct activation *activation, const struct nhwc_view *y);
/* y = activation(x * scale + shift); scale and shift are float32, one a channel, NULL = 1 and 0. */
void nhwc_affine(const struct nhwc_view *x, const float *scale, const float *shift, const struct activation *activation,
                 const struct nhwc_view *y);
/* y = x < 0 ? x * slope : x, a slope a channel. */
void nhwc_prelu(const struct nhwc_view *x, const float *slope, const struct nhwc_view *y);

/* line: scratch of 2 x channels floats. */
void nhwc_pool_max(const struct window *w, const struct nhwc_view *x, const struct nhwc_view *y, float *line);
void nhwc_pool_average(const struct window *w, bool count_padding, const struct nhwc_view *x, const struct nhwc_view *y,
                       float *line);

#endif
