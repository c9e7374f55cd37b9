/* The rows kernel for AVX2 with FMA and for AVX-512. Both keep one fused multiply-add chain an element over k
 * in order, so they give the same bits as each other, whatever the block of rows that an element falls into.
 */
#include "models/kernels.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define INLINE512 static inline __attribute__((always_inline, target("avx512f")))
#define INLINE256 static inline __attribute__((always_inline, target("avx2,fma")))

/* PREFETCH_K: how far ahead packed values are asked for, in steps of k. Blocks of 8 rows by 3 panels and of 12 by 2 both have 24
 * sums; the former need fewer loads and fewer pointers, and were faster wherever rows divide by eight. */
enum { ROWS512 = 12, PANELS512 = 8, BLOCK256 = 6, PREFETCH_K = 16 };

/* What is worked on at a time: a slice of k over a slice of columns, so that the packed values that every block of rows reads
 * stay in the second-level cache; matrices below SLICE_FLOATS do so anyway. A sum that goes on in the next slice waits in Y,
 * which is exact, so the chains and their bits are those of one pass. */
enum { SLICE_K = 512, SLICE_PANELS = 33, SLICE_FLOATS = 320 * 1024 };

/* One slice of a job. */
struct slice {
    const struct rows_job *job;
    size_t first_k, end_k, first_column, end_column;
    bool is_first, is_last; /* of k */
    bool is_streamed;       /* packed values from beyond the cache, for few rows: larger blocks read them fewer times */
};

/* `rows` and `panels` are constants wherever this is inlined, so that the sums live in registers: every loop over them is
 * unrolled, and none has a branch inside, or the sums would go by way of memory (7 to 14 % slower). */
INLINE512 void block512(const struct slice *s, size_t row, size_t column, size_t rows, size_t panels)
{
    const struct rows_job *job = s->job;
    const float *x = job->x + row * job->x_stride, *b = job->packed + column * job->k + s->first_k * ROWS_PANEL;
    size_t x_stride = job->x_stride, y_stride = job->y_stride, panel = job->k * ROWS_PANEL, end = s->end_k;
    float *y = job->y + row * y_stride + column;
    __m512 sum[ROWS512][PANELS512], v[PANELS512];
    __mmask16 masks[PANELS512];

#pragma GCC unroll 8
    for (size_t p = 0; p < panels; p++) {
        size_t width = job->n - column - p * ROWS_PANEL;

        masks[p] = (__mmask16)(width >= ROWS_PANEL ? 0xffffu : (1u << width) - 1u);
    }
#pragma GCC unroll 12
    for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 8
        for (size_t p = 0; p < panels; p++)
            sum[r][p] = _mm512_setzero_ps();
    }
    if (!s->is_first) {
#pragma GCC unroll 12
        for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 8
            for (size_t p = 0; p < panels; p++)
                sum[r][p] = _mm512_maskz_loadu_ps(masks[p], y + r * y_stride + p * ROWS_PANEL);
        }
    }
    for (size_t i = s->first_k; i < end; i++, b += ROWS_PANEL) {
        /* Else the compiler keeps a pointer for each panel and each row, more than there are registers. */
        __asm__("" : "+r"(b));
        if (rows > 8)
            __asm__("" : "+r"(x_stride));
#pragma GCC unroll 8
        for (size_t p = 0; p < panels; p++) {
            v[p] = _mm512_loadu_ps(b + p * panel);
            if (rows > 1)
                _mm_prefetch((const char *)(b + p * panel + (size_t)PREFETCH_K * ROWS_PANEL), _MM_HINT_T0);
        }
#pragma GCC unroll 12
        for (size_t r = 0; r < rows; r++) {
            __m512 a = _mm512_set1_ps(x[r * x_stride + i]);

#pragma GCC unroll 8
            for (size_t p = 0; p < panels; p++)
                sum[r][p] = _mm512_fmadd_ps(a, v[p], sum[r][p]);
        }
    }
    if (s->is_last && job->row_bias) {
#pragma GCC unroll 12
        for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 8
            for (size_t p = 0; p < panels; p++)
                sum[r][p] = _mm512_add_ps(sum[r][p], _mm512_set1_ps(job->row_bias[row + r]));
        }
    }
    if (s->is_last && job->column_bias) {
#pragma GCC unroll 8
        for (size_t p = 0; p < panels; p++)
            v[p] = _mm512_maskz_loadu_ps(masks[p], job->column_bias + column + p * ROWS_PANEL);
#pragma GCC unroll 12
        for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 8
            for (size_t p = 0; p < panels; p++)
                sum[r][p] = _mm512_add_ps(sum[r][p], v[p]);
        }
    }
    if (s->is_last && job->accumulate) {
#pragma GCC unroll 12
        for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 8
            for (size_t p = 0; p < panels; p++)
                sum[r][p] =
                    _mm512_add_ps(_mm512_maskz_loadu_ps(masks[p], y + r * y_stride + p * ROWS_PANEL), sum[r][p]);
        }
    }
    if (masks[panels - 1] == 0xffffu) {
#pragma GCC unroll 12
        for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 8
            for (size_t p = 0; p < panels; p++)
                _mm512_storeu_ps(y + r * y_stride + p * ROWS_PANEL, sum[r][p]);
        }
        return;
    }
