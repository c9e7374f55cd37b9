/* ranking: scored and labelled items in ascending order of score. Sorted once; every metric is then one pass.
 */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_RANKING_H
#define FAKESIFT_COORDINATOR_EVALUATE_RANKING_H

#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

struct ranking {
    /* n of each, ascending by (p_fake, item). */
    double *p_fake;
    uint8_t *is_fake; /* 0 or 1 */
    uint32_t *item;   /* index in the arrays that the ranking was made from */
    size_t n, n_real, n_fake;
};

/* p_fake[n] in 0..1, is_fake[n] 0 or 1; n < 2^32. An empty ranking is fine.
 * STATUS_INVALID names the first score that is not in 0..1 (NaN is not). *ret_r is closed by the caller. */
enum status ranking_open(const double *p_fake, const uint8_t *is_fake, size_t n, struct ranking *ret_r,
                         struct error *e);
/* The items i of parent with keep[i] != 0, in linear time; keep is indexed by item. */
enum status ranking_subset(const struct ranking *parent, const uint8_t *keep, struct ranking *ret_r, struct error *e);
/* Every item into the ranking of its part, in linear time: part[item] < n_parts, or UINT32_MAX for none. ret_parts[n_parts] are
 * closed by the caller. */
enum status ranking_split(const struct ranking *parent, const uint32_t *part, size_t n_parts, struct ranking *ret_parts,
                          struct error *e);
/* The items of both, which have none in common and hold equal scores in ascending order of item, in linear time. */
enum status ranking_merge(const struct ranking *a, const struct ranking *b, struct ranking *ret_r, struct error *e);
void ranking_close(struct ranking *r); /* NULL-safe content; zeroes *r */

/* The end of the run of equal scores that begins at first. */
static inline size_t ranking_tie_end(const struct ranking *r, size_t first)
{
    size_t end = first + 1;

    while (end < r->n && r->p_fake[end] == r->p_fake[first])
        end++;
    return end;
}

#endif
