#include "models/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/half.h"

size_t tensor_type_bytes(enum tensor_type t)
{
    switch (t) {
    case TENSOR_I64:
    case TENSOR_U64:
    case TENSOR_F64:
        return 8;
    case TENSOR_F32:
    case TENSOR_I32:
    case TENSOR_U32:
        return 4;
    case TENSOR_I16:
    case TENSOR_U16:
    case TENSOR_F16:
    case TENSOR_BF16:
        return 2;
    case TENSOR_U8:
    case TENSOR_BOOL:
    case TENSOR_I8:
        return 1;
    }
    return 0;
}

const char *tensor_type_name(enum tensor_type t)
{
    switch (t) {
    case TENSOR_F32:
        return "float32";
    case TENSOR_I64:
        return "int64";
    case TENSOR_I32:
        return "int32";
    case TENSOR_U8:
        return "uint8";
    case TENSOR_BOOL:
        return "bool";
    case TENSOR_F64:
        return "float64";
    case TENSOR_I8:
        return "int8";
    case TENSOR_I16:
        return "int16";
    case TENSOR_U16:
        return "uint16";
    case TENSOR_U32:
        return "uint32";
    case TENSOR_U64:
        return "uint64";
    case TENSOR_F16:
        return "float16";
    case TENSOR_BF16:
        return "bfloat16";
    }
    return "unknown";
}

int64_t tensor_shape_count(const struct tensor_shape *s)
{
    return tensor_shape_span(s, 0, s->rank);
}

int64_t tensor_shape_span(const struct tensor_shape *s, unsigned first, unsigned end)
{
    int64_t count = 1;

    for (unsigned i = first; i < end; i++)
        count *= s->dims[i];
    return count;
}

bool tensor_shape_bytes(const struct tensor_shape *s, enum tensor_type t, size_t *ret_bytes)
{
    int64_t unit = (int64_t)tensor_type_bytes(t), bytes = unit;
    bool empty = false;

    if (s->rank > TENSOR_MAX_RANK || unit == 0)
        return false;
    /* Zeros are set aside: [0, 2^40] must not pass, since parts of a shape are multiplied elsewhere. */
    for (unsigned i = 0; i < s->rank; i++) {
        int64_t d = s->dims[i];

        if (d < 0)
            return false;
        if (d == 0) {
            empty = true;
            continue;
        }
        if (d > TENSOR_MAX_BYTES / bytes)
            return false;
        bytes *= d;
    }
    *ret_bytes = empty ? 0 : (size_t)bytes;
    return true;
}

bool tensor_shape_equal(const struct tensor_shape *a, const struct tensor_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (unsigned i = 0; i < a->rank; i++) {
        if (a->dims[i] != b->dims[i])
            return false;
    }
    return true;
}

const char *tensor_shape_text(const struct tensor_shape *s, char text[TENSOR_SHAPE_TEXT_BYTES])
{
    size_t used = 0;

    text[used++] = '[';
    for (unsigned i = 0; i < s->rank && i < TENSOR_MAX_RANK; i++) {
        if (i > 0)
            text[used++] = ',';
        if (s->dims[i] == -1)
            text[used++] = '?';
        else
            used += (size_t)snprintf(text + used, TENSOR_SHAPE_TEXT_BYTES - used, "%lld", (long long)s->dims[i]);
    }
    text[used++] = ']';
    text[used] = '\0';
    return text;
}

void *tensor_memory(size_t bytes)
{
    size_t rounded = (bytes / TENSOR_ALIGN_BYTES + 1) * TENSOR_ALIGN_BYTES;
    void *memory = aligned_alloc(TENSOR_ALIGN_BYTES, rounded);

    if (memory)
        memset(memory, 0, rounded);
    return memory;
}

enum status tensor_allocate(struct tensor *t, struct error *e)
{
    size_t bytes;

    if (!tensor_shape_bytes(&t->shape, t->type, &bytes))
        return error_set(e, STATUS_INVALID, "a tensor is larger than %lld bytes", (long long)TENSOR_MAX_BYTES);
    t->data = tensor_memory(bytes);
    return t->data ? STATUS_OK : error_no_memory(e);
}

