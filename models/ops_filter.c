/* Operators that keep some elements, how many the values decide: Compress, NonZero, Unique. They can be planned where
 * those values are constants of the plan. */
#include <stdlib.h>
#include <string.h>

#include "models/op.h"
#include "models/order.h"

struct filter_state {
    bool flat, sorted;
    int64_t outer, n, inner; /* around the axis; flat: 1, all, 1 */
    int64_t kept;
};

/* The axis of the attribute; without it the input counts as one list. */
static enum status split(const struct call *c, struct filter_state *state, unsigned *ret_axis, struct error *e)
{
    const struct tensor_shape *in = &c->in[0]->shape;
    enum status s = STATUS_OK;

    *ret_axis = 0;
    state->flat = !node_attribute(c->node, "axis");
    if (!state->flat)
        s = call_axis(c, call_int(c, "axis", 0), in->rank, ret_axis, e);
    if (s != STATUS_OK)
        return s;
    state->outer = state->flat ? 1 : tensor_shape_span(in, 0, *ret_axis);
    state->n = state->flat ? tensor_shape_count(in) : in->dims[*ret_axis];
    state->inner = state->flat ? 1 : tensor_shape_span(in, *ret_axis + 1, in->rank);
    return STATUS_OK;
}

static void kept_shape(const struct call *c, const struct filter_state *state, unsigned axis, struct tensor *out)
{
    out->type = c->in[0]->type;
    if (state->flat)
        out->shape.rank = 1;
    else
        out->shape = c->in[0]->shape;
    out->shape.dims[axis] = state->kept;
}

static enum status compress_infer(struct call *c, struct error *e)
{
    struct filter_state *state = c->state;
    const struct tensor *condition = c->in[1];
    unsigned axis;
    enum status s = call_type(c, 1, TYPE_BIT(TENSOR_BOOL), e);

    if (s == STATUS_OK)
        s = call_rank(c, 1, 1, 1, e);
    if (s == STATUS_OK)
        s = split(c, state, &axis, e);
    if (s != STATUS_OK)
        return s;
    if (!condition->data)
        return call_unknown(c, 1, e);
    /* A condition that is too short leaves the rest out; one that is too long must not choose beyond the end. */
    for (int64_t i = 0; i < tensor_count(condition); i++) {
        bool keeps = ((const uint8_t *)condition->data)[i] != 0;

        if (keeps && i >= state->n)
            return call_error(c, e, STATUS_INVALID, "the condition chooses element %lld of %lld", (long long)i,
                              (long long)state->n);
        state->kept += keeps;
    }
    kept_shape(c, state, axis, c->out[0]);
    return STATUS_OK;
}

static enum status compress_run(struct call *c, struct error *e)
{
    const struct filter_state *state = c->state;
    size_t bytes = (size_t)state->inner * tensor_type_bytes(c->in[0]->type);
    int64_t given = tensor_count(c->in[1]);
    const char *from = c->in[0]->data;
    char *to = c->out[0]->data;

    (void)e;
    for (int64_t o = 0; o < state->outer && bytes > 0; o++) {
        for (int64_t i = 0; i < state->n; i++, from += bytes) {
            if (i >= given || !((const uint8_t *)c->in[1]->data)[i])
                continue;
            memcpy(to, from, bytes);
            to += bytes;
        }
    }
    return STATUS_OK;
}

static enum status nonzero_infer(struct call *c, struct error *e)
{
    struct filter_state *state = c->state;
    const struct tensor *x = c->in[0];

    if (!x->data)
        return call_unknown(c, 0, e);
    for (int64_t i = 0; i < tensor_count(x); i++)
        state->kept += tensor_value(x, i) != 0;
    c->out[0]->type = TENSOR_I64;
    c->out[0]->shape = (struct tensor_shape){.rank = 2, .dims = {x->shape.rank > 0 ? x->shape.rank : 1, state->kept}};
    return STATUS_OK;
}

static enum status nonzero_run(struct call *c, struct error *e)
{
    const struct filter_state *state = c->state;
    const struct tensor *x = c->in[0];
    int64_t *to = c->out[0]->data, found = 0;

    (void)e;
    for (int64_t i = 0; i < tensor_count(x); i++) {
        int64_t rest = i;

        if (tensor_value(x, i) == 0)
            continue;
        for (unsigned d = x->shape.rank; d-- > 0;) {
            to[d * state->kept + found] = rest % x->shape.dims[d];
            rest /= x->shape.dims[d];
        }
        if (x->shape.rank == 0)
            to[found] = 0;
        found++;
    }
    return STATUS_OK;
}

