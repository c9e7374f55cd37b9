/* Both resamplers work in integers, so the same input gives the same bytes whatever the compiler and the
 * machine.
 *
 * A scaling along the axes is separable: each output row first sums the source rows that it covers into a
 * window of columns (a plain loop over bytes, which compilers vectorise), then each output pixel sums its
 * columns from there. */
#include "nodes/image.h"

#include <math.h>
#include <string.h>

#include "nodes/vectors.h"

enum {
    KEPT_SPANS = 1024,     /* columns whose span is found once; the rest anew for each row */
    WINDOW_COLUMNS = 1024, /* of vertically summed source pixels, on the stack */
    WARP_UNITS = 1 << 16,  /* positions in a source pixel that image_warp tells apart when averaging */
    WARP_MAX_SPAN = 255,   /* source pixels each way that one output pixel averages on the separable path */
    WARP_MAX_SAMPLES = 64, /* each way on the other path */
    UPRIGHT_PX = 512,      /* widest output of the path for bilinear warps along the axes */
    FRACTION_BITS = 11,    /* of a bilinear weight */
    FRACTION_ONE = 1 << FRACTION_BITS
};

/* One axis of a separable scaling. Positions count in units, units_per_px in a source pixel. Output pixel o
 * covers [start + o * step, start + (o + 1) * step) when averaging, else lies at start + o * step and mixes
 * the two source pixels whose centres are beside it. */
struct axis {
    int64_t start, step, units_per_px;
    unsigned size_px; /* of the source */
    int average;
};

