/* quant_product: a product of 8-bit matrices by oneDNN, with zero points. Sums are 32 bits and wrap, so that zero points
 * can be taken off afterwards, by sums of columns and rows, without a bit of difference to ops_quant_matmul.c's loops.
 *
 * In: A and B as they are; B of uint8 is moved by 128. Out: the sums. */
#ifndef FAKESIFT_MODELS_QUANT_PRODUCT_H
#define FAKESIFT_MODELS_QUANT_PRODUCT_H

#include "models/backend_onednn.h"
#include "models/op.h"

struct quant_product_settings {
    int64_t m, k, n;
    enum tensor_type a, b;
    const void *values; /* of B; NULL: given with each run */
    bool trusted;       /* not tried first */
};

/* Zero points, as tensors; NULL = 0. a_rows: one a row, of `period` rows that repeat; b_columns: one a column. */
struct quant_zeros {
    const struct tensor *a, *b;
    bool a_rows, b_columns;
    int64_t period;
};

struct quant_product;

/* STATUS_UNSUPPORTED: not here, or not exactly. */
enum status quant_product_open(struct onednn *o, const struct quant_product_settings *settings,
                               struct quant_product **ret_p, struct error *e);
void quant_product_close(struct quant_product **p); /* NULL-safe */
size_t quant_product_scratch_bytes(const struct quant_product *p);
const char *quant_product_name(const struct quant_product *p);
enum status quant_product_run(struct quant_product *p, const void *a, const void *b, const struct quant_zeros *zeros,
                              int32_t *sums, void *scratch, struct error *e);

/* Gives a step that multiplies 8-bit matrices its product, where there is one (ops_quant_matmul.c); the caller closes
 * c->product. Any other step stays as it is. */
enum status quant_matmul_adopt(struct call *c, struct onednn *o, bool trusted, struct error *e);

#endif
