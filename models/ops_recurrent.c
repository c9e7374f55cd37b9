/* RNN, GRU and LSTM, float32: both directions, initial states, sequence lengths, both layouts, clip,
 * peepholes. The projections of all time steps are one product; then each step multiplies the states of all
 * rows of the batch. */
#include <string.h>

#include "models/op.h"
#include "models/recurrent_cells.h"

enum recurrent_kind { RECURRENT_RNN, RECURRENT_GRU, RECURRENT_LSTM };

static const unsigned gates_of[] = {[RECURRENT_RNN] = 1, [RECURRENT_GRU] = 3, [RECURRENT_LSTM] = 4};

enum { MAX_DIRECTIONS = 2, MAX_FUNCTIONS = 3 };

struct recurrent_state {
    int64_t steps, batch, width, hidden, gates; /* gates: rows of a direction's weights, a multiple of hidden */
    int64_t directions;
    bool reverse, batch_first, linear_before_reset, input_forget;
    float clip; /* 0 = none */
    enum activation_kind functions[MAX_DIRECTIONS][MAX_FUNCTIONS];
};

/* Packed weights of a direction: W, then R without its last gate for a GRU (whose last gate is multiplied
 * apart), else all of R, then that last gate. */
struct recurrent_pack {
    size_t w, r, last, floats; /* offsets, and floats of one direction */
    size_t r_columns;
};

static struct recurrent_pack pack_of(int kind, size_t width, size_t hidden)
{
    size_t gates = gates_of[kind] * hidden;
    struct recurrent_pack p = {.r_columns = kind == RECURRENT_GRU ? 2 * hidden : gates};

    p.r = rows_packed_floats(width, gates);
    p.last = p.r + rows_packed_floats(hidden, p.r_columns);
    p.floats = p.last + rows_packed_floats(hidden, gates - p.r_columns);
    return p;
}

static void pack_weights(int kind, const float *w, const float *r, size_t width, size_t hidden, size_t directions,
                         float *to)
{
    struct recurrent_pack p = pack_of(kind, width, hidden);
    size_t gates = gates_of[kind] * hidden;

    for (size_t d = 0; d < directions; d++, to += p.floats) {
        const float *r_d = r + d * gates * hidden;

        rows_pack(w + d * gates * width, width, gates, 1, width, to + p.w);
        rows_pack(r_d, hidden, p.r_columns, 1, hidden, to + p.r);
        rows_pack(r_d + p.r_columns * hidden, hidden, gates - p.r_columns, 1, hidden, to + p.last);
    }
}

static enum status read_functions(const struct call *c, struct recurrent_state *state, struct error *e)
{
    const struct attribute *a = node_attribute(c->node, "activations");
    size_t each = c->op->kind == RECURRENT_RNN ? 1 : c->op->kind == RECURRENT_GRU ? 2 : 3;
    static const struct {
        const char *name;
        enum activation_kind kind;
    } known[] = {{"Sigmoid", ACTIVATION_SIGMOID}, {"Tanh", ACTIVATION_TANH}, {"Relu", ACTIVATION_RELU}};

    for (size_t i = 0; i < each * (size_t)state->directions; i++) {
        bool gate = c->op->kind != RECURRENT_RNN && i % each == 0;
        enum activation_kind kind = gate ? ACTIVATION_SIGMOID : ACTIVATION_TANH;

        if (a && a->kind == ATTRIBUTE_STRINGS && i < a->n) {
            kind = ACTIVATION_NONE;
            for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++)
                kind = strcmp(a->strings[i], known[k].name) == 0 ? known[k].kind : kind;
            if (kind == ACTIVATION_NONE)
                return call_error(c, e, STATUS_UNSUPPORTED, "activation %.40s is not supported", a->strings[i]);
        }
        state->functions[i / each][i % each] = kind;
    }
    return STATUS_OK;
}

static enum status check_shape(const struct call *c, size_t input, unsigned rank, const int64_t *dims, struct error *e)
{
    const struct tensor *t = call_in(c, input);
    struct tensor_shape wanted = {.rank = rank};
    char x[TENSOR_SHAPE_TEXT_BYTES], y[TENSOR_SHAPE_TEXT_BYTES];
    enum status s;

