/* The fast kernels against plain loops, on awkward sizes with poisoned surroundings. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/kernels.h"
#include "models/memory_plan.h"

static const struct kernels *kernel_at(size_t i)
{
    switch (i) {
    case 0:
        return &kernels_portable;
    case 1:
        return &kernels_openblas;
#if defined(__x86_64__)
    case 2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kernels_avx2 : &kernels_portable;
    case 3:
        return __builtin_cpu_supports("avx512f") ? &kernels_avx512 : &kernels_portable;
#endif
    default:
        return NULL;
    }
}

static float next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / 8388608.0f - 1.0f;
}

static float *filled(size_t n, uint32_t *seed)
{
    float *x = malloc((n + 1) * sizeof(float));

    cr_assert_not_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = next(seed);
    return x;
}

static const size_t sizes[] = {1, 2, 7, 13, 17, 33, 64, 150};

enum { N_SIZES = sizeof(sizes) / sizeof(sizes[0]), BORDER = 3 };

static void check_rows(const struct kernels *k, size_t m, size_t depth, size_t n, bool accumulate)
{
    uint32_t seed = (uint32_t)(m * 100 + depth * 10 + n);
    float *x = filled(m * depth, &seed), *b = filled(depth * n, &seed), *bias = filled(m, &seed);
    float *columns = filled(n, &seed);
    bool with_columns = (m + depth + n) % 3 == 0;
    float *packed = malloc(rows_packed_floats(depth, n) * sizeof(float) + 1);
    float *y = malloc(m * (n + BORDER) * sizeof(float)), *one = malloc(n * sizeof(float));
    struct rows_job job = {.x = x,
                           .x_stride = depth,
                           .packed = packed,
                           .y = y,
                           .y_stride = n + BORDER,
                           .m = m,
                           .k = depth,
                           .n = n,
                           .row_bias = accumulate ? NULL : bias,
                           .column_bias = with_columns ? columns : NULL,
                           .accumulate = accumulate};

    rows_pack(b, depth, n, n, 1, packed);
    for (size_t i = 0; i < m * (n + BORDER); i++)
        y[i] = accumulate && i % (n + BORDER) < n ? 0.5f : NAN;
    k->rows(&job);
    for (size_t r = 0; r < m; r++) {
        struct rows_job single = job;

        for (size_t c = 0; c < n; c++) {
            double want = (accumulate ? 0.5 : (double)bias[r]) + (with_columns ? (double)columns[c] : 0.0);

            for (size_t i = 0; i < depth; i++)
                want += (double)x[r * depth + i] * (double)b[i * n + c];
            cr_assert(fabs((double)y[r * (n + BORDER) + c] - want) < 1e-5 * (double)(depth + 1),
                      "%s %zux%zux%zu at %zu,%zu", k->name, m, depth, n, r, c);
        }
        for (size_t c = n; c < n + BORDER; c++)
            cr_assert(isnan(y[r * (n + BORDER) + c]), "%s wrote past a row", k->name);
        /* The row alone gives the same bits. */
        for (size_t c = 0; c < n; c++)
            one[c] = 0.5f;
        single.x = x + r * depth;
        single.y = one;
        single.m = 1;
        single.row_bias = accumulate ? NULL : bias + r;
        k->rows(&single);
        cr_assert_eq(memcmp(one, y + r * (n + BORDER), n * sizeof(float)), 0, "%s: row %zu of %zu", k->name, r, m);
    }
    free(x);
    free(b);
    free(bias);
    free(columns);
    free(packed);
    free(y);
    free(one);
}

Test(kernels, rows_agree_with_plain_loops_and_are_independent)
{
    for (size_t i = 0; kernel_at(i); i++) {
        for (size_t m = 0; m < N_SIZES; m++) {
            for (size_t k = 0; k < N_SIZES; k++) {
                for (size_t n = 0; n < N_SIZES; n++)
                    check_rows(kernel_at(i), sizes[m], sizes[k], sizes[n], (m + k + n) % 2 == 0);
            }
        }
    }
}

