/* Operators of one tensor that work element by element, and Clip. */
#include <math.h>
#include <tgmath.h>
#include <string.h>

#include "models/op.h"

enum unary_kind {
    UNARY_ABS,
    UNARY_NEG,
    UNARY_SIGN,
    UNARY_RELU,
    UNARY_LEAKY_RELU,
    UNARY_ELU,
    UNARY_SELU,
    UNARY_CELU,
    UNARY_THRESHOLDED_RELU,
    UNARY_SIGMOID,
    UNARY_HARD_SIGMOID,
    UNARY_HARD_SWISH,
    UNARY_TANH,
    UNARY_SOFTPLUS,
    UNARY_SOFTSIGN,
    UNARY_ERF,
    UNARY_EXP,
    UNARY_LOG,
    UNARY_SQRT,
    UNARY_CEIL,
    UNARY_FLOOR,
    UNARY_ROUND,
    UNARY_RECIPROCAL,
    UNARY_SIN,
    UNARY_COS,
    UNARY_TAN,
    UNARY_ASIN,
    UNARY_ACOS,
    UNARY_ATAN,
    UNARY_SINH,
    UNARY_COSH,
    UNARY_ASINH,
    UNARY_ACOSH,
    UNARY_ATANH,
    UNARY_SHRINK,
    UNARY_MISH,
    UNARY_GELU,
    UNARY_GELU_TANH,
};

struct unary_state {
    int kind;
    float a, b;
};

#define EACH(expression)                                                                                               \
    for (int64_t i = 0; i < n; i++) {                                                                                  \
        const real x = from[i];                                                                                        \
        to[i] = (expression);                                                                                          \
    }                                                                                                                  \
    break

/* The same source for float and double: tgmath picks the functions. */
#define DEFINE_UNARY(name, real_type)                                                                                  \
    static void name(int kind, const real_type *from, real_type *to, int64_t n, real_type a, real_type b)              \
    {                                                                                                                  \
        typedef real_type real;                                                                                        \
        const real one = 1, zero = 0;                                                                                  \
                                                                                                                       \
        switch ((enum unary_kind)kind) {                                                                               \
        case UNARY_ABS:                                                                                                \
            EACH(fabs(x));                                                                                             \
        case UNARY_NEG:                                                                                                \
            EACH(-x);                                                                                                  \
        case UNARY_SIGN:                                                                                               \
            EACH((real)((x > zero) - (x < zero)));                                                                     \
        case UNARY_RELU:                                                                                               \
            EACH(x < zero ? zero : x);                                                                                 \
        case UNARY_LEAKY_RELU:                                                                                         \
            EACH(x < zero ? x * a : x);                                                                                \
        case UNARY_ELU:                                                                                                \
            EACH(x < zero ? a * expm1(x) : x);                                                                         \
        case UNARY_SELU:                                                                                               \
            EACH(x > zero ? b * x : b * (a * expm1(x)));                                                               \
        case UNARY_CELU:                                                                                               \
            EACH(x > zero ? x : a * expm1(x / a));                                                                     \
        case UNARY_THRESHOLDED_RELU:                                                                                   \
            EACH(x > a ? x : zero);                                                                                    \
        case UNARY_SIGMOID:                                                                                            \
            EACH(one / (one + exp(-x)));                                                                               \
        case UNARY_HARD_SIGMOID:                                                                                       \
            EACH(fmax(zero, fmin(one, a *x + b)));                                                                     \
        case UNARY_HARD_SWISH:                                                                                         \
            EACH(x *fmax(zero, fmin(one, x / (real)6 + (real)0.5)));                                                   \
        case UNARY_TANH:                                                                                               \
            EACH(tanh(x));                                                                                             \
        case UNARY_SOFTPLUS:                                                                                           \
            EACH(fmax(x, zero) + log1p(exp(-fabs(x))));                                                                \
        case UNARY_SOFTSIGN:                                                                                           \
            EACH(x / (one + fabs(x)));                                                                                 \
        case UNARY_ERF:                                                                                                \
            EACH(erf(x));                                                                                              \
        case UNARY_EXP:                                                                                                \
            EACH(exp(x));                                                                                              \
        case UNARY_LOG:                                                                                                \
            EACH(log(x));                                                                                              \
        case UNARY_SQRT:                                                                                               \
            EACH(sqrt(x));                                                                                             \
        case UNARY_CEIL:                                                                                               \
            EACH(ceil(x));                                                                                             \
        case UNARY_FLOOR:                                                                                              \
            EACH(floor(x));                                                                                            \
        case UNARY_ROUND:                                                                                              \
            EACH(nearbyint(x)); /* to even: nobody changes the rounding mode */                                        \
        case UNARY_RECIPROCAL:                                                                                         \
            EACH(one / x);                                                                                             \
        case UNARY_SIN:                                                                                                \
            EACH(sin(x));                                                                                              \
        case UNARY_COS:                                                                                                \
            EACH(cos(x));                                                                                              \
        case UNARY_TAN:                                                                                                \
            EACH(tan(x));                                                                                              \
        case UNARY_ASIN:                                                                                               \
            EACH(asin(x));                                                                                             \
        case UNARY_ACOS:                                                                                               \
            EACH(acos(x));                                                                                             \
        case UNARY_ATAN:                                                                                               \
            EACH(atan(x));                                                                                             \
        case UNARY_SINH:                                                                                               \
            EACH(sinh(x));                                                                                             \
        case UNARY_COSH:                                                                                               \
            EACH(cosh(x));                                                                                             \
        case UNARY_ASINH:                                                                                              \
            EACH(asinh(x));                                                                                            \
        case UNARY_ACOSH:                                                                                              \
            EACH(acosh(x));                                                                                            \
        case UNARY_ATANH:                                                                                              \
            EACH(atanh(x));                                                                                            \
        case UNARY_SHRINK:                                                                                             \
            EACH(x<-a ? x + b : x> a ? x - b : zero);                                                                  \
        case UNARY_MISH:                                                                                               \
            EACH(x *tanh(fmax(x, zero) + log1p(exp(-fabs(x)))));                                                       \
        case UNARY_GELU:                                                                                               \
            EACH((real)0.5 * x * (one + erf(x * (real)0.70710678118654752440)));                                       \
        case UNARY_GELU_TANH:                                                                                          \
            EACH((real)0.5 * x * (one + tanh((real)0.79788456080286535588 * (x + (real)0.044715 * x * x * x))));       \
        }                                                                                                              \
    }

