#include <stdlib.h>
#include <string.h>

#include "nodes/face_search.h"
#include "shard/text.h"

enum status face_session_open(const struct network *n, const char *title, const struct tensor_shape *input,
                              const struct face_search *search, struct session **ret_s, struct error *e)
{
    struct session_settings settings = {.backend = search && search->may_generate ? network_backend_auto()
                                                                                  : NETWORK_BACKEND_OPENBLAS,
                                        .input_shapes = input};
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

static void describe_shape(const struct tensor_shape *shape, struct text *t)
{
    for (unsigned i = 0; i < shape->rank; i++) {
        text_append_string(t, i == 0 ? "[" : ", ");
        if (shape->dims[i] < 0)
            text_append_string(t, "?");
        else
            text_append_format(t, "%lld", (long long)shape->dims[i]);
    }
    text_append_string(t, shape->rank == 0 ? "[]" : "]");
}

static enum status wrong_output(const char *title, const char *name, enum tensor_type type,
                                const struct tensor_shape *got, const struct tensor_shape *want, struct error *e)
{
    struct text text = {0};
    char *words;

    text_append_format(&text, "%s: output \"%s\" is %s ", title, name, tensor_type_name(type));
    describe_shape(got, &text);
    text_append_string(&text, ", not float32 ");
    describe_shape(want, &text);
    words = text_take(&text);
    if (!words)
        return error_no_memory(e);
    error_set(e, STATUS_INVALID, "%s", words);
    free(words);
    return STATUS_INVALID;
}

enum status face_output_check(const struct session *s, size_t index, const char *title, const char *name,
                              const struct tensor_shape *want, struct error *e)
{
    enum tensor_type type = session_output_type(s, index);
    struct tensor_shape got;
    bool fits;

    session_output_shape(s, index, &got);
    fits = type == TENSOR_F32 && got.rank == want->rank;
    for (unsigned i = 0; fits && i < want->rank; i++)
        fits = want->dims[i] < 0 ? got.dims[i] >= 1 : got.dims[i] == want->dims[i];
    return fits ? STATUS_OK : wrong_output(title, name, type, &got, want, e);
}
