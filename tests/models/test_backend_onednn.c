/* The oneDNN backend beside the OpenBLAS one, which is the reference (its own tests hold it to PyTorch and to ONNX's
 * cases). */
#include <criterion/criterion.h>
#include <math.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/backend_onednn.h"
#include "tests/models/onnx_builder.h"

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static float noise(void)
{
    return (float)draw(1 << 16) / 32768.0f - 1.0f;
}

static float *noises(size_t n)
{
    float *x = malloc((n + 1) * sizeof(*x));

    cr_assert_not_null(x);
    for (size_t i = 0; i < n; i++)
        x[i] = noise();
    return x;
}

/* A constant of noise, scaled. */
static void weights(struct onnx_builder *b, const char *name, unsigned rank, const int64_t *dims, float scale,
                    float shift)
{
    size_t n = 1;
    float *values;

    for (unsigned d = 0; d < rank; d++)
        n *= (size_t)dims[d];
    values = noises(n);
    for (size_t i = 0; i < n; i++)
        values[i] = values[i] * scale + shift;
    onnx_constant(b, name, rank, dims, values);
    free(values);
}

static void node(struct onnx_builder *b, const char *op, const char *in, const char *out)
{
    onnx_node(b, op, in, out);
    onnx_node_end(b);
}

/* A convolution of kernel x kernel over images, with padding that keeps the size. */
static void conv(struct onnx_builder *b, const char *in, const char *out, int64_t channels_in, int64_t channels,
                 int64_t kernel, int64_t groups)
{
    const int64_t dims[4] = {channels, channels_in / groups, kernel, kernel}, half = kernel / 2,
                  pads[4] = {half, half, half, half};
    char w[32], names[64];

    snprintf(w, sizeof(w), "w_%s", out);
    snprintf(names, sizeof(names), "%s %s", in, w);
    weights(b, w, 4, dims, sqrtf(3.0f / (float)(channels_in / groups * kernel * kernel)), 0.0f);
    onnx_node(b, "Conv", names, out);
    onnx_int(b, "group", groups);
    onnx_ints(b, "pads", 4, pads);
    onnx_node_end(b);
}

static struct session *open_session(const struct network *n, enum network_backend backend,
                                    enum network_precision precision, int64_t batch)
{
    struct tensor_shape shape = network_input(n, 0)->shape;
    const struct session_settings settings = {.backend = backend, .precision = precision, .input_shapes = &shape};
    struct session *s = NULL;
    struct error e = {0};

    shape.dims[0] = batch;
    cr_assert_eq(session_open(n, &settings, &s, &e), STATUS_OK, "%s", e.text);
    return s;
}

static size_t count_in(const struct session *s)
{
    struct tensor_shape shape;

    session_input_shape(s, 0, &shape);
    return (size_t)tensor_shape_count(&shape);
}

static size_t count_out(const struct session *s, size_t index)
{
    struct tensor_shape shape;

    session_output_shape(s, index, &shape);
    return (size_t)tensor_shape_count(&shape);
}

static void run_on(struct session *s, const float *x)
{
    struct error e = {0};

    memcpy(session_input(s, 0), x, count_in(s) * sizeof(*x));
    cr_assert_eq(session_run(s, &e), STATUS_OK, "%s", e.text);
}

/* f32: every value near the reference's; bf16: the error of the whole, and that no value stands out. */
static void compare(const char *what, const float *x, const float *y, size_t n, enum network_precision precision)
{
    double most = 0, squares = 0, errors = 0, worst = 0;

    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)x[i] - (double)y[i]);

        cr_assert(!isnan(x[i]) && !isnan(y[i]), "%s: not a number at %zu", what, i);
        most = fmax(most, fabs((double)y[i]));
        worst = fmax(worst, d);
        squares += (double)y[i] * (double)y[i];
        errors += d * d;
    }
    if (precision == NETWORK_PRECISION_F32) {
        cr_assert_leq(worst, 3e-5 * (1 + most), "%s: off by %g, values up to %g", what, worst, most);
    } else {
        cr_assert_leq(sqrt(errors), 0.012 * sqrt(squares) + 1e-3, "%s: bf16 off by %g of %g", what, sqrt(errors),
                      sqrt(squares));
        cr_assert_leq(worst, 0.05 * (most + 0.1), "%s: bf16 off by %g, values up to %g", what, worst, most);
    }
}

