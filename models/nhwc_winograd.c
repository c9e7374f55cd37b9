#include "models/nhwc_winograd.h"

#include <stdlib.h>
#include <string.h>

/* LANES channels are transformed at once. */
enum { IN = 6, OUT = 4, POINTS = IN * IN, LANES = 16, MIN_TILES = 32, SCRATCH_BYTES = 3 << 19 };

struct winograd {
    const struct kernels *kernels;
    struct conv_geometry geometry;
    int64_t tiles_down, tiles_across, block; /* block: tiles in one go */
    size_t packed_floats;                    /* of one point's filters */
    float *packed, *bias;
};

bool winograd_suits(const struct conv_geometry *g)
{
    int64_t down = (g->out[1] + OUT - 1) / OUT, across = (g->out[2] + OUT - 1) / OUT;

    if (g->groups != 1 || g->channels_in % LANES != 0 || g->channels_out % LANES != 0 || g->channels_in < 2 * LANES ||
        g->channels_out < 2 * LANES || g->in[0] != 1 || g->out[0] != 1 || g->kernel[0] != 1 || g->pad[0] != 0)
        return false;
    for (unsigned d = 1; d < 3; d++) {
        if (g->kernel[d] != 3 || g->stride[d] != 1 || g->dilation[d] != 1)
            return false;
    }
    /* Fewer tiles an image, and reading the filters costs more than it saves; mostly empty tiles save nothing. */
    return down * across >= 16 && g->out[1] * g->out[2] * 2 >= down * across * OUT * OUT;
}

