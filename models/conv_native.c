/* Convolution over the rows kernel: a tile of output positions is laid out as packed columns (im2col straight
 * into panels), then all filters run over it while it is in cache. Depthwise convolutions sum directly. */
#include "models/kernels.h"

#include <string.h>

/* About half of the second-level cache of today's processors, so that weights and outputs have room beside
 * it. */
enum { TILE_FLOATS = 160 * 1024, TILE_MIN_COLUMNS = 64 };

static int64_t group_rows(const struct conv_geometry *g)
{
    return g->channels_in / g->groups * g->kernel[0] * g->kernel[1] * g->kernel[2];
}

static int64_t tile_columns(const struct conv_geometry *g)
{
    int64_t columns = g->out[0] * g->out[1] * g->out[2];
    int64_t tile = TILE_FLOATS / group_rows(g) / ROWS_PANEL * ROWS_PANEL;

    if (tile < TILE_MIN_COLUMNS)
        tile = TILE_MIN_COLUMNS;
    columns = (columns + ROWS_PANEL - 1) / ROWS_PANEL * ROWS_PANEL;
    return tile < columns ? tile : columns;
}

bool conv_is_depthwise(const struct conv_geometry *g)
{
    return g->channels_in == g->groups && g->groups > 1 && g->in[0] == 1 && g->kernel[0] == 1 && g->out[0] == 1;
}

size_t conv_native_scratch_floats(const struct conv_geometry *g)
{
    int64_t tile;

    if (conv_is_depthwise(g))
        return conv_depthwise_scratch_floats(g);
    tile = tile_columns(g);
    return (size_t)(tile * group_rows(g) + tile);
}

void conv_valid_range(int64_t out, int64_t in, int64_t stride, int64_t offset, int64_t *ret_first, int64_t *ret_end)
{
    int64_t first = offset >= 0 ? 0 : (-offset + stride - 1) / stride;
    int64_t end = in - offset <= 0 ? 0 : (in - offset + stride - 1) / stride;

    end = end > out ? out : end;
    *ret_first = first > end ? end : first;
    *ret_end = end;
}

KERNEL_CLONES static void every_second(const float *from, float *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = from[2 * i];
}

/* n values of one row of the image: x[(first + i) * stride + offset], zero outside it. */
static void row_segment(const struct conv_geometry *g, const float *row, int64_t offset, int64_t first, int64_t n,
                        float *to)
{
    int64_t stride = g->stride[2], from, end, i = 0;

    conv_valid_range(first + n, g->in[2], stride, offset, &from, &end);
    from = from < first ? 0 : from - first;
    end = end < first ? 0 : end - first;
    from = from > end ? end : from;
    for (; i < from; i++)
        to[i] = 0.0f;
    if (stride == 1) {
        if (end > from)
            memcpy(to + from, row + first + from + offset, (size_t)(end - from) * sizeof(float));
        i = end;
    } else if (stride == 2) {
        every_second(row + (first + from) * 2 + offset, to + from, end - from);
        i = end;
    } else {
        for (; i < end; i++)
            to[i] = row[(first + i) * stride + offset];
    }
    for (; i < n; i++)
        to[i] = 0.0f;
}

/* A plane whose columns are the image shifted: stride 1 and an output as wide as the input. */
static bool is_shift(const struct conv_geometry *g)
{
    return g->in[0] == 1 && g->kernel[0] == 1 && g->out[0] == 1 && g->stride[1] == 1 && g->stride[2] == 1 &&
           g->out[2] == g->in[2];
}

/* Elements first..first+n of a plane shifted by (down, right): one copy, then zeros where a row ran into its neighbour. */
static void shifted_plane(const struct conv_geometry *g, const float *plane, int64_t down, int64_t right, int64_t first,
                          int64_t n, float *line)
{
    int64_t width = g->in[2], total = g->in[1] * width, shift = down * width + right;
    /* What of it lies in the plane. */
    int64_t from = first + shift < 0 ? -shift : first, end = first + n + shift > total ? total - shift : first + n;
    int64_t edge = right < 0 ? -right : right, row = first / width;

    from = from > first + n ? first + n : from;
    end = end < from ? from : end;
    memset(line, 0, (size_t)(from - first) * sizeof(float));
    if (end > from)
        memcpy(line + (from - first), plane + from + shift, (size_t)(end - from) * sizeof(float));
    memset(line + (end - first), 0, (size_t)(first + n - end) * sizeof(float));
    edge = edge > width ? width : edge;
    for (; edge > 0 && row * width < first + n; row++) {
        int64_t zero = row * width + (right < 0 ? 0 : width - edge);

        for (int64_t i = 0; i < edge; i++) {
            if (zero + i >= first && zero + i < first + n)
                line[zero + i - first] = 0.0f;
        }
    }
}

