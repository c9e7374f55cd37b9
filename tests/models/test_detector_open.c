#include "models/detector.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "models/npy.h"
#include "models/run_npy.h"
#include "models/zoo.h"
#include "shard/file.h"

/* The networks are from tests/golden/make_detector_fixtures.py. */

static char root[64];

static void make_root(void)
{
    strcpy(root, "/tmp/fakesift-open-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
    setenv("FAKESIFT_CACHE", root, 1);
}

static void remove_root(void)
{
    char command[128];

    snprintf(command, sizeof(command), "/bin/rm -rf '%s'", root);
    cr_assert_eq(system(command), 0);
}

TestSuite(detector_open, .init = make_root, .fini = remove_root);

static void put(const char *name, const char *content, size_t len)
{
    char path[256];
    struct error e;

    snprintf(path, sizeof(path), "%s/%s", root, name);
    cr_assert_eq(file_write(path, content, len, &e), STATUS_OK, "%s", e.text);
}

/* A whole-frame card (64 x 64, 8 frames) over fixtures that are copied beside it. networks: its JSON. */
static enum status open_card(const char *networks, const char *output, struct detector **ret_d, struct error *e)
{
    char json[2048], path[256];
    const char *at = networks;

    while ((at = strstr(at, "\"file\":\"")) != NULL) {
        char name[64], from[512], *data = NULL;
        size_t len = 0;

        at += strlen("\"file\":\"");
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, "\""), at);
        snprintf(from, sizeof(from), "%s/detector/%s", TEST_DATA_DIR, name);
        cr_assert_eq(file_read(from, 1 << 20, &data, &len, e), STATUS_OK, "%s", e->text);
        put(name, data, len);
        free(data);
    }
    snprintf(json, sizeof(json),
             "{\"kind\":\"detector\",\"input\":\"frames\",\"name\":\"x\",\"title\":\"X\",\"licence\":\"MIT\","
             "\"provenance\":\"\",\"worth\":\"\",\"sampling\":{\"frames\":8},\"crop\":{\"width_px\":64,"
             "\"height_px\":64},"
             "\"tensor\":{\"layout\":\"nchw\",\"order\":\"rgb\"},\"networks\":%s,\"output\":%s}",
             networks, output);
    put("card.json", json, strlen(json));
    snprintf(path, sizeof(path), "%s/card.json", root);
    return detector_open(path, ret_d, e);
}

static void expect_error(const char *networks, const char *output, const char *file, const char *text)
{
    struct detector *d = NULL;
    struct error e = {0};
    char wanted[1024];
    enum status s = open_card(networks, output, &d, &e);

    cr_assert_eq(s, STATUS_MISMATCH, "%s: %s", status_name(s), e.text);
    cr_assert_null(d);
    snprintf(wanted, sizeof(wanted), "%s/%s: %s", root, file, text);
    cr_assert_str_eq(e.text, wanted, "%s", e.text);
}

#define LOGIT                "{\"meaning\":\"logit\"}"
#define FRAME(name)          "{\"frame\":{\"file\":\"" name "\"}}"
#define FRAME_AND_CLIP(name) "{\"frame\":{\"file\":\"features.onnx\"},\"temporal\":[{\"file\":\"" name "\"}]}"

Test(detector_open, networks_that_fit_their_card_are_opened)
{
    struct detector *d = NULL;
    struct error e = {0};
    char hex[SHA256_HEX_BYTES], path[256];
    struct card *c = NULL;

    cr_assert_eq(open_card(FRAME("score.onnx"), LOGIT, &d, &e), STATUS_OK, "%s", e.text);
    cr_assert_not_null(d->frame);
    cr_assert_null(d->joint);
    cr_assert_null(d->face_card);
    detector_close(&d);
    cr_assert_null(d);
    detector_close(&d);
    cr_assert_eq(open_card(FRAME_AND_CLIP("clip.onnx"), LOGIT, &d, &e), STATUS_OK, "%s", e.text);
    cr_assert_not_null(d->temporal[0]);
    cr_assert_null(d->temporal[1]);
    snprintf(path, sizeof(path), "%s/card.json", root);
    cr_assert_eq(detector_identify(path, &c, hex, &e), STATUS_OK, "%s", e.text);
    cr_assert_str_eq(hex, d->sha256);
    card_close(&c);
    detector_close(&d);
}

