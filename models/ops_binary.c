/* Operators of two or more tensors that work element by element with broadcasting. */
#include <math.h>
#include <string.h>

#include "models/broadcast.h"

enum binary_kind {
    BINARY_ADD,
    BINARY_SUB,
    BINARY_MUL,
    BINARY_DIV,
    BINARY_MIN,
    BINARY_MAX,
    BINARY_MOD,
    BINARY_FMOD,
    BINARY_PRELU,
    BINARY_MEAN, /* adds; the run divides at the end */
};

enum compare_kind { COMPARE_EQUAL, COMPARE_LESS, COMPARE_LESS_EQUAL, COMPARE_GREATER, COMPARE_GREATER_EQUAL };
enum logic_kind { LOGIC_AND, LOGIC_OR, LOGIC_XOR };

struct binary_state {
    /* One walk for each input after the first: operand 0 is what stands in the output (the first input for
     * the first walk), operand 1 the next input. More inputs are planned at run time. */
    struct broadcast first;
    int kind;
};

/* Both contiguous and one repeated are what networks do; the compiler vectorises those loops. */
#define LOOP(expression)                                                                                               \
    if (sx == 1 && sy == 1) {                                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const elem a = x[i], b = y[i];                                                                             \
            to[i] = (expression);                                                                                      \
        }                                                                                                              \
    } else if (sx == 1 && sy == 0) {                                                                                   \
        const elem b = y[0];                                                                                           \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const elem a = x[i];                                                                                       \
            to[i] = (expression);                                                                                      \
        }                                                                                                              \
    } else {                                                                                                           \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            const elem a = x[i * sx], b = y[i * sy];                                                                   \
            to[i] = (expression);                                                                                      \
        }                                                                                                              \
    }                                                                                                                  \
    break

/* Sums and products go through `wide`, an unsigned type for integers, so that they wrap instead of being
 * undefined. */
#define DEFINE_BINARY(name, type, wide, divide, modulo, fmodulo)                                                       \
    static void name(int kind, const type *x, int64_t sx, const type *y, int64_t sy, type *to, int64_t n)              \
    {                                                                                                                  \
        typedef type elem;                                                                                             \
        const elem zero = 0;                                                                                           \
                                                                                                                       \
        switch ((enum binary_kind)kind) {                                                                              \
        case BINARY_MEAN:                                                                                              \
        case BINARY_ADD:                                                                                               \
            LOOP((elem)((wide)a + (wide)b));                                                                           \
        case BINARY_SUB:                                                                                               \
            LOOP((elem)((wide)a - (wide)b));                                                                           \
        case BINARY_MUL:                                                                                               \
            LOOP((elem)((wide)a * (wide)b));                                                                           \
        case BINARY_DIV:                                                                                               \
            LOOP(divide);                                                                                              \
        case BINARY_MIN:                                                                                               \
            LOOP(a < b || a != a ? a : b);                                                                             \
        case BINARY_MAX:                                                                                               \
            LOOP(a > b || a != a ? a : b);                                                                             \
        case BINARY_MOD:                                                                                               \
            LOOP(modulo);                                                                                              \
        case BINARY_FMOD:                                                                                              \
            LOOP(fmodulo);                                                                                             \
        case BINARY_PRELU:                                                                                             \
            LOOP(a < zero ? (elem)((wide)a * (wide)b) : a);                                                            \
        }                                                                                                              \
    }

/* A divisor of zero gives 0 here: the run has refused it before (check_divisor). */
#define INTEGER_DIVIDE (elem)(b == 0 ? 0 : (int64_t)b == -1 ? (int64_t)(0 - (uint64_t)a) : (int64_t)a / (int64_t)b)
#define INTEGER_FMOD   (elem)(b == 0 || (int64_t)b == -1 ? 0 : (int64_t)a % (int64_t)b)
#define INTEGER_MOD                                                                                                    \
    (elem)(b == 0 || (int64_t)b == -1                                                                                  \
               ? 0                                                                                                     \
               : (int64_t)a % (int64_t)b + (((int64_t)a % (int64_t)b != 0 && (a < 0) != (b < 0)) ? (int64_t)b : 0))

