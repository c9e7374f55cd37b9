#include "tests/fuzz/onnx_mutator.h"

#include <stdbool.h>
#include <string.h>

#include "models/op.h"

/* libFuzzer's own mutations, for what has no structure. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t len, size_t room);

/* What a field of ONNX's messages holds; a message by its own name. */
enum kind {
    NONE = 0, /* left alone */
    MODEL,
    GRAPH,
    NODE,
    ATTRIBUTE,
    TENSOR,
    VALUE,
    TYPE,
    TENSOR_TYPE,
    SHAPE,
    DIMENSION,
    OPSET,
    LAST_MESSAGE = OPSET,
    NUMBER,   /* a varint */
    NUMBERS,  /* varints, packed or not */
    WORD,     /* a value's name */
    OPERATOR, /* a node's op_type */
    NAME,     /* an attribute's name */
    STRING,   /* an attribute's string */
    BYTES,
};

enum { MAX_FIELD = 24, MAX_DEPTH = 12, MAX_ITEMS = 64, PIECE_BYTES = 4096 };

static const uint8_t kinds[LAST_MESSAGE + 1][MAX_FIELD] = {
    [MODEL] = {[7] = GRAPH, [8] = OPSET},
    [GRAPH] = {[1] = NODE, [5] = TENSOR, [11] = VALUE, [12] = VALUE, [13] = VALUE},
    [NODE] = {[1] = WORD, [2] = WORD, [4] = OPERATOR, [5] = ATTRIBUTE},
    [ATTRIBUTE] = {[1] = NAME,
                   [2] = BYTES,
                   [3] = NUMBER,
                   [4] = STRING,
                   [5] = TENSOR,
                   [6] = GRAPH,
                   [7] = BYTES,
                   [8] = NUMBERS,
                   [9] = STRING,
                   [20] = NUMBER},
    [TENSOR] = {[1] = NUMBERS,
                [2] = NUMBER,
                [4] = BYTES,
                [5] = NUMBERS,
                [7] = NUMBERS,
                [8] = WORD,
                [9] = BYTES,
                [10] = BYTES,
                [11] = NUMBERS,
                [14] = NUMBER},
    [VALUE] = {[1] = WORD, [2] = TYPE},
    [TYPE] = {[1] = TENSOR_TYPE},
    [TENSOR_TYPE] = {[1] = NUMBER, [2] = SHAPE},
    [SHAPE] = {[1] = DIMENSION},
    [DIMENSION] = {[1] = NUMBER, [2] = WORD},
    [OPSET] = {[2] = NUMBER},
};

static const char *const attribute_names[] = {
    "axis",
    "axes",
    "perm",
    "pads",
    "strides",
    "dilations",
    "kernel_shape",
    "group",
    "auto_pad",
    "ceil_mode",
    "mode",
    "to",
    "value",
    "alpha",
    "beta",
    "epsilon",
    "keepdims",
    "hidden_size",
    "direction",
    "layout",
    "activations",
    "clip",
    "equation",
    "shape",
    "split",
    "batch_dims",
    "largest",
    "sorted",
    "k",
    "exclusive",
    "reverse",
    "min",
    "max",
    "transA",
    "transB",
    "coordinate_transformation_mode",
    "nearest_mode",
    "linear_before_reset",
    "output_shape",
    "output_padding",
    "blocksize",
    "num_outputs",
    "starts",
    "ends",
    "allowzero",
    "count_include_pad",
    "num_groups",
    "reduction",
    "select_last_index",
    "body",
    "then_branch",
    "else_branch",
    "num_scan_inputs",
    "noop_with_empty_axes",
    "center_point_box",
    "upper",
    "detect_negative",
};

