#include "models/network_private.h"

#include <stdlib.h>
#include <string.h>

#include "models/backend_onednn.h"
#include "models/graph_gradient.h"
#include "models/onnx_reader.h"
#include "models/op.h"
#include "shard/file.h"

static const size_t max_file_bytes = (size_t)1 << 30;

static bool is_static(const struct graph *g)
{
    for (size_t i = 0; i < g->n_inputs; i++) {
        const struct tensor_shape *shape = &g->values[g->inputs[i]].tensor.shape;

        if (!g->values[g->inputs[i]].is_shaped)
            return false;
        for (unsigned d = 0; d < shape->rank; d++) {
            if (shape->dims[d] < 0)
                return false;
        }
    }
    return true;
}

static struct network_tensor tensor_of(const struct graph *g, size_t value)
{
    const struct value *v = &g->values[value];
    struct network_tensor t = {.name = v->name, .type = v->tensor.type, .shape = v->tensor.shape};

    return t;
}

/* Types of outputs that the file leaves out, and, for a network of fixed shapes, all shapes: from a plan. */
static enum status complete_outputs(struct network *n, struct error *e)
{
    const struct graph *g = n->graph;
    struct session_plan_settings settings = {.max_arena_bytes = SIZE_MAX / 2, .no_arena = true};
    struct session *s = NULL;
    bool fixed = is_static(g);
    enum status st = session_open_planned(n, &settings, &s, fixed ? e : NULL);

    /* A shape that depends on values at run time: session_open says so, to those who cannot bind them. */
    if (st != STATUS_OK)
        return (fixed && st != STATUS_UNSUPPORTED) || st == STATUS_NO_MEMORY ? st : STATUS_OK;
    for (size_t i = 0; i < g->n_outputs; i++) {
        struct tensor_shape planned;

        n->outputs[i].type = session_output_type(s, i);
        session_output_shape(s, i, &planned);
        if (fixed) {
            n->outputs[i].shape = planned;
        } else if (!g->values[g->outputs[i]].is_shaped) {
            n->outputs[i].shape.rank = planned.rank;
            for (unsigned d = 0; d < planned.rank; d++)
                n->outputs[i].shape.dims[d] = -1;
        }
    }
    session_close(&s);
    return STATUS_OK;
}

/* Takes the graph over. */
static enum status network_make(struct graph *g, struct network **ret_n, struct error *e)
{
    struct network *n = calloc(1, sizeof(*n));
    enum status s;

    if (!n) {
        graph_close(&g);
        return error_no_memory(e);
    }
    n->graph = g;
    s = graph_link(g, e);
    if (s == STATUS_OK)
        s = graph_differentiate(g, e);
    if (s == STATUS_OK)
        s = graph_expand(g, e);
    if (s == STATUS_OK)
        s = graph_prune(g, e);
    if (s == STATUS_OK)
        s = onednn_has_exact_bytes() ? graph_quantize(g, e) : STATUS_OK;
    if (s == STATUS_OK)
        s = graph_fold(g, NULL, e);
    if (s == STATUS_OK)
        s = graph_widen(g, e);
    if (s == STATUS_OK)
        s = graph_fuse(g, e);
    if (s == STATUS_OK)
        s = graph_prepare(g, e);
    if (s != STATUS_OK)
        goto error;
    n->inputs = calloc(g->n_inputs + 1, sizeof(*n->inputs));
    n->outputs = calloc(g->n_outputs + 1, sizeof(*n->outputs));
    if (!n->inputs || !n->outputs) {
        s = error_no_memory(e);
        goto error;
    }
    for (size_t i = 0; i < g->n_inputs; i++)
        n->inputs[i] = tensor_of(g, g->inputs[i]);
    for (size_t i = 0; i < g->n_outputs; i++)
        n->outputs[i] = tensor_of(g, g->outputs[i]);
    s = complete_outputs(n, e);
    if (s != STATUS_OK)
        goto error;
    *ret_n = n;
    return STATUS_OK;
error:
    network_close(&n);
    return s;
}

enum status network_open_memory(const void *data, size_t len_bytes, const char *path, struct network **ret_n,
                                struct error *e)
{
    struct graph *g = NULL;
    enum status s = onnx_read(data, len_bytes, path, false, &g, e);