/* Source pixels first..last (both included) of an output pixel. */
struct span {
    unsigned first, last;
    int64_t begin, end; /* of the covered interval, when averaging */
    uint32_t mix;       /* weight of the last of two, when not */
    int empty;
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static struct span axis_span(const struct axis *a, unsigned output)
{
    int64_t size = (int64_t)a->size_px * a->units_per_px;
    struct span s = {.begin = a->start + (int64_t)output * a->step};
    int64_t below;

    if (a->average) {
        s.end = s.begin + a->step;
        s.begin = s.begin < 0 ? 0 : s.begin;
        s.end = s.end > size ? size : s.end;
        if (s.begin >= s.end) {
            s.empty = 1;
            return s;
        }
        s.first = (unsigned)(s.begin / a->units_per_px);
        s.last = (unsigned)((s.end - 1) / a->units_per_px);
        return s;
    }
    below = floor_div(s.begin, a->units_per_px);
    s.mix = (uint32_t)(s.begin - below * a->units_per_px);
    if (below < 0) { /* beyond the first or last centre the edge pixel stands alone */
        below = 0;
        s.mix = 0;
    } else if (below >= (int64_t)a->size_px - 1) {
        below = (int64_t)a->size_px - 1;
        s.mix = 0;
    }
    s.first = (unsigned)below;
    s.last = s.mix > 0 ? s.first + 1 : s.first;
    return s;
}

static uint32_t span_weight(const struct axis *a, const struct span *s, unsigned source)
{
    int64_t begin, end;

    if (!a->average)
        return source == s->first ? (uint32_t)(a->units_per_px - s->mix) : s->mix;
    begin = (int64_t)source * a->units_per_px;
    end = begin + a->units_per_px;
    begin = begin < s->begin ? s->begin : begin;
    end = end > s->end ? s->end : end;
    return (uint32_t)(end - begin);
}

static uint64_t axis_total(const struct axis *a)
{
    return (uint64_t)(a->average ? a->step : a->units_per_px);
}

VECTORS_AVX2_TOO static void add_weighted(uint32_t *restrict sums, const uint8_t *restrict row, size_t n,
                                          uint32_t weight)
{
    for (size_t i = 0; i < n; i++)
        sums[i] += weight * row[i];
}

/* sums[3 * i + c] = weighted sum over the span's rows of column first_column + i. */
static void sum_rows(const struct image *in, const struct axis *vertical, const struct span *rows,
                     unsigned first_column, unsigned n_columns, uint32_t *sums)
{
    size_t n = 3 * (size_t)n_columns;

    memset(sums, 0, n * sizeof(*sums));
    for (unsigned y = rows->first; y <= rows->last; y++) {
        const uint8_t *row = in->rgb_hwc_u8 + y * in->stride_bytes + 3 * (size_t)first_column;
        uint32_t weight = span_weight(vertical, rows, y);

        add_weighted(sums, row, n, weight);
    }
}

/* sum / total, which is at most 255, exactly: the product may be off by one either way. */
static uint8_t mean(uint64_t sum, uint64_t total, double inverse)
{
    uint64_t guess = (uint64_t)((double)sum * inverse);

    if (guess * total > sum)
        guess--;
    else if ((guess + 1) * total <= sum)
        guess++;
    return (uint8_t)guess;
}

/* No sum overflows: a vertical one is at most axis_total * 255, and the callers keep axis_total within 2^24.
 */
static void scale_separable(const struct image *in, const struct axis *horizontal, const struct axis *vertical,
                            uint8_t *out, unsigned out_width, unsigned out_height)
{
    uint32_t window[3 * WINDOW_COLUMNS];
    uint64_t total = axis_total(horizontal) * axis_total(vertical);
    double inverse = 1 / (double)total;
    struct span spans[KEPT_SPANS], last_columns = axis_span(horizontal, out_width - 1);
    /* A crop needs no columns beyond its last. */
    unsigned columns_end = last_columns.empty ? in->width_px : last_columns.last + 1;

    for (unsigned u = 0; u < out_width && u < KEPT_SPANS; u++)
        spans[u] = axis_span(horizontal, u);
    for (unsigned v = 0; v < out_height; v++) {
        struct span rows = axis_span(vertical, v);
        unsigned window_begin = 0, window_end = 0;

        for (unsigned u = 0; u < out_width; u++, out += 3) {
            struct span columns = u < KEPT_SPANS ? spans[u] : axis_span(horizontal, u);
            uint64_t sum[3] = {0, 0, 0};

            if (rows.empty || columns.empty) {
                memset(out, 0, 3);
                continue;
            }
            for (unsigned x = columns.first; x <= columns.last; x++) {
                uint64_t weight = span_weight(horizontal, &columns, x);
                const uint32_t *at;

                if (x < window_begin || x >= window_end) {
                    window_begin = x;
                    window_end = columns_end - x < WINDOW_COLUMNS ? columns_end : x + WINDOW_COLUMNS;
                    sum_rows(in, vertical, &rows, window_begin, window_end - window_begin, window);
                }
                at = window + 3 * (size_t)(x - window_begin);
                for (unsigned c = 0; c < 3; c++)
                    sum[c] += weight * at[c];
            }
            for (unsigned c = 0; c < 3; c++)
                out[c] = mean(sum[c] + total / 2, total, inverse);
        }
    }
}

void image_need(const struct image *in, int64_t x0, int64_t y0, int64_t x1, int64_t y1)
{
    int64_t width = in->width_px, height = in->height_px;

    if (!in->source)
        return;
    x0 = x0 < 0 ? 0 : x0;
    y0 = y0 < 0 ? 0 : y0;
    x1 = x1 > width ? width : x1;
    y1 = y1 > height ? height : y1;
    if (x0 < x1 && y0 < y1)
        in->source->fill(in->source, (unsigned)x0, (unsigned)y0, (unsigned)x1, (unsigned)y1);
}

void image_need_all(const struct image *in)
{
    image_need(in, 0, 0, in->width_px, in->height_px);
}

static struct axis resize_axis(unsigned in_px, unsigned out_px)
{
    if (out_px <= in_px)
        return (struct axis){.start = 0, .step = in_px, .units_per_px = out_px, .size_px = in_px, .average = 1};
    /* Centre of output o among the source's centres: (o + 0.5) * in / out - 0.5, in units of 1 / (2 out). */
    return (struct axis){.start = (int64_t)in_px - (int64_t)out_px,
                         .step = 2 * (int64_t)in_px,
                         .units_per_px = 2 * (int64_t)out_px,
                         .size_px = in_px};
}

void image_resize(const struct image *in, uint8_t *out_rgb, unsigned out_width_px, unsigned out_height_px)
{
    struct axis horizontal = resize_axis(in->width_px, out_width_px);
    struct axis vertical = resize_axis(in->height_px, out_height_px);

    if (out_width_px == 0 || out_height_px == 0)
        return;
    if (in->width_px == 0 || in->height_px == 0) {
        memset(out_rgb, 0, 3 * (size_t)out_width_px * out_height_px);
        return;
    }
    if (in->source && (in->width_px != out_width_px || in->height_px != out_height_px) &&
        in->source->scale(in->source, out_rgb, out_width_px, out_height_px))
        return;
    image_need_all(in);
    if (in->width_px == out_width_px && in->height_px == out_height_px) {
        for (unsigned y = 0; y < out_height_px; y++)
            memcpy(out_rgb + 3 * (size_t)out_width_px * y, in->rgb_hwc_u8 + y * in->stride_bytes,
                   3 * (size_t)out_width_px);
        return;
    }
    scale_separable(in, &horizontal, &vertical, out_rgb, out_width_px, out_height_px);
}

/* A coordinate as fixed point; far outside is as good as just outside, and NaN is outside. */
static int64_t to_fixed(double position, double low, double high, double units)
{
    double scaled;
    int64_t truncated;

    if (!(position > low))
        position = low;
    else if (position > high)
        position = high;
    scaled = position * units + 0.5;
    truncated = (int64_t)scaled;
    return truncated - ((double)truncated > scaled);
}

/* Adds the bilinear value at (x, y), scaled by FRACTION_ONE squared; source pixels outside count as black. */
static void add_bilinear(const struct image *in, double x, double y, uint64_t sum[3])
{
    int64_t fx = to_fixed(x - 0.5, -2, in->width_px + 1.0, FRACTION_ONE);
    int64_t fy = to_fixed(y - 0.5, -2, in->height_px + 1.0, FRACTION_ONE);
    int64_t x0 = floor_div(fx, FRACTION_ONE), y0 = floor_div(fy, FRACTION_ONE);
    uint32_t right = (uint32_t)(fx - x0 * FRACTION_ONE), below = (uint32_t)(fy - y0 * FRACTION_ONE);
    uint32_t left = FRACTION_ONE - right, above = FRACTION_ONE - below;

    if (x0 >= 0 && y0 >= 0 && x0 + 1 < in->width_px && y0 + 1 < in->height_px) {
        const uint8_t *top = in->rgb_hwc_u8 + (size_t)y0 * in->stride_bytes + 3 * (size_t)x0;
        const uint8_t *bottom = top + in->stride_bytes;

        for (unsigned c = 0; c < 3; c++)
            sum[c] += above * (left * top[c] + right * top[c + 3]) + below * (left * bottom[c] + right * bottom[c + 3]);
        return;
    }
    for (int64_t i = 0; i < 4; i++) {
        int64_t px = x0 + (i & 1), py = y0 + (i >> 1);
        uint32_t weight = (i & 1 ? right : left) * (i >> 1 ? below : above);
        const uint8_t *at;

        if (px < 0 || py < 0 || px >= in->width_px || py >= in->height_px)
            continue;
        at = in->rgb_hwc_u8 + (size_t)py * in->stride_bytes + 3 * (size_t)px;
        for (unsigned c = 0; c < 3; c++)
            sum[c] += weight * at[c];
    }
}

/* Samples a pixel needs along one output axis so that they lie at most a source pixel apart; 1 up to twice.
 */
static unsigned samples_for(double scale)
{
    unsigned n;

    if (!(scale > 2))
        return 1;
    n = scale < WARP_MAX_SAMPLES ? (unsigned)ceil(scale) : WARP_MAX_SAMPLES;
    return n > 3 ? n : 3;
}

static void warp_sampled(const struct image *in, const double m[6], uint8_t *out, unsigned out_width,
                         unsigned out_height)
{
    unsigned nu = samples_for(hypot(m[0], m[3])), nv = samples_for(hypot(m[1], m[4]));
    uint64_t total = (uint64_t)nu * nv << 2 * FRACTION_BITS;

    for (unsigned v = 0; v < out_height; v++) {
        for (unsigned u = 0; u < out_width; u++, out += 3) {
            uint64_t sum[3] = {0, 0, 0};

            for (unsigned j = 0; j < nv; j++) {
                double at_v = v + (j + 0.5) / nv;

                for (unsigned i = 0; i < nu; i++) {
                    double at_u = u + (i + 0.5) / nu;

                    add_bilinear(in, m[0] * at_u + m[1] * at_v + m[2], m[3] * at_u + m[4] * at_v + m[5], sum);
                }
            }
            for (unsigned c = 0; c < 3; c++)
                out[c] = (uint8_t)((sum[c] + total / 2) / total);
        }
    }
}

/* The two samples that one place along an axis lies between, and their weights; those outside the picture weigh nothing. */
struct between {
    unsigned first, last;
    uint32_t first_weight, last_weight;
};

static struct between between_at(double position, unsigned size_px)
{
    int64_t fixed = to_fixed(position - 0.5, -2, size_px + 1.0, FRACTION_ONE), at = floor_div(fixed, FRACTION_ONE);
    struct between b = {.last_weight = (uint32_t)(fixed - at * FRACTION_ONE)};