static bool takes_bf16(void)
{
    return onednn_is_fast() && onednn_has_bf16();
}

/* Every output, in both precisions, against OpenBLAS. Closes the network. */
static void check_network(const char *what, struct network *n, int64_t batch)
{
    struct session *reference = open_session(n, NETWORK_BACKEND_OPENBLAS, NETWORK_PRECISION_F32, batch);
    float *x = noises(count_in(reference));

    run_on(reference, x);
    for (enum network_precision p = NETWORK_PRECISION_F32; p <= NETWORK_PRECISION_BF16; p++) {
        struct session *s;

        if (p == NETWORK_PRECISION_BF16 && !takes_bf16())
            continue;
        s = open_session(n, NETWORK_BACKEND_ONEDNN, p, batch);
        /* Twice: a run leaves nothing behind that the next one sees. */
        for (unsigned i = 0; i < 2; i++) {
            run_on(s, x);
            for (size_t k = 0; k < network_output_count(n); k++)
                compare(what, session_output(s, k), session_output(reference, k), count_out(s, k), p);
        }
        session_close(&s);
    }
    session_close(&reference);
    free(x);
    network_close(&n);
}

static const char *describe(const struct network *n)
{
    static char text[4096];
    struct session *s = open_session(n, NETWORK_BACKEND_ONEDNN, NETWORK_PRECISION_F32, 2);
    FILE *out = fmemopen(text, sizeof(text), "w");

    cr_assert_not_null(out);
    session_describe(s, out);
    fclose(out);
    session_close(&s);
    return text;
}

static const char *const activations[] = {"",     "Relu",        "LeakyRelu", "Sigmoid",
                                          "Tanh", "HardSigmoid", "HardSwish", "Clip"};

static void add_activation(struct onnx_builder *b, unsigned which, const char *in, const char *out)
{
    char names[64];

    snprintf(names, sizeof(names), "%s%s", in, strcmp(activations[which], "Clip") == 0 ? " low high" : "");
    onnx_node(b, activations[which], names, out);
    if (strcmp(activations[which], "LeakyRelu") == 0)
        onnx_float(b, "alpha", 0.2f);
    onnx_node_end(b);
}

/* One convolution of random geometry: 1 to 3 dimensions, odd channels, groups, strides, dilation, uneven padding. */
static struct network *random_conv(char *what, size_t room, int64_t batch)
{
    static const int64_t counts[] = {1, 3, 5, 8, 16, 17, 24, 33, 48, 64};
    static const float low = -0.3f, high = 0.7f;
    struct onnx_builder b = {0};
    unsigned dims = 1 + draw(3), act = draw(sizeof(activations) / sizeof(activations[0]));
    int64_t in = counts[draw(10)], out = counts[draw(10)], groups = 1, taps = 1;
    int64_t x[5] = {batch}, w[5], strides[3], dilations[3], pads[6];
    bool bias = draw(2) == 0;

