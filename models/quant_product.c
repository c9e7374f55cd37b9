#include "models/quant_product.h"

#include <stdlib.h>
#include <string.h>

#include "models/quant.h"

struct quant_product {
    struct onednn_conv *conv;
    int64_t m, k, n;
    enum tensor_type a, b;
    bool constant;
    uint32_t *column_sums; /* of a constant B */
};

enum { PROBES = 64 };

static size_t aligned(size_t bytes)
{
    return (bytes + TENSOR_ALIGN_BYTES - 1) / TENSOR_ALIGN_BYTES * TENSOR_ALIGN_BYTES;
}

/* uint8 as the int8 that is 128 less. */
static void move_bytes(const uint8_t *from, int8_t *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = (int8_t)(from[i] - 128);
}

static void sum_columns(const int8_t *b, int64_t k, int64_t n, uint32_t *sums)
{
    memset(sums, 0, (size_t)n * sizeof(*sums));
    for (int64_t i = 0; i < k; i++)
        quant_accumulate(sums, TENSOR_I8, b + i * n, 1, 0, 1, n);
}

/* A few sums of a drawn A against the definition. */
static enum status try_out(struct quant_product *p, const int8_t *b, struct error *e)
{
    size_t in = (size_t)(p->m * p->k);
    uint8_t *a = tensor_memory(in);
    int32_t *y = tensor_memory((size_t)(p->m * p->n) * sizeof(*y));
    void *scratch = tensor_memory(quant_product_scratch_bytes(p));
    uint32_t seed = 1;
    enum status s = a && y && scratch ? STATUS_OK : error_no_memory(e);

    for (size_t i = 0; i < in && s == STATUS_OK; i++) {
        seed = seed * 1664525u + 1013904223u;
        a[i] = (uint8_t)(seed >> 30 == 0 ? 255 : seed >> 16);
    }
    if (s == STATUS_OK)
        s = onednn_product_run(p->conv, a, p->constant ? NULL : b, y, scratch, e);
    for (int64_t i = 0; i < PROBES && s == STATUS_OK; i++) {
        int64_t row = i * 7919 % p->m, column = i * 104729 % p->n;
        uint32_t sum = 0;

        for (int64_t k = 0; k < p->k; k++) {
            uint8_t v = a[row * p->k + k];

            sum += (uint32_t)((p->a == TENSOR_I8 ? (int8_t)v : v) * b[k * p->n + column]);
        }
        if (y[row * p->n + column] != (int32_t)sum)
            s = error_set(e, STATUS_UNSUPPORTED, "oneDNN's 8-bit product is not exact here");
    }
    free(a);
    free(y);
    free(scratch);
    return s;
}

enum status quant_product_open(struct onednn *o, const struct quant_product_settings *settings,
                               struct quant_product **ret_p, struct error *e)
{
    struct onednn_product_settings plain = {
        .m = settings->m, .k = settings->k, .n = settings->n, .in_signed = settings->a == TENSOR_I8};
    size_t bytes = (size_t)settings->k * (size_t)settings->n;
    struct quant_product *p = calloc(1, sizeof(*p));
    int8_t *b = tensor_memory(bytes);
    enum status s = STATUS_OK;

    if (!p || !b) {
        free(p);
        free(b);
        return error_no_memory(e);
    }
    p->m = settings->m;
    p->k = settings->k;
    p->n = settings->n;
    p->a = settings->a;
    p->b = settings->b;
    p->constant = settings->values != NULL;
    if (!p->constant)
        memset(b, 127, bytes);
    else if (p->b == TENSOR_U8)
        move_bytes(settings->values, b, bytes);
    else
        memcpy(b, settings->values, bytes);
    if (p->constant) {
        p->column_sums = malloc((size_t)p->n * sizeof(*p->column_sums));
        if (p->column_sums)
            sum_columns(b, p->k, p->n, p->column_sums);
        else
            s = error_no_memory(e);
        plain.b = b;
    }
    if (s == STATUS_OK)
        s = onednn_product_open(o, &plain, &p->conv, e);
    if (s == STATUS_OK && !settings->trusted)
        s = try_out(p, b, e);
    free(b);
    if (s != STATUS_OK) {
        quant_product_close(&p);
        return s;
    }
    *ret_p = p;
    return STATUS_OK;
}