    if (!t)
        return STATUS_OK;
    memcpy(wanted.dims, dims, rank * sizeof(*dims));
    s = call_type(c, input, input == 4 ? TYPE_BIT(TENSOR_I32) : TYPE_BIT(TENSOR_F32), e);
    if (s == STATUS_OK && !tensor_shape_equal(&t->shape, &wanted))
        return call_error(c, e, STATUS_INVALID, "input %zu is %s, must be %s", input, tensor_shape_text(&t->shape, x),
                          tensor_shape_text(&wanted, y));
    return s;
}

static enum status check_inputs(const struct call *c, const struct recurrent_state *r, struct error *e)
{
    int64_t first = r->batch_first ? r->batch : r->directions, second = r->batch_first ? r->directions : r->batch;
    int64_t w[3] = {r->directions, r->gates, r->width}, u[3] = {r->directions, r->gates, r->hidden};
    int64_t b[2] = {r->directions, 2 * r->gates}, lengths[1] = {r->batch}, states[3] = {first, second, r->hidden};
    int64_t peepholes[2] = {r->directions, 3 * r->hidden};
    enum status s = check_shape(c, 1, 3, w, e);

    if (s == STATUS_OK)
        s = check_shape(c, 2, 3, u, e);
    if (s == STATUS_OK)
        s = check_shape(c, 3, 2, b, e);
    if (s == STATUS_OK)
        s = check_shape(c, 4, 1, lengths, e);
    if (s == STATUS_OK)
        s = check_shape(c, 5, 3, states, e);
    if (s == STATUS_OK)
        s = check_shape(c, 6, 3, states, e);
    return s == STATUS_OK ? check_shape(c, 7, 2, peepholes, e) : s;
}

static void set_outputs(struct call *c, const struct recurrent_state *r)
{
    struct tensor_shape last = {.rank = 3, .dims = {r->directions, r->batch, r->hidden}};
    struct tensor_shape all = {.rank = 4, .dims = {r->steps, r->directions, r->batch, r->hidden}};

    if (r->batch_first) {
        last = (struct tensor_shape){.rank = 3, .dims = {r->batch, r->directions, r->hidden}};
        all = (struct tensor_shape){.rank = 4, .dims = {r->batch, r->steps, r->directions, r->hidden}};
    }
    for (size_t i = 0; i < 3; i++) {
        if (!call_out(c, i))
            continue;
        c->out[i]->type = TENSOR_F32;
        c->out[i]->shape = i == 0 ? all : last;
    }
}

static enum status recurrent_infer(struct call *c, struct error *e)
{
    struct recurrent_state *r = c->state;
    const struct tensor *x = c->in[0], *w = c->in[1];
    const char *direction = call_string(c, "direction", "forward");
    int64_t hidden, most = (int64_t)1 << 24;
    double floats;
    enum status s = call_type(c, 0, TYPE_BIT(TENSOR_F32), e);