void conv_column_line(const struct conv_geometry *g, const float *group_x, int64_t k, int64_t first, int64_t n,
                      float *line)
{
    int64_t kw = k % g->kernel[2], kh = k / g->kernel[2] % g->kernel[1];
    int64_t kd = k / (g->kernel[2] * g->kernel[1]) % g->kernel[0];
    int64_t channel = k / (g->kernel[2] * g->kernel[1] * g->kernel[0]);
    int64_t offset = kw * g->dilation[2] - g->pad[2];
    int64_t ow = first % g->out[2], oh = first / g->out[2] % g->out[1], od = first / (g->out[2] * g->out[1]);

    if (is_shift(g)) {
        shifted_plane(g, group_x + channel * g->in[1] * g->in[2], kh * g->dilation[1] - g->pad[1], offset, first, n,
                      line);
        return;
    }
    while (n > 0) {
        int64_t count = g->out[2] - ow < n ? g->out[2] - ow : n;
        int64_t ih = oh * g->stride[1] + kh * g->dilation[1] - g->pad[1];
        int64_t id = od * g->stride[0] + kd * g->dilation[0] - g->pad[0];

        if (ih < 0 || ih >= g->in[1] || id < 0 || id >= g->in[0])
            memset(line, 0, (size_t)count * sizeof(float));
        else
            row_segment(g, group_x + ((channel * g->in[0] + id) * g->in[1] + ih) * g->in[2], offset, ow, count, line);
        line += count;
        n -= count;
        ow = 0;
        if (++oh == g->out[1]) {
            oh = 0;
            od++;
        }
    }
}

/* A 1 x 1 convolution without stride or padding: the columns are the image. */
static bool is_pointwise(const struct conv_geometry *g)
{
    for (unsigned d = 0; d < 3; d++) {
        if (g->kernel[d] != 1 || g->stride[d] != 1 || g->pad[d] != 0 || g->in[d] != g->out[d])
            return false;
    }
    return true;
}

static void pack_image(const float *x, int64_t rows, int64_t columns, int64_t n, float *packed)
{
    for (int64_t first = 0; first < n; first += ROWS_PANEL) {
        int64_t width = n - first < ROWS_PANEL ? n - first : ROWS_PANEL;

        for (int64_t k = 0; k < rows; k++, packed += ROWS_PANEL) {
            const float *from = x + k * columns + first;

            if (width == ROWS_PANEL) {
                memcpy(packed, from, ROWS_PANEL * sizeof(float));
                continue;
            }
            memset(packed, 0, ROWS_PANEL * sizeof(float));
            memcpy(packed, from, (size_t)width * sizeof(float));
        }
    }
}

/* Columns first..first+n as panels. line: room for n rounded up to whole panels. */
static void pack_columns(const struct conv_geometry *g, const float *group_x, int64_t first, int64_t n, float *line,
                         float *packed)
{
    int64_t rows = group_rows(g), panels = (n + ROWS_PANEL - 1) / ROWS_PANEL;

    memset(line + n, 0, (size_t)(panels * ROWS_PANEL - n) * sizeof(float));
    for (int64_t k = 0; k < rows; k++) {
        float *to = packed + k * ROWS_PANEL;

        conv_column_line(g, group_x, k, first, n, line);
        for (int64_t p = 0; p < panels; p++)
            memcpy(to + p * rows * ROWS_PANEL, line + p * ROWS_PANEL, ROWS_PANEL * sizeof(float));
    }
}

