#include "coordinator/path_index.h"

#include <stdlib.h>
#include <string.h>

#include "shard/hash.h"

/* Open addressing. A slot holds the upper half of the path's hash, then the index + 1; 0 is free. */
struct path_index {
    const struct manifest *m;
    uint64_t key;
    uint64_t *slots;
    size_t mask;
};

enum status path_index_open(const struct manifest *m, struct path_index **ret_x, struct error *e)
{
    size_t n = manifest_count(m), room = 64;
    struct path_index *x;

    if (n >= UINT32_MAX)
        return error_set(e, STATUS_UNSUPPORTED, "%zu videos; at most %u", n, UINT32_MAX - 1);
    while (room < 2 * n)
        room *= 2;
    x = calloc(1, sizeof(*x));
    if (!x)
        return error_no_memory(e);
    x->m = m;
    x->key = hash_random_key();
    x->mask = room - 1;
    x->slots = calloc(room, sizeof(*x->slots));
    if (!x->slots) {
        path_index_close(&x);
        return error_no_memory(e);
    }
    for (size_t i = 0; i < n; i++) {
        const char *path = manifest_entry(m, i)->path;
        uint64_t h = hash_keyed(x->key, path, strlen(path));
        size_t at = h & x->mask;

        while (x->slots[at] != 0)
            at = (at + 1) & x->mask;
        x->slots[at] = (h >> 32 << 32) | (i + 1);
    }
    *ret_x = x;
    return STATUS_OK;
}

void path_index_close(struct path_index **x)
{
    if (!*x)
        return;
    free((*x)->slots);
    free(*x);
    *x = NULL;
}

size_t path_index_find(const struct path_index *x, const char *path)
{
    uint64_t h = hash_keyed(x->key, path, strlen(path));

    for (size_t at = h & x->mask; x->slots[at] != 0; at = (at + 1) & x->mask) {
        size_t i = (size_t)(x->slots[at] & UINT32_MAX) - 1;

        if (x->slots[at] >> 32 == h >> 32 && strcmp(manifest_entry(x->m, i)->path, path) == 0)
            return i;
    }
    return SIZE_MAX;
}
