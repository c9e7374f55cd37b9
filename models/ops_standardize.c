/* Normalisations over chosen axes or groups: MeanVarianceNormalization, LpNormalization, GroupNormalization. float32;
 * sums are in double. */
#include <math.h>
#include <string.h>

#include "models/op.h"

struct mean_state {
    /* Where a value stands: kept dimensions choose the statistics, the others are gone through. */
    unsigned rank;
    int64_t dims[TENSOR_MAX_RANK];
    bool reduced[TENSOR_MAX_RANK];
    int64_t groups, count;
};

static enum status mean_infer(struct call *c, struct error *e)
{
    struct mean_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    int64_t axes[TENSOR_MAX_RANK] = {0, 2, 3};
    size_t n;
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);

    if (s == STATUS_OK)
        s = call_ints(c, "axes", axes, TENSOR_MAX_RANK, &n, e);
    if (s != STATUS_OK)
        return s;
    /* Opset 9's default is [0, 2, 3]; before, across_channels chose. */
    n = node_attribute(c->node, "axes") ? n : 3;
    state->rank = in->rank;
    state->groups = state->count = 1;
    for (size_t i = 0; i < n && s == STATUS_OK; i++) {
        unsigned axis;

        s = call_axis(c, axes[i], in->rank, &axis, e);
        if (s == STATUS_OK)
            state->reduced[axis] = true;
    }
    for (unsigned d = 0; d < in->rank; d++) {
        state->dims[d] = in->dims[d];
        *(state->reduced[d] ? &state->count : &state->groups) *= in->dims[d];
    }
    c->scratch_bytes = (size_t)state->groups * 2 * sizeof(double);
    return s == STATUS_OK ? call_same(c, e) : s;
}

static int64_t group_of(const struct mean_state *state, int64_t i)
{
    int64_t group = 0, stride = 1;

    for (unsigned d = state->rank; d-- > 0; i /= state->dims[d]) {
        if (state->reduced[d])
            continue;
        group += i % state->dims[d] * stride;
        stride *= state->dims[d];
    }
    return group;
}

/* The function that ONNX gives: (x - mean) / (sqrt(E[x^2] - mean^2) + 1e-9), its variance summed from deviations. */
static enum status mean_run(struct call *c, struct error *e)
{
    const struct mean_state *state = c->state;
    const float *x = c->in[0]->data;
    int64_t n = tensor_count(c->in[0]);
    double *mean = c->scratch, *var = mean + state->groups;

    (void)e;
    for (int64_t g = 0; g < 2 * state->groups; g++)
        mean[g] = 0;
    for (int64_t i = 0; i < n; i++)
        mean[group_of(state, i)] += (double)x[i] / (double)state->count;
    for (int64_t i = 0; i < n; i++) {
        double d = (double)x[i] - mean[group_of(state, i)];

        var[group_of(state, i)] += d * d / (double)state->count;
    }
    for (int64_t i = 0; i < n; i++) {
        int64_t g = group_of(state, i);

        ((float *)c->out[0]->data)[i] = (float)(((double)x[i] - mean[g]) / (sqrt(var[g]) + 1e-9));
    }
    return STATUS_OK;
}

struct axis_state {
    int64_t outer, n, inner, p;
};

static enum status length_infer(struct call *c, struct error *e)
{
    struct axis_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    unsigned axis;
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);

    if (s == STATUS_OK)
        s = call_axis(c, call_int(c, "axis", -1), in->rank, &axis, e);
    if (s != STATUS_OK)
        return s;
    state->p = call_int(c, "p", 2);
    if (state->p != 1 && state->p != 2)
        return call_error(c, e, STATUS_INVALID, "p is %lld, must be 1 or 2", (long long)state->p);
    state->outer = tensor_shape_span(in, 0, axis);
    state->n = in->dims[axis];
    state->inner = tensor_shape_span(in, axis + 1, in->rank);
    return call_same(c, e);
}

