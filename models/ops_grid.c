/* GridSample: pictures or volumes read at coordinates that a second input gives, as PyTorch's grid_sample. */
#include <math.h>
#include <string.h>

#include "models/op.h"

enum grid_mode { GRID_LINEAR, GRID_NEAREST, GRID_CUBIC };
enum grid_padding { GRID_ZEROS, GRID_BORDER, GRID_REFLECTION };

struct grid_state {
    enum grid_mode mode;
    enum grid_padding padding;
    bool corners;
    unsigned rank; /* spatial: 2 or 3 */
    int64_t in[3]; /* depth, height, width; depth 1 for pictures */
    int64_t positions;
};

static int pick(const char *text, const char *const *names, int n)
{
    for (int i = 0; i < n; i++) {
        if (strcmp(text, names[i]) == 0)
            return i;
    }
    return -1;
}

static enum status read_modes(const struct call *c, struct grid_state *state, struct error *e)
{
    static const char *const modes[] = {"bilinear", "nearest", "bicubic", "linear", "nearest", "cubic"};
    static const char *const paddings[] = {"zeros", "border", "reflection"};
    const char *mode = call_string(c, "mode", "bilinear"), *padding = call_string(c, "padding_mode", "zeros");
    int m = pick(mode, modes, 6), p = pick(padding, paddings, 3);

    if (m < 0 || p < 0)
        return call_error(c, e, STATUS_INVALID, "mode %.40s and padding %.40s", mode, padding);
    state->mode = (enum grid_mode)(m % 3);
    state->padding = (enum grid_padding)p;
    state->corners = call_int(c, "align_corners", 0) != 0;
    return STATUS_OK;
}

static enum status grid_infer(struct call *c, struct error *e)
{
    struct grid_state *state = c->state;
    const struct tensor_shape *x = &c->in[0]->shape, *grid = &c->in[1]->shape;
    struct tensor_shape *out = &c->out[0]->shape;
    unsigned rank = x->rank - 2;
    enum status s = call_type(c, 0, TYPES_FLOAT, e);

    if (s == STATUS_OK)
        s = call_type(c, 1, TYPES_FLOAT, e);
    if (s == STATUS_OK)
        s = call_rank(c, 0, 4, 5, e);
    if (s == STATUS_OK)
        s = read_modes(c, state, e);
    if (s != STATUS_OK)
        return s;
    if (grid->rank != x->rank || grid->dims[0] != x->dims[0] || grid->dims[grid->rank - 1] != (int64_t)rank)
        return call_error(c, e, STATUS_INVALID, "the grid does not fit the input");
    if (state->mode == GRID_CUBIC && rank == 3)
        return call_error(c, e, STATUS_UNSUPPORTED, "cubic sampling of volumes is not supported");
    state->rank = rank;
    state->in[0] = 1;
    for (unsigned d = 0; d < rank; d++)
        state->in[3 - rank + d] = x->dims[2 + d];
    if (state->in[0] < 1 || state->in[1] < 1 || state->in[2] < 1)
        return call_error(c, e, STATUS_INVALID, "the input is empty");
    *out = *x;
    for (unsigned d = 0; d < rank; d++)
        out->dims[2 + d] = grid->dims[1 + d];
    state->positions = tensor_shape_span(grid, 1, grid->rank - 1);
    c->out[0]->type = c->in[0]->type;
    if (tensor_shape_bytes(out, TENSOR_F64, &(size_t){0}))
        c->flops = (uint64_t)tensor_shape_count(out) * (state->mode == GRID_CUBIC ? 32 : 16);
    return STATUS_OK;
}

/* x mirrored at the ends of [low, low + span]. */
static double reflect(double x, double low, double span)
{
    double extra;

    if (!(span > 0))
        return 0;
    x = fabs(x - low);
    extra = fmod(x, span);
    return fmod(floor(x / span), 2) == 0 ? low + extra : low + span - extra;
}

static double pad_coordinate(const struct grid_state *state, double x, int64_t size)
{
    double last = (double)(size - 1);

    if (state->padding == GRID_REFLECTION)
        x = state->corners ? reflect(x, 0, last) : reflect(x, -0.5, (double)size);
    if (state->padding != GRID_ZEROS)
        x = x < 0 ? 0 : x > last ? last : x;
    return x;
}

/* Where a coordinate of the grid (-1..1) lies, in elements; what is far outside or no number is -100, which no tap
 * reaches. */
