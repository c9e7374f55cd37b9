/* Work goes tile by tile, a tile small enough for the first cache, in float32: what is kept as bfloat16 or as bytes is
 * widened on the way in and rounded on the way out. */
#include "models/nhwc_kernels.h"

#include <math.h>
#include <string.h>

#include "models/quant.h"

enum { TILE_FLOATS = 2048 };

/* Pixels pixel..pixel + n, channels channel..channel + m. */
struct tile {
    int64_t pixel, n, channel, m;
};

static inline float widen(uint16_t x)
{
    uint32_t bits = (uint32_t)x << 16;
    float f;

    memcpy(&f, &bits, sizeof(f));
    return f;
}

static inline uint16_t narrow(float x)
{
    uint32_t bits, rounded;

    memcpy(&bits, &x, sizeof(bits));
    rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : rounded);
}

KERNEL_CLONES static void widen_line(const uint16_t *x, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = widen(x[i]);
}

KERNEL_CLONES static void narrow_line(const float *x, uint16_t *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = narrow(x[i]);
}

static void *at(const struct nhwc_view *v, int64_t pixel, int64_t channel)
{
    return (char *)v->data + (pixel * v->stride + channel) * nhwc_element_bytes(v->integer, v->bf16);
}

/* Tiles are whole lines of pixels, unless one pixel has more channels than a tile holds. */
static bool next_tile(const struct nhwc_view *v, struct tile *t)
{
    int64_t m = v->channels < TILE_FLOATS ? v->channels : TILE_FLOATS;

    if (t->m == 0) {
        t->m = m;
    } else if (t->channel + t->m < v->channels) {
        t->channel += t->m;
        t->m = v->channels - t->channel < m ? v->channels - t->channel : m;
    } else {
        t->pixel += t->n;
        t->channel = 0;
        t->m = m;
    }
    t->n = TILE_FLOATS / m < v->pixels - t->pixel ? TILE_FLOATS / m : v->pixels - t->pixel;
    return t->n > 0;
}

static bool is_direct(const struct nhwc_view *v, const struct tile *t)
{
    return !v->bf16 && !v->integer && (v->stride == t->m || t->n == 1);
}

static void load_line(const struct nhwc_view *v, const void *from, float *line, int64_t n)
{
    if (v->integer)
        dequant_line(v->integer, from, v->scale, v->zero, line, n);
    else if (v->bf16)
        widen_line(from, line, n);
    else
        memcpy(line, from, (size_t)n * sizeof(float));
}

static const float *load(const struct nhwc_view *v, const struct tile *t, float *line)
{
    if (is_direct(v, t))
        return at(v, t->pixel, t->channel);
    if (v->stride == t->m) {
        load_line(v, at(v, t->pixel, t->channel), line, t->n * t->m);
        return line;
    }
    for (int64_t p = 0; p < t->n; p++)
        load_line(v, at(v, t->pixel + p, t->channel), line + p * t->m, t->m);
    return line;
}

static float *target(const struct nhwc_view *v, const struct tile *t, float *line)
{
    return is_direct(v, t) ? at(v, t->pixel, t->channel) : line;
}

static void store_line(const struct nhwc_view *v, const float *line, void *to, int64_t n)
{
    if (v->integer)
        quant_line(line, v->scale, v->zero, v->integer, to, n);
    else if (v->bf16)
        narrow_line(line, to, n);
    else
        memcpy(to, line, (size_t)n * sizeof(float));
}

static void store(const struct nhwc_view *v, const struct tile *t, const float *line)
{
    if (is_direct(v, t))
        return;
    if (v->stride == t->m) {
        store_line(v, line, at(v, t->pixel, t->channel), t->n * t->m);
        return;
    }
    for (int64_t p = 0; p < t->n; p++)
        store_line(v, line + p * t->m, at(v, t->pixel + p, t->channel), t->m);
}

enum { BLOCK = 16 };

