#include "models/onnx_reader.h"

#include <stdlib.h>
#include <string.h>

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

static bool type_from_onnx(int32_t onnx, enum tensor_type *ret_type)
{
    switch (onnx) {
    case ONNX__TENSOR_PROTO__DATA_TYPE__FLOAT:
        *ret_type = TENSOR_F32;
        return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__DOUBLE:
        *ret_type = TENSOR_F64;
        return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT64:
        *ret_type = TENSOR_I64;
        return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT32:
        *ret_type = TENSOR_I32;
        return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__UINT8:
        *ret_type = TENSOR_U8;
        return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__INT8:
        *ret_type = TENSOR_I8;
        return true;
    case ONNX__TENSOR_PROTO__DATA_TYPE__BOOL:
        *ret_type = TENSOR_BOOL;
        return true;
    default:
        return false;
    }
}

bool onnx_tensor_type(int64_t onnx_type, enum tensor_type *ret_type)
{
    return onnx_type > 0 && onnx_type < 64 && type_from_onnx((int32_t)onnx_type, ret_type);
}

static const char *onnx_type_name(int32_t onnx)
{
    const ProtobufCEnumValue *v =
        protobuf_c_enum_descriptor_get_value(&onnx__tensor_proto__data_type__descriptor, onnx);

    return v ? v->name : "unknown";
}

static enum status read_dims(const Onnx__TensorProto *p, const char *path, struct tensor_shape *ret_shape,
                             struct error *e)
{
    struct tensor_shape shape = {.rank = (unsigned)p->n_dims};

    if (p->n_dims > TENSOR_MAX_RANK)
        return error_set(e, STATUS_UNSUPPORTED, "%s: tensor '%.120s' has %zu dimensions, at most %d are supported",
                         path, p->name ? p->name : "", p->n_dims, TENSOR_MAX_RANK);
    for (size_t i = 0; i < p->n_dims; i++) {
        if (p->dims[i] < 0)
            return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s' has the dimension %lld", path,
                             p->name ? p->name : "", (long long)p->dims[i]);
        shape.dims[i] = p->dims[i];
    }
    *ret_shape = shape;
    return STATUS_OK;
}

/* The typed lists of TensorProto: which one holds t, and how many values. */
static size_t typed_count(const Onnx__TensorProto *p, enum tensor_type t)
{
    switch (t) {
    case TENSOR_F32:
        return p->n_float_data;
    case TENSOR_F64:
        return p->n_double_data;
    case TENSOR_I64:
        return p->n_int64_data;
    default:
        return p->n_int32_data;
    }
}

static void copy_typed(const Onnx__TensorProto *p, struct tensor *t, size_t count)
{
    switch (t->type) {
    case TENSOR_F32:
        memcpy(t->data, p->float_data, count * sizeof(float));
        break;
    case TENSOR_F64:
        memcpy(t->data, p->double_data, count * sizeof(double));
        break;
    case TENSOR_I64:
        memcpy(t->data, p->int64_data, count * sizeof(int64_t));
        break;
    case TENSOR_I32:
        memcpy(t->data, p->int32_data, count * sizeof(int32_t));
        break;
    case TENSOR_U8:
    case TENSOR_I8:
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)t->data)[i] = (uint8_t)p->int32_data[i];
        break;
    case TENSOR_BOOL:
        for (size_t i = 0; i < count; i++)
            ((uint8_t *)t->data)[i] = p->int32_data[i] != 0;
        break;
    }
}

/* Raw bytes are little-endian, as every machine that we build for. The buffer of the message is taken over
 * when it is the tensor as it stands, so that weights are not held twice. */
static enum status read_tensor(Onnx__TensorProto *p, const char *path, struct tensor *ret_tensor, struct error *e)
{
    struct tensor t = {0};
    const char *name = p->name ? p->name : "";
    size_t bytes, count;
    enum status s;

    if (p->has_data_location && p->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL)
        return error_set(e, STATUS_UNSUPPORTED, "%s: tensor '%.120s' lies in an external file, which is not supported",
                         path, name);
    if (!type_from_onnx(p->data_type, &t.type))
        return error_set(e, STATUS_UNSUPPORTED, "%s: tensor '%.120s' of type %s is not supported", path, name,
                         onnx_type_name(p->data_type));
    s = read_dims(p, path, &t.shape, e);
    if (s != STATUS_OK)
        return s;
    if (!tensor_shape_bytes(&t.shape, t.type, &bytes))
        return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s' is larger than %lld bytes", path, name,
                         (long long)TENSOR_MAX_BYTES);
    count = bytes / tensor_type_bytes(t.type);
    if (p->has_raw_data && p->raw_data.len != bytes)
        return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s' holds %zu bytes, its shape needs %zu", path, name,
                         p->raw_data.len, bytes);
    if (!p->has_raw_data && typed_count(p, t.type) != count)
        return error_set(e, STATUS_CORRUPT, "%s: tensor '%.120s' holds %zu values, its shape needs %zu", path, name,
                         typed_count(p, t.type), count);
    if (p->has_raw_data && bytes > 0) {
        t.data = p->raw_data.data;
        p->raw_data = (ProtobufCBinaryData){0};
        for (size_t i = 0; t.type == TENSOR_BOOL && i < bytes; i++)
            ((uint8_t *)t.data)[i] = ((uint8_t *)t.data)[i] != 0;
    } else {
        t.data = tensor_memory(bytes);
        if (!t.data)
            return error_no_memory(e);
        if (count > 0)
            copy_typed(p, &t, count);
    }
    *ret_tensor = t;
    return STATUS_OK;
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

