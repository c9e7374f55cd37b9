#include "coordinator/audit/hamming.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS = 16, CHUNK_BITS = 16, BUCKETS = 1 << CHUNK_BITS, MAX_THREADS = 64, SCAN = 4096 };

/* Bits j of each row of 16, j even: frequency j + 1 is odd. */
const uint64_t hamming_mirror[PRINT_HASH_WORDS] = {UINT64_C(0x5555555555555555), UINT64_C(0x5555555555555555),
                                                   UINT64_C(0x5555555555555555), UINT64_C(0x5555555555555555)};

/* Hashes sorted by one chunk. */
struct side {
    uint64_t *words; /* 64 bits from the chunk on, which is their lowest 16 */
    uint32_t *items;
    uint32_t *from; /* BUCKETS + 1: where each bucket begins */
};

/* One start of the ring; and what it found. */
struct start {
    struct near_pair *pairs;
    size_t n, room;
    uint64_t n_comparisons, n_crowded, n_skipped, n_dropped;
};

struct join {
    const struct hamming_picture *pictures;
    size_t n;
    struct hamming_settings settings;
    atomic_uint next;
    atomic_bool failed;
    struct start starts[CHUNKS];
};

/* One thread's. */
struct worker {
    struct join *join;
    struct start *start;
    unsigned chunk;
    struct side base, flipped;
    uint16_t *n_matches; /* of each picture in this start */
    uint32_t hits[SCAN];
};

unsigned hamming_distance(const uint64_t a[PRINT_HASH_WORDS], const uint64_t b[PRINT_HASH_WORDS])
{
    unsigned d = 0;

    for (unsigned k = 0; k < PRINT_HASH_WORDS; k++)
        d += (unsigned)__builtin_popcountll(a[k] ^ b[k]);
    return d;
}

static uint64_t word_from(const uint64_t hash[PRINT_HASH_WORDS], unsigned chunk)
{
    unsigned k = chunk / 4, shift = chunk % 4 * CHUNK_BITS;

    return shift == 0 ? hash[k] : hash[k] >> shift | hash[(k + 1) % PRINT_HASH_WORDS] << (64 - shift);
}

static void hash_of(const struct join *j, size_t i, bool is_flipped, uint64_t ret_hash[PRINT_HASH_WORDS])
{
    for (unsigned k = 0; k < PRINT_HASH_WORDS; k++)
        ret_hash[k] = j->pictures[i].hash[k] ^ (is_flipped ? j->settings.flip[k] : 0);
}

/* Counting sort. */
static void side_fill(const struct join *j, unsigned chunk, bool is_flipped, struct side *side)
{
    uint64_t hash[PRINT_HASH_WORDS];

    memset(side->from, 0, (BUCKETS + 1) * sizeof(side->from[0]));
    for (size_t i = 0; i < j->n; i++) {
        hash_of(j, i, is_flipped, hash);
        side->from[(word_from(hash, chunk) & (BUCKETS - 1)) + 1]++;
    }
    for (size_t v = 0; v < BUCKETS; v++)
        side->from[v + 1] += side->from[v];
    for (size_t i = 0; i < j->n; i++) {
        uint64_t word;
        uint32_t at;

        hash_of(j, i, is_flipped, hash);
        word = word_from(hash, chunk);
        at = side->from[word & (BUCKETS - 1)]++;
        side->words[at] = word;
        side->items[at] = (uint32_t)i;
    }
    /* Each bucket's beginning has become the next one's. */
    memmove(side->from + 1, side->from, BUCKETS * sizeof(side->from[0]));
    side->from[0] = 0;
}

static int by_owners(const void *a, const void *b)
{
    const struct near_pair *x = a, *y = b;

    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return (x->b > y->b) - (x->b < y->b);
}

/* Sorts, and makes one of the pairs of the same owners. */
static size_t unite(struct near_pair *pairs, size_t n)
{
    size_t kept = 0;

    if (n > 1)
        qsort(pairs, n, sizeof(*pairs), by_owners);
    for (size_t i = 0; i < n; i++) {
        struct near_pair *last = kept > 0 ? &pairs[kept - 1] : NULL;

        if (!last || last->a != pairs[i].a || last->b != pairs[i].b) {
            pairs[kept++] = pairs[i];
            continue;
        }
        last->matched_a |= pairs[i].matched_a;
        last->matched_b |= pairs[i].matched_b;
        if (pairs[i].distance < last->distance)
            last->distance = pairs[i].distance;
    }
    return kept;
}

