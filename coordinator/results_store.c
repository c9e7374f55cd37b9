#include "coordinator/results_store.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "shard/hash.h"

void store_clear(struct store *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->blocks[i]);
    free(s->blocks);
    *s = (struct store){0};
}

uint8_t *store_take(struct store *s, size_t len)
{
    uint8_t *place;

    if (s->n == 0 || STORE_BLOCK_BYTES - STORE_SLACK_BYTES < s->used_bytes + len) {
        if (s->n == s->room) {
            size_t room = s->room ? 2 * s->room : 64;
            uint8_t **bigger = reallocarray(s->blocks, room, sizeof(s->blocks[0]));

            if (!bigger)
                return NULL;
            s->blocks = bigger;
            s->room = room;
        }
        s->blocks[s->n] = aligned_alloc(STORE_BLOCK_BYTES, STORE_BLOCK_BYTES);
        if (!s->blocks[s->n])
            return NULL;
        madvise(s->blocks[s->n], STORE_BLOCK_BYTES, MADV_HUGEPAGE);
        s->n++;
        s->used_bytes = 0;
    }
    place = s->blocks[s->n - 1] + s->used_bytes;
    s->used_bytes += len;
    return place;
}

uint64_t store_place(const struct store *s, const uint8_t *at)
{
    return (uint64_t)(s->n - 1) << STORE_BLOCK_BITS | (uint64_t)(at - s->blocks[s->n - 1]);
}

void pool_clear(struct pool *p)
{
    free(p->things);
    free(p->table);
    *p = (struct pool){0};
}

static uint16_t length_of(const uint8_t *thing)
{
    uint16_t len;

    memcpy(&len, thing, sizeof(len));
    return len;
}

static bool pool_grow(struct pool *p)
{
    if (p->n == p->room) {
        size_t room = p->room ? 2 * p->room : 64;
        const uint8_t **bigger = reallocarray(p->things, room, sizeof(p->things[0]));

        if (!bigger)
            return false;
        p->things = bigger;
        p->room = room;
    }
    if (2 * p->n >= p->table_room) {
        size_t room = p->table_room ? 2 * p->table_room : 256;
        uint32_t *table = calloc(room, sizeof(*table));

        if (!table)
            return false;
        for (size_t i = 0; i < p->n; i++) {
            uint64_t at = hash_keyed(p->key, p->things[i] + 2, length_of(p->things[i]));

            while (table[at & (room - 1)] != 0)
                at++;
            table[at & (room - 1)] = (uint32_t)i + 1;
        }
        free(p->table);
        p->table = table;
        p->table_room = room;
    }
    return true;
}

uint32_t pool_number(struct pool *p, struct store *s, const void *bytes, size_t len)
{
    uint16_t short_len = (uint16_t)len;
    uint64_t at;
    uint8_t *kept;

    if (p->n > 0 && length_of(p->things[p->last]) == len && memcmp(p->things[p->last] + 2, bytes, len) == 0)
        return p->last;
    if (!pool_grow(p) || p->n >= UINT32_MAX - 1)
        return UINT32_MAX;
    for (at = hash_keyed(p->key, bytes, len); p->table[at & (p->table_room - 1)] != 0; at++) {
        uint32_t number = p->table[at & (p->table_room - 1)] - 1;

        if (length_of(p->things[number]) == len && memcmp(p->things[number] + 2, bytes, len) == 0)
            return p->last = number;
    }
    kept = store_take(s, len + sizeof(short_len));
    if (!kept)
        return UINT32_MAX;
    memcpy(kept, &short_len, sizeof(short_len));
    memcpy(kept + sizeof(short_len), bytes, len);
    p->things[p->n] = kept;
    p->table[at & (p->table_room - 1)] = (uint32_t)p->n + 1;
    p->last = (uint32_t)p->n++;
    return p->last;
}

const void *pool_thing(const struct pool *p, uint32_t number, size_t *ret_len)
{
    if (ret_len)
        *ret_len = length_of(p->things[number]);
    return p->things[number] + sizeof(uint16_t);
}
