/* Operators on the bits of integers: BitShift, BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot. */
#include <string.h>

#include "models/broadcast.h"

enum bits_kind { BITS_SHIFT, BITS_AND, BITS_OR, BITS_XOR, BITS_NOT };

struct bits_state {
    struct broadcast walk;
    bool left;
};

static enum status bits_infer(struct call *c, struct error *e)
{
    struct bits_state *state = c->state;
    const struct tensor_shape *operands[2] = {&c->in[0]->shape, &c->in[c->n_in - 1]->shape};
    const char *direction = call_string(c, "direction", "");
    enum status s = call_type(c, 0, c->op->kind == BITS_SHIFT ? TYPES_UNSIGNED : TYPES_INTEGER, e);

    if (s != STATUS_OK)
        return s;
    if (c->in[0]->type != c->in[c->n_in - 1]->type || !broadcast_shape(operands[0], operands[1], &c->out[0]->shape))
        return call_error(c, e, STATUS_INVALID, "the inputs differ in type or do not broadcast");
    if (c->op->kind == BITS_SHIFT && strcmp(direction, "LEFT") != 0 && strcmp(direction, "RIGHT") != 0)
        return call_error(c, e, STATUS_INVALID, "direction is '%.40s'", direction);
    state->left = strcmp(direction, "LEFT") == 0;
    c->out[0]->type = c->in[0]->type;
    broadcast_plan(&c->out[0]->shape, operands, 2, &state->walk);
    return STATUS_OK;
}

static uint64_t combine(const struct call *c, uint64_t a, uint64_t b)
{
    const struct bits_state *state = c->state;
    size_t width = 8 * tensor_type_bytes(c->in[0]->type);

    switch ((enum bits_kind)c->op->kind) {
    case BITS_SHIFT:
        /* A shift by the whole width or more leaves nothing. */
        return b >= width ? 0 : state->left ? a << b : a >> b;
    case BITS_AND:
        return a & b;
    case BITS_OR:
        return a | b;
    case BITS_XOR:
        return a ^ b;
    case BITS_NOT:
        return ~a;
    }
    return 0;
}

static enum status bits_run(struct call *c, struct error *e)
{
    const struct bits_state *state = c->state;
    const struct tensor *x = c->in[0], *y = c->in[c->n_in - 1];
    struct broadcast_walk w;

    (void)e;
    for (broadcast_begin(&w, &state->walk); w.more; broadcast_next(&w)) {
        for (int64_t i = 0; i < w.n; i++) {
            uint64_t a = (uint64_t)tensor_integer(x, w.at[0] + i * w.step[0]);
            uint64_t b = (uint64_t)tensor_integer(y, w.at[1] + i * w.step[1]);

            tensor_set_integer(c->out[0], w.out + i, (int64_t)combine(c, a, b));
        }
    }
    return STATUS_OK;
}

#define BITS(op_name, first_opset, inputs, op_kind)                                                                    \
    {                                                                                                                  \
        .name = op_name, .since = first_opset, .min_in = inputs, .max_in = inputs, .min_out = 1, .max_out = 1,         \
        .kind = op_kind, .state_bytes = sizeof(struct bits_state), .infer = bits_infer, .run = bits_run                \
    }

static const struct op bits_ops[] = {
    BITS("BitShift", 11, 2, BITS_SHIFT), BITS("BitwiseAnd", 18, 2, BITS_AND), BITS("BitwiseOr", 18, 2, BITS_OR),
    BITS("BitwiseXor", 18, 2, BITS_XOR), BITS("BitwiseNot", 18, 1, BITS_NOT),
};

const struct op_group ops_bits = {bits_ops, sizeof(bits_ops) / sizeof(bits_ops[0])};