DEFINE_UNARY(unary_f32, float)
DEFINE_UNARY(unary_f64, double)

static int64_t integer_of(int kind, int64_t x, bool is_signed)
{
    switch (kind) {
    case UNARY_NEG:
        return (int64_t)(0 - (uint64_t)x); /* as unsigned: the lowest value stays itself */
    case UNARY_ABS:
        return is_signed && x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
    case UNARY_SIGN:
        return is_signed ? (x > 0) - (x < 0) : x != 0;
    default:
        return is_signed && x < 0 ? 0 : x; /* Relu */
    }
}

static void unary_integer(const struct call *c)
{
    const struct unary_state *state = c->state;
    const struct tensor *x = c->in[0];
    bool is_signed = !(TYPE_BIT(x->type) & TYPES_UNSIGNED);

    for (int64_t i = 0; i < tensor_count(x); i++) {
        double v = c->op->kind == UNARY_SHRINK ? tensor_value(x, i) : 0, a = (double)state->a, b = (double)state->b;

        if (c->op->kind == UNARY_SHRINK)
            tensor_set_value(c->out[0], i, v < -a ? v + b : v > a ? v - b : 0);
        else
            tensor_set_integer(c->out[0], i, integer_of(c->op->kind, tensor_integer(x, i), is_signed));
    }
}

static enum status unary_infer(struct call *c, struct error *e)
{
    struct unary_state *state = c->state;
    bool integers = c->op->kind <= UNARY_RELU || c->op->kind == UNARY_SHRINK;
    enum status s = call_type(c, 0, integers ? TYPES_NUMBER : TYPES_FLOAT, e);

    if (s != STATUS_OK)
        return s;
    state->kind = c->op->kind;
    switch ((enum unary_kind)c->op->kind) {
    case UNARY_LEAKY_RELU:
        state->a = call_float(c, "alpha", 0.01f);
        break;
    case UNARY_ELU:
    case UNARY_CELU:
    case UNARY_THRESHOLDED_RELU:
        state->a = call_float(c, "alpha", 1.0f);
        break;
    case UNARY_SELU:
        /* Klambauer et al., "Self-Normalizing Neural Networks", 2017; the values of ONNX's schema. */
        state->a = call_float(c, "alpha", 1.67326319217681884765625f);
        state->b = call_float(c, "gamma", 1.05070102214813232421875f);
        break;
    case UNARY_HARD_SIGMOID:
        state->a = call_float(c, "alpha", 0.2f);
        state->b = call_float(c, "beta", 0.5f);
        break;
    case UNARY_GELU:
        state->kind = strcmp(call_string(c, "approximate", "none"), "tanh") == 0 ? UNARY_GELU_TANH : UNARY_GELU;
        break;
    case UNARY_SHRINK:
        state->a = call_float(c, "lambd", 0.5f);
        state->b = call_float(c, "bias", 0.0f);
        break;
    default:
        break;
    }
    c->flops = (uint64_t)tensor_count(c->in[0]);
    return call_same(c, e);
}