void conv_native(const struct kernels *kernels, const struct conv_job *job)
{
    const struct conv_geometry *g = job->geometry;
    int64_t rows, columns, tile, filters, image;
    float *packed = job->scratch, *line;
    bool pointwise = is_pointwise(g);

    if (conv_is_depthwise(g)) {
        conv_depthwise(job);
        return;
    }
    rows = group_rows(g);
    columns = g->out[0] * g->out[1] * g->out[2];
    tile = tile_columns(g);
    filters = g->channels_out / g->groups;
    image = g->in[0] * g->in[1] * g->in[2];
    line = packed + tile * rows;
    for (int64_t group = 0; group < g->groups; group++) {
        const float *x = job->x + group * (g->channels_in / g->groups) * image;
        float *y = job->y + group * filters * columns;

        for (int64_t first = 0; first < columns; first += tile) {
            int64_t n = columns - first < tile ? columns - first : tile;
            struct rows_job part = {
                .x = job->weights + group * filters * rows,
                .x_stride = (size_t)rows,
                .packed = packed,
                .y = y + first,
                .y_stride = (size_t)columns,
                .m = (size_t)filters,
                .k = (size_t)rows,
                .n = (size_t)n,
                .row_bias = job->bias ? job->bias + group * filters : NULL,
            };

            if (pointwise)
                pack_image(x + first, rows, columns, n, packed);
            else
                pack_columns(g, x, first, n, line, packed);
            kernels->rows(&part);
            for (int64_t f = 0; job->activation.kind != ACTIVATION_NONE && f < filters; f++)
                activation_apply(&job->activation, y + f * columns + first, (size_t)n);
        }
    }
}

KERNEL_CLONES static void add_scaled(float *y, const float *x, float scale, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += scale * x[i];
}

KERNEL_CLONES static void add_scaled_strided(float *y, const float *x, float scale, int64_t n, int64_t stride)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += scale * x[i * stride];
}

static void depthwise_plane(const struct conv_geometry *g, const float *x, const float *weights, float bias, float *y)
{
    for (int64_t oh = 0; oh < g->out[1]; oh++, y += g->out[2]) {
        for (int64_t ow = 0; ow < g->out[2]; ow++)
            y[ow] = bias;
        for (int64_t kh = 0; kh < g->kernel[1]; kh++) {
            int64_t ih = oh * g->stride[1] + kh * g->dilation[1] - g->pad[1];

            if (ih < 0 || ih >= g->in[1])
                continue;
            for (int64_t kw = 0; kw < g->kernel[2]; kw++) {
                int64_t offset = kw * g->dilation[2] - g->pad[2], first, end;
                const float *row = x + ih * g->in[2];
                float w = weights[kh * g->kernel[2] + kw];

                conv_valid_range(g->out[2], g->in[2], g->stride[2], offset, &first, &end);
                if (first >= end)
                    continue;
                if (g->stride[2] == 1)
                    add_scaled(y + first, row + first + offset, w, end - first);
                else
                    add_scaled_strided(y + first, row + first * g->stride[2] + offset, w, end - first, g->stride[2]);
            }
        }
    }
}

/* n sums over a square of taps: y[i] = bias + sum of w[a, b] * x[a * pitch + i * stride + b], in the order of the taps. What
 * is constant where this is inlined is unrolled, so that a vector of sums lives in a register. */
static inline __attribute__((always_inline)) void square(const float *x, int64_t pitch, int side, int64_t stride,
                                                         const float *w, float bias, float *restrict y, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float sum = bias;

#pragma GCC unroll 5
        for (int a = 0; a < side; a++) {
#pragma GCC unroll 5
            for (int b = 0; b < side; b++)
                sum += w[a * side + b] * x[a * pitch + i * stride + b];
        }
        y[i] = sum;
    }
}

KERNEL_CLONES static void square3(const float *x, int64_t pitch, const float *w, float bias, float *y, int64_t n)
{
    square(x, pitch, 3, 1, w, bias, y, n);
}

KERNEL_CLONES static void square3_second(const float *x, int64_t pitch, const float *w, float bias, float *y, int64_t n)
{
    square(x, pitch, 3, 2, w, bias, y, n);
}

