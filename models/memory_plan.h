/* memory_plan: places blocks with known lifetimes into one arena. Greedy by size, as in TensorFlow Lite and
 * XNNPACK (Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net Inference", 2020, section 5):
 * the largest block first, each at the lowest offset that no block alive at the same time covers. */
#ifndef FAKESIFT_MODELS_MEMORY_PLAN_H
#define FAKESIFT_MODELS_MEMORY_PLAN_H

#include <stddef.h>

#include "shard/status.h"

struct memory_block {
    size_t bytes;       /* rounded up to TENSOR_ALIGN_BYTES by the plan */
    size_t first, last; /* steps, inclusive */
    size_t offset;      /* result */
};

/* STATUS_NO_MEMORY, or STATUS_INVALID when the arena would exceed max_bytes. */
enum status memory_plan(struct memory_block *blocks, size_t n, size_t max_bytes, size_t *ret_arena_bytes,
                        struct error *e);

#endif
