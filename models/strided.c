#include "models/strided.h"

#include <string.h>

void strided_push(struct strided *v, int64_t dim, int64_t stride)
{
    v->dims[v->rank] = dim;
    v->strides[v->rank++] = stride;
}

void strided_merge(struct strided *v)
{
    struct strided merged = {0};

    for (unsigned i = 0; i < v->rank; i++) {
        unsigned last = merged.rank - 1;

        if (v->dims[i] == 1)
            continue;
        if (merged.rank > 0 && merged.strides[last] == v->strides[i] * v->dims[i]) {
            merged.dims[last] *= v->dims[i];
            merged.strides[last] = v->strides[i];
        } else {
            strided_push(&merged, v->dims[i], v->strides[i]);
        }
    }
    if (merged.rank == 0)
        strided_push(&merged, 1, 1);
    *v = merged;
}

static void copy_line(const char *from, char *to, int64_t n, int64_t stride, size_t unit)
{
    if (stride == 1) {
        memcpy(to, from, (size_t)n * unit);
        return;
    }
    switch (unit) {
    case 2:
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)(void *)to)[i] = ((const uint16_t *)(const void *)from)[i * stride];
        break;
    case 4:
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)(void *)to)[i] = ((const uint32_t *)(const void *)from)[i * stride];
        break;
    case 8:
        for (int64_t i = 0; i < n; i++)
            ((uint64_t *)(void *)to)[i] = ((const uint64_t *)(const void *)from)[i * stride];
        break;
    default:
        for (int64_t i = 0; i < n; i++)
            to[i] = from[i * stride];
        break;
    }
}

void strided_copy(const struct strided *v, const void *from, void *to, size_t unit)
{
    int64_t index[STRIDED_MAX_RANK] = {0}, at = 0, n = v->dims[v->rank - 1];
    char *out = to;

    for (unsigned i = 0; i < v->rank; i++) {
        if (v->dims[i] <= 0)
            return;
    }
    for (;;) {
        int i = (int)v->rank - 2;

        copy_line((const char *)from + at * (int64_t)unit, out, n, v->strides[v->rank - 1], unit);
        out += (size_t)n * unit;
        for (; i >= 0; i--) {
            at += v->strides[i];
            if (++index[i] < v->dims[i])
                break;
            at -= v->strides[i] * v->dims[i];
            index[i] = 0;
        }
        if (i < 0)
            return;
    }
}
