/* resample: clusters of a ranking's items, and how often each is drawn in a replicate. Internal to coordinator/evaluate. */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_RESAMPLE_H
#define FAKESIFT_COORDINATOR_EVALUATE_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "coordinator/evaluate/ranking.h"

/* What a cluster holds, as bits: 1 = a real, 2 = a fake. */
enum { RESAMPLE_STRATA = 4 };

/* Clusters are numbered stratum by stratum, each in rising order of the caller's names, so that a replicate depends on the
 * items and not on their scores: two detectors are resampled alike. */
struct resample {
    uint32_t *of_position; /* cluster of each position of the ranking */
    size_t first[RESAMPLE_STRATA + 1];
    size_t n; /* clusters */
    uint64_t seed;
};

/* cluster: by item, or NULL: each item alone. */
enum status resample_open(const struct ranking *r, const uint32_t *cluster, uint64_t seed, struct resample *ret_s,
                          struct error *e);
void resample_close(struct resample *s); /* NULL-safe content; zeroes *s */
/* drawn[s->n]: as many clusters of each stratum as it has, with replacement. */
void resample_draw(const struct resample *s, uint64_t replicate, uint8_t *drawn);

/* Calls work(context, replicate, scratch) for 0 .. n_replicates - 1 on up to n_threads threads (0: one a processor), each
 * with scratch of its own, zeroed once. */
typedef void resample_work(void *context, size_t replicate, void *scratch);
enum status resample_each(size_t n_replicates, size_t cost, unsigned n_threads, size_t scratch_bytes,
                          resample_work *work, void *context, struct error *e);

/* Percentiles 2.5 and 97.5, linear between order statistics; sorts. n >= 1. */
void resample_percentiles(double *values, size_t n, double *ret_low, double *ret_high);

#endif