Test(detector_open, a_network_that_contradicts_its_card_is_refused)
{
    char text[512];

    snprintf(text, sizeof(text), "input input: dimension 1 is 1; %s/card.json wants [N,3,H,W] with 3", root);
    expect_error(FRAME("grey.onnx"), LOGIT, "grey.onnx", text);
    snprintf(text, sizeof(text), "input input: dimension 2 is 32; %s/card.json wants [N,3,H,W] with 64", root);
    expect_error(FRAME("small.onnx"), LOGIT, "small.onnx", text);
    snprintf(text, sizeof(text), "2 outputs; %s/card.json wants 1", root);
    expect_error(FRAME("two_outputs.onnx"), LOGIT, "two_outputs.onnx", text);
    snprintf(text, sizeof(text), "2 inputs; %s/card.json takes networks of one", root);
    expect_error(FRAME("two_inputs.onnx"), LOGIT, "two_inputs.onnx", text);
    expect_error(FRAME("whole_numbers.onnx"), LOGIT, "whole_numbers.onnx", "input input is int64, not float32");
    snprintf(text, sizeof(text), "input input has 3 dimensions; %s/card.json wants [N,3,H,W]", root);
    expect_error(FRAME("clip.onnx"), LOGIT, "clip.onnx", text);
    snprintf(text, sizeof(text), "6 values a row; %s/card.json: output.classes is 1", root);
    expect_error(FRAME("features.onnx"), LOGIT, "features.onnx", text);
    snprintf(text, sizeof(text), "input input: dimension 1 is 5; %s/card.json wants [N,T,D] with 8", root);
    expect_error(FRAME_AND_CLIP("clip5.onnx"), LOGIT, "clip5.onnx", text);
    snprintf(text, sizeof(text), "input input: dimension 2 is 7; %s/card.json wants [N,T,D] with 6", root);
    expect_error(FRAME_AND_CLIP("clip_wide.onnx"), LOGIT, "clip_wide.onnx", text);
    snprintf(text, sizeof(text), "2 values a row; %s/card.json: output.classes is 1", root);
    expect_error(FRAME_AND_CLIP("clip_classes.onnx"), LOGIT, "clip_classes.onnx", text);
    snprintf(text, sizeof(text), "1 values a row; %s/card.json: output.classes is 2", root);
    expect_error(FRAME("score.onnx"), "{\"meaning\":\"softmax\",\"classes\":2,\"fake_index\":1}", "score.onnx", text);
}

/* The card's hash is of the .onnx file alone. */
Test(detector_open, weights_in_another_file_are_refused)
{
    char text[512], *data = NULL;
    struct error e = {0};
    size_t len = 0;

    cr_assert_eq(file_read(TEST_DATA_DIR "/external/weights.bin", 1 << 20, &data, &len, &e), STATUS_OK, "%s", e.text);
    put("weights.bin", data, len);
    free(data);
    snprintf(text, sizeof(text),
             "its weights lie in another file, which %s/card.json cannot vouch for; save them in this one", root);
    expect_error(FRAME("external.onnx"), LOGIT, "external.onnx", text);
}

