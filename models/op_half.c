/* How a call is inferred and run, 16-bit floats included: an operator that does not know them is shown float32 copies
 * of such inputs, and what it gives as float32 is rounded to their type when it is stored. */
#include "models/half.h"
#include "models/op.h"

static size_t aligned(size_t bytes)
{
    return (bytes / TENSOR_ALIGN_BYTES + 1) * TENSOR_ALIGN_BYTES; /* never 0: there is scratch to point into */
}

/* The type that results are rounded to: that of the first 16-bit input. */
static enum tensor_type half_of(const struct call *c)
{
    if (c->op->flags & OP_BYTES)
        return 0;
    for (size_t i = 0; i < c->n_in; i++) {
        if (c->in[i] && half_type(c->in[i]->type))
            return c->in[i]->type;
    }
    return 0;
}

/* Puts the float32 view into c->in and c->out, or the real tensors back. */
static void exchange(struct call *c)
{
    for (size_t i = 0; i < c->n_in; i++) {
        struct tensor *t = c->in[i];

        c->in[i] = c->wide[i];
        c->wide[i] = t;
    }
    for (size_t i = 0; i < c->n_out; i++) {
        struct tensor *t = c->out[i];

        c->out[i] = c->wide[c->n_in + i];
        c->wide[c->n_in + i] = t;
    }
}

static bool is_wide(const struct tensor *real, const struct tensor *wide)
{
    return real && half_type(real->type) && wide->type == TENSOR_F32;
}

/* Bytes of the float32 copies that a call needs, behind the operator's own scratch. */
static bool wide_bytes(const struct call *c, size_t *ret_bytes)
{
    size_t total = aligned(c->own_scratch_bytes);

    for (size_t i = 0; i < c->n_in + c->n_out; i++) {
        const struct tensor *real = i < c->n_in ? c->in[i] : c->out[i - c->n_in];
        size_t bytes;

        if (!is_wide(real, &c->wide_tensors[i]))
            continue;
        if (!tensor_shape_bytes(&real->shape, TENSOR_F32, &bytes) || total > (size_t)TENSOR_MAX_BYTES)
            return false;
        total += aligned(bytes);
    }
    *ret_bytes = total;
    return true;
}

static enum status infer_wide(struct call *c, struct error *e)
{
    enum status s;

    for (size_t i = 0; i < c->n_in; i++) {
        c->wide[i] = c->in[i] ? &c->wide_tensors[i] : NULL;
        if (!c->in[i])
            continue;
        c->wide_tensors[i] = *c->in[i];
        if (half_type(c->in[i]->type)) {
            c->wide_tensors[i].type = TENSOR_F32;
            c->wide_tensors[i].data = NULL; /* its value is there in run alone */
        }
    }
    for (size_t i = 0; i < c->n_out; i++) {
        c->wide_tensors[c->n_in + i] = (struct tensor){0};
        c->wide[c->n_in + i] = c->out[i] ? &c->wide_tensors[c->n_in + i] : NULL;
    }
    exchange(c);
    s = c->op->infer(c, e);
    exchange(c);
    if (s != STATUS_OK)
        return s;
    for (size_t i = 0; i < c->n_out; i++) {
        const struct tensor *wide = &c->wide_tensors[c->n_in + i];

        if (!c->out[i])
            continue;
        c->out[i]->type = wide->type == TENSOR_F32 ? c->half : wide->type;
        c->out[i]->shape = wide->shape;
    }
    c->own_scratch_bytes = c->scratch_bytes;
    if (c->scratch_bytes > (size_t)TENSOR_MAX_BYTES || !wide_bytes(c, &c->scratch_bytes))
        return call_error(c, e, STATUS_INVALID, "its float32 copies need more than %lld bytes",
                          (long long)TENSOR_MAX_BYTES);
    return STATUS_OK;
}

enum status call_infer(struct call *c, struct error *e)
{
    enum status s;

    c->half = half_of(c);
    s = c->half ? infer_wide(c, e) : c->op->infer(c, e);
    for (size_t i = 0; s == STATUS_OK && i < c->n_out; i++) {
        char text[TENSOR_SHAPE_TEXT_BYTES];
        size_t bytes;

        if (c->out[i] && !tensor_shape_bytes(&c->out[i]->shape, c->out[i]->type, &bytes))
            s = call_error(c, e, STATUS_INVALID, "output %zu would be %s of %s, beyond %lld bytes", i,
                           tensor_shape_text(&c->out[i]->shape, text), tensor_type_name(c->out[i]->type),
                           (long long)TENSOR_MAX_BYTES);
    }
    if (s == STATUS_OK && c->scratch_bytes > (size_t)TENSOR_MAX_BYTES)
        s = call_error(c, e, STATUS_INVALID, "needs %zu bytes of scratch, beyond %lld", c->scratch_bytes,
                       (long long)TENSOR_MAX_BYTES);
    return s;
}

/* Every input is widened before anything is stored: an output may share an input's memory. */
enum status call_run(struct call *c, struct error *e)
{
    enum status s;
    char *at;

    if (!c->half)
        return c->op->run(c, e);
    at = (char *)c->scratch + aligned(c->own_scratch_bytes);
    for (size_t i = 0; i < c->n_in + c->n_out; i++) {
        struct tensor *real = i < c->n_in ? c->in[i] : c->out[i - c->n_in], *wide = &c->wide_tensors[i];

        if (!real)
            continue;
        wide->data = real->data;
        if (!is_wide(real, wide))
            continue;
        wide->data = at;
        at += aligned((size_t)tensor_count(real) * sizeof(float));
        if (i < c->n_in)
            half_widen(real->type, real->data, wide->data, tensor_count(real));
    }
    exchange(c);
    s = c->op->run(c, e);
    exchange(c);
    for (size_t i = 0; s == STATUS_OK && i < c->n_out; i++) {
        const struct tensor *wide = &c->wide_tensors[c->n_in + i];

        if (is_wide(c->out[i], wide))
            half_narrow(c->half, wide->data, c->out[i]->data, tensor_count(wide));
    }
    return s;
}
