#include "models/npy.h"

#include <stdlib.h>
#include <string.h>

#include "models/tensor.h"
#include "shard/file.h"

static const size_t max_file_bytes = (size_t)1 << 34;
static const unsigned char magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

enum { MAX_HEADER_BYTES = 65536, HEADER_ALIGN = 64 };

static const struct {
    const char *descr;
    enum tensor_type type;
} types[] = {
    {"<f4", TENSOR_F32}, {"<f8", TENSOR_F64},  {"<i8", TENSOR_I64}, {"<i4", TENSOR_I32},
    {"|u1", TENSOR_U8},  {"|b1", TENSOR_BOOL}, {"|i1", TENSOR_I8},  {"<i2", TENSOR_I16},
    {"<u2", TENSOR_U16}, {"<u4", TENSOR_U32},  {"<u8", TENSOR_U64}, {"<f2", TENSOR_F16},
};

/* The text after 'KEY': in the header, blanks skipped; NULL when the key is not there. */
static const char *value_of(const char *header, const char *key)
{
    const char *at = strstr(header, key);

    if (!at)
        return NULL;
    at += strlen(key);
    while (*at == ' ')
        at++;
    if (*at++ != ':')
        return NULL;
    while (*at == ' ')
        at++;
    return at;
}

/* "(2, 3)", "(5,)" or "()". */
static bool parse_shape(const char *at, struct tensor_shape *ret_shape)
{
    struct tensor_shape shape = {0};

    if (*at++ != '(')
        return false;
    for (;;) {
        int64_t d = 0;

        while (*at == ' ')
            at++;
        if (*at == ')')
            break;
        if (*at < '0' || *at > '9' || shape.rank == TENSOR_MAX_RANK)
            return false;
        while (*at >= '0' && *at <= '9') {
            d = d * 10 + (*at++ - '0');
            if (d > TENSOR_MAX_BYTES)
                return false;
        }
        shape.dims[shape.rank++] = d;
        while (*at == ' ')
            at++;
        if (*at == ',')
            at++;
        else if (*at != ')')
            return false;
    }
    *ret_shape = shape;
    return true;
}

static enum status parse_header(const char *header, const char *path, struct tensor *ret_t, struct error *e)
{
    const char *descr = value_of(header, "'descr'"), *order = value_of(header, "'fortran_order'");
    const char *shape = value_of(header, "'shape'");
    struct tensor t = {0};

    if (!descr || !order || !shape)
        return error_set(e, STATUS_CORRUPT, "%s: the .npy header lacks descr, fortran_order or shape", path);
    if (strncmp(order, "False", 5) != 0)
        return error_set(e, STATUS_UNSUPPORTED, "%s: an array in Fortran order is not supported", path);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (descr[0] == '\'' && strncmp(descr + 1, types[i].descr, 3) == 0 && descr[4] == '\'')
            t.type = types[i].type;
    }
    if (t.type == 0)
        return error_set(e, STATUS_UNSUPPORTED, "%s: an array of type %.16s is not supported", path, descr);
    if (!parse_shape(shape, &t.shape))
        return error_set(e, STATUS_UNSUPPORTED, "%s: the shape %.60s is not supported", path, shape);
    *ret_t = t;
    return STATUS_OK;
}

enum status npy_parse(const void *bytes, size_t len_bytes, const char *path, enum tensor_type *ret_type,
                      struct tensor_shape *ret_shape, void **ret_data, struct error *e)
{
    const unsigned char *p = bytes;
    size_t header_at, header_bytes, want;
    struct tensor t = {0};
    char *header;
    enum status s;

    if (len_bytes < 12 || memcmp(p, magic, sizeof(magic)) != 0)
        return error_set(e, STATUS_CORRUPT, "%s: not an .npy file", path);
    header_at = p[6] == 1 ? 10 : 12;
    header_bytes = (size_t)p[8] | (size_t)p[9] << 8;
    if (p[6] > 1)
        header_bytes |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (p[6] < 1 || p[6] > 3)
        return error_set(e, STATUS_UNSUPPORTED, "%s: .npy version %d is not supported", path, p[6]);
    if (header_bytes > MAX_HEADER_BYTES || header_bytes > len_bytes - header_at)
        return error_set(e, STATUS_CORRUPT, "%s: the .npy header of %zu bytes is cut off or too long", path,
                         header_bytes);
    header = strndup((const char *)p + header_at, header_bytes);
    if (!header)
        return error_no_memory(e);
    s = parse_header(header, path, &t, e);
    free(header);
    if (s != STATUS_OK)
        return s;
    if (!tensor_shape_bytes(&t.shape, t.type, &want) || want != len_bytes - header_at - header_bytes)
        return error_set(e, STATUS_CORRUPT, "%s: holds %zu bytes of data, its shape needs another number", path,
                         len_bytes - header_at - header_bytes);
    s = tensor_allocate(&t, e);
    if (s != STATUS_OK)
        return s;
    if (want > 0)
        memcpy(t.data, p + header_at + header_bytes, want);
    *ret_type = t.type;
    *ret_shape = t.shape;
    *ret_data = t.data;
    return STATUS_OK;
}

enum status npy_read(const char *path, enum tensor_type *ret_type, struct tensor_shape *ret_shape, void **ret_data,
                     struct error *e)
{
    char *bytes = NULL;
    size_t len;
    enum status s = file_read(path, max_file_bytes, &bytes, &len, e);

    if (s != STATUS_OK)
        return s;
    s = npy_parse(bytes, len, path, ret_type, ret_shape, ret_data, e);
    free(bytes);
    return s;
}

enum status npy_write(const char *path, enum tensor_type type, const struct tensor_shape *shape, const void *data,
                      struct error *e)
{
    struct file_writer *w = NULL;
    char header[512];
    const char *descr = NULL;
    size_t used, padded, bytes;
    enum status s;

    if (!tensor_shape_bytes(shape, type, &bytes))
        return error_set(e, STATUS_INVALID, "%s: a shape that is negative or too large", path);
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        descr = types[i].type == type ? types[i].descr : descr;
    if (!descr)
        return error_set(e, STATUS_UNSUPPORTED, "%s: numpy has no type for %s", path, tensor_type_name(type));
    used = (size_t)snprintf(header, sizeof(header), "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
    for (unsigned i = 0; i < shape->rank; i++)
        used += (size_t)snprintf(header + used, sizeof(header) - used, "%lld,%s", (long long)shape->dims[i],
                                 i + 1 < shape->rank ? " " : "");
    used += (size_t)snprintf(header + used, sizeof(header) - used, "), }");
    /* The data begins at a multiple of 64; the header ends with a newline. */
    padded = (10 + used + 1 + HEADER_ALIGN - 1) / HEADER_ALIGN * HEADER_ALIGN - 10;
    memset(header + used, ' ', padded - used);
    header[padded - 1] = '\n';
    s = file_writer_open(path, &w, e);
    if (s != STATUS_OK)
        return s;
    fwrite(magic, 1, sizeof(magic), file_writer_stream(w));
    fwrite((unsigned char[4]){1, 0, (unsigned char)(padded & 0xff), (unsigned char)(padded >> 8)}, 1, 4,
           file_writer_stream(w));
    fwrite(header, 1, padded, file_writer_stream(w));
    if (bytes > 0)
        fwrite(data, 1, bytes, file_writer_stream(w));
    return file_writer_commit(&w, e);
}
