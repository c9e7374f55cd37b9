/* The join of near hashes against comparing all pairs. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/audit/hamming.h"
#include "coordinator/evaluate/random.h"

enum { PER_OWNER = 4 };

static struct hamming_picture random_picture(struct random *random, uint32_t i)
{
    struct hamming_picture p = {.owner = i / PER_OWNER, .slot = i % PER_OWNER};

    for (unsigned k = 0; k < PRINT_HASH_WORDS; k++)
        p.hash[k] = random_next(random);
    return p;
}

static void flip_bits(struct random *random, uint64_t *hash, unsigned n)
{
    uint64_t flipped[PRINT_HASH_WORDS] = {0};

    while (n > 0) {
        uint32_t bit = random_below(random, 256);

        if (flipped[bit / 64] >> bit % 64 & 1)
            continue;
        flipped[bit / 64] |= UINT64_C(1) << bit % 64;
        hash[bit / 64] ^= UINT64_C(1) << bit % 64;
        n--;
    }
}

/* As evenly over the 16 chunks as can be: what the argument for completeness has to stand. */
static void flip_evenly(struct random *random, uint64_t *hash, unsigned n)
{
    unsigned first = random_below(random, 16);

    for (unsigned k = 0; k < n; k++) {
        unsigned bit = (first + k) % 16 * 16 + (k / 16 * 5 + first) % 16;

        hash[bit / 64] ^= UINT64_C(1) << bit % 64;
    }
}

static struct hamming_picture *make(size_t n, uint64_t seed, bool evenly)
{
    struct hamming_picture *p = calloc(n, sizeof(*p));
    struct random random;

    cr_assert(p);
    random_seed(&random, seed);
    for (uint32_t i = 0; i < n; i++) {
        p[i] = random_picture(&random, i);
        if (i >= 8 && random_below(&random, 2)) {
            memcpy(p[i].hash, p[random_below(&random, i)].hash, sizeof(p[i].hash));
            (evenly ? flip_evenly : flip_bits)(&random, p[i].hash, random_below(&random, 40));
        }
    }
    return p;
}

/* *ret_n pairs of the plain way; compares them with those found. */
static size_t expect_same(const struct hamming_picture *p, size_t n, const uint64_t *flip,
                          const struct near_pairs *found)
{
    size_t n_pairs = 0, n_owners = (n + PER_OWNER - 1) / PER_OWNER;

    for (uint32_t a = 0; a < n_owners; a++) {
        for (uint32_t b = a + 1; b < n_owners; b++) {
            struct near_pair want = {.a = a, .b = b, .distance = 255};

            for (size_t i = a * PER_OWNER; i < n && i < (a + 1) * PER_OWNER; i++) {
                for (size_t j = b * PER_OWNER; j < n && j < (b + 1) * PER_OWNER; j++) {
                    uint64_t hash[PRINT_HASH_WORDS];
                    unsigned d;

                    for (unsigned k = 0; k < PRINT_HASH_WORDS; k++)
                        hash[k] = p[i].hash[k] ^ (flip ? flip[k] : 0);
                    d = hamming_distance(hash, p[j].hash);
                    if (d > HAMMING_NEAR)
                        continue;
                    want.matched_a |= (uint8_t)(1u << p[i].slot);
                    want.matched_b |= (uint8_t)(1u << p[j].slot);
                    want.distance = (uint8_t)(d < want.distance ? d : want.distance);
                }
            }
            if (want.distance == 255)
                continue;
            cr_assert_lt(n_pairs, found->n, "%u and %u are missing", a, b);
            cr_assert(found->pairs[n_pairs].a == a && found->pairs[n_pairs].b == b, "%u and %u are missing", a, b);
            cr_assert_eq(found->pairs[n_pairs].matched_a, want.matched_a);
            cr_assert_eq(found->pairs[n_pairs].matched_b, want.matched_b);
            cr_assert_eq(found->pairs[n_pairs].distance, want.distance);
            n_pairs++;
        }
    }
    cr_assert_eq(found->n, n_pairs, "%zu pairs found, there are %zu", found->n, n_pairs);
    return n_pairs;
}