static double position_of(const struct grid_state *state, double v, int64_t size)
{
    double x = state->corners ? (v + 1) / 2 * (double)(size - 1) : ((v + 1) * (double)size - 1) / 2;

    if (state->mode != GRID_CUBIC)
        x = pad_coordinate(state, x, size);
    return x > -1e9 && x < 1e9 ? x : -100;
}

static double pixel(const struct call *c, int64_t plane, int64_t z, int64_t y, int64_t x)
{
    const struct grid_state *state = c->state;
    int64_t at;

    if (z < 0 || y < 0 || x < 0 || z >= state->in[0] || y >= state->in[1] || x >= state->in[2])
        return 0;
    at = ((plane * state->in[0] + z) * state->in[1] + y) * state->in[2] + x;
    return c->in[0]->type == TENSOR_F32 ? (double)((const float *)c->in[0]->data)[at]
                                        : ((const double *)c->in[0]->data)[at];
}

static double linear(const struct call *c, int64_t plane, const double at[3])
{
    int64_t low[3];
    double part[3], sum = 0;

    for (unsigned d = 0; d < 3; d++) {
        low[d] = (int64_t)floor(at[d]);
        part[d] = at[d] - (double)low[d];
    }
    for (unsigned corner = 0; corner < 8; corner++) {
        double weight = (corner & 4 ? part[0] : 1 - part[0]) * (corner & 2 ? part[1] : 1 - part[1]) *
                        (corner & 1 ? part[2] : 1 - part[2]);

        if (weight != 0)
            sum += weight * pixel(c, plane, low[0] + (corner >> 2), low[1] + (corner >> 1 & 1), low[2] + (corner & 1));
    }
    return sum;
}

/* Keys' kernel with a = -0.75, as PyTorch has it. */
static void cubic_weights(double t, double w[4])
{
    const double a = -0.75;

    w[0] = ((a * (t + 1) - 5 * a) * (t + 1) + 8 * a) * (t + 1) - 4 * a;
    w[1] = ((a + 2) * t - (a + 3)) * t * t + 1;
    w[2] = ((a + 2) * (1 - t) - (a + 3)) * (1 - t) * (1 - t) + 1;
    w[3] = 1 - w[0] - w[1] - w[2];
}

/* Each tap is padded by itself. */
static double cubic(const struct call *c, int64_t plane, const double at[3])
{
    const struct grid_state *state = c->state;
    double y0 = floor(at[1]), x0 = floor(at[2]), wy[4], wx[4], sum = 0;

    cubic_weights(at[1] - y0, wy);
    cubic_weights(at[2] - x0, wx);
    for (int i = 0; i < 4; i++) {
        double y = pad_coordinate(state, y0 - 1 + i, state->in[1]);

        for (int k = 0; k < 4; k++) {
            double x = pad_coordinate(state, x0 - 1 + k, state->in[2]);

            sum += wy[i] * wx[k] * pixel(c, plane, 0, (int64_t)y, (int64_t)x);
        }
    }
    return sum;
}

static enum status grid_run(struct call *c, struct error *e)
{
    const struct grid_state *state = c->state;
    const struct tensor_shape *x = &c->in[0]->shape;
    int64_t channels = x->dims[1];

    (void)e;
    for (int64_t i = 0; i < x->dims[0] * state->positions; i++) {
        int64_t image = i / state->positions, p = i % state->positions;
        double at[3] = {0};

        /* The grid gives x first. */
        for (unsigned d = 0; d < state->rank; d++)
            at[2 - d] = position_of(state, tensor_value(c->in[1], i * state->rank + d), state->in[2 - d]);
        for (int64_t channel = 0; channel < channels; channel++) {
            int64_t plane = image * channels + channel;
            double v = state->mode == GRID_LINEAR    ? linear(c, plane, at)
                       : state->mode == GRID_NEAREST ? pixel(c, plane, (int64_t)nearbyint(at[0]),
                                                             (int64_t)nearbyint(at[1]), (int64_t)nearbyint(at[2]))
                                                     : cubic(c, plane, at);

            tensor_set_value(c->out[0], plane * state->positions + p, v);
        }
    }
    return STATUS_OK;
}

static const struct op grid_ops[] = {
    {.name = "GridSample",
     .since = 16,
     .min_in = 2,
     .max_in = 2,
     .min_out = 1,
     .max_out = 1,
     .state_bytes = sizeof(struct grid_state),
     .infer = grid_infer,
     .run = grid_run},
};

const struct op_group ops_grid = {grid_ops, sizeof(grid_ops) / sizeof(grid_ops[0])};
