/* Einsum: sums of products over labelled dimensions, with diagonals (a label twice in one term), broadcasting ("...")
 * and any number of operands, which are joined from left to right: a label is summed away as soon as neither the output
 * nor a later operand has it. */
#include <string.h>

#include "models/op.h"

enum {
    MAX_OPERANDS = 16,
    LETTERS = 52,
    LABELS = LETTERS + TENSOR_MAX_RANK, /* the last ones are the dimensions of "...", aligned at the end */
};

/* Products that a call may compute, all steps together. */
#define MAX_PRODUCTS ((uint64_t)1 << 48)

struct term {
    unsigned n;
    unsigned char labels[TENSOR_MAX_RANK];
};

struct einsum_state {
    unsigned n_terms;
    struct term terms[MAX_OPERANDS], output;
    int64_t sizes[LABELS]; /* 0 = a label that no operand has */
    bool whole[LABELS];    /* has a size: sizes may be 0 */
    size_t buffer_values;  /* of one of two buffers between steps */
};

/* A dense tensor of labelled dimensions, in a step. */
struct operand {
    const void *data;
    int64_t strides[LABELS]; /* 0 where it repeats or has no such label */
    bool has[LABELS];
};

static int label_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    return letter >= 'a' && letter <= 'z' ? 26 + letter - 'a' : -1;
}

/* One term of the equation, up to a comma, an arrow or the end. rank: of its operand; for the output the number of
 * dimensions that "..." stands for is `dots`. */
static enum status parse_term(const struct call *c, const char **at, int rank, unsigned dots, struct term *ret_t,
                              struct error *e)
{
    struct term t = {0};
    unsigned letters = 0;
    bool dotted = false;

    for (const char *p = *at; *p != '\0' && *p != ',' && *p != '-'; p++)
        letters += label_of(*p) >= 0;
    if (rank >= 0)
        dots = (unsigned)rank >= letters ? (unsigned)rank - letters : 0;
    for (; **at != '\0' && **at != ',' && **at != '-'; (*at)++) {
        int label = label_of(**at);

        if (**at == ' ')
            continue;
        if (label < 0 && (dotted || strncmp(*at, "...", 3) != 0))
            return call_error(c, e, STATUS_INVALID, "the equation has a stray '%c'", **at);
        for (unsigned i = 0; label < 0 && i < dots; i++) {
            if (t.n == TENSOR_MAX_RANK)
                return call_error(c, e, STATUS_UNSUPPORTED, "a term of more than %d dimensions", TENSOR_MAX_RANK);
            t.labels[t.n++] = (unsigned char)(LABELS - dots + i);
        }
        if (label < 0) {
            dotted = true;
            *at += 2;
            continue;
        }
        if (t.n == TENSOR_MAX_RANK)
            return call_error(c, e, STATUS_UNSUPPORTED, "a term of more than %d dimensions", TENSOR_MAX_RANK);
        t.labels[t.n++] = (unsigned char)label;
    }
    if (rank >= 0 && t.n != (unsigned)rank)
        return call_error(c, e, STATUS_INVALID, "a term of %u labels for an operand of rank %d", t.n, rank);
    *ret_t = t;
    return STATUS_OK;
}

/* Sizes of labels; 1 gives way to more in another operand. */
static enum status take_sizes(const struct call *c, struct einsum_state *state, size_t operand, struct error *e)
{
    const struct term *t = &state->terms[operand];

    for (unsigned d = 0; d < t->n; d++) {
        int64_t size = c->in[operand]->shape.dims[d], *known = &state->sizes[t->labels[d]];
        bool *whole = &state->whole[t->labels[d]];

        for (unsigned k = 0; k < d; k++) {
            if (t->labels[k] == t->labels[d] && c->in[operand]->shape.dims[k] != size)
                return call_error(c, e, STATUS_INVALID, "a diagonal of %lld and %lld",
                                  (long long)c->in[operand]->shape.dims[k], (long long)size);
        }
        if (*whole && *known != size && *known != 1 && size != 1)
            return call_error(c, e, STATUS_INVALID, "a label of %lld and %lld", (long long)*known, (long long)size);
        if (!*whole || *known == 1)
            *known = size;
        *whole = true;
    }
    return STATUS_OK;
}

/* Without "->": what "..." stands for, then the letters that occur once, in their order. */
static enum status implicit_output(const struct call *c, struct einsum_state *state, struct error *e)
{
    unsigned uses[LABELS] = {0};
    struct term *out = &state->output;

