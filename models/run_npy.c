#include "models/run_npy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/network.h"
#include "models/npy.h"

enum { MAX_INPUTS = 32 };

struct array {
    enum tensor_type type;
    struct tensor_shape shape;
    void *values; /* owned */
};

static enum status run(const struct network *n, const struct network_run *how, const struct array *arrays,
                       struct session **ret_session, struct error *e)
{
    struct tensor_shape shapes[MAX_INPUTS];
    const struct session_settings settings = {
        .backend = how->backend, .precision = how->precision, .input_shapes = shapes};
    struct session *session = NULL;
    enum status s;

    for (size_t i = 0; i < how->n_inputs; i++)
        shapes[i] = arrays[i].shape;
    s = session_open(n, &settings, &session, e);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < how->n_inputs; i++) {
        size_t len = (size_t)tensor_shape_count(&shapes[i]) * tensor_type_bytes(arrays[i].type);

        if (len > 0)
            memcpy(session_input(session, i), arrays[i].values, len);
    }
    s = session_run(session, e);
    if (s != STATUS_OK)
        session_close(&session);
    else
        *ret_session = session;
    return s;
}

static char *output_path(const char *path, size_t index)
{
    size_t len = strlen(path), stem = len > 4 && strcmp(path + len - 4, ".npy") == 0 ? len - 4 : len;
    char *made = NULL;

    if (index == 0)
        return strdup(path);
    return asprintf(&made, "%.*s.%zu%s", (int)stem, path, index, path + stem) < 0 ? NULL : made;
}

static enum status write_outputs(const struct network *n, const struct session *session, const char *out_path,
                                 struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < network_output_count(n); i++) {
        char *path = output_path(out_path, i);
        struct tensor_shape shape;

        session_output_shape(session, i, &shape);
        s = path ? npy_write(path, session_output_type(session, i), &shape, session_output(session, i), e)
                 : error_no_memory(e);
        free(path);
    }
    return s;
}

enum status network_run_npy(const struct network_run *how, struct error *e)
{
    struct array arrays[MAX_INPUTS] = {{0}};
    struct network *network = NULL;
    struct session *session = NULL;
    const char *onnx_path = how->onnx_path;
    size_t n = how->n_inputs;
    enum status s = network_open(onnx_path, &network, e);

    if (s != STATUS_OK)
        return s;
    if (n != network_input_count(network) || n > MAX_INPUTS)
        s = error_set(e, STATUS_INVALID, "%s: takes %zu input%s, %zu given", onnx_path, network_input_count(network),
                      network_input_count(network) == 1 ? "" : "s", n);
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        const struct network_tensor *t = network_input(network, i);

        s = npy_read(how->inputs[i], &arrays[i].type, &arrays[i].shape, &arrays[i].values, e);
        if (s == STATUS_OK && arrays[i].type != t->type)
            s = error_set(e, STATUS_INVALID, "%s: %s, but input %s of %s takes %s", how->inputs[i],
                          tensor_type_name(arrays[i].type), t->name, onnx_path, tensor_type_name(t->type));
    }
    if (s == STATUS_OK)
        s = run(network, how, arrays, &session, e);
    if (s == STATUS_OK)
        s = write_outputs(network, session, how->out_path, e);
    session_close(&session);
    network_close(&network);
    for (size_t i = 0; i < MAX_INPUTS; i++)
        free(arrays[i].values);
    return s;
}