/* to[i] = from[i * step], n values of the view's kind: to or from is the view's line, the other one a plane. */
static void from_plane(const struct nhwc_view *v, const char *from, int64_t step, void *to, int64_t n)
{
    int64_t size = nhwc_element_bytes(v->integer, false);

    for (int64_t k = 0; v->bf16 && k < n; k++)
        ((uint16_t *)to)[k] = narrow(*(const float *)(const void *)(from + k * step * size));
    for (int64_t k = 0; !v->bf16 && size == 1 && k < n; k++)
        ((char *)to)[k] = from[k * step];
    for (int64_t k = 0; !v->bf16 && size == 4 && k < n; k++)
        memcpy((char *)to + k * 4, from + k * step * 4, 4);
}

static void to_plane(const struct nhwc_view *v, const void *from, char *to, int64_t step, int64_t n)
{
    int64_t size = nhwc_element_bytes(v->integer, false);

    for (int64_t k = 0; v->bf16 && k < n; k++)
        *(float *)(void *)(to + k * step * size) = widen(((const uint16_t *)from)[k]);
    for (int64_t k = 0; !v->bf16 && size == 1 && k < n; k++)
        to[k * step] = ((const char *)from)[k];
    for (int64_t k = 0; !v->bf16 && size == 4 && k < n; k++)
        memcpy(to + k * step * 4, (const char *)from + k * 4, 4);
}

void nhwc_from_planes(const void *planes, const struct nhwc_view *to)
{
    int64_t n = to->pixels, channels = to->channels, size = nhwc_element_bytes(to->integer, false);

    for (int64_t p = 0; p < n; p += BLOCK) {
        int64_t n_p = n - p < BLOCK ? n - p : BLOCK;

        for (int64_t c = 0; c < channels; c += BLOCK) {
            int64_t n_c = channels - c < BLOCK ? channels - c : BLOCK;

            for (int64_t i = 0; i < n_p; i++)
                from_plane(to, (const char *)planes + (c * n + p + i) * size, n, at(to, p + i, c), n_c);
        }
    }
}

void nhwc_to_planes(const struct nhwc_view *from, void *planes)
{
    int64_t n = from->pixels, channels = from->channels, size = nhwc_element_bytes(from->integer, false);

    for (int64_t c = 0; c < channels; c += BLOCK) {
        int64_t n_c = channels - c < BLOCK ? channels - c : BLOCK;

        for (int64_t p = 0; p < n; p += BLOCK) {
            int64_t n_p = n - p < BLOCK ? n - p : BLOCK;

            for (int64_t i = 0; i < n_p; i++)
                to_plane(from, at(from, p + i, c), (char *)planes + (c * n + p + i) * size, n, n_c);
        }
    }
}

void nhwc_copy(const struct nhwc_view *x, const struct nhwc_view *y)
{
    size_t bytes = (size_t)(x->channels * nhwc_element_bytes(x->integer, x->bf16));

    if (x->bf16 != y->bf16 || x->integer != y->integer) {
        nhwc_affine(x, NULL, NULL, &(struct activation){ACTIVATION_NONE, 0.0f, 0.0f}, y);
        return;
    }
    for (int64_t p = 0; p < x->pixels; p++)
        memcpy(at(y, p, 0), at(x, p, 0), bytes);
}

KERNEL_CLONES static void add_lines(const float *a, const float *b, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
}

KERNEL_CLONES static void multiply_lines(const float *a, const float *b, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] * b[i];
}

KERNEL_CLONES static void scale_lines(const float *x, const float *scale, float *y, int64_t n, int64_t m)
{
    for (int64_t p = 0; p < n; p++) {
        for (int64_t i = 0; i < m; i++)
            y[p * m + i] = x[p * m + i] * scale[i];
    }
}

KERNEL_CLONES static void shift_lines(const float *x, const float *shift, float *y, int64_t n, int64_t m)
{
    for (int64_t p = 0; p < n; p++) {
        for (int64_t i = 0; i < m; i++)
            y[p * m + i] = x[p * m + i] + shift[i];
    }
}