/* Beyond what one slice takes: a row alone is never cut, so its bits show whether the cuts are exact. */
Test(kernels, large_products_are_cut_without_a_trace)
{
    for (size_t i = 0; kernel_at(i); i++) {
        check_rows(kernel_at(i), 13, 1300, 601, false);
        check_rows(kernel_at(i), 5, 801, 1031, true);
        check_rows(kernel_at(i), 7, 700, 530, false);
    }
}

#if defined(__x86_64__)
Test(kernels, avx2_and_avx512_give_the_same_bits)
{
    enum { M = 13, K = 77, N = 45 };
    uint32_t seed = 5;
    float *x = filled((size_t)M * K, &seed), *b = filled((size_t)K * N, &seed), y[2][M * N];
    float *packed = malloc(rows_packed_floats(K, N) * sizeof(float));
    struct rows_job job = {.x = x, .x_stride = K, .packed = packed, .y_stride = N, .m = M, .k = K, .n = N};

    if (!__builtin_cpu_supports("avx512f"))
        cr_skip_test("no AVX-512 here");
    rows_pack(b, K, N, N, 1, packed);
    job.y = y[0];
    kernels_avx2.rows(&job);
    job.y = y[1];
    kernels_avx512.rows(&job);
    cr_assert_eq(memcmp(y[0], y[1], sizeof(y[0])), 0);
    free(x);
    free(b);
    free(packed);
}
#endif

static double conv_at(const struct conv_geometry *g, const float *x, const float *w, int64_t f, const int64_t o[3])
{
    int64_t per = g->channels_in / g->groups, group = f / (g->channels_out / g->groups);
    double sum = 0;

    for (int64_t c = 0; c < per; c++) {
        for (int64_t k = 0; k < g->kernel[0] * g->kernel[1] * g->kernel[2]; k++) {
            int64_t tap[3] = {k / (g->kernel[1] * g->kernel[2]), k / g->kernel[2] % g->kernel[1], k % g->kernel[2]};
            int64_t at = group * per + c;
            bool inside = true;

            for (unsigned d = 0; d < 3; d++) {
                int64_t i = o[d] * g->stride[d] + tap[d] * g->dilation[d] - g->pad[d];

                inside = inside && i >= 0 && i < g->in[d];
                at = at * g->in[d] + i;
            }
            if (inside)
                sum += (double)x[at] * (double)w[(f * per + c) * g->kernel[0] * g->kernel[1] * g->kernel[2] + k];
        }
    }
    return sum;
}

static void check_conv(const struct kernels *kernels, const struct conv_geometry *g)
{
    uint32_t seed = 11;
    int64_t taps = g->kernel[0] * g->kernel[1] * g->kernel[2], positions = g->out[0] * g->out[1] * g->out[2];
    float *x = filled((size_t)(g->channels_in * g->in[0] * g->in[1] * g->in[2]), &seed);
    float *w = filled((size_t)(g->channels_out * g->channels_in / g->groups * taps), &seed);
    float *bias = filled((size_t)g->channels_out, &seed);
    float *y = malloc((size_t)(g->channels_out * positions + BORDER) * sizeof(float));
    float *scratch = malloc(kernels->conv_scratch_floats(g) * sizeof(float) + 1);
    struct conv_job job = {.geometry = g,
                           .x = x,
                           .weights = w,
                           .bias = bias,
                           .y = y,
                           .scratch = scratch,
                           .activation = {ACTIVATION_LEAKY, 0.25f, 0}};

    for (int64_t i = 0; i < g->channels_out * positions + BORDER; i++)
        y[i] = NAN;
    kernels->conv(kernels, &job);
    for (int64_t i = 0; i < g->channels_out * positions; i++) {
        int64_t p = i % positions;
        int64_t o[3] = {p / (g->out[1] * g->out[2]), p / g->out[2] % g->out[1], p % g->out[2]};
        double want = conv_at(g, x, w, i / positions, o) + (double)bias[i / positions];

        want = want < 0 ? want * 0.25 : want;
        cr_assert(fabs((double)y[i] - want) < 2e-4, "%s: %g, not %g, at %lld", kernels->name, (double)y[i], want,
                  (long long)i);
    }
    for (int64_t i = 0; i < BORDER; i++)
        cr_assert(isnan(y[g->channels_out * positions + i]), "%s wrote past its end", kernels->name);
    free(x);
    free(w);
    free(bias);
    free(y);
    free(scratch);
}

