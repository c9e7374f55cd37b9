/* results_store: memory for many small things that stay where they are, and things that repeat, each kept once.
 * Internal to coordinator/results*.c. */
#ifndef FAKESIFT_COORDINATOR_RESULTS_STORE_H
#define FAKESIFT_COORDINATOR_RESULTS_STORE_H

#include <stddef.h>
#include <stdint.h>

enum {
    STORE_BLOCK_BITS = 21, /* a huge page: results are read in an order that is not theirs */
    STORE_BLOCK_BYTES = 1 << STORE_BLOCK_BITS,
    STORE_SLACK_BYTES = 8, /* at a block's end, so that a number may be read as eight bytes */
};

/* Memory that is never moved. Zeroed before. */
struct store {
    uint8_t **blocks;
    size_t n, room, used_bytes; /* used: of the last block */
};

void store_clear(struct store *s);
/* len bytes in one piece, at most STORE_BLOCK_BYTES - STORE_SLACK_BYTES; NULL: out of memory. */
uint8_t *store_take(struct store *s, size_t len);
/* Of a place in the last block: block << STORE_BLOCK_BITS | byte. */
uint64_t store_place(const struct store *s, const uint8_t *at);

static inline const uint8_t *store_at(const struct store *s, uint64_t place)
{
    return s->blocks[place >> STORE_BLOCK_BITS] + (place & (STORE_BLOCK_BYTES - 1));
}

/* Things of up to 65,535 bytes, each kept once and numbered; open addressing under a secret key, so that hostile texts
 * cannot collide on purpose. Zeroed before, but for the key. */
struct pool {
    const uint8_t **things; /* by number; each begins with its length */
    size_t n, room;
    uint32_t last;   /* asked for: what follows is often the same */
    uint32_t *table; /* number + 1; 0: free */
    size_t table_room;
    uint64_t key;
};

void pool_clear(struct pool *p);
/* The thing is kept in s. UINT32_MAX: out of memory. */
uint32_t pool_number(struct pool *p, struct store *s, const void *bytes, size_t len);
/* number < p->n; ret_len may be NULL. */
const void *pool_thing(const struct pool *p, uint32_t number, size_t *ret_len);

#endif