static const char *const strings[] = {
    "SAME_UPPER",
    "SAME_LOWER",
    "VALID",
    "NOTSET",
    "constant",
    "reflect",
    "edge",
    "wrap",
    "linear",
    "cubic",
    "nearest",
    "bilinear",
    "align_corners",
    "asymmetric",
    "half_pixel",
    "pytorch_half_pixel",
    "tf_crop_and_resize",
    "floor",
    "ceil",
    "round_prefer_floor",
    "bidirectional",
    "forward",
    "reverse",
    "Tanh",
    "Relu",
    "Sigmoid",
    "DCR",
    "CRD",
    "none",
    "add",
    "mul",
    "ij,jk->ik",
    "...ii->...",
    "bij,bjk",
    "i,j->ij",
    "ii->",
    "TOPK",
    "output_half_pixel",
};

static const int64_t numbers[] = {0,     1,     2,       3,         4,         5,         6,         7,        8,
                                  9,     10,    11,      12,        13,        14,        15,        16,       17,
                                  18,    20,    32,      64,        100,       255,       1000,      1024,     4096,
                                  65535, 65536, 1 << 20, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, -1,       -2,
                                  -3,    -4,    -5,      -8,        -16,       1LL << 32, 1LL << 40, 1LL << 62};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct op_group *const groups[] = {
    &ops_bits, &ops_conv,   &ops_constant, &ops_control,    &ops_binary,      &ops_einsum, &ops_filter,
    &ops_grid, &ops_index,  &ops_linear,   &ops_matrix,     &ops_move,        &ops_nms,    &ops_norm,
    &ops_pad,  &ops_pool,   &ops_quant,    &ops_quant_conv, &ops_recurrent,   &ops_reduce, &ops_resize,
    &ops_roi,  &ops_select, &ops_shape,    &ops_softmax,    &ops_standardize, &ops_unary,  &ops_unpool,
};

struct random {
    uint64_t state;
};

static uint64_t next(struct random *r, uint64_t below)
{
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return below ? (r->state >> 11) % below : 0;
}

/* A field as it lies in the bytes: tag at [at, body), its length's varint within, content [body, end). */
struct field {
    size_t at, body, end;
    unsigned number, wire;
};

static bool read_varint(const uint8_t *p, size_t len, size_t *at, uint64_t *ret_value)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 64 && *at < len; shift += 7) {
        uint8_t b = p[(*at)++];

        v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128)) {
            *ret_value = v;
            return true;
        }
    }
    return false;
}

static size_t write_varint(uint8_t *p, uint64_t v)
{
    size_t n = 0;

    for (; v > 127; v >>= 7)
        p[n++] = (uint8_t)(v | 128);
    p[n++] = (uint8_t)v;
    return n;
}

static bool read_field(const uint8_t *p, size_t len, size_t at, struct field *ret_f)
{
    struct field f = {.at = at};
    uint64_t tag, n;

    if (!read_varint(p, len, &at, &tag))
        return false;
    f.number = tag >> 3 < MAX_FIELD ? (unsigned)(tag >> 3) : 0;
    f.wire = (unsigned)tag & 7;
    f.body = at;
    if (f.wire == 0 && read_varint(p, len, &at, &n)) {
        f.end = at;
    } else if (f.wire == 2 && read_varint(p, len, &at, &n) && n <= len - at) {
        f.body = at;
        f.end = at + n;
    } else if (f.wire == 5 || f.wire == 1) {
        f.end = at + (f.wire == 5 ? 4 : 8);
    } else {
        return false;
    }
    if (f.end > len)
        return false;
    *ret_f = f;
    return true;
}

/* One of the fields [0, len), evenly; wanted: of that kind in messages of `message`, NONE: any. False: there is none. */
static bool pick_field(const uint8_t *p, size_t len, enum kind message, enum kind wanted, struct random *r,
                       struct field *ret_f)
{
    struct field f;
    size_t seen = 0;

    for (size_t at = 0; at < len && read_field(p, len, at, &f); at = f.end) {
        if (wanted != NONE && kinds[message][f.number] != wanted)
            continue;
        if (next(r, ++seen) == 0)
            *ret_f = f;
    }
    return seen > 0;
}

/* Replaces [from, to) of data by n bytes. False: no room. */
static bool splice(uint8_t *data, size_t *len, size_t room, size_t from, size_t to, const uint8_t *with, size_t n)
{
    if (n > room - (*len - (to - from)))
        return false;
    memmove(data + from + n, data + to, *len - to);
    if (n > 0)
        memcpy(data + from, with, n);
    *len = *len - (to - from) + n;
    return true;
}

