#include <stdlib.h>
#include <string.h>

#include "models/step.h"

/* The tensors of a graph as its constants stand; data is borrowed. */
static struct tensor *constants_of(const struct graph *g)
{
    struct tensor *tensors = calloc(g->n_values + 1, sizeof(*tensors));

    for (size_t i = 0; tensors && i < g->n_values; i++) {
        if (g->values[i].is_constant)
            tensors[i] = g->values[i].tensor;
    }
    return tensors;
}

static enum status fold_node(struct graph *g, size_t index, struct tensor *tensors, struct fold_budget *budget,
                             struct error *e)
{
    struct node *node = &g->nodes[index];
    struct step step;
    enum status s = step_open(g, index, tensors, kernels_choose(NETWORK_BACKEND_AUTO), &step, e);

    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < node->n_in; i++) {
        if (node->in[i] != GRAPH_NO_VALUE && !g->values[node->in[i]].is_constant)
            goto end;
    }
    s = call_infer(&step.call, e);
    if (s != STATUS_OK || !step_is_cheap(&step, budget))
        goto end;
    s = step_evaluate(&step, e);
    if (s != STATUS_OK)
        goto end;
    for (size_t i = 0; i < node->n_out; i++) {
        if (node->out[i] == GRAPH_NO_VALUE)
            continue;
        g->values[node->out[i]].tensor = tensors[node->out[i]];
        g->values[node->out[i]].is_constant = true;
    }
    node->removed = true;
end:
    step_clear(&step);
    return s;
}

enum status graph_fold(struct graph *g, const char *except, struct error *e)
{
    struct tensor *tensors = constants_of(g);
    struct fold_budget budget = FOLD_BUDGET;
    enum status s = tensors ? STATUS_OK : error_no_memory(e);

    for (size_t i = 0; i < g->n_nodes && s == STATUS_OK; i++) {
        if (!except || strcmp(g->nodes[i].op_type, except) != 0)
            s = fold_node(g, i, tensors, &budget, e);
    }
    free(tensors);
    return s == STATUS_OK ? graph_prune(g, e) : s;
}

/* What layouts for kernels may take beyond the constants themselves, twice: real networks read a weight once, a hostile
 * one can have thousands of nodes read the same, or one column that is padded to a panel. */
static size_t prepare_budget(const struct graph *g)
{
    size_t budget = FOLD_MAX_BYTES;

    for (size_t i = 0; i < g->n_values; i++) {
        size_t bytes;

        if (g->values[i].is_constant && g->values[i].n_uses > 0 &&
            tensor_shape_bytes(&g->values[i].tensor.shape, g->values[i].tensor.type, &bytes))
            budget += 2 * bytes;
    }
    return budget;
}

static enum status prepare_node(struct graph *g, size_t index, struct tensor *tensors, size_t *budget, struct error *e)
{
    struct node *node = &g->nodes[index];
    struct step step;
    unsigned frees = 0;
    void *prepared = NULL;
    enum status s = step_open(g, index, tensors, kernels_choose(NETWORK_BACKEND_AUTO), &step, e);

    if (s != STATUS_OK)
        return s;
    step.call.prepare_bytes = *budget;
    s = node->op->prepare(&step.call, &prepared, &frees, e);
    *budget = step.call.prepare_bytes;
    step_clear(&step);
    if (s != STATUS_OK)
        return s;
    node->prepared = prepared;
    for (size_t i = 0; prepared && i < node->n_in && i < 32; i++) {
        struct value *v = node->in[i] == GRAPH_NO_VALUE ? NULL : &g->values[node->in[i]];

        if (!v || !(frees & 1u << i) || v->n_uses != 1 || v->is_output)
            continue;
        free(v->tensor.data);
        v->tensor.data = NULL;
        tensors[node->in[i]].data = NULL;
    }
    return STATUS_OK;
}

enum status graph_prepare(struct graph *g, struct error *e)
{
    struct tensor *tensors = constants_of(g);
    enum status s = tensors ? STATUS_OK : error_no_memory(e);
    size_t budget = prepare_budget(g);

    for (size_t i = 0; i < g->n_nodes && s == STATUS_OK; i++) {
        if (g->nodes[i].op->prepare)
            s = prepare_node(g, i, tensors, &budget, e);
    }
    free(tensors);
    return s;
}