Test(kernels, convolutions_agree_with_plain_loops)
{
    /* groups, channels; in, kernel, out, stride, dilation, pad. out is what the window gives for those. */
    static const struct conv_geometry cases[] = {
        {1, 3, 7, {1, 13, 17}, {1, 3, 3}, {1, 13, 17}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}},
        {1, 5, 13, {1, 7, 7}, {1, 1, 1}, {1, 7, 7}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},
        {2, 6, 8, {1, 9, 11}, {1, 3, 5}, {1, 4, 6}, {1, 2, 2}, {1, 1, 1}, {0, 0, 2}},
        {7, 7, 7, {1, 13, 12}, {1, 3, 3}, {1, 13, 12}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}},
        {4, 4, 8, {1, 9, 10}, {1, 5, 5}, {1, 4, 5}, {1, 2, 2}, {1, 2, 2}, {0, 3, 4}},
        {1, 2, 3, {5, 6, 7}, {3, 2, 3}, {3, 5, 3}, {2, 1, 2}, {1, 1, 1}, {1, 0, 0}},
        {1, 64, 1, {1, 1, 33}, {1, 1, 7}, {1, 1, 29}, {1, 1, 1}, {1, 1, 2}, {0, 0, 4}},
        {1, 1, 1, {1, 1, 1}, {1, 7, 7}, {1, 1, 1}, {1, 1, 1}, {1, 1, 1}, {0, 3, 3}},
        {1, 300, 4, {1, 20, 20}, {1, 3, 3}, {1, 20, 20}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}}, /* several tiles */
        {1, 600, 5, {1, 40, 40}, {1, 1, 1}, {1, 40, 40}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}}, /* the same, pointwise */
        {6, 6, 6, {1, 7, 7}, {1, 3, 3}, {1, 7, 7}, {1, 1, 1}, {1, 1, 1}, {0, 1, 1}},       /* depthwise squares */
        {6, 6, 6, {1, 14, 13}, {1, 3, 3}, {1, 7, 7}, {1, 2, 2}, {1, 1, 1}, {0, 1, 1}},
        {5, 5, 10, {1, 12, 37}, {1, 5, 5}, {1, 12, 37}, {1, 1, 1}, {1, 1, 1}, {0, 2, 2}},
        {5, 5, 5, {1, 24, 19}, {1, 5, 5}, {1, 12, 10}, {1, 2, 2}, {1, 1, 1}, {0, 1, 2}},
        {3, 3, 3, {1, 2, 1}, {1, 5, 5}, {1, 4, 3}, {1, 1, 1}, {1, 1, 1}, {0, 3, 3}}, /* smaller than its pads */
        {3, 3, 3, {1, 40, 3}, {1, 3, 3}, {1, 38, 1}, {1, 1, 1}, {1, 1, 1}, {0, 0, 0}},
        {1, 2, 3, {1, 13, 13}, {1, 1, 1}, {1, 7, 7}, {1, 2, 2}, {1, 1, 1}, {0, 0, 0}}, /* reads the last value */
        {1, 2, 3, {1, 9, 8}, {1, 3, 3}, {1, 9, 8}, {1, 1, 1}, {1, 1, 1}, {0, 2, 0}},   /* as wide, pad on one side */
        {1, 2, 3, {1, 5, 4}, {1, 3, 3}, {1, 7, 4}, {1, 1, 1}, {1, 3, 3}, {0, 4, 3}},
        {1, 2, 3, {1, 3, 2}, {1, 5, 5}, {1, 3, 2}, {1, 1, 1}, {1, 2, 2}, {0, 4, 4}}, /* pads wider than the image */
    };

    for (size_t i = 0; kernel_at(i); i++) {
        for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++)
            check_conv(kernel_at(i), &cases[k]);
    }
}

/* Units in the last place between y and the float nearest to want. */
static double ulps(float y, double want)
{
    float near = (float)want;
    double step = (double)nextafterf(fabsf(near), INFINITY) - fabs((double)near);

    return fabs((double)y - want) / step;
}

