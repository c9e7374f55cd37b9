/* Operators that order or mark elements: TopK, CumSum, Trilu, OneHot. */
#include <math.h>
#include <string.h>

#include "models/op.h"
#include "models/order.h"

enum { TOP_MAX_INSERTED = 32 };

struct select_state {
    int64_t outer, n, inner, k;
    bool flag_a, flag_b; /* TopK: largest; CumSum: exclusive, reverse; Trilu: upper */
};

static void split_axis(const struct tensor_shape *s, unsigned axis, struct select_state *state)
{
    state->outer = tensor_shape_span(s, 0, axis);
    state->n = s->dims[axis];
    state->inner = tensor_shape_span(s, axis + 1, s->rank);
}

static enum status top_infer(struct call *c, struct error *e)
{
    struct select_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    int64_t k = call_int(c, "k", -1);
    unsigned axis;
    size_t n = 1;
    enum status s = call_axis(c, call_int(c, "axis", -1), in->rank, &axis, e);

    if (s == STATUS_OK && call_in(c, 1))
        s = call_input_ints(c, 1, &k, 1, &n, e);
    if (s != STATUS_OK)
        return s;
    if (n != 1 || k < 0 || k > in->dims[axis])
        return call_error(c, e, STATUS_INVALID, "the %lld largest of %lld", (long long)k, (long long)in->dims[axis]);
    split_axis(in, axis, state);
    state->k = k;
    state->flag_a = call_int(c, "largest", 1) != 0;
    for (size_t i = 0; i < c->n_out; i++) {
        if (!c->out[i])
            continue;
        c->out[i]->type = i == 0 ? c->in[0]->type : TENSOR_I64;
        c->out[i]->shape = *in;
        c->out[i]->shape.dims[axis] = k;
    }
    c->scratch_bytes = (size_t)(k > TOP_MAX_INSERTED ? 2 * state->n : k + 1) * sizeof(int64_t);
    /* The worst case; keeps a hostile one from being computed ahead. */
    c->flops = (uint64_t)tensor_count(c->in[0]) * (uint64_t)(k > TOP_MAX_INSERTED ? 40 : k + 1);
    return STATUS_OK;
}

/* One list of a TopK: elements base + i * inner of the input. */
struct top_list {
    const struct call *c;
    int64_t base;
};

/* Whether element a stands before b: better, or as good and earlier. */
static bool before(const void *list, int64_t a, int64_t b)
{
    const struct call *c = ((const struct top_list *)list)->c;
    const struct select_state *state = c->state;
    int64_t base = ((const struct top_list *)list)->base;
    int order = tensor_compare(c->in[0], base + a * state->inner, base + b * state->inner);

    if (order != 0)
        return state->flag_a ? order > 0 : order < 0;
    return a < b;
}

/* The k best in order: by insertion where k is small, as networks use it, else by sorting all. */
static int64_t find_best(const struct call *c, int64_t base, int64_t *best)
{
    const struct select_state *state = c->state;
    struct top_list list = {c, base};
    int64_t found = 0;

    if (state->k > TOP_MAX_INSERTED) {
        for (int64_t i = 0; i < state->n; i++)
            best[i] = i;
        order_sort(best, best + state->n, state->n, before, &list);
        return state->k;
    }
    for (int64_t i = 0; i < state->n && state->k > 0; i++) {
        int64_t at;

        if (found == state->k && !before(&list, i, best[found - 1]))
            continue;
        at = found < state->k ? found++ : found - 1;
        for (; at > 0 && before(&list, i, best[at - 1]); at--)
            best[at] = best[at - 1];
        best[at] = i;
    }
    return found;
}

static enum status top_run(struct call *c, struct error *e)
{
    const struct select_state *state = c->state;
    size_t unit = tensor_type_bytes(c->in[0]->type);
    int64_t *best = c->scratch;

    (void)e;
    for (int64_t o = 0; o < state->outer * state->inner; o++) {
        int64_t outer = o / state->inner, inner = o % state->inner;
        int64_t base = outer * state->n * state->inner + inner, found = find_best(c, base, best);

        for (int64_t i = 0; i < found; i++) {
            int64_t to = (outer * state->k + i) * state->inner + inner;

            memcpy((char *)c->out[0]->data + (size_t)to * unit,
                   (const char *)c->in[0]->data + (size_t)(base + best[i] * state->inner) * unit, unit);
            if (call_out(c, 1))
                ((int64_t *)c->out[1]->data)[to] = best[i];
        }
    }
    return STATUS_OK;
}

