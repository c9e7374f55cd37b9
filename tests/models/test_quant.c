/* 8-bit convolutions and products beside sums written down here as ONNX defines them: every backend has to give the same
 * bytes. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/backend_onednn.h"
#include "models/tensor.h"
#include "tests/models/onnx_builder.h"

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* Often an extreme. */
static void draw_bytes(uint8_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t kind = draw(4);

        x[i] = (uint8_t)(kind == 0 ? 0 : kind == 1 ? 255 : draw(256));
    }
}

static int32_t byte_of(enum tensor_type t, uint8_t x)
{
    return t == TENSOR_I8 ? (int8_t)x : x;
}

static uint8_t requantise(int32_t sum, float factor, int32_t zero, enum tensor_type t)
{
    int32_t low = t == TENSOR_I8 ? -128 : 0;
    double v = (double)nearbyintf((float)sum * factor) + zero;

    return (uint8_t)(int32_t)(v < low ? low : v > low + 255 ? low + 255 : v);
}

static void *memory(size_t n)
{
    void *x = calloc(1, n + 1);

    cr_assert_not_null(x);
    return x;
}

struct conv_case {
    unsigned dims;
    int64_t batch, groups, in_channels, out_channels, in[3], out[3], kernel[3], stride[3], dilation[3], pad[3],
        pad_end[3];
    enum tensor_type x, w, y;
    bool linear, biased, by_channel;
    int32_t x_zero, y_zero;
    uint8_t *w_zero; /* one an output channel */
    uint8_t *weights, *image;
    int32_t *bias;
    float x_scale, y_scale, *w_scale;
};

static int64_t count3(const int64_t x[3])
{
    return x[0] * x[1] * x[2];
}

static void draw_window(struct conv_case *c)
{
    for (unsigned d = 0; d < 3; d++) {
        bool used = d >= 3 - c->dims;
        int64_t extent;

        c->kernel[d] = used ? 1 + draw(3) : 1;
        c->stride[d] = used ? 1 + draw(2) : 1;
        c->dilation[d] = used ? 1 + draw(2) : 1;
        extent = (c->kernel[d] - 1) * c->dilation[d] + 1;
        c->in[d] = used ? extent + draw(9) : 1;
        c->pad[d] = used ? draw((uint32_t)extent) : 0;
        c->pad_end[d] = used ? draw((uint32_t)extent) : 0;
        c->out[d] = (c->in[d] + c->pad[d] + c->pad_end[d] - extent) / c->stride[d] + 1;
    }
}

static void draw_case(struct conv_case *c, bool easy)
{
    static const int64_t groups[] = {1, 1, 2, 0};
    int64_t kind = groups[draw(4)], width = 1 + draw(20);
    size_t n;

    *c = (struct conv_case){.dims = easy ? 2 : 1 + draw(3), .batch = 1 + draw(3), .linear = draw(4) > 0};
    c->groups = kind ? kind : 1 + draw(40);
    c->in_channels = c->groups * (kind ? width : 1);
    c->out_channels = c->groups * (kind ? 1 + (int64_t)draw(30) : 1);
    draw_window(c);
    c->x = draw(3) ? TENSOR_U8 : TENSOR_I8;
    c->w = easy || draw(3) ? TENSOR_I8 : TENSOR_U8;
    c->y = draw(3) ? TENSOR_U8 : TENSOR_I8;
    c->biased = c->linear && draw(2);
    c->by_channel = draw(2);
    c->x_zero = draw(2) ? 0 : byte_of(c->x, (uint8_t)draw(256));
    c->y_zero = draw(2) ? 0 : byte_of(c->y, (uint8_t)draw(256));
    n = (size_t)(c->out_channels * c->in_channels / c->groups * count3(c->kernel));
    c->weights = memory(n);
    draw_bytes(c->weights, n);
    c->w_zero = memory((size_t)c->out_channels);
    c->bias = memory((size_t)c->out_channels * sizeof(*c->bias));
    c->w_scale = memory((size_t)c->out_channels * sizeof(*c->w_scale));
    for (int64_t i = 0; i < c->out_channels; i++) {
        c->w_zero[i] = (uint8_t)(c->w == TENSOR_U8 ? (draw(2) ? 128 : draw(256)) : easy ? 0 : draw(4) ? 0 : draw(256));
        c->bias[i] = (int32_t)draw(1 << 16) - (1 << 15);
        /* Powers of two, where halves fall between two bytes, and others. */
        c->w_scale[i] = draw(2) ? 0.0078125f : 0.001f + (float)draw(1000) * 1e-5f;
        if (!c->by_channel) {
            c->w_zero[i] = c->w_zero[0];
            c->w_scale[i] = c->w_scale[0];
        }
    }
    c->x_scale = draw(2) ? 0.5f : 0.37f;
    c->y_scale = draw(2) ? 4.0f : 3.3f;
    n = (size_t)(c->batch * c->in_channels * count3(c->in));
    c->image = memory(n);
    draw_bytes(c->image, n);
}