    if (s == STATUS_OK)
        s = call_rank(c, 0, 3, 3, e);
    if (s == STATUS_OK)
        s = call_rank(c, 1, 3, 3, e);
    if (s != STATUS_OK)
        return s;
    hidden = call_int(c, "hidden_size", w->shape.dims[1] / gates_of[c->op->kind]);
    r->batch_first = call_int(c, "layout", 0) != 0;
    r->steps = x->shape.dims[r->batch_first ? 1 : 0];
    r->batch = x->shape.dims[r->batch_first ? 0 : 1];
    r->width = x->shape.dims[2];
    if (hidden < 1 || hidden > most || r->width < 1 || r->width > most || r->steps > most || r->batch > most)
        return call_error(c, e, STATUS_INVALID, "hidden_size %lld or the input's dimensions are out of range",
                          (long long)hidden);
    r->hidden = hidden;
    r->gates = gates_of[c->op->kind] * hidden;
    r->directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
    r->reverse = strcmp(direction, "reverse") == 0;
    r->linear_before_reset = call_int(c, "linear_before_reset", 0) != 0;
    r->input_forget = call_int(c, "input_forget", 0) != 0;
    r->clip = call_float(c, "clip", 0.0f);
    s = read_functions(c, r, e);
    if (s == STATUS_OK)
        s = check_inputs(c, r, e);
    if (s != STATUS_OK)
        return s;
    floats = (double)r->steps * (double)r->batch * (double)r->gates;
    if (floats > (double)TENSOR_MAX_BYTES / 8)
        return call_error(c, e, STATUS_INVALID, "needs too much memory");
    set_outputs(c, r);
    c->scratch_bytes =
        sizeof(float) * (size_t)(r->steps * r->batch * r->gates + r->batch * (r->gates + 3 * hidden) + r->gates);
    if (!c->prepared)
        c->scratch_bytes +=
            sizeof(float) * (size_t)r->directions * pack_of(c->op->kind, (size_t)r->width, (size_t)hidden).floats;
    c->flops = 2 * (uint64_t)r->directions * (uint64_t)r->steps * (uint64_t)r->batch * (uint64_t)r->gates *
               (uint64_t)(r->width + hidden);
    return STATUS_OK;
}

static enum status recurrent_prepare(struct call *c, void **ret_prepared, unsigned *ret_frees, struct error *e)
{
    const struct tensor *w = c->in[1], *r = c->in[2];
    size_t gates = gates_of[c->op->kind], hidden, width, directions, bytes;
    float *packed;

    if (!w->data || !r->data || w->type != TENSOR_F32 || r->type != TENSOR_F32 || w->shape.rank != 3 ||
        r->shape.rank != 3 || tensor_count(w) == 0 || tensor_count(r) == 0)
        return STATUS_OK;
    directions = (size_t)w->shape.dims[0];
    width = (size_t)w->shape.dims[2];
    hidden = (size_t)r->shape.dims[2];
    /* What does not fit together is refused with its reason when a session infers it. */
    if (w->shape.dims[1] != (int64_t)(gates * hidden) || r->shape.dims[1] != w->shape.dims[1] ||
        r->shape.dims[0] != w->shape.dims[0])
        return STATUS_OK;
    bytes = directions * pack_of(c->op->kind, width, hidden).floats * sizeof(float);
    if (bytes > c->prepare_bytes)
        return STATUS_OK;
    packed = tensor_memory(bytes);
    if (!packed)
        return error_no_memory(e);
    c->prepare_bytes -= bytes;
    pack_weights(c->op->kind, w->data, r->data, width, hidden, directions, packed);
    *ret_prepared = packed;
    *ret_frees = 1u << 1 | 1u << 2;
    return STATUS_OK;
}

KERNEL_CLONES static void bound(float *x, int64_t n, float clip)
{
    for (int64_t i = 0; i < n; i++) {
        float v = x[i] < -clip ? -clip : x[i];

        x[i] = v > clip ? clip : v;
    }
}

static void apply(enum activation_kind f, float clip, float *x, int64_t n)
{
    const struct activation a = {.kind = f};

    if (clip > 0)
        bound(x, n, clip);
    activation_apply(&a, x, (size_t)n);
}

KERNEL_CLONES static void add(float *to, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = x[i] + to[i];
}

KERNEL_CLONES static void add_product(float *to, const float *x, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] += x[i] * y[i];
}

KERNEL_CLONES static void multiply_to(float *to, const float *x, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = x[i] * y[i];
}

KERNEL_CLONES static void complement(float *to, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = 1.0f - x[i];
}

KERNEL_CLONES static void update_cell(float *cell, const float *in, const float *forget, const float *fresh, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        cell[i] = forget[i] * cell[i] + in[i] * fresh[i];
}

KERNEL_CLONES static void blend(float *h, const float *update, const float *fresh, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        h[i] = (1.0f - update[i]) * fresh[i] + update[i] * h[i];
}