DEFINE_BINARY(binary_f32, float, float, a / b, fmodf(a, b), fmodf(a, b))
DEFINE_BINARY(binary_f64, double, double, a / b, fmod(a, b), fmod(a, b))
DEFINE_BINARY(binary_i64, int64_t, uint64_t, INTEGER_DIVIDE, INTEGER_MOD, INTEGER_FMOD)
DEFINE_BINARY(binary_i32, int32_t, uint32_t, INTEGER_DIVIDE, INTEGER_MOD, INTEGER_FMOD)
DEFINE_BINARY(binary_i8, int8_t, uint32_t, INTEGER_DIVIDE, INTEGER_MOD, INTEGER_FMOD)
DEFINE_BINARY(binary_i16, int16_t, uint32_t, INTEGER_DIVIDE, INTEGER_MOD, INTEGER_FMOD)

#define UNSIGNED_DIVIDE (elem)(b == 0 ? 0 : a / b)
#define UNSIGNED_MOD    (elem)(b == 0 ? 0 : a % b)

DEFINE_BINARY(binary_u8, uint8_t, uint32_t, UNSIGNED_DIVIDE, UNSIGNED_MOD, UNSIGNED_MOD)
DEFINE_BINARY(binary_u16, uint16_t, uint32_t, UNSIGNED_DIVIDE, UNSIGNED_MOD, UNSIGNED_MOD)
DEFINE_BINARY(binary_u32, uint32_t, uint32_t, UNSIGNED_DIVIDE, UNSIGNED_MOD, UNSIGNED_MOD)
DEFINE_BINARY(binary_u64, uint64_t, uint64_t, UNSIGNED_DIVIDE, UNSIGNED_MOD, UNSIGNED_MOD)

static enum status binary_infer(struct call *c, struct error *e);

/* Before opset 7 the second operand broadcasts only when told so, aligned at `axis`: B [C] with axis 1 acts
 * as [C,1,1]. Gives B's shape in today's terms. */
static enum status align_old(const struct call *c, struct tensor_shape *b, struct error *e)
{
    const struct tensor_shape *a = &c->in[0]->shape;
    bool slope = c->op->kind == BINARY_PRELU && c->op->infer == binary_infer; /* always one a channel */
    int64_t axis = call_int(c, "axis", slope ? 1 : (int64_t)a->rank - (int64_t)b->rank);
    unsigned at;
    enum status s;

    if (c->opset >= 7 || (call_int(c, "broadcast", 0) == 0 && !slope) || b->rank == 0)
        return STATUS_OK;
    if (slope && (b->rank != 1 || b->dims[0] == 1))
        return STATUS_OK;
    s = call_axis(c, axis, a->rank, &at, e);
    if (s != STATUS_OK)
        return s;
    if (at + b->rank > a->rank)
        return call_error(c, e, STATUS_INVALID, "input 1 does not fit at axis %lld", (long long)axis);
    for (unsigned i = b->rank; i < a->rank - at; i++)
        b->dims[i] = 1;
    b->rank = a->rank - at;
    return STATUS_OK;
}

static enum status infer_shapes(struct call *c, struct tensor_shape *ret_second, struct error *e)
{
    struct tensor_shape shape = c->in[0]->shape;
    char x[TENSOR_SHAPE_TEXT_BYTES], y[TENSOR_SHAPE_TEXT_BYTES];

    *ret_second = shape;
    for (size_t i = 1; i < c->n_in; i++) {
        struct tensor_shape next;

        if (!c->in[i])
            return call_error(c, e, STATUS_CORRUPT, "input %zu is absent", i);
        next = c->in[i]->shape;
        if (i == 1) {
            enum status s = align_old(c, &next, e);

            if (s != STATUS_OK)
                return s;
            *ret_second = next;
        }
        if (c->in[i]->type != c->in[0]->type)
            return call_error(c, e, STATUS_INVALID, "inputs are %s and %s, must be the same",
                              tensor_type_name(c->in[0]->type), tensor_type_name(c->in[i]->type));
        if (!broadcast_shape(&shape, &next, &shape))
            return call_error(c, e, STATUS_INVALID, "%s and %s do not broadcast", tensor_shape_text(&shape, x),
                              tensor_shape_text(&next, y));
    }
    c->out[0]->shape = shape;
    return STATUS_OK;
}