static void clear_case(struct conv_case *c)
{
    free(c->weights);
    free(c->w_zero);
    free(c->bias);
    free(c->w_scale);
    free(c->image);
}

static int32_t plain_sum(const struct conv_case *c, int64_t image, int64_t channel, const int64_t o[3])
{
    int64_t width = c->in_channels / c->groups, first = channel / (c->out_channels / c->groups) * width;
    uint32_t sum = c->biased ? (uint32_t)c->bias[channel] : 0;

    for (int64_t i = 0; i < width; i++) {
        const uint8_t *plane = c->image + ((image * c->in_channels) + first + i) * count3(c->in);

        for (int64_t t = 0; t < count3(c->kernel); t++) {
            const int64_t k[3] = {t / (c->kernel[1] * c->kernel[2]), t / c->kernel[2] % c->kernel[1], t % c->kernel[2]};
            int64_t at[3];
            bool inside = true;

            for (unsigned d = 0; d < 3; d++) {
                at[d] = o[d] * c->stride[d] + k[d] * c->dilation[d] - c->pad[d];
                inside = inside && at[d] >= 0 && at[d] < c->in[d];
            }
            if (!inside)
                continue;
            sum += (uint32_t)((byte_of(c->x, plane[(at[0] * c->in[1] + at[1]) * c->in[2] + at[2]]) - c->x_zero) *
                              (byte_of(c->w, c->weights[(channel * width + i) * count3(c->kernel) + t]) -
                               byte_of(c->w, c->w_zero[channel])));
        }
    }
    return (int32_t)sum;
}

static void check_output(const struct conv_case *c, const void *y, const char *backend, unsigned number)
{
    int64_t n = count3(c->out);

    for (int64_t i = 0; i < c->batch * c->out_channels * n; i++) {
        const int64_t o[3] = {i % n / (c->out[1] * c->out[2]), i % n / c->out[2] % c->out[1], i % c->out[2]};
        int64_t channel = i / n % c->out_channels;
        int32_t sum = plain_sum(c, i / n / c->out_channels, channel, o);

        if (c->linear)
            cr_assert_eq(((const uint8_t *)y)[i],
                         requantise(sum, c->x_scale * c->w_scale[channel] / c->y_scale, c->y_zero, c->y),
                         "case %u, %s: element %lld", number, backend, (long long)i);
        else
            cr_assert_eq(((const int32_t *)y)[i], sum, "case %u, %s: element %lld", number, backend, (long long)i);
    }
}

/* Shapes with and without their three leading ones. */
static void used(const struct conv_case *c, const int64_t from[3], int64_t *to)
{
    for (unsigned d = 0; d < c->dims; d++)
        to[d] = from[3 - c->dims + d];
}

