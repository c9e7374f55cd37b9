/* The rows kernel for AVX2 with FMA and for AVX-512. Both keep one fused multiply-add chain an element over k
 * in order, so they give the same bits as each other, whatever the block of rows that an element falls into.
 */
#include "models/kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define INLINE512 static inline __attribute__((always_inline, target("avx512f")))
#define INLINE256 static inline __attribute__((always_inline, target("avx2,fma")))

/* PREFETCH_K: how far ahead packed values are asked for, in steps of k. */
enum { BLOCK512 = 12, BLOCK256 = 6, PREFETCH_K = 16 };

/* What is worked on at a time: a slice of k over a slice of columns, so that the packed values that every block of rows reads
 * stay in the second-level cache; matrices below SLICE_FLOATS do so anyway. A sum that goes on in the next slice waits in Y,
 * which is exact, so the chains and their bits are those of one pass. */
enum { SLICE_K = 512, SLICE_PANELS = 32, SLICE_FLOATS = 320 * 1024 };

/* One slice of a job. */
struct slice {
    const struct rows_job *job;
    size_t first_k, end_k, first_column, end_column;
    bool is_first, is_last; /* of k */
};

INLINE512 __m512 start512(const struct slice *s, size_t row, size_t column)
{
    const struct rows_job *job = s->job;
    size_t width = job->n - column;
    __mmask16 mask = (__mmask16)(width >= ROWS_PANEL ? 0xffffu : (1u << width) - 1u);

    if (s->is_first)
        return _mm512_setzero_ps();
    return _mm512_maskz_loadu_ps(mask, job->y + row * job->y_stride + column);
}

INLINE512 void store512(const struct slice *s, __m512 sum, size_t row, size_t column)
{
    const struct rows_job *job = s->job;
    size_t width = job->n - column;
    __mmask16 mask = (__mmask16)(width >= ROWS_PANEL ? 0xffffu : (1u << width) - 1u);
    float *y = job->y + row * job->y_stride + column;

    if (s->is_last) {
        if (job->row_bias)
            sum = _mm512_add_ps(sum, _mm512_set1_ps(job->row_bias[row]));
        if (job->column_bias)
            sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, job->column_bias + column));
        if (job->accumulate)
            sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), sum);
    }
    _mm512_mask_storeu_ps(y, mask, sum);
}

/* `rows` and `panels` are constants wherever this is inlined, so that the sums live in registers. */
INLINE512 void block512(const struct slice *s, size_t row, size_t column, size_t rows, size_t panels)
{
    const struct rows_job *job = s->job;
    const float *x = job->x + row * job->x_stride, *b0 = job->packed + column * job->k;
    const float *b1 = b0 + (panels > 1 ? job->k * ROWS_PANEL : 0);
    size_t stride = job->x_stride;
    __m512 sum0[BLOCK512], sum1[BLOCK512];

    for (size_t r = 0; r < rows; r++) {
        sum0[r] = start512(s, row + r, column);
        sum1[r] = panels > 1 ? start512(s, row + r, column + ROWS_PANEL) : _mm512_setzero_ps();
    }
    for (size_t i = s->first_k; i < s->end_k; i++) {
        __m512 v0 = _mm512_loadu_ps(b0 + i * ROWS_PANEL);
        __m512 v1 = panels > 1 ? _mm512_loadu_ps(b1 + i * ROWS_PANEL) : v0;

        _mm_prefetch((const char *)(b0 + (i + PREFETCH_K) * ROWS_PANEL), _MM_HINT_T0);
        if (panels > 1)
            _mm_prefetch((const char *)(b1 + (i + PREFETCH_K) * ROWS_PANEL), _MM_HINT_T0);

#pragma GCC unroll 12
        for (size_t r = 0; r < rows; r++) {
            __m512 a = _mm512_set1_ps(x[r * stride + i]);

            sum0[r] = _mm512_fmadd_ps(a, v0, sum0[r]);
            if (panels > 1)
                sum1[r] = _mm512_fmadd_ps(a, v1, sum1[r]);
        }
    }
    for (size_t r = 0; r < rows; r++) {
        store512(s, sum0[r], row + r, column);
        if (panels > 1)
            store512(s, sum1[r], row + r, column + ROWS_PANEL);
    }
}