static enum status unary_run(struct call *c, struct error *e)
{
    const struct unary_state *state = c->state;
    const struct tensor *x = c->in[0];
    int64_t n = tensor_count(x);

    (void)e;
    if (x->type == TENSOR_F32 && c->op->kind == UNARY_SIGMOID)
        sigmoid_f32(x->data, c->out[0]->data, (size_t)n);
    else if (x->type == TENSOR_F32 && state->kind == UNARY_ERF)
        erf_f32(x->data, c->out[0]->data, (size_t)n);
    else if (x->type == TENSOR_F32 && state->kind == UNARY_GELU)
        gelu_f32(x->data, c->out[0]->data, (size_t)n);
    else if (x->type == TENSOR_F32)
        unary_f32(state->kind, x->data, c->out[0]->data, n, state->a, state->b);
    else if (x->type == TENSOR_F64)
        unary_f64(state->kind, x->data, c->out[0]->data, n, (double)state->a, (double)state->b);
    else
        unary_integer(c);
    return STATUS_OK;
}

static enum status clip_infer(struct call *c, struct error *e)
{
    enum status s = call_type(c, 0, TYPES_NUMBER, e);

    for (size_t i = 1; s == STATUS_OK && i < 3; i++) {
        const struct tensor *bound = call_in(c, i);

        if (bound && (bound->type != c->in[0]->type || tensor_count(bound) != 1))
            return call_error(c, e, STATUS_INVALID, "input %zu must be one %s", i, tensor_type_name(c->in[0]->type));
    }
    return s == STATUS_OK ? call_same(c, e) : s;
}

#define CLIP(type, lowest, highest)                                                                                    \
    do {                                                                                                               \
        const type low = low_t ? *(const type *)low_t->data : (lowest);                                                \
        const type high = high_t ? *(const type *)high_t->data : (highest);                                            \
        const type *from = x->data;                                                                                    \
        type *to = c->out[0]->data;                                                                                    \
                                                                                                                       \
        for (int64_t i = 0; i < n; i++) {                                                                              \
            type v = from[i] < low ? low : from[i];                                                                    \
                                                                                                                       \
            to[i] = v > high ? high : v;                                                                               \
        }                                                                                                              \
    } while (0)

static enum status clip_run(struct call *c, struct error *e)
{
    const struct tensor *x = c->in[0], *low_t = call_in(c, 1), *high_t = call_in(c, 2);
    int64_t n = tensor_count(x);

    (void)e;
    switch (x->type) {
    case TENSOR_F32:
        CLIP(float, call_float(c, "min", -INFINITY), call_float(c, "max", INFINITY));
        break;
    case TENSOR_F64:
        CLIP(double, (double)call_float(c, "min", -INFINITY), (double)call_float(c, "max", INFINITY));
        break;
    case TENSOR_I64:
        CLIP(int64_t, INT64_MIN, INT64_MAX);
        break;
    case TENSOR_I32:
        CLIP(int32_t, INT32_MIN, INT32_MAX);
        break;
    case TENSOR_I8:
        CLIP(int8_t, INT8_MIN, INT8_MAX);
        break;
    case TENSOR_I16:
        CLIP(int16_t, INT16_MIN, INT16_MAX);
        break;
    case TENSOR_U16:
        CLIP(uint16_t, 0, UINT16_MAX);
        break;
    case TENSOR_U32:
        CLIP(uint32_t, 0, UINT32_MAX);
        break;
    case TENSOR_U64:
        CLIP(uint64_t, 0, UINT64_MAX);
        break;
    case TENSOR_U8:
    case TENSOR_BOOL:
        CLIP(uint8_t, 0, UINT8_MAX);
        break;
    case TENSOR_F16:
    case TENSOR_BF16:
        break; /* seen as float32 */
    }
    return STATUS_OK;
}

/* Predicates: float -> bool, and Not. */
enum { TEST_NAN, TEST_INFINITE, TEST_NOT };