static enum status read_attribute(Onnx__AttributeProto *p, const char *path, struct attribute *a, struct error *e)
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
        if (read_tensor(p->t, path, &a->t, NULL) != STATUS_OK)
            a->kind = ATTRIBUTE_OTHER;
        break;
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

static enum status read_node(struct graph *g, Onnx__NodeProto *p, struct error *e)
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
        s = read_attribute(p->attribute[i], g->path, &node->attributes[node->n_attributes], e);
        node->n_attributes++;
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

/* What the file says about an input or output: its type, and its shape with -1 for open dimensions. */
static enum status read_declared(const struct graph *g, const Onnx__ValueInfoProto *p, struct value *v, struct error *e)
{
    const Onnx__TypeProto__Tensor *t;

    if (!p->type || p->type->value_case != ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE)
        return error_set(e, STATUS_UNSUPPORTED, "%s: '%.120s' is not a tensor, which is not supported", g->path,
                         v->name);
    t = p->type->tensor_type;
    if (!type_from_onnx(t->elem_type, &v->tensor.type))
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

static enum status read_initializers(struct graph *g, const Onnx__GraphProto *p, struct error *e)
{
    if (p->n_sparse_initializer > 0)
        return error_set(e, STATUS_UNSUPPORTED, "%s: sparse initializers are not supported", g->path);
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
        s = read_tensor(t, g->path, &v->tensor, e);
        if (s != STATUS_OK)
            return s;
        v->is_constant = v->is_shaped = true;
    }
    return STATUS_OK;
}

/* Files before IR version 4 list initializers among the inputs too; such an input is a constant to us. */
static enum status read_inputs(struct graph *g, const Onnx__GraphProto *p, struct error *e)
{
    g->inputs = calloc(p->n_input + 1, sizeof(*g->inputs));
    if (!g->inputs)
        return error_no_memory(e);
    for (size_t i = 0; i < p->n_input; i++) {
        size_t index;
        enum status s = graph_value(g, p->input[i]->name ? p->input[i]->name : "", &index, e);

        if (s != STATUS_OK)
            return s;
        if (g->values[index].is_constant)
            continue;
        if (g->values[index].is_input)
            return error_set(e, STATUS_CORRUPT, "%s: the input '%.120s' is there twice", g->path,
                             g->values[index].name);
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

static enum status read_opset(struct graph *g, const Onnx__ModelProto *m, struct error *e)
{
    g->opset = m->n_opset_import == 0 ? 1 : 0; /* IR version 1 and 2 had none */
    for (size_t i = 0; i < m->n_opset_import; i++) {
        const Onnx__OperatorSetIdProto *o = m->opset_import[i];

        if (!o->domain || o->domain[0] == '\0' || strcmp(o->domain, "ai.onnx") == 0)
            g->opset = o->version;
    }
    if (g->opset < 0 || g->opset > 1000)
        return error_set(e, STATUS_CORRUPT, "%s: operator set %lld", g->path, (long long)g->opset);
    return STATUS_OK;
}

enum status onnx_read(const void *data, size_t len_bytes, const char *path, struct graph **ret_g, struct error *e)
{
    Onnx__ModelProto *m = NULL;
    struct graph *g = NULL;
    enum status s = check_wire(data, len_bytes, &onnx__model_proto__descriptor, "file", path, e);

    if (s != STATUS_OK)
        return s;
    m = onnx__model_proto__unpack(NULL, len_bytes, data);
    if (!m || !m->graph) {
        s = error_set(e, STATUS_CORRUPT, "%s: not an ONNX file: %s", path,
                      m ? "it holds no graph" : "its fields cannot be decoded");
        goto error;
    }
    g = graph_open(path);
    if (!g) {
        s = error_no_memory(e);
        goto error;
    }
    s = read_opset(g, m, e);
    if (s == STATUS_OK)
        s = read_initializers(g, m->graph, e);
    if (s == STATUS_OK)
        s = read_inputs(g, m->graph, e);
    for (size_t i = 0; s == STATUS_OK && i < m->graph->n_node; i++)
        s = read_node(g, m->graph->node[i], e);
    if (s == STATUS_OK)
        s = read_outputs(g, m->graph, e);
    if (s != STATUS_OK)
        goto error;
    onnx__model_proto__free_unpacked(m, NULL);
    *ret_g = g;
    return STATUS_OK;
error:
    graph_close(&g);
    if (m)
        onnx__model_proto__free_unpacked(m, NULL);
    return s;
}

enum status onnx_read_tensor(const void *data, size_t len_bytes, const char *path, struct tensor *ret_tensor,
                             struct error *e)
{
    Onnx__TensorProto *p;
    enum status s = check_wire(data, len_bytes, &onnx__tensor_proto__descriptor, "tensor", path, e);

    if (s != STATUS_OK)
        return s;
    p = onnx__tensor_proto__unpack(NULL, len_bytes, data);
    if (!p)
        return error_set(e, STATUS_CORRUPT, "%s: not an ONNX tensor: its fields cannot be decoded", path);
    s = read_tensor(p, path, ret_tensor, e);
    onnx__tensor_proto__free_unpacked(p, NULL);
    return s;
}
