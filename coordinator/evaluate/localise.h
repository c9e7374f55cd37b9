/* localise: how well proposals of fake stretches meet the true ones, as 1M-Deepfakes' second task measures it.
 *
 * In: for each video its true stretches and its proposals, the most confident first. Out: figures; no files, no clock, the
 * same bits on every machine.
 *
 * Definitions
 *   IoU       the length of what two stretches share over the length from the first's begin to the last's end.
 *   AP@x      proposals of all videos by falling confidence (equal ones in the order of videos). Within a video each true
 *             stretch in turn takes the most confident proposal that none before it took and whose IoU exceeds x; those are
 *             hits. The area under precision over recall, precision at a recall being the best at that recall or more. The
 *             challenge's own code leaves out the area before the first proposal, 1/stretches of an AP at the most.
 *   AR@N      of the N most confident proposals of each video: the share of all true stretches that one of them exceeds x
 *             with, mean over x = .50, .55, ..., .95. A stretch in a video without proposals is missed; the challenge's own
 *             code leaves it out.
 *   score     sum of AP@.5, .75, .9, .95 over 8 and of AR@50, 30, 20, 10, 5 over 10.
 *   interval  percentile, over replicates that draw videos with replacement. */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_LOCALISE_H
#define FAKESIFT_COORDINATOR_EVALUATE_LOCALISE_H

#include <stddef.h>
#include <stdint.h>

#include "shard/spans.h"
#include "shard/status.h"

struct proposal {
    double confidence, start_s, end_s;
};

enum { LOCALISE_APS = 4, LOCALISE_ARS = 5, LOCALISE_FIGURES = LOCALISE_APS + LOCALISE_ARS + 1 };

/* "ap_0.5", ..., "ar_50", ..., "score": the order of struct localisation's figures. */
extern const char *const localise_names[LOCALISE_FIGURES];

struct localise_input {
    size_t n_videos;
    const struct span_s *spans;
    const size_t *first_span; /* n_videos + 1: video v has spans[first_span[v]] up to before spans[first_span[v + 1]] */
    const struct proposal *proposals;
    const size_t *first_proposal; /* n_videos + 1 */
};

struct localisation {
    size_t n_videos, n_spans, n_proposals;
    double figures[LOCALISE_FIGURES]; /* NaN where there is no true stretch */
    uint32_t replicates;              /* 0: no intervals */
    double low[LOCALISE_FIGURES], high[LOCALISE_FIGURES];
};

/* Falling confidence, then earlier, then shorter. */
void proposals_sort(struct proposal *proposals, size_t n);

/* ret_scores: NULL, or room for the score in each replicate; two inputs of the same videos are resampled alike. */
enum status localise(const struct localise_input *in, uint32_t replicates, uint64_t seed, struct localisation *ret_l,
                     double *ret_scores, struct error *e);

#endif
