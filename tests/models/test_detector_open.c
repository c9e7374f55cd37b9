#include "models/detector.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
static enum status open_card(const char *networks, const char *output, struct detector **ret_d,
                             struct error *e)
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
    snprintf(text, sizeof(text), "input input: dimension 2 is 32; %s/card.json wants [N,3,H,W] with 64",
             root);
    expect_error(FRAME("small.onnx"), LOGIT, "small.onnx", text);
    snprintf(text, sizeof(text), "2 outputs; %s/card.json wants 1", root);
    expect_error(FRAME("two_outputs.onnx"), LOGIT, "two_outputs.onnx", text);
    snprintf(text, sizeof(text), "2 inputs; %s/card.json takes networks of one", root);
    expect_error(FRAME("two_inputs.onnx"), LOGIT, "two_inputs.onnx", text);
    expect_error(FRAME("whole_numbers.onnx"), LOGIT, "whole_numbers.onnx",
                 "input input is int64, not float32");
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
    expect_error(FRAME("score.onnx"), "{\"meaning\":\"softmax\",\"classes\":2,\"fake_index\":1}",
                 "score.onnx", text);
}

Test(detector_open, info_tells_a_networks_sizes_and_cost)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct error e = {0};

    cr_assert_eq(zoo_info(TEST_DATA_DIR "/detector/clip.onnx", out, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(zoo_info(TEST_DATA_DIR "/detector/absent.onnx", out, &e), STATUS_NOT_FOUND);
    fclose(out);
    cr_assert_not_null(strstr(text, "cost of one run at input [1,8,6]: 0.0 Mflop"), "%s", text);
    free(text);
}

/* A .npy file of version 1 with this header and these values. */
static const char *npy(const char *name, const char *header, const void *values, size_t len)
{
    static char path[256];
    char bytes[8192] = "\x93NUMPY\x01";
    size_t header_len = strlen(header);

    bytes[8] = (char)(header_len & 255);
    bytes[9] = (char)(header_len >> 8);
    memcpy(bytes + 10, header, header_len);
    memcpy(bytes + 10 + header_len, values, len);
    put(name, bytes, 10 + header_len + len);
    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static enum status run_npy(const char *network, const char *input, struct error *e)
{
    char onnx[512], output[256];
    const char *const inputs[1] = {input};

    snprintf(onnx, sizeof(onnx), "%s/detector/%s", TEST_DATA_DIR, network);
    snprintf(output, sizeof(output), "%s/y.npy", root);
    return network_run_npy(onnx, inputs, 1, output, e);
}

Test(detector_open, a_network_runs_on_npy_files)
{
    float values[2 * 48], wanted[2] = {0, 0}, got[2];
    struct error e = {0};
    char path[256], *data = NULL;
    size_t len = 0;

    for (int i = 0; i < 96; i++) {
        values[i] = (float)(i % 11) / 11;
        wanted[i / 48] += values[i] * ((float)(i % 48 % 7) - 3) / 10;
    }
    cr_assert_eq(run_npy("clip.onnx",
                         npy("x.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 8, 6), }\n",
                             values, sizeof(values)),
                         &e),
                 STATUS_OK, "%s", e.text);
    snprintf(path, sizeof(path), "%s/y.npy", root);
    cr_assert_eq(file_read(path, 4096, &data, &len, &e), STATUS_OK);
    cr_assert_eq(len, 128 + 8);
    cr_assert_not_null(strstr(data + 10, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }"));
    memcpy(got, data + 128, sizeof(got));
    for (int i = 0; i < 2; i++)
        cr_assert_float_eq(got[i], wanted[i], 1e-5, "%g, wanted %g", (double)got[i], (double)wanted[i]);
    free(data);
}

Test(detector_open, an_npy_file_that_breaks_a_rule_is_told)
{
    static const struct {
        const char *header;
        size_t len;
        const char *text;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (1,), }", 4,
         "it is in Fortran order; save numpy.ascontiguousarray of it"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", 4,
         "its type is not one of <f4, <f8, <i8, <i4, |u1, |i1, |b1"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 4, "its length does not fit its shape"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", 4,
         "its shape cannot be read (at most 8 dimensions)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1", 4,
         "its shape cannot be read (at most 8 dimensions)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", 4,
         "its shape cannot be read (at most 8 dimensions)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1073741824,1073741824,1073741824), }", 4,
         "its shape is too large"},
        {"{'descr': '<f4', 'shape': (1,), }", 4, "its header lacks descr, fortran_order or shape"},
    };
    struct error e = {0};
    char wanted[512];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *path = npy("x.npy", cases[i].header, "\0\0\0\0", cases[i].len);

        cr_assert_eq(run_npy("clip.onnx", path, &e), STATUS_CORRUPT);
        snprintf(wanted, sizeof(wanted), "%s: %s", path, cases[i].text);
        cr_assert_str_eq(e.text, wanted, "%s", e.text);
    }
    put("x.npy", "\x93NUMPY\x01\0\xff\x00", 10);
    snprintf(wanted, sizeof(wanted), "%s/x.npy", root);
    cr_assert_eq(run_npy("clip.onnx", wanted, &e), STATUS_CORRUPT);
    cr_assert_not_null(strstr(e.text, "x.npy: it ends inside its header"), "%s", e.text);
    put("x.npy", "PK", 2);
    cr_assert_eq(run_npy("clip.onnx", wanted, &e), STATUS_CORRUPT);
    cr_assert_not_null(strstr(e.text, "x.npy: not a .npy file"), "%s", e.text);
    cr_assert_eq(run_npy("two_inputs.onnx", wanted, &e), STATUS_INVALID);
    cr_assert_not_null(strstr(e.text, "takes 2 inputs, 1 given"), "%s", e.text);
    cr_assert_eq(run_npy("clip.onnx",
                         npy("x.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (1,), }",
                             "\0\0\0\0\0\0\0\0", 8),
                         &e),
                 STATUS_INVALID);
    cr_assert_not_null(strstr(e.text, "x.npy: int64, but input input of "), "%s", e.text);
    cr_assert_eq(
        run_npy("clip.onnx",
                npy("x.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", "\0\0\0\0", 4), &e),
        STATUS_INVALID);
}