KERNEL_CLONES static void affine_lines(const float *x, const float *scale, const float *shift, float *y, int64_t n,
                                       int64_t m)
{
    for (int64_t p = 0; p < n; p++) {
        for (int64_t i = 0; i < m; i++)
            y[p * m + i] = x[p * m + i] * scale[i] + shift[i];
    }
}

KERNEL_CLONES static void prelu_lines(const float *x, const float *slope, float *y, int64_t n, int64_t m)
{
    for (int64_t p = 0; p < n; p++) {
        for (int64_t i = 0; i < m; i++)
            y[p * m + i] = x[p * m + i] < 0.0f ? x[p * m + i] * slope[i] : x[p * m + i];
    }
}

void nhwc_combine(bool multiply, const struct nhwc_view *a, const struct nhwc_view *b,
                  const struct activation *activation, const struct nhwc_view *y)
{
    float line_a[TILE_FLOATS], line_b[TILE_FLOATS], line_y[TILE_FLOATS];
    bool one = b->pixels == 1 && a->pixels != 1;

    for (struct tile t = {0}; next_tile(a, &t);) {
        const struct tile t_b = {.pixel = one ? 0 : t.pixel, .n = one ? 1 : t.n, .channel = t.channel, .m = t.m};
        const float *x = load(a, &t, line_a), *z = load(b, &t_b, line_b);
        float *to = target(y, &t, line_y);

        if (one && multiply)
            scale_lines(x, z, to, t.n, t.m);
        else if (one)
            shift_lines(x, z, to, t.n, t.m);
        else if (multiply)
            multiply_lines(x, z, to, t.n * t.m);
        else
            add_lines(x, z, to, t.n * t.m);
        activation_apply(activation, to, (size_t)(t.n * t.m));
        store(y, &t, to);
    }
}

void nhwc_affine(const struct nhwc_view *x, const float *scale, const float *shift, const struct activation *activation,
                 const struct nhwc_view *y)
{
    float line_x[TILE_FLOATS], line_y[TILE_FLOATS];

    for (struct tile t = {0}; next_tile(x, &t);) {
        const float *from = load(x, &t, line_x);
        float *to = target(y, &t, line_y);

        if (scale && shift)
            affine_lines(from, scale + t.channel, shift + t.channel, to, t.n, t.m);
        else if (scale)
            scale_lines(from, scale + t.channel, to, t.n, t.m);
        else if (shift)
            shift_lines(from, shift + t.channel, to, t.n, t.m);
        else if (from != to)
            memcpy(to, from, (size_t)(t.n * t.m) * sizeof(float));
        activation_apply(activation, to, (size_t)(t.n * t.m));
        store(y, &t, to);
    }
}

void nhwc_prelu(const struct nhwc_view *x, const float *slope, const struct nhwc_view *y)
{
    float line_x[TILE_FLOATS], line_y[TILE_FLOATS];

    for (struct tile t = {0}; next_tile(x, &t);) {
        const float *from = load(x, &t, line_x);
        float *to = target(y, &t, line_y);

        prelu_lines(from, slope + t.channel, to, t.n, t.m);
        store(y, &t, to);
    }
}

/* A NaN stays one, as in the plain pool. */
KERNEL_CLONES static void max_line(const float *x, float *best, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        best[i] = x[i] > best[i] || x[i] != x[i] ? x[i] : best[i];
}

KERNEL_CLONES static void max_line_bf16(const uint16_t *x, float *best, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float v = widen(x[i]);

        best[i] = v > best[i] || v != v ? v : best[i];
    }
}

KERNEL_CLONES static void max_line_u8(const uint8_t *x, uint8_t *best, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        best[i] = x[i] > best[i] ? x[i] : best[i];
}

KERNEL_CLONES static void max_line_i8(const int8_t *x, int8_t *best, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        best[i] = x[i] > best[i] ? x[i] : best[i];
}

KERNEL_CLONES static void sum_line(const float *x, float *sum, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += x[i];
}

KERNEL_CLONES static void sum_line_bf16(const uint16_t *x, float *sum, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sum[i] += widen(x[i]);
}

KERNEL_CLONES static void divide_line(float *x, float by, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] /= by;
}