Test(detector_open, info_tells_a_networks_sizes_and_cost)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    const struct zoo_info_settings how = {.backend = NETWORK_BACKEND_OPENBLAS};
    struct error e = {0};

    cr_assert_eq(zoo_info(TEST_DATA_DIR "/detector/clip.onnx", &how, out, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(zoo_info(TEST_DATA_DIR "/detector/absent.onnx", &how, out, &e), STATUS_NOT_FOUND);
    fclose(out);
    cr_assert_not_null(strstr(text, "cost of one run at input [1,8,6]: 0.0 Mflop"), "%s", text);
    cr_assert_not_null(strstr(text, "run by openblas in f32: plain "), "%s", text);
    free(text);
}

/* Writes an array beside the card and gives its path. */
static const char *npy(const char *name, enum tensor_type type, const struct tensor_shape *shape, const void *values)
{
    static char path[256];
    struct error e;

    snprintf(path, sizeof(path), "%s/%s", root, name);
    cr_assert_eq(npy_write(path, type, shape, values, &e), STATUS_OK, "%s", e.text);
    return path;
}

static enum status run_npy(const char *network, const char *input, struct error *e)
{
    char onnx[512], output[256];
    const char *const inputs[1] = {input};

    snprintf(onnx, sizeof(onnx), "%s/detector/%s", TEST_DATA_DIR, network);
    snprintf(output, sizeof(output), "%s/y.npy", root);
    return network_run_npy(
        &(struct network_run){.onnx_path = onnx, .out_path = output, .inputs = inputs, .n_inputs = 1}, e);
}

static void expect_output(const char *name, int64_t rows, int64_t columns, const float *wanted)
{
    enum tensor_type type = TENSOR_U8;
    struct tensor_shape shape = {0};
    struct error e = {0};
    void *data = NULL;
    char path[256];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    cr_assert_eq(npy_read(path, &type, &shape, &data, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(type, TENSOR_F32);
    cr_assert_eq(shape.rank, 2);
    cr_assert_eq(shape.dims[0], rows);
    cr_assert_eq(shape.dims[1], columns);
    for (int i = 0; i < rows * columns; i++)
        cr_assert_float_eq(((const float *)data)[i], wanted[i], 1e-5, "%s[%d]", name, i);
    free(data);
}

Test(detector_open, a_network_runs_on_npy_files_at_their_shape)
{
    float values[2 * 48], wanted[2] = {0, 0};
    const struct tensor_shape shape = {3, {2, 8, 6}};
    struct error e = {0};

    for (int i = 0; i < 96; i++) {
        values[i] = (float)(i % 11) / 11;
        wanted[i / 48] += values[i] * ((float)(i % 48 % 7) - 3) / 10;
    }
    cr_assert_eq(run_npy("clip.onnx", npy("x.npy", TENSOR_F32, &shape, values), &e), STATUS_OK, "%s", e.text);
    expect_output("y.npy", 2, 1, wanted);
}

Test(detector_open, further_outputs_go_to_numbered_files)
{
    const struct tensor_shape shape = {4, {1, 3, 64, 64}};
    const float wanted[1] = {-0.3f - 0.2f - 0.1f};
    float *ones = calloc(3 * 64 * 64, sizeof(*ones));
    struct error e = {0};

    for (int i = 0; i < 3 * 64 * 64; i++)
        ones[i] = 1;
    cr_assert_eq(run_npy("two_outputs.onnx", npy("x.npy", TENSOR_F32, &shape, ones), &e), STATUS_OK, "%s", e.text);
    expect_output("y.npy", 1, 1, wanted);
    expect_output("y.1.npy", 1, 1, wanted);
    free(ones);
}

Test(detector_open, arrays_that_do_not_fit_the_network_are_told)
{
    const struct tensor_shape short_clip = {3, {1, 7, 6}};
    const float values[42] = {0};
    const int64_t whole[42] = {0};
    struct error e = {0};

    cr_assert_eq(run_npy("clip.onnx", "/nonexistent/x.npy", &e), STATUS_NOT_FOUND);
    cr_assert_eq(run_npy("two_inputs.onnx", "x.npy", &e), STATUS_INVALID);
    cr_assert_not_null(strstr(e.text, "two_inputs.onnx: takes 2 inputs, 1 given"), "%s", e.text);
    cr_assert_eq(run_npy("clip.onnx", npy("x.npy", TENSOR_I64, &short_clip, whole), &e), STATUS_INVALID);
    cr_assert_not_null(strstr(e.text, "x.npy: int64, but input input of "), "%s", e.text);
    cr_assert_eq(run_npy("clip.onnx", npy("x.npy", TENSOR_F32, &short_clip, values), &e), STATUS_INVALID);
    cr_assert_not_null(strstr(e.text, "input"), "%s", e.text);
}