static struct network *network_of(const struct conv_case *c)
{
    struct onnx_builder b = {0};
    int64_t x[5] = {-1, c->in_channels}, w[5] = {c->out_channels, c->in_channels / c->groups}, list[6];
    int64_t n = c->by_channel ? c->out_channels : 1;
    uint8_t x_zero = (uint8_t)c->x_zero, y_zero = (uint8_t)c->y_zero;

    used(c, c->in, x + 2);
    used(c, c->kernel, w + 2);
    onnx_input_of(&b, "x", c->x, c->dims + 2, x);
    onnx_constant_of(&b, "xz", c->x, 0, NULL, &x_zero);
    onnx_constant_of(&b, "w", c->w, c->dims + 2, w, c->weights);
    onnx_constant_of(&b, "wz", c->w, c->by_channel ? 1 : 0, &n, c->w_zero);
    if (c->linear) {
        onnx_constant(&b, "xs", 0, NULL, &c->x_scale);
        onnx_constant(&b, "ws", c->by_channel ? 1 : 0, &n, c->w_scale);
        onnx_constant(&b, "ys", 0, NULL, &c->y_scale);
        onnx_constant_of(&b, "yz", c->y, 0, NULL, &y_zero);
        if (c->biased)
            onnx_constant_of(&b, "b", TENSOR_I32, 1, &c->out_channels, c->bias);
        onnx_node(&b, "QLinearConv", c->biased ? "x xs xz w ws wz ys yz b" : "x xs xz w ws wz ys yz", "y");
    } else {
        onnx_node(&b, "ConvInteger", "x w xz wz", "y");
    }
    onnx_int(&b, "group", c->groups);
    used(c, c->stride, list);
    onnx_ints(&b, "strides", c->dims, list);
    used(c, c->dilation, list);
    onnx_ints(&b, "dilations", c->dims, list);
    used(c, c->pad, list);
    used(c, c->pad_end, list + c->dims);
    onnx_ints(&b, "pads", 2 * c->dims, list);
    onnx_node_end(&b);
    onnx_output(&b, "y");
    return onnx_network(&b);
}

static bool is_described(const struct session *s, const char *text)
{
    char *description = NULL;
    size_t n;
    FILE *f = open_memstream(&description, &n);
    bool found;

    cr_assert_not_null(f);
    session_describe(s, f);
    fclose(f);
    found = strstr(description, text) != NULL;
    free(description);
    return found;
}

static struct session *open_session(const struct network *n, enum network_backend backend, int64_t batch)
{
    struct tensor_shape shape = network_input(n, 0)->shape;
    const struct session_settings settings = {.backend = backend, .input_shapes = &shape};
    struct session *s = NULL;
    struct error e = {0};

    shape.dims[0] = batch;
    cr_assert_eq(session_open(n, &settings, &s, &e), STATUS_OK, "%s", e.text);
    return s;
}

static void run_on(struct session *s, const void *x, size_t bytes)
{
    struct error e = {0};

    memcpy(session_input(s, 0), x, bytes);
    cr_assert_eq(session_run(s, &e), STATUS_OK, "%s", e.text);
}

/* Returns how many cases went to oneDNN. */
static unsigned try_cases(unsigned n, bool easy)
{
    static const enum network_backend backends[] = {NETWORK_BACKEND_NATIVE, NETWORK_BACKEND_OPENBLAS,
                                                    NETWORK_BACKEND_ONEDNN};
    unsigned taken = 0;

    for (unsigned i = 0; i < n; i++) {
        struct conv_case c;
        struct network *network;

        draw_case(&c, easy);
        network = network_of(&c);
        for (size_t k = 0; k < 3; k++) {
            struct session *s = open_session(network, backends[k], c.batch);

            run_on(s, c.image, (size_t)(c.batch * c.in_channels * count3(c.in)));
            check_output(&c, session_output(s, 0), network_backend_name(backends[k]), i);
            if (backends[k] == NETWORK_BACKEND_ONEDNN)
                taken += is_described(s, "8-bit convolution");
            else
                cr_assert_not(is_described(s, "8-bit convolution"));
            session_close(&s);
        }
        network_close(&network);
        clear_case(&c);
    }
    return taken;
}