/* One row against up to eight panels: several chains at once hide the latency of the multiply-add. */
INLINE512 void line512(const struct slice *s, size_t row)
{
    const struct rows_job *job = s->job;
    const float *x = job->x + row * job->x_stride;
    size_t panel = job->k * ROWS_PANEL, column = s->first_column;

    for (; column + (size_t)7 * ROWS_PANEL < s->end_column; column += (size_t)8 * ROWS_PANEL) {
        const float *b = job->packed + column * job->k;
        __m512 sum[8];

        for (size_t p = 0; p < 8; p++)
            sum[p] = start512(s, row, column + p * ROWS_PANEL);
        for (size_t i = s->first_k; i < s->end_k; i++) {
            __m512 a = _mm512_set1_ps(x[i]);

#pragma GCC unroll 8
            for (size_t p = 0; p < 8; p++)
                sum[p] = _mm512_fmadd_ps(a, _mm512_loadu_ps(b + p * panel + i * ROWS_PANEL), sum[p]);
        }
        for (size_t p = 0; p < 8; p++)
            store512(s, sum[p], row, column + p * ROWS_PANEL);
    }
    for (; column + ROWS_PANEL < s->end_column; column += (size_t)2 * ROWS_PANEL)
        block512(s, row, column, 1, 2);
    if (column < s->end_column)
        block512(s, row, column, 1, 1);
}