static enum status length_run(struct call *c, struct error *e)
{
    const struct axis_state *state = c->state;

    (void)e;
    for (int64_t o = 0; o < state->outer * state->inner; o++) {
        int64_t at = o / state->inner * state->n * state->inner + o % state->inner;
        const float *x = (const float *)c->in[0]->data + at;
        float *y = (float *)c->out[0]->data + at;
        double sum = 0;

        for (int64_t i = 0; i < state->n; i++) {
            double v = (double)x[i * state->inner];

            sum += state->p == 1 ? fabs(v) : v * v;
        }
        sum = state->p == 1 ? sum : sqrt(sum);
        for (int64_t i = 0; i < state->n; i++)
            y[i * state->inner] = sum > 0 ? (float)((double)x[i * state->inner] / sum) : 0.0f;
    }
    return STATUS_OK;
}

struct group_state {
    int64_t groups, channels, n; /* n: elements of one channel */
    bool by_channel;             /* scale and shift: one a channel (opset 21), else one a group (18) */
};

static enum status group_infer(struct call *c, struct error *e)
{
    struct group_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    int64_t each;
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);

    if (s == STATUS_OK)
        s = call_rank(c, 0, 2, TENSOR_MAX_RANK, e);
    if (s != STATUS_OK)
        return s;
    state->groups = call_int(c, "num_groups", 0);
    state->channels = in->dims[1];
    state->n = tensor_shape_span(in, 2, in->rank);
    state->by_channel = c->opset >= 21;
    if (state->groups < 1 || state->channels < 1 || state->channels % state->groups != 0)
        return call_error(c, e, STATUS_INVALID, "%lld channels do not divide into %lld groups",
                          (long long)state->channels, (long long)state->groups);
    each = state->by_channel ? state->channels : state->groups;
    s = call_vector(c, 1, each, e);
    if (s == STATUS_OK)
        s = call_vector(c, 2, each, e);
    return s == STATUS_OK ? call_same(c, e) : s;
}

static enum status group_run(struct call *c, struct error *e)
{
    const struct group_state *state = c->state;
    int64_t width = state->channels / state->groups, count = width * state->n;
    const float *scale = c->in[1]->data, *shift = c->in[2]->data;
    double eps = (double)call_float(c, "epsilon", 1e-5f);

    (void)e;
    for (int64_t g = 0; g < c->in[0]->shape.dims[0] * state->groups; g++) {
        const float *x = (const float *)c->in[0]->data + g * count;
        float *y = (float *)c->out[0]->data + g * count;
        double mean = 0, var = 0;

        for (int64_t i = 0; i < count; i++)
            mean += (double)x[i];
        mean = count > 0 ? mean / (double)count : 0;
        for (int64_t i = 0; i < count; i++)
            var += ((double)x[i] - mean) * ((double)x[i] - mean);
        var = count > 0 ? var / (double)count : 0;
        for (int64_t i = 0; i < count; i++) {
            int64_t group = g % state->groups, at = state->by_channel ? group * width + i / state->n : group;

            y[i] = (float)(((double)x[i] - mean) / sqrt(var + eps) * (double)scale[at] + (double)shift[at]);
        }
    }
    return STATUS_OK;
}

#define ENTRY(op_name, first_opset, inputs, state, op_infer, op_run)                                                   \
    {                                                                                                                  \
        .name = op_name, .since = first_opset, .min_in = inputs, .max_in = inputs, .min_out = 1, .max_out = 1,         \
        .state_bytes = sizeof(struct state), .infer = op_infer, .run = op_run                                          \
    }

static const struct op standardize_ops[] = {
    ENTRY("MeanVarianceNormalization", 9, 1, mean_state, mean_infer, mean_run),
    ENTRY("LpNormalization", 1, 1, axis_state, length_infer, length_run),
    ENTRY("GroupNormalization", 18, 3, group_state, group_infer, group_run),
};

const struct op_group ops_standardize = {standardize_ops, sizeof(standardize_ops) / sizeof(standardize_ops[0])};
