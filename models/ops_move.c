/* Operators that copy elements to other places: Transpose, Slice, Expand, Tile, DepthToSpace, SpaceToDepth,
 * Concat, Split. */
#include <string.h>

#include "models/broadcast.h"
#include "models/strided.h"

struct move_state {
    struct strided view;
    int64_t start; /* element of the source where the view begins */
};

static void strides_of(const struct tensor_shape *s, int64_t strides[TENSOR_MAX_RANK])
{
    int64_t stride = 1;

    for (unsigned i = s->rank; i-- > 0;) {
        strides[i] = stride;
        stride *= s->dims[i];
    }
}

static enum status move_run(struct call *c, struct error *e)
{
    const struct move_state *state = c->state;
    size_t unit = tensor_type_bytes(c->in[0]->type);

    (void)e;
    if (tensor_count(c->out[0]) > 0)
        strided_copy(&state->view, (const char *)c->in[0]->data + (size_t)state->start * unit, c->out[0]->data, unit);
    return STATUS_OK;
}

static enum status transpose_infer(struct call *c, struct error *e)
{
    struct move_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    int64_t order[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK];
    bool seen[TENSOR_MAX_RANK] = {0};
    size_t n;
    enum status s = call_ints(c, "perm", order, TENSOR_MAX_RANK, &n, e);

    if (s != STATUS_OK)
        return s;
    if (n != 0 && n != in->rank)
        return call_error(c, e, STATUS_INVALID, "perm has %zu values, the rank is %u", n, in->rank);
    strides_of(in, strides);
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape.rank = in->rank;
    for (unsigned i = 0; i < in->rank; i++) {
        unsigned from = in->rank - 1 - i;

        if (n > 0) {
            s = call_axis(c, order[i], in->rank, &from, e);
            if (s != STATUS_OK)
                return s;
        }
        if (seen[from])
            return call_error(c, e, STATUS_INVALID, "perm names %u twice", from);
        seen[from] = true;
        c->out[0]->shape.dims[i] = in->dims[from];
        strided_push(&state->view, in->dims[from], strides[from]);
    }
    strided_merge(&state->view);
    return STATUS_OK;
}

struct slice_lists {
    int64_t starts[TENSOR_MAX_RANK], ends[TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK], steps[TENSOR_MAX_RANK];
    size_t n, n_axes, n_steps;
};

static enum status slice_lists(const struct call *c, struct slice_lists *l, struct error *e)
{
    size_t n_ends;
    enum status s = call_axes(c, "starts", 1, l->starts, TENSOR_MAX_RANK, &l->n, e);

    if (s == STATUS_OK)
        s = call_axes(c, "ends", 2, l->ends, TENSOR_MAX_RANK, &n_ends, e);
    if (s == STATUS_OK)
        s = call_axes(c, "axes", 3, l->axes, TENSOR_MAX_RANK, &l->n_axes, e);
    if (s == STATUS_OK)
        s = call_input_ints(c, 4, l->steps, TENSOR_MAX_RANK, &l->n_steps, e);
    if (s != STATUS_OK)
        return s;
    if (l->n != n_ends || (l->n_axes && l->n_axes != l->n) || (l->n_steps && l->n_steps != l->n) ||
        l->n > c->in[0]->shape.rank)
        return call_error(c, e, STATUS_INVALID, "starts, ends, axes and steps do not agree");
    return STATUS_OK;
}

static int64_t clamp(int64_t v, int64_t low, int64_t high)
{
    return v < low ? low : v > high ? high : v;
}

static enum status slice_infer(struct call *c, struct error *e)
{
    struct move_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    struct tensor_shape out = *in;
    struct slice_lists l;
    int64_t strides[TENSOR_MAX_RANK];
    enum status s = slice_lists(c, &l, e);

