#include "models/nhwc_bytes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/quant.h"

struct nhwc_bytes {
    struct onednn_conv *conv;
    struct conv_geometry given; /* of the image as it comes */
    bool bordered;              /* the image is copied into a border of its zero point */
    int64_t inside[3];          /* size with the border */
    bool sums;                  /* the convolution leaves sums, requantised here */
    int32_t in_zero, out_zero;
    enum tensor_type out;
    float *factors;
    int64_t pixels;
    size_t border_bytes, sums_bytes;
};

/* Beyond this an image is left to the plain loops: it has to be tried once. */
static const int64_t max_elements = (int64_t)1 << 26;

enum { PROBES = 96 };

/* What onednn is given: the weights without their zero point, and what is added to each channel's sum. */
struct constants {
    int8_t *weights;
    int32_t *bias;
    bool biased;    /* one of bias is not 0 */
    bool is_narrow; /* sums and bias are integers that float32 holds, so that they add up in it as in an int32 */
};

static void constants_free(struct constants *k)
{
    free(k->weights);
    free(k->bias);
}

static int64_t taps_of(const struct nhwc_bytes_settings *x)
{
    const struct conv_geometry *g = &x->geometry;

    return g->channels_in / g->groups * g->kernel[0] * g->kernel[1] * g->kernel[2];
}

static int32_t weight_at(const struct nhwc_bytes_settings *x, int64_t channel, int64_t i)
{
    const struct tensor *zero = x->weights_zero;

    return quant_byte(x->weights, i) - (zero ? quant_byte(zero, tensor_count(zero) > 1 ? channel : 0) : 0);
}

static bool is_held(int64_t x)
{
    return x >= -(1 << 24) && x <= 1 << 24;
}

static enum status constants_make(const struct nhwc_bytes_settings *x, struct constants *k, struct error *e)
{
    int64_t n = x->geometry.channels_out, taps = taps_of(x), most = x->in == TENSOR_I8 ? 128 : 255;

    k->weights = malloc((size_t)(n * taps) + 1);
    k->bias = calloc((size_t)n, sizeof(*k->bias));
    k->is_narrow = true;
    if (!k->weights || !k->bias)
        return error_no_memory(e);
    for (int64_t c = 0; c < n; c++) {
        int64_t up = 0, down = 0;
        uint32_t bias = x->bias ? (uint32_t)x->bias[c] : 0;

        for (int64_t i = c * taps; i < (c + 1) * taps; i++) {
            int32_t w = weight_at(x, c, i);

            if (w < -128 || w > 127) {
                error_set(e, STATUS_UNSUPPORTED, "weights that are 9 bits wide without their zero point");
                return STATUS_UNSUPPORTED;
            }
            k->weights[i] = (int8_t)w;
            up += w > 0 ? w : 0;
            down += w < 0 ? -w : 0;
        }
        bias -= (uint32_t)x->in_zero * (uint32_t)(up - down);
        k->bias[c] = (int32_t)bias;
        k->biased = k->biased || bias != 0;
        k->is_narrow = k->is_narrow && is_held((int32_t)bias) &&
                       is_held(most * (x->in == TENSOR_I8 ? up + down
                                       : up > down        ? up
                                                          : down));
    }
    return STATUS_OK;
}

/* The image's zero point surrounds it where the window reaches out. */
static void plan_border(struct nhwc_bytes *b, struct conv_geometry *g)
{
    for (unsigned d = 0; d < 3; d++) {
        int64_t after = (g->out[d] - 1) * g->stride[d] + (g->kernel[d] - 1) * g->dilation[d] + 1 - g->in[d] - g->pad[d];

        b->inside[d] = g->in[d] + g->pad[d] + (after > 0 ? after : 0);
        b->bordered = b->bordered || (b->in_zero != 0 && b->inside[d] != g->in[d]);
    }
    if (!b->bordered)
        return;
    for (unsigned d = 0; d < 3; d++) {
        g->in[d] = b->inside[d];
        g->pad[d] = 0;
    }
    b->border_bytes = (size_t)(b->inside[0] * b->inside[1] * b->inside[2] * g->channels_in);
}

static bool are_finite(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(x[i]))
            return false;
    }
    return true;
}

static size_t aligned(size_t bytes)
{
    return (bytes + TENSOR_ALIGN_BYTES - 1) / TENSOR_ALIGN_BYTES * TENSOR_ALIGN_BYTES;
}