static int compare_slices(const struct call *c, int64_t a, int64_t b)
{
    const struct filter_state *state = c->state;

    for (int64_t o = 0; o < state->outer; o++) {
        for (int64_t i = 0; i < state->inner; i++) {
            int order =
                tensor_compare(c->in[0], (o * state->n + a) * state->inner + i, (o * state->n + b) * state->inner + i);

            if (order != 0)
                return order;
        }
    }
    return 0;
}

static bool slice_before(const void *context, int64_t a, int64_t b)
{
    return compare_slices(context, a, b) < 0;
}

/* order: 2 * n values; the first n become the slices in order, equal ones in their order in the input. */
static void sort_slices(const struct call *c, int64_t *order)
{
    const struct filter_state *state = c->state;

    for (int64_t i = 0; i < state->n; i++)
        order[i] = i;
    order_sort(order, order + state->n, state->n, slice_before, c);
}

static enum status unique_infer(struct call *c, struct error *e)
{
    struct filter_state *state = c->state;
    unsigned axis;
    int64_t *order;
    enum status s = split(c, state, &axis, e);

    if (s != STATUS_OK)
        return s;
    if (!c->in[0]->data)
        return call_unknown(c, 0, e);
    if (!state->flat && state->outer * state->inner == 0)
        return call_error(c, e, STATUS_UNSUPPORTED, "slices without elements");
    state->sorted = call_int(c, "sorted", 1) != 0;
    order = malloc((size_t)(2 * state->n + 1) * sizeof(*order));
    if (!order)
        return error_no_memory(e);
    sort_slices(c, order);
    for (int64_t i = 0; i < state->n; i++)
        state->kept += i == 0 || compare_slices(c, order[i - 1], order[i]) != 0;
    free(order);
    kept_shape(c, state, axis, c->out[0]);
    for (size_t i = 1; i < 4; i++) {
        if (!call_out(c, i))
            continue;
        c->out[i]->type = TENSOR_I64;
        c->out[i]->shape = (struct tensor_shape){.rank = 1, .dims = {i == 2 ? state->n : state->kept}};
    }
    c->scratch_bytes = (size_t)state->n * 6 * sizeof(int64_t);
    return STATUS_OK;
}

static bool first_before(const void *context, int64_t a, int64_t b)
{
    const int64_t *first = context;

    return first[a] < first[b];
}

static void put(const struct call *c, size_t output, int64_t at, int64_t v)
{
    if (call_out(c, output))
        ((int64_t *)c->out[output]->data)[at] = v;
}

static enum status unique_run(struct call *c, struct error *e)
{
    const struct filter_state *state = c->state;
    int64_t n = state->n, *order = c->scratch, *spare = order + n, *group_of = spare + n, *first = group_of + n;
    int64_t *count = first + n, *place = count + n, groups = 0;
    size_t unit = tensor_type_bytes(c->in[0]->type), bytes = (size_t)state->inner * unit;

    (void)e;
    sort_slices(c, order);
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || compare_slices(c, order[i - 1], order[i]) != 0) {
            first[groups] = order[i];
            count[groups++] = 0;
        }
        count[groups - 1]++;
        group_of[order[i]] = groups - 1;
    }
    for (int64_t g = 0; g < groups; g++)
        order[g] = g;
    if (!state->sorted)
        order_sort(order, spare, groups, first_before, first);
    for (int64_t k = 0; k < groups; k++) {
        int64_t g = order[k];

        place[g] = k;
        put(c, 1, k, first[g]);
        put(c, 3, k, count[g]);
        for (int64_t o = 0; o < state->outer; o++)
            memcpy((char *)c->out[0]->data + (size_t)(o * groups + k) * bytes,
                   (const char *)c->in[0]->data + (size_t)(o * n + first[g]) * bytes, bytes);
    }
    for (int64_t i = 0; i < n; i++)
        put(c, 2, i, place[group_of[i]]);
    return STATUS_OK;
}

#define ENTRY(op_name, first_opset, inputs, outputs, op_infer, op_run)                                                 \
    {                                                                                                                  \
        .name = op_name, .since = first_opset, .min_in = inputs, .max_in = inputs, .min_out = 1, .max_out = outputs,   \
        .flags = OP_BYTES, .state_bytes = sizeof(struct filter_state), .infer = op_infer, .run = op_run                \
    }

static const struct op filter_ops[] = {
    ENTRY("Compress", 9, 2, 1, compress_infer, compress_run),
    ENTRY("NonZero", 9, 1, 1, nonzero_infer, nonzero_run),
    ENTRY("Unique", 11, 1, 4, unique_infer, unique_run),
};

const struct op_group ops_filter = {filter_ops, sizeof(filter_ops) / sizeof(filter_ops[0])};
