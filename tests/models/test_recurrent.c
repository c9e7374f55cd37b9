/* Recurrent layers in every form that ONNX gives them. Golden values: tests/golden/make_recurrent.py (PyTorch, and ONNX's
 * formulas in numpy where PyTorch lacks the form). */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/network.h"
#include "models/npy.h"

#define FOLDER TEST_DATA_DIR "/recurrent/"

enum { MAX_PORTS = 256 };

struct golden {
    struct network *network;
    float *values; /* of all inputs, then of all outputs */
    int64_t n_values;
};

static void load(const char *kind, struct golden *ret_g)
{
    struct tensor_shape shape;
    enum tensor_type type;
    struct error e = {0};
    void *values = NULL;
    char path[512];

    snprintf(path, sizeof(path), FOLDER "%s.onnx", kind);
    *ret_g = (struct golden){0};
    cr_assert_eq(network_open(path, &ret_g->network, &e), STATUS_OK, "%s", e.text);
    snprintf(path, sizeof(path), FOLDER "%s.npy", kind);
    cr_assert_eq(npy_read(path, &type, &shape, &values, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(type, TENSOR_F32);
    ret_g->values = values;
    ret_g->n_values = tensor_shape_count(&shape);
}

static void unload(struct golden *g)
{
    network_close(&g->network);
    free(g->values);
}

/* Fills the inputs; the golden values of the outputs, which follow. */
static const float *fill(const struct golden *g, struct session *s)
{
    const float *from = g->values;

    for (size_t i = 0; i < network_input_count(g->network); i++) {
        struct tensor_shape shape;
        int64_t n;

        session_input_shape(s, i, &shape);
        n = tensor_shape_count(&shape);
        cr_assert_leq(from - g->values + n, g->n_values);
        for (int64_t k = 0; k < n && network_input(g->network, i)->type == TENSOR_I32; k++)
            ((int32_t *)session_input(s, i))[k] = (int32_t)from[k];
        if (network_input(g->network, i)->type == TENSOR_F32)
            memcpy(session_input(s, i), from, (size_t)n * sizeof(float));
        from += n;
    }
    return from;
}

static void check(const char *kind, enum network_backend backend, size_t min_outputs)
{
    struct session_settings settings = {.backend = backend};
    struct session *s = NULL;
    struct error e = {0};
    struct golden g;

    load(kind, &g);
    cr_assert_geq(network_output_count(g.network), min_outputs);
    cr_assert_eq(session_open(g.network, &settings, &s, &e), STATUS_OK, "%s", e.text);
    for (int again = 0; again < 2; again++) {
        const float *wanted = fill(&g, s);

        cr_assert_eq(session_run(s, &e), STATUS_OK, "%s", e.text);
        for (size_t i = 0; i < network_output_count(g.network); i++) {
            const struct network_tensor *out = network_output(g.network, i);
            const float *got = session_output(s, i);
            struct tensor_shape shape;

            session_output_shape(s, i, &shape);
            cr_assert_eq(shape.rank, out->shape.rank, "%s", out->name);
            cr_assert_eq(memcmp(shape.dims, out->shape.dims, shape.rank * sizeof(shape.dims[0])), 0, "%s", out->name);
            for (int64_t k = 0; k < tensor_shape_count(&shape); k++, wanted++)
                cr_assert(fabsf(got[k] - *wanted) <= 1e-5f * fmaxf(1.0f, fabsf(*wanted)), "%s[%lld]: %.8g, not %.8g",
                          out->name, (long long)k, (double)got[k], (double)*wanted);
        }
        cr_assert_eq(wanted - g.values, g.n_values);
    }
    session_close(&s);
    unload(&g);
}

Test(recurrent, rnn_agrees_with_pytorch_in_all_forms)
{
    check("rnn", NETWORK_BACKEND_AUTO, 32);
    check("rnn", NETWORK_BACKEND_OPENBLAS, 32);
}

Test(recurrent, gru_agrees_with_pytorch_in_all_forms)
{
    check("gru", NETWORK_BACKEND_AUTO, 32);
    check("gru", NETWORK_BACKEND_OPENBLAS, 32);
}

Test(recurrent, lstm_agrees_with_pytorch_in_all_forms)
{
    check("lstm", NETWORK_BACKEND_AUTO, 48);
    check("lstm", NETWORK_BACKEND_OPENBLAS, 48);
}

Test(recurrent, a_length_beyond_the_steps_is_refused_with_the_nodes_name)
{
    struct session *s = NULL;
    struct error e = {0};
    struct golden g;
    size_t lengths = 0;

    load("lstm", &g);
    for (size_t i = 0; i < network_input_count(g.network); i++) {
        if (strcmp(network_input(g.network, i)->name, "packed.lens") == 0)
            lengths = i;
    }
    cr_assert_neq(lengths, 0);
    cr_assert_eq(session_open(g.network, &(struct session_settings){0}, &s, &e), STATUS_OK, "%s", e.text);
    fill(&g, s);
    ((int32_t *)session_input(s, lengths))[1] = 8;
    cr_assert_eq(session_run(s, &e), STATUS_INVALID);
    cr_assert_not_null(strstr(e.text, "'packed'"), "%s", e.text);
    cr_assert_not_null(strstr(e.text, "8 steps of 7"), "%s", e.text);
    fill(&g, s);
    ((int32_t *)session_input(s, lengths))[1] = -1;
    cr_assert_eq(session_run(s, &e), STATUS_INVALID);
    session_close(&s);
    unload(&g);
}