    switch (draw(4)) {
    case 0: /* depthwise */
        groups = in;
        out = in;
        break;
    case 1: /* depthwise with several filters a channel, or groups of several channels */
        groups = in;
        in *= 1 + draw(2);
        out = groups * (1 + draw(3));
        break;
    default:
        break;
    }
    x[1] = in;
    w[0] = out;
    w[1] = in / groups;
    for (unsigned d = 0; d < dims; d++) {
        w[2 + d] = 1 + draw(dims == 3 ? 3 : 5);
        strides[d] = 1 + draw(3);
        dilations[d] = 1 + draw(2);
        pads[d] = draw(3);
        pads[dims + d] = draw(3);
        x[2 + d] = (w[2 + d] - 1) * dilations[d] + 1 + draw(dims == 3 ? 6 : 20);
        taps *= w[2 + d];
    }
    onnx_input(&b, "x", dims + 2, x);
    weights(&b, "w", dims + 2, w, sqrtf(3.0f / (float)(w[1] * taps)), 0.0f);
    if (bias)
        weights(&b, "b", 1, &out, 0.5f, 0.0f);
    onnx_constant(&b, "low", 0, NULL, &low);
    onnx_constant(&b, "high", 0, NULL, &high);
    onnx_node(&b, "Conv", bias ? "x w b" : "x w", act == 0 ? "y" : "c");
    onnx_int(&b, "group", groups);
    onnx_ints(&b, "strides", dims, strides);
    onnx_ints(&b, "dilations", dims, dilations);
    onnx_ints(&b, "pads", (size_t)dims * 2, pads);
    onnx_node_end(&b);
    if (act > 0)
        add_activation(&b, act, "c", "y");
    onnx_output(&b, "y");
    snprintf(what, room, "%u-d, %lld -> %lld in %lld groups, kernel %lld, stride %lld, dilation %lld, pad %lld, %s",
             dims, (long long)in, (long long)out, (long long)groups, (long long)w[2], (long long)strides[0],
             (long long)dilations[0], (long long)pads[0], activations[act]);
    return onnx_network(&b);
}

Test(onednn, convolutions_are_the_references)
{
    seed = 5;
    for (unsigned i = 0; i < 150; i++) {
        int64_t batch = 1 + draw(3);
        char what[256];
        struct network *n = random_conv(what, sizeof(what), batch);

        check_network(what, n, batch);
    }
}

/* 3 x 3 convolutions that go by tiles: sizes that tiles do not divide, a sum, an activation after it. */
static struct network *tiled(int64_t channels_in, int64_t channels, int64_t height, int64_t width, bool adds)
{
    const int64_t shape[4] = {-1, channels_in, height, width};
    struct onnx_builder b = {0};

    onnx_input(&b, "x", 4, shape);
    if (adds) {
        conv(&b, "x", "o", channels_in, channels, 1, 1);
        conv(&b, "x", "t", channels_in, channels, 3, 1);
        node(&b, "Add", "o t", "s");
        node(&b, "HardSwish", "s", "y");
    } else {
        conv(&b, "x", "t", channels_in, channels, 3, 1);
        node(&b, "LeakyRelu", "t", "y");
    }
    onnx_output(&b, "y");
    return onnx_network(&b);
}

Test(onednn, tiled_convolutions_are_the_references)
{
    static const int64_t sizes[][4] = {{32, 32, 16, 16}, {48, 32, 17, 19}, {64, 96, 13, 30}, {32, 64, 30, 41}};

    if (!onednn_is_fast())
        cr_skip_test("no AVX2");
    seed = 29;
    for (unsigned i = 0; i < 8; i++) {
        const int64_t *size = sizes[i / 2];
        struct network *n = tiled(size[0], size[1], size[2], size[3], i % 2 == 1);
        char what[64];

        cr_assert_not_null(strstr(describe(n), "winograd"), "%s", describe(n));
        snprintf(what, sizeof(what), "tiled %u", i);
        check_network(what, n, 3);
    }
}

static const int64_t image[4] = {-1, 3, 21, 18};

/* Two branches that are summed; which: the order of branches, what reads them besides, and an identity. */
static struct network *residual(unsigned which)
{
    struct onnx_builder b = {0};

