#include <stdlib.h>
#include <string.h>

#include "models/network_private.h"
#include "models/quant_product.h"
#include "models/session_private.h"
#include "models/timing.h"

/* More than this is refused, so that a shape that was mistyped does not bring the machine down. */
static const size_t max_arena_bytes = (size_t)1 << 35;

void session_close(struct session **s)
{
    struct session *x = *s;

    if (!x)
        return;
    nhwc_plan_close(&x->nhwc);
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
static enum status plan_node(struct session *s, size_t index, struct fold_budget *budget, struct error *e)
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

enum status session_open_planned(const struct network *n, const struct session_plan_settings *settings,
                                 struct session **ret_s, struct error *e)
{
    const struct graph *g = n->graph;
    struct session *s;
    struct fold_budget budget = FOLD_BUDGET;
    enum status st = network_check_precision(settings->backend, settings->precision, e);

    if (st != STATUS_OK)
        return st;
    s = calloc(1, sizeof(*s));
    if (!s)
        return error_no_memory(e);
    s->network = n;
    s->backend = settings->backend == NETWORK_BACKEND_AUTO ? network_backend_auto() : settings->backend;
    s->precision = settings->precision;
    s->kernels = kernels_choose(s->backend);
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
    if (st == STATUS_OK && !settings->no_arena && s->backend == NETWORK_BACKEND_ONEDNN)
        st = nhwc_plan_open(g, s->steps, s->n_steps, s->tensors, s->precision, &s->nhwc, e);
    if (st == STATUS_OK && !settings->no_arena)
        st = session_place(s, settings->max_arena_bytes, e);
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
        plan.precision = settings->precision;
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

/* ns: NULL, or where the step's time is added. */
static enum status run_step(struct step *step, uint64_t *ns, struct error *e)
{
    uint64_t began = ns ? timing_ns(CLOCK_THREAD_CPUTIME_ID) : 0;
    enum status st = call_run(&step->call, e);

    if (ns)
        *ns += timing_ns(CLOCK_THREAD_CPUTIME_ID) - began;
    return st;
}

static enum status run_entries(struct session *s, uint64_t *ns, struct error *e)
{
    const struct nhwc_plan *p = s->nhwc;
    enum status st = STATUS_OK;

    onednn_begin();
    s->nhwc->entry_ns = ns;
    for (size_t i = 0; i < p->n_entries && st == STATUS_OK;) {
        const struct nhwc_entry *entry = &p->entries[i];

        st = entry->is_op ? nhwc_plan_run(s->nhwc, i, e) : run_step(&s->steps[entry->index], ns ? &ns[i] : NULL, e);
        i = entry->is_op ? entry->region_end : i + 1;
    }
    s->nhwc->entry_ns = NULL;
    return st;
}

enum status session_run_timed(struct session *s, uint64_t *ns, struct error *e)
{
    enum status st = STATUS_OK;

    if (s->nhwc)
        return run_entries(s, ns, e);
    for (size_t i = 0; i < s->n_steps && st == STATUS_OK; i++)
        st = run_step(&s->steps[i], ns ? &ns[i] : NULL, e);
    return st;
}

enum status session_run(struct session *s, struct error *e)
{
    return session_run_timed(s, NULL, e);
}

size_t session_layer_count(const struct session *s)
{
    return s->nhwc ? s->nhwc->n_entries : s->n_steps;
}

static const struct step *step_of(const struct session *s, size_t layer)
{
    const struct nhwc_plan *p = s->nhwc;

    if (!p)
        return &s->steps[layer];
    return &s->steps[p->entries[layer].is_op ? p->ops[p->entries[layer].index].step : p->entries[layer].index];
}

static const char *implementation(const struct session *s, size_t layer)
{
    if (s->nhwc && s->nhwc->entries[layer].is_op)
        return nhwc_plan_implementation(s->nhwc, layer);
    if (step_of(s, layer)->call.product)
        return quant_product_name(step_of(s, layer)->call.product);
    return strcmp(step_of(s, layer)->call.op->name, "Conv") == 0 ? s->kernels->name : "plain";
}

void session_summarize(const struct session *s, FILE *out)
{
    fprintf(out, "run by %s in %s", network_backend_name(s->backend), network_precision_name(s->precision));
    /* Each implementation once, at its first layer. */
    for (size_t i = 0; i < session_layer_count(s); i++) {
        size_t count = 0;
        bool first = true;

        for (size_t k = 0; k < i && first; k++)
            first = strcmp(implementation(s, k), implementation(s, i)) != 0;
        for (size_t k = i; k < session_layer_count(s) && first; k++)
            count += strcmp(implementation(s, k), implementation(s, i)) == 0;
        if (first)
            fprintf(out, "%s %s %zu", i == 0 ? ":" : ",", implementation(s, i), count);
    }
    fputc('\n', out);
}

void session_describe_layer(const struct session *s, size_t layer, FILE *out)
{
    const struct call *c = &step_of(s, layer)->call;

    fprintf(out, "%s '%.120s': ", c->op->name, c->node->name ? c->node->name : "");
    if (s->nhwc && s->nhwc->entries[layer].is_op)
        nhwc_plan_describe(s->nhwc, layer, out);
    fputs(implementation(s, layer), out);
}

void session_describe(const struct session *s, FILE *out)
{
    session_summarize(s, out);
    for (size_t i = 0; i < session_layer_count(s); i++) {
        fprintf(out, "%4zu  ", i);
        session_describe_layer(s, i, out);
        fputc('\n', out);
    }
}

size_t session_arena_bytes(const struct session *s)
{
    return s->arena_bytes;
}

uint64_t session_flops(const struct session *s)
{
    return s->flops;
}
