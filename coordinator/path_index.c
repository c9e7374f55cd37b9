#include "coordinator/path_index.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "shard/hash.h"

/* Open addressing. A slot holds the upper half of the name's hash, whether two entries have the name, and the index + 1 of
 * the first of them; 0 is free. */
#define SLOT_TWICE ((uint64_t)1 << 31)
#define SLOT_INDEX (SLOT_TWICE - 1)

enum { BATCH = 64 };

struct path_index {
    const struct manifest *m;
    enum path_part part;
    uint64_t key;
    uint64_t *slots;
    size_t mask;
};

struct name {
    const char *text;
    size_t len_bytes;
};

static struct name name_of(const struct path_index *x, size_t i)
{
    const char *path = manifest_entry(x->m, i)->path;
    const char *slash = x->part == PATH_WHOLE ? NULL : strrchr(path, '/');
    struct name n = {.text = slash ? slash + 1 : path};

    n.len_bytes = strlen(n.text);
    for (size_t k = n.len_bytes; x->part == PATH_STEM && k > 1; k--) {
        if (n.text[k - 1] == '.') {
            n.len_bytes = k - 1;
            break;
        }
    }
    return n;
}

/* The slot that holds the name, or the free one where it belongs. */
static uint64_t *slot_of(const struct path_index *x, const struct name *name, uint64_t hash)
{
    for (size_t at = hash & x->mask;; at = (at + 1) & x->mask) {
        uint64_t slot = x->slots[at];
        struct name other;

        if (slot == 0)
            return &x->slots[at];
        if (slot >> 32 != hash >> 32)
            continue;
        /* A whole path ends where the name does. */
        if (x->part == PATH_WHOLE) {
            if (strcmp(manifest_entry(x->m, (size_t)(slot & SLOT_INDEX) - 1)->path, name->text) == 0)
                return &x->slots[at];
            continue;
        }
        other = name_of(x, (size_t)(slot & SLOT_INDEX) - 1);
        if (other.len_bytes == name->len_bytes && memcmp(other.text, name->text, name->len_bytes) == 0)
            return &x->slots[at];
    }
}

/* Looked into at random: with small pages, the search for the page takes longer than the read. */
static void advise_huge(void *memory, size_t len_bytes)
{
    const uintptr_t huge = 2 << 20;
    uintptr_t start = ((uintptr_t)memory + huge - 1) & ~(huge - 1), end = ((uintptr_t)memory + len_bytes) & ~(huge - 1);

    if (end > start)
        madvise((void *)start, end - start, MADV_HUGEPAGE);
}

/* Together, so that they do not wait for the memory one after the other. */
static void add_batch(struct path_index *x, size_t begin, size_t end, bool without_fakes)
{
    uint64_t hashes[BATCH] = {0};

    for (size_t i = begin; i < end; i++) {
        struct name name = name_of(x, i);

        hashes[i - begin] = hash_keyed(x->key, name.text, name.len_bytes);
        __builtin_prefetch(&x->slots[hashes[i - begin] & x->mask], 1);
    }
    for (size_t i = begin; i < end; i++) {
        uint64_t hash = hashes[i - begin], *slot;
        struct name name = name_of(x, i);

        if (without_fakes && manifest_entry(x->m, i)->label == LABEL_FAKE)
            continue;
        slot = slot_of(x, &name, hash);
        *slot = *slot == 0 ? (hash >> 32 << 32) | (i + 1) : *slot | SLOT_TWICE;
    }
}

enum status path_index_open(const struct manifest *m, enum path_part part, bool without_fakes,
                            struct path_index **ret_x, struct error *e)
{
    size_t n = manifest_count(m), room = 64;
    struct path_index *x;

    if (n >= SLOT_INDEX)
        return error_set(e, STATUS_UNSUPPORTED, "%zu videos; at most %llu", n, (unsigned long long)SLOT_INDEX - 1);
    while (room < 2 * n)
        room *= 2;
    x = calloc(1, sizeof(*x));
    if (!x)
        return error_no_memory(e);
    x->m = m;
    x->part = part;
    x->key = hash_random_key();
    x->mask = room - 1;
    x->slots = calloc(room, sizeof(*x->slots));
    if (!x->slots) {
        path_index_close(&x);
        return error_no_memory(e);
    }
    advise_huge(x->slots, room * sizeof(*x->slots));
    for (size_t i = 0; i < n; i += BATCH)
        add_batch(x, i, n - i < BATCH ? n : i + BATCH, without_fakes);
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

uint64_t path_index_hash(const struct path_index *x, const char *name)
{
    uint64_t hash = hash_keyed(x->key, name, strlen(name));

    __builtin_prefetch(&x->slots[hash & x->mask]);
    return hash;
}

void path_index_near(const struct path_index *x, uint64_t hash, int step)
{
    uint64_t slot = x->slots[hash & x->mask];
    size_t i = (size_t)(slot & SLOT_INDEX) - 1;

    if (slot == 0)
        return;
    if (step == 0)
        manifest_prefetch(x->m, i);
    else if (step == 1)
        __builtin_prefetch(manifest_entry(x->m, i));
    else
        __builtin_prefetch(manifest_entry(x->m, i)->path);
}

size_t path_index_find_hashed(const struct path_index *x, const char *text, uint64_t hash)
{
    struct name name = {.text = text, .len_bytes = strlen(text)};
    uint64_t slot = *slot_of(x, &name, hash);

    return slot == 0 || (slot & SLOT_TWICE) ? SIZE_MAX : (size_t)(slot & SLOT_INDEX) - 1;
}

size_t path_index_find(const struct path_index *x, const char *name)
{
    return path_index_find_hashed(x, name, path_index_hash(x, name));
}