/* One row of one step. x: gates from the input with their biases; u: gates from the state, used up; h, cell: updated. */
static void cell_rnn(const struct recurrent_state *r, int64_t d, const float *x, float *u, float *h)
{
    add(u, x, r->hidden);
    apply(r->functions[d][0], r->clip, u, r->hidden);
    memcpy(h, u, (size_t)r->hidden * sizeof(float));
}

/* Gates i, o, f, c. Peepholes p: i, o, f; NULL = none. */
static void cell_lstm(const struct recurrent_state *r, int64_t d, const float *x, float *u, const float *p, float *h,
                      float *cell)
{
    const enum activation_kind *f = r->functions[d];
    int64_t n = r->hidden;
    float *in = u, *out = u + n, *forget = u + 2 * n, *fresh = u + 3 * n;

    add(u, x, 4 * n);
    if (p) {
        add_product(in, p, cell, n);
        add_product(forget, p + 2 * n, cell, n);
    }
    apply(f[0], r->clip, in, n);
    if (r->input_forget)
        complement(forget, in, n);
    else
        apply(f[0], r->clip, forget, n);
    apply(f[1], r->clip, fresh, n);
    update_cell(cell, in, forget, fresh, n);
    if (p)
        add_product(out, p + n, cell, n);
    apply(f[0], r->clip, out, n);
    memcpy(fresh, cell, (size_t)n * sizeof(float));
    apply(f[2], r->clip, fresh, n);
    multiply_to(h, out, fresh, n);
}

/* Gates z, r, h. u holds z and r, and the state's part of h (without its bias), which for linear_before_reset = 0 comes
 * from the reset state. */
static void cell_gru(const struct recurrent_state *r, int64_t d, const float *x, float *u, const float *last_bias,
                     float *h)
{
    int64_t n = r->hidden;
    float *update = u, *reset = u + n, *fresh = u + 2 * n;

    add(fresh, last_bias, n);
    if (r->linear_before_reset)
        multiply_to(fresh, reset, fresh, n);
    add(fresh, x + 2 * n, n);
    apply(r->functions[d][1], r->clip, fresh, n);
    blend(h, update, fresh, n);
}

struct recurrent_run {
    const struct call *c;
    const struct recurrent_state *r;
    struct recurrent_pack pack;
    const float *weights;   /* packed, of this direction */
    const float *bias;      /* of this direction: W's, then R's; NULL = none */
    const float *last_bias; /* of these, the state's of a GRU's last gate; never NULL for a GRU */
    const float *peepholes;
    int64_t d;
    float *projected, *u, *last, *h, *cell, *early; /* early: the biases that are added to the projection */
    bool usual;                                     /* recurrent_cells' form */
};

static void multiply(const struct recurrent_run *run, const float *x, int64_t m, int64_t k, const float *packed,
                     int64_t n, const float *bias, float *y, int64_t y_stride)
{
    struct rows_job job = {
        .x = x,
        .x_stride = (size_t)k,
        .packed = packed,
        .y = y,
        .y_stride = (size_t)y_stride,
        .m = (size_t)m,
        .k = (size_t)k,
        .n = (size_t)n,
        .column_bias = bias,
    };

    run->c->kernels->rows(&job);
}

/* The inputs' share of all gates, with every bias that can be added early: all but the state's bias of a GRU's last gate. */
static void project(const struct recurrent_run *run)
{
    const struct recurrent_state *r = run->r;
    int64_t both = run->c->op->kind == RECURRENT_GRU ? 2 * r->hidden : r->gates;

    for (int64_t j = 0; run->bias && j < r->gates; j++)
        run->early[j] = j < both ? run->bias[j] + run->bias[r->gates + j] : run->bias[j];
    multiply(run, run->c->in[0]->data, r->steps * r->batch, r->width, run->weights + run->pack.w, r->gates,
             run->bias ? run->early : NULL, run->projected, r->gates);
}

static int64_t row_of(const struct recurrent_state *r, int64_t t, int64_t b)
{
    return r->batch_first ? b * r->steps + t : t * r->batch + b;
}

