/* The order of operations and steps, and how long each value lives in it. */
#include <stdlib.h>

#include "models/nhwc_plan.h"

/* Chunks are 1, 2, 4, 8 and 16 images. CACHE_BYTES: the second cache of the processors that are meant. */
enum { CHUNKS = 5, CACHE_BYTES = 2 << 20 };

size_t nhwc_image_bytes(const struct nhwc_value *v)
{
    return (size_t)v->pixels * (size_t)v->channels * (size_t)nhwc_element_bytes(v->integer, v->bf16);
}

static void add_entry(struct nhwc_plan *p, bool is_op, size_t index)
{
    p->entries[p->n_entries++] = (struct nhwc_entry){.is_op = is_op, .index = index, .chunk = 1};
}

static enum status add_exports(struct nhwc_plan *p, size_t op_index, struct error *e)
{
    size_t v = p->ops[op_index].out, index;
    struct nhwc_op op = {.kind = NHWC_EXPORT, .step = p->ops[op_index].step, .in = {v, NHWC_NONE}, .out = NHWC_NONE};
    enum status s;

    if (!p->values[v].exported)
        return STATUS_OK;
    /* Of several copies into one value, the last. */
    for (size_t i = op_index + 1; i < p->n_ops; i++) {
        if (!p->ops[i].removed && p->ops[i].out == v)
            return STATUS_OK;
    }
    s = nhwc_new_op(p, &op, &index, e);
    if (s == STATUS_OK)
        add_entry(p, true, index);
    return s;
}

/* Operations stand in the order of their steps; the steps that stay come between. */
static enum status make_entries(struct nhwc_plan *p, struct error *e)
{
    size_t n = p->n_ops, at = 0;
    enum status s = STATUS_OK;

    p->entries = calloc(p->n_ops * 2 + p->n_steps + 1, sizeof(*p->entries));
    if (!p->entries)
        return error_no_memory(e);
    for (size_t i = 0; i < p->n_steps && s == STATUS_OK; i++) {
        for (; at < n && p->ops[at].step == i && s == STATUS_OK; at++) {
            if (p->ops[at].removed)
                continue;
            add_entry(p, true, at);
            s = add_exports(p, at, e);
        }
        if (!p->taken[i])
            add_entry(p, false, i);
    }
    return s;
}

int64_t nhwc_batch(const struct nhwc_plan *p, const struct nhwc_op *op)
{
    return p->values[op->out != NHWC_NONE ? op->out : op->in[0]].batch;
}

static bool same_region(const struct nhwc_plan *p, size_t a, size_t b)
{
    const struct nhwc_entry *x = &p->entries[a], *y = &p->entries[b];

    return x->is_op && y->is_op && nhwc_batch(p, &p->ops[x->index]) == nhwc_batch(p, &p->ops[y->index]);
}

static double bytes_of(const struct nhwc_plan *p, size_t v)
{
    return v == NHWC_NONE ? 0 : (double)nhwc_image_bytes(&p->values[v]);
}

static double weight_bytes(const struct nhwc_plan *p, const struct nhwc_op *op)
{
    const struct window *w = &op->window;
    double bytes;

    if (op->kind != NHWC_CONV && op->kind != NHWC_BYTES)
        return 0;
    bytes = (double)p->values[op->in[0]].channels / (double)op->groups * (double)p->values[op->out].channels *
            (double)(w->kernel[0] * w->kernel[1] * w->kernel[2]) *
            (double)nhwc_element_bytes(p->values[op->in[0]].integer, p->values[op->in[0]].bf16);
    return op->winograd ? bytes * 4 : bytes;
}

/* What an operation moves from beyond the second cache for one image, when it sees `chunk` images before the next one's
 * turn: its weights once a chunk, and its values, there and back, as far as those of the chunk do not stay. */
static double traffic(const struct nhwc_plan *p, const struct nhwc_op *op, int64_t chunk)
{
    double values = bytes_of(p, op->in[0]) + bytes_of(p, op->in[1]) + bytes_of(p, op->out);
    double lost = (values * (double)chunk - 0.5 * CACHE_BYTES) / (1.5 * CACHE_BYTES);

    lost = lost < 0 ? 0 : lost > 1 ? 1 : lost;
    return weight_bytes(p, op) / (double)chunk + 2 * lost * values;
}

/* live[i]: bytes of an image that are there before entry first + i and read at it or later. last: room for n_values. */
static void find_live(const struct nhwc_plan *p, size_t first, size_t n, double *live, size_t *last)
{
    for (size_t v = 0; v < p->n_values; v++)
        last[v] = NHWC_NONE;
    for (size_t i = 0; i <= n; i++)
        live[i] = 0;
    for (size_t i = n; i-- > 0;) {
        const struct nhwc_op *op = &p->ops[p->entries[first + i].index];

        for (size_t k = 0; k < 2; k++) {
            if (op->in[k] != NHWC_NONE && last[op->in[k]] == NHWC_NONE)
                last[op->in[k]] = i;
        }
        /* Counted from the entry after its maker to its last reader, as a step up and a step down. */
        if (op->out != NHWC_NONE && last[op->out] != NHWC_NONE) {
            live[i + 1] += bytes_of(p, op->out);
            live[last[op->out] + 1] -= bytes_of(p, op->out);
            last[op->out] = NHWC_NONE;
        }
    }
    for (size_t i = 1; i <= n; i++)
        live[i] += live[i - 1];
}