INLINE512 void span512(const struct slice *s, size_t row, size_t rows, size_t column, size_t panels)
{
    switch (rows) {
    case 12:
        block512(s, row, column, 12, panels);
        break;
    case 8:
        block512(s, row, column, 8, panels);
        break;
    default:
        block512(s, row, column, 4, panels);
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

__attribute__((target("avx512f"))) static void slice_avx512(const struct slice *s)
{
    for (size_t row = 0; row < s->job->m;) {
        size_t rows = block_rows(s->job->m - row, BLOCK512), column = s->first_column;

        if (rows < 4) {
            line512(s, row++);
            continue;
        }
        for (; column + ROWS_PANEL < s->end_column; column += (size_t)2 * ROWS_PANEL)
            span512(s, row, rows, column, 2);
        if (column < s->end_column)
            span512(s, row, rows, column, 1);
        row += rows;
    }
}

static void each_slice(const struct rows_job *job, void (*work)(const struct slice *))
{
    size_t columns = (size_t)SLICE_PANELS * ROWS_PANEL, depth = SLICE_K;
    struct slice s = {.job = job};

    /* What is added to Y needs the whole sum first; few rows read the packed values about once anyway. */
    if (job->accumulate || job->m < 4 || job->k * job->n <= SLICE_FLOATS)
        depth = job->k;
    for (; s.first_column < job->n; s.first_column = s.end_column) {
        s.end_column = job->n - s.first_column < columns ? job->n : s.first_column + columns;
        s.first_k = 0;
        do {
            /* No thin slice at the end. */
            s.end_k = job->k - s.first_k < depth + depth / 2 ? job->k : s.first_k + depth;
            s.is_first = s.first_k == 0;
            s.is_last = s.end_k == job->k;
            work(&s);
            s.first_k = s.end_k;
        } while (!s.is_last);
    }
}

static void rows_avx512(const struct rows_job *job)
{
    each_slice(job, slice_avx512);
}

INLINE256 void start256(const struct slice *s, size_t row, size_t column, __m256 *ret_low, __m256 *ret_high)
{
    const struct rows_job *job = s->job;
    const float *y = job->y + row * job->y_stride + column;
    size_t width = job->n - column;

    *ret_low = *ret_high = _mm256_setzero_ps();
    if (s->is_first)
        return;
    if (width >= ROWS_PANEL) {
        *ret_low = _mm256_loadu_ps(y);
        *ret_high = _mm256_loadu_ps(y + 8);
    } else {
        float part[ROWS_PANEL] = {0};

        for (size_t j = 0; j < width; j++)
            part[j] = y[j];
        *ret_low = _mm256_loadu_ps(part);
        *ret_high = _mm256_loadu_ps(part + 8);
    }
}

INLINE256 void store256(const struct slice *s, __m256 low, __m256 high, size_t row, size_t column)
{
    const struct rows_job *job = s->job;
    size_t width = job->n - column;
    float *y = job->y + row * job->y_stride + column;

    if (s->is_last && job->row_bias) {
        low = _mm256_add_ps(low, _mm256_set1_ps(job->row_bias[row]));
        high = _mm256_add_ps(high, _mm256_set1_ps(job->row_bias[row]));
    }
    if (width >= ROWS_PANEL) {
        if (s->is_last && job->column_bias) {
            low = _mm256_add_ps(low, _mm256_loadu_ps(job->column_bias + column));
            high = _mm256_add_ps(high, _mm256_loadu_ps(job->column_bias + column + 8));
        }
        if (s->is_last && job->accumulate) {
            low = _mm256_add_ps(_mm256_loadu_ps(y), low);
            high = _mm256_add_ps(_mm256_loadu_ps(y + 8), high);
        }
        _mm256_storeu_ps(y, low);
        _mm256_storeu_ps(y + 8, high);
    } else {
        float part[ROWS_PANEL];

        _mm256_storeu_ps(part, low);
        _mm256_storeu_ps(part + 8, high);
        for (size_t j = 0; j < width; j++) {
            float v = s->is_last && job->column_bias ? part[j] + job->column_bias[column + j] : part[j];

            y[j] = s->is_last && job->accumulate ? y[j] + v : v;
        }
    }
}

INLINE256 void block256(const struct slice *s, size_t row, size_t column, size_t rows)
{
    const struct rows_job *job = s->job;
    const float *x = job->x + row * job->x_stride, *b = job->packed + column * job->k;
    size_t stride = job->x_stride;
    __m256 low[BLOCK256], high[BLOCK256];

    for (size_t r = 0; r < rows; r++)
        start256(s, row + r, column, &low[r], &high[r]);
    for (size_t i = s->first_k; i < s->end_k; i++) {
        __m256 v0 = _mm256_loadu_ps(b + i * ROWS_PANEL), v1 = _mm256_loadu_ps(b + i * ROWS_PANEL + 8);

#pragma GCC unroll 6
        for (size_t r = 0; r < rows; r++) {
            __m256 a = _mm256_set1_ps(x[r * stride + i]);

            low[r] = _mm256_fmadd_ps(a, v0, low[r]);
            high[r] = _mm256_fmadd_ps(a, v1, high[r]);
        }
    }
    for (size_t r = 0; r < rows; r++)
        store256(s, low[r], high[r], row + r, column);
}

__attribute__((target("avx2,fma"))) static void slice_avx2(const struct slice *s)
{
    for (size_t row = 0; row < s->job->m;) {
        size_t left = s->job->m - row, rows = left >= BLOCK256 ? BLOCK256 : left >= 3 ? 3 : 1;

        for (size_t column = s->first_column; column < s->end_column; column += ROWS_PANEL) {
            if (rows == BLOCK256)
                block256(s, row, column, BLOCK256);
            else if (rows == 3)
                block256(s, row, column, 3);
            else
                block256(s, row, column, 1);
        }
        row += rows;
    }
}

static void rows_avx2(const struct rows_job *job)
{
    each_slice(job, slice_avx2);
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