/* The time step that row b takes at iteration s; -1: its sequence has ended. */
static int64_t time_of(const struct recurrent_run *run, int64_t s, int64_t b)
{
    const struct recurrent_state *r = run->r;
    const struct tensor *lengths = call_in(run->c, 4);
    int64_t length = lengths ? ((const int32_t *)lengths->data)[b] : r->steps;

    if (s >= length)
        return -1;
    return r->reverse || run->d == 1 ? length - 1 - s : s;
}

/* Sigmoid gates, tanh, and nothing that changes them. */
static bool is_usual(const struct recurrent_run *run)
{
    const struct recurrent_state *r = run->r;
    const enum activation_kind *f = r->functions[run->d];
    bool plain = f[0] == ACTIVATION_SIGMOID && f[1] == ACTIVATION_TANH && r->clip <= 0;

    if (run->c->op->kind == RECURRENT_LSTM)
        return plain && f[2] == ACTIVATION_TANH && !run->peepholes && !r->input_forget;
    /* R's two packed parts are one when the first ends with a whole panel. */
    return run->c->op->kind == RECURRENT_GRU && plain && r->linear_before_reset && 2 * r->hidden % ROWS_PANEL == 0;
}

static void gru_gates(const struct recurrent_run *run, int64_t s)
{
    const struct recurrent_state *r = run->r;
    int64_t n = r->hidden;

    multiply(run, run->h, r->batch, n, run->weights + run->pack.r, 2 * n, NULL, run->u, r->gates);
    for (int64_t b = 0; b < r->batch; b++) {
        int64_t t = time_of(run, s, b);
        float *u = run->u + b * r->gates, *last = run->last + b * n;

        if (t < 0) {
            memset(last, 0, (size_t)n * sizeof(float));
            continue;
        }
        add(u, run->projected + row_of(r, t, b) * r->gates, 2 * n);
        apply(r->functions[run->d][0], r->clip, u, 2 * n);
        if (!r->linear_before_reset)
            multiply_to(last, u + n, run->h + b * n, n);
    }
    /* The third gate's part of u is free: it takes the product. */
    multiply(run, r->linear_before_reset ? run->h : run->last, r->batch, n, run->weights + run->pack.last, n, NULL,
             run->u + 2 * n, r->gates);
}

static void step(const struct recurrent_run *run, int64_t s)
{
    const struct recurrent_state *r = run->r;
    float *y = call_out(run->c, 0) ? run->c->out[0]->data : NULL;
    int kind = run->c->op->kind;
    int64_t n = r->hidden;

    if (kind == RECURRENT_GRU && !run->usual)
        gru_gates(run, s);
    else
        multiply(run, run->h, r->batch, n, run->weights + run->pack.r, r->gates, NULL, run->u, r->gates);
    for (int64_t b = 0; b < r->batch; b++) {
        int64_t t = time_of(run, s, b);
        const float *x;
        float *u = run->u + b * r->gates, *h = run->h + b * n;

        if (t < 0)
            continue;
        x = run->projected + row_of(r, t, b) * r->gates;
        if (kind == RECURRENT_RNN)
            cell_rnn(r, run->d, x, u, h);
        else if (kind == RECURRENT_LSTM && run->usual)
            lstm_cell(x, u, (size_t)n, run->cell + b * n, h);
        else if (kind == RECURRENT_LSTM)
            cell_lstm(r, run->d, x, u, run->peepholes, h, run->cell + b * n);
        else if (run->usual)
            gru_cell(x, u, run->last_bias, (size_t)n, h);
        else
            cell_gru(r, run->d, x, u, run->last_bias, h);
        if (y) {
            int64_t at = r->batch_first ? (b * r->steps + t) * r->directions + run->d
                                        : (t * r->directions + run->d) * r->batch + b;

            memcpy(y + at * n, h, (size_t)n * sizeof(float));
        }
    }
}

