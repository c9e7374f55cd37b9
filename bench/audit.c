/* bench_audit: the join of near pictures at a size that nobody has the videos for.
 * In: videos, threads, and a made-up set of hashes: eight a video, each with the coefficients' bits drawn alike, so that half of
 * them are set; every tenth video is a copy of one before it whose pictures are off by 0 to 31 bits. Out: time, memory, what was
 * compared, and how many of the copies' pictures were found: all of them, or it fails. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "coordinator/audit/hamming.h"
#include "coordinator/evaluate/random.h"
#include "shard/clock.h"
#include "shard/text.h"

enum { PER_VIDEO = RESULT_MAX_PRINTS, COPY_EVERY = 10 };

static void make(struct hamming_picture *p, uint32_t n_videos)
{
    struct random random;

    random_seed(&random, 31);
    for (uint32_t v = 0; v < n_videos; v++) {
        uint32_t of = v % COPY_EVERY == 0 && v > 0 ? random_below(&random, v) : v;

        for (uint32_t k = 0; k < PER_VIDEO; k++) {
            struct hamming_picture *x = &p[(size_t)v * PER_VIDEO + k];

            x->owner = v;
            x->slot = k;
            if (of == v) {
                for (unsigned w = 0; w < PRINT_HASH_WORDS; w++)
                    x->hash[w] = random_next(&random);
                continue;
            }
            memcpy(x->hash, p[(size_t)of * PER_VIDEO + k].hash, sizeof(x->hash));
            /* Bits may be drawn twice: at most 31 differ. */
            for (uint32_t i = random_below(&random, 32); i > 0; i--) {
                uint32_t bit = random_below(&random, 256);

                x->hash[bit / 64] ^= UINT64_C(1) << bit % 64;
            }
        }
    }
}

/* Which video each is a copy of, drawn again as make does. */
static size_t count_missing(const struct hamming_picture *p, uint32_t n_videos, const struct near_pairs *found)
{
    size_t n_missing = 0;
    uint32_t *n_of = calloc(n_videos, sizeof(*n_of));

    if (!n_of)
        return SIZE_MAX;
    for (size_t i = 0; i < found->n; i++) {
        const struct near_pair *x = &found->pairs[i];
        unsigned near = 0;

        /* Verified bit by bit, both ways. */
        for (unsigned k = 0; k < PER_VIDEO; k++) {
            bool is_near = hamming_distance(p[(size_t)x->a * PER_VIDEO + k].hash,
                                            p[(size_t)x->b * PER_VIDEO + k].hash) <= HAMMING_NEAR;

            near += is_near;
            if (is_near && (!(x->matched_a >> k & 1) || !(x->matched_b >> k & 1)))
                n_missing++;
        }
        if (near == PER_VIDEO && x->b % COPY_EVERY == 0)
            n_of[x->b]++;
    }
    for (uint32_t v = COPY_EVERY; v < n_videos; v += COPY_EVERY)
        n_missing += n_of[v] == 0;
    free(n_of);
    return n_missing;
}

int main(int argc, char **argv)
{
    uint64_t n_videos = 1000000, n_threads = 1;
    struct hamming_settings settings = {0};
    struct near_pairs found = {0};
    struct hamming_picture *p;
    struct rusage before, after;
    struct error e = {0};
    int64_t start;
    size_t n_missing;

    if (argc > 3 || (argc > 1 && parse_u64(argv[1], 1, 100000000, &n_videos) != STATUS_OK) ||
        (argc > 2 && parse_u64(argv[2], 1, 64, &n_threads) != STATUS_OK)) {
        fprintf(stderr, "bench_audit [VIDEOS [THREADS]]\n");
        return 1;
    }
    p = calloc(n_videos * PER_VIDEO, sizeof(*p));
    if (!p)
        return 1;
    make(p, (uint32_t)n_videos);
    settings.n_threads = (unsigned)n_threads;
    getrusage(RUSAGE_SELF, &before);
    start = clock_monotonic_us();
    if (hamming_join(p, n_videos * PER_VIDEO, &settings, &found, &e) != STATUS_OK) {
        fprintf(stderr, "bench_audit: %s\n", e.text);
        return 1;
    }
    getrusage(RUSAGE_SELF, &after);
    n_missing = count_missing(p, (uint32_t)n_videos, &found);
    printf("%llu videos, %llu pictures, %llu threads: %.1f s of the wall, %.1f s of CPU, %.0f MB at most\n"
           "%.3g comparisons, %zu pairs of videos, %zu pictures missing; left out: %llu, %llu, %llu\n",
           (unsigned long long)n_videos, (unsigned long long)n_videos * PER_VIDEO, (unsigned long long)n_threads,
           (double)(clock_monotonic_us() - start) / 1e6,
           (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec) +
               (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec) / 1e6,
           (double)after.ru_maxrss / 1024, (double)found.n_comparisons, found.n, n_missing,
           (unsigned long long)found.n_crowded, (unsigned long long)found.n_skipped,
           (unsigned long long)found.n_dropped);
    near_pairs_clear(&found);
    free(p);
    return n_missing == 0 ? 0 : 1;
}
