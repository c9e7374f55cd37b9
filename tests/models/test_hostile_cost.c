/* Files of few bytes that would cost much. Made by tests/golden/make_hostile.py. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "models/network.h"

static struct network *open_hostile(const char *name)
{
    struct network *n = NULL;
    struct error e = {0};
    char path[512];

    snprintf(path, sizeof(path), TEST_DATA_DIR "/hostile/%s.onnx", name);
    cr_assert_eq(network_open(path, &n, &e), STATUS_OK, "%s", e.text);
    return n;
}

static unsigned count_operator(const struct network *n, const char *name)
{
    char *text = NULL;
    const char *at;
    size_t len;
    unsigned count = 0;
    FILE *out = open_memstream(&text, &len);

    cr_assert_not_null(out);
    network_describe(n, out);
    fclose(out);
    at = strstr(text, name);
    if (at)
        count = (unsigned)strtoul(at + strlen(name), NULL, 10);
    free(text);
    return count;
}

/* 64 sums over 80 MB: 5.1 GB read, where all folding may cost 2e9. */
Test(hostile_cost, folding_stops_when_it_has_cost_enough)
{
    struct network *n = open_hostile("many_sums");

    cr_assert_geq(count_operator(n, "ReduceSum"), 32);
    cr_assert_lt(count_operator(n, "ReduceSum"), 64); /* it did begin */
    network_close(&n);
}

/* 64 products with the same 80 MB factor: a layout each would be 5 GB. */
Test(hostile_cost, layouts_for_kernels_stay_within_what_the_weights_are_worth)
{
    struct rusage before, after;
    struct network *n;

    getrusage(RUSAGE_SELF, &before);
    n = open_hostile("many_products");
    getrusage(RUSAGE_SELF, &after);
    cr_assert_geq(count_operator(n, "MatMul"), 32);
    cr_assert_lt(after.ru_maxrss - before.ru_maxrss, 2 << 20, "%ld KB", after.ru_maxrss - before.ru_maxrss);
    network_close(&n);
}

/* oneDNN's own kernel for it leaves its memory. */
Test(hostile_cost, a_stride_beyond_the_input_is_right_on_every_backend)
{
    static const enum network_backend backends[] = {NETWORK_BACKEND_NATIVE, NETWORK_BACKEND_OPENBLAS,
                                                    NETWORK_BACKEND_AUTO};
    struct network *n = open_hostile("stride");
    float wanted[2 * 4 * 4 * 1 * 3];

    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
        struct session_settings settings = {.backend = backends[i]};
        struct tensor_shape shape;
        struct session *s = NULL;
        struct error e = {0};
        const float *got;

        cr_assert_eq(session_open(n, &settings, &s, &e), STATUS_OK, "%s", e.text);
        for (size_t k = 0; k < 2 * 3 * 5 * 5 * 5; k++)
            ((float *)session_input(s, 0))[k] = (float)(k * 7 % 31) / 15.0f - 1.0f;
        cr_assert_eq(session_run(s, &e), STATUS_OK, "%s", e.text);
        session_output_shape(s, 0, &shape);
        cr_assert_eq(tensor_shape_count(&shape), (int64_t)(sizeof(wanted) / sizeof(wanted[0])));
        got = session_output(s, 0);
        if (i == 0)
            memcpy(wanted, got, sizeof(wanted));
        for (size_t k = 0; k < sizeof(wanted) / sizeof(wanted[0]); k++)
            cr_assert_float_eq(got[k], wanted[k], 1e-5f);
        session_close(&s);
    }
    network_close(&n);
}

/* 40 million scores, of which none is wanted: they need no order. */
Test(hostile_cost, boxes_of_which_none_is_wanted_are_not_sorted)
{
    struct network *n = open_hostile("nms_none");

    cr_assert_eq(count_operator(n, "NonMaxSuppression"), 0); /* folded */
    network_close(&n);
}
