#include "nodes/image.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Pixels in rows that are longer than needed; what lies beyond a row is poison that must never count. */
struct picture {
    struct image image;
    uint8_t *bytes;
};

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static struct picture picture_make(unsigned width, unsigned height, uint32_t seed)
{
    size_t stride = 3 * (size_t)width + 11;
    struct picture p = {.bytes = malloc(stride * height)};

    memset(p.bytes, 0xEE, stride * height);
    for (unsigned y = 0; y < height; y++) {
        for (unsigned x = 0; x < 3 * width; x++)
            p.bytes[y * stride + x] = (uint8_t)next_random(&seed);
    }
    p.image = (struct image){p.bytes, width, height, stride, NULL};
    return p;
}

static double pixel(const struct image *in, long x, long y, unsigned c)
{
    return in->rgb_hwc_u8[(size_t)y * in->stride_bytes + 3 * (size_t)x + c];
}

/* Weight of source pixel i for output o along one axis: the definition, in floating point. */
static double axis_weight(unsigned in_px, unsigned out_px, unsigned o, unsigned i)
{
    if (out_px <= in_px) {
        double scale = (double)in_px / out_px;
        double covered = fmin(i + 1.0, (o + 1) * scale) - fmax(i, o * scale);

        return covered > 0 ? covered / scale : 0;
    } else {
        double at = fmin(fmax((o + 0.5) * in_px / out_px - 0.5, 0), in_px - 1.0);

        return fmax(0, 1 - fabs(at - i));
    }
}

static double resize_reference(const struct image *in, unsigned out_w, unsigned out_h, unsigned u, unsigned v,
                               unsigned c)
{
    double sum = 0;

    for (unsigned y = 0; y < in->height_px; y++) {
        double wy = axis_weight(in->height_px, out_h, v, y);

        for (unsigned x = 0; wy > 0 && x < in->width_px; x++)
            sum += wy * axis_weight(in->width_px, out_w, u, x) * pixel(in, x, y, c);
    }
    return sum;
}

static uint8_t *poisoned(size_t n_bytes)
{
    uint8_t *p = malloc(n_bytes + 16);

    memset(p, 0xA5, n_bytes + 16);
    return p;
}

static void expect_poison(const uint8_t *p, size_t n_bytes)
{
    for (unsigned i = 0; i < 16; i++)
        cr_assert_eq(p[n_bytes + i], 0xA5, "wrote beyond the output");
}

Test(image, resize_equals_the_definition_on_awkward_sizes)
{
    static const unsigned sizes[] = {1, 2, 7, 13, 64, 97};
    enum { N = sizeof(sizes) / sizeof(sizes[0]) };

    for (unsigned k = 0; k < N * N * N; k++) {
        unsigned in_w = sizes[k % N], in_h = sizes[k / N % N], out_w = sizes[k / N / N];

        for (unsigned j = 0; j < N; j++) {
            unsigned out_h = sizes[j];
            size_t n = 3 * (size_t)out_w * out_h;
            struct picture p = picture_make(in_w, in_h, k * N + j);
            uint8_t *out = poisoned(n);

            image_resize(&p.image, out, out_w, out_h);
            expect_poison(out, n);
            for (size_t i = 0; i < n; i += 1 + n / 97) {
                double want = resize_reference(&p.image, out_w, out_h, (unsigned)(i / 3 % out_w),
                                               (unsigned)(i / 3 / out_w), (unsigned)(i % 3));

                cr_assert(fabs(out[i] - want) <= 0.5 + 1e-6, "%ux%u -> %ux%u at %zu: %u, want %f", in_w, in_h, out_w,
                          out_h, i, out[i], want);
            }
            free(out);
            free(p.bytes);
        }
    }
}

Test(image, resize_of_a_wide_picture_crosses_the_window_of_columns)
{
    static const unsigned widths[] = {1, 2, 3, 500, 1023, 1024, 1025, 4000};
    struct picture p = picture_make(5003, 3, 5);

    for (size_t k = 0; k < sizeof(widths) / sizeof(widths[0]); k++) {
        size_t n = 3 * (size_t)widths[k] * 2;
        uint8_t *out = poisoned(n);

        image_resize(&p.image, out, widths[k], 2);
        expect_poison(out, n);
        for (size_t i = 0; i < n; i += 1 + n / 61) {
            double want = resize_reference(&p.image, widths[k], 2, (unsigned)(i / 3 % widths[k]),
                                           (unsigned)(i / 3 / widths[k]), (unsigned)(i % 3));

            cr_assert(fabs(out[i] - want) <= 0.5 + 1e-6);
        }
        free(out);
    }
    free(p.bytes);
}

Test(image, resize_keeps_a_flat_picture_flat_and_the_same_size_unchanged)
{
    struct picture p = picture_make(13, 7, 3);
    uint8_t out[3 * 100 * 100];

    image_resize(&p.image, out, 13, 7);
    for (unsigned y = 0; y < 7; y++)
        cr_assert_arr_eq(out + 39 * y, p.bytes + p.image.stride_bytes * y, 39);
    memset(p.bytes, 255, p.image.stride_bytes * 7);
    for (unsigned size = 1; size <= 100; size++) {
        image_resize(&p.image, out, size, 101 - size);
        for (size_t i = 0; i < 3 * (size_t)size * (101 - size); i++)
            cr_assert_eq(out[i], 255);
    }
    free(p.bytes);
}

/* The value at a point: bilinear between centres, black outside. */
static double bilinear_reference(const struct image *in, double x, double y, unsigned c)
{
    double x0 = floor(x - 0.5), y0 = floor(y - 0.5), sum = 0;

    for (int i = 0; i < 4; i++) {
        double px = x0 + (i & 1), py = y0 + (i >> 1);
        double weight = (1 - fabs(x - 0.5 - px)) * (1 - fabs(y - 0.5 - py));

        if (px >= 0 && py >= 0 && px < in->width_px && py < in->height_px)
            sum += weight * pixel(in, (long)px, (long)py, c);
    }
    return sum;
}