    if (s != STATUS_OK)
        return s;
    strides_of(in, strides);
    for (size_t i = 0; i < l.n; i++) {
        int64_t step = l.n_steps ? l.steps[i] : 1, d, start = l.starts[i], end = l.ends[i];
        unsigned axis = (unsigned)i;

        if (l.n_axes) {
            s = call_axis(c, l.axes[i], in->rank, &axis, e);
            if (s != STATUS_OK)
                return s;
        }
        if (step == 0)
            return call_error(c, e, STATUS_INVALID, "a step is 0");
        /* A longer step picks one element all the same, and could overflow. */
        step = clamp(step, -TENSOR_MAX_BYTES, TENSOR_MAX_BYTES);
        d = in->dims[axis];
        start = start < 0 ? start + d : start;
        end = end < 0 ? end + d : end;
        start = step > 0 ? clamp(start, 0, d) : clamp(start, 0, d - 1);
        end = step > 0 ? clamp(end, 0, d) : clamp(end, -1, d - 1);
        out.dims[axis] = step > 0 ? (end > start ? (end - start + step - 1) / step : 0)
                                  : (start > end ? (start - end - step - 1) / -step : 0);
        if (d == 0)
            out.dims[axis] = 0;
        state->start += out.dims[axis] > 0 ? start * strides[axis] : 0;
        strides[axis] *= out.dims[axis] > 1 ? step : 0;
    }
    for (unsigned i = 0; i < in->rank; i++)
        strided_push(&state->view, out.dims[i], strides[i]);
    strided_merge(&state->view);
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = out;
    return STATUS_OK;
}

static enum status expand_infer(struct call *c, struct error *e)
{
    struct move_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape, *operands[1] = {in};
    struct tensor_shape wanted = {0}, out;
    struct broadcast b;
    char x[TENSOR_SHAPE_TEXT_BYTES], y[TENSOR_SHAPE_TEXT_BYTES];
    size_t n, bytes;
    enum status s = call_input_ints(c, 1, wanted.dims, TENSOR_MAX_RANK, &n, e);

    if (s != STATUS_OK)
        return s;
    wanted.rank = (unsigned)n;
    if (!tensor_shape_bytes(&wanted, c->in[0]->type, &bytes) || !broadcast_shape(in, &wanted, &out))
        return call_error(c, e, STATUS_INVALID, "%s does not expand to %s", tensor_shape_text(in, x),
                          tensor_shape_text(&wanted, y));
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = out;
    if (!tensor_shape_bytes(&out, c->in[0]->type, &bytes))
        return STATUS_OK; /* refused by call_infer */
    broadcast_plan(&out, operands, 1, &b);
    for (unsigned i = 0; i < b.rank; i++)
        strided_push(&state->view, b.dims[i], b.strides[0][i]);
    return STATUS_OK;
}

static enum status tile_infer(struct call *c, struct error *e)
{
    struct move_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    int64_t repeats[TENSOR_MAX_RANK], strides[TENSOR_MAX_RANK];
    size_t n;
    enum status s = call_input_ints(c, 1, repeats, TENSOR_MAX_RANK, &n, e);

    if (s != STATUS_OK)
        return s;
    if (n != in->rank)
        return call_error(c, e, STATUS_INVALID, "%zu repeats for rank %u", n, in->rank);
    strides_of(in, strides);
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape.rank = in->rank;
    for (unsigned i = 0; i < in->rank; i++) {
        if (repeats[i] < 0 || (in->dims[i] > 0 && repeats[i] > TENSOR_MAX_BYTES / in->dims[i]))
            return call_error(c, e, STATUS_INVALID, "%lld repeats", (long long)repeats[i]);
        c->out[0]->shape.dims[i] = in->dims[i] * repeats[i];
        strided_push(&state->view, repeats[i], 0);
        strided_push(&state->view, in->dims[i], strides[i]);
    }
    if (state->view.rank == 0)
        strided_push(&state->view, 1, 1);
    return STATUS_OK;
}

static enum status block_size(const struct call *c, int64_t *ret_block, struct error *e)
{
    int64_t block = call_int(c, "blocksize", 0);

    if (block < 1 || block > 1 << 20)
        return call_error(c, e, STATUS_INVALID, "blocksize is %lld", (long long)block);
    *ret_block = block;
    return call_rank(c, 0, 4, 4, e);
}

static enum status depth_to_space_infer(struct call *c, struct error *e)
{
    struct move_state *state = c->state;
    const int64_t *d = c->in[0]->shape.dims;
    bool columns_first = strcmp(call_string(c, "mode", "DCR"), "CRD") == 0;
    int64_t b = 1, area, depth, image;
    enum status s = block_size(c, &b, e);