/* The taps of a window that are inside the image, for one output position in one dimension. */
struct taps {
    int64_t start, first, end;
};

static struct taps taps_of(const struct window *w, unsigned d, int64_t out)
{
    int64_t start = out * w->stride[d] - w->pad[d], step = w->dilation[d];
    struct taps t = {.start = start};

    t.first = start < 0 ? (-start + step - 1) / step : 0;
    t.end = w->in[d] <= start ? 0 : (w->in[d] - start + step - 1) / step;
    t.end = t.end > w->kernel[d] ? w->kernel[d] : t.end;
    t.first = t.first > t.end ? t.end : t.first;
    return t;
}

/* How many positions of the window count_padding counts: inside image and padding. */
static int64_t counted(const struct window *w, unsigned d, const struct taps *t)
{
    int64_t limit = w->in[d] + w->pad_end[d] - t->start, taps = (limit + w->dilation[d] - 1) / w->dilation[d];

    return taps < w->kernel[d] ? taps : w->kernel[d];
}

static void pool_tap(const struct nhwc_view *x, const void *from, bool max, void *line)
{
    if (x->integer == TENSOR_U8)
        max_line_u8(from, line, x->channels);
    else if (x->integer == TENSOR_I8)
        max_line_i8(from, line, x->channels);
    else if (max && x->bf16)
        max_line_bf16(from, line, x->channels);
    else if (max)
        max_line(from, line, x->channels);
    else if (x->bf16)
        sum_line_bf16(from, line, x->channels);
    else
        sum_line(from, line, x->channels);
}

static void pool_window(const struct window *w, const struct taps t[3], const struct nhwc_view *x, bool max, void *line)
{
    for (int64_t kd = t[0].first; kd < t[0].end; kd++) {
        for (int64_t kh = t[1].first; kh < t[1].end; kh++) {
            int64_t row = (t[0].start + kd * w->dilation[0]) * w->in[1] + t[1].start + kh * w->dilation[1];

            for (int64_t kw = t[2].first; kw < t[2].end; kw++)
                pool_tap(x, at(x, row * w->in[2] + t[2].start + kw * w->dilation[2], 0), max, line);
        }
    }
}

/* What a pool begins with. */
static void pool_begin(const struct nhwc_view *y, bool max, void *line)
{
    if (y->integer) {
        memset(line, y->integer == TENSOR_I8 ? -128 : 0, (size_t)y->channels);
        return;
    }
    for (int64_t i = 0; i < y->channels; i++)
        ((float *)line)[i] = max ? -INFINITY : 0.0f;
}

static void pool(const struct window *w, bool max, bool count_padding, const struct nhwc_view *x,
                 const struct nhwc_view *y, float *line)
{
    struct taps t[3];
    int64_t pixel = 0;

    for (int64_t od = 0; od < w->out[0]; od++) {
        t[0] = taps_of(w, 0, od);
        for (int64_t oh = 0; oh < w->out[1]; oh++) {
            t[1] = taps_of(w, 1, oh);
            for (int64_t ow = 0; ow < w->out[2]; ow++, pixel++) {
                void *to = y->bf16 ? line : at(y, pixel, 0);
                int64_t divisor = 1;

                t[2] = taps_of(w, 2, ow);
                pool_begin(y, max, to);
                pool_window(w, t, x, max, to);
                for (unsigned d = 0; d < 3; d++)
                    divisor *= count_padding ? counted(w, d, &t[d]) : t[d].end - t[d].first;
                if (!max && divisor > 0)
                    divide_line(to, (float)divisor, y->channels);
                if (y->bf16)
                    narrow_line(to, at(y, pixel, 0), y->channels);
            }
        }
    }
}

void nhwc_pool_max(const struct window *w, const struct nhwc_view *x, const struct nhwc_view *y, float *line)
{
    pool(w, true, false, x, y, line);
}

void nhwc_pool_average(const struct window *w, bool count_padding, const struct nhwc_view *x, const struct nhwc_view *y,
                       float *line)
{
    pool(w, false, count_padding, x, y, line);
}
