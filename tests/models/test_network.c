/* Golden values: tests/golden/make_networks.py (PyTorch). */
#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/check.h"
#include "models/network_private.h"
#include "models/npy.h"

#define NETWORKS TEST_DATA_DIR "/networks/"

static struct network *open_network(const char *name)
{
    struct network *n = NULL;
    struct error e = {0};
    char path[512];

    snprintf(path, sizeof(path), NETWORKS "%s.onnx", name);
    cr_assert_eq(network_open(path, &n, &e), STATUS_OK, "%s", e.text);
    return n;
}

static void *read_array(const char *name, const char *port, size_t index, struct tensor_shape *ret_shape)
{
    enum tensor_type type;
    void *data = NULL;
    struct error e = {0};
    char path[512];

    snprintf(path, sizeof(path), NETWORKS "%s_%s%zu.npy", name, port, index);
    cr_assert_eq(npy_read(path, &type, ret_shape, &data, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(type, TENSOR_F32);
    return data;
}

static struct session *open_session(const struct network *n, const struct tensor_shape *shapes,
                                    enum network_backend backend)
{
    struct session_settings settings = {.backend = backend, .input_shapes = shapes};
    struct session *s = NULL;
    struct error e = {0};

    cr_assert_eq(session_open(n, &settings, &s, &e), STATUS_OK, "%s", e.text);
    return s;
}

static void run(struct session *s)
{
    struct error e = {0};

    cr_assert_eq(session_run(s, &e), STATUS_OK, "%s", e.text);
}

static void check_golden(const char *name, enum network_backend backend)
{
    struct network *n = open_network(name);
    struct tensor_shape shapes[4];
    float *inputs[4];
    struct session *s;

    for (size_t i = 0; i < network_input_count(n); i++)
        inputs[i] = read_array(name, "in", i, &shapes[i]);
    s = open_session(n, shapes, backend);
    for (int again = 0; again < 2; again++) {
        for (size_t i = 0; i < network_input_count(n); i++)
            memcpy(session_input(s, i), inputs[i], (size_t)tensor_shape_count(&shapes[i]) * sizeof(float));
        run(s);
        for (size_t i = 0; i < network_output_count(n); i++) {
            struct tensor_shape wanted_shape, shape;
            float *wanted = read_array(name, "out", i, &wanted_shape);
            const float *got = session_output(s, i);

            session_output_shape(s, i, &shape);
            cr_assert_eq(shape.rank, wanted_shape.rank);
            cr_assert_eq(memcmp(shape.dims, wanted_shape.dims, shape.rank * sizeof(shape.dims[0])), 0);
            for (int64_t k = 0; k < tensor_shape_count(&shape); k++)
                cr_assert(fabsf(got[k] - wanted[k]) <= 1e-5f + 1e-4f * fabsf(wanted[k]), "%s %zu[%lld]: %g, not %g",
                          name, i, (long long)k, (double)got[k], (double)wanted[k]);
            free(wanted);
        }
    }
    cr_assert_gt(session_flops(s), 200, "%s: %llu", name, (unsigned long long)session_flops(s));
    cr_assert_gt(session_arena_bytes(s), 0);
    for (size_t i = 0; i < network_input_count(n); i++)
        free(inputs[i]);
    session_close(&s);
    network_close(&n);
}

static const char *const names[] = {"joint", "gru", "block", "shapes", "attention", "video", "old"};

enum { N_NAMES = sizeof(names) / sizeof(names[0]) };

Test(network, agrees_with_pytorch)
{
    for (size_t i = 0; i < N_NAMES; i++)
        check_golden(names[i], NETWORK_BACKEND_AUTO);
}

Test(network, agrees_with_pytorch_on_openblas)
{
    for (size_t i = 0; i < N_NAMES; i++)
        check_golden(names[i], NETWORK_BACKEND_OPENBLAS);
}

static float pattern(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (float)(*seed >> 8) / 8388608.0f - 1.0f;
}

/* Runs `batch` rows of which row r is the r-th of a fixed list, and gives the first `keep` rows of output 0.
 * outer: elements of the dimensions before the batch's are `outer`-fold (the GRU has time first). */
static float *run_batch(const char *name, enum network_backend backend, unsigned batch_axis, int64_t batch,
                        int64_t *ret_row)
{
    struct network *n = open_network(name);
    struct tensor_shape shapes[2], out;
    struct session *s;
    float *all;

    for (size_t i = 0; i < network_input_count(n); i++) {
        free(read_array(name, "in", i, &shapes[i]));
        shapes[i].dims[batch_axis] = batch;
    }
    s = open_session(n, shapes, backend);
    for (size_t i = 0; i < network_input_count(n); i++) {
        int64_t outer = 1, inner = 1;
        float *x = session_input(s, i);

        for (unsigned d = 0; d < shapes[i].rank; d++) {
            if (d < batch_axis)
                outer *= shapes[i].dims[d];
            else if (d > batch_axis)
                inner *= shapes[i].dims[d];
        }
        for (int64_t b = 0; b < batch; b++) {
            uint32_t seed = (uint32_t)(b * 7919 + (int64_t)i);

            for (int64_t o = 0; o < outer; o++) {
                for (int64_t k = 0; k < inner; k++)
                    x[(o * batch + b) * inner + k] = pattern(&seed);
            }
        }
    }
    run(s);
    session_output_shape(s, 0, &out);
    *ret_row = tensor_shape_count(&out) / batch;
    all = malloc((size_t)tensor_shape_count(&out) * sizeof(float));
    cr_assert_not_null(all);
    memcpy(all, session_output(s, 0), (size_t)tensor_shape_count(&out) * sizeof(float));
    session_close(&s);
    network_close(&n);
    return all;
}

/* Bit for bit. With time first (GRU), a row's values lie `batch` rows apart. */
static void check_rows(const char *name, enum network_backend backend, unsigned batch_axis, int64_t unit)
{
    int64_t row, few_row;
    float *many = run_batch(name, backend, batch_axis, 8, &row);

    for (int64_t few = 1; few <= 3; few += 2) {
        float *some = run_batch(name, backend, batch_axis, few, &few_row);

        cr_assert_eq(row, few_row);
        for (int64_t b = 0; b < few; b++) {
            for (int64_t k = 0; k < row; k += unit)
                cr_assert_eq(memcmp(some + (k / unit * few + b) * unit, many + (k / unit * 8 + b) * unit,
                                    (size_t)unit * sizeof(float)),
                             0, "%s: row %lld differs between batches of %lld and 8", name, (long long)b,
                             (long long)few);
        }
        free(some);
    }
    free(many);
}

static void check_all_rows(enum network_backend backend)
{
    /* unit: contiguous values of one row; for batch-first networks the whole row. */
    check_rows("joint", backend, 0, 1);
    check_rows("block", backend, 0, 6 * 13 * 11);
    check_rows("attention", backend, 0, 6 * 16);
    check_rows("video", backend, 0, 2);
    check_rows("gru", backend, 1, 18); /* out0 is T x N x 18 */
}

Test(network, a_row_does_not_depend_on_its_batch)
{
    check_all_rows(NETWORK_BACKEND_AUTO);
}

Test(network, a_row_does_not_depend_on_its_batch_on_openblas)
{
    check_all_rows(NETWORK_BACKEND_OPENBLAS);
}

Test(network, names_its_ports)
{
    struct network *n = open_network("gru");

    cr_assert_eq(network_input_count(n), 2);
    cr_assert_str_eq(network_input(n, 1)->name, "in1");
    cr_assert_eq(network_input(n, 0)->shape.rank, 3);
    cr_assert_eq(network_input(n, 0)->shape.dims[0], -1);
    cr_assert_eq(network_input(n, 0)->shape.dims[2], 7);
    cr_assert_str_eq(network_output(n, 0)->name, "out0");
    cr_assert_null(network_input(n, 2));
    network_close(&n);
    cr_assert_null(n);
    network_close(&n);
}

Test(network, folds_shapes_and_batch_norms_away)
{
    struct network *n = open_network("joint");
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    network_describe(n, out);
    fclose(out);
    cr_assert_not_null(strstr(text, "Conv 2"), "%s", text);
    cr_assert_not_null(strstr(text, "LSTM 2"), "%s", text);
    cr_assert_null(strstr(text, "BatchNormalization"), "%s", text);
    cr_assert_null(strstr(text, "LeakyRelu"), "%s", text);
    free(text);
    network_close(&n);
}

Test(network, refuses_a_shape_that_contradicts_the_file)
{
    struct network *n = open_network("gru");
    struct tensor_shape shapes[2] = {{.rank = 3, .dims = {6, 3, 8}}, {.rank = 3, .dims = {2, 3, 9}}};
    struct session_settings settings = {.input_shapes = shapes};
    struct session *s = NULL;
    struct error e;

    cr_assert_eq(session_open(n, &settings, &s, &e), STATUS_INVALID);
    cr_assert_not_null(strstr(e.text, "'in0'"), "%s", e.text);
    shapes[0].dims[2] = 7;
    shapes[1].dims[1] = 4; /* fits the file, but not the other input */
    cr_assert_eq(session_open(n, &settings, &s, &e), STATUS_INVALID);
    cr_assert_not_null(strstr(e.text, "GRU"), "%s", e.text);
    cr_assert_null(s);
    network_close(&n);
}

static enum status open_hostile(const char *name, struct network **ret_n, struct error *e)
{
    char path[512];

    snprintf(path, sizeof(path), TEST_DATA_DIR "/hostile/%s.onnx", name);
    return network_open(path, ret_n, e);
}

Test(network, refuses_broken_graphs_with_their_reason)
{
    static const struct {
        const char *name;
        enum status status;
        const char *words[3];
    } cases[] = {
        {"cycle", STATUS_CORRUPT, {"cycle.onnx", "part of a cycle", "Add"}},
        {"unknown", STATUS_UNSUPPORTED, {"unknown.onnx", "FancyAttention", "'layer7'"}},
        {"foreign", STATUS_UNSUPPORTED, {"foreign.onnx", "com.example", "'layer8'"}},
        {"twice", STATUS_CORRUPT, {"'y'", "written twice", "Exp"}},
        {"missing", STATUS_CORRUPT, {"'nobody'", "nothing writes", "Add"}},
        {"misfit", STATUS_INVALID, {"'conv1'", "5 channels", "3 channels"}},
        {"window", STATUS_INVALID, {"'conv1'", "9", "8"}},
        {"pads", STATUS_INVALID, {"'conv1'", "pads", "Conv"}},
        {"huge_fill", STATUS_INVALID, {"'fill'", "beyond", "ConstantOfShape"}},
        {"huge_dims", STATUS_CORRUPT, {"'w'", "larger", "huge_dims.onnx"}},
        {"negative_dims", STATUS_CORRUPT, {"'w'", "-2", "negative_dims.onnx"}},
        {"short_data", STATUS_CORRUPT, {"'w'", "13 bytes", "16"}},
        {"external", STATUS_CORRUPT, {"'w'", "leaves the folder", "external.onnx"}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct network *n = NULL;
        struct error e = {0};
        enum status s = open_hostile(cases[i].name, &n, &e);

        cr_assert_eq(s, cases[i].status, "%s: %s: %s", cases[i].name, status_name(s), e.text);
        cr_assert_null(n);
        for (size_t k = 0; k < 3; k++)
            cr_assert_not_null(strstr(e.text, cases[i].words[k]), "%s lacks %s", e.text, cases[i].words[k]);
    }
}

/* No element moves, but the strides of blocks of 2^20 x 2^20 would leave 64 bits (the sanitizer watches). */
Test(network, refuses_a_picture_without_channels_that_grows_beyond_bounds)
{
    struct network *n = NULL;
    struct session *s = NULL;
    struct tensor_shape shape = {.rank = 4, .dims = {1, 0, 1 << 15, 1 << 15}};
    struct session_settings settings = {.input_shapes = &shape};
    struct error e = {0};

    cr_assert_eq(open_hostile("no_channels", &n, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(session_open(n, &settings, &s, &e), STATUS_INVALID, "%s", e.text);
    cr_assert_null(s);
    cr_assert_not_null(strstr(e.text, "'shuffle'"), "%s", e.text);
    cr_assert_not_null(strstr(e.text, "beyond"), "%s", e.text);
    network_close(&n);
}

Test(network, refuses_an_index_out_of_range_at_run_time)
{
    struct network *n = NULL;
    struct session *s;
    struct error e = {0};

    cr_assert_eq(open_hostile("index", &n, &e), STATUS_OK, "%s", e.text);
    s = open_session(n, NULL, NETWORK_BACKEND_AUTO);
    *(int64_t *)session_input(s, 1) = 2;
    run(s);
    *(int64_t *)session_input(s, 1) = 3;
    cr_assert_eq(session_run(s, &e), STATUS_INVALID);
    cr_assert_not_null(strstr(e.text, "'pick'"), "%s", e.text);
    session_close(&s);
    network_close(&n);
}

Test(network, a_shape_from_run_time_values_is_unsupported)
{
    struct network *n = NULL;
    struct session *s = NULL;
    struct error e = {0};

    cr_assert_eq(open_hostile("input_shape", &n, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(session_open(n, NULL, &s, &e), STATUS_UNSUPPORTED);
    cr_assert_not_null(strstr(e.text, "'view'"), "%s", e.text);
    network_close(&n);
}

Test(network, refuses_files_that_are_not_onnx)
{
    static const struct {
        const char *bytes;
        const char *word;
    } cases[] = {
        {"", "empty"},
        {"<!DOCTYPE html><html><body>404</body></html>", "HTML"},
        {"version https://git-lfs.github.com/spec/v1\n", "git-lfs"},
        {"PK\x03\x04", "zip"},
        {"this is plain text, as a README might be", "not an ONNX file"},
        {"\x08\x07", "no graph"},
    };
    struct network *n = NULL;
    struct error e;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(network_open_memory(cases[i].bytes, strlen(cases[i].bytes), "x.onnx", &n, &e), STATUS_CORRUPT);
        cr_assert_eq(strncmp(e.text, "x.onnx: not an ONNX file: ", 26), 0, "%s", e.text);
        cr_assert_not_null(strstr(e.text, cases[i].word), "%s", e.text);
    }
    cr_assert_eq(network_open("/nowhere/x.onnx", &n, &e), STATUS_NOT_FOUND);
    cr_assert_eq(network_open("/tmp", &n, &e), STATUS_INVALID);
    cr_assert_null(n);
}

static char *read_model(const char *name, size_t *ret_len)
{
    char path[512], *data;
    FILE *f;

    snprintf(path, sizeof(path), NETWORKS "%s.onnx", name);
    f = fopen(path, "rb");
    cr_assert_not_null(f);
    data = malloc(1 << 16);
    cr_assert_not_null(data);
    *ret_len = fread(data, 1, 1 << 16, f);
    fclose(f);
    return data;
}

Test(network, refuses_every_truncation)
{
    for (size_t i = 0; i < N_NAMES; i++) {
        size_t len;
        char *data = read_model(names[i], &len);

        for (size_t cut = 0; cut < len; cut += 64) {
            /* A copy of exactly that size, so that the sanitizer sees a read past its end. */
            char *part = malloc(cut + 1);
            struct network *n = NULL;
            struct error e = {0};

            cr_assert_not_null(part);
            memcpy(part, data, cut);
            cr_assert(status_failed(network_open_memory(part, cut, "cut.onnx", &n, &e)), "%s at %zu", names[i], cut);
            cr_assert_null(n);
            cr_assert_eq(strncmp(e.text, "cut.onnx: ", 10), 0, "%s", e.text);
            free(part);
        }
        free(data);
    }
}

/* Whatever a damaged file becomes: an error, or a network that runs. */
static void try_bytes(const char *data, size_t len)
{
    struct session_plan_settings settings = {.max_arena_bytes = 1 << 24};
    struct network *n = NULL;
    struct session *s = NULL;
    struct error e = {0};

    if (network_open_memory(data, len, "flip.onnx", &n, &e) != STATUS_OK) {
        cr_assert_neq(e.text[0], '\0');
        return;
    }
    if (session_open_planned(n, &settings, &s, &e) == STATUS_OK && session_flops(s) < 10000000) {
        for (size_t i = 0; i < network_input_count(n); i++) {
            struct tensor_shape shape;

            session_input_shape(s, i, &shape);
            memset(session_input(s, i), 0,
                   (size_t)tensor_shape_count(&shape) * tensor_type_bytes(network_input(n, i)->type));
        }
        session_run(s, &e);
    }
    session_close(&s);
    network_close(&n);
}

Test(network, survives_flipped_bits)
{
    uint32_t seed = 1;

    for (size_t i = 0; i < N_NAMES; i++) {
        size_t len;
        char *data = read_model(names[i], &len);

        for (unsigned k = 0; k < 600; k++) {
            size_t at;
            unsigned bit;

            seed = seed * 1664525u + 1013904223u;
            at = (seed >> 4) % len;
            bit = seed >> 29;
            data[at] = (char)(data[at] ^ (1 << bit));
            try_bytes(data, len);
            data[at] = (char)(data[at] ^ (1 << bit));
        }
        free(data);
    }
}

/* AttributeProto.g (field 6) of GraphProto.node (1) .attribute (5), again and again: 6 bytes a level and
 * more. */
Test(network, refuses_deep_nesting)
{
    enum { DEPTH = 200000 };
    size_t room = DEPTH * 6 + 16, at = room;
    unsigned char *data = malloc(room);
    static const unsigned char tags[3] = {0x0a, 0x2a, 0x32};
    struct network *n = NULL;
    enum status st;
    struct error e;

    cr_assert_not_null(data);
    for (unsigned level = 0; level < DEPTH; level++) {
        size_t len = room - at;
        unsigned char varint[10];
        unsigned used = 0;

        for (; len >= 0x80; len >>= 7)
            varint[used++] = (unsigned char)(len | 0x80);
        varint[used++] = (unsigned char)len;
        if (at < used + 1)
            break;
        at -= used;
        memcpy(data + at, varint, used);
        data[--at] = tags[(DEPTH + 1 - level) % 3];
    }
    /* Outermost: ModelProto.graph (7). */
    data[at] = 0x3a;
    st = network_open_memory(data + at, room - at, "deep.onnx", &n, &e);
    cr_assert_eq(st, STATUS_CORRUPT, "%s: %s", status_name(st), e.text);
    cr_assert_not_null(strstr(e.text, "nested too deep"), "%s", e.text);
    free(data);
}

Test(check, passes_the_cases_of_onnx, .timeout = 240)
{
    static const struct {
        const char *folder;
        unsigned passed;
    } folders[] = {{"node", 765}, {"pytorch-converted", 82}, {"pytorch-operator", 35}, {"simple", 7}};
    const char *base = "/usr/share/libonnx-testdata/data";

    if (access(base, R_OK) != 0)
        cr_skip_test("libonnx-testdata is not installed");
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        struct check_counts counts;
        struct error e = {0};
        char path[256], *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        snprintf(path, sizeof(path), "%s/%s", base, folders[i].folder);
        cr_assert_eq(check_cases(path, NETWORK_BACKEND_AUTO, out, &counts, &e), STATUS_OK, "%s", e.text);
        fclose(out);
        cr_assert_eq(counts.failed, 0, "%s", strstr(text, "FAILED"));
        cr_assert_geq(counts.passed, folders[i].passed);
        free(text);
    }
}

Test(check, says_that_a_folder_holds_no_case)
{
    struct check_counts counts;
    struct error e;

    cr_assert_eq(check_cases(TEST_DATA_DIR, NETWORK_BACKEND_AUTO, stderr, &counts, &e), STATUS_NOT_FOUND);
    cr_assert_eq(check_cases("/nowhere", NETWORK_BACKEND_AUTO, stderr, &counts, &e), STATUS_NOT_FOUND);
}
