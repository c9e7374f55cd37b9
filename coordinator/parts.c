#include "coordinator/parts.h"

#include <stdlib.h>

#include "shard/segment.h"

/* The segments of one cut of one video. */
struct group {
    uint32_t entry, count, n_there;
    bool troubled;
    const struct result *failed; /* the first that did */
    struct result **results;     /* by index; NULL: not there */
};

/* A table of groups, open addressing by entry and count. */
struct parts {
    struct group **groups;
    size_t n_groups, room;
};

enum { FIRST_ROOM = 64 };

enum status parts_open(struct parts **ret_p)
{
    struct parts *p = calloc(1, sizeof(*p));

    if (!p)
        return STATUS_NO_MEMORY;
    *ret_p = p;
    return STATUS_OK;
}

static void group_free(struct group *g)
{
    for (uint32_t i = 0; g && g->results && i < g->count; i++) {
        if (g->results[i])
            result_clear(g->results[i]);
        free(g->results[i]);
    }
    if (g)
        free(g->results);
    free(g);
}

void parts_close(struct parts **p)
{
    if (!*p)
        return;
    for (size_t i = 0; i < (*p)->room; i++)
        group_free((*p)->groups[i]);
    free((*p)->groups);
    free(*p);
    *p = NULL;
}

static size_t place(const struct parts *p, uint32_t entry, uint32_t count)
{
    uint64_t hash = ((uint64_t)entry << 8 | count) * UINT64_C(0x9e3779b97f4a7c15);
    size_t at = (size_t)(hash >> 32) & (p->room - 1);

    while (p->groups[at] && (p->groups[at]->entry != entry || p->groups[at]->count != count))
        at = (at + 1) & (p->room - 1);
    return at;
}

static const struct group *find(const struct parts *p, uint32_t entry, uint32_t count)
{
    return p->room > 0 ? p->groups[place(p, entry, count)] : NULL;
}

static enum status grow(struct parts *p)
{
    struct parts bigger = {.n_groups = p->n_groups, .room = p->room ? 2 * p->room : FIRST_ROOM};

    bigger.groups = calloc(bigger.room, sizeof(struct group *));
    if (!bigger.groups)
        return STATUS_NO_MEMORY;
    for (size_t i = 0; i < p->room; i++) {
        if (p->groups[i])
            bigger.groups[place(&bigger, p->groups[i]->entry, p->groups[i]->count)] = p->groups[i];
    }
    free(p->groups);
    *p = bigger;
    return STATUS_OK;
}

static struct group *group_of(struct parts *p, uint32_t entry, uint32_t count)
{
    struct group *g;
    size_t at;

    if (2 * (p->n_groups + 1) > p->room && grow(p) != STATUS_OK)
        return NULL;
    at = place(p, entry, count);
    if (p->groups[at])
        return p->groups[at];
    g = calloc(1, sizeof(*g));
    if (!g)
        return NULL;
    *g = (struct group){.entry = entry, .count = count, .results = calloc(count, sizeof(struct result *))};
    if (!g->results) {
        free(g);
        return NULL;
    }
    p->groups[at] = g;
    p->n_groups++;
    return g;
}

static void settle(struct group *g)
{
    g->troubled = false;
    g->failed = NULL;
    for (uint32_t i = 0; i < g->count; i++) {
        if (!g->results[i])
            continue;
        g->troubled = g->troubled || g->results[i]->segment->state == SEGMENT_TROUBLED;
        if (!g->failed && g->results[i]->segment->state == SEGMENT_FAILED)
            g->failed = g->results[i];
    }
}

enum status parts_take(struct parts *p, uint32_t entry, struct result *r, bool *ret_kept, struct error *e)
{
    struct group *g = group_of(p, entry, r->segment->count);
    uint32_t index = r->segment->index;

    if (!g)
        return error_no_memory(e);
    *ret_kept = false;
    /* Of two records of one segment the better one: a lane may have died where another did not. */
    if (g->results[index] && g->results[index]->segment->state <= r->segment->state)
        return STATUS_OK;
    if (g->results[index]) {
        result_clear(g->results[index]);
    } else {
        g->results[index] = calloc(1, sizeof(struct result));
        if (!g->results[index])
            return error_no_memory(e);
        g->n_there++;
    }
    *g->results[index] = *r;
    *r = (struct result){0};
    *ret_kept = true;
    settle(g);
    return STATUS_OK;
}

/* STATUS_AGAIN: not decided. */
static enum status decide(const struct group *g, struct result *ret_r, struct error *e)
{
    const struct result *by_index[SEGMENT_MAX_COUNT];

    if (g->failed)
        return segment_copy_head(g->failed, ret_r) == STATUS_OK ? STATUS_OK : error_no_memory(e);
    if (g->n_there < g->count)
        return STATUS_AGAIN;
    for (uint32_t i = 0; i < g->count; i++)
        by_index[i] = g->results[i];
    return segment_join(by_index, g->count, ret_r, e);
}

static int by_entry(const void *a, const void *b)
{
    const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;

    if (x->entry != y->entry)
        return x->entry < y->entry ? -1 : 1;
    return (x->count > y->count) - (x->count < y->count);
}

static void forget_results(struct group *g)
{
    for (uint32_t i = 0; i < g->count; i++) {
        if (g->results[i])
            result_clear(g->results[i]);
        free(g->results[i]);
        g->results[i] = NULL;
    }
    g->failed = NULL;
    g->n_there = 0;
}

enum status parts_join(struct parts *p, parts_visit *visit, void *context, struct error *e)
{
    struct group **sorted = calloc(p->n_groups + 1, sizeof(struct group *));
    size_t n = 0;
    enum status s = STATUS_OK;

    if (!sorted)
        return error_no_memory(e);
    for (size_t i = 0; i < p->room; i++) {
        if (p->groups[i])
            sorted[n++] = p->groups[i];
    }
    qsort(sorted, n, sizeof(struct group *), by_entry); /* NOLINT(bugprone-sizeof-expression): of pointers */
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        struct result joined = {0};

        s = decide(sorted[i], &joined, e);
        if (s == STATUS_AGAIN) {
            s = STATUS_OK;
            continue;
        }
        if (s == STATUS_OK)
            s = visit(context, sorted[i]->entry, &joined, e);
        result_clear(&joined);
        if (s == STATUS_OK)
            forget_results(sorted[i]);
    }
    free(sorted);
    return s;
}

uint32_t parts_cut(const struct parts *p, uint32_t entry)
{
    const struct group *best = NULL;

    for (uint32_t count = 2; p->n_groups > 0 && count <= SEGMENT_MAX_COUNT; count++) {
        const struct group *g = find(p, entry, count);

        /* All there and not decided: parts that do not fit together, as no honest lane gives them. */
        if (g && (g->troubled || g->n_there == g->count))
            return 1;
        /* The share that is there, compared without a division. */
        if (g && g->n_there > 0 && (!best || (uint64_t)g->n_there * best->count > (uint64_t)best->n_there * g->count))
            best = g;
    }
    return best ? best->count : 0;
}

bool parts_has(const struct parts *p, uint32_t entry, uint32_t n_segments, uint32_t index)
{
    const struct group *g = find(p, entry, n_segments);

    return g && index < g->count && g->results[index];
}