/* States lie as [direction, batch] or [batch, direction]; here a direction's rows. */
static void load_state(const struct recurrent_run *run, const struct tensor *from, float *to)
{
    const struct recurrent_state *r = run->r;

    for (int64_t b = 0; b < r->batch; b++) {
        int64_t at = r->batch_first ? b * r->directions + run->d : run->d * r->batch + b;

        if (from)
            memcpy(to + b * r->hidden, (const float *)from->data + at * r->hidden, (size_t)r->hidden * sizeof(float));
        else
            memset(to + b * r->hidden, 0, (size_t)r->hidden * sizeof(float));
    }
}

static void store_state(const struct recurrent_run *run, const float *from, struct tensor *to)
{
    const struct recurrent_state *r = run->r;

    for (int64_t b = 0; to && b < r->batch; b++) {
        int64_t at = r->batch_first ? b * r->directions + run->d : run->d * r->batch + b;

        memcpy((float *)to->data + at * r->hidden, from + b * r->hidden, (size_t)r->hidden * sizeof(float));
    }
}

static enum status recurrent_run(struct call *c, struct error *e)
{
    const struct recurrent_state *r = c->state;
    const struct tensor *bias = call_in(c, 3), *lengths = call_in(c, 4), *peepholes = call_in(c, 7);
    struct recurrent_run run = {.c = c, .r = r, .pack = pack_of(c->op->kind, (size_t)r->width, (size_t)r->hidden)};
    const float *packed = c->prepared;

    for (int64_t b = 0; lengths && b < r->batch; b++) {
        int32_t length = ((const int32_t *)lengths->data)[b];

        if (length < 0 || length > r->steps)
            return call_error(c, e, STATUS_INVALID, "a sequence of %d steps of %lld", length, (long long)r->steps);
    }
    run.projected = c->scratch;
    run.u = run.projected + r->steps * r->batch * r->gates;
    run.last = run.u + r->batch * r->gates;
    run.h = run.last + r->batch * r->hidden;
    run.cell = run.h + r->batch * r->hidden;
    run.early = run.cell + r->batch * r->hidden;
    if (!packed) {
        float *to = run.early + r->gates;

        pack_weights(c->op->kind, c->in[1]->data, c->in[2]->data, (size_t)r->width, (size_t)r->hidden,
                     (size_t)r->directions, to);
        packed = to;
    }
    /* What lies behind the end of a sequence is zero. */
    if (call_out(c, 0) && lengths)
        memset(c->out[0]->data, 0, (size_t)tensor_count(c->out[0]) * sizeof(float));
    for (run.d = 0; run.d < r->directions; run.d++) {
        run.weights = packed + (size_t)run.d * run.pack.floats;
        run.bias = bias ? (const float *)bias->data + run.d * 2 * r->gates : NULL;
        run.peepholes = peepholes ? (const float *)peepholes->data + run.d * 3 * r->hidden : NULL;
        run.last_bias = run.bias ? run.bias + r->gates + 2 * r->hidden : run.early;
        run.usual = is_usual(&run);
        if (!run.bias)
            memset(run.early, 0, (size_t)r->gates * sizeof(float));
        project(&run);
        load_state(&run, call_in(c, 5), run.h);
        load_state(&run, call_in(c, 6), run.cell);
        for (int64_t s = 0; s < r->steps; s++)
            step(&run, s);
        store_state(&run, run.h, call_out(c, 1));
        store_state(&run, run.cell, call_out(c, 2));
    }
    return STATUS_OK;
}

#define ENTRY(op_name, op_kind, most_in, most_out)                                                                     \
    {                                                                                                                  \
        .name = op_name, .since = 7, .min_in = 3, .max_in = most_in, .min_out = 0, .max_out = most_out,                \
        .kind = op_kind, .state_bytes = sizeof(struct recurrent_state), .infer = recurrent_infer,                      \
        .run = recurrent_run, .prepare = recurrent_prepare                                                             \
    }

static const struct op recurrent_ops[] = {
    ENTRY("RNN", RECURRENT_RNN, 6, 2),
    ENTRY("GRU", RECURRENT_GRU, 6, 2),
    ENTRY("LSTM", RECURRENT_LSTM, 8, 3),
};

const struct op_group ops_recurrent = {recurrent_ops, sizeof(recurrent_ops) / sizeof(recurrent_ops[0])};