static enum status sum_infer(struct call *c, struct error *e)
{
    struct select_state *state = c->state;
    int64_t axis = 0;
    unsigned at;
    size_t n;
    enum status s = call_type(c, 0, TYPES_FLOAT | TYPES_INDEX | TYPE_BIT(TENSOR_U32) | TYPE_BIT(TENSOR_U64), e);

    if (s == STATUS_OK)
        s = call_input_ints(c, 1, &axis, 1, &n, e);
    if (s == STATUS_OK)
        s = call_axis(c, axis, c->in[0]->shape.rank, &at, e);
    if (s != STATUS_OK)
        return s;
    split_axis(&c->in[0]->shape, at, state);
    state->flag_a = call_int(c, "exclusive", 0) != 0;
    state->flag_b = call_int(c, "reverse", 0) != 0;
    return call_same(c, e);
}

#define CUMULATE(type, wide)                                                                                           \
    do {                                                                                                               \
        wide sum = 0;                                                                                                  \
                                                                                                                       \
        for (int64_t i = 0; i < state->n; i++) {                                                                       \
            int64_t at = base + (state->flag_b ? state->n - 1 - i : i) * state->inner;                                 \
            wide v = (wide)((const type *)c->in[0]->data)[at];                                                         \
                                                                                                                       \
            ((type *)c->out[0]->data)[at] = (type)(state->flag_a ? sum : sum + v);                                     \
            sum += v;                                                                                                  \
        }                                                                                                              \
    } while (0)

static enum status sum_run(struct call *c, struct error *e)
{
    const struct select_state *state = c->state;

    (void)e;
    for (int64_t o = 0; o < state->outer * state->inner; o++) {
        int64_t base = o / state->inner * state->n * state->inner + o % state->inner;

        if (c->in[0]->type == TENSOR_F32)
            CUMULATE(float, double);
        else if (c->in[0]->type == TENSOR_F64)
            CUMULATE(double, double);
        else if (tensor_type_bytes(c->in[0]->type) == sizeof(int64_t))
            CUMULATE(int64_t, uint64_t);
        else
            CUMULATE(int32_t, uint32_t);
    }
    return STATUS_OK;
}

static enum status triangle_infer(struct call *c, struct error *e)
{
    struct select_state *state = c->state;
    enum status s = call_rank(c, 0, 2, TENSOR_MAX_RANK, e);
    size_t n;

    if (s == STATUS_OK)
        s = call_input_ints(c, 1, &state->k, 1, &n, e);
    state->flag_a = call_int(c, "upper", 1) != 0;
    return s == STATUS_OK ? call_same(c, e) : s;
}

static enum status triangle_run(struct call *c, struct error *e)
{
    const struct select_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    int64_t rows = in->dims[in->rank - 2], columns = in->dims[in->rank - 1], most = TENSOR_MAX_BYTES;
    int64_t k = state->k < -most ? -most : state->k > most ? most : state->k;
    size_t unit = tensor_type_bytes(c->in[0]->type);

    (void)e;
    for (int64_t i = 0; i < tensor_count(c->in[0]); i++) {
        int64_t row = i / columns % rows, column = i % columns;
        bool keep = state->flag_a ? column - row >= k : column - row <= k;
        char *to = (char *)c->out[0]->data + (size_t)i * unit;

        if (keep)
            memcpy(to, (const char *)c->in[0]->data + (size_t)i * unit, unit);
        else
            memset(to, 0, unit);
    }
    return STATUS_OK;
}

static enum status one_hot_infer(struct call *c, struct error *e)
{
    struct select_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    struct tensor_shape *out = &c->out[0]->shape;
    int64_t depth;
    unsigned axis;
    enum status s = call_type(c, 0, TYPES_NUMBER, e);

    if (s == STATUS_OK)
        s = call_type(c, 1, TYPES_NUMBER, e);
    if (s == STATUS_OK)
        s = call_axis(c, call_int(c, "axis", -1), in->rank + 1, &axis, e);
    if (s != STATUS_OK)
        return s;
    if (!c->in[1]->data)
        return call_unknown(c, 1, e);
    if (tensor_count(c->in[1]) != 1 || tensor_count(c->in[2]) != 2 || in->rank == TENSOR_MAX_RANK)
        return call_error(c, e, STATUS_INVALID, "depth must be one value, values two");
    depth = tensor_value(c->in[1], 0) >= 1 && tensor_value(c->in[1], 0) < (double)TENSOR_MAX_BYTES
                ? (int64_t)tensor_value(c->in[1], 0)
                : 0;
    if (depth < 1)
        return call_error(c, e, STATUS_INVALID, "the depth is %g", tensor_value(c->in[1], 0));
    out->rank = in->rank + 1;
    for (unsigned i = 0; i < out->rank; i++)
        out->dims[i] = i < axis ? in->dims[i] : i == axis ? depth : in->dims[i - 1];
    c->out[0]->type = c->in[2]->type;
    split_axis(out, axis, state);
    return STATUS_OK;
}

