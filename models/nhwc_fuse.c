/* Operations that disappear into others. */
#include <stdlib.h>
#include <string.h>

#include "models/nhwc_plan.h"

/* Whether op reads v. */
static bool reads(const struct nhwc_op *op, size_t v)
{
    return !op->removed && (op->in[0] == v || op->in[1] == v);
}

/* Who reads and makes what: counted once, then kept. */
static void count(struct nhwc_plan *p)
{
    for (size_t i = 0; i < p->n_values; i++) {
        p->values[i].n_reads = 0;
        p->values[i].maker = NHWC_NONE;
    }
    for (size_t i = 0; i < p->n_ops; i++) {
        const struct nhwc_op *op = &p->ops[i];

        for (size_t k = 0; k < 2 && !op->removed; k++) {
            if (op->in[k] != NHWC_NONE)
                p->values[op->in[k]].n_reads++;
        }
        /* A concatenation has several. */
        if (!op->removed && op->out != NHWC_NONE)
            p->values[op->out].maker = op->kind == NHWC_COPY ? NHWC_NONE : i;
    }
}

/* `later` disappears, and `earlier` makes its output. */
static void absorb(struct nhwc_plan *p, size_t earlier, size_t later)
{
    struct nhwc_op *op = &p->ops[earlier];

    op->activation = p->ops[later].activation;
    op->out = p->ops[later].out;
    p->values[op->out].maker = earlier;
    p->ops[later].removed = true;
}

static bool is_inner(const struct nhwc_plan *p, size_t v)
{
    return p->values[v].n_reads == 1 && !p->values[v].exported;
}

/* An activation alone, after an operation that takes one. */
static void fuse_activation(struct nhwc_plan *p, size_t index)
{
    struct nhwc_op *op = &p->ops[index], *before;
    size_t at;

    if (op->kind != NHWC_AFFINE || op->scale || op->shift || !is_inner(p, op->in[0]) || p->values[op->in[0]].integer ||
        p->values[op->out].integer)
        return;
    at = p->values[op->in[0]].maker;
    if (at == NHWC_NONE)
        return;
    before = &p->ops[at];
    if (before->kind != NHWC_CONV && before->kind != NHWC_ADD && before->kind != NHWC_MULTIPLY &&
        before->kind != NHWC_AFFINE)
        return;
    if (before->activation.kind != ACTIVATION_NONE)
        return;
    absorb(p, at, index);
}

/* From floats to bytes, right after an operation that can leave bytes. */
static void fuse_quantize(struct nhwc_plan *p, size_t index)
{
    struct nhwc_op *op = &p->ops[index], *before;
    size_t at = p->values[op->in[0]].maker;

    if (at == NHWC_NONE || !p->values[op->out].integer || p->values[op->in[0]].integer || !is_inner(p, op->in[0]))
        return;
    before = &p->ops[at];
    if (before->kind != NHWC_ADD && before->kind != NHWC_MULTIPLY && before->kind != NHWC_AFFINE)
        return;
    before->out_code = op->out_code;
    before->out = op->out;
    p->values[op->out].maker = at;
    op->removed = true;
}

/* From bytes to floats, right before operations that can read bytes. */
static void fuse_dequantize(struct nhwc_plan *p, size_t index)
{
    struct nhwc_op *op = &p->ops[index];
    struct nhwc_value *v = &p->values[op->out];

    if (!p->values[op->in[0]].integer || v->integer || v->exported || op->activation.kind != ACTIVATION_NONE)
        return;
    for (size_t i = index + 1; i < p->n_ops; i++) {
        struct nhwc_op *reader = &p->ops[i];

        if (reader->removed ||
            (reader->kind != NHWC_ADD && reader->kind != NHWC_MULTIPLY && reader->kind != NHWC_AFFINE))
            continue;
        for (size_t k = 0; k < 2; k++) {
            if (reader->in[k] != op->out)
                continue;
            reader->in[k] = op->in[0];
            reader->in_code[k] = op->in_code[0];
            p->values[op->in[0]].n_reads++;
            v->n_reads--;
        }
    }
    if (v->n_reads > 0)
        return;
    op->removed = true;
    p->values[op->in[0]].n_reads--;
}

static void fuse_bytes(struct nhwc_plan *p)
{
    for (size_t i = 0; i < p->n_ops; i++) {
        const struct nhwc_op *op = &p->ops[i];

        if (op->removed || op->kind != NHWC_AFFINE || op->scale || op->shift || op->activation.kind != ACTIVATION_NONE)
            continue;
        fuse_quantize(p, i);
    }
    for (size_t i = 0; i < p->n_ops; i++) {
        const struct nhwc_op *op = &p->ops[i];

        if (!op->removed && op->kind == NHWC_AFFINE && !op->scale && !op->shift)
            fuse_dequantize(p, i);
    }
}

/* add = conv + other, where other is not needed any more when the convolution has run: the convolution adds onto
 * other's memory. */