    onnx_input(&b, "x", 4, image);
    conv(&b, "x", "s", 3, 20, 3, 1);
    node(&b, "Relu", "s", "r");
    conv(&b, "r", "a0", 20, 20, 1, 1);
    conv(&b, "a0", "a", 20, 20, 3, 1);
    switch (which) {
    case 0: /* identity */
        node(&b, "Add", "a r", "sum");
        break;
    case 1: /* a projection made after the branch */
        conv(&b, "r", "p", 20, 20, 1, 1);
        node(&b, "Add", "a p", "sum");
        break;
    case 2: /* the identity is read again later: no memory to add onto */
        node(&b, "Add", "r a", "sum0");
        conv(&b, "r", "q", 20, 20, 1, 1);
        node(&b, "Add", "sum0 q", "sum");
        break;
    case 3: /* a branch that is an output as well */
        onnx_output(&b, "r");
        onnx_output(&b, "a");
        node(&b, "Add", "a r", "sum");
        break;
    case 4: /* a convolution cannot add onto its own input */
        conv(&b, "r", "q", 20, 20, 3, 1);
        node(&b, "Add", "q r", "sum");
        break;
    default: /* the same value twice */
        node(&b, "Add", "a a", "sum");
        break;
    }
    node(&b, "Relu", "sum", "y");
    onnx_output(&b, "y");
    return onnx_network(&b);
}

Test(onednn, sums_of_branches_are_the_references)
{
    seed = 7;
    for (unsigned which = 0; which < 6; which++) {
        char what[32];

        snprintf(what, sizeof(what), "sum %u", which);
        check_network(what, residual(which), 3);
    }
}

Test(onednn, a_residual_sum_and_its_activation_are_part_of_the_convolution)
{
    struct network *n = residual(0);

    if (!onednn_is_fast())
        cr_skip_test("no AVX2");
    cr_assert_not_null(strstr(describe(n), "convolution + sum + relu"), "%s", describe(n));
    network_close(&n);
}

/* Depthwise, squeeze and excitation, pools, norms that fold nowhere, arithmetic with constants, prelu. */
static struct network *mixed(void)
{
    static const int64_t one[3] = {40, 1, 1}, channels = 40;
    static const float half = 0.5f;
    struct onnx_builder b = {0};

    onnx_input(&b, "x", 4, image);
    conv(&b, "x", "c", 3, 40, 1, 1);
    node(&b, "Sigmoid", "c", "cs");
    node(&b, "Mul", "c cs", "e");
    conv(&b, "e", "d", 40, 40, 3, 40);
    node(&b, "HardSwish", "d", "ds");
    node(&b, "GlobalAveragePool", "ds", "g");
    conv(&b, "g", "g1", 40, 10, 1, 1);
    node(&b, "Relu", "g1", "g2");
    conv(&b, "g2", "g3", 10, 40, 1, 1);
    node(&b, "Sigmoid", "g3", "g4");
    node(&b, "Mul", "ds g4", "m");
    weights(&b, "scale", 3, one, 0.5f, 1.0f);
    node(&b, "Mul", "m scale", "m1");
    weights(&b, "shift", 3, one, 0.5f, 0.0f);
    node(&b, "Sub", "m1 shift", "m2");
    onnx_constant(&b, "half", 0, NULL, &half);
    node(&b, "Div", "m2 half", "m3");
    weights(&b, "slope", 3, one, 0.5f, 0.0f);
    node(&b, "PRelu", "m3 slope", "m4");
    onnx_node(&b, "MaxPool", "m4", "p");
    onnx_ints(&b, "kernel_shape", 2, (const int64_t[]){3, 2});
    onnx_ints(&b, "strides", 2, (const int64_t[]){2, 1});
    onnx_ints(&b, "pads", 4, (const int64_t[]){1, 0, 1, 1});
    onnx_int(&b, "ceil_mode", 1);
    onnx_node_end(&b);
    weights(&b, "bn_scale", 1, &channels, 0.5f, 1.0f);
    weights(&b, "bn_shift", 1, &channels, 0.5f, 0.0f);
    weights(&b, "bn_mean", 1, &channels, 0.5f, 0.0f);
    weights(&b, "bn_var", 1, &channels, 0.3f, 1.0f);
    node(&b, "BatchNormalization", "p bn_scale bn_shift bn_mean bn_var", "n");
    node(&b, "Relu", "n", "nr");
    onnx_node(&b, "AveragePool", "nr", "q");
    onnx_ints(&b, "kernel_shape", 2, (const int64_t[]){2, 3});
    onnx_ints(&b, "strides", 2, (const int64_t[]){2, 2});
    onnx_ints(&b, "pads", 4, (const int64_t[]){1, 1, 0, 1});
    onnx_node_end(&b);
    node(&b, "GlobalMaxPool", "q", "y0");
    onnx_node(&b, "ReduceMean", "q", "y1");
    onnx_ints(&b, "axes", 2, (const int64_t[]){2, 3});
    onnx_int(&b, "keepdims", 0);
    onnx_node_end(&b);
    onnx_output(&b, "y0");
    onnx_output(&b, "y1");
    onnx_output(&b, "q");
    return onnx_network(&b);
}