static enum status binary_infer(struct call *c, struct error *e)
{
    struct binary_state *state = c->state;
    struct tensor_shape second;
    const struct tensor_shape *operands[2] = {&c->in[0]->shape, &second};
    enum status s = call_type(c, 0, TYPES_NUMBER, e);

    if (s == STATUS_OK)
        s = infer_shapes(c, &second, e);
    if (s != STATUS_OK)
        return s;
    state->kind = c->op->kind;
    if (state->kind == BINARY_MOD && call_int(c, "fmod", 0) != 0)
        state->kind = BINARY_FMOD;
    /* The slope of PRelu must not widen the input, and Mean of integers has no meaning. */
    if (state->kind == BINARY_PRELU && !tensor_shape_equal(&c->out[0]->shape, &c->in[0]->shape))
        return call_error(c, e, STATUS_INVALID, "the slope is larger than the input");
    if (state->kind == BINARY_MEAN && !(TYPE_BIT(c->in[0]->type) & TYPES_FLOAT))
        return call_error(c, e, STATUS_UNSUPPORTED, "a mean of %s", tensor_type_name(c->in[0]->type));
    c->out[0]->type = c->in[0]->type;
    broadcast_plan(&c->out[0]->shape, operands, c->n_in > 1 ? 2 : 1, &state->first);
    c->flops = (uint64_t)tensor_count(c->out[0]) * c->n_in;
    return STATUS_OK;
}

static void combine(int kind, enum tensor_type t, const void *x, int64_t sx, const void *y, int64_t sy, void *to,
                    int64_t n)
{
    switch (t) {
    case TENSOR_F32:
        binary_f32(kind, x, sx, y, sy, to, n);
        break;
    case TENSOR_F64:
        binary_f64(kind, x, sx, y, sy, to, n);
        break;
    case TENSOR_I64:
        binary_i64(kind, x, sx, y, sy, to, n);
        break;
    case TENSOR_I32:
        binary_i32(kind, x, sx, y, sy, to, n);
        break;
    case TENSOR_I8:
        binary_i8(kind, x, sx, y, sy, to, n);
        break;
    case TENSOR_I16:
        binary_i16(kind, x, sx, y, sy, to, n);
        break;
    case TENSOR_U16:
        binary_u16(kind, x, sx, y, sy, to, n);
        break;
    case TENSOR_U32:
        binary_u32(kind, x, sx, y, sy, to, n);
        break;
    case TENSOR_U64:
        binary_u64(kind, x, sx, y, sy, to, n);
        break;
    case TENSOR_U8:
    case TENSOR_BOOL:
        binary_u8(kind, x, sx, y, sy, to, n);
        break;
    case TENSOR_F16:
    case TENSOR_BF16:
        break; /* seen as float32 */
    }
}

static void walk(int kind, const struct broadcast *b, const struct tensor *x, const struct tensor *y, struct tensor *to)
{
    size_t unit = tensor_type_bytes(to->type);
    struct broadcast_walk w;

    for (broadcast_begin(&w, b); w.more; broadcast_next(&w))
        combine(kind, to->type, (const char *)x->data + (size_t)w.at[0] * unit, w.step[0],
                (const char *)y->data + (size_t)w.at[1] * unit, w.step[1], (char *)to->data + (size_t)w.out * unit,
                w.n);
}

static enum status check_divisor(const struct call *c, struct error *e)
{
    const struct tensor *d = c->in[1];
    size_t unit = tensor_type_bytes(d->type);
    static const char zero[8] = {0};

    for (int64_t i = 0; i < tensor_count(d); i++) {
        if (memcmp((const char *)d->data + (size_t)i * unit, zero, unit) == 0)
            return call_error(c, e, STATUS_INVALID, "an integer is divided by zero");
    }
    return STATUS_OK;
}

