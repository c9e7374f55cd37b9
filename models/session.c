#include <stdlib.h>
#include <string.h>

#include "models/memory_plan.h"
#include "models/network_private.h"
#include "models/step.h"

/* More than this is refused, so that a shape that was mistyped does not bring the machine down. */
static const size_t max_arena_bytes = (size_t)1 << 35;

struct session {
    const struct network *network;
    const struct kernels *kernels;
    struct tensor *tensors; /* one a value of the graph */
    void **owned;           /* results of nodes that were computed ahead */
    size_t n_owned, room_owned;
    struct step *steps;
    size_t n_steps;
    void *arena;
    size_t arena_bytes;
    uint64_t flops;
};

void session_close(struct session **s)
{
    struct session *x = *s;

    if (!x)
        return;
    for (size_t i = 0; i < x->n_steps; i++)
        step_clear(&x->steps[i]);
    for (size_t i = 0; i < x->n_owned; i++)
        free(x->owned[i]);
    free(x->steps);
    free(x->owned);
    free(x->tensors);
    free(x->arena);
    free(x);
    *s = NULL;
}

static enum status set_input(struct session *s, size_t index, const struct session_plan_settings *settings,
                             struct error *e)
{
    const struct graph *g = s->network->graph;
    const struct value *v = &g->values[g->inputs[index]];
    struct tensor *t = &s->tensors[g->inputs[index]];
    const struct tensor_shape *given = settings->input_shapes ? &settings->input_shapes[index] : NULL;
    char a[TENSOR_SHAPE_TEXT_BYTES], b[TENSOR_SHAPE_TEXT_BYTES];
    bool fits = !given || given->rank <= TENSOR_MAX_RANK;
    size_t bytes;

    t->type = v->tensor.type;
    t->shape = given ? *given : v->tensor.shape;
    for (unsigned d = 0; !given && d < t->shape.rank; d++) {
        if (t->shape.dims[d] < 0)
            t->shape.dims[d] = 1;
    }
    if (given && fits && v->is_shaped) {
        fits = given->rank == v->tensor.shape.rank;
        for (unsigned d = 0; fits && d < given->rank; d++)
            fits = v->tensor.shape.dims[d] < 0 || v->tensor.shape.dims[d] == given->dims[d];
    }
    if (!fits)
        return error_set(e, STATUS_INVALID, "%s: input '%.120s' is %s, the shape %s does not fit", g->path, v->name,
                         tensor_shape_text(&v->tensor.shape, a), tensor_shape_text(given, b));
    if (!tensor_shape_bytes(&t->shape, t->type, &bytes))
        return error_set(e, STATUS_INVALID, "%s: input '%.120s': the shape %s is negative or beyond %lld bytes",
                         g->path, v->name, tensor_shape_text(&t->shape, a), (long long)TENSOR_MAX_BYTES);
    if (settings->bound)
        t->data = settings->bound[index].data;
    return STATUS_OK;
}

static enum status keep_owned(struct session *s, void *data, struct error *e)
{
    if (s->n_owned == s->room_owned) {
        size_t room = s->room_owned ? s->room_owned * 2 : 32;
        void **owned = realloc(s->owned, room * sizeof(*owned));

        if (!owned) {
            free(data);
            return error_no_memory(e);
        }
        s->owned = owned;
        s->room_owned = room;
    }
    s->owned[s->n_owned++] = data;
    return STATUS_OK;
}

/* Shapes of one node; computed at once when its value is known. */
static enum status plan_node(struct session *s, size_t index, size_t *budget, struct error *e)
{
    struct step *step = &s->steps[s->n_steps];
    enum status st = step_open(s->network->graph, index, s->tensors, s->kernels, step, e);

