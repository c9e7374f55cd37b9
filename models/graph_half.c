/* Weights that a file holds as 16-bit floats, as float32: exact, twice the memory, and no conversion in a run. Kernels
 * that pack or prefold weights then work on them as on any others. */
#include <stdlib.h>
#include <string.h>

#include "models/half.h"
#include "models/op.h"

/* Operators whose inputs after the first are weights of the first one's type. */
static bool takes_weights(const struct node *node)
{
    static const char *const names[] = {"Conv",
                                        "ConvTranspose",
                                        "BatchNormalization",
                                        "InstanceNormalization",
                                        "MatMul",
                                        "Gemm",
                                        "LayerNormalization",
                                        "GRU",
                                        "LSTM",
                                        "RNN"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(node->op_type, names[i]) == 0)
            return true;
    }
    return false;
}

static enum status widen(struct tensor *t, struct error *e)
{
    struct tensor wide = {.type = TENSOR_F32, .shape = t->shape};
    enum status s = tensor_allocate(&wide, e);

    if (s != STATUS_OK)
        return s;
    half_widen(t->type, t->data, wide.data, tensor_count(t));
    free(t->data);
    *t = wide;
    return STATUS_OK;
}

enum status graph_widen(struct graph *g, struct error *e)
{
    bool *other = calloc(g->n_values + 1, sizeof(*other)); /* read in another place too */
    enum status s = other ? STATUS_OK : error_no_memory(e);

    for (size_t i = 0; s == STATUS_OK && i < g->n_outputs; i++)
        other[g->outputs[i]] = true;
    for (size_t i = 0; s == STATUS_OK && i < g->n_inputs; i++)
        other[g->inputs[i]] = true; /* whose value is known (network_open_known) */
    for (size_t i = 0; s == STATUS_OK && i < g->n_nodes; i++) {
        const struct node *node = &g->nodes[i];
        bool weights = takes_weights(node) && node->in[0] != GRAPH_NO_VALUE && !g->values[node->in[0]].is_constant;

        for (size_t k = 0; k < node->n_in; k++) {
            if (node->in[k] != GRAPH_NO_VALUE && (k == 0 || !weights))
                other[node->in[k]] = true;
        }
    }
    for (size_t i = 0; s == STATUS_OK && i < g->n_values; i++) {
        struct value *v = &g->values[i];

        if (v->is_constant && v->n_uses > 0 && !other[i] && v->tensor.data && half_type(v->tensor.type))
            s = widen(&v->tensor, e);
    }
    free(other);
    return s;
}
