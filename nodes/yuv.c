/* Rows are worked on by chunks whose intermediate values fit the first-level cache; every inner loop is over plain arrays,
 * which compilers vectorise. */
#include "nodes/yuv.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "nodes/vectors.h"

enum {
    CHUNK_PX = 256,      /* of an output row */
    MAX_BYTE_ROWS = 256, /* whose sum 16 bits hold */
    WINDOW_PX = 2048,    /* source columns behind a chunk of a scaled row, summed at once */
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
    int16_t mixed[CHUNK_PX + 4] = {0};

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

/* What an output pixel takes from one axis: samples first..first + n - 1, with these weights and the axis' units between;
 * the rest of the axis' total lies outside the plane. */
struct reach {
    unsigned first, n;
    uint32_t first_weight, last_weight, covered;
};

/* Positions count in units, units_per_sample in a sample. Output pixel o covers [start + o * step, start + (o + 1) * step)
 * when averaging, else lies at start + o * step between the centres of two samples. total: sum of the weights. */
struct axis {
    int64_t start, step;
    uint32_t units, total;
    unsigned in_px, out_px;
    bool average;
};

static struct axis axis_of(unsigned in_px, unsigned out_px)
{
    if (out_px <= in_px)
        return (struct axis){0, in_px, out_px, in_px, in_px, out_px, true};
    return (struct axis){(int64_t)in_px - out_px, 2 * (int64_t)in_px, 2 * out_px, 2 * out_px, in_px, out_px, false};
}

static struct reach reach_of(const struct axis *a, unsigned output)
{
    int64_t begin = a->start + (int64_t)output * a->step, end = begin + a->step;
    int64_t size = (int64_t)a->in_px * a->units, last;
    struct reach r = {0};

