/* segment_standings: submissions of proposals (1M-Deepfakes' second task) against the fake stretches of a truth, ranked by
 * the board's score. In: a truth whose fakes have fake_segments, and valid submissions. Out: figures with intervals, and how
 * often the better of two neighbours is ahead when the videos are drawn again. */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_SEGMENT_STANDINGS_H
#define FAKESIFT_COORDINATOR_EVALUATE_SEGMENT_STANDINGS_H

#include "coordinator/evaluate/submission.h"

struct segment_row {
    const struct submission *submission;
    struct localisation figures;
    double ahead_of_next; /* share of the replicates with a higher score than the next in the order; NaN: unknown */
};

struct segment_standings {
    size_t n_videos, n_spans;
    size_t n_left_out;        /* fakes whose stretches the truth does not state */
    struct segment_row *rows; /* best first; equals in the order given */
    size_t n;
};

/* counts: by entry of the truth. STATUS_INVALID: the truth has no fake_segments among those that count. */
enum status segment_standings_make(const struct truth *t, struct submission *const *submissions, size_t n,
                                   const uint8_t *counts, uint32_t replicates, uint64_t seed,
                                   struct segment_standings *ret_s, struct error *e);
void segment_standings_clear(struct segment_standings *s);

/* The truth's stretches of the videos that count, as localise wants them; n_left_out: fakes without. */
struct truth_spans {
    uint32_t *entry; /* of each video */
    struct span_s *spans;
    size_t *first_span, n_videos, n_left_out;
};
/* counts: NULL: all labelled ones. */
enum status truth_spans_open(const struct manifest *m, const uint8_t *counts, struct truth_spans *ret_t,
                             struct error *e);
void truth_spans_close(struct truth_spans *t); /* accepts a zeroed one; zeroes it */

#endif