    if (st != STATUS_OK)
        return st;
    s->n_steps++;
    st = call_infer(&step->call, e);
    if (st != STATUS_OK || !step_is_constant(step) || !step_is_cheap(step, budget))
        return st;
    st = step_evaluate(step, e);
    for (size_t i = 0; i < step->call.n_out && st == STATUS_OK; i++) {
        struct tensor *out = step->call.out[i];

        if (!out)
            continue;
        st = keep_owned(s, out->data, e);
        if (st != STATUS_OK)
            out->data = NULL;
    }
    step_clear(step);
    s->n_steps--;
    return st;
}

/* Drops steps that no output needs (their results were only asked for their shape). */
static enum status drop_unneeded(struct session *s, struct error *e)
{
    const struct graph *g = s->network->graph;
    bool *needed = calloc(g->n_values + 1, sizeof(*needed));
    size_t n = 0;

    if (!needed)
        return error_no_memory(e);
    for (size_t i = 0; i < g->n_outputs; i++)
        needed[g->outputs[i]] = true;
    for (size_t i = s->n_steps; i-- > 0;) {
        struct call *c = &s->steps[i].call;
        bool used = false;

        for (size_t k = 0; k < c->n_out; k++)
            used = used || (c->out[k] && needed[c->out[k] - s->tensors]);
        for (size_t k = 0; used && k < c->n_in; k++) {
            if (c->in[k])
                needed[c->in[k] - s->tensors] = true;
        }
        if (!used)
            step_clear(&s->steps[i]);
    }
    for (size_t i = 0; i < s->n_steps; i++) {
        if (s->steps[i].memory)
            s->steps[n++] = s->steps[i];
    }
    s->n_steps = n;
    free(needed);
    return STATUS_OK;
}

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

static void find_lifetimes(struct session *s, struct holder *h)
{
    const struct graph *g = s->network->graph;

    for (size_t v = 0; v < g->n_values; v++)
        h[v].parent = v;
    for (size_t i = 0; i < g->n_inputs; i++)
        h[g->inputs[i]].used = true;
    for (size_t i = 0; i < s->n_steps; i++) {
        const struct call *c = &s->steps[i].call;

        for (size_t k = 0; k < c->n_out; k++) {
            size_t v = c->out[k] ? (size_t)(c->out[k] - s->tensors) : 0;

            if (!c->out[k])
                continue;
            h[v].used = true;
            h[v].first = h[v].last = i;
        }
        for (size_t k = 0; k < c->n_in; k++) {
            if (c->in[k])
                h[c->in[k] - s->tensors].last = i;
        }
    }
    for (size_t i = 0; i < g->n_outputs; i++) {
        h[g->outputs[i]].last = s->n_steps;
        h[g->outputs[i]].pinned = true;
    }
}

/* Views take their input's memory always (unless it is a constant); in-place operators where it dies with
 * them. */
