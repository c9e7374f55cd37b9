/* Convolution as im2col and sgemm. A gemm has the same shape for every image, so a batch does not change its
 * bits. The only file that sees cblas. */
#include "models/kernels.h"

#include <cblas.h>

/* Columns are taken tile by tile, so that a tile's columns and results are still in the cache when the next step wants them; a
 * tile is not thin, since each packs the filters anew. */
enum { TILE_FLOATS = 768 * 1024, TILE_MIN_COLUMNS = 256 };

static int64_t group_rows(const struct conv_geometry *g)
{
    return g->channels_in / g->groups * g->kernel[0] * g->kernel[1] * g->kernel[2];
}

/* A 1 x 1 convolution without stride or padding reads the image itself. */
static bool is_pointwise(const struct conv_geometry *g)
{
    for (unsigned d = 0; d < 3; d++) {
        if (g->kernel[d] != 1 || g->stride[d] != 1 || g->in[d] != g->out[d] || g->pad[d] != 0)
            return false;
    }
    return true;
}

static int64_t tile_columns(const struct conv_geometry *g)
{
    int64_t columns = g->out[0] * g->out[1] * g->out[2];
    int64_t tile = TILE_FLOATS / (group_rows(g) + g->channels_out / g->groups), n;

    tile = tile < TILE_MIN_COLUMNS ? TILE_MIN_COLUMNS : tile;
    /* As many tiles, of the same size. */
    n = (columns + tile - 1) / tile;
    tile = n > 0 ? (columns + n - 1) / n : 1;
    tile = (tile + 15) / 16 * 16;
    return tile < columns ? tile : columns;
}

static size_t scratch_floats(const struct conv_geometry *g)
{
    if (conv_is_depthwise(g))
        return conv_depthwise_scratch_floats(g);
    if (is_pointwise(g))
        return 0;
    return (size_t)(tile_columns(g) * group_rows(g));
}

static void multiply(const struct conv_job *job, int64_t group, const float *b, int64_t b_stride, int64_t first,
                     int64_t n)
{
    const struct conv_geometry *g = job->geometry;
    int64_t rows = group_rows(g), columns = g->out[0] * g->out[1] * g->out[2];
    int64_t filters = g->channels_out / g->groups;
    float *y = job->y + group * filters * columns + first;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)filters, (int)n, (int)rows, 1.0f,
                job->weights + group * filters * rows, (int)rows, b, (int)b_stride, 0.0f, y, (int)columns);
    for (int64_t f = 0; f < filters; f++) {
        if (job->bias)
            activation_apply_biased(&job->activation, job->bias[group * filters + f], y + f * columns, (size_t)n);
        else
            activation_apply(&job->activation, y + f * columns, (size_t)n);
    }
}

static void conv_openblas(const struct kernels *kernels, const struct conv_job *job)
{
    const struct conv_geometry *g = job->geometry;
    int64_t rows = group_rows(g), columns = g->out[0] * g->out[1] * g->out[2], tile = tile_columns(g);
    int64_t group_in = g->channels_in / g->groups * g->in[0] * g->in[1] * g->in[2];

    (void)kernels;
    if (conv_is_depthwise(g)) {
        conv_depthwise(job);
        return;
    }
    for (int64_t group = 0; group < g->groups; group++) {
        const float *x = job->x + group * group_in;

        for (int64_t first = 0; first < columns; first += tile) {
            int64_t n = columns - first < tile ? columns - first : tile;

            if (is_pointwise(g)) {
                multiply(job, group, x + first, columns, first, n);
                continue;
            }
            for (int64_t k = 0; k < rows; k++)
                conv_column_line(g, x, k, first, n, job->scratch + k * n);
            multiply(job, group, job->scratch, n, first, n);
        }
    }
}

static void rows_openblas(const struct rows_job *job)
{
    /* BLAS may choose another path for another number of rows, so the rows of a batch stay with our own
     * kernels. */
    const struct kernels *native = kernels_choose(NETWORK_BACKEND_AUTO);

    (native == &kernels_openblas ? &kernels_portable : native)->rows(job);
}

const struct kernels kernels_openblas = {
    .name = "openblas",
    .rows = rows_openblas,
    .conv_scratch_floats = scratch_floats,
    .conv = conv_openblas,
};
