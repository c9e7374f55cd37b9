#include "models/onnx_reader.h"

#include <stdlib.h>
#include <string.h>

#include "models/onnx_reader_tensor.h"
#include "onnx.pb-c.h"

/* Messages nest as deep as subgraphs do; the unpacker recurses without a bound of its own. */
enum { MAX_DEPTH = 32, MAX_MESSAGES = 1 << 21, MAX_BLOBS = 1 << 22 };

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct wire_check {
    const uint8_t *start;
    size_t messages, blobs;
    size_t bad_at; /* offset of what is wrong */
    const char *why;
};

static bool wire_fail(struct wire_check *w, const uint8_t *at, const char *why)
{
    w->bad_at = (size_t)(at - w->start);
    w->why = why;
    return false;
}

static const uint8_t *read_varint(const uint8_t *p, const uint8_t *end, uint64_t *ret_value)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && p < end; shift += 7) {
        value |= (uint64_t)(*p & 0x7f) << shift;
        if (!(*p++ & 0x80)) {
            *ret_value = value;
            return p;
        }
    }
    return NULL;
}

/* Walks a message by its descriptor, without allocating. Recursion is bounded by MAX_DEPTH. */
static bool wire_walk(struct wire_check *w, const ProtobufCMessageDescriptor *d, const uint8_t *p, const uint8_t *end,
                      unsigned depth)
{
    if (depth > MAX_DEPTH)
        return wire_fail(w, p, "messages are nested too deep");
    if (++w->messages > MAX_MESSAGES)
        return wire_fail(w, p, "too many messages");
    while (p < end) {
        const uint8_t *at = p;
        const ProtobufCFieldDescriptor *f;
        uint64_t key, len;

        p = read_varint(p, end, &key);
        if (!p || key >> 3 == 0 || key >> 3 > 0x1fffffff)
            return wire_fail(w, at, "no protobuf field");
        f = protobuf_c_message_descriptor_get_field(d, (unsigned)(key >> 3));
        switch (key & 7) {
        case WIRE_VARINT:
            p = read_varint(p, end, &len);
            if (!p)
                return wire_fail(w, at, "a number is cut off");
            break;
        case WIRE_64:
            if (end - p < 8)
                return wire_fail(w, at, "a number is cut off");
            p += 8;
            break;
        case WIRE_32:
            if (end - p < 4)
                return wire_fail(w, at, "a number is cut off");
            p += 4;
            break;
        case WIRE_BYTES:
            p = read_varint(p, end, &len);
            if (!p || len > (uint64_t)(end - p))
                return wire_fail(w, at, "a field is longer than what holds it");
            if (++w->blobs > MAX_BLOBS)
                return wire_fail(w, at, "too many fields");
            if (f && f->type == PROTOBUF_C_TYPE_MESSAGE && !wire_walk(w, f->descriptor, p, p + len, depth + 1))
                return false;
            p += len;
            break;
        default:
            return wire_fail(w, at, "no protobuf field");
        }
    }
    return true;
}

static bool begins(const uint8_t *data, size_t len, const char *text)
{
    return len >= strlen(text) && memcmp(data, text, strlen(text)) == 0;
}

/* What a file that is not ONNX looks like, for the user who downloaded it. */
static const char *guess(const uint8_t *data, size_t len)
{
    size_t i = 0;

    while (i < len && (data[i] == ' ' || data[i] == '\t' || data[i] == '\r' || data[i] == '\n'))
        i++;
    if (len == 0)
        return "it is empty";
    if (i < len && data[i] == '<')
        return "it begins like HTML or XML";
    if (begins(data, len, "version https://git-lfs"))
        return "it is a git-lfs pointer";
    if (begins(data, len, "PK\x03\x04"))
        return "it is a zip archive";
    if (begins(data, len, "\x89HDF"))
        return "it is an HDF5 file";
    return NULL;
}

static enum status check_wire(const uint8_t *data, size_t len, const ProtobufCMessageDescriptor *d, const char *what,
                              const char *path, struct error *e)
{
    struct wire_check w = {.start = data};
    const char *looks = guess(data, len);

    if (looks)
        return error_set(e, STATUS_CORRUPT, "%s: not an ONNX %s: %s", path, what, looks);
    if (wire_walk(&w, d, data, data + len, 0))
        return STATUS_OK;
    if (w.bad_at == 0)
        return error_set(e, STATUS_CORRUPT, "%s: not an ONNX %s: %s at byte 0", path, what, w.why);
    return error_set(e, STATUS_CORRUPT, "%s: not an ONNX %s, truncated or damaged: %s at byte %zu of %zu", path, what,
                     w.why, w.bad_at, len);
}

