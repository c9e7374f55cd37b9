#include "models/half.h"

#include <string.h>

static uint32_t bits_of(float v)
{
    uint32_t bits;

    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static float float_of(uint32_t bits)
{
    float v;

    memcpy(&v, &bits, sizeof(v));
    return v;
}

float half_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 0x1f, fraction = h & 0x3ff;

    if (exponent == 0x1f)
        return float_of(sign | 0x7f800000 | fraction << 13);
    if (exponent == 0) {
        /* fraction * 2^-24, exactly. */
        float v = (float)fraction * 5.9604644775390625e-8f;

        return sign ? -v : v;
    }
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t half_from_float(float v)
{
    uint32_t bits = bits_of(v), magnitude = bits & 0x7fffffff;
    uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);

    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00 | (magnitude >> 13 & 0x3ff)); /* NaN stays one */
    if (magnitude >= 0x477ff000)
        return (uint16_t)(sign | 0x7c00); /* 65520 and beyond round to infinity */
    if (magnitude < 0x38800000) {
        /* Below 2^-14: adding 0.5 leaves the fraction's bits at the end of the sum, rounded by the addition. */
        return (uint16_t)(sign | (bits_of(float_of(magnitude) + 0.5f) - 0x3f000000));
    }
    magnitude += 0xfff + (magnitude >> 13 & 1);
    return (uint16_t)(sign | ((magnitude - 0x38000000) >> 13));
}

float bfloat_to_float(uint16_t b)
{
    return float_of((uint32_t)b << 16);
}

uint16_t bfloat_from_float(float v)
{
    uint32_t bits = bits_of(v);

    if ((bits & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(bits >> 16 | 0x40);
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

/* The float next to v toward zero, with its last bit set when that is not exact: rounding it once more to fewer
 * bits gives what rounding v itself would. */
static float to_odd(double v)
{
    float f = (float)v;
    uint32_t bits = bits_of(f);

    if ((double)f == v || v != v)
        return f;
    if ((v > 0 && (double)f > v) || (v < 0 && (double)f < v))
        bits--;
    return float_of(bits | 1);
}

uint16_t half_from_double(double v)
{
    return half_from_float(to_odd(v));
}

uint16_t bfloat_from_double(double v)
{
    return bfloat_from_float(to_odd(v));
}

void half_widen(enum tensor_type type, const uint16_t *from, float *to, int64_t n)
{
    if (type == TENSOR_F16) {
        for (int64_t i = 0; i < n; i++)
            to[i] = half_to_float(from[i]);
    } else {
        for (int64_t i = 0; i < n; i++)
            to[i] = bfloat_to_float(from[i]);
    }
}

void half_narrow(enum tensor_type type, const float *from, uint16_t *to, int64_t n)
{
    if (type == TENSOR_F16) {
        for (int64_t i = 0; i < n; i++)
            to[i] = half_from_float(from[i]);
    } else {
        for (int64_t i = 0; i < n; i++)
            to[i] = bfloat_from_float(from[i]);
    }
}