/* A byte of an image that is hard on sums: often one of the extremes. */
static uint8_t extreme_byte(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 30) == 0 ? 0 : (*seed >> 30) == 1 ? 255 : (*seed >> 30) == 2 ? 128 : (uint8_t)(*seed >> 16);
}

/* The sum at one place, as ONNX defines it. */
static int32_t plain_sum(const struct nhwc_bytes_settings *x, const uint8_t *image, int64_t pixel, int64_t channel)
{
    const struct conv_geometry *g = &x->geometry;
    const int64_t o[3] = {pixel / (g->out[1] * g->out[2]), pixel / g->out[2] % g->out[1], pixel % g->out[2]};
    int64_t width = g->channels_in / g->groups, group = channel / (g->channels_out / g->groups), at[3];
    int64_t taps = g->kernel[0] * g->kernel[1] * g->kernel[2];
    uint32_t sum = x->bias ? (uint32_t)x->bias[channel] : 0;

    for (int64_t t = 0; t < taps; t++) {
        const int64_t k[3] = {t / (g->kernel[1] * g->kernel[2]), t / g->kernel[2] % g->kernel[1], t % g->kernel[2]};
        const uint8_t *from;
        bool inside = true;

        for (unsigned d = 0; d < 3; d++) {
            at[d] = o[d] * g->stride[d] + k[d] * g->dilation[d] - g->pad[d];
            inside = inside && at[d] >= 0 && at[d] < g->in[d];
        }
        if (!inside)
            continue;
        from = image + ((at[0] * g->in[1] + at[1]) * g->in[2] + at[2]) * g->channels_in + group * width;
        for (int64_t i = 0; i < width; i++) {
            int32_t v = (x->in == TENSOR_I8 ? (int8_t)from[i] : from[i]) - x->in_zero;

            sum += (uint32_t)(v * weight_at(x, channel, (channel * width + i) * taps + t));
        }
    }
    return (int32_t)sum;
}

static bool is_right(const struct nhwc_bytes_settings *x, const uint8_t *image, const void *y, int64_t pixel,
                     int64_t channel)
{
    int64_t at = pixel * x->geometry.channels_out + channel;
    int32_t sum = plain_sum(x, image, pixel, channel);

    if (x->out == TENSOR_I32)
        return ((const int32_t *)y)[at] == sum;
    return (uint8_t)quant_round((float)sum * x->factors[channel], x->out_zero, x->out) == ((const uint8_t *)y)[at];
}

/* Runs it once; the corners and some places in between have to be right. */
static enum status try_out(struct nhwc_bytes *b, const struct nhwc_bytes_settings *x, struct error *e)
{
    const struct conv_geometry *g = &x->geometry;
    size_t in = (size_t)(g->in[0] * g->in[1] * g->in[2] * g->channels_in);
    uint8_t *image = tensor_memory(in);
    void *y = tensor_memory((size_t)(b->pixels * g->channels_out) * sizeof(int32_t));
    void *scratch = tensor_memory(nhwc_bytes_scratch_bytes(b));
    uint32_t seed = 1;
    enum status s = image && y && scratch ? STATUS_OK : error_no_memory(e);

    for (size_t i = 0; i < in && s == STATUS_OK; i++)
        image[i] = extreme_byte(&seed);
    if (s == STATUS_OK)
        s = nhwc_bytes_run(b, image, y, scratch, e);
    for (int64_t i = 0; i < PROBES && s == STATUS_OK; i++) {
        int64_t pixel = i == 0 ? 0 : i == 1 ? b->pixels - 1 : i * 7919 % b->pixels;

        if (!is_right(x, image, y, pixel, i * 104729 % g->channels_out))
            s = error_set(e, STATUS_UNSUPPORTED, "oneDNN's 8-bit convolution is not exact here");
    }
    free(image);
    free(y);
    free(scratch);
    return s;
}

