#include <string.h>

#include "nodes/face_search.h"

enum status face_session_open(const struct network *n, const char *title, const struct tensor_shape *input,
                              struct session **ret_s, struct error *e)
{
    struct session_settings settings = {.backend = NETWORK_BACKEND_OPENBLAS, .input_shapes = input};
    struct error why = {0};
    enum status status;

    if (network_input_count(n) != 1 || network_input(n, 0)->type != TENSOR_F32)
        return error_set(e, STATUS_INVALID, "%s: a face network takes one float32 input", title);
    status = session_open(n, &settings, ret_s, &why);
    if (status != STATUS_OK)
        return error_set(e, status, "%s: %s", title, why.text);
    return STATUS_OK;
}

enum status face_output_index(const struct network *n, const char *title, const char *name, size_t *ret_index,
                              struct error *e)
{
    for (size_t i = 0; i < network_output_count(n); i++) {
        if (strcmp(network_output(n, i)->name, name) == 0) {
            *ret_index = i;
            return STATUS_OK;
        }
    }
    return error_set(e, STATUS_INVALID, "%s: has no output \"%s\"", title, name);
}

enum status face_output_check(const struct session *s, size_t index, const char *title,
                              const struct tensor_shape *want, struct error *e)
{
    struct tensor_shape got;
    bool fits;

    session_output_shape(s, index, &got);
    fits = session_output_type(s, index) == TENSOR_F32 && got.rank == want->rank;
    for (unsigned i = 0; fits && i < want->rank; i++)
        fits = want->dims[i] < 0 ? got.dims[i] >= 1 : got.dims[i] == want->dims[i];
    if (!fits)
        return error_set(e, STATUS_INVALID, "%s: output %zu has not the type and shape of its architecture",
                         title, index);
    return STATUS_OK;
}