Test(quant, random_convolutions_are_exact_on_every_backend)
{
    seed = 1;
    (void)try_cases(150, false);
}

Test(quant, convolutions_with_signed_weights_go_to_onednn)
{
    seed = 2;
    if (!onednn_has_exact_bytes())
        cr_skip_test("this processor has no instructions for exact sums of bytes");
    cr_assert_geq(try_cases(100, true), 85);
}

struct product_case {
    int64_t heads, m, k, n;
    bool shared, linear, constant, a_rows, b_columns; /* shared: one B for all heads */
    enum tensor_type a, b, y;
    uint8_t *x, *w, *a_zero, *b_zero, y_zero;
    float *a_scale, *b_scale, y_scale;
};

static void draw_product(struct product_case *c)
{
    *c = (struct product_case){.heads = 1 + draw(3), .m = 1 + draw(20), .k = 1 + draw(90), .n = 1 + draw(70)};
    c->shared = draw(2);
    c->linear = draw(2);
    c->constant = draw(2);
    c->a_rows = draw(4) == 0 && c->m > 1;
    c->b_columns = draw(2) && c->n > 1;
    c->a = draw(2) ? TENSOR_U8 : TENSOR_I8;
    c->b = draw(2) ? TENSOR_U8 : TENSOR_I8;
    c->y = draw(2) ? TENSOR_U8 : TENSOR_I8;
    c->x = memory((size_t)(c->heads * c->m * c->k));
    draw_bytes(c->x, (size_t)(c->heads * c->m * c->k));
    c->w = memory((size_t)(c->heads * c->k * c->n));
    draw_bytes(c->w, (size_t)(c->heads * c->k * c->n));
    c->a_zero = memory((size_t)c->m);
    c->b_zero = memory((size_t)c->n);
    c->a_scale = memory((size_t)c->m * sizeof(float));
    c->b_scale = memory((size_t)c->n * sizeof(float));
    if (draw(2))
        draw_bytes(c->a_zero, (size_t)c->m);
    if (draw(2))
        draw_bytes(c->b_zero, (size_t)c->n);
    for (int64_t i = 0; i < c->m; i++)
        c->a_scale[i] = draw(2) ? 0.25f : 0.1f + (float)draw(100) * 0.01f;
    for (int64_t i = 0; i < c->n; i++)
        c->b_scale[i] = draw(2) ? 0.0078125f : 0.001f + (float)draw(100) * 0.0001f;
    c->y_zero = (uint8_t)(draw(2) ? 0 : draw(256));
    c->y_scale = draw(2) ? 16.0f : 9.7f;
}

static void clear_product(struct product_case *c)
{
    free(c->x);
    free(c->w);
    free(c->a_zero);
    free(c->b_zero);
    free(c->a_scale);
    free(c->b_scale);
}

static struct network *network_of_product(const struct product_case *c)
{
    struct onnx_builder b = {0};
    const int64_t x[3] = {c->heads, c->m, c->k}, w[3] = {c->heads, c->k, c->n};
    unsigned rank = c->shared ? 2 : 3;

    onnx_input_of(&b, "x", c->a, 3, x);
    if (c->constant)
        onnx_constant_of(&b, "w", c->b, rank, w + 3 - rank, c->w);
    else
        onnx_input_of(&b, "w", c->b, rank, w + 3 - rank);
    onnx_constant_of(&b, "xz", c->a, c->a_rows ? 1 : 0, &c->m, c->a_zero);
    onnx_constant_of(&b, "wz", c->b, c->b_columns ? 1 : 0, &c->n, c->b_zero);
    if (c->linear) {
        onnx_constant(&b, "xs", c->a_rows ? 1 : 0, &c->m, c->a_scale);
        onnx_constant(&b, "ws", c->b_columns ? 1 : 0, &c->n, c->b_scale);
        onnx_constant(&b, "ys", 0, NULL, &c->y_scale);
        onnx_constant_of(&b, "yz", c->y, 0, NULL, &c->y_zero);
    }
    onnx_node(&b, c->linear ? "QLinearMatMul" : "MatMulInteger", c->linear ? "x xs xz w ws wz ys yz" : "x w xz wz",
              "y");
    onnx_node_end(&b);
    onnx_output(&b, "y");
    return onnx_network(&b);
}