static const char *onnx_type_name(int32_t onnx)
{
    const ProtobufCEnumValue *v =
        protobuf_c_enum_descriptor_get_value(&onnx__tensor_proto__data_type__descriptor, onnx);

    return v ? v->name : "unknown";
}

static char *copy_bytes(const ProtobufCBinaryData *b)
{
    char *s = malloc(b->len + 1);

    if (s) {
        if (b->len > 0)
            memcpy(s, b->data, b->len);
        s[b->len] = '\0';
    }
    return s;
}

/* Moves *list out of the message. */
static void *take(void *list)
{
    void **at = list, *taken = *at;

    *at = NULL;
    return taken;
}

static enum attribute_kind attribute_kind_of(const Onnx__AttributeProto *p)
{
    switch (p->type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        return ATTRIBUTE_FLOAT;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        return ATTRIBUTE_INT;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING:
        return ATTRIBUTE_STRING;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__TENSOR:
        return p->t ? ATTRIBUTE_TENSOR : ATTRIBUTE_OTHER;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__GRAPH:
        return p->g ? ATTRIBUTE_GRAPH : ATTRIBUTE_OTHER;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        return ATTRIBUTE_FLOATS;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        return ATTRIBUTE_INTS;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        return ATTRIBUTE_STRINGS;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__UNDEFINED:
        break; /* IR versions before 2 leave the type out */
    default:
        return ATTRIBUTE_OTHER;
    }
    if (p->has_f)
        return ATTRIBUTE_FLOAT;
    if (p->has_i)
        return ATTRIBUTE_INT;
    if (p->has_s)
        return ATTRIBUTE_STRING;
    if (p->t)
        return ATTRIBUTE_TENSOR;
    if (p->n_floats)
        return ATTRIBUTE_FLOATS;
    if (p->n_strings)
        return ATTRIBUTE_STRINGS;
    return p->n_ints ? ATTRIBUTE_INTS : ATTRIBUTE_OTHER;
}

static enum status read_strings(const Onnx__AttributeProto *p, struct attribute *a, struct error *e)
{
    a->strings = calloc(p->n_strings + 1, sizeof(*a->strings));
    if (!a->strings)
        return error_no_memory(e);
    a->n = p->n_strings;
    for (size_t i = 0; i < p->n_strings; i++) {
        a->strings[i] = copy_bytes(&p->strings[i]);
        if (!a->strings[i])
            return error_no_memory(e);
    }
    return STATUS_OK;
}

static enum status read_graph(struct onnx_source *source, const Onnx__GraphProto *p, int64_t opset, bool is_body,
                              struct graph **ret_g, struct error *e);

static enum status read_attribute(struct onnx_source *source, Onnx__AttributeProto *p, int64_t opset,
                                  struct attribute *a, struct error *e)
{
    a->name = strdup(p->name ? p->name : "");
    if (!a->name)
        return error_no_memory(e);
    a->kind = attribute_kind_of(p);
    switch (a->kind) {
    case ATTRIBUTE_FLOAT:
        a->f = p->f;
        break;
    case ATTRIBUTE_INT:
        a->i = p->i;
        break;
    case ATTRIBUTE_STRING:
        a->s = copy_bytes(&p->s);
        return a->s ? STATUS_OK : error_no_memory(e);
    case ATTRIBUTE_TENSOR:
        /* A type that we lack leaves the attribute unreadable; the operator that needs it says so. */
        if (onnx_tensor_read(source, p->t, &a->t, NULL) != STATUS_OK)
            a->kind = ATTRIBUTE_OTHER;
        break;
    case ATTRIBUTE_GRAPH:
        return read_graph(source, p->g, opset, true, &a->g, e);
    case ATTRIBUTE_FLOATS:
        a->n = p->n_floats;
        a->floats = take(&p->floats);
        p->n_floats = 0;
        break;
    case ATTRIBUTE_INTS:
        a->n = p->n_ints;
        a->ints = take(&p->ints);
        p->n_ints = 0;
        break;
    case ATTRIBUTE_STRINGS:
        return read_strings(p, a, e);
    case ATTRIBUTE_OTHER:
        break;
    }
    return STATUS_OK;
}