static bool add(struct worker *w, const struct near_pair *pair)
{
    struct start *s = w->start;
    size_t max = w->join->settings.max_pairs;

    if (s->n == s->room) {
        s->n = unite(s->pairs, s->n);
        if (s->room == 0 || (s->n > s->room / 2 && s->room < 2 * max)) {
            size_t room = s->room ? 2 * s->room : 4096;
            struct near_pair *bigger = reallocarray(s->pairs, room, sizeof(*bigger));

            if (!bigger)
                return false;
            s->pairs = bigger;
            s->room = room;
        } else if (s->n >= max) {
            s->n_dropped += s->n - max;
            s->n = max;
        }
    }
    s->pairs[s->n++] = *pair;
    return true;
}

/* Whether `chunk` is the first start from which a and b pass; some start is. */
static bool is_first_start(const uint64_t *a, const uint64_t *b, unsigned chunk)
{
    for (unsigned c = 0; c < chunk; c++) {
        uint64_t differ = word_from(a, c) ^ word_from(b, c);

        if (__builtin_popcountll(differ & (BUCKETS - 1)) <= HAMMING_NEAR / CHUNKS &&
            __builtin_popcountll(differ) <= 4 * HAMMING_NEAR / CHUNKS)
            return false;
    }
    return true;
}

/* Pictures i (flipped, where there is a flip) and j passed the filter. */
static bool take(struct worker *w, uint32_t i, uint32_t j)
{
    const struct hamming_picture *x = &w->join->pictures[i], *y = &w->join->pictures[j];
    uint64_t hash[PRINT_HASH_WORDS];
    struct near_pair pair;
    unsigned distance;

    if (x->owner == y->owner)
        return true;
    hash_of(w->join, i, w->join->settings.flip != NULL, hash);
    distance = hamming_distance(hash, y->hash);
    if (distance > HAMMING_NEAR || !is_first_start(hash, y->hash, w->chunk))
        return true;
    if (w->n_matches[i] >= HAMMING_MATCHES_MAX || w->n_matches[j] >= HAMMING_MATCHES_MAX) {
        w->start->n_crowded++;
        return true;
    }
    w->n_matches[i]++;
    w->n_matches[j]++;
    if (x->owner > y->owner) {
        const struct hamming_picture *t = x;

        x = y;
        y = t;
    }
    pair = (struct near_pair){.a = x->owner,
                              .b = y->owner,
                              .matched_a = (uint8_t)(1u << x->slot),
                              .matched_b = (uint8_t)(1u << y->slot),
                              .distance = (uint8_t)distance};
    return add(w, &pair);
}

/* The pictures at [first, end) of side x against those of y; is_self: each pair of one bucket once. */
static bool compare(struct worker *w, const struct side *x, uint32_t x_first, uint32_t x_end, const struct side *y,
                    uint32_t y_first, uint32_t y_end, bool is_self)
{
    uint64_t n = (uint64_t)(x_end - x_first) * (y_end - y_first);

    if (n == 0)
        return true;
    if (n > w->join->settings.max_comparisons) {
        w->start->n_skipped += n;
        return true;
    }
    w->start->n_comparisons += is_self ? n / 2 : n;
    for (uint32_t i = x_first; i < x_end; i++) {
        for (uint32_t from = is_self ? i + 1 : y_first; from < y_end; from += SCAN) {
            uint32_t len = y_end - from < SCAN ? y_end - from : SCAN;
            size_t n_hits = hamming_scan(y->words + from, len, x->words[i], w->hits);

            for (size_t k = 0; k < n_hits; k++) {
                uint32_t other = y->items[from + w->hits[k]];

                /* A flip is its own inverse, so both sides find the same pair. */
                if (w->join->settings.flip && x->items[i] > other)
                    continue;
                if (!take(w, x->items[i], other))
                    return false;
            }
        }
    }
    return true;
}