Test(onednn, what_lies_between_convolutions_is_the_references)
{
    seed = 11;
    check_network("mixed", mixed(), 2);
}

/* DenseNet's growing concatenations, an inception block, and a tail that is not images. */
static struct network *concatenations(void)
{
    static const int64_t grown[3] = {16, 24, 32}, flat[2] = {16, 5};
    struct onnx_builder b = {0};

    onnx_input(&b, "x", 4, image);
    conv(&b, "x", "f0", 3, 16, 3, 1);
    for (unsigned i = 0; i < 3; i++) {
        char from[32], norm[32], act[32], grow[32], all[64], to[32], names[128];
        static const char *const parts[] = {"", "_scale", "_shift", "_mean", "_var"};
        size_t at;

        snprintf(from, sizeof(from), "%s%u", i == 0 ? "f" : "k", i);
        snprintf(norm, sizeof(norm), "n%u", i);
        snprintf(act, sizeof(act), "r%u", i);
        snprintf(grow, sizeof(grow), "f%u", i + 1);
        snprintf(to, sizeof(to), "k%u", i + 1);
        at = (size_t)snprintf(names, sizeof(names), "%s", from);
        for (unsigned k = 1; k < 5; k++) {
            char name[48];

            snprintf(name, sizeof(name), "%s%s", norm, parts[k]);
            weights(&b, name, 1, &grown[i], 0.3f, k == 1 || k == 4 ? 1.0f : 0.0f);
            at += (size_t)snprintf(names + at, sizeof(names) - at, " %s", name);
        }
        node(&b, "BatchNormalization", names, norm);
        node(&b, "Relu", norm, act);
        conv(&b, act, grow, grown[i], 8, 3, 1);
        snprintf(all, sizeof(all), "f0 f1%s%s", i > 0 ? " f2" : "", i > 1 ? " f3" : "");
        onnx_node(&b, "Concat", all, to);
        onnx_int(&b, "axis", 1);
        onnx_node_end(&b);
    }
    conv(&b, "k3", "a", 40, 7, 1, 1);
    conv(&b, "k3", "c", 40, 5, 3, 1);
    onnx_node(&b, "MaxPool", "k3", "p");
    onnx_ints(&b, "kernel_shape", 2, (const int64_t[]){3, 3});
    onnx_ints(&b, "pads", 4, (const int64_t[]){1, 1, 1, 1});
    onnx_node_end(&b);
    onnx_node(&b, "Concat", "c p a p", "i");
    onnx_int(&b, "axis", 1);
    onnx_node_end(&b);
    conv(&b, "i", "j", 92, 16, 1, 1);
    onnx_output(&b, "k2");
    node(&b, "GlobalAveragePool", "j", "g");
    onnx_node(&b, "Flatten", "g", "v");
    onnx_node_end(&b);
    weights(&b, "fc", 2, flat, 0.5f, 0.0f);
    node(&b, "MatMul", "v fc", "y");
    onnx_output(&b, "y");
    onnx_output(&b, "i");
    return onnx_network(&b);
}

