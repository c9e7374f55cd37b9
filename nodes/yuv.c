/* Rows are worked on by chunks whose intermediate values fit the first-level cache; every inner loop is over plain arrays,
 * which compilers vectorise. */
#include "nodes/yuv.h"

#include <math.h>
#include <string.h>

#include "nodes/vectors.h"

enum {
    CHUNK_PX = 256,   /* of an output row */
    WINDOW_PX = 2048, /* source columns behind a chunk of a scaled row, summed at once */
    COEFFICIENT_BITS = 14,
    CHROMA_BITS = 4, /* of fraction, after interpolating both ways */
    SUM_BITS = COEFFICIENT_BITS + CHROMA_BITS,
};

struct yuv_matrix yuv_matrix_make(double kr, double kb, bool full_range)
{
    double one = 1 << COEFFICIENT_BITS, kg = 1 - kr - kb;
    double luma = full_range ? 1 : 255.0 / 219, chroma = full_range ? 1 : 255.0 / 224;

    return (struct yuv_matrix){
        .black = full_range ? 0 : 16,
        .y = (int32_t)lrint(luma * one),
        .r_v = (int32_t)lrint(2 * (1 - kr) * chroma * one),
        .g_u = (int32_t)lrint(-2 * (1 - kb) * kb / kg * chroma * one),
        .g_v = (int32_t)lrint(-2 * (1 - kr) * kr / kg * chroma * one),
        .b_u = (int32_t)lrint(2 * (1 - kb) * chroma * one),
    };
}

static uint8_t to_byte(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* y of 0..255; u and v with CHROMA_BITS of fraction, 128 in the middle. */
VECTORS_AVX2_TOO static void to_rgb(const struct yuv_matrix *m, const uint8_t *restrict y, const int16_t *restrict u,
                                    const int16_t *restrict v, unsigned n, uint8_t *restrict rgb)
{
    uint8_t r[CHUNK_PX], g[CHUNK_PX], b[CHUNK_PX];
    const struct yuv_matrix k = *m;

    for (unsigned i = 0; i < n; i++) {
        int32_t luma = (y[i] - k.black) * k.y * (1 << CHROMA_BITS) + (1 << (SUM_BITS - 1));
        int32_t cb = u[i] - (128 << CHROMA_BITS), cr = v[i] - (128 << CHROMA_BITS);

        r[i] = to_byte((luma + k.r_v * cr) >> SUM_BITS);
        g[i] = to_byte((luma + k.g_u * cb + k.g_v * cr) >> SUM_BITS);
        b[i] = to_byte((luma + k.b_u * cb) >> SUM_BITS);
    }
    for (unsigned i = 0; i < n; i++) {
        rgb[3 * i] = r[i];
        rgb[3 * i + 1] = g[i];
        rgb[3 * i + 2] = b[i];
    }
}

static unsigned chroma_px(unsigned side_px, unsigned shift)
{
    return (side_px + shift) >> shift;
}

/* Sample i of at[1..] to the pixels 2 i and 2 i + 1: three quarters of it, a quarter of its neighbour on that side. */
VECTORS_AVX2_TOO static void spread_pairs(const int16_t *restrict at, unsigned n, int16_t *restrict out)
{
    for (unsigned i = 0; i < n / 2; i++) {
        out[2 * i] = (int16_t)(3 * at[i + 1] + at[i]);
        out[2 * i + 1] = (int16_t)(3 * at[i + 1] + at[i + 2]);
    }
    if (n % 2 == 1)
        out[n - 1] = (int16_t)(3 * at[n / 2 + 1] + at[n / 2]);
}

/* The chroma samples behind the pixels x0..x0 + n - 1 of row y, at the pixels' places. */
VECTORS_AVX2_TOO static void chroma_row(const struct yuv_picture *p, unsigned plane, unsigned y, unsigned x0,
                                        unsigned n, int16_t *restrict out)
{
    unsigned width = chroma_px(p->width_px, p->shift_x);
    unsigned row = y >> p->shift_y, beside = row;
    unsigned first = x0 >> p->shift_x, last = (x0 + n - 1) >> p->shift_x, before = first > 0 ? first - 1 : 0;
    unsigned after = last + 1 < width ? last + 1 : last, count = after - before + 1;
    const uint8_t *near, *far;
    int16_t mixed[CHUNK_PX + 4];

    /* An odd row lies on its chroma row, an even one between that and the one above. */
    if (p->shift_y && y % 2 == 0 && row > 0)
        beside = row - 1;
    near = p->planes[plane] + (ptrdiff_t)row * p->strides_bytes[plane] + before;
    far = p->planes[plane] + (ptrdiff_t)beside * p->strides_bytes[plane] + before;
    for (unsigned i = 0; i < count; i++)
        mixed[i] = (int16_t)(2 * (near[i] + far[i]));
    if (!p->shift_x) {
        for (unsigned i = 0; i < n; i++)
            out[i] = (int16_t)(4 * mixed[first - before + i]);
        return;
    }
    /* mixed[] begins one sample before the first one, unless that is the plane's first. */
    if (first == before) {
        memmove(mixed + 1, mixed, count * sizeof(*mixed));
        count++;
    }
    if (last == after)
        mixed[count] = mixed[count - 1];
    if (x0 % 2 == 1) {
        out[0] = (int16_t)(3 * mixed[1] + mixed[2]);
        spread_pairs(mixed + 1, n - 1, out + 1);
    } else {
        spread_pairs(mixed, n, out);
    }
}

void yuv_to_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, const unsigned from_xy[2],
                const unsigned to_xy[2], uint8_t *rgb, size_t stride_bytes)
{
    int16_t u[CHUNK_PX], v[CHUNK_PX];

    for (unsigned y = from_xy[1]; y < to_xy[1]; y++) {
        const uint8_t *luma = p->planes[0] + (ptrdiff_t)y * p->strides_bytes[0];

        for (unsigned x = from_xy[0]; x < to_xy[0]; x += CHUNK_PX) {
            unsigned n = to_xy[0] - x < CHUNK_PX ? to_xy[0] - x : CHUNK_PX;

            chroma_row(p, 1, y, x, n, u);
            chroma_row(p, 2, y, x, n, v);
            to_rgb(m, luma + x, u, v, n, rgb + y * stride_bytes + 3 * (size_t)x);
        }
    }
}

