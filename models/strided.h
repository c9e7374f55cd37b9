/* strided: a dense copy of a strided view. Transpose, Slice, Expand, Tile and the depth operators are this.
 */
#ifndef FAKESIFT_MODELS_STRIDED_H
#define FAKESIFT_MODELS_STRIDED_H

#include <stddef.h>
#include <stdint.h>

enum { STRIDED_MAX_RANK = 16 };

struct strided {
    unsigned rank;
    int64_t dims[STRIDED_MAX_RANK];
    int64_t strides[STRIDED_MAX_RANK]; /* of the source, in elements; 0 repeats, negative goes back */
};

void strided_push(struct strided *v, int64_t dim, int64_t stride);
/* Drops dimensions of 1 and merges neighbours that one loop can walk. */
void strided_merge(struct strided *v);
/* unit: bytes of an element, 1, 2, 4 or 8. from: the element at index 0 of all dimensions. */
void strided_copy(const struct strided *v, const void *from, void *to, size_t unit);

#endif