static enum status binary_run(struct call *c, struct error *e)
{
    const struct binary_state *state = c->state;
    struct tensor *to = c->out[0];
    bool divides = state->kind == BINARY_DIV || state->kind == BINARY_MOD || state->kind == BINARY_FMOD;

    if (divides && !(TYPE_BIT(to->type) & TYPES_FLOAT)) {
        enum status s = check_divisor(c, e);

        if (s != STATUS_OK)
            return s;
    }
    if (c->n_in == 1) {
        if (to->data != c->in[0]->data)
            memcpy(to->data, c->in[0]->data, (size_t)tensor_count(to) * tensor_type_bytes(to->type));
        return STATUS_OK;
    }
    walk(state->kind, &state->first, c->in[0], c->in[1], to);
    for (size_t i = 2; i < c->n_in; i++) {
        const struct tensor_shape *operands[2] = {&to->shape, &c->in[i]->shape};
        struct broadcast b;

        broadcast_plan(&to->shape, operands, 2, &b);
        walk(state->kind, &b, to, c->in[i], to);
    }
    for (int64_t i = 0; state->kind == BINARY_MEAN && i < tensor_count(to); i++) {
        if (to->type == TENSOR_F32)
            ((float *)to->data)[i] /= (float)c->n_in;
        else
            ((double *)to->data)[i] /= (double)c->n_in;
    }
    return STATUS_OK;
}

/* Comparisons and logic give bool. */
static enum status relation_infer(struct call *c, struct error *e)
{
    struct binary_state *state = c->state;
    struct tensor_shape second;
    const struct tensor_shape *operands[2] = {&c->in[0]->shape, &second};
    enum status s = infer_shapes(c, &second, e);

    if (s != STATUS_OK)
        return s;
    c->out[0]->type = TENSOR_BOOL;
    broadcast_plan(&c->out[0]->shape, operands, 2, &state->first);
    return STATUS_OK;
}

static enum status logic_infer(struct call *c, struct error *e)
{
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_BOOL), e);

    return s == STATUS_OK ? relation_infer(c, e) : s;
}

#define RELATE(type)                                                                                                   \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        const type a = ((const type *)x)[i * sx], b = ((const type *)y)[i * sy];                                       \
                                                                                                                       \
        to[i] = kind == COMPARE_EQUAL        ? a == b                                                                  \
                : kind == COMPARE_LESS       ? a < b                                                                   \
                : kind == COMPARE_LESS_EQUAL ? a <= b                                                                  \
                : kind == COMPARE_GREATER    ? a > b                                                                   \
                                             : a >= b;                                                                    \
    }                                                                                                                  \
    break

static void relate(int kind, enum tensor_type t, const void *x, int64_t sx, const void *y, int64_t sy, uint8_t *to,
                   int64_t n)
{
    switch (t) {
    case TENSOR_F32:
        RELATE(float);
    case TENSOR_F64:
        RELATE(double);
    case TENSOR_I64:
        RELATE(int64_t);
    case TENSOR_I32:
        RELATE(int32_t);
    case TENSOR_I8:
        RELATE(int8_t);
    case TENSOR_I16:
        RELATE(int16_t);
    case TENSOR_U16:
        RELATE(uint16_t);
    case TENSOR_U32:
        RELATE(uint32_t);
    case TENSOR_U64:
        RELATE(uint64_t);
    case TENSOR_U8:
    case TENSOR_BOOL:
        RELATE(uint8_t);
    case TENSOR_F16:
    case TENSOR_BF16:
        break; /* seen as float32 */
    }
}

static enum status compare_run(struct call *c, struct error *e)
{
    const struct binary_state *state = c->state;
    size_t unit = tensor_type_bytes(c->in[0]->type);
    struct broadcast_walk w;

    (void)e;
    for (broadcast_begin(&w, &state->first); w.more; broadcast_next(&w))
        relate(c->op->kind, c->in[0]->type, (const char *)c->in[0]->data + (size_t)w.at[0] * unit, w.step[0],
               (const char *)c->in[1]->data + (size_t)w.at[1] * unit, w.step[1], (uint8_t *)c->out[0]->data + w.out,
               w.n);
    return STATUS_OK;
}

