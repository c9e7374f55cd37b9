#include "models/onnx_reader_tensor.h"

#include <stdlib.h>
#include <string.h>

#include "models/onnx_external.h"
#include "models/onnx_reader.h"
#include "onnx.pb-c.h"
#include "shard/text.h"

bool onnx_tensor_type(int64_t onnx_type, enum tensor_type *ret_type)
{
    static const enum tensor_type types[] = {
        [ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT] = TENSOR_F32,     [ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE] = TENSOR_F64,
        [ONNX__TENSOR_PROTO__DATA_TYPE__INT64] = TENSOR_I64,     [ONNX__TENSOR_PROTO__DATA_TYPE__INT32] = TENSOR_I32,
        [ONNX__TENSOR_PROTO__DATA_TYPE__INT16] = TENSOR_I16,     [ONNX__TENSOR_PROTO__DATA_TYPE__INT8] = TENSOR_I8,
        [ONNX__TENSOR_PROTO__DATA_TYPE__UINT64] = TENSOR_U64,    [ONNX__TENSOR_PROTO__DATA_TYPE__UINT32] = TENSOR_U32,
        [ONNX__TENSOR_PROTO__DATA_TYPE__UINT16] = TENSOR_U16,    [ONNX__TENSOR_PROTO__DATA_TYPE__UINT8] = TENSOR_U8,
        [ONNX__TENSOR_PROTO__DATA_TYPE__BOOL] = TENSOR_BOOL,     [ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT16] = TENSOR_F16,
        [ONNX__TENSOR_PROTO__DATA_TYPE__BFLOAT16] = TENSOR_BF16,
    };

    if (onnx_type < 0 || onnx_type >= (int64_t)(sizeof(types) / sizeof(types[0])) || types[onnx_type] == 0)
        return false;
    *ret_type = types[onnx_type];
    return true;
}

static const char *name_of(const Onnx__TensorProto *p)
{
    return p->name ? p->name : "";
}

static enum status read_dims(const Onnx__TensorProto *p, const char *path, struct tensor_shape *ret_shape,
                             struct error *e)
{
    struct tensor_shape shape = {.rank = (unsigned)p->n_dims};

    if (p->n_dims > TENSOR_MAX_RANK)
        return error_set(e, STATUS_UNSUPPORTED, "%s: tensor '%.120s' has %zu dimensions, at most %d are supported",
                         path, name_of(p), p->n_dims, TENSOR_MAX_RANK);
    for (size_t i = 0; i < p->n_dims; i++) {
        if (p->dims[i] < 0)
            return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s' has the dimension %lld", path, name_of(p),
                             (long long)p->dims[i]);
        shape.dims[i] = p->dims[i];
    }
    *ret_shape = shape;
    return STATUS_OK;
}

/* The typed lists of TensorProto: how many values the one for t holds. */
static size_t typed_count(const Onnx__TensorProto *p, enum tensor_type t)
{
    switch (t) {
    case TENSOR_F32:
        return p->n_float_data;
    case TENSOR_F64:
        return p->n_double_data;
    case TENSOR_I64:
        return p->n_int64_data;
    case TENSOR_U32:
    case TENSOR_U64:
        return p->n_uint64_data;
    default:
        return p->n_int32_data;
    }
}

/* 16-bit floats stand in int32_data as their bits. */
static void copy_typed(const Onnx__TensorProto *p, struct tensor *t, size_t count)
{
    switch (t->type) {
    case TENSOR_F32:
        memcpy(t->data, p->float_data, count * sizeof(float));
        break;
    case TENSOR_F64:
        memcpy(t->data, p->double_data, count * sizeof(double));
        break;
    case TENSOR_I64:
        memcpy(t->data, p->int64_data, count * sizeof(int64_t));
        break;
    case TENSOR_U64:
        memcpy(t->data, p->uint64_data, count * sizeof(uint64_t));
        break;
    case TENSOR_I32:
        memcpy(t->data, p->int32_data, count * sizeof(int32_t));
        break;
    case TENSOR_U32:
        for (size_t i = 0; i < count; i++)
            ((uint32_t *)t->data)[i] = (uint32_t)p->uint64_data[i];
        break;
    case TENSOR_I16:
    case TENSOR_U16:
    case TENSOR_F16:
    case TENSOR_BF16:
        for (size_t i = 0; i < count; i++)
            ((uint16_t *)t->data)[i] = (uint16_t)p->int32_data[i];
        break;
    case TENSOR_U8:
    case TENSOR_I8:
    case TENSOR_BOOL:
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)t->data)[i] = (uint8_t)(t->type == TENSOR_BOOL ? p->int32_data[i] != 0 : p->int32_data[i]);
        break;
    }
}

