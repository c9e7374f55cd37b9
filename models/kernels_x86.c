/* The rows kernel for AVX2 with FMA and for AVX-512. Both keep one fused multiply-add chain an element over k
 * in order, so they give the same bits as each other, whatever the block of rows that an element falls into.
 */
#include "models/kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define INLINE512 static inline __attribute__((always_inline, target("avx512f")))
#define INLINE256 static inline __attribute__((always_inline, target("avx2,fma")))

enum { BLOCK512 = 12, BLOCK256 = 6 };

INLINE512 void store512(const struct rows_job *job, __m512 sum, size_t row, size_t column, size_t width)
{
    __mmask16 mask = (__mmask16)(width >= ROWS_PANEL ? 0xffffu : (1u << width) - 1u);
    float *y = job->y + row * job->y_stride + column;

    if (job->row_bias)
        sum = _mm512_add_ps(sum, _mm512_set1_ps(job->row_bias[row]));
    if (job->accumulate)
        sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), sum);
    _mm512_mask_storeu_ps(y, mask, sum);
}

/* `rows` is a constant wherever this is inlined, so that the sums live in registers. */
INLINE512 void block512(const struct rows_job *job, size_t row, size_t column, size_t rows, size_t panels)
{
    const float *x = job->x + row * job->x_stride, *b0 = job->packed + column * job->k;
    const float *b1 = b0 + (panels > 1 ? job->k * ROWS_PANEL : 0);
    size_t stride = job->x_stride;
    __m512 sum0[BLOCK512], sum1[BLOCK512];

    for (size_t r = 0; r < rows; r++)
        sum0[r] = sum1[r] = _mm512_setzero_ps();
    for (size_t i = 0; i < job->k; i++) {
        __m512 v0 = _mm512_loadu_ps(b0 + i * ROWS_PANEL);
        __m512 v1 = panels > 1 ? _mm512_loadu_ps(b1 + i * ROWS_PANEL) : v0;

#pragma GCC unroll 12
        for (size_t r = 0; r < rows; r++) {
            __m512 a = _mm512_set1_ps(x[r * stride + i]);

            sum0[r] = _mm512_fmadd_ps(a, v0, sum0[r]);
            if (panels > 1)
                sum1[r] = _mm512_fmadd_ps(a, v1, sum1[r]);
        }
    }
    for (size_t r = 0; r < rows; r++) {
        store512(job, sum0[r], row + r, column, job->n - column);
        if (panels > 1)
            store512(job, sum1[r], row + r, column + ROWS_PANEL, job->n - column - ROWS_PANEL);
    }
}

/* One row against up to eight panels: several chains at once hide the latency of the multiply-add. */
INLINE512 void line512(const struct rows_job *job, size_t row)
{
    const float *x = job->x + row * job->x_stride;
    size_t panel = job->k * ROWS_PANEL, column = 0;

    for (; column + (size_t)7 * ROWS_PANEL < job->n; column += (size_t)8 * ROWS_PANEL) {
        const float *b = job->packed + column * job->k;
        __m512 sum[8];

        for (size_t p = 0; p < 8; p++)
            sum[p] = _mm512_setzero_ps();
        for (size_t i = 0; i < job->k; i++) {
            __m512 a = _mm512_set1_ps(x[i]);

#pragma GCC unroll 8
            for (size_t p = 0; p < 8; p++)
                sum[p] = _mm512_fmadd_ps(a, _mm512_loadu_ps(b + p * panel + i * ROWS_PANEL), sum[p]);
        }
        for (size_t p = 0; p < 8; p++)
            store512(job, sum[p], row, column + p * ROWS_PANEL, job->n - column - p * ROWS_PANEL);
    }
    for (; column + ROWS_PANEL < job->n; column += (size_t)2 * ROWS_PANEL)
        block512(job, row, column, 1, 2);
    if (column < job->n)
        block512(job, row, column, 1, 1);
}