/* G g G' in double, for one filter of one channel. */
static void transform_filter(const float *g, float ret_u[POINTS])
{
    static const double factors[IN][3] = {{1.0 / 4, 0, 0},
                                          {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                          {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                          {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                          {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                          {0, 0, 1}};
    double half[IN][3];

    for (unsigned i = 0; i < IN; i++) {
        for (unsigned j = 0; j < 3; j++) {
            half[i][j] = 0;
            for (unsigned k = 0; k < 3; k++)
                half[i][j] += factors[i][k] * (double)g[k * 3 + j];
        }
    }
    for (unsigned i = 0; i < IN; i++) {
        for (unsigned j = 0; j < IN; j++) {
            double sum = 0;

            for (unsigned k = 0; k < 3; k++)
                sum += half[i][k] * factors[j][k];
            ret_u[i * IN + j] = (float)sum;
        }
    }
}

static enum status pack_filters(struct winograd *w, const float *weights, struct error *e)
{
    size_t in = (size_t)w->geometry.channels_in, out = (size_t)w->geometry.channels_out;
    /* Point by point, channels_in x channels_out. */
    float *points = malloc(POINTS * in * out * sizeof(*points));

    w->packed_floats = rows_packed_floats(in, out);
    w->packed = tensor_memory(POINTS * w->packed_floats * sizeof(float));
    if (!points || !w->packed) {
        free(points);
        return error_no_memory(e);
    }
    for (size_t o = 0; o < out; o++) {
        for (size_t i = 0; i < in; i++) {
            float u[POINTS];

            transform_filter(weights + (o * in + i) * 9, u);
            for (size_t p = 0; p < POINTS; p++)
                points[(p * in + i) * out + o] = u[p];
        }
    }
    for (size_t p = 0; p < POINTS; p++)
        rows_pack(points + p * in * out, in, out, out, 1, w->packed + p * w->packed_floats);
    free(points);
    return STATUS_OK;
}

enum status winograd_open(const struct kernels *kernels, const struct conv_geometry *g, const float *weights,
                          const float *bias, struct winograd **ret_w, struct error *e)
{
    struct winograd *w = calloc(1, sizeof(*w));
    size_t a_tile = POINTS * sizeof(float) * (size_t)(g->channels_in + g->channels_out);
    enum status s;

    if (!w)
        return error_no_memory(e);
    w->kernels = kernels;
    w->geometry = *g;
    w->tiles_down = (g->out[1] + OUT - 1) / OUT;
    w->tiles_across = (g->out[2] + OUT - 1) / OUT;
    w->block = (int64_t)(SCRATCH_BYTES / a_tile);
    w->block = w->block < MIN_TILES ? MIN_TILES : w->block;
    w->bias = tensor_memory((size_t)g->channels_out * sizeof(float));
    s = w->bias ? pack_filters(w, weights, e) : error_no_memory(e);
    if (s != STATUS_OK) {
        winograd_close(&w);
        return s;
    }
    if (bias)
        memcpy(w->bias, bias, (size_t)g->channels_out * sizeof(float));
    *ret_w = w;
    return STATUS_OK;
}

void winograd_close(struct winograd **w)
{
    if (!*w)
        return;
    free((*w)->packed);
    free((*w)->bias);
    free(*w);
    *w = NULL;
}

size_t winograd_scratch_bytes(const struct winograd *w)
{
    return POINTS * sizeof(float) * (size_t)w->block * (size_t)(w->geometry.channels_in + w->geometry.channels_out);
}

/* B' d B of one tile's LANES channels. lines[i]: pixel i of the 6 x 6, at the first channel; NULL outside the image.
 * to: the first point's value, the next point's `step` floats further. */
KERNEL_CLONES static void transform_in(const float *const lines[POINTS], int64_t channel, float *to, int64_t step)
{
    static const float zeros[LANES];
    float t[IN][IN][LANES];

    for (unsigned j = 0; j < IN; j++) {
        const float *d0 = lines[j] ? lines[j] + channel : zeros, *d1 = lines[6 + j] ? lines[6 + j] + channel : zeros,
                    *d2 = lines[12 + j] ? lines[12 + j] + channel : zeros,
                    *d3 = lines[18 + j] ? lines[18 + j] + channel : zeros,
                    *d4 = lines[24 + j] ? lines[24 + j] + channel : zeros,
                    *d5 = lines[30 + j] ? lines[30 + j] + channel : zeros;

        for (unsigned c = 0; c < LANES; c++) {
            float a = d4[c] - 4.0f * d2[c], b = d3[c] - 4.0f * d1[c], f = d4[c] - d2[c], g = 2.0f * (d3[c] - d1[c]);

            t[0][j][c] = 4.0f * d0[c] - 5.0f * d2[c] + d4[c];
            t[1][j][c] = a + b;
            t[2][j][c] = a - b;
            t[3][j][c] = f + g;
            t[4][j][c] = f - g;
            t[5][j][c] = 4.0f * d1[c] - 5.0f * d3[c] + d5[c];
        }
    }
    for (unsigned i = 0; i < IN; i++) {
        float *y = to + (int64_t)(i * IN) * step;

        for (unsigned c = 0; c < LANES; c++) {
            float a = t[i][4][c] - 4.0f * t[i][2][c], b = t[i][3][c] - 4.0f * t[i][1][c], f = t[i][4][c] - t[i][2][c],
                  g = 2.0f * (t[i][3][c] - t[i][1][c]);

            y[c] = 4.0f * t[i][0][c] - 5.0f * t[i][2][c] + t[i][4][c];
            y[step + c] = a + b;
            y[2 * step + c] = a - b;
            y[3 * step + c] = f + g;
            y[4 * step + c] = f - g;
            y[5 * step + c] = 4.0f * t[i][1][c] - 5.0f * t[i][3][c] + t[i][5][c];
        }
    }
}

/* A' m A + bias of one tile's LANES channels. */
KERNEL_CLONES static void transform_out(const float *from, int64_t step, const float *bias,
                                        float ret_y[OUT * OUT][LANES])
{
    float t[OUT][IN][LANES];

    for (unsigned j = 0; j < IN; j++) {
        const float *m = from + (int64_t)j * step;
        int64_t row = IN * step;

        for (unsigned c = 0; c < LANES; c++) {
            float a = m[row + c] + m[2 * row + c], b = m[row + c] - m[2 * row + c], f = m[3 * row + c] + m[4 * row + c],
                  g = m[3 * row + c] - m[4 * row + c];

            t[0][j][c] = m[c] + a + f;
            t[1][j][c] = b + 2.0f * g;
            t[2][j][c] = a + 4.0f * f;
            t[3][j][c] = b + 8.0f * g + m[5 * row + c];
        }
    }
    for (unsigned i = 0; i < OUT; i++) {
        for (unsigned c = 0; c < LANES; c++) {
            float a = t[i][1][c] + t[i][2][c], b = t[i][1][c] - t[i][2][c], f = t[i][3][c] + t[i][4][c],
                  g = t[i][3][c] - t[i][4][c];

            ret_y[i * OUT][c] = t[i][0][c] + a + f + bias[c];
            ret_y[i * OUT + 1][c] = b + 2.0f * g + bias[c];
            ret_y[i * OUT + 2][c] = a + 4.0f * f + bias[c];
            ret_y[i * OUT + 3][c] = b + 8.0f * g + t[i][5][c] + bias[c];
        }
    }
}

/* Where a tile stands. */
struct place {
    int64_t image, y, x;
};

static struct place place_of(const struct winograd *w, int64_t tile)
{
    int64_t a_image = w->tiles_down * w->tiles_across;

    return (struct place){
        .image = tile / a_image, .y = tile % a_image / w->tiles_across * OUT, .x = tile % w->tiles_across * OUT};
}

static void gather_tile(const struct winograd *w, const float *x, int64_t tile, float *to, int64_t step)
{
    const struct conv_geometry *g = &w->geometry;
    struct place at = place_of(w, tile);
    const float *lines[POINTS];

    for (int64_t i = 0; i < POINTS; i++) {
        int64_t row = at.y + i / IN - g->pad[1], column = at.x + i % IN - g->pad[2];
        bool inside = row >= 0 && row < g->in[1] && column >= 0 && column < g->in[2];

        lines[i] = inside ? x + ((at.image * g->in[1] + row) * g->in[2] + column) * g->channels_in : NULL;
    }
    for (int64_t c = 0; c < g->channels_in; c += LANES)
        transform_in(lines, c, to + c, step);
}

static void scatter_tile(const struct winograd *w, const float *from, int64_t step, int64_t tile, bool adds,
                         const struct activation *activation, float *y)
{
    const struct conv_geometry *g = &w->geometry;
    struct place at = place_of(w, tile);
    int64_t down = g->out[1] - at.y < OUT ? g->out[1] - at.y : OUT,
            across = g->out[2] - at.x < OUT ? g->out[2] - at.x : OUT;

    for (int64_t c = 0; c < g->channels_out; c += LANES) {
        float values[OUT * OUT][LANES];

        transform_out(from + c, step, w->bias + c, values);
        if (!adds)
            activation_apply(activation, values[0], sizeof(values) / sizeof(float));
        for (int64_t i = 0; i < down; i++) {
            for (int64_t j = 0; j < across; j++) {
                float *to = y + ((at.image * g->out[1] + at.y + i) * g->out[2] + at.x + j) * g->channels_out + c;

                for (unsigned k = 0; k < LANES; k++)
                    to[k] = adds ? to[k] + values[i * OUT + j][k] : values[i * OUT + j][k];
                if (adds)
                    activation_apply(activation, to, LANES);
            }
        }
    }
}

void winograd_run(const struct winograd *w, const float *x, float *y, int64_t n, bool adds,
                  const struct activation *activation, float *scratch)
{
    int64_t in = w->geometry.channels_in, out = w->geometry.channels_out, total = n * w->tiles_down * w->tiles_across;

    for (int64_t first = 0; first < total; first += w->block) {
        int64_t tiles = total - first < w->block ? total - first : w->block;
        float *a = scratch, *b = scratch + POINTS * tiles * in;

        for (int64_t t = 0; t < tiles; t++)
            gather_tile(w, x, first + t, a + t * in, tiles * in);
        for (int64_t p = 0; p < POINTS; p++) {
            const struct rows_job job = {
                .x = a + p * tiles * in,
                .x_stride = (size_t)in,
                .packed = w->packed + (size_t)p * w->packed_floats,
                .y = b + p * tiles * out,
                .y_stride = (size_t)out,
                .m = (size_t)tiles,
                .k = (size_t)in,
                .n = (size_t)out,
            };

            w->kernels->rows(&job);
        }
        for (int64_t t = 0; t < tiles; t++)
            scatter_tile(w, b + t * out, tiles * out, first + t, adds, activation, y);
    }
}
