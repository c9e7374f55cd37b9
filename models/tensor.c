#include "models/network.h"

size_t tensor_type_bytes(enum tensor_type t)
{
    switch (t) {
    case TENSOR_I64:
    case TENSOR_F64:
        return 8;
    case TENSOR_F32:
    case TENSOR_I32:
        return 4;
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
    }
    return "unknown";
}

int64_t tensor_shape_count(const struct tensor_shape *s)
{
    int64_t count = 1;

    for (unsigned i = 0; i < s->rank; i++)
        count *= s->dims[i];
    return count;
}