Test(onednn, concatenations_are_the_references)
{
    seed = 13;
    check_network("concatenations", concatenations(), 2);
}

/* A step in the middle that only the plain operators know, and images that cross it. */
static struct network *interrupted(void)
{
    struct onnx_builder b = {0};

    onnx_input(&b, "x", 4, image);
    conv(&b, "x", "a", 3, 12, 3, 1);
    onnx_node(&b, "Transpose", "a", "t");
    onnx_ints(&b, "perm", 4, (const int64_t[]){0, 1, 3, 2});
    onnx_node_end(&b);
    conv(&b, "t", "u", 12, 12, 3, 1);
    onnx_node(&b, "Transpose", "u", "v");
    onnx_ints(&b, "perm", 4, (const int64_t[]){0, 1, 3, 2});
    onnx_node_end(&b);
    node(&b, "Add", "a v", "s");
    conv(&b, "s", "y", 12, 70, 3, 1);
    onnx_output(&b, "y");
    return onnx_network(&b);
}

Test(onednn, steps_that_stay_plain_find_their_inputs_and_give_theirs)
{
    seed = 17;
    check_network("interrupted", interrupted(), 5);
}

/* Row r of a batch is a fixed picture, whatever stands beside it and wherever it stands: the same bits. */
static void check_rows(const char *what, struct network *n, enum network_precision precision)
{
    struct session *alone = open_session(n, NETWORK_BACKEND_ONEDNN, precision, 1);
    size_t in = count_in(alone), out = count_out(alone, 0);
    float *picture = noises(in), *expected = malloc(out * sizeof(float));

    cr_assert_not_null(expected);
    run_on(alone, picture);
    memcpy(expected, session_output(alone, 0), out * sizeof(float));
    for (int64_t batch = 1; batch <= 17; batch++) {
        struct session *s = open_session(n, NETWORK_BACKEND_ONEDNN, precision, batch);

        for (int64_t at = 0; at < batch; at += batch < 17 ? batch / 2 + 1 : 1) {
            float *x = noises(in * (size_t)batch);

            memcpy(x + (size_t)at * in, picture, in * sizeof(float));
            run_on(s, x);
            cr_assert_eq(memcmp((const float *)session_output(s, 0) + (size_t)at * out, expected, out * sizeof(float)),
                         0, "%s: row %lld of %lld differs", what, (long long)at, (long long)batch);
            free(x);
        }
        session_close(&s);
    }
    session_close(&alone);
    free(picture);
    free(expected);
}

static void check_rows_of_all(enum network_precision precision)
{
    struct network *networks[] = {residual(1), mixed(), concatenations(), interrupted(), tiled(32, 48, 17, 18, true)};
    static const char *const names[] = {"residual", "mixed", "concatenations and product", "interrupted", "tiled"};

    for (unsigned i = 0; i < 5; i++) {
        check_rows(names[i], networks[i], precision);
        network_close(&networks[i]);
    }
}

Test(onednn, a_row_does_not_depend_on_its_batch)
{
    seed = 19;
    check_rows_of_all(NETWORK_PRECISION_F32);
}

Test(onednn, a_row_does_not_depend_on_its_batch_in_bf16)
{
    if (!takes_bf16())
        cr_skip_test("no AVX512-BF16");
    seed = 19;
    check_rows_of_all(NETWORK_PRECISION_BF16);
}

