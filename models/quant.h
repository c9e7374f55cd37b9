/* quant: 8-bit arithmetic as ONNX defines it: rounding half to even, saturation, sums in 32 bits. */
#ifndef FAKESIFT_MODELS_QUANT_H
#define FAKESIFT_MODELS_QUANT_H

#include "models/op.h"

/* QLinearMatMul with a ninth input, the bias: int32, one a column. No file can name it. */
extern const struct op quant_gemm;

/* v rounded to the nearest, ties to even, plus zero, cut to the range of an 8-bit type. NaN becomes zero. */
int32_t quant_round(float v, int32_t zero, enum tensor_type t);
/* Element i of an int8 or uint8 tensor. */
static inline int32_t quant_byte(const struct tensor *t, int64_t i)
{
    return t->type == TENSOR_I8 ? ((const int8_t *)t->data)[i] : ((const uint8_t *)t->data)[i];
}

/* n values at once: y = quant_round(x / scale, zero), quant_round(sum * factor, zero) and (x - zero) * scale. factors:
 * one a value where by_value, else one for all. */
void quant_line(const float *x, float scale, int32_t zero, enum tensor_type t, void *y, int64_t n);
void quant_sums(const int32_t *sums, const float *factors, bool by_value, int32_t zero, enum tensor_type t, void *y,
                int64_t n);
void dequant_line(enum tensor_type t, const void *x, float scale, int32_t zero, float *y, int64_t n);

/* sums[i] += (x[i * step] - zero) * factor, wrapping, over bytes. */
void quant_accumulate(uint32_t *sums, enum tensor_type t, const void *x, int64_t step, int32_t zero, int32_t factor,
                      int64_t n);

/* sums[j] += the product of a and b + j * k, n rows of k; every product of two values fits 17 bits. */
void quant_dots(const int16_t *a, const int16_t *b, int64_t k, uint32_t *sums, int64_t n);

/* Checks inputs scale and zero (SIZE_MAX: the operator has none; the zero point may be absent) for an operand of that
 * type: one number each, or, with channels > 0, that many. */
enum status quant_port(const struct call *c, size_t scale, size_t zero, enum tensor_type type, int64_t channels,
                       bool *ret_by_channel, struct error *e);

#endif