static size_t put_number(struct random *r, uint64_t old, uint8_t *to)
{
    int64_t v = numbers[next(r, COUNT(numbers))];

    if (next(r, 4) == 0)
        v = (int64_t)(old + next(r, 7) - 3);
    return write_varint(to, (uint64_t)v);
}

static const char *any_operator(struct random *r)
{
    const struct op_group *g = groups[next(r, COUNT(groups))];

    return g->ops[next(r, g->n)].name;
}

/* A name that stands somewhere in the graph: of a node's input or output, a constant, a port. */
static bool any_word(const uint8_t *p, size_t len, struct random *r, uint8_t *to, size_t *ret_n)
{
    enum kind message = MODEL;
    struct field f;

    for (unsigned depth = 0; depth < 4; depth++) {
        enum kind next_kind = message == MODEL   ? GRAPH
                              : message == GRAPH ? (enum kind[]){NODE, NODE, TENSOR, VALUE}[next(r, 4)]
                                                 : WORD;

        if (!pick_field(p, len, message, next_kind, r, &f) || f.wire != 2)
            return false;
        if (next_kind == WORD) {
            *ret_n = f.end - f.body < PIECE_BYTES / 4 ? f.end - f.body : PIECE_BYTES / 4;
            memcpy(to, p + f.body, *ret_n);
            return true;
        }
        p += f.body;
        len = f.end - f.body;
        message = next_kind;
    }
    return false;
}

static size_t put_text(const char *text, uint8_t *to)
{
    size_t n = strlen(text);

    memcpy(to, text, n);
    return n;
}

/* New content of a field into piece; PIECE_BYTES when it stays. */
static size_t new_content(const uint8_t *data, size_t len, const struct field *f, enum kind kind, struct random *r,
                          uint8_t piece[PIECE_BYTES])
{
    size_t n = f->end - f->body, at = f->body;
    uint64_t old = 0;

    switch (kind) {
    case NUMBER:
    case NUMBERS:
        if (f->wire == 0) {
            (void)read_varint(data, len, &at, &old);
            return put_number(r, old, piece);
        }
        /* Packed: as many numbers again, one of them or the count changed. */
        n = 0;
        for (size_t change = next(r, 4), i = 0; at < f->end && i < MAX_ITEMS && read_varint(data, f->end, &at, &old);
             i++) {
            if (i == change && next(r, 4) == 0)
                continue;
            n += i == change ? put_number(r, old, piece + n) : write_varint(piece + n, old);
        }
        if (next(r, 4) == 0)
            n += put_number(r, 1, piece + n);
        return n;
    case WORD:
        return next(r, 12) == 0 ? 0 : any_word(data, len, r, piece, &n) ? n : PIECE_BYTES;
    case OPERATOR:
        return put_text(any_operator(r), piece);
    case NAME:
        return put_text(attribute_names[next(r, COUNT(attribute_names))], piece);
    case STRING:
        return put_text(strings[next(r, COUNT(strings))], piece);
    default:
        if (f->wire == 0 || n > PIECE_BYTES / 2)
            return PIECE_BYTES;
        memcpy(piece, data + at, n);
        n = LLVMFuzzerMutate(piece, n, f->wire == 2 ? PIECE_BYTES / 2 : n);
        return f->wire == 2 || n == f->end - f->body ? n : PIECE_BYTES;
    }
}