static void check_product(const struct product_case *c, const void *y, const char *backend, unsigned number)
{
    for (int64_t i = 0; i < c->heads * c->m * c->n; i++) {
        int64_t column = i % c->n, row = i / c->n % c->m, head = i / c->n / c->m;
        const uint8_t *a = c->x + i / c->n * c->k, *b = c->w + (c->shared ? 0 : head * c->k * c->n) + column;
        int64_t a_at = c->a_rows ? row : 0, b_at = c->b_columns ? column : 0;
        int32_t sum = 0;

        for (int64_t k = 0; k < c->k; k++)
            sum += (byte_of(c->a, a[k]) - byte_of(c->a, c->a_zero[a_at])) *
                   (byte_of(c->b, b[k * c->n]) - byte_of(c->b, c->b_zero[b_at]));
        if (c->linear)
            cr_assert_eq(
                ((const uint8_t *)y)[i],
                requantise(sum, c->a_scale[a_at] * c->b_scale[b_at] / c->y_scale, byte_of(c->y, c->y_zero), c->y),
                "case %u, %s: element %lld", number, backend, (long long)i);
        else
            cr_assert_eq(((const int32_t *)y)[i], sum, "case %u, %s: element %lld", number, backend, (long long)i);
    }
}

Test(quant, random_products_are_exact_on_every_backend)
{
    static const enum network_backend backends[] = {NETWORK_BACKEND_NATIVE, NETWORK_BACKEND_ONEDNN};
    unsigned taken = 0;

    seed = 3;
    for (unsigned i = 0; i < 200; i++) {
        struct product_case c;
        struct network *n;

        draw_product(&c);
        n = network_of_product(&c);
        for (size_t k = 0; k < 2; k++) {
            struct session_settings settings = {.backend = backends[k]};
            struct session *s = NULL;
            struct error e = {0};

            cr_assert_eq(session_open(n, &settings, &s, &e), STATUS_OK, "%s", e.text);
            if (!c.constant)
                memcpy(session_input(s, 1), c.w, (size_t)((c.shared ? 1 : c.heads) * c.k * c.n));
            run_on(s, c.x, (size_t)(c.heads * c.m * c.k));
            check_product(&c, session_output(s, 0), network_backend_name(backends[k]), i);
            taken += !is_described(s, "plain");
            session_close(&s);
        }
        network_close(&n);
        clear_product(&c);
    }
    if (onednn_has_exact_bytes())
        cr_assert_geq(taken, 190);
}

/* Its second and third output may be left out; then they are not written either. */
Test(quant, a_dynamic_scale_that_nobody_asks_for_is_not_given)
{
    static const int64_t dims[] = {2};
    struct onnx_builder b = {0};
    struct network *network;
    struct session *s = NULL;
    struct error e = {0};
    const uint8_t *z;
    float *x;

    onnx_input(&b, "x", 1, dims);
    onnx_node(&b, "DynamicQuantizeLinear", "x", "z");
    onnx_node_end(&b);
    onnx_output(&b, "z");
    network = onnx_network(&b);
    cr_assert_eq(session_open(network, NULL, &s, &e), STATUS_OK, "%s", e.text);
    x = session_input(s, 0);
    x[0] = 0;
    x[1] = 255;
    cr_assert_eq(session_run(s, &e), STATUS_OK, "%s", e.text);
    z = session_output(s, 0);
    cr_assert_eq(z[0], 0);
    cr_assert_eq(z[1], 255);
    session_close(&s);
    network_close(&network);
}