INLINE512 void span512(const struct rows_job *job, size_t row, size_t rows, size_t column, size_t panels)
{
    switch (rows) {
    case 12:
        block512(job, row, column, 12, panels);
        break;
    case 8:
        block512(job, row, column, 8, panels);
        break;
    default:
        block512(job, row, column, 4, panels);
        break;
    }
}

static size_t block_rows(size_t left, size_t most)
{
    if (left >= most)
        return most;
    if (left >= 8)
        return 8;
    return left >= 4 ? 4 : left;
}

__attribute__((target("avx512f"))) static void rows_avx512(const struct rows_job *job)
{
    for (size_t row = 0; row < job->m;) {
        size_t rows = block_rows(job->m - row, BLOCK512), column = 0;

        if (rows < 4) {
            line512(job, row++);
            continue;
        }
        for (; column + ROWS_PANEL < job->n; column += (size_t)2 * ROWS_PANEL)
            span512(job, row, rows, column, 2);
        if (column < job->n)
            span512(job, row, rows, column, 1);
        row += rows;
    }
}

INLINE256 void store256(const struct rows_job *job, __m256 low, __m256 high, size_t row, size_t column)
{
    size_t width = job->n - column;
    float *y = job->y + row * job->y_stride + column;

    if (job->row_bias) {
        low = _mm256_add_ps(low, _mm256_set1_ps(job->row_bias[row]));
        high = _mm256_add_ps(high, _mm256_set1_ps(job->row_bias[row]));
    }
    if (width >= ROWS_PANEL) {
        if (job->accumulate) {
            low = _mm256_add_ps(_mm256_loadu_ps(y), low);
            high = _mm256_add_ps(_mm256_loadu_ps(y + 8), high);
        }
        _mm256_storeu_ps(y, low);
        _mm256_storeu_ps(y + 8, high);
    } else {
        float part[ROWS_PANEL];

        _mm256_storeu_ps(part, low);
        _mm256_storeu_ps(part + 8, high);
        for (size_t j = 0; j < width; j++)
            y[j] = job->accumulate ? y[j] + part[j] : part[j];
    }
}

INLINE256 void block256(const struct rows_job *job, size_t row, size_t column, size_t rows)
{
    const float *x = job->x + row * job->x_stride, *b = job->packed + column * job->k;
    size_t stride = job->x_stride;
    __m256 low[BLOCK256], high[BLOCK256];

    for (size_t r = 0; r < rows; r++)
        low[r] = high[r] = _mm256_setzero_ps();
    for (size_t i = 0; i < job->k; i++) {
        __m256 v0 = _mm256_loadu_ps(b + i * ROWS_PANEL), v1 = _mm256_loadu_ps(b + i * ROWS_PANEL + 8);

#pragma GCC unroll 6
        for (size_t r = 0; r < rows; r++) {
            __m256 a = _mm256_set1_ps(x[r * stride + i]);

            low[r] = _mm256_fmadd_ps(a, v0, low[r]);
            high[r] = _mm256_fmadd_ps(a, v1, high[r]);
        }
    }
    for (size_t r = 0; r < rows; r++)
        store256(job, low[r], high[r], row + r, column);
}

__attribute__((target("avx2,fma"))) static void rows_avx2(const struct rows_job *job)
{
    for (size_t row = 0; row < job->m;) {
        size_t left = job->m - row, rows = left >= BLOCK256 ? BLOCK256 : left >= 3 ? 3 : 1;

        for (size_t column = 0; column < job->n; column += ROWS_PANEL) {
            if (rows == BLOCK256)
                block256(job, row, column, BLOCK256);
            else if (rows == 3)
                block256(job, row, column, 3);
            else
                block256(job, row, column, 1);
        }
        row += rows;
    }
}

const struct kernels kernels_avx512 = {
    .name = "avx512",
    .rows = rows_avx512,
    .conv_scratch_floats = conv_native_scratch_floats,
    .conv = conv_native,
};

const struct kernels kernels_avx2 = {
    .name = "avx2",
    .rows = rows_avx2,
    .conv_scratch_floats = conv_native_scratch_floats,
    .conv = conv_native,
};

#endif