/* The chunks of n operations in a row with the least traffic; a change of chunk costs what lives across it, there and
 * back. cost and from have room for n * CHUNKS. */
static void choose_chunks(struct nhwc_plan *p, size_t first, size_t n, const double *live, double *cost,
                          unsigned char *from)
{
    unsigned best = 0;

    for (size_t i = 0; i < n; i++) {
        const struct nhwc_op *op = &p->ops[p->entries[first + i].index];

        for (unsigned c = 0; c < CHUNKS; c++) {
            int64_t batch = nhwc_batch(p, op), chunk = (int64_t)1 << c < batch ? (int64_t)1 << c : batch;
            double least = 0;

            from[i * CHUNKS + c] = (unsigned char)c;
            for (unsigned b = 0; b < CHUNKS && i > 0; b++) {
                double sum = cost[(i - 1) * CHUNKS + b] + (b == c ? 0 : 2 * live[i]);

                if (b == 0 || sum < least) {
                    least = sum;
                    from[i * CHUNKS + c] = (unsigned char)b;
                }
            }
            cost[i * CHUNKS + c] = least + traffic(p, op, chunk);
        }
    }
    for (unsigned c = 1; c < CHUNKS; c++) {
        if (cost[(n - 1) * CHUNKS + c] < cost[(n - 1) * CHUNKS + best])
            best = c;
    }
    for (size_t i = n; i-- > 0;) {
        p->entries[first + i].chunk = (int64_t)1 << best;
        best = from[i * CHUNKS + best];
    }
}

/* A region: operations in a row over batches of the same size, in chunks of the same size. */
static enum status make_regions(struct nhwc_plan *p, struct error *e)
{
    double *cost = calloc((p->n_entries + 1) * CHUNKS, sizeof(*cost));
    unsigned char *from = calloc((p->n_entries + 1) * CHUNKS, sizeof(*from));
    double *live = calloc(p->n_entries + 2, sizeof(*live));
    size_t *last = calloc(p->n_values + 1, sizeof(*last));
    enum status s = cost && from && live && last ? STATUS_OK : error_no_memory(e);

    if (s != STATUS_OK)
        goto end;
    for (size_t i = 0, next; i < p->n_entries; i = next) {
        for (next = i + 1; next < p->n_entries && same_region(p, i, next);)
            next++;
        if (!p->entries[i].is_op)
            continue;
        find_live(p, i, next - i, live, last);
        choose_chunks(p, i, next - i, live, cost, from);
    }
    for (size_t i = 0, next; i < p->n_entries; i = next) {
        for (next = i + 1;
             next < p->n_entries && same_region(p, i, next) && p->entries[next].chunk == p->entries[i].chunk;)
            next++;
        p->entries[i].region_end = p->entries[i].is_op ? next : 0;
    }
end:
    free(cost);
    free(from);
    free(live);
    free(last);
    return s;
}

static void touch(struct nhwc_plan *p, size_t v, size_t entry, size_t region)
{
    struct nhwc_value *x = &p->values[nhwc_root(p, v, NULL)];

    if (!x->placed) {
        x->placed = true;
        x->first = entry;
        x->region = region;
    }
    /* Each image comes by again: what crosses a border lives from the first region's begin to the last one's end. */
    if (x->region != region) {
        x->whole = true;
        x->first = x->first < x->region ? x->first : x->region;
    }
    x->last = x->whole ? p->entries[region].region_end - 1 : entry;
}

static void find_lifetimes(struct nhwc_plan *p)
{
    size_t region = 0;

    for (size_t i = 0; i < p->n_entries; i++) {
        const struct nhwc_op *op;

        if (!p->entries[i].is_op)
            continue;
        if (p->entries[i].region_end > 0)
            region = i;
        op = &p->ops[p->entries[i].index];
        for (size_t k = 0; k < 2; k++) {
            if (op->in[k] != NHWC_NONE && op->kind != NHWC_IMPORT)
                touch(p, op->in[k], i, region);
        }
        if (op->out != NHWC_NONE)
            touch(p, op->out, i, region);
    }
    for (size_t i = 0; i < p->n_values; i++) {
        struct nhwc_value *v = &p->values[i];

        if (v->placed)
            v->n_images = v->whole || v->batch < p->entries[v->region].chunk ? v->batch : p->entries[v->region].chunk;
    }
}

enum status nhwc_order(struct nhwc_plan *p, struct error *e)
{
    enum status s = make_entries(p, e);

    if (s == STATUS_OK)
        s = make_regions(p, e);
    if (s == STATUS_OK)
        find_lifetimes(p);
    return s;
}