static enum status test_infer(struct call *c, struct error *e)
{
    enum status s = call_type(c, 0, c->op->kind == TEST_NOT ? TYPE_BIT(TENSOR_BOOL) : TYPES_FLOAT, e);

    c->out[0]->type = TENSOR_BOOL;
    c->out[0]->shape = c->in[0]->shape;
    return s;
}

static enum status test_run(struct call *c, struct error *e)
{
    const struct tensor *x = c->in[0];
    bool positive = call_int(c, "detect_positive", 1) != 0, negative = call_int(c, "detect_negative", 1) != 0;
    uint8_t *y = c->out[0]->data;

    (void)e;
    for (int64_t i = 0; i < tensor_count(x); i++) {
        double v;

        if (c->op->kind == TEST_NOT) {
            y[i] = !((const uint8_t *)x->data)[i];
            continue;
        }
        v = x->type == TENSOR_F32 ? (double)((const float *)x->data)[i] : ((const double *)x->data)[i];
        y[i] = c->op->kind == TEST_NAN ? isnan(v) : isinf(v) && (v > 0 ? positive : negative);
    }
    return STATUS_OK;
}

#define UNARY(op_name, op_kind)                                                                                        \
    {                                                                                                                  \
        .name = op_name, .since = 1, .min_in = 1, .max_in = 1, .min_out = 1, .max_out = 1, .flags = OP_IN_PLACE,       \
        .kind = op_kind, .state_bytes = sizeof(struct unary_state), .infer = unary_infer, .run = unary_run             \
    }
#define TEST(op_name, op_kind)                                                                                         \
    {                                                                                                                  \
        .name = op_name, .since = 1, .min_in = 1, .max_in = 1, .min_out = 1, .max_out = 1, .kind = op_kind,            \
        .infer = test_infer, .run = test_run                                                                           \
    }

static const struct op unary_ops[] = {
    UNARY("Abs", UNARY_ABS),
    UNARY("Neg", UNARY_NEG),
    UNARY("Sign", UNARY_SIGN),
    UNARY("Relu", UNARY_RELU),
    UNARY("LeakyRelu", UNARY_LEAKY_RELU),
    UNARY("Elu", UNARY_ELU),
    UNARY("Selu", UNARY_SELU),
    UNARY("Celu", UNARY_CELU),
    UNARY("ThresholdedRelu", UNARY_THRESHOLDED_RELU),
    UNARY("Sigmoid", UNARY_SIGMOID),
    UNARY("HardSigmoid", UNARY_HARD_SIGMOID),
    UNARY("HardSwish", UNARY_HARD_SWISH),
    UNARY("Tanh", UNARY_TANH),
    UNARY("Softplus", UNARY_SOFTPLUS),
    UNARY("Softsign", UNARY_SOFTSIGN),
    UNARY("Erf", UNARY_ERF),
    UNARY("Exp", UNARY_EXP),
    UNARY("Log", UNARY_LOG),
    UNARY("Sqrt", UNARY_SQRT),
    UNARY("Ceil", UNARY_CEIL),
    UNARY("Floor", UNARY_FLOOR),
    UNARY("Round", UNARY_ROUND),
    UNARY("Reciprocal", UNARY_RECIPROCAL),
    UNARY("Sin", UNARY_SIN),
    UNARY("Cos", UNARY_COS),
    UNARY("Tan", UNARY_TAN),
    UNARY("Asin", UNARY_ASIN),
    UNARY("Acos", UNARY_ACOS),
    UNARY("Atan", UNARY_ATAN),
    UNARY("Sinh", UNARY_SINH),
    UNARY("Cosh", UNARY_COSH),
    UNARY("Asinh", UNARY_ASINH),
    UNARY("Acosh", UNARY_ACOSH),
    UNARY("Atanh", UNARY_ATANH),
    UNARY("Shrink", UNARY_SHRINK),
    UNARY("Mish", UNARY_MISH),
    UNARY("Gelu", UNARY_GELU),
    TEST("IsNaN", TEST_NAN),
    TEST("IsInf", TEST_INFINITE),
    TEST("Not", TEST_NOT),
    {.name = "Clip",
     .since = 6,
     .min_in = 1,
     .max_in = 3,
     .min_out = 1,
     .max_out = 1,
     .flags = OP_IN_PLACE,
     .infer = clip_infer,
     .run = clip_run},
};

const struct op_group ops_unary = {unary_ops, sizeof(unary_ops) / sizeof(unary_ops[0])};