/* What an output pixel takes from one axis: samples first..first + n - 1, with these weights and `whole` between. */
struct reach {
    unsigned first, n;
    uint32_t first_weight, last_weight;
};

struct axis {
    unsigned in_px, out_px;
    uint32_t whole, total; /* weight of a sample that lies inside; sum of the weights */
};

static struct axis axis_of(unsigned in_px, unsigned out_px)
{
    if (out_px <= in_px)
        return (struct axis){in_px, out_px, out_px, in_px};
    return (struct axis){in_px, out_px, 2 * out_px, 2 * out_px};
}

static struct reach reach_of(const struct axis *a, unsigned output)
{
    struct reach r = {0};

    if (a->out_px <= a->in_px) { /* a sample is out_px units long, an output pixel in_px */
        uint64_t begin = (uint64_t)output * a->in_px, end = begin + a->in_px, last;

        r.first = (unsigned)(begin / a->out_px);
        last = (end - 1) / a->out_px;
        r.n = (unsigned)last - r.first + 1;
        if (r.n == 1) {
            r.first_weight = a->in_px;
        } else {
            r.first_weight = (uint32_t)((r.first + UINT64_C(1)) * a->out_px - begin);
            r.last_weight = (uint32_t)(end - last * a->out_px);
        }
    } else { /* between the centres of two samples, in units of a half output pixel */
        int64_t at = (2 * (int64_t)output + 1) * a->in_px - a->out_px, below;

        if (at < 0)
            at = 0;
        below = at / a->whole;
        if (below >= (int64_t)a->in_px - 1) {
            below = (int64_t)a->in_px - 1;
            at = below * a->whole;
        }
        r.first = (unsigned)below;
        r.last_weight = (uint32_t)(at - below * a->whole);
        r.first_weight = a->whole - r.last_weight;
        r.n = r.last_weight > 0 ? 2 : 1;
    }
    return r;
}