static void make_bool(struct tensor *t, size_t bytes)
{
    for (size_t i = 0; t->type == TENSOR_BOOL && i < bytes; i++)
        ((uint8_t *)t->data)[i] = ((uint8_t *)t->data)[i] != 0;
}

static enum status read_number(const char *path, const Onnx__TensorProto *p, const Onnx__StringStringEntryProto *entry,
                               uint64_t *ret_value, struct error *e)
{
    if (parse_u64(entry->value, 0, INT64_MAX, ret_value) != STATUS_OK)
        return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s': external %s '%.40s' is no number of bytes", path,
                         name_of(p), entry->key, entry->value);
    return STATUS_OK;
}

static enum status read_external(struct onnx_source *source, const Onnx__TensorProto *p, size_t bytes, void **ret_data,
                                 struct error *e)
{
    struct onnx_external x = {.model_path = source->path, .tensor = name_of(p), .len_bytes = bytes};
    uint64_t length = bytes;
    enum status s = STATUS_OK;

    if (!source->external)
        return error_set(e, STATUS_UNSUPPORTED, "%s: tensor '%.120s' lies in an external file, which has no place here",
                         source->path, name_of(p));
    for (size_t i = 0; i < p->n_external_data && s == STATUS_OK; i++) {
        const Onnx__StringStringEntryProto *entry = p->external_data[i];

        if (!entry->key || !entry->value)
            continue;
        if (strcmp(entry->key, "location") == 0)
            x.location = entry->value;
        else if (strcmp(entry->key, "offset") == 0)
            s = read_number(source->path, p, entry, &x.offset, e);
        else if (strcmp(entry->key, "length") == 0)
            s = read_number(source->path, p, entry, &length, e);
    }
    if (s != STATUS_OK)
        return s;
    if (length != bytes)
        return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s' holds %llu bytes, its shape needs %zu", source->path,
                         name_of(p), (unsigned long long)length, bytes);
    if (bytes > (size_t)TENSOR_MAX_BYTES - source->external_bytes)
        return error_set(e, STATUS_INVALID, "%s: its external tensors exceed %lld bytes", source->path,
                         (long long)TENSOR_MAX_BYTES);
    s = onnx_external_read(&x, ret_data, e);
    if (s != STATUS_OK)
        return s;
    source->external_read = true;
    source->external_bytes += bytes;
    return STATUS_OK;
}

/* Raw bytes are little-endian, as every machine that we build for. The buffer of the message is taken over
 * when it is the tensor as it stands, so that weights are not held twice. */
enum status onnx_tensor_read(struct onnx_source *source, Onnx__TensorProto *p, struct tensor *ret_tensor,
                             struct error *e)
{
    const char *path = source->path;
    struct tensor t = {0};
    size_t bytes, count;
    enum status s;

    if (!onnx_tensor_type(p->data_type, &t.type)) {
        const ProtobufCEnumValue *v =
            protobuf_c_enum_descriptor_get_value(&onnx__tensor_proto__data_type__descriptor, p->data_type);

        return error_set(e, STATUS_UNSUPPORTED, "%s: tensor '%.120s' of type %s is not supported", path, name_of(p),
                         v ? v->name : "unknown");
    }
    s = read_dims(p, path, &t.shape, e);
    if (s != STATUS_OK)
        return s;
    if (!tensor_shape_bytes(&t.shape, t.type, &bytes))
        return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s' is larger than %lld bytes", path, name_of(p),
                         (long long)TENSOR_MAX_BYTES);
    count = bytes / tensor_type_bytes(t.type);
    if (p->has_data_location && p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
        s = read_external(source, p, bytes, &t.data, e);
        if (s != STATUS_OK)
            return s;
        make_bool(&t, bytes);
        *ret_tensor = t;
        return STATUS_OK;
    }
    if (p->has_raw_data && p->raw_data.len != bytes)
        return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s' holds %zu bytes, its shape needs %zu", path,
                         name_of(p), p->raw_data.len, bytes);
    if (!p->has_raw_data && typed_count(p, t.type) != count)
        return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s' holds %zu values, its shape needs %zu", path,
                         name_of(p), typed_count(p, t.type), count);
    if (p->has_raw_data && bytes > 0) {
        t.data = p->raw_data.data;
        p->raw_data = (ProtobufCBinaryData){0};
        make_bool(&t, bytes);
    } else {
        t.data = tensor_memory(bytes);
        if (!t.data)
            return error_no_memory(e);
        if (count > 0)
            copy_typed(p, &t, count);
    }
    *ret_tensor = t;
    return STATUS_OK;
}