    if (s != STATUS_OK)
        return s;
    area = b * b;
    if (d[1] % area != 0)
        return call_error(c, e, STATUS_INVALID, "%lld channels do not divide by %lld", (long long)d[1],
                          (long long)area);
    depth = d[1] / area;
    image = d[2] * d[3];
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = (struct tensor_shape){.rank = 4, .dims = {d[0], depth, d[2] * b, d[3] * b}};
    strided_push(&state->view, d[0], d[1] * image);
    /* area is at most d[1], so the product is bounded, but where there are no channels at all. */
    strided_push(&state->view, depth, columns_first && depth > 0 ? area * image : image);
    strided_push(&state->view, d[2], d[3]);
    strided_push(&state->view, b, (columns_first ? b : b * depth) * image);
    strided_push(&state->view, d[3], 1);
    strided_push(&state->view, b, (columns_first ? 1 : depth) * image);
    return STATUS_OK;
}

static enum status space_to_depth_infer(struct call *c, struct error *e)
{
    struct move_state *state = c->state;
    const int64_t *d = c->in[0]->shape.dims;
    int64_t b = 1, image;
    enum status s = block_size(c, &b, e);

    if (s != STATUS_OK)
        return s;
    if (d[2] % b != 0 || d[3] % b != 0 || (d[1] > 0 && b * b > TENSOR_MAX_BYTES / d[1]))
        return call_error(c, e, STATUS_INVALID, "%lld x %lld does not divide by %lld", (long long)d[2], (long long)d[3],
                          (long long)b);
    image = d[2] * d[3];
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = (struct tensor_shape){.rank = 4, .dims = {d[0], d[1] * b * b, d[2] / b, d[3] / b}};
    strided_push(&state->view, d[0], d[1] * image);
    strided_push(&state->view, b, d[3]);
    strided_push(&state->view, b, 1);
    strided_push(&state->view, d[1], image);
    strided_push(&state->view, d[2] / b, d[3] * b);
    strided_push(&state->view, d[3] / b, b);
    return STATUS_OK;
}

struct axis_state {
    unsigned axis;
    int64_t outer, inner;
};

static enum status concat_infer(struct call *c, struct error *e)
{
    struct axis_state *state = c->state;
    struct tensor_shape out = c->in[0]->shape;
    char x[TENSOR_SHAPE_TEXT_BYTES], y[TENSOR_SHAPE_TEXT_BYTES];
    enum status s = call_axis(c, call_int(c, "axis", 1), out.rank, &state->axis, e);

    if (s != STATUS_OK)
        return s;
    for (size_t i = 1; i < c->n_in; i++) {
        struct tensor_shape in;
        int64_t length;

        if (!c->in[i] || c->in[i]->type != c->in[0]->type)
            return call_error(c, e, STATUS_INVALID, "input %zu is absent or of another type", i);
        in = c->in[i]->shape;
        length = in.rank == out.rank ? in.dims[state->axis] : 0;
        if (in.rank == out.rank)
            in.dims[state->axis] = out.dims[state->axis];
        if (!tensor_shape_equal(&in, &out) || out.dims[state->axis] > TENSOR_MAX_BYTES)
            return call_error(c, e, STATUS_INVALID, "%s and %s do not join at axis %u", tensor_shape_text(&out, x),
                              tensor_shape_text(&c->in[i]->shape, y), state->axis);
        out.dims[state->axis] += length;
    }
    state->outer = tensor_shape_span(&out, 0, state->axis);
    state->inner = tensor_shape_span(&out, state->axis + 1, out.rank);
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape = out;
    return STATUS_OK;
}

static enum status concat_run(struct call *c, struct error *e)
{
    const struct axis_state *state = c->state;
    size_t unit = tensor_type_bytes(c->out[0]->type) * (size_t)state->inner;
    char *to = c->out[0]->data;

    (void)e;
    for (int64_t o = 0; o < state->outer; o++) {
        for (size_t i = 0; i < c->n_in; i++) {
            size_t bytes = (size_t)c->in[i]->shape.dims[state->axis] * unit;

            if (bytes > 0)
                memcpy(to, (const char *)c->in[i]->data + (size_t)o * bytes, bytes);
            to += bytes;
        }
    }
    return STATUS_OK;
}

