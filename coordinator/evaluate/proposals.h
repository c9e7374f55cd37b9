/* proposals: which stretches of a video a run's scores call fake, for 1M-Deepfakes' second task.
 *
 * In: a video's clips (the highest score of its faces for each), or its frames where the run kept their scores. Out:
 * proposals, the most confident first. Time is cut into cells, one a clip or frame, that meet halfway; the first begins where
 * its clip does, the last ends so. For each threshold of .05, .10, ..., .95 each longest run of cells of at least that score
 * is a proposal, its confidence the mean score over its time; one that several thresholds give stands once. This is what
 * grouping by watershed does (Zhao et al. 2017, temporal actionness grouping) at a tolerance of nothing. */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_PROPOSALS_H
#define FAKESIFT_COORDINATOR_EVALUATE_PROPOSALS_H

#include "coordinator/evaluate/localise.h"
#include "coordinator/frame_reader.h"
#include "shard/result.h"

enum { PROPOSALS_MAX = 50 /* kept of a video: what AR@50 looks at */ };

/* frames may be none. ret_proposals: room for PROPOSALS_MAX. */
enum status proposals_make(const struct result *r, const struct frame_score *frames, size_t n_frames,
                           struct proposal *ret_proposals, size_t *ret_n, struct error *e);

#endif