    if (a->average) {
        begin = begin < 0 ? 0 : begin;
        end = end > size ? size : end;
        if (begin >= end)
            return r;
        r.first = (unsigned)(begin / a->units);
        last = (end - 1) / a->units;
        r.n = (unsigned)last - r.first + 1;
        r.covered = (uint32_t)(end - begin);
        r.first_weight = r.n == 1 ? r.covered : (uint32_t)((r.first + INT64_C(1)) * a->units - begin);
        r.last_weight = r.n == 1 ? 0 : (uint32_t)(end - last * a->units);
        return r;
    }
    begin = begin < 0 ? 0 : begin;
    last = begin / a->units;
    if (last >= (int64_t)a->in_px - 1) {
        last = (int64_t)a->in_px - 1;
        begin = last * a->units;
    }
    r.first = (unsigned)last;
    r.last_weight = (uint32_t)(begin - last * a->units);
    r.first_weight = a->units - r.last_weight;
    r.n = r.last_weight > 0 ? 2 : 1;
    r.covered = a->units;
    return r;
}

/* sums[i] = the rows' weighted sum in column first + i. Rows between the first and the last weigh the same, so they are added
 * up as bytes, two at a time, before they are weighed. */
VECTORS_AVX2_TOO static void sum_rows(const uint8_t *plane, ptrdiff_t stride, const struct axis *vertical,
                                      const struct reach *rows, unsigned first, unsigned n, uint32_t *restrict sums)
{
    const uint8_t *restrict top = plane + (ptrdiff_t)rows->first * stride + first;
    const uint8_t *restrict bottom = top + (rows->n > 1 ? (ptrdiff_t)(rows->n - 1) * stride : 0);
    uint32_t top_weight = rows->first_weight, bottom_weight = rows->n > 1 ? rows->last_weight : 0;
    uint32_t between_weight = vertical->units;
    uint16_t between[WINDOW_PX];

    if (rows->n == 0) {
        memset(sums, 0, n * sizeof(*sums));
        return;
    }
    for (unsigned i = 0; i < n; i++)
        sums[i] = top_weight * top[i] + bottom_weight * bottom[i];
    for (unsigned k = 1; k + 1 < rows->n;) {
        unsigned end = k + MAX_BYTE_ROWS < rows->n - 1 ? k + MAX_BYTE_ROWS : rows->n - 1;

        memset(between, 0, n * sizeof(*between));
        for (; k + 1 < end; k += 2) {
            const uint8_t *restrict a = top + (ptrdiff_t)k * stride, *restrict b = a + stride;

            for (unsigned i = 0; i < n; i++)
                between[i] = (uint16_t)(between[i] + a[i] + b[i]);
        }
        for (; k < end; k++) {
            const uint8_t *restrict a = top + (ptrdiff_t)k * stride;

            for (unsigned i = 0; i < n; i++)
                between[i] = (uint16_t)(between[i] + a[i]);
        }
        for (unsigned i = 0; i < n; i++)
            sums[i] += between_weight * between[i];
    }
}

/* One chunk of a scaled row. */
struct row_values {
    const struct axis *across, *down;
    uint32_t rows_covered, outside; /* outside: the value beyond the plane */
    unsigned fraction_bits;         /* kept below the whole value */
};

/* until[i]: the sum of the first i of n_touched sums, of which origin is the first's column. */
static void scale_chunk(const struct row_values *v, const struct reach *columns, unsigned n, unsigned origin,
                        const uint32_t *sums, unsigned n_touched, int16_t *out)
{
    uint64_t total = (uint64_t)v->across->total * v->down->total, until[WINDOW_PX + 1];
    double scale = (double)(1u << v->fraction_bits) / (double)total;

    until[0] = 0;
    for (unsigned i = 0; i < n_touched; i++)
        until[i + 1] = until[i] + sums[i];
    for (unsigned i = 0; i < n; i++) {
        const struct reach *c = &columns[i];
        uint64_t sum = (total - (uint64_t)c->covered * v->rows_covered) * v->outside;

        if (c->n > 0) {
            unsigned first = c->first - origin, last = first + c->n - 1;

            sum += (uint64_t)c->first_weight * sums[first];
            if (c->n > 1) /* what lies between is their difference */
                sum += (uint64_t)c->last_weight * sums[last] + v->across->units * (until[last] - until[first + 1]);
        }
        out[i] = (int16_t)((double)(int64_t)sum * scale + 0.5);
    }
}

/* Columns that the reaches touch: from *ret_first on, this many. */
static unsigned touched(const struct reach *columns, unsigned n, unsigned *ret_first)
{
    unsigned first = UINT_MAX, end = 0;

    for (unsigned i = 0; i < n; i++) {
        if (columns[i].n == 0)
            continue;
        first = columns[i].first < first ? columns[i].first : first;
        end = columns[i].first + columns[i].n > end ? columns[i].first + columns[i].n : end;
    }
    *ret_first = first == UINT_MAX ? 0 : first;
    return end - (first == UINT_MAX ? end : first);
}

/* How many outputs have their sources within one window for sure; 0: not even one. */
static unsigned chunk_length(const struct axis *a)
{
    int64_t n = (int64_t)(WINDOW_PX - 2) * a->units / a->step;

    return n < CHUNK_PX ? (unsigned)n : CHUNK_PX;
}

static bool scale_planes(const struct yuv_picture *p, const struct yuv_matrix *m, const struct axis across[2],
                         const struct axis down[2], uint8_t *out_rgb)
{
    unsigned width = across[0].out_px, height = down[0].out_px, most = chunk_length(&across[0]), n;

    if (most == 0)
        return false;
    for (unsigned x = 0; x < width; x += n) {
        struct reach columns[2][CHUNK_PX]; /* luma's, chroma's */
        unsigned first[2], n_touched[2];

        n = width - x < most ? width - x : most;
        for (unsigned k = 0; k < 2; k++) {
            for (unsigned i = 0; i < n; i++)
                columns[k][i] = reach_of(&across[k], x + i);
            n_touched[k] = touched(columns[k], n, &first[k]);
        }
        for (unsigned y = 0; y < height; y++) {
            const struct reach rows[2] = {reach_of(&down[0], y), reach_of(&down[1], y)};
            int16_t values[3][CHUNK_PX];
            uint8_t luma[CHUNK_PX];

            for (unsigned c = 0; c < 3; c++) {
                unsigned k = c > 0;
                const struct row_values v = {&across[k], &down[k], rows[k].covered, k ? 128 : (uint32_t)m->black,
                                             k ? CHROMA_BITS : 0};
                uint32_t sums[WINDOW_PX];

                sum_rows(p->planes[c], p->strides_bytes[c], &down[k], &rows[k], first[k], n_touched[k], sums);
                scale_chunk(&v, columns[k], n, first[k], sums, n_touched[k], values[c]);
            }
            for (unsigned i = 0; i < n; i++)
                luma[i] = (uint8_t)values[0][i];
            to_rgb(m, luma, values[1], values[2], n, out_rgb + 3 * ((size_t)y * width + x));
        }
    }
    return true;
}

bool yuv_to_small_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, uint8_t *out_rgb, unsigned width_px,
                      unsigned height_px)
{
    const struct axis across[2] = {axis_of(p->width_px, width_px),
                                   axis_of(chroma_px(p->width_px, p->shift_x), width_px)};
    const struct axis down[2] = {axis_of(p->height_px, height_px),
                                 axis_of(chroma_px(p->height_px, p->shift_y), height_px)};

    return scale_planes(p, m, across, down, out_rgb);
}

bool yuv_crop_to_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, const struct image_crop *crop,
                     uint8_t *out_rgb)
{
    struct axis across[2], down[2];

    for (unsigned k = 0; k < 2; k++) {
        unsigned shift_x = k ? p->shift_x : 0, shift_y = k ? p->shift_y : 0;

        across[k] = (struct axis){crop->start[0],
                                  crop->step[0],
                                  (uint32_t)crop->units_per_px << shift_x,
                                  (uint32_t)crop->step[0],
                                  chroma_px(p->width_px, shift_x),
                                  crop->width_px,
                                  true};
        down[k] = (struct axis){crop->start[1],
                                crop->step[1],
                                (uint32_t)crop->units_per_px << shift_y,
                                (uint32_t)crop->step[1],
                                chroma_px(p->height_px, shift_y),
                                crop->height_px,
                                true};
    }
    return scale_planes(p, m, across, down, out_rgb);
}
