#include "models/memory_plan.h"

#include <stdlib.h>

#include "models/tensor.h"

static int by_size(const void *a, const void *b)
{
    const struct memory_block *x = *(struct memory_block *const *)a, *y = *(struct memory_block *const *)b;

    if (x->bytes != y->bytes)
        return x->bytes > y->bytes ? -1 : 1;
    /* By place in the list, so that the plan does not depend on the sort. */
    return x < y ? -1 : x > y;
}

/* Inserts `block` into the list of placed ones, which is sorted by offset. */
static void place(struct memory_block **placed, size_t n, struct memory_block *block)
{
    size_t offset = 0, at;

    for (size_t i = 0; i < n; i++) {
        const struct memory_block *other = placed[i];

        if (other->last < block->first || other->first > block->last)
            continue;
        if (other->offset >= offset && other->offset - offset >= block->bytes)
            break;
        if (other->offset + other->bytes > offset)
            offset = other->offset + other->bytes;
    }
    block->offset = offset;
    for (at = n; at > 0 && placed[at - 1]->offset > offset; at--)
        placed[at] = placed[at - 1];
    placed[at] = block;
}

enum status memory_plan(struct memory_block *blocks, size_t n, size_t max_bytes, size_t *ret_arena_bytes,
                        struct error *e)
{
    struct memory_block **sorted = calloc(n + 1, sizeof(struct memory_block *)),
                        **placed = calloc(n + 1, sizeof(struct memory_block *));
    size_t total = 0;
    enum status s = STATUS_OK;

    if (!sorted || !placed) {
        s = error_no_memory(e);
        goto end;
    }
    for (size_t i = 0; i < n; i++) {
        if (blocks[i].bytes > max_bytes) {
            s = error_set(e, STATUS_INVALID, "one value needs %zu bytes, the bound is %zu", blocks[i].bytes, max_bytes);
            goto end;
        }
        blocks[i].bytes = (blocks[i].bytes / TENSOR_ALIGN_BYTES + 1) * TENSOR_ALIGN_BYTES;
        sorted[i] = &blocks[i];
    }
    qsort(sorted, n, sizeof(struct memory_block *), by_size);
    for (size_t i = 0; i < n; i++) {
        place(placed, i, sorted[i]);
        if (sorted[i]->offset + sorted[i]->bytes > total)
            total = sorted[i]->offset + sorted[i]->bytes;
        if (total > max_bytes) {
            s = error_set(e, STATUS_INVALID, "the network's values need more than %zu bytes at this shape", max_bytes);
            goto end;
        }
    }
    *ret_arena_bytes = total;
end:
    free(sorted);
    free(placed);
    return s;
}
