/* Reductions over axes: ReduceSum and its kin, ArgMax, ArgMin. */
#include <math.h>

#include "models/op.h"

enum reduce_kind {
    REDUCE_SUM,
    REDUCE_MEAN,
    REDUCE_MAX,
    REDUCE_MIN,
    REDUCE_PROD,
    REDUCE_L1,
    REDUCE_L2,
    REDUCE_SUM_SQUARE,
    REDUCE_LOG_SUM,
    REDUCE_LOG_SUM_EXP,
};

struct reduce_state {
    /* The output's dimensions, and the reduced ones, as loops over the source. */
    unsigned n_kept, n_reduced;
    int64_t kept[TENSOR_MAX_RANK], kept_strides[TENSOR_MAX_RANK];
    int64_t reduced[TENSOR_MAX_RANK], reduced_strides[TENSOR_MAX_RANK];
    int64_t count; /* elements a result */
};

static void push_loop(unsigned *n, int64_t *dims, int64_t *strides, int64_t dim, int64_t stride)
{
    if (dim == 1)
        return;
    if (*n > 0 && strides[*n - 1] == dim * stride) {
        dims[*n - 1] *= dim;
        strides[*n - 1] = stride;
        return;
    }
    dims[*n] = dim;
    strides[(*n)++] = stride;
}

static enum status reduce_infer(struct call *c, struct error *e)
{
    struct reduce_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    struct tensor_shape *out = &c->out[0]->shape;
    int64_t axes[TENSOR_MAX_RANK], stride = tensor_count(c->in[0]);
    bool set[TENSOR_MAX_RANK] = {0}, keep = call_int(c, "keepdims", 1) != 0;
    size_t n;
    bool orders = c->op->kind == REDUCE_MAX || c->op->kind == REDUCE_MIN;
    enum status s = call_type(c, 0, orders ? TYPES_NUMBER | TYPE_BIT(TENSOR_BOOL) : TYPES_NUMBER, e);

    if (s == STATUS_OK)
        s = call_axes(c, "axes", 1, axes, TENSOR_MAX_RANK, &n, e);
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        unsigned axis;

        s = call_axis(c, axes[i], in->rank, &axis, e);
        if (s == STATUS_OK)
            set[axis] = true;
    }
    if (s != STATUS_OK)
        return s;
    for (unsigned d = 0; n == 0 && d < in->rank; d++)
        set[d] = call_int(c, "noop_with_empty_axes", 0) == 0;
    out->rank = 0;
    state->count = 1;
    for (unsigned d = 0; d < in->rank; d++) {
        stride = in->dims[d] > 0 ? stride / in->dims[d] : 0;
        if (set[d]) {
            push_loop(&state->n_reduced, state->reduced, state->reduced_strides, in->dims[d], stride);
            state->count *= in->dims[d];
        } else {
            push_loop(&state->n_kept, state->kept, state->kept_strides, in->dims[d], stride);
        }
        if (!set[d] || keep)
            out->dims[out->rank++] = set[d] ? 1 : in->dims[d];
    }
    if (state->count == 0 && orders)
        return call_error(c, e, STATUS_INVALID, "nothing to reduce");
    c->out[0]->type = c->in[0]->type;
    c->flops = (uint64_t)tensor_count(c->in[0]);
    return STATUS_OK;
}

/* Steps an odometer; false after the last position. */
static bool step_loops(unsigned n, const int64_t *dims, const int64_t *strides, int64_t *index, int64_t *at)
{
    for (unsigned d = n; d-- > 0;) {
        *at += strides[d];
        if (++index[d] < dims[d])
            return true;
        *at -= strides[d] * dims[d];
        index[d] = 0;
    }
    return false;
}

/* float32 is what networks reduce; it must not cost a call. */
static inline double value_at(const struct tensor *t, int64_t i)
{
    return t->type == TENSOR_F32 ? (double)((const float *)t->data)[i] : tensor_value(t, i);
}