    for (unsigned i = 0; i < state->n_terms; i++) {
        for (unsigned d = 0; d < state->terms[i].n; d++)
            uses[state->terms[i].labels[d]]++;
    }
    for (unsigned k = 0; k < LABELS; k++) {
        unsigned label = (k + LETTERS) % LABELS;

        if (uses[label] == 0 || (label < LETTERS && uses[label] != 1))
            continue;
        if (out->n == TENSOR_MAX_RANK)
            return call_error(c, e, STATUS_UNSUPPORTED, "a result of more than %d dimensions", TENSOR_MAX_RANK);
        out->labels[out->n++] = (unsigned char)label;
    }
    return STATUS_OK;
}

static enum status parse(const struct call *c, struct einsum_state *state, struct error *e)
{
    const char *at = call_string(c, "equation", "");
    unsigned dots = 0;
    enum status s = STATUS_OK;

    if (c->n_in > MAX_OPERANDS)
        return call_error(c, e, STATUS_UNSUPPORTED, "%zu operands, at most %d are supported", c->n_in, MAX_OPERANDS);
    for (size_t i = 0; i < c->n_in && s == STATUS_OK; i++) {
        if (!c->in[i] || c->in[i]->type != c->in[0]->type)
            return call_error(c, e, STATUS_INVALID, "operand %zu is absent or of another type", i);
        s = parse_term(c, &at, (int)c->in[i]->shape.rank, 0, &state->terms[i], e);
        if (s == STATUS_OK)
            s = take_sizes(c, state, i, e);
        if (s == STATUS_OK && (i + 1 < c->n_in) != (*at == ','))
            s = call_error(c, e, STATUS_INVALID, "the equation does not have %zu terms", c->n_in);
        at += *at == ',';
    }
    state->n_terms = (unsigned)c->n_in;
    while (dots < TENSOR_MAX_RANK && state->whole[LABELS - 1 - dots])
        dots++;
    if (s != STATUS_OK)
        return s;
    if (*at == '\0')
        return implicit_output(c, state, e);
    if (strncmp(at, "->", 2) != 0)
        return call_error(c, e, STATUS_INVALID, "the equation has a stray '%c'", *at);
    at += 2;
    s = parse_term(c, &at, -1, dots, &state->output, e);
    if (s == STATUS_OK && *at != '\0')
        s = call_error(c, e, STATUS_INVALID, "the equation has a stray '%c'", *at);
    for (unsigned i = 0; s == STATUS_OK && i < state->output.n; i++) {
        unsigned label = state->output.labels[i];

        if (!state->whole[label] || memchr(state->output.labels, (int)label, i))
            s = call_error(c, e, STATUS_INVALID, "the result names a label twice or one that no term has");
    }
    return s;
}

static struct operand operand_of(const struct einsum_state *state, const struct call *c, size_t index, const void *data)
{
    const struct term *t = &state->terms[index];
    struct operand o = {.data = data};
    int64_t stride = 1;

    for (unsigned d = t->n; d-- > 0;) {
        int64_t size = c->in[index]->shape.dims[d];

        /* Twice in a term: the diagonal, whose stride is the sum. */
        o.strides[t->labels[d]] += size == 1 ? 0 : stride;
        o.has[t->labels[d]] = true;
        stride *= size;
    }
    return o;
}

/* Which labels the result of joining operands up to `last` keeps, in order: the output's, or all that are still needed. */
static unsigned kept_labels(const struct einsum_state *state, const struct operand *a, const struct operand *b,
                            unsigned last, unsigned char labels[LABELS])
{
    unsigned n = 0;

    if (last + 1 == state->n_terms) {
        memcpy(labels, state->output.labels, state->output.n);
        return state->output.n;
    }
    for (unsigned label = 0; label < LABELS; label++) {
        bool needed = memchr(state->output.labels, (int)label, state->output.n) != NULL;

        if (!a->has[label] && !(b && b->has[label]))
            continue;
        for (unsigned i = last + 1; i < state->n_terms && !needed; i++)
            needed = memchr(state->terms[i].labels, (int)label, state->terms[i].n) != NULL;
        if (needed)
            labels[n++] = (unsigned char)label;
    }
    return n;
}

/* The loops of one step: over what is kept, and inside it over what is summed. */
struct step_loops {
    unsigned n_kept, n_summed;
    unsigned char labels[LABELS];
    int64_t kept[LABELS], summed[LABELS];
    int64_t kept_a[LABELS], kept_b[LABELS], summed_a[LABELS], summed_b[LABELS];
};

static void plan_step(const struct einsum_state *state, const struct operand *a, const struct operand *b, unsigned last,
                      struct step_loops *ret_l)
{
    struct step_loops l = {0};
    bool is_kept[LABELS] = {0};

