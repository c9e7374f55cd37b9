/* order: sorts a list of indices by whatever they stand for; stable, n log n, no allocation. */
#ifndef FAKESIFT_MODELS_ORDER_H
#define FAKESIFT_MODELS_ORDER_H

#include <stdbool.h>
#include <stdint.h>

typedef bool order_before(const void *context, int64_t a, int64_t b);

/* items: n indices; spare: room for as many. before: whether a must stand before b. */
void order_sort(int64_t *items, int64_t *spare, int64_t n, order_before *before, const void *context);

#endif