static enum status read_ports(struct graph *g, size_t n, char **names, size_t **ret_ports, struct error *e)
{
    *ret_ports = calloc(n + 1, sizeof(**ret_ports));
    if (!*ret_ports)
        return error_no_memory(e);
    for (size_t i = 0; i < n; i++) {
        enum status s;

        (*ret_ports)[i] = GRAPH_NO_VALUE;
        if (names[i][0] == '\0')
            continue;
        s = graph_value(g, names[i], &(*ret_ports)[i], e);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

/* What the bodies of a node read from outside becomes inputs of the node, behind its own: so that what makes them
 * stands before it and is not dropped. */
static enum status add_captures(struct graph *g, struct node *node, struct error *e)
{
    for (size_t a = 0; a < node->n_attributes; a++) {
        const struct graph *body = node->attributes[a].kind == ATTRIBUTE_GRAPH ? node->attributes[a].g : NULL;
        size_t *in;

        if (!body || body->n_captures == 0)
            continue;
        if (node->n_in + body->n_captures > GRAPH_MAX_PORTS)
            return graph_node_error(g->path, node, e, STATUS_UNSUPPORTED, "its bodies read more than %d values",
                                    GRAPH_MAX_PORTS);
        in = realloc(node->in, (node->n_in + body->n_captures) * sizeof(*in));
        if (!in)
            return error_no_memory(e);
        node->in = in;
        for (size_t i = 0; i < body->n_captures; i++) {
            enum status s = graph_value(g, body->values[body->captures[i]].name, &in[node->n_in], e);

            if (s != STATUS_OK)
                return s;
            node->n_in++;
            node->n_captured++;
        }
    }
    return STATUS_OK;
}

static enum status read_node(struct onnx_source *source, struct graph *g, Onnx__NodeProto *p, struct error *e)
{
    struct node *node;
    enum status s = graph_add_node(g, &node, e);

    if (s != STATUS_OK)
        return s;
    if (p->n_input > GRAPH_MAX_PORTS || p->n_output > GRAPH_MAX_PORTS || p->n_attribute > GRAPH_MAX_PORTS)
        return error_set(e, STATUS_UNSUPPORTED, "%s: a node with more than %d inputs, outputs or attributes", g->path,
                         GRAPH_MAX_PORTS);
    /* Exporters may leave nodes without a name; the first output names them then. */
    node->name = strdup(p->name && p->name[0] ? p->name : p->n_output > 0 ? p->output[0] : "");
    node->op_type = strdup(p->op_type ? p->op_type : "");
    node->domain = strdup(p->domain ? p->domain : "");
    node->attributes = calloc(p->n_attribute + 1, sizeof(*node->attributes));
    if (!node->name || !node->op_type || !node->domain || !node->attributes)
        return error_no_memory(e);
    s = read_ports(g, p->n_input, p->input, &node->in, e);
    if (s != STATUS_OK)
        return s;
    node->n_in = p->n_input;
    s = read_ports(g, p->n_output, p->output, &node->out, e);
    if (s != STATUS_OK)
        return s;
    node->n_out = p->n_output;
    for (size_t i = 0; i < p->n_attribute; i++) {
        s = read_attribute(source, p->attribute[i], g->opset, &node->attributes[node->n_attributes], e);
        node->n_attributes++;
        if (s != STATUS_OK)
            return s;
    }
    return add_captures(g, node, e);
}

/* What the file says about an input or output: its type, and its shape with -1 for open dimensions. */
static enum status read_declared(const struct graph *g, const Onnx__ValueInfoProto *p, struct value *v, struct error *e)
{
    const Onnx__TypeProto__Tensor *t;

    if (!p->type || p->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return error_set(e, STATUS_UNSUPPORTED, "%s: '%.120s' is not a tensor, which is not supported", g->path,
                         v->name);
    t = p->type->tensor_type;
    if (!onnx_tensor_type(t->elem_type, &v->tensor.type))
        return error_set(e, STATUS_UNSUPPORTED, "%s: '%.120s' of type %s is not supported", g->path, v->name,
                         onnx_type_name(t->elem_type));
    if (!t->shape)
        return STATUS_OK;
    if (t->shape->n_dim > TENSOR_MAX_RANK)
        return error_set(e, STATUS_UNSUPPORTED, "%s: '%.120s' has %zu dimensions, at most %d are supported", g->path,
                         v->name, t->shape->n_dim, TENSOR_MAX_RANK);
    v->is_shaped = true;
    v->tensor.shape.rank = (unsigned)t->shape->n_dim;
    for (size_t i = 0; i < t->shape->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i];
        bool stated = d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;

        /* Some exporters write an open dimension as -1 or 0; an input without elements would be of no use. */
        v->tensor.shape.dims[i] = stated && d->dim_value > 0 ? d->dim_value : -1;
        if (stated && (d->dim_value < -1 || d->dim_value > TENSOR_MAX_BYTES))
            return error_set(e, STATUS_CORRUPT, "%s: '%.120s' has the dimension %lld", g->path, v->name,
                             (long long)d->dim_value);
    }
    return STATUS_OK;
}

static enum status read_initializers(struct onnx_source *source, struct graph *g, const Onnx__GraphProto *p,
                                     struct error *e)
{
    if (p->n_sparse_initializer > 0) {
        const Onnx__SparseTensorProto *t = p->sparse_initializer[0];

        return error_set(e, STATUS_UNSUPPORTED, "%s: '%.120s' is a sparse initializer, which is not supported", g->path,
                         t->values && t->values->name ? t->values->name : "");
    }
    for (size_t i = 0; i < p->n_initializer; i++) {
        Onnx__TensorProto *t = p->initializer[i];
        struct value *v;
        size_t index;
        enum status s = graph_value(g, t->name ? t->name : "", &index, e);

        if (s != STATUS_OK)
            return s;
        v = &g->values[index];
        if (v->is_constant)
            return error_set(e, STATUS_CORRUPT, "%s: the initializer '%.120s' is there twice", g->path, v->name);
        s = onnx_tensor_read(source, t, &v->tensor, e);
        if (s != STATUS_OK)
            return s;
        v->is_constant = v->is_shaped = true;
    }
    return STATUS_OK;
}

/* Files before IR version 4 list initializers among the inputs too; such an input is a constant to us. A body's inputs
 * are counted, and take their types from what is passed. */
static enum status read_inputs(struct graph *g, const Onnx__GraphProto *p, bool is_body, struct error *e)
{
    g->inputs = calloc(p->n_input + 1, sizeof(*g->inputs));
    if (!g->inputs)
        return error_no_memory(e);
    for (size_t i = 0; i < p->n_input; i++) {
        size_t index;
        enum status s = graph_value(g, p->input[i]->name ? p->input[i]->name : "", &index, e);

        if (s != STATUS_OK)
            return s;
        if (g->values[index].is_constant && !is_body)
            continue;
        if (g->values[index].is_input || g->values[index].is_constant)
            return error_set(e, STATUS_CORRUPT, "%s: the input '%.120s' is there twice", g->path,
                             g->values[index].name);
        if (!is_body || p->input[i]->type)
            s = read_declared(g, p->input[i], &g->values[index], e);
        if (s != STATUS_OK)
            return s;
        g->values[index].is_input = true;
        g->inputs[g->n_inputs++] = index;
    }
    return STATUS_OK;
}

static enum status read_outputs(struct graph *g, const Onnx__GraphProto *p, struct error *e)
{
    if (p->n_output == 0)
        return error_set(e, STATUS_CORRUPT, "%s: the graph has no output", g->path);
    g->outputs = calloc(p->n_output + 1, sizeof(*g->outputs));
    if (!g->outputs)
        return error_no_memory(e);
    for (size_t i = 0; i < p->n_output; i++) {
        struct value *v;
        size_t index;
        enum status s = graph_value(g, p->output[i]->name ? p->output[i]->name : "", &index, e);

        if (s != STATUS_OK)
            return s;
        v = &g->values[index];
        if (!v->is_constant && !v->is_input && p->output[i]->type) {
            s = read_declared(g, p->output[i], v, e);
            if (s != STATUS_OK)
                return s;
        }
        v->is_output = true;
        g->outputs[g->n_outputs++] = index;
    }
    return STATUS_OK;
}

static enum status read_opset(const Onnx__ModelProto *m, const char *path, int64_t *ret_opset, struct error *e)
{
    int64_t opset = m->n_opset_import == 0 ? 1 : 0; /* IR version 1 and 2 had none */

    for (size_t i = 0; i < m->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *o = m->opset_import[i];

        if (!o->domain || o->domain[0] == '\0' || strcmp(o->domain, "ai.onnx") == 0)
            opset = o->version;
    }
    if (opset < 0 || opset > 1000)
        return error_set(e, STATUS_CORRUPT, "%s: operator set %lld", path, (long long)opset);
    *ret_opset = opset;
    return STATUS_OK;
}

/* Constant nodes of a body become constants, which all turns of a loop share. */
static void take_constants(struct graph *g)
{
    for (size_t i = 0; i < g->n_nodes; i++) {
        struct node *node = &g->nodes[i];
        struct attribute *a = node->n_attributes == 1 ? &node->attributes[0] : NULL;
        struct value *v = node->n_out == 1 && node->out[0] != GRAPH_NO_VALUE ? &g->values[node->out[0]] : NULL;

        if (strcmp(node->op_type, "Constant") != 0 || node->domain[0] != '\0' || node->n_in != 0 || !a || !v ||
            a->kind != ATTRIBUTE_TENSOR || strcmp(a->name, "value") != 0 || v->is_constant || v->is_input)
            continue;
        v->tensor = a->t;
        v->is_constant = v->is_shaped = true;
        a->t.data = NULL;
        node->removed = true;
    }
    graph_drop_removed(g);
}

/* Lists what a body reads that it does not make; checks that it makes nothing twice. */
static enum status find_captures(struct graph *g, struct error *e)
{
    bool *made = calloc(g->n_values + 1, sizeof(*made)), *used = calloc(g->n_values + 1, sizeof(*used));
    enum status s = STATUS_OK;

    g->captures = calloc(g->n_values + 1, sizeof(*g->captures));
    if (!made || !used || !g->captures) {
        s = error_no_memory(e);
        goto end;
    }
    for (size_t i = 0; i < g->n_values; i++)
        made[i] = g->values[i].is_constant || g->values[i].is_input;
    for (size_t i = 0; i < g->n_nodes; i++) {
        const struct node *node = &g->nodes[i];

        for (size_t k = 0; k < node->n_in; k++) {
            if (node->in[k] != GRAPH_NO_VALUE)
                used[node->in[k]] = true;
        }
        for (size_t k = 0; k < node->n_out; k++) {
            if (node->out[k] == GRAPH_NO_VALUE)
                continue;
            if (made[node->out[k]]) {
                s = graph_node_error(g->path, node, e, STATUS_CORRUPT, "writes '%.120s', which is written twice",
                                     g->values[node->out[k]].name);
                goto end;
            }
            made[node->out[k]] = true;
        }
    }
    for (size_t i = 0; i < g->n_outputs; i++)
        used[g->outputs[i]] = true;
    for (size_t i = 0; i < g->n_values; i++) {
        if (used[i] && !made[i])
            g->captures[g->n_captures++] = i;
    }
end:
    free(made);
    free(used);
    return s;
}

/* Recursion (attributes hold bodies) is bounded by the depth that check_wire lets pass. */
static enum status read_graph(struct onnx_source *source, const Onnx__GraphProto *p, int64_t opset, bool is_body,
                              struct graph **ret_g, struct error *e)
{
    struct graph *g = graph_open(source->path);
    enum status s;

    if (!g)
        return error_no_memory(e);
    g->opset = opset;
    s = read_initializers(source, g, p, e);
    if (s == STATUS_OK)
        s = read_inputs(g, p, is_body, e);
    for (size_t i = 0; s == STATUS_OK && i < p->n_node; i++)
        s = read_node(source, g, p->node[i], e);
    if (s == STATUS_OK && is_body)
        take_constants(g);
    if (s == STATUS_OK)
        s = read_outputs(g, p, e);
    if (s == STATUS_OK && is_body)
        s = find_captures(g, e);
    if (s != STATUS_OK)
        graph_close(&g);
    else
        *ret_g = g;
    return s;
}

enum status onnx_read(const void *data, size_t len_bytes, const char *path, bool external, struct graph **ret_g,
                      struct error *e)
{
    struct onnx_source source = {.path = path, .external = external};
    Onnx__ModelProto *m = NULL;
    int64_t opset = 0;
    enum status s = check_wire(data, len_bytes, &onnx__model_proto__descriptor, "file", path, e);

    if (s != STATUS_OK)
        return s;
    m = onnx__model_proto__unpack(NULL, len_bytes, data);
    if (!m || !m->graph)
        s = error_set(e, STATUS_CORRUPT, "%s: not an ONNX file: %s", path,
                      m ? "it holds no graph" : "its fields cannot be decoded");
    if (s == STATUS_OK)
        s = read_opset(m, path, &opset, e);
    if (s == STATUS_OK)
        s = read_graph(&source, m->graph, opset, false, ret_g, e);
    if (s == STATUS_OK)
        (*ret_g)->has_external = source.external_read;
    if (m)
        onnx__model_proto__free_unpacked(m, NULL);
    return s;
}

enum status onnx_read_tensor(const void *data, size_t len_bytes, const char *path, struct tensor *ret_tensor,
                             struct error *e)
{
    struct onnx_source source = {.path = path};
    Onnx__TensorProto *p;
    enum status s = check_wire(data, len_bytes, &onnx__tensor_proto__descriptor, "tensor", path, e);

    if (s != STATUS_OK)
        return s;
    p = onnx__tensor_proto__unpack(NULL, len_bytes, data);
    if (!p)
        return error_set(e, STATUS_CORRUPT, "%s: not an ONNX tensor: its fields cannot be decoded", path);
    s = onnx_tensor_read(&source, p, ret_tensor, e);
    onnx__tensor_proto__free_unpacked(p, NULL);
    return s;
}