static void expect_warp_is_bilinear(const struct image *in, const struct image_transform *t, unsigned w, unsigned h)
{
    size_t n = 3 * (size_t)w * h;
    uint8_t *out = poisoned(n);

    image_warp(in, t, out, w, h);
    expect_poison(out, n);
    for (size_t i = 0; i < n; i++) {
        double u = (double)(i / 3 % w) + 0.5, v = (double)(i / 3 / w) + 0.5;
        double want = bilinear_reference(in, t->m[0] * u + t->m[1] * v + t->m[2], t->m[3] * u + t->m[4] * v + t->m[5],
                                         (unsigned)(i % 3));

        /* Positions are rounded to 1/2048 pixel, a slope is at most 255 a pixel each way. */
        cr_assert(fabs(out[i] - want) <= 0.5 + 2 * 255.0 / 4096 + 1e-6, "at %zu: %u, want %f", i, out[i], want);
    }
    free(out);
}

Test(image, warp_is_bilinear_up_to_twice)
{
    static const unsigned sizes[] = {1, 7, 13, 64};

    for (unsigned k = 0; k < 16; k++) {
        struct picture p = picture_make(sizes[k % 4], sizes[k / 4], k);

        for (unsigned a = 0; a < 12; a++) {
            double angle = a * 0.7, scale = 0.3 + 0.15 * a;
            struct image_transform t = {{scale * cos(angle), -scale * sin(angle), 3.25 * a - 10, scale * sin(angle),
                                         scale * cos(angle), 20 - 2.1 * a}};

            expect_warp_is_bilinear(&p.image, &t, 13, 7);
        }
        free(p.bytes);
    }
}

Test(image, warp_by_the_identity_copies_and_by_a_shift_moves)
{
    struct picture p = picture_make(13, 7, 9);
    struct image_transform t = {{1, 0, 0, 0, 1, 0}};
    uint8_t out[3 * 13 * 7];

    image_warp(&p.image, &t, out, 13, 7);
    for (unsigned y = 0; y < 7; y++)
        cr_assert_arr_eq(out + 39 * y, p.bytes + p.image.stride_bytes * y, 39);
    t.m[2] = 2;
    t.m[5] = -1;
    image_warp(&p.image, &t, out, 13, 7);
    for (unsigned i = 0; i < 39; i++)
        cr_assert_eq(out[i], 0);
    for (unsigned y = 1; y < 7; y++) {
        cr_assert_arr_eq(out + 39 * y, p.bytes + p.image.stride_bytes * (y - 1) + 6, 33);
        cr_assert_eq(out[39 * y + 33], 0);
    }
    free(p.bytes);
}

Test(image, warp_along_the_axes_that_shrinks_is_the_exact_area_average)
{
    struct picture p = picture_make(97, 64, 21);
    /* Partly outside on every side. */
    struct image_transform t = {{9.3, 0, -20.7, 0, 7.9, -11.3}};
    uint8_t out[3 * 16 * 12];

    image_warp(&p.image, &t, out, 16, 12);
    for (unsigned i = 0; i < sizeof(out); i++) {
        double x0 = 9.3 * (i / 3 % 16) - 20.7, y0 = 7.9 * (double)(i / 3 / 16) - 11.3, sum = 0;

        for (long y = 0; y < 64; y++) {
            double wy = fmin((double)y + 1, y0 + 7.9) - fmax((double)y, y0);

            for (long x = 0; wy > 0 && x < 97; x++) {
                double wx = fmin((double)x + 1, x0 + 9.3) - fmax((double)x, x0);

                sum += wx > 0 ? wx * wy * pixel(&p.image, x, y, i % 3) : 0;
            }
        }
        cr_assert(fabs(out[i] - sum / (9.3 * 7.9)) <= 0.5 + 0.05, "at %u: %u, want %f", i, out[i], sum / (9.3 * 7.9));
    }
    free(p.bytes);
}

Test(image, warp_that_turns_and_shrinks_averages_over_the_covered_area)
{
    /* A board of 1-pixel checks: any aliasing shows as far from grey. */
    struct picture p = picture_make(128, 128, 0);
    struct image_transform t = {{5 * cos(0.3), -5 * sin(0.3), 40, 5 * sin(0.3), 5 * cos(0.3), 20}};
    uint8_t out[3 * 8 * 8];

    for (unsigned y = 0; y < 128; y++) {
        for (unsigned x = 0; x < 128; x++)
            memset(p.bytes + y * p.image.stride_bytes + 3 * (size_t)x, (x + y) % 2 ? 255 : 0, 3);
    }
    image_warp(&p.image, &t, out, 8, 8);
    for (unsigned i = 0; i < sizeof(out); i++)
        cr_assert(abs((int)out[i] - 128) <= 8, "at %u: %u", i, out[i]);
    free(p.bytes);
}

Test(image, warp_survives_transforms_that_are_not_finite_or_huge)
{
    static const double values[] = {NAN, INFINITY, -INFINITY, 1e300, -1e300, 1e9, 0};
    struct picture p = picture_make(7, 7, 1);
    uint8_t *out = poisoned(3 * 5 * 5);

    for (unsigned k = 0; k < 7 * 6; k++) {
        struct image_transform t = {{3, 0, 0, 0, 3, 0}};

        t.m[k % 6] = values[k / 6];
        image_warp(&p.image, &t, out, 5, 5);
        expect_poison(out, 3 * 5 * 5);
    }
    free(out);
    free(p.bytes);
}
