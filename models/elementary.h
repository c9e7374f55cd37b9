/* elementary: exp, sigmoid and tanh of one float, in operations that a compiler vectorises, for loops marked KERNEL_CLONES_FMA. Fused
 * multiply-adds are named, and the compiler makes no others, so the bits are those of every loop, place and instruction set. Within 3
 * units in the last place (test_kernels). */
#ifndef FAKESIFT_MODELS_ELEMENTARY_H
#define FAKESIFT_MODELS_ELEMENTARY_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* exp for x in -87.3..88, in operations that vectorise: 2^n * p(r) with x = n ln 2 + r, ln 2 in two parts and the
 * polynomial of Cephes' expf. */
static inline float exp_inside(float x)
{
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it leaves the rounded integer in the low bits */
    float shifted, n, r, p, scale;
    uint32_t bits, base;

    shifted = fmaf(x, 1.44269504088896341f, magic);
    n = shifted - magic;
    r = fmaf(n, -0.693359375f, x);
    r = fmaf(n, 2.12194440e-4f, r);
    p = 1.9875691500e-4f;
    p = fmaf(p, r, 1.3981999507e-3f);
    p = fmaf(p, r, 8.3334519073e-3f);
    p = fmaf(p, r, 4.1665795894e-2f);
    p = fmaf(p, r, 1.6666665459e-1f);
    p = fmaf(p, r, 5.0000001201e-1f);
    p = fmaf(p * r, r, r) + 1.0f;
    memcpy(&bits, &shifted, sizeof(bits));
    memcpy(&base, &magic, sizeof(base));
    bits = (bits - base + 127u) << 23;
    memcpy(&scale, &bits, sizeof(scale));
    return p * scale;
}

/* exp of any x; beyond its range the value at the bound. NaN stays NaN. */
static inline float exp_bounded(float x)
{
    x = x < -87.3f ? -87.3f : x;
    x = x > 88.0f ? 88.0f : x;
    return exp_inside(x);
}

static inline float sigmoid_bounded(float x)
{
    return 1.0f / (1.0f + exp_bounded(-x));
}

/* Cephes' tanhf: a polynomial near zero, where 1 - 2 / (exp(2x) + 1) would cancel; from 9.01 on it rounds to 1. */
static inline float tanh_bounded(float x)
{
    uint32_t bits, sign;
    float a, z = x * x, p = -5.70498872745e-3f, far;

    p = fmaf(p, z, 2.06390887954e-2f);
    p = fmaf(p, z, -5.37397155531e-2f);
    p = fmaf(p, z, 1.33314422036e-1f);
    p = fmaf(p, z, -3.33332819422e-1f);
    p = fmaf(p * z, x, x);
    memcpy(&bits, &x, sizeof(bits));
    sign = bits & 0x80000000u;
    bits &= 0x7fffffffu;
    memcpy(&a, &bits, sizeof(a));
    far = a > 10.0f ? 10.0f : a;
    far = 1.0f - 2.0f / (exp_inside(far + far) + 1.0f);
    memcpy(&bits, &far, sizeof(bits));
    bits |= sign;
    memcpy(&far, &bits, sizeof(far));
    return a < 0.625f ? p : far;
}

/* erf: below .93 x times a polynomial in x * x, beyond 1 - exp of one in |x| for log(erfc), from 4 on 1. Both are Chebyshev fits in double precision,
 * of degree 6 (erf(sqrt z) / sqrt z on 0 .. .875) and 10 (on .92 .. 4.05, weighted with erfc), rounded to float: within 3 units in the last place. */
static inline float erf_bounded(float x)
{
    uint32_t bits, sign;
    float a, far, z = x * x, p = 8.304783842e-05f, q = -3.417131609e-07f;

    memcpy(&bits, &x, sizeof(bits));
    sign = bits & 0x80000000u;
    bits &= 0x7fffffffu;
    memcpy(&a, &bits, sizeof(a));
    p = fmaf(p, z, -8.127656765e-04f);
    p = fmaf(p, z, 5.199752748e-03f);
    p = fmaf(p, z, -2.685890719e-02f);
    p = fmaf(p, z, 1.128368750e-01f);
    p = fmaf(p, z, -3.761263192e-01f);
    p = fmaf(p, z, 1.128379226e+00f);
    p = p * x;
    far = a > 4.0f ? 4.0f : a;
    q = fmaf(q, far, 7.202119377e-06f);
    q = fmaf(q, far, -6.567371747e-05f);
    q = fmaf(q, far, 3.210327704e-04f);
    q = fmaf(q, far, -6.958147860e-04f);
    q = fmaf(q, far, -1.691634418e-03f);
    q = fmaf(q, far, 2.145516314e-02f);
    q = fmaf(q, far, -1.046715304e-01f);
    q = fmaf(q, far, -6.356167793e-01f);
    q = fmaf(q, far, -1.128690124e+00f);
    q = fmaf(q, far, 4.303842070e-05f);
    far = 1.0f - exp_inside(q);
    memcpy(&bits, &far, sizeof(bits));
    bits |= sign;
    memcpy(&far, &bits, sizeof(far));
    return a < 0.93f ? p : far;
}

#endif