void quant_product_close(struct quant_product **p)
{
    if (!*p)
        return;
    onednn_conv_close(&(*p)->conv);
    free((*p)->column_sums);
    free(*p);
    *p = NULL;
}

/* oneDNN's own, the zero points and the sums of the columns, and a B that is moved. */
size_t quant_product_scratch_bytes(const struct quant_product *p)
{
    size_t moved = p->constant || p->b != TENSOR_U8 ? 0 : aligned((size_t)(p->k * p->n));

    return aligned(onednn_conv_scratch_bytes(p->conv)) + 2 * aligned((size_t)p->n * sizeof(uint32_t)) + moved;
}

const char *quant_product_name(const struct quant_product *p)
{
    return onednn_conv_name(p->conv);
}

/* Zero points of the columns as B's bytes are seen by the kernel; false: all of them 0. */
static bool column_zeros(const struct quant_product *p, const struct quant_zeros *zeros, int32_t *to)
{
    int32_t moved = p->b == TENSOR_U8 ? 128 : 0;
    bool any = false;

    for (int64_t j = 0; j < p->n; j++) {
        to[j] = (zeros->b ? quant_byte(zeros->b, zeros->b_columns ? j : 0) : 0) - moved;
        any = any || to[j] != 0;
    }
    return any;
}

static bool has_row_zeros(const struct quant_zeros *zeros)
{
    for (int64_t i = 0; zeros->a && i < tensor_count(zeros->a); i++) {
        if (quant_byte(zeros->a, i) != 0)
            return true;
    }
    return false;
}

static uint32_t sum_row(enum tensor_type t, const void *a, int64_t k)
{
    uint32_t sum = 0;

    for (int64_t i = 0; i < k; i++)
        sum += (uint32_t)(t == TENSOR_I8 ? ((const int8_t *)a)[i] : ((const uint8_t *)a)[i]);
    return sum;
}

/* sum (a - za)(b - zb) = sum a b - za sum b - zb (sum a - k za) */
static void take_zeros_off(const struct quant_product *p, const void *a, const struct quant_zeros *zeros,
                           const int32_t *b_zeros, bool any_b, const uint32_t *column_sums, int32_t *sums)
{
    for (int64_t i = 0; i < p->m; i++, sums += p->n) {
        uint32_t zero = zeros->a ? (uint32_t)quant_byte(zeros->a, zeros->a_rows ? i % zeros->period : 0) : 0;
        uint32_t rest = any_b ? sum_row(p->a, (const char *)a + i * p->k, p->k) - (uint32_t)p->k * zero : 0;

        for (int64_t j = 0; zero != 0 && j < p->n; j++)
            sums[j] = (int32_t)((uint32_t)sums[j] - zero * column_sums[j]);
        for (int64_t j = 0; any_b && j < p->n; j++)
            sums[j] = (int32_t)((uint32_t)sums[j] - (uint32_t)b_zeros[j] * rest);
    }
}

enum status quant_product_run(struct quant_product *p, const void *a, const void *b, const struct quant_zeros *zeros,
                              int32_t *sums, void *scratch, struct error *e)
{
    char *own = scratch, *lists = own + aligned(onednn_conv_scratch_bytes(p->conv));
    int32_t *b_zeros = (int32_t *)(void *)lists;
    uint32_t *column_sums = (uint32_t *)(void *)(lists + aligned((size_t)p->n * sizeof(uint32_t)));
    int8_t *moved = (int8_t *)lists + 2 * aligned((size_t)p->n * sizeof(uint32_t));
    const int8_t *seen = p->constant ? NULL : b;
    bool any_b = column_zeros(p, zeros, b_zeros), any_a = has_row_zeros(zeros);
    enum status s;

    if (!p->constant && p->b == TENSOR_U8) {
        move_bytes(b, moved, (size_t)(p->k * p->n));
        seen = moved;
    }
    s = onednn_product_run(p->conv, a, seen, sums, own, e);
    if (s != STATUS_OK || (!any_a && !any_b))
        return s;
    if (any_a && !p->constant)
        sum_columns(seen, p->k, p->n, column_sums);
    take_zeros_off(p, a, zeros, b_zeros, any_b, p->constant ? p->column_sums : column_sums, sums);
    return STATUS_OK;
}