double tensor_value(const struct tensor *t, int64_t i)
{
    switch (t->type) {
    case TENSOR_F32:
        return (double)((const float *)t->data)[i];
    case TENSOR_F64:
        return ((const double *)t->data)[i];
    case TENSOR_F16:
        return (double)half_to_float(((const uint16_t *)t->data)[i]);
    case TENSOR_BF16:
        return (double)bfloat_to_float(((const uint16_t *)t->data)[i]);
    case TENSOR_U64:
        return (double)((const uint64_t *)t->data)[i];
    default:
        return (double)tensor_integer(t, i);
    }
}

/* Beyond the range there is no right answer; the lowest value is what x86 gives. */
static int64_t whole(double v)
{
    return v > -9223372036854775808.0 && v < 9223372036854775808.0 ? (int64_t)v : INT64_MIN;
}

int64_t tensor_integer(const struct tensor *t, int64_t i)
{
    switch (t->type) {
    case TENSOR_I64:
        return ((const int64_t *)t->data)[i];
    case TENSOR_U64:
        return (int64_t)((const uint64_t *)t->data)[i];
    case TENSOR_I32:
        return ((const int32_t *)t->data)[i];
    case TENSOR_U32:
        return ((const uint32_t *)t->data)[i];
    case TENSOR_I16:
        return ((const int16_t *)t->data)[i];
    case TENSOR_U16:
        return ((const uint16_t *)t->data)[i];
    case TENSOR_I8:
        return ((const int8_t *)t->data)[i];
    case TENSOR_U8:
    case TENSOR_BOOL:
        return ((const uint8_t *)t->data)[i];
    case TENSOR_F32:
    case TENSOR_F64:
    case TENSOR_F16:
    case TENSOR_BF16:
        return whole(tensor_value(t, i));
    }
    return 0;
}

void tensor_set_value(struct tensor *t, int64_t i, double v)
{
    switch (t->type) {
    case TENSOR_F32:
        ((float *)t->data)[i] = (float)v;
        break;
    case TENSOR_F64:
        ((double *)t->data)[i] = v;
        break;
    case TENSOR_F16:
        ((uint16_t *)t->data)[i] = half_from_double(v);
        break;
    case TENSOR_BF16:
        ((uint16_t *)t->data)[i] = bfloat_from_double(v);
        break;
    case TENSOR_BOOL:
        ((uint8_t *)t->data)[i] = v != 0.0;
        break;
    case TENSOR_U64:
        if (v >= 9223372036854775808.0 && v < 18446744073709551616.0)
            ((uint64_t *)t->data)[i] = (uint64_t)v;
        else
            tensor_set_integer(t, i, whole(v));
        break;
    default:
        tensor_set_integer(t, i, whole(v));
        break;
    }
}

void tensor_set_integer(struct tensor *t, int64_t i, int64_t v)
{
    switch (t->type) {
    case TENSOR_I64:
    case TENSOR_U64:
        ((int64_t *)t->data)[i] = v;
        break;
    case TENSOR_I32:
    case TENSOR_U32:
        ((uint32_t *)t->data)[i] = (uint32_t)(uint64_t)v;
        break;
    case TENSOR_I16:
    case TENSOR_U16:
        ((uint16_t *)t->data)[i] = (uint16_t)(uint64_t)v;
        break;
    case TENSOR_I8:
    case TENSOR_U8:
        ((uint8_t *)t->data)[i] = (uint8_t)(uint64_t)v;
        break;
    case TENSOR_BOOL:
        ((uint8_t *)t->data)[i] = v != 0;
        break;
    case TENSOR_F32:
        ((float *)t->data)[i] = (float)v;
        break;
    case TENSOR_F64:
        ((double *)t->data)[i] = (double)v;
        break;
    case TENSOR_F16:
        ((uint16_t *)t->data)[i] = half_from_double((double)v);
        break;
    case TENSOR_BF16:
        ((uint16_t *)t->data)[i] = bfloat_from_double((double)v);
        break;
    }
}

int tensor_compare(const struct tensor *t, int64_t a, int64_t b)
{
    if (t->type == TENSOR_F32 || t->type == TENSOR_F64 || half_type(t->type)) {
        double x = tensor_value(t, a), y = tensor_value(t, b);

        return isnan(x) || isnan(y) ? isnan(x) - isnan(y) : (x > y) - (x < y);
    }
    if (t->type == TENSOR_U64) {
        const uint64_t *v = t->data;

        return (v[a] > v[b]) - (v[a] < v[b]);
    }
    return (tensor_integer(t, a) > tensor_integer(t, b)) - (tensor_integer(t, a) < tensor_integer(t, b));
}
