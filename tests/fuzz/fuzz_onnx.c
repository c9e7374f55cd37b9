/* libFuzzer target: whatever the bytes are, they are imported, folded, fused, prepared and described; then planned at two
 * choices of the open dimensions, placed in an arena of at most 4 MiB, and run where a run is short. How inputs are filled and
 * which of them the plan knows follows from the bytes. It changes files by onnx_mutator.c.
 *     build-fuzz/tests/fuzz/fuzz_onnx -dict=tests/fuzz/onnx.dict -rss_limit_mb=2048 -timeout=30 -max_len=65536 NEW_FOLDER SEEDS */
#include <stdlib.h>
#include <string.h>

#include "models/network_private.h"
#include "tests/fuzz/onnx_mutator.h"

enum { MAX_INPUTS = 64, MAX_BOUND_BYTES = 1 << 16, MAX_ARENA_BYTES = 1 << 22, MAX_FLOPS = 4000000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t room);

/* Small whole numbers, of both signs, some beyond what an index or a shape may be. */
static void fill(void *to, enum tensor_type type, int64_t n, uint32_t seed)
{
    for (int64_t i = 0; i < n; i++) {
        int v;

        seed = seed * 1664525u + 1013904223u;
        v = (int)(seed >> 24) % 7 - 2;
        switch (type) {
        case TENSOR_F32:
            ((float *)to)[i] = (float)v * 0.75f;
            break;
        case TENSOR_F64:
            ((double *)to)[i] = v * 0.75;
            break;
        case TENSOR_I64:
            ((int64_t *)to)[i] = v;
            break;
        case TENSOR_I32:
            ((int32_t *)to)[i] = v;
            break;
        default:
            memset((char *)to + (size_t)i * tensor_type_bytes(type), v & 1, tensor_type_bytes(type));
        }
    }
}

static uint32_t hash(const uint8_t *data, size_t len)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ data[i]) * 16777619u;
    return h;
}

static void plan_and_run(const struct network *n, enum network_backend backend, int64_t open_dimension, uint32_t seed)
{
    struct tensor_shape shapes[MAX_INPUTS];
    struct tensor bound[MAX_INPUTS];
    struct session_plan_settings settings = {
        .backend = backend, .input_shapes = shapes, .bound = bound, .max_arena_bytes = MAX_ARENA_BYTES};
    struct session *s = NULL;
    struct error e;

    if (network_input_count(n) > MAX_INPUTS)
        return;
    for (size_t i = 0; i < network_input_count(n); i++) {
        const struct network_tensor *t = network_input(n, i);
        size_t bytes;

        shapes[i] = t->shape;
        for (unsigned d = 0; d < shapes[i].rank; d++)
            shapes[i].dims[d] = shapes[i].dims[d] < 0 ? open_dimension : shapes[i].dims[d];
        bound[i] = (struct tensor){.type = t->type, .shape = shapes[i]};
        /* What is mostly a shape, axes, an index: known to the plan in half of the runs. */
        if (shapes[i].rank > 1 || !(seed >> i % 8 & 1) || !tensor_shape_bytes(&shapes[i], t->type, &bytes) ||
            bytes > MAX_BOUND_BYTES)
            continue;
        bound[i].data = malloc(bytes + 1);
        if (bound[i].data)
            fill(bound[i].data, t->type, tensor_shape_count(&shapes[i]), seed + (uint32_t)i);
    }
    if (backend == NETWORK_BACKEND_AUTO && seed & 1 << 19 &&
        network_check_precision(network_backend_auto(), NETWORK_PRECISION_BF16, &e) == STATUS_OK)
        settings.precision = NETWORK_PRECISION_BF16;
    if (session_open_planned(n, &settings, &s, &e) == STATUS_OK && session_flops(s) < MAX_FLOPS) {
        for (size_t i = 0; i < network_input_count(n); i++) {
            if (!bound[i].data)
                fill(session_input(s, i), bound[i].type, tensor_shape_count(&shapes[i]), seed + (uint32_t)i);
        }
        (void)session_run(s, &e);
    }
    session_close(&s);
    for (size_t i = 0; i < network_input_count(n); i++)
        free(bound[i].data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct network *n = NULL;
    struct error e;
    uint32_t seed = hash(data, len);
    FILE *out;

    if (network_open_memory(data, len, "fuzz.onnx", &n, &e) != STATUS_OK)
        return 0;
    out = fopen("/dev/null", "w");
    if (out) {
        network_describe(n, out);
        fclose(out);
    }
    plan_and_run(n, NETWORK_BACKEND_AUTO, 1, seed);
    plan_and_run(n, seed & 1 << 20 ? NETWORK_BACKEND_OPENBLAS : NETWORK_BACKEND_NATIVE, 2 + seed % 5, seed >> 8);
    network_close(&n);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t room, unsigned int seed)
{
    size_t n = seed % 8 ? onnx_mutate(data, len, room, seed) : 0;

    for (unsigned more = seed >> 8 & 3; n > 0 && more > 0; more--) {
        size_t again = onnx_mutate(data, n, room, seed + more);

        if (again == 0)
            break;
        n = again;
    }
    return n > 0 ? n : LLVMFuzzerMutate(data, len, room);
}