#pragma GCC unroll 12
    for (size_t r = 0; r < rows; r++) {
#pragma GCC unroll 8
        for (size_t p = 0; p < panels; p++)
            _mm512_mask_storeu_ps(y + r * y_stride + p * ROWS_PANEL, masks[p], sum[r][p]);
    }
}

/* Functions of their own, so that nothing else competes with a block for registers. */
#define BLOCK512(rows, panels)                                                                                         \
    __attribute__((target("avx512f"), noinline)) static void block512_##rows##x##panels(const struct slice *s,         \
                                                                                        size_t row, size_t column)     \
    {                                                                                                                  \
        block512(s, row, column, rows, panels);                                                                        \
    }

BLOCK512(12, 1)
BLOCK512(12, 2)
BLOCK512(8, 1)
BLOCK512(8, 2)
BLOCK512(8, 3)
BLOCK512(4, 1)
BLOCK512(4, 2)
BLOCK512(1, 1)
BLOCK512(1, 2)
BLOCK512(1, 8)

/* How some rows are taken: `most` panels at a time as long as there are as many, then two, then one. */
struct band512 {
    size_t rows, most;
    void (*many)(const struct slice *s, size_t row, size_t column);
    void (*two)(const struct slice *s, size_t row, size_t column);
    void (*one)(const struct slice *s, size_t row, size_t column);
};

static void take_band512(const struct slice *s, size_t row, const struct band512 *band)
{
    for (size_t column = s->first_column; column < s->end_column;) {
        size_t panels = (s->end_column - column + ROWS_PANEL - 1) / ROWS_PANEL;

        if (panels >= band->most) {
            band->many(s, row, column);
            column += band->most * ROWS_PANEL;
        } else if (panels >= 2) {
            band->two(s, row, column);
            column += (size_t)2 * ROWS_PANEL;
        } else {
            band->one(s, row, column);
            column += ROWS_PANEL;
        }
    }
}

static void slice_avx512(const struct slice *s)
{
    static const struct band512 twelve = {12, 2, block512_12x2, block512_12x2, block512_12x1};
    static const struct band512 eight = {8, 3, block512_8x3, block512_8x2, block512_8x1};
    static const struct band512 four = {4, 2, block512_4x2, block512_4x2, block512_4x1};
    static const struct band512 one = {1, 8, block512_1x8, block512_1x2, block512_1x1};
    const struct band512 *band;

    for (size_t row = 0; row < s->job->m; row += band->rows) {
        size_t left = s->job->m - row;

        if (left >= 12 && (left < 16 || s->is_streamed))
            band = &twelve;
        else
            band = left >= 8 ? &eight : left >= 4 ? &four : &one;
        take_band512(s, row, band);
    }
}

static void each_slice(const struct rows_job *job, void (*work)(const struct slice *))
{
    size_t columns = (size_t)SLICE_PANELS * ROWS_PANEL, depth = SLICE_K;
    bool whole = job->m < 4 || job->k * job->n <= SLICE_FLOATS; /* few rows read the packed values about once anyway */
    struct slice s = {.job = job};

    s.is_streamed = !whole && job->m < 24;
    if (whole)
        columns = job->n;
    /* What is added to Y needs the whole sum first. */
    if (whole || job->accumulate)
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