static double accumulate(int kind, double sum, double v)
{
    switch ((enum reduce_kind)kind) {
    case REDUCE_MAX:
        return v > sum || isnan(v) ? v : sum;
    case REDUCE_MIN:
        return v < sum || isnan(v) ? v : sum;
    case REDUCE_PROD:
        return sum * v;
    case REDUCE_L1:
        return sum + fabs(v);
    case REDUCE_L2:
    case REDUCE_SUM_SQUARE:
        return sum + v * v;
    default:
        return sum + v;
    }
}

static double reduce_one(const struct call *c, int64_t at)
{
    const struct reduce_state *state = c->state;
    int kind = c->op->kind;
    int64_t index[TENSOR_MAX_RANK] = {0}, from = at;
    double most = -INFINITY, sum = kind == REDUCE_PROD  ? 1
                                   : kind == REDUCE_MAX ? -INFINITY
                                   : kind == REDUCE_MIN ? INFINITY
                                                        : 0;

    if (state->count == 0)
        return kind == REDUCE_LOG_SUM || kind == REDUCE_LOG_SUM_EXP ? -INFINITY : kind == REDUCE_MEAN ? NAN : sum;
    if (kind == REDUCE_LOG_SUM_EXP) {
        do
            most = fmax(most, value_at(c->in[0], from));
        while (step_loops(state->n_reduced, state->reduced, state->reduced_strides, index, &from));
        most = isinf(most) ? 0 : most;
        from = at;
    }
    do {
        double v = value_at(c->in[0], from);

        sum = kind == REDUCE_LOG_SUM_EXP ? sum + exp(v - most) : accumulate(kind, sum, v);
    } while (step_loops(state->n_reduced, state->reduced, state->reduced_strides, index, &from));
    switch ((enum reduce_kind)kind) {
    case REDUCE_MEAN:
        return sum / (double)state->count;
    case REDUCE_L2:
        return sqrt(sum);
    case REDUCE_LOG_SUM:
        return log(sum);
    case REDUCE_LOG_SUM_EXP:
        return log(sum) + most;
    default:
        return sum;
    }
}

/* Integers, where the result is one too: exact, modulo the type's range. */
static int64_t reduce_integers(const struct call *c, int64_t at)
{
    const struct reduce_state *state = c->state;
    int64_t index[TENSOR_MAX_RANK] = {0}, from = at, best = at;
    uint64_t sum = c->op->kind == REDUCE_PROD;

    if (state->count == 0)
        return (int64_t)sum;
    do {
        uint64_t v = (uint64_t)tensor_integer(c->in[0], from);
        bool negative = !(TYPE_BIT(c->in[0]->type) & TYPES_UNSIGNED) && (int64_t)v < 0;

        switch ((enum reduce_kind)c->op->kind) {
        case REDUCE_MAX:
            best = tensor_compare(c->in[0], from, best) > 0 ? from : best;
            break;
        case REDUCE_MIN:
            best = tensor_compare(c->in[0], from, best) < 0 ? from : best;
            break;
        case REDUCE_PROD:
            sum *= v;
            break;
        case REDUCE_L1:
            sum += negative ? 0 - v : v;
            break;
        case REDUCE_SUM_SQUARE:
            sum += v * v;
            break;
        default:
            sum += v;
            break;
        }
    } while (step_loops(state->n_reduced, state->reduced, state->reduced_strides, index, &from));
    return c->op->kind == REDUCE_MAX || c->op->kind == REDUCE_MIN ? tensor_integer(c->in[0], best) : (int64_t)sum;
}

static bool gives_integers(const struct call *c)
{
    return !(TYPE_BIT(c->in[0]->type) & TYPES_FLOAT) && c->op->kind != REDUCE_MEAN && c->op->kind != REDUCE_L2 &&
           c->op->kind != REDUCE_LOG_SUM && c->op->kind != REDUCE_LOG_SUM_EXP;
}

static enum status reduce_run(struct call *c, struct error *e)
{
    const struct reduce_state *state = c->state;
    struct tensor *out = c->out[0];
    int64_t index[TENSOR_MAX_RANK] = {0}, at = 0;

