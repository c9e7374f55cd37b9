/* Lifetimes of a session's values, and their places in its arena. */
#include <stdlib.h>
#include <sys/mman.h>

#include "models/memory_plan.h"
#include "models/network_private.h"
#include "models/session_private.h"

/* A lifetime of memory that one or more values share. */
struct holder {
    size_t parent; /* itself for the one that stands for its group */
    size_t first, last;
    bool used, pinned; /* pinned: an output of the graph, alive to the end */
};

static size_t root_of(const struct holder *h, size_t v)
{
    while (h[v].parent != v)
        v = h[v].parent;
    return v;
}

static size_t value_bytes(const struct session *s, size_t v)
{
    size_t bytes = 0;

    (void)tensor_shape_bytes(&s->tensors[v].shape, s->tensors[v].type, &bytes);
    return bytes;
}

static void join(struct holder *h, size_t into, size_t v)
{
    into = root_of(h, into);
    v = root_of(h, v);
    if (into == v)
        return;
    h[v].parent = into;
    h[into].last = h[into].last > h[v].last ? h[into].last : h[v].last;
    h[into].pinned = h[into].pinned || h[v].pinned;
}

/* A step's values; at: its time. */
static void note_step(const struct session *s, struct holder *h, const struct call *c, size_t at)
{
    for (size_t k = 0; k < c->n_out; k++) {
        size_t v = c->out[k] ? (size_t)(c->out[k] - s->tensors) : 0;

        if (!c->out[k])
            continue;
        h[v].used = true;
        h[v].first = h[v].last = at;
    }
    for (size_t k = 0; k < c->n_in; k++) {
        if (c->in[k])
            h[c->in[k] - s->tensors].last = at;
    }
}

/* The plan's entries instead of steps. A region comes back to its tensors with each image, so they live for all of
 * it. */
static void note_entries(const struct session *s, struct holder *h)
{
    const struct nhwc_plan *p = s->nhwc;
    size_t region = 0;

    for (size_t i = 0; i < p->n_entries; i++) {
        const struct nhwc_op *op;
        size_t v;

        if (!p->entries[i].is_op) {
            note_step(s, h, &s->steps[p->entries[i].index].call, i);
            continue;
        }
        if (p->entries[i].region_end > 0)
            region = i;
        op = &p->ops[p->entries[i].index];
        if (op->kind == NHWC_IMPORT) {
            v = p->values[op->out].tensor;
            h[v].last = p->entries[region].region_end - 1;
        } else if (op->kind == NHWC_EXPORT) {
            v = p->values[op->in[0]].tensor;
            h[v].used = true;
            h[v].first = region;
            h[v].last = p->entries[region].region_end - 1;
        }
    }
}

static void find_lifetimes(const struct session *s, struct holder *h)
{
    const struct graph *g = s->network->graph;
    size_t end = s->nhwc ? s->nhwc->n_entries : s->n_steps;

    for (size_t v = 0; v < g->n_values; v++)
        h[v].parent = v;
    for (size_t i = 0; i < g->n_inputs; i++)
        h[g->inputs[i]].used = true;
    for (size_t i = 0; i < s->n_steps && !s->nhwc; i++)
        note_step(s, h, &s->steps[i].call, i);
    if (s->nhwc)
        note_entries(s, h);
    for (size_t i = 0; i < g->n_outputs; i++) {
        h[g->outputs[i]].last = end;
        h[g->outputs[i]].pinned = true;
    }
}

static size_t n_times(const struct session *s)
{
    return s->nhwc ? s->nhwc->n_entries : s->n_steps;
}

/* The step that runs at that time; NULL: an operation of the plan does. */
static struct call *call_at(const struct session *s, size_t time)
{
    if (!s->nhwc)
        return &s->steps[time].call;
    return s->nhwc->entries[time].is_op ? NULL : &s->steps[s->nhwc->entries[time].index].call;
}

/* Views take their input's memory always (unless it is a constant); in-place operators where it dies with
 * them. */
