#include "coordinator/evaluate/ranking.h"

#include <stdlib.h>

struct ranked {
    double p_fake;
    uint32_t item;
    uint8_t is_fake;
};

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;

    if (a->p_fake != b->p_fake)
        return a->p_fake < b->p_fake ? -1 : 1;
    return a->item < b->item ? -1 : a->item > b->item;
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
    struct ranked *items;
    struct ranking r;
    enum status s;

    if (n >= UINT32_MAX)
        return error_set(e, STATUS_UNSUPPORTED, "metrics: %zu items; at most %u", n, UINT32_MAX - 1);
    for (size_t i = 0; i < n; i++) {
        if (!(p_fake[i] >= 0 && p_fake[i] <= 1))
            return error_set(e, STATUS_INVALID, "metrics: score %g of item %zu is not in 0..1", p_fake[i], i);
    }
    items = malloc((n + 1) * sizeof(*items));
    if (!items)
        return error_no_memory(e);
    s = allocate(n, &r, e);
    if (s != STATUS_OK) {
        free(items);
        return s;
    }
    for (size_t i = 0; i < n; i++)
        items[i] = (struct ranked){.p_fake = p_fake[i], .item = (uint32_t)i, .is_fake = is_fake[i] != 0};
    qsort(items, n, sizeof(*items), compare_ranked);
    for (size_t i = 0; i < n; i++)
        push(&r, items[i].p_fake, items[i].is_fake, items[i].item);
    free(items);
    *ret_r = r;
    return STATUS_OK;
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

void ranking_close(struct ranking *r)
{
    free(r->p_fake);
    free(r->is_fake);
    free(r->item);
    *r = (struct ranking){0};
}
