/* vectors: marks a function whose plain loops the compiler should vectorise, for AVX2 beside the baseline; the processor
 * decides when the program starts. Only for loops over integers (or one float operation each): the same bytes either way. */
#ifndef FAKESIFT_NODES_VECTORS_H
#define FAKESIFT_NODES_VECTORS_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define VECTORS_AVX2_TOO __attribute__((optimize("O3"), target_clones("avx2", "default")))
#else
#define VECTORS_AVX2_TOO
#endif

#endif
