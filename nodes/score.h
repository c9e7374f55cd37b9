/* score: one video (or landmark file) through a detector, or through several that share what they can (nodes/score_pass.h).
 *
 * In: an open descriptor. Out: a struct result without identity and timings of the agent: outcome, score, clips, facts.
 *     descriptor -> decoder -> faces -> tracks -> crops -> frame network -> temporal network -> clip scores
 *                -> (shard/segment.h) tracks through the video -> track scores -> video score
 * The networks' sessions are opened and run once by scorer_open, so a process that forks afterwards shares them.
 * Nothing but the bytes of the file and the detector decides the result: batches are padded to one size, sums run in one
 * order. One thread owns a scorer. */
#ifndef FAKESIFT_NODES_SCORE_H
#define FAKESIFT_NODES_SCORE_H

#include "models/detector_set.h"
#include "nodes/finds.h"
#include "nodes/notes.h"
#include "nodes/window.h"
#include "shard/result.h"
#include "shard/status.h"

struct scorer;

/* The detector outlives the scorer. Errors name the card's key that the networks contradict. */
enum status scorer_open(const struct detector *detector, struct scorer **ret_s, struct error *e);
/* The same for every leaf of an opened set, which outlives the scorer: the first column's result has the other columns' as its
 * members. A failure of one detector's networks is then its own outcome. */
enum status scorer_open_set(const struct detector_set *set, struct scorer **ret_s, struct error *e);
/* Seconds of one core for the networks over a clip and for the face search in a frame, for whoever plans the work, of all detectors by the first one's clips and frames: timed
 * at scorer_open, but for networks so large that this would hold up the start; those are reckoned from their operations. */
void scorer_speed(const struct scorer *s, double *ret_clip_s, double *ret_face_s);
void scorer_close(struct scorer **s); /* NULL-safe; sets *s = NULL */

/* From now on what is found besides scores is kept, as settings say (nodes/finds.h). */
void scorer_keep_finds(struct scorer *s, const struct finds_settings *settings);
/* Of the last scorer_run, settled; none of a part of a video. They stay the scorer's until the next run. */
const struct finds *scorer_finds(const struct scorer *s);

/* Which part of the video: segment index of count (shard/segment.h); 0 of 1 is the whole. */
struct scorer_part {
    uint32_t index, count;
    struct window window; /* default: the whole file */
};

/* Never fails for a bad file: that is an outcome. STATUS_NO_MEMORY and the like are ours. notes may be NULL.
 * *ret_result is the caller's to result_clear; it has a segment when a part was asked for, as each member has. A part of an
 * ensemble's video is STATUS_BUG: its score is not joined. */
enum status scorer_run(struct scorer *s, int fd, const struct scorer_part *part, struct lane_notes *notes,
                       struct result *ret_result, struct error *e);

#endif
