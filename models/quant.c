#include "models/quant.h"

#include <math.h>

int32_t quant_round(float v, int32_t zero, enum tensor_type t)
{
    float low = t == TENSOR_I8 ? -128.0f : 0.0f, high = t == TENSOR_I8 ? 127.0f : 255.0f;
    float whole = nearbyintf(v); /* to even: nobody changes the rounding mode */

    if (isnan(v))
        return zero;
    low -= (float)zero;
    high -= (float)zero;
    return (int32_t)(whole < low ? low : whole > high ? high : whole) + zero;
}

/* One value, or a list of `channels`. */
static bool fits(const struct tensor *t, int64_t channels)
{
    return tensor_count(t) == 1 || (channels > 0 && t->shape.rank == 1 && t->shape.dims[0] == channels);
}

enum status quant_port(const struct call *c, size_t scale, size_t zero, enum tensor_type type, int64_t channels,
                       bool *ret_by_channel, struct error *e)
{
    const struct tensor *s = scale == SIZE_MAX ? NULL : call_in(c, scale);
    const struct tensor *z = zero == SIZE_MAX ? NULL : call_in(c, zero);

    *ret_by_channel = (s && tensor_count(s) != 1) || (z && tensor_count(z) != 1);
    if (s && s->type != TENSOR_F32)
        return call_error(c, e, STATUS_UNSUPPORTED, "a scale of %s", tensor_type_name(s->type));
    if (z && z->type != type)
        return call_error(c, e, STATUS_INVALID, "a zero point of %s for %s", tensor_type_name(z->type),
                          tensor_type_name(type));
    if ((s && !fits(s, channels)) || (z && !fits(z, channels)) || (s && z && tensor_count(s) != tensor_count(z)))
        return call_error(c, e, STATUS_INVALID, "scale and zero point do not fit");
    return STATUS_OK;
}
