/* Field numbers: onnx.proto. */
#include "tests/models/onnx_builder.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { VARINT = 0, LENGTH = 2, FIXED32 = 5 };

static void put(struct bytes *b, const void *data, size_t n)
{
    if (b->n + n > b->room) {
        b->room = (b->n + n) * 2;
        b->data = realloc(b->data, b->room);
        cr_assert_not_null(b->data);
    }
    if (n > 0)
        memcpy(b->data + b->n, data, n);
    b->n += n;
}

static void put_varint(struct bytes *b, uint64_t v)
{
    do {
        unsigned char c = (unsigned char)((v & 127) | (v > 127 ? 128 : 0));

        put(b, &c, 1);
        v >>= 7;
    } while (v);
}

static void put_int(struct bytes *b, unsigned field, int64_t v)
{
    put_varint(b, field << 3 | VARINT);
    put_varint(b, (uint64_t)v);
}

static void put_bytes(struct bytes *b, unsigned field, const void *data, size_t n)
{
    put_varint(b, field << 3 | LENGTH);
    put_varint(b, n);
    put(b, data, n);
}

static void put_text(struct bytes *b, unsigned field, const char *text)
{
    put_bytes(b, field, text, strlen(text));
}

/* And frees it. */
static void put_message(struct bytes *b, unsigned field, struct bytes *message)
{
    put_bytes(b, field, message->data, message->n);
    free(message->data);
    *message = (struct bytes){0};
}

/* TensorProto.DataType. */
static int onnx_type(enum tensor_type type)
{
    switch (type) {
    case TENSOR_F32:
        return 1;
    case TENSOR_U8:
        return 2;
    case TENSOR_I8:
        return 3;
    case TENSOR_I32:
        return 6;
    case TENSOR_I64:
        return 7;
    default:
        cr_assert_fail("the builder does not know %s", tensor_type_name(type));
    }
    return 0;
}

static void put_value(struct onnx_builder *b, unsigned field, const char *name, enum tensor_type kind, int rank,
                      const int64_t *dims)
{
    struct bytes value = {0}, type = {0}, tensor = {0}, shape = {0};

    put_text(&value, 1, name);
    put_int(&tensor, 1, onnx_type(kind));
    for (int d = 0; d < rank; d++) {
        struct bytes dim = {0};

        if (dims[d] < 0)
            put_text(&dim, 2, "N");
        else
            put_int(&dim, 1, dims[d]);
        put_message(&shape, 1, &dim);
    }
    if (rank >= 0)
        put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_message(&value, 2, &type);
    put_message(&b->graph, field, &value);
}

void onnx_input(struct onnx_builder *b, const char *name, unsigned rank, const int64_t *dims)
{
    onnx_input_of(b, name, TENSOR_F32, rank, dims);
}

void onnx_input_of(struct onnx_builder *b, const char *name, enum tensor_type type, unsigned rank, const int64_t *dims)
{
    put_value(b, 11, name, type, (int)rank, dims);
}

void onnx_output(struct onnx_builder *b, const char *name)
{
    put_value(b, 12, name, TENSOR_F32, -1, NULL);
}

void onnx_constant(struct onnx_builder *b, const char *name, unsigned rank, const int64_t *dims, const float *values)
{
    onnx_constant_of(b, name, TENSOR_F32, rank, dims, values);
}

void onnx_constant_of(struct onnx_builder *b, const char *name, enum tensor_type type, unsigned rank,
                      const int64_t *dims, const void *values)
{
    struct bytes tensor = {0};
    size_t n = 1;

    for (unsigned d = 0; d < rank; d++) {
        put_int(&tensor, 1, dims[d]);
        n *= (size_t)dims[d];
    }
    put_int(&tensor, 2, onnx_type(type));
    put_text(&tensor, 8, name);
    put_bytes(&tensor, 9, values, n * tensor_type_bytes(type));
    put_message(&b->graph, 5, &tensor);
}

static void put_names(struct bytes *node, unsigned field, const char *names)
{
    while (*names) {
        size_t n = strcspn(names, " ");

        put_bytes(node, field, names, n);
        names += n + (names[n] == ' ');
    }
}

void onnx_node(struct onnx_builder *b, const char *op, const char *in, const char *out)
{
    put_names(&b->node, 1, in);
    put_names(&b->node, 2, out);
    put_text(&b->node, 3, out);
    put_text(&b->node, 4, op);
}

void onnx_int(struct onnx_builder *b, const char *name, int64_t value)
{
    struct bytes a = {0};

    put_text(&a, 1, name);
    put_int(&a, 3, value);
    put_int(&a, 20, 2);
    put_message(&b->node, 5, &a);
}

void onnx_float(struct onnx_builder *b, const char *name, float value)
{
    struct bytes a = {0};

    put_text(&a, 1, name);
    put_varint(&a, 2 << 3 | FIXED32);
    put(&a, &value, sizeof(value));
    put_int(&a, 20, 1);
    put_message(&b->node, 5, &a);
}

void onnx_ints(struct onnx_builder *b, const char *name, size_t n, const int64_t *values)
{
    struct bytes a = {0};

    put_text(&a, 1, name);
    for (size_t i = 0; i < n; i++)
        put_int(&a, 8, values[i]);
    put_int(&a, 20, 7);
    put_message(&b->node, 5, &a);
}

void onnx_node_end(struct onnx_builder *b)
{
    put_message(&b->graph, 1, &b->node);
}

struct network *onnx_network(struct onnx_builder *b)
{
    struct bytes model = {0}, opset = {0};
    struct network *n = NULL;
    struct error e = {0};

    put_int(&model, 1, 7);
    put_text(&b->graph, 2, "built");
    put_message(&model, 7, &b->graph);
    put_int(&opset, 2, 14);
    put_message(&model, 8, &opset);
    cr_assert_eq(network_open_memory(model.data, model.n, "built.onnx", &n, &e), STATUS_OK, "%s", e.text);
    free(model.data);
    return n;
}