static bool run_start(struct worker *w, unsigned chunk)
{
    const struct join *j = w->join;
    const bool has_flip = j->settings.flip != NULL;
    const struct side *x = has_flip ? &w->flipped : &w->base, *y = &w->base;

    w->chunk = chunk;
    w->start = &w->join->starts[chunk];
    memset(w->n_matches, 0, j->n * sizeof(w->n_matches[0]));
    side_fill(j, chunk, false, &w->base);
    if (has_flip)
        side_fill(j, chunk, true, &w->flipped);
    for (uint32_t v = 0; v < BUCKETS; v++) {
        if (x->from[v] == x->from[v + 1])
            continue;
        if (!compare(w, x, x->from[v], x->from[v + 1], y, y->from[v], y->from[v + 1], !has_flip))
            return false;
        for (unsigned bit = 0; bit < CHUNK_BITS; bit++) {
            uint32_t u = v ^ 1u << bit;

            if ((has_flip || u > v) && !compare(w, x, x->from[v], x->from[v + 1], y, y->from[u], y->from[u + 1], false))
                return false;
        }
    }
    w->start->n = unite(w->start->pairs, w->start->n);
    if (w->start->n > j->settings.max_pairs) {
        w->start->n_dropped += w->start->n - j->settings.max_pairs;
        w->start->n = j->settings.max_pairs;
    }
    return true;
}

static bool side_open(struct side *s, size_t n)
{
    s->words = malloc((n + 1) * sizeof(*s->words));
    s->items = malloc((n + 1) * sizeof(*s->items));
    s->from = malloc((BUCKETS + 1) * sizeof(*s->from));
    return s->words && s->items && s->from;
}

static void side_close(struct side *s)
{
    free(s->words);
    free(s->items);
    free(s->from);
}

static void *work(void *context)
{
    struct join *j = context;
    struct worker *w = calloc(1, sizeof(*w));
    bool ok = w != NULL;
    unsigned chunk;

    if (w) {
        w->join = j;
        w->n_matches = malloc((j->n + 1) * sizeof(*w->n_matches));
        ok = w->n_matches && side_open(&w->base, j->n) && (!j->settings.flip || side_open(&w->flipped, j->n));
    }
    while (ok && !atomic_load(&j->failed) && (chunk = atomic_fetch_add(&j->next, 1)) < CHUNKS)
        ok = run_start(w, chunk);
    if (!ok)
        atomic_store(&j->failed, true);
    if (w) {
        side_close(&w->base);
        side_close(&w->flipped);
        free(w->n_matches);
        free(w);
    }
    return NULL;
}

/* What the starts found, as one; empties them. */
static enum status gather(struct join *j, struct near_pairs *p)
{
    size_t n = 0;

    for (unsigned c = 0; c < CHUNKS; c++)
        n += j->starts[c].n;
    p->pairs = malloc((n + 1) * sizeof(*p->pairs));
    if (!p->pairs)
        return STATUS_NO_MEMORY;
    for (unsigned c = 0; c < CHUNKS; c++) {
        struct start *s = &j->starts[c];

        if (s->n > 0)
            memcpy(p->pairs + p->n, s->pairs, s->n * sizeof(*p->pairs));
        free(s->pairs);
        s->pairs = NULL;
        p->n += s->n;
        p->n_comparisons += s->n_comparisons;
        p->n_crowded += s->n_crowded;
        p->n_skipped += s->n_skipped;
        p->n_dropped += s->n_dropped;
    }
    p->n = unite(p->pairs, p->n);
    return STATUS_OK;
}

enum status hamming_join(const struct hamming_picture *pictures, size_t n, const struct hamming_settings *settings,
                         struct near_pairs *ret_p, struct error *e)
{
    struct join *j = calloc(1, sizeof(*j));
    struct near_pairs p = {0};
    pthread_t threads[MAX_THREADS];
    unsigned n_threads = 0, n_wanted;
    enum status s;

    if (!j)
        return error_no_memory(e);
    j->pictures = pictures;
    j->n = n;
    j->settings = *settings;
    if (j->settings.max_comparisons == 0)
        j->settings.max_comparisons = UINT64_C(1) << 34;
    if (j->settings.max_pairs == 0)
        j->settings.max_pairs = (size_t)1 << 24;
    n_wanted = settings->n_threads > MAX_THREADS ? MAX_THREADS : settings->n_threads;
    /* This thread is one of them. */
    while (n_threads + 1 < n_wanted && pthread_create(&threads[n_threads], NULL, work, j) == 0)
        n_threads++;
    work(j);
    for (unsigned k = 0; k < n_threads; k++)
        pthread_join(threads[k], NULL);
    s = atomic_load(&j->failed) ? STATUS_NO_MEMORY : gather(j, &p);
    for (unsigned c = 0; c < CHUNKS; c++)
        free(j->starts[c].pairs);
    free(j);
    if (s != STATUS_OK) {
        near_pairs_clear(&p);
        return error_no_memory(e);
    }
    *ret_p = p;
    return STATUS_OK;
}

void near_pairs_clear(struct near_pairs *p)
{
    free(p->pairs);
    *p = (struct near_pairs){0};
}