    l.n_kept = kept_labels(state, a, b, last, l.labels);
    for (unsigned i = 0; i < l.n_kept; i++) {
        unsigned label = l.labels[i];

        is_kept[label] = true;
        l.kept[i] = state->sizes[label];
        l.kept_a[i] = a->strides[label];
        l.kept_b[i] = b ? b->strides[label] : 0;
    }
    for (unsigned label = 0; label < LABELS; label++) {
        if (is_kept[label] || (!a->has[label] && !(b && b->has[label])))
            continue;
        l.summed[l.n_summed] = state->sizes[label];
        l.summed_a[l.n_summed] = a->strides[label];
        l.summed_b[l.n_summed++] = b ? b->strides[label] : 0;
    }
    *ret_l = l;
}

/* What a step gives: its kept labels, dense. */
static struct operand result_of(const struct step_loops *l, const void *data)
{
    struct operand o = {.data = data};
    int64_t stride = 1;

    for (unsigned k = l->n_kept; k-- > 0;) {
        o.has[l->labels[k]] = true;
        o.strides[l->labels[k]] = l->kept[k] == 1 ? 0 : stride;
        stride *= l->kept[k];
    }
    return o;
}

/* Counts products and buffers of all steps. */
static enum status plan_steps(struct call *c, struct einsum_state *state, struct error *e)
{
    struct operand a = operand_of(state, c, 0, NULL);
    uint64_t products = 0;

    for (unsigned i = state->n_terms == 1 ? 0 : 1; i < state->n_terms; i++) {
        struct operand b = operand_of(state, c, i, NULL);
        struct step_loops l;
        uint64_t count = 1, sums = 1;

        plan_step(state, &a, i > 0 ? &b : NULL, i, &l);
        /* Zeros are set aside, as in tensor_shape_bytes: strides are products of the rest. */
        for (unsigned k = 0; k < l.n_kept; k++) {
            uint64_t size = l.kept[k] > 0 ? (uint64_t)l.kept[k] : 1;

            if (count > (uint64_t)TENSOR_MAX_BYTES / size)
                return call_error(c, e, STATUS_INVALID, "a step between is too large");
            count *= size;
        }
        for (unsigned k = 0; k < l.n_summed; k++) {
            uint64_t size = l.summed[k] > 0 ? (uint64_t)l.summed[k] : 1;

            if (sums > MAX_PRODUCTS / size)
                return call_error(c, e, STATUS_INVALID, "the sums are too long");
            sums *= size;
        }
        if (sums > (MAX_PRODUCTS - products) / count)
            return call_error(c, e, STATUS_INVALID, "more than %llu products", (unsigned long long)MAX_PRODUCTS);
        products += count * sums;
        if (i + 1 < state->n_terms && count > state->buffer_values)
            state->buffer_values = count;
        a = result_of(&l, NULL);
    }
    c->flops = 2 * products;
    return STATUS_OK;
}

static bool is_integer(const struct call *c)
{
    return !(TYPE_BIT(c->in[0]->type) & TYPES_FLOAT);
}

static enum status einsum_infer(struct call *c, struct error *e)
{
    struct einsum_state *state = c->state;
    size_t unit = c->in[0] && c->in[0]->type == TENSOR_F32 ? sizeof(float) : sizeof(double), values = 0;
    enum status s = call_type(c, 0, TYPES_NUMBER, e);

    if (s == STATUS_OK)
        s = parse(c, state, e);
    if (s == STATUS_OK)
        s = plan_steps(c, state, e);
    if (s != STATUS_OK)
        return s;
    c->out[0]->type = c->in[0]->type;
    c->out[0]->shape.rank = state->output.n;
    for (unsigned d = 0; d < state->output.n; d++)
        c->out[0]->shape.dims[d] = state->sizes[state->output.labels[d]];
    /* Integers are computed as 64-bit copies, the result too. */
    for (size_t i = 0; i < c->n_in && is_integer(c); i++)
        values += (size_t)tensor_count(c->in[i]);
    if (is_integer(c) && tensor_shape_bytes(&c->out[0]->shape, TENSOR_I64, &(size_t){0}))
        values += (size_t)tensor_count(c->out[0]);
    c->scratch_bytes = (values + 2 * state->buffer_values) * unit;
    return STATUS_OK;
}

static bool next(unsigned n, const int64_t *dims, const int64_t *a_strides, const int64_t *b_strides, int64_t *index,
                 int64_t *a, int64_t *b)
{
    for (unsigned d = n; d-- > 0;) {
        *a += a_strides[d];
        *b += b_strides[d];
        if (++index[d] < dims[d])
            return true;
        *a -= a_strides[d] * dims[d];
        *b -= b_strides[d] * dims[d];
        index[d] = 0;
    }
    return false;
}