static void share_memory(struct session *s, struct holder *h, unsigned flag)
{
    for (size_t i = 0; i < n_times(s); i++) {
        const struct call *c = call_at(s, i);
        size_t in, out, in_root;
        bool shared = false;

        if (!c || !(c->op->flags & flag) || c->n_in == 0 || !c->in[0] || !c->out[0] || c->in[0]->data)
            continue;
        in = (size_t)(c->in[0] - s->tensors);
        out = (size_t)(c->out[0] - s->tensors);
        in_root = root_of(h, in);
        if (value_bytes(s, in) != value_bytes(s, out))
            continue;
        for (size_t k = 1; k < c->n_in; k++)
            shared = shared || (c->in[k] && root_of(h, (size_t)(c->in[k] - s->tensors)) == in_root);
        if (flag == OP_VIEW || (!shared && h[in_root].last == i && !h[in_root].pinned))
            join(h, in_root, out);
    }
}

/* In huge pages where that is possible. */
static void *arena_memory(size_t bytes)
{
    const size_t huge = (size_t)2 << 20;
    void *arena;

    if (bytes < 2 * huge)
        return aligned_alloc(TENSOR_ALIGN_BYTES, bytes);
    bytes = (bytes + huge - 1) / huge * huge;
    arena = aligned_alloc(huge, bytes);
    if (arena)
        (void)madvise(arena, bytes, MADV_HUGEPAGE);
    return arena;
}

enum status session_place(struct session *s, size_t limit, struct error *e)
{
    const struct graph *g = s->network->graph;
    struct holder *h = calloc(g->n_values + 1, sizeof(*h));
    size_t n_nhwc = s->nhwc ? nhwc_plan_block_count(s->nhwc) : 0, n = 0, n_values;
    struct memory_block *blocks = calloc(g->n_values + n_times(s) + n_nhwc + 1, sizeof(*blocks));
    size_t *block_of = calloc(g->n_values + 1, sizeof(*block_of));
    enum status st;

    if (!h || !blocks || !block_of) {
        st = error_no_memory(e);
        goto end;
    }
    find_lifetimes(s, h);
    share_memory(s, h, OP_VIEW);
    share_memory(s, h, OP_IN_PLACE);
    for (size_t v = 0; v < g->n_values; v++) {
        if (!h[v].used || h[v].parent != v || s->tensors[v].data)
            continue;
        block_of[v] = n;
        blocks[n++] = (struct memory_block){.bytes = value_bytes(s, v), .first = h[v].first, .last = h[v].last};
    }
    n_values = n;
    for (size_t i = 0; i < n_times(s); i++) {
        size_t bytes = call_at(s, i) ? call_at(s, i)->scratch_bytes : 0;

        blocks[n++] = (struct memory_block){.bytes = bytes, .first = i, .last = i};
    }
    if (s->nhwc)
        nhwc_plan_blocks(s->nhwc, blocks + n);
    n += n_nhwc;
    st = memory_plan(blocks, n, limit, &s->arena_bytes, e);
    if (st != STATUS_OK)
        goto end;
    s->arena = arena_memory(s->arena_bytes + TENSOR_ALIGN_BYTES);
    if (!s->arena) {
        st = error_set(e, STATUS_NO_MEMORY, "%s: no memory for an arena of %zu bytes", g->path, s->arena_bytes);
        goto end;
    }
    for (size_t v = 0; v < g->n_values; v++) {
        if (h[v].used && !s->tensors[v].data)
            s->tensors[v].data = (char *)s->arena + blocks[block_of[root_of(h, v)]].offset;
    }
    for (size_t i = 0; i < n_times(s); i++) {
        if (call_at(s, i))
            call_at(s, i)->scratch = (char *)s->arena + blocks[n_values + i].offset;
    }
    if (s->nhwc)
        nhwc_plan_place(s->nhwc, blocks + n - n_nhwc, s->arena);
end:
    free(h);
    free(blocks);
    free(block_of);
    return st;
}