    (void)e;
    for (int64_t i = 0; i < tensor_count(out); i++) {
        if (gives_integers(c))
            tensor_set_integer(out, i, reduce_integers(c, at));
        else
            tensor_set_value(out, i, reduce_one(c, at));
        (void)step_loops(state->n_kept, state->kept, state->kept_strides, index, &at);
    }
    return STATUS_OK;
}

struct arg_state {
    int64_t outer, n, inner;
};

static enum status arg_infer(struct call *c, struct error *e)
{
    struct arg_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    struct tensor_shape *out = &c->out[0]->shape;
    bool keep = call_int(c, "keepdims", 1) != 0;
    unsigned axis;
    enum status s = call_type(c, 0, TYPES_NUMBER, e);

    if (s == STATUS_OK)
        s = call_axis(c, call_int(c, "axis", 0), in->rank, &axis, e);
    if (s != STATUS_OK)
        return s;
    if (in->dims[axis] == 0)
        return call_error(c, e, STATUS_INVALID, "the axis is empty");
    state->outer = tensor_shape_span(in, 0, axis);
    state->n = in->dims[axis];
    state->inner = tensor_shape_span(in, axis + 1, in->rank);
    out->rank = 0;
    for (unsigned d = 0; d < in->rank; d++) {
        if (d != axis || keep)
            out->dims[out->rank++] = d == axis ? 1 : in->dims[d];
    }
    c->out[0]->type = TENSOR_I64;
    return STATUS_OK;
}

static inline int compare(const struct tensor *t, int64_t a, int64_t b)
{
    const float *v = t->data;

    if (t->type != TENSOR_F32 || isnan(v[a]) || isnan(v[b]))
        return tensor_compare(t, a, b);
    return (v[a] > v[b]) - (v[a] < v[b]);
}

static enum status arg_run(struct call *c, struct error *e)
{
    const struct arg_state *state = c->state;
    bool last = call_int(c, "select_last_index", 0) != 0;
    int64_t *to = c->out[0]->data;

    (void)e;
    for (int64_t o = 0; o < state->outer; o++) {
        for (int64_t i = 0; i < state->inner; i++) {
            int64_t base = o * state->n * state->inner + i, best = 0;

            for (int64_t k = 1; k < state->n; k++) {
                int order = compare(c->in[0], base + k * state->inner, base + best * state->inner);

                if ((c->op->kind == REDUCE_MAX ? order > 0 : order < 0) || (last && order == 0))
                    best = k;
            }
            *to++ = best;
        }
    }
    return STATUS_OK;
}

#define REDUCE(op_name, op_kind)                                                                                       \
    {                                                                                                                  \
        .name = op_name, .since = 1, .min_in = 1, .max_in = 2, .min_out = 1, .max_out = 1, .kind = op_kind,            \
        .state_bytes = sizeof(struct reduce_state), .infer = reduce_infer, .run = reduce_run                           \
    }
#define ARG(op_name, op_kind)                                                                                          \
    {                                                                                                                  \
        .name = op_name, .since = 1, .min_in = 1, .max_in = 1, .min_out = 1, .max_out = 1, .kind = op_kind,            \
        .state_bytes = sizeof(struct arg_state), .infer = arg_infer, .run = arg_run                                    \
    }

static const struct op reduce_ops[] = {
    REDUCE("ReduceSum", REDUCE_SUM),
    REDUCE("ReduceMean", REDUCE_MEAN),
    REDUCE("ReduceMax", REDUCE_MAX),
    REDUCE("ReduceMin", REDUCE_MIN),
    REDUCE("ReduceProd", REDUCE_PROD),
    REDUCE("ReduceL1", REDUCE_L1),
    REDUCE("ReduceL2", REDUCE_L2),
    REDUCE("ReduceSumSquare", REDUCE_SUM_SQUARE),
    REDUCE("ReduceLogSum", REDUCE_LOG_SUM),
    REDUCE("ReduceLogSumExp", REDUCE_LOG_SUM_EXP),
    ARG("ArgMax", REDUCE_MAX),
    ARG("ArgMin", REDUCE_MIN),
};

const struct op_group ops_reduce = {reduce_ops, sizeof(reduce_ops) / sizeof(reduce_ops[0])};
