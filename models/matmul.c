#include "models/matmul.h"

enum status matmul_infer_shape(const struct call *c, const struct tensor_shape *given_a,
                               const struct tensor_shape *given_b, struct matmul *ret_m, struct tensor_shape *ret_out,
                               struct error *e)
{
    struct tensor_shape a = *given_a, b = *given_b, out, heads_a, heads_b;
    const struct tensor_shape *operands[2] = {&heads_a, &heads_b};
    bool a_vector = a.rank == 1, b_vector = b.rank == 1;
    char x[TENSOR_SHAPE_TEXT_BYTES], y[TENSOR_SHAPE_TEXT_BYTES];

    if (a.rank == 0 || b.rank == 0)
        return call_error(c, e, STATUS_INVALID, "a scalar input");
    if (a_vector)
        a = (struct tensor_shape){.rank = 2, .dims = {1, a.dims[0]}};
    if (b_vector)
        b = (struct tensor_shape){.rank = 2, .dims = {b.dims[0], 1}};
    heads_a = a;
    heads_a.rank -= 2;
    heads_b = b;
    heads_b.rank -= 2;
    if (b.dims[b.rank - 2] != a.dims[a.rank - 1] || !broadcast_shape(&heads_a, &heads_b, &out))
        return call_error(c, e, STATUS_INVALID, "%s and %s do not multiply", tensor_shape_text(given_a, x),
                          tensor_shape_text(given_b, y));
    ret_m->m = a.dims[a.rank - 2];
    ret_m->k = a.dims[a.rank - 1];
    ret_m->n = b.dims[b.rank - 1];
    ret_m->flat = tensor_shape_count(&heads_b) == 1;
    broadcast_plan(&out, operands, 2, &ret_m->batch);
    if (!a_vector)
        out.dims[out.rank++] = ret_m->m;
    if (!b_vector)
        out.dims[out.rank++] = ret_m->n;
    *ret_out = out;
    return STATUS_OK;
}