    return s == STATUS_OK ? network_make(g, ret_n, e) : s;
}

/* Inputs whose values are known become constants that are inputs all the same. */
static enum status know_inputs(struct graph *g, const struct tensor *inputs, size_t n_inputs, struct error *e)
{
    for (size_t i = 0; i < g->n_inputs && i < n_inputs; i++) {
        struct value *v = &g->values[g->inputs[i]];
        struct tensor t = {.type = v->tensor.type, .shape = inputs[i].shape};
        size_t bytes;
        enum status s;

        if (!inputs[i].data || inputs[i].type != t.type || !tensor_shape_bytes(&t.shape, t.type, &bytes))
            continue;
        s = tensor_allocate(&t, e);
        if (s != STATUS_OK)
            return s;
        if (bytes > 0)
            memcpy(t.data, inputs[i].data, bytes);
        v->tensor = t;
        v->is_constant = v->is_shaped = true;
    }
    return STATUS_OK;
}

enum status network_open_known(const char *path, const struct tensor *inputs, size_t n_inputs, struct network **ret_n,
                               struct error *e)
{
    struct graph *g = NULL;
    char *data = NULL;
    size_t len;
    enum status s = file_read(path, max_file_bytes, &data, &len, e);

    if (s != STATUS_OK)
        return s;
    s = onnx_read(data, len, path, true, &g, e);
    free(data);
    if (s != STATUS_OK)
        return s;
    s = know_inputs(g, inputs, n_inputs, e);
    if (s != STATUS_OK) {
        graph_close(&g);
        return s;
    }
    return network_make(g, ret_n, e);
}

enum status network_open(const char *path, struct network **ret_n, struct error *e)
{
    return network_open_known(path, NULL, 0, ret_n, e);
}

void network_close(struct network **n)
{
    if (!*n)
        return;
    graph_close(&(*n)->graph);
    free((*n)->inputs);
    free((*n)->outputs);
    free(*n);
    *n = NULL;
}

bool network_has_external(const struct network *n)
{
    return n->graph->has_external;
}

size_t network_input_count(const struct network *n)
{
    return n->graph->n_inputs;
}

size_t network_output_count(const struct network *n)
{
    return n->graph->n_outputs;
}

const struct network_tensor *network_input(const struct network *n, size_t index)
{
    return index < n->graph->n_inputs ? &n->inputs[index] : NULL;
}

const struct network_tensor *network_output(const struct network *n, size_t index)
{
    return index < n->graph->n_outputs ? &n->outputs[index] : NULL;
}

static void describe_tensors(const char *what, const struct network_tensor *tensors, size_t n, FILE *out)
{
    for (size_t i = 0; i < n; i++) {
        char text[TENSOR_SHAPE_TEXT_BYTES];

        fprintf(out, "%-8s %s %s %s\n", what, tensors[i].name, tensor_type_name(tensors[i].type),
                tensor_shape_text(&tensors[i].shape, text));
    }
}

static int64_t count_parameters(const struct graph *g)
{
    int64_t count = 0;

    for (size_t i = 0; i < g->n_values; i++) {
        const struct value *v = &g->values[i];

        if (v->is_constant && v->n_uses > 0 && v->tensor.type == TENSOR_F32)
            count += tensor_count(&v->tensor);
    }
    return count;
}

void network_describe(const struct network *n, FILE *out)
{
    const struct graph *g = n->graph;

    describe_tensors("input", n->inputs, g->n_inputs, out);
    describe_tensors("output", n->outputs, g->n_outputs, out);
    fprintf(out, "%-8s %lld\n", "opset", (long long)g->opset);
    fprintf(out, "%-8s %zu after folding", "nodes", g->n_nodes);
    /* Each operator once, at its first node. */
    for (size_t i = 0; i < g->n_nodes; i++) {
        size_t count = 0;
        bool first = true;

        for (size_t k = 0; k < i && first; k++)
            first = g->nodes[k].op != g->nodes[i].op;
        for (size_t k = i; k < g->n_nodes && first; k++)
            count += g->nodes[k].op == g->nodes[i].op;
        if (first)
            fprintf(out, "%s %s %zu", i == 0 ? ":" : ",", g->nodes[i].op_type, count);
    }
    fprintf(out, "\n%-8s %lld\n", "weights", (long long)count_parameters(g));
}
