#include "models/run_npy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/network.h"
#include "shard/file.h"
#include "shard/text.h"

/* The .npy format (NEP 1): "\x93NUMPY", version, length of the header (u16 in version 1, else u32), the
 * header as the text of a Python dictionary with descr, fortran_order and shape, then the values. */
enum { MAX_FILE_BYTES = 1 << 30, MAX_HEADER_BYTES = 65536, MAX_INPUTS = 32, HEADER_ALIGN = 64 };

struct array {
    enum tensor_type type;
    struct tensor_shape shape;
    char *file;         /* owned */
    const char *values; /* in file */
    size_t len_bytes;   /* of the values */
};

static const struct {
    char descr[4];
    enum tensor_type type;
} types[] = {
    {"<f4", TENSOR_F32}, {"<f8", TENSOR_F64}, {"<i8", TENSOR_I64},  {"<i4", TENSOR_I32},
    {"|u1", TENSOR_U8},  {"|i1", TENSOR_I8},  {"|b1", TENSOR_BOOL},
};

/* What follows key in the header, blanks skipped; NULL when the key is not there. */
static const char *header_value(const char *header, const char *key)
{
    const char *at = strstr(header, key);

    if (!at)
        return NULL;
    at += strlen(key);
    at += strspn(at, " ");
    if (*at != ':')
        return NULL;
    return at + 1 + strspn(at + 1, " ");
}

/* "(2, 3)", "(2,)" or "()". */
static bool read_shape(const char *text, struct tensor_shape *ret_shape)
{
    struct tensor_shape s = {0};

    if (*text++ != '(')
        return false;
    while (*(text += strspn(text, " ")) != ')') {
        char digits[20];
        size_t len = strspn(text, "0123456789");

        if (len == 0 || len >= sizeof(digits) || s.rank == TENSOR_MAX_RANK)
            return false;
        memcpy(digits, text, len);
        digits[len] = '\0';
        if (parse_i64(digits, 0, MAX_FILE_BYTES, &s.dims[s.rank++]) != STATUS_OK)
            return false;
        text += len;
        text += strspn(text, " ");
        if (*text == ',')
            text++;
        else if (*text != ')')
            return false;
    }
    *ret_shape = s;
    return true;
}

/* NULL, or the rule that the header breaks. */
static const char *read_header(const char *header, struct array *a)
{
    const char *descr = header_value(header, "'descr'"), *order = header_value(header, "'fortran_order'");
    const char *shape = header_value(header, "'shape'");

    if (!descr || !order || !shape)
        return "its header lacks descr, fortran_order or shape";
    if (strncmp(order, "False", 5) != 0)
        return "it is in Fortran order; save numpy.ascontiguousarray of it";
    if (!read_shape(shape, &a->shape))
        return "its shape cannot be read (at most 8 dimensions)";
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (descr[0] == '\'' && strncmp(descr + 1, types[i].descr, 3) == 0 && descr[4] == '\'') {
            a->type = types[i].type;
            return NULL;
        }
    }
    return "its type is not one of <f4, <f8, <i8, <i4, |u1, |i1, |b1";
}

static const char *read_array(struct array *a, size_t len)
{
    const unsigned char *u = (const unsigned char *)a->file;
    size_t start = len > 6 && u[6] == 1 ? 10 : 12, header_len, wanted;
    const char *problem;
    char *header;

    if (len < start || memcmp(a->file, "\x93NUMPY", 6) != 0 || u[6] < 1 || u[6] > 3)
        return "not a .npy file";
    header_len = (size_t)u[8] | (size_t)u[9] << 8;
    if (start == 12)
        header_len |= (size_t)u[10] << 16 | (size_t)u[11] << 24;
    if (header_len > MAX_HEADER_BYTES || header_len > len - start)
        return "it ends inside its header";
    header = strndup(a->file + start, header_len);
    if (!header)
        return "out of memory";
    problem = read_header(header, a);
    free(header);
    if (problem)
        return problem;
    a->values = a->file + start + header_len;
    a->len_bytes = len - start - header_len;
    wanted = tensor_type_bytes(a->type);
    for (unsigned i = 0; i < a->shape.rank; i++) {
        if (__builtin_mul_overflow(wanted, (size_t)a->shape.dims[i], &wanted))
            return "its shape is too large";
    }
    return wanted == a->len_bytes ? NULL : "its length does not fit its shape";
}