static bool fuse_sum(struct nhwc_plan *p, size_t index, unsigned side)
{
    struct nhwc_op *add = &p->ops[index], *conv;
    size_t other = add->in[1 - side], at = p->values[add->in[side]].maker;
    const struct nhwc_value *v = &p->values[other], *y = &p->values[add->out];

    if (at == NHWC_NONE || other == add->in[side] || !is_inner(p, add->in[side]))
        return false;
    conv = &p->ops[at];
    if (conv->kind != NHWC_CONV || conv->adds || conv->activation.kind != ACTIVATION_NONE || v->bf16 != y->bf16 ||
        v->integer || y->integer || v->pixels != y->pixels || v->channels != y->channels || v->batch != y->batch)
        return false;
    for (size_t i = 0; i < p->n_ops; i++) {
        const struct nhwc_op *op = &p->ops[i];

        /* Made and read before, but for the sum itself. */
        if (!op->removed && op->out == other && i >= at)
            return false;
        if (i != index && i >= at && reads(op, other))
            return false;
    }
    conv->adds = true;
    conv->in[1] = other;
    absorb(p, at, index);
    return true;
}

/* Every copy into `to`, in order, is the same as into `from`, as far as `from` goes: `from` is copied as a whole. */
static bool extends(const struct nhwc_plan *p, size_t to, size_t from)
{
    size_t i = 0, k = 0;
    bool any = false;

    for (;;) {
        while (i < p->n_ops && (p->ops[i].removed || p->ops[i].kind != NHWC_COPY || p->ops[i].out != from))
            i++;
        while (k < p->n_ops && (p->ops[k].removed || p->ops[k].kind != NHWC_COPY || p->ops[k].out != to))
            k++;
        if (i == p->n_ops)
            return any && k < p->n_ops;
        if (k == p->n_ops || p->ops[k].in[0] != p->ops[i].in[0])
            return false;
        any = true;
        i++;
        k++;
    }
}

static void reuse_prefix(struct nhwc_plan *p, size_t to, size_t from)
{
    bool first = true;

    for (size_t k = 0; k < p->n_ops; k++) {
        struct nhwc_op *op = &p->ops[k];

        if (op->removed || op->kind != NHWC_COPY || op->out != to || op->first_channel >= p->values[from].channels)
            continue;
        if (first)
            op->in[0] = from;
        else
            op->removed = true;
        first = false;
    }
}

/* Whether a value may be some channels of another one: what makes it and reads it goes by pixels with a stride. */
static bool may_be_part(const struct nhwc_plan *p, size_t v, size_t copy)
{
    const struct nhwc_value *x = &p->values[v];

    if (x->parent != NHWC_NONE || x->exported)
        return false;
    for (size_t i = 0; i < p->n_ops; i++) {
        const struct nhwc_op *op = &p->ops[i];

        if (op->removed)
            continue;
        if (op->out == v && (op->kind == NHWC_CONV || op->kind == NHWC_BYTES))
            return false;
        if (i != copy && reads(op, v) && (op->kind == NHWC_CONV || op->kind == NHWC_BYTES))
            return false;
        /* Two places at once are one too many. */
        if (op->kind == NHWC_COPY && i != copy && reads(op, v))
            return false;
    }
    return true;
}

static void place_part(struct nhwc_plan *p, size_t copy)
{
    struct nhwc_op *op = &p->ops[copy];
    struct nhwc_value *x = &p->values[op->in[0]];

    if (x->bf16 != p->values[op->out].bf16 || !may_be_part(p, op->in[0], copy))
        return;
    x->parent = op->out;
    x->first_channel = op->first_channel;
    op->removed = true;
}

static void fuse_concatenations(struct nhwc_plan *p)
{
    size_t before = NHWC_NONE;

    /* Each concatenation against the one before it that it repeats (DenseNet). */
    for (size_t i = 0; i < p->n_ops; i++) {
        size_t to = p->ops[i].out;

        if (p->ops[i].removed || p->ops[i].kind != NHWC_COPY || to == before)
            continue;
        if (before != NHWC_NONE && extends(p, to, before))
            reuse_prefix(p, to, before);
        before = to;
    }
    for (size_t i = 0; i < p->n_ops; i++) {
        if (!p->ops[i].removed && p->ops[i].kind == NHWC_COPY)
            place_part(p, i);
    }
}

void nhwc_fuse(struct nhwc_plan *p)
{
    count(p);
    for (size_t i = 0; i < p->n_ops; i++) {
        if (!p->ops[i].removed)
            fuse_activation(p, i);
    }
    fuse_bytes(p);
    for (size_t i = 0; i < p->n_ops; i++) {
        const struct nhwc_op *op = &p->ops[i];
        size_t a, b;
        bool a_last;

        if (op->removed || op->kind != NHWC_ADD)
            continue;
        /* The later of two convolutions finds the other's result there. */
        a = p->values[op->in[0]].maker;
        b = p->values[op->in[1]].maker;
        a_last = b == NHWC_NONE || (a != NHWC_NONE && a > b);
        if (!fuse_sum(p, i, a_last ? 0 : 1))
            (void)fuse_sum(p, i, a_last ? 1 : 0);
    }
    fuse_concatenations(p);
    count(p);
}