    b.first_weight = FRACTION_ONE - b.last_weight;
    if (at < 0 || at >= size_px)
        b.first_weight = 0;
    else
        b.first = (unsigned)at;
    if (at + 1 < 0 || at + 1 >= size_px)
        b.last_weight = 0;
    else
        b.last = (unsigned)(at + 1);
    return b;
}

VECTORS_AVX2_TOO static void mix_rows(const uint8_t *restrict top, const uint8_t *restrict bottom,
                                      const struct between *rows, size_t n, uint32_t *restrict out)
{
    uint32_t above = rows->first_weight, below = rows->last_weight;

    for (size_t i = 0; i < n; i++)
        out[i] = above * top[i] + below * bottom[i];
}

/* warp_sampled along the axes with one sample a pixel, to the same bytes: rows are mixed before columns are. */
static void warp_upright(const struct image *in, const double m[6], uint8_t *out, unsigned out_width,
                         unsigned out_height)
{
    enum { ROUND = 1 << (2 * FRACTION_BITS - 1) };
    struct between columns[UPRIGHT_PX];
    uint32_t mixed[3 * UPRIGHT_PX * 3] = {0};
    unsigned begin = in->width_px, end = 0;

    for (unsigned u = 0; u < out_width; u++) {
        struct between *c = &columns[u];

        *c = between_at(m[0] * (u + 0.5) + m[2], in->width_px);
        if (c->first_weight == 0)
            c->first = c->last;
        if (c->last_weight == 0)
            c->last = c->first;
        if (c->first_weight == 0 && c->last_weight == 0)
            continue;
        begin = c->first < begin ? c->first : begin;
        end = c->last >= end ? c->last + 1 : end;
    }
    for (unsigned v = 0; v < out_height; v++) {
        const struct between rows = between_at(m[4] * (v + 0.5) + m[5], in->height_px);
        const uint8_t *top = in->rgb_hwc_u8 + (size_t)rows.first * in->stride_bytes + 3 * (size_t)begin;
        const uint8_t *bottom = in->rgb_hwc_u8 + (size_t)rows.last * in->stride_bytes + 3 * (size_t)begin;

        if (begin < end)
            mix_rows(top, bottom, &rows, 3 * (size_t)(end - begin), mixed);
        for (unsigned u = 0; u < out_width; u++, out += 3) {
            const struct between *c = &columns[u];
            const uint32_t *left, *right;

            if (c->first_weight == 0 && c->last_weight == 0) {
                memset(out, 0, 3);
                continue;
            }
            left = mixed + 3 * (size_t)(c->first - begin);
            right = mixed + 3 * (size_t)(c->last - begin);
            for (unsigned k = 0; k < 3; k++)
                out[k] =
                    (uint8_t)((c->first_weight * left[k] + c->last_weight * right[k] + ROUND) >> 2 * FRACTION_BITS);
        }
    }
}

/* Every source pixel that the warp can touch: the output's corners, and a little more for what is mixed. */
static void need_warped(const struct image *in, const double m[6], unsigned out_width, unsigned out_height)
{
    const double most = 1e6, beside = 2;
    double low[2] = {most, most}, high[2] = {-most, -most};

    for (unsigned corner = 0; in->source && corner < 4; corner++) {
        double u = corner & 1 ? out_width : 0, v = corner & 2 ? out_height : 0;

        for (unsigned axis = 0; axis < 2; axis++) {
            double at = m[3 * axis] * u + m[3 * axis + 1] * v + m[3 * axis + 2];

            if (!(fabs(at) < most)) {
                image_need_all(in);
                return;
            }
            low[axis] = fmin(low[axis], at);
            high[axis] = fmax(high[axis], at);
        }
    }
    image_need(in, (int64_t)floor(low[0] - beside), (int64_t)floor(low[1] - beside), (int64_t)ceil(high[0] + beside),
               (int64_t)ceil(high[1] + beside));
}

void image_warp(const struct image *in, const struct image_transform *t, uint8_t *out_rgb, unsigned out_width_px,
                unsigned out_height_px)
{
    const double *m = t->m;
    /* Larger than any picture, and its product with WARP_UNITS and an output's size stays within 64 bits. */
    const double far = 1e9;

    if (out_width_px == 0 || out_height_px == 0)
        return;
    if (in->width_px == 0 || in->height_px == 0) {
        memset(out_rgb, 0, 3 * (size_t)out_width_px * out_height_px);
        return;
    }
    if (m[1] == 0 && m[3] == 0 && m[0] > 2 && m[4] > 2 && m[0] <= WARP_MAX_SPAN && m[4] <= WARP_MAX_SPAN) {
        struct axis horizontal = {.start = to_fixed(m[2], -far, far, WARP_UNITS),
                                  .step = to_fixed(m[0], 0, far, WARP_UNITS),
                                  .units_per_px = WARP_UNITS,
                                  .size_px = in->width_px,
                                  .average = 1};
        struct axis vertical = {.start = to_fixed(m[5], -far, far, WARP_UNITS),
                                .step = to_fixed(m[4], 0, far, WARP_UNITS),
                                .units_per_px = WARP_UNITS,
                                .size_px = in->height_px,
                                .average = 1};
        struct image_crop crop = {.start = {horizontal.start, vertical.start},
                                  .step = {horizontal.step, vertical.step},
                                  .units_per_px = WARP_UNITS,
                                  .width_px = out_width_px,
                                  .height_px = out_height_px};

        if (in->source && in->source->crop(in->source, &crop, out_rgb))
            return;
        need_warped(in, m, out_width_px, out_height_px);
        scale_separable(in, &horizontal, &vertical, out_rgb, out_width_px, out_height_px);
        return;
    }
    need_warped(in, m, out_width_px, out_height_px);
    if (m[1] == 0 && m[3] == 0 && m[0] > 0 && m[4] > 0 && m[0] <= 2 && m[4] <= 2 && out_width_px <= UPRIGHT_PX) {
        warp_upright(in, m, out_rgb, out_width_px, out_height_px);
        return;
    }
    warp_sampled(in, m, out_rgb, out_width_px, out_height_px);
}
