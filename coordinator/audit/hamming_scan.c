/* The comparison that an audit of a million videos makes 10^11 times. */
#include "coordinator/audit/hamming.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { NEAR_WORD = 4 * HAMMING_NEAR / 16 };

static inline unsigned count_bits(uint64_t v)
{
    v -= v >> 1 & UINT64_C(0x5555555555555555);
    v = (v & UINT64_C(0x3333333333333333)) + (v >> 2 & UINT64_C(0x3333333333333333));
    v = (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(v * UINT64_C(0x0101010101010101) >> 56);
}

size_t hamming_scan_plain(const uint64_t *words, uint32_t n, uint64_t word, uint32_t *ret_hits)
{
    size_t n_hits = 0;

    for (uint32_t i = 0; i < n; i++) {
        ret_hits[n_hits] = i;
        n_hits += count_bits(words[i] ^ word) <= NEAR_WORD;
    }
    return n_hits;
}

#if defined(__x86_64__)

__attribute__((target("popcnt"))) static size_t scan_popcnt(const uint64_t *words, uint32_t n, uint64_t word,
                                                            uint32_t *ret_hits)
{
    size_t n_hits = 0;

    for (uint32_t i = 0; i < n; i++) {
        ret_hits[n_hits] = i;
        n_hits += (unsigned)__builtin_popcountll(words[i] ^ word) <= NEAR_WORD;
    }
    return n_hits;
}

__attribute__((target("avx512f,avx512vpopcntdq"))) static size_t scan_avx512(const uint64_t *words, uint32_t n,
                                                                             uint64_t word, uint32_t *ret_hits)
{
    const __m512i one = _mm512_set1_epi64((long long)word), near = _mm512_set1_epi64(NEAR_WORD);
    size_t n_hits = 0;

    for (uint32_t i = 0; i < n; i += 8) {
        __mmask8 there = (__mmask8)(n - i >= 8 ? 0xffu : (1u << (n - i)) - 1u);
        __m512i differ = _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_maskz_loadu_epi64(there, words + i), one));
        unsigned hits = _mm512_mask_cmple_epu64_mask(there, differ, near);

        for (; hits != 0; hits &= hits - 1)
            ret_hits[n_hits++] = i + (uint32_t)__builtin_ctz(hits);
    }
    return n_hits;
}

size_t hamming_scan(const uint64_t *words, uint32_t n, uint64_t word, uint32_t *ret_hits)
{
    if (__builtin_cpu_supports("avx512vpopcntdq"))
        return scan_avx512(words, n, word, ret_hits);
    if (__builtin_cpu_supports("popcnt"))
        return scan_popcnt(words, n, word, ret_hits);
    return hamming_scan_plain(words, n, word, ret_hits);
}

#else

size_t hamming_scan(const uint64_t *words, uint32_t n, uint64_t word, uint32_t *ret_hits)
{
    return hamming_scan_plain(words, n, word, ret_hits);
}

#endif