/* The worst case of all values between -100 and 100 in steps that hit small and large ones, and odd ends of vectors. */
static void check_function(void (*f)(const float *, float *, size_t), double (*exact)(double), double least)
{
    enum { N = 200003 };
    float *x = malloc(N * sizeof(float)), *y = malloc(N * sizeof(float));

    cr_assert(x && y);
    for (int i = 0; i < N; i++) {
        double t = (double)(i - N / 2) / (N / 2.0);

        x[i] = (float)(100.0 * t * t * t * t * t);
    }
    x[7] = NAN;
    x[8] = INFINITY;
    x[9] = -INFINITY;
    f(x, y, N);
    cr_assert(isnan(y[7]));
    for (int i = 0; i < N; i++) {
        double want = exact((double)x[i]);

        /* Below `least` the result is next to nothing and may be so in its own way. */
        if (i != 7)
            cr_assert(ulps(y[i], want) <= 3.0 || fabs(want) < least, "%.9g: %.9g, not %.9g", (double)x[i], (double)y[i],
                      want);
    }
    /* In place, and the same bits at any place of a vector. */
    for (size_t n = 1; n < 40; n++) {
        float part[40];

        memcpy(part, x + 90000, n * sizeof(float));
        f(part, part, n);
        cr_assert_eq(memcmp(part, y + 90000, n * sizeof(float)), 0);
    }
    free(x);
    free(y);
}

static double exact_sigmoid(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

Test(kernels, sigmoid_is_exact_within_three_units)
{
    check_function(sigmoid_f32, exact_sigmoid, 1e-37);
}

Test(kernels, tanh_is_exact_within_three_units)
{
    check_function(tanh_f32, tanh, 1e-37);
}

Test(kernels, erf_is_exact_within_three_units)
{
    check_function(erf_f32, erf, 1e-37);
}

Test(kernels, softmax_agrees_with_its_formula_and_drops_what_is_masked)
{
    enum { MOST = 70 };
    float x[MOST], y[MOST + 1];
    uint32_t seed = 8;

    for (int n = 1; n <= MOST; n++) {
        double sum = 0;

        for (int i = 0; i < n; i++)
            x[i] = i % 7 == 3 ? -INFINITY : 20.0f * next(&seed);
        y[n] = 77.0f;
        softmax_f32(x, y, (size_t)n);
        cr_assert_eq(y[n], 77.0f);
        for (int i = 0; i < n; i++)
            sum += exp((double)x[i]);
        for (int i = 0; i < n; i++)
            cr_assert_float_eq((double)y[i], exp((double)x[i]) / sum, 3e-7, "%d of %d", i, n);
        cr_assert(n < 4 || y[3] == 0.0f);
    }
    x[0] = NAN;
    softmax_f32(x, y, 20);
    cr_assert(isnan(y[19]));
}

Test(memory_plan, blocks_that_live_together_do_not_overlap)
{
    enum { N = 300 };
    struct memory_block b[N];
    uint32_t seed = 3;
    size_t total, sum = 0;
    struct error e;

    for (size_t i = 0; i < N; i++) {
        size_t first;

        seed = seed * 1664525u + 1013904223u;
        first = (seed >> 8) % 100;
        b[i] = (struct memory_block){.bytes = (seed >> 4) % 5000, .first = first, .last = first + (seed >> 28)};
        sum += b[i].bytes + 64;
    }
    cr_assert_eq(memory_plan(b, N, SIZE_MAX / 2, &total, &e), STATUS_OK);
    for (size_t i = 0; i < N; i++) {
        cr_assert_eq(b[i].offset % 64, 0);
        cr_assert_leq(b[i].offset + b[i].bytes, total);
        for (size_t k = 0; k < i; k++) {
            bool together = b[i].first <= b[k].last && b[k].first <= b[i].last;

            cr_assert(!together || b[i].offset >= b[k].offset + b[k].bytes || b[k].offset >= b[i].offset + b[i].bytes);
        }
    }
    cr_assert_lt(total, sum / 3);
    cr_assert_eq(memory_plan(b, N, 1000, &total, &e), STATUS_INVALID);
}