KERNEL_CLONES static void square5(const float *x, int64_t pitch, const float *w, float bias, float *y, int64_t n)
{
    square(x, pitch, 5, 1, w, bias, y, n);
}

KERNEL_CLONES static void square5_second(const float *x, int64_t pitch, const float *w, float bias, float *y, int64_t n)
{
    square(x, pitch, 5, 2, w, bias, y, n);
}

typedef void square_function(const float *x, int64_t pitch, const float *w, float bias, float *y, int64_t n);

/* NULL: no such kernel. */
static square_function *square_of(const struct conv_geometry *g)
{
    if (g->kernel[1] != g->kernel[2] || g->stride[1] != g->stride[2] || g->dilation[1] != 1 || g->dilation[2] != 1)
        return NULL;
    if (g->stride[2] == 1)
        return g->kernel[2] == 3 ? square3 : g->kernel[2] == 5 ? square5 : NULL;
    if (g->stride[2] == 2)
        return g->kernel[2] == 3 ? square3_second : g->kernel[2] == 5 ? square5_second : NULL;
    return NULL;
}

/* Sides of the part of a padded plane that the outputs read. */
static int64_t padded_side(const struct conv_geometry *g, unsigned d)
{
    return (g->out[d] - 1) * g->stride[d] + g->kernel[d];
}

static void pad_plane(const struct conv_geometry *g, const float *x, float *to)
{
    int64_t height = padded_side(g, 1), width = padded_side(g, 2), first, end;

    conv_valid_range(width, g->in[2], 1, -g->pad[2], &first, &end);
    for (int64_t r = 0; r < height; r++, to += width) {
        int64_t ih = r - g->pad[1];

        if (ih < 0 || ih >= g->in[1] || first >= end) {
            memset(to, 0, (size_t)width * sizeof(float));
            continue;
        }
        memset(to, 0, (size_t)first * sizeof(float));
        memcpy(to + first, x + ih * g->in[2] + first - g->pad[2], (size_t)(end - first) * sizeof(float));
        memset(to + end, 0, (size_t)(width - end) * sizeof(float));
    }
}

/* One plane, padded, in scratch. Without stride the rows are one long row, sums beyond a row's end being left out
 * afterwards, since the rows of deep layers are shorter than a vector. */
static void square_plane(const struct conv_geometry *g, square_function *sums, const float *x, const float *w,
                         float bias, float *scratch, float *y)
{
    int64_t width = padded_side(g, 2), height = padded_side(g, 1);
    float *flat = scratch + height * width;

    pad_plane(g, x, scratch);
    if (g->stride[2] == 1) {
        sums(scratch, width, w, bias, flat, (g->out[1] - 1) * width + g->out[2]);
        for (int64_t oh = 0; oh < g->out[1]; oh++)
            memcpy(y + oh * g->out[2], flat + oh * width, (size_t)g->out[2] * sizeof(float));
        return;
    }
    for (int64_t oh = 0; oh < g->out[1]; oh++)
        sums(scratch + oh * g->stride[1] * width, width, w, bias, y + oh * g->out[2], g->out[2]);
}

size_t conv_depthwise_scratch_floats(const struct conv_geometry *g)
{
    if (!square_of(g) || g->out[1] <= 0 || g->out[2] <= 0)
        return 0;
    return (size_t)(padded_side(g, 2) * (padded_side(g, 1) + g->out[1]));
}

void conv_depthwise(const struct conv_job *job)
{
    const struct conv_geometry *g = job->geometry;
    int64_t filters = g->channels_out / g->groups, taps = g->kernel[1] * g->kernel[2];
    int64_t in = g->in[1] * g->in[2], out = g->out[1] * g->out[2];
    square_function *sums = square_of(g);

    for (int64_t f = 0; out > 0 && f < g->channels_out; f++) {
        const float *x = job->x + f / filters * in, *w = job->weights + f * taps;
        float bias = job->bias ? job->bias[f] : 0.0f, *y = job->y + f * out;

        if (sums)
            square_plane(g, sums, x, w, bias, job->scratch, y);
        else
            depthwise_plane(g, x, w, bias, y);
        activation_apply(&job->activation, y, (size_t)out);
    }
}
