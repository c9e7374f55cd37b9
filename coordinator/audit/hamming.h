/* hamming: which of many 256-bit hashes lie within HAMMING_NEAR bits of each other, without comparing all pairs.
 *
 * In: hashes, each a picture of an owner (a video). Out: pairs of owners with the pictures that match, ascending.
 *
 * Every pair within the distance is found. A hash is a ring of 16 chunks of 16 bits; let d[c] be how many bits two hashes
 * differ by in chunk c, with sum(d) <= 31, and x[c] = d[c] - 31/16, whose sum is not positive. Start the ring behind the place
 * where the running sum of x is largest: from there every running sum is <= 0, so that d[s] <= 31/16 and d[s] + d[s+1] +
 * d[s+2] + d[s+3] <= 4 * 31/16 for that start s; in whole numbers <= 1 and <= 7. (The pigeonring principle: Qin and Xiao,
 * "Pigeonring: a principle for faster thresholded similarity search", VLDB 2018.) So for each of the 16 starts hashes are
 * sorted into 65,536 buckets by their chunk s; each bucket is compared with itself and with the 16 that differ by one bit;
 * a comparison is one population count of the 64 bits from s on; the few pairs that pass are compared whole. That is
 * 17 * 16 / 65,536 = 0.4 % of all pairs, each at a quarter of the price. A pair that several starts find counts at the first.
 *
 * What bounds it where pictures crowd (a title card in every video): a picture keeps MATCHES_MAX matches for each start, two
 * buckets with more than max_comparisons pairs between them are left out, and no more than max_pairs are kept. Each is
 * counted: with all counts 0 the answer is complete. The answer does not depend on the number of threads. */
#ifndef FAKESIFT_COORDINATOR_AUDIT_HAMMING_H
#define FAKESIFT_COORDINATOR_AUDIT_HAMMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard/result.h"
#include "shard/status.h"

enum { HAMMING_NEAR = 31, HAMMING_MATCHES_MAX = 256 };

struct hamming_picture {
    uint64_t hash[PRINT_HASH_WORDS];
    uint32_t owner;
    uint32_t slot; /* 0..7: which of its owner's pictures */
};

struct hamming_settings {
    const uint64_t *flip;     /* NULL, or a hash: pictures are compared with others' after these bits were flipped */
    unsigned n_threads;       /* default (0) 1 */
    uint64_t max_comparisons; /* of two buckets; default (0) 2^34 */
    size_t max_pairs;         /* of owners, for each start; default (0) 2^24 */
};

/* a < b, pictures by slot; ascending by (a, b). */
struct near_pair {
    uint32_t a, b;
    uint8_t matched_a, matched_b; /* sets of slots */
    uint8_t distance;             /* the least */
};

struct near_pairs {
    struct near_pair *pairs; /* owned */
    size_t n;
    uint64_t n_comparisons;
    uint64_t n_crowded; /* matches that were left out since their pictures had too many */
    uint64_t n_skipped; /* comparisons that were not made */
    uint64_t n_dropped; /* pairs beyond max_pairs */
};

/* pictures of one owner do not match each other; n < 2^32. STATUS_NO_MEMORY. */
enum status hamming_join(const struct hamming_picture *pictures, size_t n, const struct hamming_settings *settings,
                         struct near_pairs *ret_p, struct error *e);
void near_pairs_clear(struct near_pairs *p); /* NULL-safe content; zeroes *p */

unsigned hamming_distance(const uint64_t a[PRINT_HASH_WORDS], const uint64_t b[PRINT_HASH_WORDS]);

/* The bits of a hash that a mirror turns over: mirrored left to right, the coefficients of odd horizontal frequencies change
 * their sign. The median moves a little, so a mirrored picture's hash is near and not equal. */
extern const uint64_t hamming_mirror[PRINT_HASH_WORDS];

/* hamming_scan.c: the positions in words[n] that differ from word by at most 7 bits; ret_hits has room for n. */
size_t hamming_scan(const uint64_t *words, uint32_t n, uint64_t word, uint32_t *ret_hits);
size_t hamming_scan_plain(const uint64_t *words, uint32_t n, uint64_t word, uint32_t *ret_hits);

#endif