static enum status logic_run(struct call *c, struct error *e)
{
    const struct binary_state *state = c->state;
    struct broadcast_walk w;

    (void)e;
    for (broadcast_begin(&w, &state->first); w.more; broadcast_next(&w)) {
        const uint8_t *x = (const uint8_t *)c->in[0]->data + w.at[0], *y = (const uint8_t *)c->in[1]->data + w.at[1];
        uint8_t *to = (uint8_t *)c->out[0]->data + w.out;

        for (int64_t i = 0; i < w.n; i++) {
            uint8_t a = x[i * w.step[0]], b = y[i * w.step[1]];

            to[i] = c->op->kind == LOGIC_AND ? a && b : c->op->kind == LOGIC_OR ? a || b : a != b;
        }
    }
    return STATUS_OK;
}

/* Pow: the exponent's type is its own from opset 12 on; the result has the base's. */
static enum status power_infer(struct call *c, struct error *e)
{
    struct binary_state *state = c->state;
    struct tensor_shape second = c->in[1]->shape;
    const struct tensor_shape *operands[2] = {&c->in[0]->shape, &second};
    enum status s = call_type(c, 0, TYPES_FLOAT | TYPES_INDEX, e);

    if (s == STATUS_OK)
        s = call_type(c, 1, TYPES_NUMBER, e);
    if (s == STATUS_OK)
        s = align_old(c, &second, e);
    if (s != STATUS_OK)
        return s;
    if (!broadcast_shape(&c->in[0]->shape, &second, &c->out[0]->shape))
        return call_error(c, e, STATUS_INVALID, "base and exponent do not broadcast");
    c->out[0]->type = c->in[0]->type;
    broadcast_plan(&c->out[0]->shape, operands, 2, &state->first);
    return STATUS_OK;
}

static int64_t whole_power(int64_t base, double exponent)
{
    double value = pow((double)base, exponent);
    uint64_t result = 1, factor = (uint64_t)base;

    if (exponent < 0 || exponent != floor(exponent) || exponent > 64)
        return value >= -9.2e18 && value <= 9.2e18 ? (int64_t)value : 0;
    for (unsigned k = (unsigned)exponent; k > 0; k >>= 1, factor *= factor)
        result *= k & 1 ? factor : 1;
    return (int64_t)result;
}

static enum status power_run(struct call *c, struct error *e)
{
    const struct binary_state *state = c->state;
    const struct tensor *x = c->in[0], *p = c->in[1];
    struct broadcast_walk w;

    (void)e;
    for (broadcast_begin(&w, &state->first); w.more; broadcast_next(&w)) {
        for (int64_t i = 0; i < w.n; i++) {
            int64_t at = w.at[0] + i * w.step[0], to = w.out + i;
            double exponent = tensor_value(p, w.at[1] + i * w.step[1]);

            if (x->type == TENSOR_F32) {
                float v = ((const float *)x->data)[at];

                ((float *)c->out[0]->data)[to] = exponent == 2.0 ? v * v : powf(v, (float)exponent);
            } else if (x->type == TENSOR_F64) {
                ((double *)c->out[0]->data)[to] = pow(((const double *)x->data)[at], exponent);
            } else if (x->type == TENSOR_I64) {
                ((int64_t *)c->out[0]->data)[to] = whole_power(((const int64_t *)x->data)[at], exponent);
            } else {
                ((int32_t *)c->out[0]->data)[to] = (int32_t)whole_power(((const int32_t *)x->data)[at], exponent);
            }
        }
    }
    return STATUS_OK;
}