/* With the requantisation inside, or with sums. */
static enum status prepare(struct nhwc_bytes *b, struct onednn *o, const struct nhwc_bytes_settings *x,
                           const struct constants *k, bool sums, struct error *e)
{
    struct conv_geometry g = x->geometry;
    struct onednn_bytes_settings settings = {.geometry = &g,
                                             .dims = x->dims,
                                             .in_signed = x->in == TENSOR_I8,
                                             .weights = k->weights,
                                             .bias = k->biased ? k->bias : NULL,
                                             .out = sums ? TENSOR_I32 : x->out,
                                             .factors = b->factors,
                                             .zero = x->out_zero};
    enum status s;

    plan_border(b, &g);
    b->sums = sums && x->out != TENSOR_I32;
    b->sums_bytes = b->sums ? (size_t)(b->pixels * g.channels_out) * sizeof(int32_t) : 0;
    onednn_conv_close(&b->conv);
    s = onednn_bytes_open(o, &settings, &b->conv, e);
    return s == STATUS_OK && !x->trusted ? try_out(b, x, e) : s;
}

enum status nhwc_bytes_open(struct onednn *o, const struct nhwc_bytes_settings *settings, struct nhwc_bytes **ret_b,
                            struct error *e)
{
    const struct conv_geometry *g = &settings->geometry;
    struct nhwc_bytes *b = calloc(1, sizeof(*b));
    struct constants k = {0};
    enum status s = b ? constants_make(settings, &k, e) : error_no_memory(e);

    if (s != STATUS_OK)
        goto error;
    b->given = *g;
    b->in_zero = settings->in_zero;
    b->out_zero = settings->out_zero;
    b->out = settings->out;
    b->pixels = g->out[0] * g->out[1] * g->out[2];
    if (g->in[0] * g->in[1] * g->in[2] > max_elements / g->channels_in || b->pixels > max_elements / g->channels_out) {
        s = error_set(e, STATUS_UNSUPPORTED, "images of more than %lld values", (long long)max_elements);
        goto error;
    }
    if (settings->out != TENSOR_I32) {
        b->factors = malloc((size_t)g->channels_out * sizeof(*b->factors));
        if (!b->factors) {
            s = error_no_memory(e);
            goto error;
        }
        memcpy(b->factors, settings->factors, (size_t)g->channels_out * sizeof(*b->factors));
    }
    s = STATUS_UNSUPPORTED;
    if (settings->out == TENSOR_I32 || ((k.is_narrow || !k.biased) && are_finite(b->factors, g->channels_out)))
        s = prepare(b, o, settings, &k, settings->out == TENSOR_I32, e);
    if (s == STATUS_UNSUPPORTED && settings->out != TENSOR_I32)
        s = prepare(b, o, settings, &k, true, e);
    if (s != STATUS_OK)
        goto error;
    constants_free(&k);
    *ret_b = b;
    return STATUS_OK;
error:
    constants_free(&k);
    nhwc_bytes_close(&b);
    return s;
}

void nhwc_bytes_close(struct nhwc_bytes **b)
{
    if (!*b)
        return;
    onednn_conv_close(&(*b)->conv);
    free((*b)->factors);
    free(*b);
    *b = NULL;
}

size_t nhwc_bytes_scratch_bytes(const struct nhwc_bytes *b)
{
    return aligned(b->border_bytes) + aligned(b->sums_bytes) + onednn_conv_scratch_bytes(b->conv);
}

const char *nhwc_bytes_name(const struct nhwc_bytes *b)
{
    return onednn_conv_name(b->conv);
}

static void surround(const struct nhwc_bytes *b, const char *x, char *to)
{
    const struct conv_geometry *g = &b->given;
    size_t line = (size_t)(g->in[2] * g->channels_in);

    memset(to, b->in_zero, b->border_bytes);
    for (int64_t d = 0; d < g->in[0]; d++) {
        for (int64_t h = 0; h < g->in[1]; h++, x += line)
            memcpy(to + (((d + g->pad[0]) * b->inside[1] + h + g->pad[1]) * b->inside[2] + g->pad[2]) * g->channels_in,
                   x, line);
    }
}

enum status nhwc_bytes_run(struct nhwc_bytes *b, const void *x, void *y, void *scratch, struct error *e)
{
    int64_t channels = b->given.channels_out;
    char *border = scratch, *sums = border + aligned(b->border_bytes), *own = sums + aligned(b->sums_bytes);
    enum status s;

    if (b->bordered)
        surround(b, x, border);
    s = onednn_conv_run(b->conv, b->bordered ? border : x, b->sums ? sums : y, own, e);
    for (int64_t p = 0; p < b->pixels && b->sums && s == STATUS_OK; p++)
        quant_sums((const int32_t *)(void *)sums + p * channels, b->factors, true, b->out_zero, b->out,
                   (char *)y + p * channels, channels);
    return s;
}
