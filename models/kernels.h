/* kernels: the arithmetic that costs time, behind one small interface, so that a backend is a table of
 * functions.
 *
 * rows: Y[m,n] = X[m,k] * B[k,n], where B is packed in panels of ROWS_PANEL columns ([panel][k][ROWS_PANEL],
 * padded with zeros). Each element of Y is one chain over k in order, so its bits depend neither on m nor on
 * the row's place: that is what makes results independent of the batch. conv: one image (all groups) of a
 * convolution with up to three spatial dimensions. */
#ifndef FAKESIFT_MODELS_KERNELS_H
#define FAKESIFT_MODELS_KERNELS_H

#include "models/graph.h"

enum { ROWS_PANEL = 16 };

struct rows_job {
    const float *x;
    size_t x_stride; /* floats from a row of X to the next */
    const float *packed;
    float *y;
    size_t y_stride;
    size_t m, k, n;
    const float *row_bias;    /* m values, each added to all of its row; NULL = none */
    const float *column_bias; /* n values added to every row, after row_bias; NULL = none */
    bool accumulate;          /* Y += instead of Y = */
};

/* Floats of a packed k x n matrix. */
size_t rows_packed_floats(size_t k, size_t n);
/* B[i,j] = b[i * k_stride + j * n_stride]. */
void rows_pack(const float *b, size_t k, size_t n, size_t k_stride, size_t n_stride, float *ret_packed);

/* Spatial dimensions are always three (depth, height, width); those that a convolution lacks are 1. */
struct conv_geometry {
    int64_t groups, channels_in, channels_out;                        /* of all groups */
    int64_t in[3], kernel[3], out[3], stride[3], dilation[3], pad[3]; /* pad: before the first element */
};

struct conv_job {
    const struct conv_geometry *geometry;
    const float *x, *weights, *bias; /* bias NULL = none */
    float *y;
    float *scratch; /* kernels->conv_scratch_floats() */
    struct activation activation;
};

struct kernels {
    const char *name;
    void (*rows)(const struct rows_job *job);
    size_t (*conv_scratch_floats)(const struct conv_geometry *g);
    void (*conv)(const struct kernels *kernels, const struct conv_job *job);
};

/* OPENBLAS: that; else the fastest of our own that this processor runs (oneDNN takes whole layers, and leaves
 * the rest to them). Constant for a process, never NULL. */
const struct kernels *kernels_choose(enum network_backend backend);

extern const struct kernels kernels_portable;
#if defined(__x86_64__)
extern const struct kernels kernels_avx2, kernels_avx512;
#endif
extern const struct kernels kernels_openblas;

size_t conv_native_scratch_floats(const struct conv_geometry *g);
void conv_native(const struct kernels *kernels, const struct conv_job *job);
/* Each group has one input channel: no matrix, direct sums. */
bool conv_is_depthwise(const struct conv_geometry *g);
size_t conv_depthwise_scratch_floats(const struct conv_geometry *g);
void conv_depthwise(const struct conv_job *job);

/* Columns first..first+n of the im2col matrix, row `k` (channel, then kernel position) of a group. */
void conv_column_line(const struct conv_geometry *g, const float *group_x, int64_t k, int64_t first, int64_t n,
                      float *line);

/* Positions o of 0..out for which o * stride + offset is inside 0..in: first..end. */
void conv_valid_range(int64_t out, int64_t in, int64_t stride, int64_t offset, int64_t *ret_first, int64_t *ret_end);

void activation_apply(const struct activation *a, float *x, size_t n);
/* The same of x + bias. */
void activation_apply_biased(const struct activation *a, float bias, float *x, size_t n);
/* y = 1 / (1 + exp(-x)), within 3 units in the last place; vectorised. x may be y. */
void sigmoid_f32(const float *x, float *y, size_t n);
/* The same for tanh. */
void tanh_f32(const float *x, float *y, size_t n);
/* The same for erf. */
void erf_f32(const float *x, float *y, size_t n);
/* y = x / 2 * (1 + erf(x / sqrt 2)). */
void gelu_f32(const float *x, float *y, size_t n);
/* Softmax of one row. What lies 87.3 below the largest value is zero. */
void softmax_f32(const float *x, float *y, size_t n);

/* Loops that the compiler vectorises for several instruction sets; no contraction, so the bits are the same. KERNEL_CLONES_FMA: for
 * loops that ask for fused multiply-adds by name (fmaf), which round once on every processor. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define KERNEL_CLONES     __attribute__((target_clones("avx512f", "avx2", "default")))
#define KERNEL_CLONES_FMA __attribute__((target_clones("avx512f", "arch=x86-64-v3", "default")))
#else
#define KERNEL_CLONES
#define KERNEL_CLONES_FMA
#endif

#endif
