#include "coordinator/evaluate/ranking.h"

#include <stdlib.h>
#include <string.h>

struct ranked {
    uint64_t key;
    uint32_t item;
    uint8_t is_fake;
};

/* Doubles of 0 and up are ordered as their bits are. */
static uint64_t key_of(double p_fake)
{
    double positive = p_fake + 0.0; /* not -0 */
    uint64_t key;

    memcpy(&key, &positive, sizeof(key));
    return key;
}

static double of_key(uint64_t key)
{
    double p_fake;

    memcpy(&p_fake, &key, sizeof(p_fake));
    return p_fake;
}

enum { DIGIT_BITS = 11, N_DIGITS = 6, N_BUCKETS = 1 << DIGIT_BITS };

static size_t digit_of(uint64_t key, int digit)
{
    return key >> (digit * DIGIT_BITS) & (N_BUCKETS - 1);
}

/* By key, equal keys in the order in which they stood: a radix sort, linear in n. Returns which of the two holds it. */
static struct ranked *sort(struct ranked *items, struct ranked *spare, size_t n, size_t counts[N_DIGITS][N_BUCKETS])
{
    memset(counts, 0, sizeof(size_t) * N_DIGITS * N_BUCKETS);
    for (size_t i = 0; i < n; i++) {
        for (int d = 0; d < N_DIGITS; d++)
            counts[d][digit_of(items[i].key, d)]++;
    }
    for (int d = 0; d < N_DIGITS; d++) {
        size_t start = 0;
        struct ranked *swapped = spare;

        /* All alike in this digit: nothing moves. */
        if (n == 0 || counts[d][digit_of(items[0].key, d)] == n)
            continue;
        for (size_t b = 0; b < N_BUCKETS; b++) {
            size_t count = counts[d][b];

            counts[d][b] = start;
            start += count;
        }
        for (size_t i = 0; i < n; i++)
            spare[counts[d][digit_of(items[i].key, d)]++] = items[i];
        spare = items;
        items = swapped;
    }
    return items;
}

static enum status allocate(size_t n, struct ranking *ret_r, struct error *e)
{
    struct ranking r = {0};

    /* One more than needed: malloc(0) may give NULL. */
    r.p_fake = malloc((n + 1) * sizeof(*r.p_fake));
    r.is_fake = malloc((n + 1) * sizeof(*r.is_fake));
    r.item = malloc((n + 1) * sizeof(*r.item));
    if (!r.p_fake || !r.is_fake || !r.item) {
        ranking_close(&r);
        return error_no_memory(e);
    }
    *ret_r = r;
    return STATUS_OK;
}

static void push(struct ranking *r, double p_fake, uint8_t is_fake, uint32_t item)
{
    r->p_fake[r->n] = p_fake;
    r->is_fake[r->n] = is_fake;
    r->item[r->n] = item;
    r->n++;
    r->n_fake += is_fake;
    r->n_real += !is_fake;
}

enum status ranking_open(const double *p_fake, const uint8_t *is_fake, size_t n, struct ranking *ret_r, struct error *e)
{
    struct ranked *items, *spare, *sorted;
    size_t(*counts)[N_BUCKETS];
    struct ranking r;
    enum status s;

    if (n >= UINT32_MAX)
        return error_set(e, STATUS_UNSUPPORTED, "metrics: %zu items; at most %u", n, UINT32_MAX - 1);
    for (size_t i = 0; i < n; i++) {
        if (!(p_fake[i] >= 0 && p_fake[i] <= 1))
            return error_set(e, STATUS_INVALID, "metrics: score %g of item %zu is not in 0..1", p_fake[i], i);
    }
    items = malloc((n + 1) * sizeof(*items));
    spare = malloc((n + 1) * sizeof(*spare));
    counts = malloc(N_DIGITS * sizeof(*counts));
    s = items && spare && counts ? allocate(n, &r, e) : error_no_memory(e);
    if (s != STATUS_OK)
        goto end;
    for (size_t i = 0; i < n; i++)
        items[i] = (struct ranked){.key = key_of(p_fake[i]), .item = (uint32_t)i, .is_fake = is_fake[i] != 0};
    sorted = sort(items, spare, n, counts);
    for (size_t i = 0; i < n; i++)
        push(&r, of_key(sorted[i].key), sorted[i].is_fake, sorted[i].item);
    *ret_r = r;
end:
    free(items);
    free(spare);
    free(counts);
    return s;
}

enum status ranking_subset(const struct ranking *parent, const uint8_t *keep, struct ranking *ret_r, struct error *e)
{
    struct ranking r;
    size_t n = 0;
    enum status s;

    for (size_t i = 0; i < parent->n; i++)
        n += keep[parent->item[i]] != 0;
    s = allocate(n, &r, e);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < parent->n; i++) {
        if (keep[parent->item[i]])
            push(&r, parent->p_fake[i], parent->is_fake[i], parent->item[i]);
    }
    *ret_r = r;
    return STATUS_OK;
}

enum status ranking_split(const struct ranking *parent, const uint32_t *part, size_t n_parts, struct ranking *ret_parts,
                          struct error *e)
{
    size_t *counts = calloc(n_parts + 1, sizeof(*counts)), n_made = 0;
    enum status s = counts ? STATUS_OK : error_no_memory(e);

    for (size_t i = 0; s == STATUS_OK && i < parent->n; i++) {
        if (part[parent->item[i]] < n_parts)
            counts[part[parent->item[i]]]++;
    }
    for (; s == STATUS_OK && n_made < n_parts; n_made++) {
        s = allocate(counts[n_made], &ret_parts[n_made], e);
        if (s != STATUS_OK)
            break;
    }
    for (size_t i = 0; s == STATUS_OK && i < parent->n; i++) {
        uint32_t its = part[parent->item[i]];

        if (its < n_parts)
            push(&ret_parts[its], parent->p_fake[i], parent->is_fake[i], parent->item[i]);
    }
    for (size_t k = 0; s != STATUS_OK && k < n_made; k++)
        ranking_close(&ret_parts[k]);
    free(counts);
    return s;
}

enum status ranking_merge(const struct ranking *a, const struct ranking *b, struct ranking *ret_r, struct error *e)
{
    struct ranking r;
    size_t i = 0, k = 0;
    enum status s = allocate(a->n + b->n, &r, e);

    if (s != STATUS_OK)
        return s;
    while (i < a->n || k < b->n) {
        bool from_a =
            k == b->n ||
            (i < a->n && (a->p_fake[i] < b->p_fake[k] || (a->p_fake[i] == b->p_fake[k] && a->item[i] < b->item[k])));
        const struct ranking *from = from_a ? a : b;
        size_t at = from_a ? i++ : k++;

        push(&r, from->p_fake[at], from->is_fake[at], from->item[at]);
    }
    *ret_r = r;
    return STATUS_OK;
}

void ranking_close(struct ranking *r)
{
    free(r->p_fake);
    free(r->is_fake);
    free(r->item);
    *r = (struct ranking){0};
}
