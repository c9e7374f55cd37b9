/* What `models bench` prints is measured, adds up, and can be asked for by another process. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cjson/cJSON.h>

#include "models/bench.h"
#include "models/npy.h"

#define NETWORKS TEST_DATA_DIR "/networks/"

enum { ROWS = 3 }; /* of block_in0.npy */

/* Runs a bench with what it reads as `in`; returns what it prints, the caller's to free. */
static char *printed(const char *path, const struct bench_settings *settings, const char *in, enum status want,
                     struct error *e)
{
    char *text = NULL;
    size_t len = 0;
    FILE *from = fmemopen((void *)(uintptr_t)in, strlen(in), "r"), *to = open_memstream(&text, &len);
    enum status s;

    cr_assert(from && to);
    s = bench(path, settings, from, to, e);
    fclose(from);
    fclose(to);
    cr_assert_eq(s, want, "%s", e->text);
    return text;
}

static double number(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);

    cr_assert(cJSON_IsNumber(value), "%s", key);
    return value->valuedouble;
}

Test(bench, figures_agree_with_each_other)
{
    const struct bench_settings settings = {
        .batch = ROWS, .rounds = 3, .inputs = {NETWORKS "block_in0.npy"}, .n_inputs = 1, .json = true, .layers = true};
    struct error e = {0};
    char *text = printed(NETWORKS "block.onnx", &settings, " ", STATUS_OK, &e);
    cJSON *object = cJSON_Parse(text);
    const cJSON *layers = cJSON_GetObjectItemCaseSensitive(object, "layers"), *layer;
    double share = 0, before = INFINITY;

    cr_assert_not_null(object, "%s", text);
    cr_assert_eq(number(object, "batch"), ROWS);
    cr_assert_eq(number(object, "rounds"), 3);
    cr_assert_gt(number(object, "wall_low_ms"), 0);
    cr_assert_leq(number(object, "wall_low_ms"), number(object, "wall_ms"));
    cr_assert_leq(number(object, "wall_ms"), number(object, "wall_high_ms"));
    cr_assert_gt(number(object, "cpu_ms"), 0);
    cr_assert_float_eq(number(object, "wall_ms_a_row") * ROWS, number(object, "wall_ms"),
                       1e-4 * number(object, "wall_ms"));
    cr_assert_float_eq(number(object, "gflops") * number(object, "wall_ms") * 1e6, number(object, "flops"),
                       1e-3 * number(object, "flops"));
    cr_assert_gt(number(object, "arena_bytes"), 0);
    cr_assert_gt(cJSON_GetArraySize(layers), 3);
    cJSON_ArrayForEach(layer, layers)
    {
        cr_assert_leq(number(layer, "ms"), before, "the longest comes first");
        before = number(layer, "ms");
        share += number(layer, "share");
        cr_assert(cJSON_IsString(cJSON_GetObjectItemCaseSensitive(layer, "what")));
    }
    cr_assert_float_eq(share, 1, 1e-3);
    cJSON_Delete(object);
    free(text);
}

Test(bench, runs_are_timed_on_request)
{
    const struct bench_settings settings = {
        .on_request = true, .backend = NETWORK_BACKEND_NATIVE, .inputs = {NETWORKS "block_in0.npy"}, .n_inputs = 1};
    struct error e = {0};
    char *text = printed(NETWORKS "block.onnx", &settings, "1\n400\n", STATUS_OK, &e);
    double wall[2], cpu[2];
    unsigned long long flops;
    size_t arena;

    cr_assert_eq(
        sscanf(text, "ready native %llu %zu\n%lf %lf\n%lf %lf", &flops, &arena, &wall[0], &cpu[0], &wall[1], &cpu[1]),
        6, "%s", text);
    cr_assert(flops > 0 && arena > 0 && wall[0] > 0 && cpu[0] > 0);
    cr_assert_gt(cpu[1], cpu[0], "400 runs take longer than one");
    free(text);
    text = printed(NETWORKS "block.onnx", &settings, "0\n", STATUS_INVALID, &e);
    free(text);
    text = printed(NETWORKS "block.onnx", &settings, "many\n", STATUS_INVALID, &e);
    cr_assert(strstr(e.text, "many"));
    free(text);
}

Test(bench, arrays_are_run_as_given)
{
    char path[] = "/tmp/fakesift-bench-XXXXXX";
    int fd = mkstemp(path);
    const struct bench_settings settings = {
        .rounds = 1, .inputs = {NETWORKS "video_in0.npy"}, .n_inputs = 1, .output = path};
    struct tensor_shape shape, wanted_shape;
    enum tensor_type type;
    void *y = NULL, *wanted = NULL;
    struct error e = {0};

    cr_assert_geq(fd, 0);
    close(fd);
    free(printed(NETWORKS "video.onnx", &settings, " ", STATUS_OK, &e));
    cr_assert_eq(npy_read(path, &type, &shape, &y, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(npy_read(NETWORKS "video_out0.npy", &type, &wanted_shape, &wanted, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(tensor_shape_count(&shape), tensor_shape_count(&wanted_shape));
    for (int64_t i = 0; i < tensor_shape_count(&shape); i++)
        cr_assert_float_eq(((float *)y)[i], ((float *)wanted)[i], 1e-4);
    unlink(path);
    free(y);
    free(wanted);
}

Test(bench, what_does_not_fit_is_refused)
{
    struct bench_settings settings = {.rounds = 1, .batch = 5};
    struct error e = {0};

    settings.inputs[0] = NETWORKS "block_in0.npy";
    settings.n_inputs = 1;
    free(printed(NETWORKS "block.onnx", &settings, " ", STATUS_INVALID, &e));
    cr_assert(strstr(e.text, "--batch 5"), "%s", e.text);
    free(printed(NETWORKS "gru.onnx", &settings, " ", STATUS_INVALID, &e));
    cr_assert(strstr(e.text, "takes 2 inputs, 1 given"), "%s", e.text);
    settings = (struct bench_settings){.on_request = true};
    free(printed("some-detector", &settings, " ", STATUS_INVALID, &e));
    cr_assert(strstr(e.text, "not a detector"), "%s", e.text);
    free(printed(NETWORKS "none.onnx", &settings, " ", STATUS_NOT_FOUND, &e));
}

Test(bench, a_detector_is_timed_network_by_network)
{
    const struct bench_settings settings = {.rounds = 1};
    struct error e = {0};
    char *text = printed(TEST_DATA_DIR "/detectors/tiny-gru/card.json", &settings, " ", STATUS_OK, &e);
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, "ms a run")) != NULL; at++)
        n++;
    cr_assert_geq(n, 2, "%s", text);
    free(text);
}