static void share_memory(struct session *s, struct holder *h, unsigned flag)
{
    for (size_t i = 0; i < s->n_steps; i++) {
        const struct call *c = &s->steps[i].call;
        size_t in, out, in_root;
        bool shared = false;

        if (!(c->op->flags & flag) || c->n_in == 0 || !c->in[0] || !c->out[0] || c->in[0]->data)
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

static enum status place_values(struct session *s, size_t limit, struct error *e)
{
    const struct graph *g = s->network->graph;
    struct holder *h = calloc(g->n_values + 1, sizeof(*h));
    struct memory_block *blocks = calloc(g->n_values + s->n_steps + 1, sizeof(*blocks));
    size_t *block_of = calloc(g->n_values + 1, sizeof(*block_of)), n = 0, n_values;
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
    for (size_t i = 0; i < s->n_steps; i++)
        blocks[n++] = (struct memory_block){.bytes = s->steps[i].call.scratch_bytes, .first = i, .last = i};
    st = memory_plan(blocks, n, limit, &s->arena_bytes, e);
    if (st != STATUS_OK)
        goto end;
    s->arena = aligned_alloc(TENSOR_ALIGN_BYTES, s->arena_bytes + TENSOR_ALIGN_BYTES);
    if (!s->arena) {
        st = error_set(e, STATUS_NO_MEMORY, "%s: no memory for an arena of %zu bytes", g->path, s->arena_bytes);
        goto end;
    }
    for (size_t v = 0; v < g->n_values; v++) {
        if (h[v].used && !s->tensors[v].data)
            s->tensors[v].data = (char *)s->arena + blocks[block_of[root_of(h, v)]].offset;
    }
    for (size_t i = 0; i < s->n_steps; i++)
        s->steps[i].call.scratch = (char *)s->arena + blocks[n_values + i].offset;
end:
    free(h);
    free(blocks);
    free(block_of);
    return st;
}

enum status session_open_planned(const struct network *n, const struct session_plan_settings *settings,
                                 struct session **ret_s, struct error *e)
{
    const struct graph *g = n->graph;
    struct session *s = calloc(1, sizeof(*s));
    size_t budget = FOLD_MAX_BYTES;
    enum status st = STATUS_OK;

    if (!s)
        return error_no_memory(e);
    s->network = n;
    s->kernels = kernels_choose(settings->backend);
    s->tensors = calloc(g->n_values + 1, sizeof(*s->tensors));
    s->steps = calloc(g->n_nodes + 1, sizeof(*s->steps));
    if (!s->tensors || !s->steps) {
        st = error_no_memory(e);
        goto error;
    }
    for (size_t v = 0; v < g->n_values; v++) {
        if (g->values[v].is_constant)
            s->tensors[v] = g->values[v].tensor;
    }
    for (size_t i = 0; i < g->n_inputs && st == STATUS_OK; i++)
        st = set_input(s, i, settings, e);
    for (size_t i = 0; i < g->n_nodes && st == STATUS_OK; i++)
        st = plan_node(s, i, &budget, e);
    if (st == STATUS_OK)
        st = drop_unneeded(s, e);
    if (st == STATUS_OK && !settings->no_arena)
        st = place_values(s, settings->max_arena_bytes, e);
    if (st != STATUS_OK)
        goto error;
    for (size_t i = 0; i < s->n_steps; i++)
        s->flops += s->steps[i].call.flops;
    *ret_s = s;
    return STATUS_OK;
error:
    session_close(&s);
    return st;
}

enum status session_open(const struct network *n, const struct session_settings *settings, struct session **ret_s,
                         struct error *e)
{
    struct session_plan_settings plan = {.max_arena_bytes = max_arena_bytes};

    if (settings) {
        plan.backend = settings->backend;
        plan.input_shapes = settings->input_shapes;
    }
    return session_open_planned(n, &plan, ret_s, e);
}

void *session_input(struct session *s, size_t index)
{
    return s->tensors[s->network->graph->inputs[index]].data;
}

const void *session_output(const struct session *s, size_t index)
{
    return s->tensors[s->network->graph->outputs[index]].data;
}

void session_input_shape(const struct session *s, size_t index, struct tensor_shape *ret_shape)
{
    *ret_shape = s->tensors[s->network->graph->inputs[index]].shape;
}

void session_output_shape(const struct session *s, size_t index, struct tensor_shape *ret_shape)
{
    *ret_shape = s->tensors[s->network->graph->outputs[index]].shape;
}

enum tensor_type session_output_type(const struct session *s, size_t index)
{
    return s->tensors[s->network->graph->outputs[index]].type;
}

enum status session_run(struct session *s, struct error *e)
{
    enum status st = STATUS_OK;

    for (size_t i = 0; i < s->n_steps && st == STATUS_OK; i++) {
        struct call *c = &s->steps[i].call;

        st = call_run(c, e);
    }
    return st;
}

size_t session_arena_bytes(const struct session *s)
{
    return s->arena_bytes;
}

uint64_t session_flops(const struct session *s)
{
    return s->flops;
}