Test(hamming, finds_what_comparing_all_pairs_finds)
{
    for (uint64_t seed = 1; seed <= 6; seed++) {
        const size_t n = 2501;
        struct hamming_picture *p = make(n, seed, seed % 2);
        const struct hamming_settings settings = {.flip = seed > 4 ? hamming_mirror : NULL,
                                                  .n_threads = 1 + (unsigned)seed % 3};
        struct near_pairs found;
        struct error e;
        size_t n_pairs;

        /* Some of them mirrored, so that there is something to find. */
        for (size_t i = 0; settings.flip && i < n; i += 2) {
            for (unsigned k = 0; k < PRINT_HASH_WORDS; k++)
                p[i].hash[k] ^= hamming_mirror[k];
        }
        cr_assert_eq(hamming_join(p, n, &settings, &found, &e), STATUS_OK);
        n_pairs = expect_same(p, n, settings.flip, &found);
        cr_assert_gt(n_pairs, 200);
        cr_assert_eq(found.n_crowded + found.n_skipped + found.n_dropped, 0);
        near_pairs_clear(&found);
        free(p);
    }
}

Test(hamming, scans_as_the_plain_way_does)
{
    enum { N = 203 };
    uint64_t words[N], word;
    uint32_t hits[N], plain[N];
    struct random random;

    random_seed(&random, 7);
    word = random_next(&random);
    for (uint32_t i = 0; i < N; i++) {
        uint64_t hash[PRINT_HASH_WORDS] = {0};

        flip_bits(&random, hash, random_below(&random, 60));
        words[i] = word ^ hash[0];
    }
    for (uint32_t n = 0; n <= N; n++) {
        size_t n_hits = hamming_scan(words, n, word, hits);

        cr_assert_eq(n_hits, hamming_scan_plain(words, n, word, plain));
        cr_assert_eq(memcmp(hits, plain, n_hits * sizeof(hits[0])), 0);
    }
    cr_assert_gt(hamming_scan(words, N, word, hits), 10);
}

Test(hamming, says_what_crowds_left_out)
{
    enum { N = 3000 };
    struct hamming_picture *p = calloc(N, sizeof(*p));
    struct near_pairs found, again;
    struct hamming_settings settings = {.n_threads = 2};
    struct error e;

    cr_assert(p);
    for (uint32_t i = 0; i < N; i++)
        p[i].owner = i; /* all of one picture */
    cr_assert_eq(hamming_join(p, N, &settings, &found, &e), STATUS_OK);
    cr_assert_gt(found.n_crowded, 0);
    cr_assert_leq(found.n, (size_t)N * HAMMING_MATCHES_MAX);
    settings.n_threads = 1;
    cr_assert_eq(hamming_join(p, N, &settings, &again, &e), STATUS_OK);
    cr_assert_eq(found.n, again.n);
    cr_assert_eq(memcmp(found.pairs, again.pairs, found.n * sizeof(found.pairs[0])), 0);
    near_pairs_clear(&again);
    near_pairs_clear(&found);
    settings.max_comparisons = 1000;
    cr_assert_eq(hamming_join(p, N, &settings, &found, &e), STATUS_OK);
    cr_assert_gt(found.n_skipped, 0);
    near_pairs_clear(&found);
    settings = (struct hamming_settings){.max_pairs = 10};
    cr_assert_eq(hamming_join(p, N, &settings, &found, &e), STATUS_OK);
    cr_assert_gt(found.n_dropped, 0);
    cr_assert_leq(found.n, 160);
    near_pairs_clear(&found);
    free(p);
}

Test(hamming, of_nothing_is_nothing)
{
    const struct hamming_settings settings = {0};
    struct near_pairs found;
    struct error e;

    cr_assert_eq(hamming_join(NULL, 0, &settings, &found, &e), STATUS_OK);
    cr_assert_eq(found.n, 0);
    near_pairs_clear(&found);
}