/* Lengths: an attribute up to opset 12, an input from 13 on, else equal parts (the last may be shorter). */
static enum status split_lengths(const struct call *c, int64_t whole, int64_t *ret_lengths, struct error *e)
{
    int64_t sum = 0, part;
    size_t n;
    enum status s = call_axes(c, "split", 1, ret_lengths, c->n_out, &n, e);

    if (s != STATUS_OK)
        return s;
    part = (whole + (int64_t)c->n_out - 1) / (int64_t)c->n_out;
    for (size_t i = 0; n == 0 && i < c->n_out; i++) {
        ret_lengths[i] = sum + part <= whole ? part : whole - sum;
        sum += ret_lengths[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (ret_lengths[i] < 0 || ret_lengths[i] > whole - sum)
            return call_error(c, e, STATUS_INVALID, "the parts are longer than %lld", (long long)whole);
        sum += ret_lengths[i];
    }
    if (sum != whole || (n != 0 && n != c->n_out))
        return call_error(c, e, STATUS_INVALID, "the parts make %lld, not %lld", (long long)sum, (long long)whole);
    return STATUS_OK;
}

enum { SPLIT_MAX_PARTS = 256 };

struct split_state {
    struct axis_state at;
    int64_t lengths[SPLIT_MAX_PARTS];
};

static enum status split_infer(struct call *c, struct error *e)
{
    struct split_state *state = c->state;
    const struct tensor_shape *in = &c->in[0]->shape;
    enum status s = call_axis(c, call_int(c, "axis", 0), in->rank, &state->at.axis, e);

    if (s == STATUS_OK)
        s = split_lengths(c, in->dims[state->at.axis], state->lengths, e);
    if (s != STATUS_OK)
        return s;
    state->at.outer = tensor_shape_span(in, 0, state->at.axis);
    state->at.inner = tensor_shape_span(in, state->at.axis + 1, in->rank);
    for (size_t i = 0; i < c->n_out; i++) {
        if (!c->out[i])
            continue;
        c->out[i]->type = c->in[0]->type;
        c->out[i]->shape = *in;
        c->out[i]->shape.dims[state->at.axis] = state->lengths[i];
    }
    return STATUS_OK;
}

static enum status split_run(struct call *c, struct error *e)
{
    const struct split_state *state = c->state;
    size_t unit = tensor_type_bytes(c->in[0]->type) * (size_t)state->at.inner;
    const char *from = c->in[0]->data;

    (void)e;
    for (int64_t o = 0; o < state->at.outer; o++) {
        for (size_t i = 0; i < c->n_out; i++) {
            size_t bytes = (size_t)state->lengths[i] * unit;

            if (c->out[i] && bytes > 0)
                memcpy((char *)c->out[i]->data + (size_t)o * bytes, from, bytes);
            from += bytes;
        }
    }
    return STATUS_OK;
}

#define MOVE(op_name, first_opset, least_in, most_in, op_infer)                                                        \
    {                                                                                                                  \
        .name = op_name, .since = first_opset, .min_in = least_in, .max_in = most_in, .min_out = 1, .max_out = 1,      \
        .flags = OP_BYTES, .state_bytes = sizeof(struct move_state), .infer = op_infer, .run = move_run                \
    }

static const struct op move_ops[] = {
    MOVE("Transpose", 1, 1, 1, transpose_infer),
    MOVE("Slice", 1, 1, 5, slice_infer),
    MOVE("Expand", 8, 2, 2, expand_infer),
    MOVE("Tile", 6, 2, 2, tile_infer),
    MOVE("DepthToSpace", 1, 1, 1, depth_to_space_infer),
    MOVE("SpaceToDepth", 1, 1, 1, space_to_depth_infer),
    {.name = "Concat",
     .since = 1,
     .min_in = 1,
     .max_in = OP_ANY_COUNT,
     .min_out = 1,
     .max_out = 1,
     .flags = OP_BYTES,
     .state_bytes = sizeof(struct axis_state),
     .infer = concat_infer,
     .run = concat_run},
    {.name = "Split",
     .since = 1,
     .min_in = 1,
     .max_in = 2,
     .min_out = 1,
     .max_out = SPLIT_MAX_PARTS,
     .flags = OP_BYTES,
     .state_bytes = sizeof(struct split_state),
     .infer = split_infer,
     .run = split_run},
};

const struct op_group ops_move = {move_ops, sizeof(move_ops) / sizeof(move_ops[0])};
