#include "models/order.h"

#include <string.h>

void order_sort(int64_t *items, int64_t *spare, int64_t n, order_before *before, const void *context)
{
    int64_t *from = items, *to = spare;

    for (int64_t width = 1; width < n; width *= 2) {
        int64_t *swap = from;

        for (int64_t first = 0; first < n; first += 2 * width) {
            int64_t middle = first + width < n ? first + width : n, end = middle + width < n ? middle + width : n;
            int64_t a = first, b = middle;

            for (int64_t i = first; i < end; i++)
                to[i] = a < middle && (b >= end || !before(context, from[b], from[a])) ? from[a++] : from[b++];
        }
        from = to;
        to = swap;
    }
    if (from != items && n > 0)
        memcpy(items, from, (size_t)n * sizeof(*items));
}
