#include "models/step.h"

#include <stdlib.h>
#include <string.h>

static struct tensor *tensor_at(struct tensor *tensors, size_t value)
{
    return value == GRAPH_NO_VALUE ? NULL : &tensors[value];
}

enum status step_open(const struct graph *g, size_t node, struct tensor *tensors, const struct kernels *kernels,
                      struct step *ret_step, struct error *e)
{
    const struct node *n = &g->nodes[node];
    size_t ports = n->n_in + n->n_out, pointers = 2 * ports * sizeof(struct tensor *);
    size_t wide_at = (pointers + 15) / 16 * 16, state_at = wide_at + ports * sizeof(struct tensor);
    struct step step = {.node = node};
    struct call *c = &step.call;

    state_at = (state_at + 15) / 16 * 16;
    step.memory = calloc(1, state_at + n->op->state_bytes + 1);
    if (!step.memory)
        return error_no_memory(e);
    c->op = n->op;
    c->node = n;
    c->path = g->path;
    c->opset = g->opset;
    c->kernels = kernels;
    c->n_in = n->n_in;
    c->n_out = n->n_out;
    c->in = step.memory;
    c->out = c->in + n->n_in;
    c->wide = c->in + ports;
    c->wide_tensors = (struct tensor *)(void *)((char *)step.memory + wide_at);
    c->state = (char *)step.memory + state_at;
    c->prepared = n->prepared;
    for (size_t i = 0; i < n->n_in; i++)
        c->in[i] = tensor_at(tensors, n->in[i]);
    for (size_t i = 0; i < n->n_out; i++)
        c->out[i] = tensor_at(tensors, n->out[i]);
    *ret_step = step;
    return STATUS_OK;
}

void step_clear(struct step *step)
{
    free(step->memory);
    memset(step, 0, sizeof(*step));
}

bool step_is_constant(const struct step *step)
{
    const struct call *c = &step->call;

    if (c->op->flags & OP_SHAPE_ONLY)
        return true;
    for (size_t i = 0; i < c->n_in; i++) {
        if (c->in[i] && !c->in[i]->data)
            return false;
    }
    return true;
}

/* TENSOR_MAX_BYTES, which no budget holds, where t has no size. */
static size_t bytes_of(const struct tensor *t)
{
    size_t bytes = (size_t)TENSOR_MAX_BYTES;

    (void)tensor_shape_bytes(&t->shape, t->type, &bytes);
    return bytes;
}

bool step_is_cheap(const struct step *step, struct fold_budget *budget)
{
    const struct call *c = &step->call;
    size_t bytes = c->scratch_bytes;
    uint64_t work;

    if (c->flops > budget->work || bytes > budget->bytes)
        return false;
    for (size_t i = 0; i < c->n_out; i++) {
        if (c->out[i] && bytes_of(c->out[i]) > budget->bytes - bytes)
            return false;
        bytes += c->out[i] ? bytes_of(c->out[i]) : 0;
    }
    work = c->flops + bytes;
    for (size_t i = 0; i < c->n_in && work <= budget->work && !(c->op->flags & OP_SHAPE_ONLY); i++)
        work += c->in[i] ? bytes_of(c->in[i]) : 0;
    if (work > budget->work)
        return false;
    budget->bytes -= bytes;
    budget->work -= work;
    return true;
}

enum status step_evaluate(struct step *step, struct error *e)
{
    struct call *c = &step->call;
    enum status s = STATUS_OK;

    for (size_t i = 0; i < c->n_out && s == STATUS_OK; i++) {
        if (c->out[i])
            s = tensor_allocate(c->out[i], e);
    }
    if (s == STATUS_OK) {
        /* Never NULL, which operators would have to tell apart before they divide it up. */
        c->scratch = tensor_memory(c->scratch_bytes);
        if (!c->scratch)
            s = error_no_memory(e);
    }
    if (s == STATUS_OK)
        s = call_run(c, e);
    free(c->scratch);
    c->scratch = NULL;
    for (size_t i = 0; i < c->n_out && s != STATUS_OK; i++) {
        if (c->out[i]) {
            free(c->out[i]->data);
            c->out[i]->data = NULL;
        }
    }
    return s;
}
