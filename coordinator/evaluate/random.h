/* random: xoshiro256** 1.0 (Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2021),
 * seeded by splitmix64. Ours, so that a report's bootstrap is the same on every machine and with every C
 * library. */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_RANDOM_H
#define FAKESIFT_COORDINATOR_EVALUATE_RANDOM_H

#include <stdint.h>

struct random {
    uint64_t state[4];
};

static inline void random_seed(struct random *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        uint64_t z = seed += 0x9e3779b97f4a7c15u;

        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        r->state[i] = z ^ (z >> 31);
    }
}

/* Stream number `stream` of a seed: any thread may draw it, without those before it. */
static inline void random_seed_stream(struct random *r, uint64_t seed, uint64_t stream)
{
    uint64_t z = (stream + 1) * 0xd1342543de82ef95u;

    z = (z ^ (z >> 32)) * 0xdaba0b6eb09322e3u; /* Lea's finaliser, so that neighbours share no bits */
    z = (z ^ (z >> 32)) * 0xdaba0b6eb09322e3u;
    random_seed(r, seed ^ z ^ (z >> 32));
}

static inline uint64_t random_rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static inline uint64_t random_next(struct random *r)
{
    uint64_t *s = r->state;
    uint64_t result = random_rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = random_rotate(s[3], 45);
    return result;
}

/* Uniform over 0 .. n - 1, n > 0, without bias: the upper 32 bits, Lemire's multiplication with rejection
 * ("Fast random integer generation in an interval", 2019). */
static inline uint32_t random_below(struct random *r, uint32_t n)
{
    uint64_t m = (random_next(r) >> 32) * n;

    if ((uint32_t)m < n) {
        uint32_t threshold = (uint32_t)-n % n;

        while ((uint32_t)m < threshold)
            m = (random_next(r) >> 32) * n;
    }
    return (uint32_t)(m >> 32);
}

#endif
