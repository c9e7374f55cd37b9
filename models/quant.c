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

/* What quant_round does, for loops that the compiler vectorises: between whole bounds, cutting and rounding may change
 * places, and beside 1.5 * 2^23 float32 has no room for a fraction. */
static inline int32_t round_between(float v, float low, float high)
{
    const float whole = 12582912.0f;

    v = v != v ? 0.0f : v;
    v = v < low ? low : v;
    v = v > high ? high : v;
    return (int32_t)((v + whole) - whole);
}

static float lowest(enum tensor_type t, int32_t zero)
{
    return (t == TENSOR_I8 ? -128.0f : 0.0f) - (float)zero;
}

KERNEL_CLONES static void quotients(const float *x, float scale, int32_t zero, float low, uint8_t *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (uint8_t)(round_between(x[i] / scale, low, low + 255.0f) + zero);
}

void quant_line(const float *x, float scale, int32_t zero, enum tensor_type t, void *y, int64_t n)
{
    quotients(x, scale, zero, lowest(t, zero), y, n);
}

KERNEL_CLONES static void products(const int32_t *sums, const float *factors, int32_t zero, float low, uint8_t *y,
                                   int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (uint8_t)(round_between((float)sums[i] * factors[i], low, low + 255.0f) + zero);
}

KERNEL_CLONES static void products_of_one(const int32_t *sums, float factor, int32_t zero, float low, uint8_t *y,
                                          int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (uint8_t)(round_between((float)sums[i] * factor, low, low + 255.0f) + zero);
}

void quant_sums(const int32_t *sums, const float *factors, bool by_value, int32_t zero, enum tensor_type t, void *y,
                int64_t n)
{
    if (by_value)
        products(sums, factors, zero, lowest(t, zero), y, n);
    else
        products_of_one(sums, *factors, zero, lowest(t, zero), y, n);
}

KERNEL_CLONES static void widen_u8(const uint8_t *x, float scale, int32_t zero, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(x[i] - zero) * scale;
}

KERNEL_CLONES static void widen_i8(const int8_t *x, float scale, int32_t zero, float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = (float)(x[i] - zero) * scale;
}

void dequant_line(enum tensor_type t, const void *x, float scale, int32_t zero, float *y, int64_t n)
{
    if (t == TENSOR_I8)
        widen_i8(x, scale, zero, y, n);
    else
        widen_u8(x, scale, zero, y, n);
}

KERNEL_CLONES static void accumulate_u8(uint32_t *sums, const uint8_t *x, int32_t zero, int32_t factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sums[i] += (uint32_t)((x[i] - zero) * factor);
}

KERNEL_CLONES static void accumulate_i8(uint32_t *sums, const int8_t *x, int32_t zero, int32_t factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        sums[i] += (uint32_t)((x[i] - zero) * factor);
}

void quant_accumulate(uint32_t *sums, enum tensor_type t, const void *x, int64_t step, int32_t zero, int32_t factor,
                      int64_t n)
{
    if (step == 1 && t == TENSOR_I8)
        accumulate_i8(sums, x, zero, factor, n);
    else if (step == 1)
        accumulate_u8(sums, x, zero, factor, n);
    else if (t == TENSOR_I8)
        for (int64_t i = 0; i < n; i++)
            sums[i] += (uint32_t)((((const int8_t *)x)[i * step] - zero) * factor);
    else
        for (int64_t i = 0; i < n; i++)
            sums[i] += (uint32_t)((((const uint8_t *)x)[i * step] - zero) * factor);
}

/* Sums of this many products stay inside 32 bits. */
enum { DOT_BLOCK = 16384 };

KERNEL_CLONES static int32_t dot(const int16_t *a, const int16_t *b, int64_t k)
{
    int32_t sum = 0;

    for (int64_t i = 0; i < k; i++)
        sum += a[i] * b[i];
    return sum;
}

KERNEL_CLONES static void four_dots(const int16_t *a, const int16_t *b, int64_t step, int64_t k, int32_t *ret_sums)
{
    int32_t s0 = 0, s1 = 0, s2 = 0, s3 = 0;

    for (int64_t i = 0; i < k; i++) {
        s0 += a[i] * b[i];
        s1 += a[i] * b[step + i];
        s2 += a[i] * b[2 * step + i];
        s3 += a[i] * b[3 * step + i];
    }
    ret_sums[0] = s0;
    ret_sums[1] = s1;
    ret_sums[2] = s2;
    ret_sums[3] = s3;
}

void quant_dots(const int16_t *a, const int16_t *b, int64_t k, uint32_t *sums, int64_t n)
{
    for (int64_t from = 0; from < k; from += DOT_BLOCK) {
        int64_t part = k - from < DOT_BLOCK ? k - from : DOT_BLOCK, j = 0;

        for (; j + 4 <= n; j += 4) {
            int32_t four[4];

            four_dots(a + from, b + j * k + from, k, part, four);
            for (unsigned i = 0; i < 4; i++)
                sums[j + i] += (uint32_t)four[i];
        }
        for (; j < n; j++)
            sums[j] += (uint32_t)dot(a + from, b + j * k + from, part);
    }
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