static enum status array_read(const char *path, struct array *a, struct error *e)
{
    size_t len = 0;
    enum status s = file_read(path, MAX_FILE_BYTES, &a->file, &len, e);
    const char *problem = s == STATUS_OK ? read_array(a, len) : NULL;

    return problem ? error_set(e, STATUS_CORRUPT, "%s: %s", path, problem) : s;
}

static enum status array_write(const char *path, enum tensor_type type, const struct tensor_shape *shape,
                               const void *values, struct error *e)
{
    struct text header = {0};
    struct file_writer *w = NULL;
    const char *descr = NULL;
    enum status s;

    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (types[i].type == type)
            descr = types[i].descr;
    }
    text_append_format(&header, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (unsigned i = 0; i < shape->rank; i++)
        text_append_format(&header, "%s%" PRId64 "%s", i ? " " : "", shape->dims[i],
                           i + 1 < shape->rank || shape->rank == 1 ? "," : "");
    text_append_string(&header, "), }");
    while (!header.failed && (10 + header.len_bytes + 1) % HEADER_ALIGN != 0)
        text_append_string(&header, " ");
    text_append_string(&header, "\n");
    if (header.failed) {
        text_clear(&header);
        return error_no_memory(e);
    }
    s = file_writer_open(path, &w, e);
    if (s == STATUS_OK) {
        const unsigned char start[10] = {0x93,
                                         'N',
                                         'U',
                                         'M',
                                         'P',
                                         'Y',
                                         1,
                                         0,
                                         (unsigned char)(header.len_bytes & 255),
                                         (unsigned char)(header.len_bytes >> 8)};
        size_t len = (size_t)tensor_shape_count(shape) * tensor_type_bytes(type);
        FILE *out = file_writer_stream(w);

        fwrite(start, 1, sizeof(start), out);
        fwrite(header.data, 1, header.len_bytes, out);
        if (len > 0)
            fwrite(values, 1, len, out);
        s = file_writer_commit(&w, e);
    }
    text_clear(&header);
    return s;
}

static enum status run(const struct network *n, const struct array *arrays, struct session **ret_session,
                       struct error *e)
{
    struct tensor_shape shapes[MAX_INPUTS];
    const struct session_settings settings = {.backend = NETWORK_BACKEND_AUTO, .input_shapes = shapes};
    size_t count = network_input_count(n);
    struct session *session = NULL;
    enum status s;

    for (size_t i = 0; i < count; i++)
        shapes[i] = arrays[i].shape;
    s = session_open(n, &settings, &session, e);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < count; i++) {
        if (arrays[i].len_bytes > 0)
            memcpy(session_input(session, i), arrays[i].values, arrays[i].len_bytes);
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
        s = path ? array_write(path, session_output_type(session, i), &shape, session_output(session, i), e)
                 : error_no_memory(e);
        free(path);
    }
    return s;
}

enum status network_run_npy(const char *onnx_path, const char *const *inputs, size_t n, const char *out_path,
                            struct error *e)
{
    struct array arrays[MAX_INPUTS] = {{0}};
    struct network *network = NULL;
    struct session *session = NULL;
    enum status s = network_open(onnx_path, &network, e);

    if (s != STATUS_OK)
        return s;
    if (n != network_input_count(network) || n > MAX_INPUTS)
        s = error_set(e, STATUS_INVALID, "%s: takes %zu input%s, %zu given", onnx_path,
                      network_input_count(network), network_input_count(network) == 1 ? "" : "s", n);
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        const struct network_tensor *t = network_input(network, i);

        s = array_read(inputs[i], &arrays[i], e);
        if (s == STATUS_OK && arrays[i].type != t->type)
            s = error_set(e, STATUS_INVALID, "%s: %s, but input %s of %s takes %s", inputs[i],
                          tensor_type_name(arrays[i].type), t->name, onnx_path, tensor_type_name(t->type));
    }
    if (s == STATUS_OK)
        s = run(network, arrays, &session, e);
    if (s == STATUS_OK)
        s = write_outputs(network, session, out_path, e);
    session_close(&session);
    network_close(&network);
    for (size_t i = 0; i < MAX_INPUTS; i++)
        free(arrays[i].file);
    return s;
}
