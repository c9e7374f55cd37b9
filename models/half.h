/* half: the 16-bit floating-point formats of ONNX, IEEE 754 binary16 and bfloat16. Values are widened to float32
 * exactly, and narrowed with one rounding to the nearest, ties to even. */
#ifndef FAKESIFT_MODELS_HALF_H
#define FAKESIFT_MODELS_HALF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/network.h"

float half_to_float(uint16_t h);
uint16_t half_from_float(float v);
uint16_t half_from_double(double v);
float bfloat_to_float(uint16_t b);
uint16_t bfloat_from_float(float v);
uint16_t bfloat_from_double(double v);

static inline bool half_type(enum tensor_type t)
{
    return t == TENSOR_F16 || t == TENSOR_BF16;
}

/* n values of a 16-bit type to float32, and back. */
void half_widen(enum tensor_type type, const uint16_t *from, float *to, int64_t n);
void half_narrow(enum tensor_type type, const float *from, uint16_t *to, int64_t n);

#endif