static enum status one_hot_run(struct call *c, struct error *e)
{
    const struct select_state *state = c->state;
    size_t unit = tensor_type_bytes(c->out[0]->type);

    (void)e;
    for (int64_t i = 0; i < tensor_count(c->out[0]); i++) {
        int64_t outer = i / (state->n * state->inner), inner = i % state->inner, k = i / state->inner % state->n;
        double index = tensor_value(c->in[0], outer * state->inner + inner);
        bool hit = (index < 0 ? index + (double)state->n : index) == (double)k;

        memcpy((char *)c->out[0]->data + (size_t)i * unit, (const char *)c->in[2]->data + (hit ? unit : 0), unit);
    }
    return STATUS_OK;
}

/* Each sequence of the batch backwards, up to its length. */
static enum status reverse_infer(struct call *c, struct error *e)
{
    struct select_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    int64_t batch = call_int(c, "batch_axis", 1), time = call_int(c, "time_axis", 0);
    enum status s = call_type(c, 1, TYPES_INDEX, e);

    if (s == STATUS_OK)
        s = call_rank(c, 0, 2, TENSOR_MAX_RANK, e);
    if (s != STATUS_OK)
        return s;
    if (!((batch == 0 && time == 1) || (batch == 1 && time == 0)))
        return call_error(c, e, STATUS_INVALID, "batch_axis %lld and time_axis %lld must be 0 and 1 or 1 and 0",
                          (long long)batch, (long long)time);
    if (c->in[1]->shape.rank != 1 || c->in[1]->shape.dims[0] != in->dims[batch])
        return call_error(c, e, STATUS_INVALID, "the lengths do not fit a batch of %lld", (long long)in->dims[batch]);
    state->inner = tensor_shape_span(in, 2, in->rank);
    state->flag_a = batch == 0;
    return call_same(c, e);
}

static enum status reverse_run(struct call *c, struct error *e)
{
    const struct select_state *state = c->state;
    const int64_t *dims = c->in[0]->shape.dims;
    size_t bytes = (size_t)state->inner * tensor_type_bytes(c->in[0]->type);
    int64_t time = dims[state->flag_a ? 1 : 0];

    for (int64_t i = 0; i < dims[0] * dims[1] && bytes > 0; i++) {
        int64_t first = i / dims[1], second = i % dims[1], t = state->flag_a ? second : first;
        int64_t length = tensor_integer(c->in[1], state->flag_a ? first : second), from;

        if (length < 0 || length > time)
            return call_error(c, e, STATUS_INVALID, "a length of %lld in sequences of %lld", (long long)length,
                              (long long)time);
        from = t < length ? length - 1 - t : t;
        from = state->flag_a ? first * dims[1] + from : from * dims[1] + second;
        memcpy((char *)c->out[0]->data + (size_t)i * bytes, (const char *)c->in[0]->data + (size_t)from * bytes, bytes);
    }
    return STATUS_OK;
}

#define ENTRY(op_name, first_opset, least_in, most_in, most_out, op_flags, op_infer, op_run)                           \
    {                                                                                                                  \
        .name = op_name, .since = first_opset, .min_in = least_in, .max_in = most_in, .min_out = 1,                    \
        .max_out = most_out, .flags = op_flags, .state_bytes = sizeof(struct select_state), .infer = op_infer,         \
        .run = op_run                                                                                                  \
    }

static const struct op select_ops[] = {
    ENTRY("TopK", 1, 1, 2, 2, OP_BYTES, top_infer, top_run),
    ENTRY("CumSum", 11, 2, 2, 1, 0, sum_infer, sum_run),
    ENTRY("Trilu", 14, 1, 2, 1, OP_BYTES, triangle_infer, triangle_run),
    ENTRY("OneHot", 9, 3, 3, 1, OP_BYTES, one_hot_infer, one_hot_run),
    ENTRY("ReverseSequence", 10, 2, 2, 1, OP_BYTES, reverse_infer, reverse_run),
};

const struct op_group ops_select = {select_ops, sizeof(select_ops) / sizeof(select_ops[0])};
