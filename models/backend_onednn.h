/* backend_onednn: convolutions by oneDNN, one image at a time, channels last.
 *
 * A convolution is prepared for one image, so its bits cannot depend on a batch; and one image's values stay in
 * the cache from layer to layer, which on the machines that were measured is as fast as a batch or faster.
 * In: weights and geometry in ONNX's order (out x in / groups x taps), float32. Out: a primitive with its weights
 * packed. Its first run generates code for some shapes; later ones ask the system for nothing, so what is run
 * once before a fork works in a child without executable memory.
 *
 * oneDNN is built over OpenMP. Everything here sets the calling thread's number of threads to one (a setting of
 * OpenMP that each thread has for itself), so no thread is ever started. */
#ifndef FAKESIFT_MODELS_BACKEND_ONEDNN_H
#define FAKESIFT_MODELS_BACKEND_ONEDNN_H

#include "models/kernels.h"

/* x86 with AVX2 or more; AVX512-BF16 or more. */
bool onednn_is_fast(void);
bool onednn_has_bf16(void);
/* Instructions that sum products of bytes in 32 bits (VNNI, AMX). Without them oneDNN's kernels saturate at 16 bits on
 * the way, so they are not used. */
bool onednn_has_exact_bytes(void);

struct onednn; /* belongs to one thread at a time */
enum status onednn_open(struct onednn **ret_o, struct error *e);
void onednn_close(struct onednn **o); /* NULL-safe; after its convolutions */
void onednn_begin(void);              /* before runs on a thread that may be another one */

struct onednn_conv_settings {
    const struct conv_geometry *geometry;
    unsigned dims;               /* spatial ones in use, 1..3: the last of the geometry's three */
    const float *weights, *bias; /* bias NULL = none */
    bool in_bf16, out_bf16;      /* out_bf16 needs in_bf16 */
    bool adds;                   /* the output's old content is added before the activation */
    struct activation activation;
};

struct onednn_conv;

/* Whether there is an implementation that is worth it, rather than oneDNN's reference. */
bool onednn_conv_suits(struct onednn *o, const struct onednn_conv_settings *settings);
enum status onednn_conv_open(struct onednn *o, const struct onednn_conv_settings *settings, struct onednn_conv **ret_c,
                             struct error *e);
void onednn_conv_close(struct onednn_conv **c); /* NULL-safe */
const char *onednn_conv_name(const struct onednn_conv *c);
size_t onednn_conv_scratch_bytes(const struct onednn_conv *c);
/* False: the caller applies it. */
bool onednn_conv_activates(const struct onednn_conv *c);
enum status onednn_conv_run(struct onednn_conv *c, const void *x, void *y, void *scratch, struct error *e);

/* Convolutions of bytes: sums of 32 bits, or requantised in the same pass. */
struct onednn_bytes_settings {
    const struct conv_geometry *geometry;
    unsigned dims;
    bool in_signed;        /* int8, else uint8, as they are: zero points are the caller's affair */
    const int8_t *weights; /* ONNX's order */
    const int32_t *bias;   /* NULL = none */
    enum tensor_type out;  /* TENSOR_I32; TENSOR_U8, TENSOR_I8: requantised */
    const float *factors;  /* requantised: one a channel; out = cut(round(sum * factor) + zero) */
    int32_t zero;
};

/* STATUS_UNSUPPORTED: there is no implementation that is worth it. Runs and closes as the others do. */
enum status onednn_bytes_open(struct onednn *o, const struct onednn_bytes_settings *settings,
                              struct onednn_conv **ret_c, struct error *e);

/* Y[m,n] = X[m,k] * B[k,n], X uint8 or int8, B int8, Y int32; all dense. b: NULL where B is given with each run. */
struct onednn_product_settings {
    int64_t m, k, n;
    bool in_signed;
    const int8_t *b;
};

enum status onednn_product_open(struct onednn *o, const struct onednn_product_settings *settings,
                                struct onednn_conv **ret_c, struct error *e);
/* b: as in the settings, else the one of this run. */
enum status onednn_product_run(struct onednn_conv *c, const void *x, const int8_t *b, int32_t *y, void *scratch,
                               struct error *e);

#endif