Test(onednn, two_sessions_do_not_disturb_each_other)
{
    struct network *n = concatenations();
    struct session *a = open_session(n, NETWORK_BACKEND_ONEDNN, NETWORK_PRECISION_F32, 2),
                   *b = open_session(n, NETWORK_BACKEND_ONEDNN, NETWORK_PRECISION_F32, 2);
    float *x = noises(count_in(a)), *z = noises(count_in(a));
    size_t bytes = count_out(a, 0) * sizeof(float);
    float *expected = malloc(bytes);

    cr_assert_not_null(expected);
    run_on(a, x);
    memcpy(expected, session_output(a, 0), bytes);
    run_on(b, z);
    cr_assert_eq(memcmp(session_output(a, 0), expected, bytes), 0);
    cr_assert_neq(memcmp(session_output(b, 0), expected, bytes), 0);
    run_on(b, x);
    cr_assert_eq(memcmp(session_output(b, 0), expected, bytes), 0);
    session_close(&a);
    run_on(b, x);
    cr_assert_eq(memcmp(session_output(b, 0), expected, bytes), 0);
    session_close(&b);
    network_close(&n);
    free(x);
    free(z);
    free(expected);
}

/* As in a lane: no memory becomes executable any more. */
static void deny_code(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

    cr_assert_not_null(filter);
    cr_assert_eq(seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(mprotect), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)),
                 0);
    cr_assert_eq(seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, SCMP_SYS(mmap), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)),
                 0);
    cr_assert_eq(seccomp_load(filter), 0);
    seccomp_release(filter);
}

static void check_fork(enum network_precision precision)
{
    struct network *n = mixed();
    struct session *s = open_session(n, NETWORK_BACKEND_ONEDNN, precision, 3);
    float *x = noises(count_in(s));
    size_t bytes = count_out(s, 2) * sizeof(float);
    float *expected = malloc(bytes);

    cr_assert_not_null(expected);
    run_on(s, x);
    memcpy(expected, session_output(s, 2), bytes);
    for (unsigned i = 0; i < 2; i++) {
        int status;
        pid_t child = fork();

        cr_assert_geq(child, 0);
        if (child == 0) {
            struct error e = {0};

            deny_code();
            memcpy(session_input(s, 0), x, count_in(s) * sizeof(float));
            _exit(session_run(s, &e) == STATUS_OK && memcmp(session_output(s, 2), expected, bytes) == 0 ? 0 : 1);
        }
        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child ended with %#x", (unsigned)status);
    }
    session_close(&s);
    network_close(&n);
    free(x);
    free(expected);
}

Test(onednn, a_forked_child_that_may_make_no_code_gets_the_same_bits)
{
    seed = 23;
    check_fork(NETWORK_PRECISION_F32);
    if (takes_bf16())
        check_fork(NETWORK_PRECISION_BF16);
}

Test(onednn, bf16_is_refused_where_it_cannot_be)
{
    struct network *n = residual(0);
    struct session_settings settings = {.backend = NETWORK_BACKEND_OPENBLAS, .precision = NETWORK_PRECISION_BF16};
    struct session *s = NULL;
    struct error e = {0};

    cr_assert_eq(session_open(n, &settings, &s, &e), STATUS_UNSUPPORTED);
    cr_assert_not_null(strstr(e.text, "bf16 needs backend onednn, not openblas"), "%s", e.text);
    cr_assert_null(s);
    network_close(&n);
}

Test(onednn, names_are_parsed_and_printed)
{
    enum network_backend b;
    enum network_precision p;

    cr_assert(network_backend_parse("onednn", &b) && b == NETWORK_BACKEND_ONEDNN);
    cr_assert(network_precision_parse("bf16", &p) && p == NETWORK_PRECISION_BF16);
    cr_assert(!network_backend_parse("OneDNN", &b) && !network_precision_parse("", &p));
    cr_assert_str_eq(network_backend_name(NETWORK_BACKEND_NATIVE), "native");
    cr_assert_neq(network_backend_auto(), NETWORK_BACKEND_AUTO);
}