/* The innermost sum stands alone, so that the compiler sees it. b NULL: sums of a alone. */
#define DEFINE_JOIN(name, type, wide)                                                                                  \
    static void name(const struct step_loops *l, const type *a, const type *b, type *to)                               \
    {                                                                                                                  \
        unsigned outer = l->n_summed > 0 ? l->n_summed - 1 : 0;                                                        \
        int64_t n = l->n_summed > 0 ? l->summed[outer] : 1, step_a = l->n_summed > 0 ? l->summed_a[outer] : 0;         \
        int64_t step_b = l->n_summed > 0 ? l->summed_b[outer] : 0, at_a = 0, at_b = 0;                                 \
        int64_t index[LABELS] = {0};                                                                                   \
                                                                                                                       \
        do {                                                                                                           \
            int64_t inner[LABELS] = {0}, from_a = at_a, from_b = at_b;                                                 \
            wide sum = 0;                                                                                              \
                                                                                                                       \
            do {                                                                                                       \
                for (int64_t i = 0; i < n; i++)                                                                        \
                    sum += b ? (wide)a[from_a + i * step_a] * (wide)b[from_b + i * step_b]                             \
                             : (wide)a[from_a + i * step_a];                                                           \
            } while (next(outer, l->summed, l->summed_a, l->summed_b, inner, &from_a, &from_b));                       \
            *to++ = (type)sum;                                                                                         \
        } while (next(l->n_kept, l->kept, l->kept_a, l->kept_b, index, &at_a, &at_b));                                 \
    }

DEFINE_JOIN(join_f32, float, double)
DEFINE_JOIN(join_f64, double, double)
DEFINE_JOIN(join_i64, int64_t, uint64_t)

static void join(enum tensor_type type, const struct step_loops *l, const void *a, const void *b, void *to)
{
    int64_t values = 1, sums = 1;
    size_t unit = type == TENSOR_F32 ? sizeof(float) : sizeof(double);

    for (unsigned i = 0; i < l->n_kept; i++)
        values *= l->kept[i];
    for (unsigned i = 0; i < l->n_summed; i++)
        sums = l->summed[i] == 0 ? 0 : sums;
    if (values == 0)
        return;
    if (sums == 0)
        memset(to, 0, (size_t)values * unit);
    else if (type == TENSOR_F32)
        join_f32(l, a, b, to);
    else if (type == TENSOR_F64)
        join_f64(l, a, b, to);
    else
        join_i64(l, a, b, to);
}

/* Integer operands as int64, one behind the other. */
static void widen(const struct call *c, int64_t *to, const void *ret_data[MAX_OPERANDS])
{
    for (size_t i = 0; i < c->n_in; i++) {
        ret_data[i] = to;
        for (int64_t k = 0; k < tensor_count(c->in[i]); k++)
            *to++ = tensor_integer(c->in[i], k);
    }
}

static enum status einsum_run(struct call *c, struct error *e)
{
    const struct einsum_state *state = c->state;
    enum tensor_type type = is_integer(c) ? TENSOR_I64 : c->in[0]->type;
    size_t unit = tensor_type_bytes(type);
    const void *data[MAX_OPERANDS] = {0};
    char *buffers[2] = {c->scratch, (char *)c->scratch + state->buffer_values * unit};
    int64_t *wide = (int64_t *)(void *)(buffers[1] + state->buffer_values * unit), *result = NULL;
    struct operand a;

    (void)e;
    for (size_t i = 0; i < c->n_in; i++)
        data[i] = c->in[i]->data;
    if (is_integer(c)) {
        result = wide;
        widen(c, wide + tensor_count(c->out[0]), data);
    }
    a = operand_of(state, c, 0, data[0]);
    for (unsigned i = state->n_terms == 1 ? 0 : 1; i < state->n_terms; i++) {
        struct operand b = operand_of(state, c, i, data[i]);
        void *to = i + 1 < state->n_terms ? buffers[i % 2] : result ? (void *)result : c->out[0]->data;
        struct step_loops l;

        plan_step(state, &a, i > 0 ? &b : NULL, i, &l);
        join(type, &l, a.data, i > 0 ? b.data : NULL, to);
        a = result_of(&l, to);
    }
    for (int64_t i = 0; result && i < tensor_count(c->out[0]); i++)
        tensor_set_integer(c->out[0], i, result[i]);
    return STATUS_OK;
}

static const struct op einsum_ops[] = {
    {.name = "Einsum",
     .since = 12,
     .min_in = 1,
     .max_in = MAX_OPERANDS,
     .min_out = 1,
     .max_out = 1,
     .state_bytes = sizeof(struct einsum_state),
     .infer = einsum_infer,
     .run = einsum_run},
};

const struct op_group ops_einsum = {einsum_ops, sizeof(einsum_ops) / sizeof(einsum_ops[0])};