/* An attribute that the node did not have. */
static size_t new_attribute(struct random *r, uint8_t piece[PIECE_BYTES])
{
    const char *name = attribute_names[next(r, COUNT(attribute_names))];
    const char *string = strings[next(r, COUNT(strings))];
    uint8_t body[128];
    size_t n = 0, at = 0;
    unsigned kind = (unsigned)next(r, 3);

    body[n++] = 1 << 3 | 2;
    body[n++] = (uint8_t)strlen(name);
    n += put_text(name, body + n);
    if (kind == 0) {
        body[n++] = 3 << 3;
        n += put_number(r, 1, body + n);
    } else if (kind == 1) {
        for (size_t i = 0, count = next(r, 6); i < count; i++) {
            body[n++] = 8 << 3;
            n += put_number(r, 1, body + n);
        }
    } else {
        body[n++] = 4 << 3 | 2;
        body[n++] = (uint8_t)strlen(string);
        n += put_text(string, body + n);
    }
    n += write_varint(body + n, 20 << 3);
    body[n++] = (uint8_t)(kind == 0 ? 2 : kind == 1 ? 7 : 3);
    piece[at++] = 5 << 3 | 2;
    at += write_varint(piece + at, n);
    memcpy(piece + at, body, n);
    return at + n;
}

/* A field of the message at [start, end): new content, or gone, twice, elsewhere. False: it stays. */
static bool change(uint8_t *data, size_t *len, size_t room, const struct field *f, enum kind message, size_t end,
                   struct random *r)
{
    uint8_t piece[PIECE_BYTES], head[32];
    enum kind kind = kinds[message][f->number];
    unsigned how = (unsigned)next(r, 16);
    size_t n = f->end - f->at, head_n;

    if (how == 0)
        return splice(data, len, room, f->at, f->end, NULL, 0);
    if (how == 1 && message == NODE) {
        n = new_attribute(r, piece);
        return splice(data, len, room, end, end, piece, n);
    }
    if (how <= 2) {
        if (n > sizeof(piece))
            return false;
        memcpy(piece, data + f->at, n);
        return splice(data, len, room, f->at, f->at, piece, n);
    }
    if (kind <= LAST_MESSAGE && how > 3)
        return false;
    n = new_content(data, *len, f, kind, r, piece);
    if (n >= PIECE_BYTES)
        return false;
    head_n = write_varint(head, f->number << 3 | f->wire);
    if (f->wire == 2)
        head_n += write_varint(head + head_n, n);
    memmove(piece + head_n, piece, n);
    memcpy(piece, head, head_n);
    return splice(data, len, room, f->at, f->end, piece, head_n + n);
}

size_t onnx_mutate(uint8_t *data, size_t len, size_t room, unsigned seed)
{
    struct random r = {.state = seed * 0x9e3779b97f4a7c15u + 0x1234567};
    struct field path[MAX_DEPTH], f;
    size_t start = 0, end = len, old = len;
    unsigned depth = 0;
    enum kind message = MODEL;

    /* Down to a field: fields that are messages are entered, mostly. */
    for (;;) {
        struct field inner;

        if (!pick_field(data + start, end - start, message, NONE, &r, &inner))
            return 0;
        /* The graph is one field of several in a model; nodes are what matters in a graph. */
        if ((message == MODEL && next(&r, 16) > 0) || (message == GRAPH && next(&r, 2) == 0))
            (void)pick_field(data + start, end - start, message, message == MODEL ? GRAPH : NODE, &r, &inner);
        f = (struct field){inner.at + start, inner.body + start, inner.end + start, inner.number, inner.wire};
        if (f.wire != 2 || kinds[message][f.number] == NONE || kinds[message][f.number] > LAST_MESSAGE ||
            depth == MAX_DEPTH - 1 || f.body == f.end || next(&r, 12) == 0)
            break;
        path[depth++] = f;
        message = kinds[message][f.number];
        start = f.body;
        end = f.end;
    }
    if (!change(data, &len, room, &f, message, end, &r))
        return 0;
    /* The lengths of what it stands in, from the inside out; each may take more bytes, too. */
    for (size_t grown = len - old; depth-- > 0; grown = len - old) { /* modulo 2^64 where it shrank */
        const struct field *outer = &path[depth];
        uint8_t head[32];
        size_t n = write_varint(head, outer->number << 3 | 2);

        n += write_varint(head + n, outer->end - outer->body + grown);
        if (!splice(data, &len, room, outer->at, outer->body, head, n))
            return 0;
    }
    return len;
}
