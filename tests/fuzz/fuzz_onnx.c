/* libFuzzer target: import, plan and a small run of whatever the bytes are. Build with clang and
 * FAKESIFT_FUZZ, cmake -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang -DFAKESIFT_SANITIZE=ON
 * -DFAKESIFT_FUZZ=ON build-fuzz/tests/fuzz_onnx -rss_limit_mb=2048 -timeout=30 CORPUS tests/data/networks
 * tests/data/hostile */
#include <stdlib.h>
#include <string.h>

#include "models/network_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void run(const struct network *n, struct session *s)
{
    struct error e;

    for (size_t i = 0; i < network_input_count(n); i++) {
        struct tensor_shape shape;

        session_input_shape(s, i, &shape);
        memset(session_input(s, i), 1,
               (size_t)tensor_shape_count(&shape) * tensor_type_bytes(network_input(n, i)->type));
    }
    (void)session_run(s, &e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct session_plan_settings settings = {.max_arena_bytes = 1 << 22};
    struct network *n = NULL;
    struct session *s = NULL;
    struct error e;

    if (network_open_memory(data, len, "fuzz.onnx", &n, &e) != STATUS_OK)
        return 0;
    if (session_open_planned(n, &settings, &s, &e) == STATUS_OK && session_flops(s) < 1000000)
        run(n, s);
    session_close(&s);
    network_close(&n);
    return 0;
}