static enum status where_infer(struct call *c, struct error *e)
{
    struct broadcast *b = c->state;
    const struct tensor_shape *operands[3] = {&c->in[0]->shape, &c->in[1]->shape, &c->in[2]->shape};
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_BOOL), e);

    if (s != STATUS_OK)
        return s;
    if (c->in[1]->type != c->in[2]->type)
        return call_error(c, e, STATUS_INVALID, "inputs are %s and %s, must be the same",
                          tensor_type_name(c->in[1]->type), tensor_type_name(c->in[2]->type));
    if (!broadcast_shape(operands[0], operands[1], &c->out[0]->shape) ||
        !broadcast_shape(&c->out[0]->shape, operands[2], &c->out[0]->shape))
        return call_error(c, e, STATUS_INVALID, "the inputs do not broadcast");
    c->out[0]->type = c->in[1]->type;
    broadcast_plan(&c->out[0]->shape, operands, 3, b);
    return STATUS_OK;
}

static enum status where_run(struct call *c, struct error *e)
{
    size_t unit = tensor_type_bytes(c->out[0]->type);
    struct broadcast_walk w;

    (void)e;
    for (broadcast_begin(&w, c->state); w.more; broadcast_next(&w)) {
        for (int64_t i = 0; i < w.n; i++) {
            bool first = ((const uint8_t *)c->in[0]->data)[w.at[0] + i * w.step[0]] != 0;
            unsigned k = first ? 1 : 2;

            memcpy((char *)c->out[0]->data + (size_t)(w.out + i) * unit,
                   (const char *)c->in[k]->data + (size_t)(w.at[k] + i * w.step[k]) * unit, unit);
        }
    }
    return STATUS_OK;
}

#define ENTRY(op_name, op_kind, most, op_flags, op_infer, op_run)                                                      \
    {                                                                                                                  \
        .name = op_name, .since = 1, .min_in = most == 2 ? 2 : 1, .max_in = most, .min_out = 1, .max_out = 1,          \
        .flags = op_flags, .kind = op_kind, .state_bytes = sizeof(struct binary_state), .infer = op_infer,             \
        .run = op_run                                                                                                  \
    }
#define ARITHMETIC(name, kind, most) ENTRY(name, kind, most, OP_IN_PLACE, binary_infer, binary_run)

static const struct op binary_ops[] = {
    ARITHMETIC("Add", BINARY_ADD, 2),
    ARITHMETIC("Sub", BINARY_SUB, 2),
    ARITHMETIC("Mul", BINARY_MUL, 2),
    ARITHMETIC("Div", BINARY_DIV, 2),
    ARITHMETIC("Mod", BINARY_MOD, 2),
    ARITHMETIC("PRelu", BINARY_PRELU, 2),
    ARITHMETIC("Min", BINARY_MIN, OP_ANY_COUNT),
    ARITHMETIC("Max", BINARY_MAX, OP_ANY_COUNT),
    ARITHMETIC("Sum", BINARY_ADD, OP_ANY_COUNT),
    ARITHMETIC("Mean", BINARY_MEAN, OP_ANY_COUNT),
    ENTRY("Pow", 0, 2, 0, power_infer, power_run),
    ENTRY("Equal", COMPARE_EQUAL, 2, 0, relation_infer, compare_run),
    ENTRY("Less", COMPARE_LESS, 2, 0, relation_infer, compare_run),
    ENTRY("LessOrEqual", COMPARE_LESS_EQUAL, 2, 0, relation_infer, compare_run),
    ENTRY("Greater", COMPARE_GREATER, 2, 0, relation_infer, compare_run),
    ENTRY("GreaterOrEqual", COMPARE_GREATER_EQUAL, 2, 0, relation_infer, compare_run),
    ENTRY("And", LOGIC_AND, 2, 0, logic_infer, logic_run),
    ENTRY("Or", LOGIC_OR, 2, 0, logic_infer, logic_run),
    ENTRY("Xor", LOGIC_XOR, 2, 0, logic_infer, logic_run),
    {.name = "Where",
     .since = 9,
     .min_in = 3,
     .max_in = 3,
     .min_out = 1,
     .max_out = 1,
     .flags = OP_BYTES,
     .state_bytes = sizeof(struct broadcast),
     .infer = where_infer,
     .run = where_run},
};

const struct op_group ops_binary = {binary_ops, sizeof(binary_ops) / sizeof(binary_ops[0])};
