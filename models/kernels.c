#include "models/kernels.h"

#include <math.h>
#include <string.h>

#include "models/elementary.h"

enum { SOFTMAX_LANES = 16 };

size_t rows_packed_floats(size_t k, size_t n)
{
    return (n + ROWS_PANEL - 1) / ROWS_PANEL * ROWS_PANEL * k;
}

void rows_pack(const float *b, size_t k, size_t n, size_t k_stride, size_t n_stride, float *ret_packed)
{
    for (size_t first = 0; first < n; first += ROWS_PANEL) {
        size_t width = n - first < ROWS_PANEL ? n - first : ROWS_PANEL;

        for (size_t i = 0; i < k; i++) {
            const float *from = b + i * k_stride + first * n_stride;
            size_t j = 0;

            for (; j < width; j++)
                ret_packed[j] = from[j * n_stride];
            for (; j < ROWS_PANEL; j++)
                ret_packed[j] = 0.0f;
            ret_packed += ROWS_PANEL;
        }
    }
}

/* One row against one panel. */
static void portable_row(const float *x, const float *panel, size_t k, float sum[ROWS_PANEL])
{
    for (size_t j = 0; j < ROWS_PANEL; j++)
        sum[j] = 0.0f;
    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j < ROWS_PANEL; j++)
            sum[j] += x[i] * panel[i * ROWS_PANEL + j];
    }
}

static void portable_rows(const struct rows_job *job)
{
    for (size_t first = 0; first < job->n; first += ROWS_PANEL) {
        const float *panel = job->packed + first * job->k;
        size_t width = job->n - first < ROWS_PANEL ? job->n - first : ROWS_PANEL;

        for (size_t i = 0; i < job->m; i++) {
            float sum[ROWS_PANEL];
            float *y = job->y + i * job->y_stride + first;

            portable_row(job->x + i * job->x_stride, panel, job->k, sum);
            for (size_t j = 0; j < width; j++) {
                float v = job->row_bias ? sum[j] + job->row_bias[i] : sum[j];

                v = job->column_bias ? v + job->column_bias[first + j] : v;
                y[j] = job->accumulate ? y[j] + v : v;
            }
        }
    }
}

const struct kernels kernels_portable = {
    .name = "portable",
    .rows = portable_rows,
    .conv_scratch_floats = conv_native_scratch_floats,
    .conv = conv_native,
};

const struct kernels *kernels_choose(enum network_backend backend)
{
    if (backend == NETWORK_BACKEND_OPENBLAS)
        return &kernels_openblas;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return &kernels_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return &kernels_avx2;
#endif
    return &kernels_openblas;
}

KERNEL_CLONES static void clip(float *x, size_t n, float low, float high)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i] < low ? low : x[i];

        x[i] = v > high ? high : v;
    }
}

/* Not clip: a NaN stays a NaN, and there is no upper bound to compare with. */
KERNEL_CLONES static void relu(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] < 0.0f ? 0.0f : x[i];
}

KERNEL_CLONES static void leaky(float *x, size_t n, float slope)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] < 0.0f ? x[i] * slope : x[i];
}

KERNEL_CLONES static void hard_sigmoid(float *x, size_t n, float a, float b)
{
    for (size_t i = 0; i < n; i++) {
        float v = a * x[i] + b;

        v = v < 0.0f ? 0.0f : v;
        x[i] = v > 1.0f ? 1.0f : v;
    }
}

KERNEL_CLONES static void hard_swish(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i] * (1.0f / 6.0f) + 0.5f;

        v = v < 0.0f ? 0.0f : v;
        x[i] *= v > 1.0f ? 1.0f : v;
    }
}

KERNEL_CLONES_FMA void sigmoid_f32(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = sigmoid_bounded(x[i]);
}

KERNEL_CLONES_FMA void tanh_f32(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = tanh_bounded(x[i]);
}

KERNEL_CLONES_FMA void erf_f32(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = erf_bounded(x[i]);
}

KERNEL_CLONES_FMA void gelu_f32(const float *x, float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = 0.5f * x[i] * (1.0f + erf_bounded(x[i] * 0.70710678118654752440f));
}

/* Largest values and sums in lanes, by the place in the row, so that the bits are the row's own on every processor. */
KERNEL_CLONES_FMA void softmax_f32(const float *x, float *y, size_t n)
{
    float lanes[SOFTMAX_LANES], most = -INFINITY, scale;
    double sums[SOFTMAX_LANES] = {0}, sum = 0;
    size_t whole = n - n % SOFTMAX_LANES;

    for (size_t j = 0; j < SOFTMAX_LANES; j++)
        lanes[j] = -INFINITY;
    for (size_t i = 0; i < whole; i += SOFTMAX_LANES) {
        for (size_t j = 0; j < SOFTMAX_LANES; j++)
            lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
    }
    for (size_t i = whole; i < n; i++)
        most = x[i] > most ? x[i] : most;
    for (size_t j = 0; j < SOFTMAX_LANES; j++)
        most = lanes[j] > most ? lanes[j] : most;
    for (size_t i = 0; i < n; i++) {
        float shifted = x[i] - most;

        y[i] = shifted < -87.3f ? 0.0f : exp_bounded(shifted);
    }
    for (size_t i = 0; i < whole; i += SOFTMAX_LANES) {
        for (size_t j = 0; j < SOFTMAX_LANES; j++)
            sums[j] += (double)y[i + j];
    }
    for (size_t i = whole; i < n; i++)
        sum += (double)y[i];
    for (size_t j = 0; j < SOFTMAX_LANES; j++)
        sum += sums[j];
    scale = (float)(1.0 / sum);
    for (size_t i = 0; i < n; i++)
        y[i] *= scale;
}

KERNEL_CLONES_FMA static void swish(float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] / (1.0f + exp_bounded(-x[i]));
}

KERNEL_CLONES static void add_constant(float *x, size_t n, float b)
{
    for (size_t i = 0; i < n; i++)
        x[i] += b;
}

KERNEL_CLONES static void add_relu(float *x, size_t n, float b)
{
    for (size_t i = 0; i < n; i++) {
        float v = x[i] + b;

        x[i] = v < 0.0f ? 0.0f : v;
    }
}

void activation_apply_biased(const struct activation *a, float bias, float *x, size_t n)
{
    if (a->kind == ACTIVATION_RELU) {
        add_relu(x, n, bias);
        return;
    }
    add_constant(x, n, bias);
    activation_apply(a, x, n);
}

void activation_apply(const struct activation *a, float *x, size_t n)
{
    switch (a->kind) {
    case ACTIVATION_NONE:
        break;
    case ACTIVATION_RELU:
        relu(x, n);
        break;
    case ACTIVATION_LEAKY:
        leaky(x, n, a->a);
        break;
    case ACTIVATION_CLIP:
        clip(x, n, a->a, a->b);
        break;
    case ACTIVATION_SIGMOID:
        sigmoid_f32(x, x, n);
        break;
    case ACTIVATION_TANH:
        tanh_f32(x, x, n);
        break;
    case ACTIVATION_HARD_SIGMOID:
        hard_sigmoid(x, n, a->a, a->b);
        break;
    case ACTIVATION_HARD_SWISH:
        hard_swish(x, n);
        break;
    case ACTIVATION_SWISH:
        swish(x, n);
        break;
    }
}