/* sums[i] = the rows' weighted sum in column first + i. */
VECTORS_AVX2_TOO static void sum_rows(const uint8_t *plane, ptrdiff_t stride, const struct axis *vertical,
                                      const struct reach *rows, unsigned first, unsigned n, uint32_t *restrict sums)
{
    memset(sums, 0, n * sizeof(*sums));
    for (unsigned k = 0; k < rows->n; k++) {
        const uint8_t *restrict row = plane + (ptrdiff_t)(rows->first + k) * stride + first;
        uint32_t weight = k == 0 ? rows->first_weight : k + 1 == rows->n ? rows->last_weight : vertical->whole;

        for (unsigned i = 0; i < n; i++)
            sums[i] += weight * row[i];
    }
}

/* One chunk of a scaled row; fraction_bits are kept below the whole value. */
static void scale_chunk(const struct axis *horizontal, const struct reach *columns, unsigned n, const uint32_t *sums,
                        uint64_t total, unsigned fraction_bits, int16_t *out)
{
    unsigned origin = columns[0].first;
    double scale = (double)(1u << fraction_bits) / (double)total;

    for (unsigned i = 0; i < n; i++) {
        const struct reach *c = &columns[i];
        const uint32_t *at = sums + (c->first - origin);
        uint64_t sum = (uint64_t)c->first_weight * at[0];

        for (unsigned k = 1; k + 1 < c->n; k++)
            sum += (uint64_t)horizontal->whole * at[k];
        if (c->n > 1)
            sum += (uint64_t)c->last_weight * at[c->n - 1];
        out[i] = (int16_t)((double)sum * scale + 0.5);
    }
}

/* How many outputs from `from` on have their sources within one window. */
static unsigned chunk_length(const struct axis *a, unsigned from)
{
    unsigned n = a->out_px - from < CHUNK_PX ? a->out_px - from : CHUNK_PX, first = reach_of(a, from).first;

    while (n > 1) {
        struct reach last = reach_of(a, from + n - 1);

        if (last.first + last.n - first <= WINDOW_PX)
            break;
        n = (n + 1) / 2;
    }
    return n;
}

void yuv_to_small_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, uint8_t *out_rgb, unsigned width_px,
                      unsigned height_px)
{
    struct axis across[3], down[3];

    for (unsigned c = 0; c < 3; c++) {
        across[c] = axis_of(c > 0 ? chroma_px(p->width_px, p->shift_x) : p->width_px, width_px);
        down[c] = axis_of(c > 0 ? chroma_px(p->height_px, p->shift_y) : p->height_px, height_px);
    }
    for (unsigned x = 0; x < width_px;) {
        struct reach columns[2][CHUNK_PX]; /* luma's, chroma's */
        unsigned n = chunk_length(&across[0], x);

        for (unsigned i = 0; i < n; i++) {
            columns[0][i] = reach_of(&across[0], x + i);
            columns[1][i] = reach_of(&across[1], x + i);
        }
        for (unsigned y = 0; y < height_px; y++) {
            int16_t values[3][CHUNK_PX];
            uint8_t luma[CHUNK_PX];

            for (unsigned c = 0; c < 3; c++) {
                const struct reach *at = columns[c > 0], rows = reach_of(&down[c], y);
                unsigned last = at[n - 1].first + at[n - 1].n;
                uint32_t sums[WINDOW_PX + 2];

                sum_rows(p->planes[c], p->strides_bytes[c], &down[c], &rows, at[0].first, last - at[0].first, sums);
                scale_chunk(&across[c], at, n, sums, (uint64_t)across[c].total * down[c].total, c > 0 ? CHROMA_BITS : 0,
                            values[c]);
            }
            for (unsigned i = 0; i < n; i++)
                luma[i] = (uint8_t)values[0][i];
            to_rgb(m, luma, values[1], values[2], n, out_rgb + 3 * ((size_t)y * width_px + x));
        }
        x += n;
    }
}
