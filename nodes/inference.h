/* inference: a detector's networks over one clip -> P(fake).
 *
 * In: patches (8-bit RGB crops or frames, in time order) or a block of landmarks. Out: a probability.
 * Sessions have one fixed shape: frame networks run in batches of one size, padded; temporal and joint networks see
 * exactly the card's number of frames, for which a shorter track is stretched by repeating frames evenly. So a score
 * depends on nothing but the clip. One thread owns it; it allocates nothing after it is open. */
#ifndef FAKESIFT_NODES_INFERENCE_H
#define FAKESIFT_NODES_INFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "models/detector.h"
#include "shard/status.h"

struct inference;

/* The detector outlives it. Runs every network once, so that a process that forks afterwards shares what that prepares. */
enum status inference_open(const struct detector *detector, struct inference **ret_i, struct error *e);
void inference_close(struct inference **i); /* NULL-safe; sets *i = NULL */

/* Floating-point operations of one clip, 2 a multiply-add. */
uint64_t inference_clip_flops(const struct inference *i);

/* patches: n_patches (1..card's frames) tightly packed pictures of the card's crop size. */
enum status inference_patches(struct inference *i, const uint8_t *patches_hwc_u8, unsigned n_patches,
                              double *ret_p_fake, struct error *e);

/* What stands behind a clip's score, of fixed size: rows x width values. The input of the temporal networks, a row a time step
 * (as it was stretched to the card's frames); or, without one, the frame network's P(fake) of each frame, before calibration,
 * a row of them whose places without a frame are NaN. False: a joint network has neither. */
bool inference_feature_size(const struct inference *i, unsigned *ret_rows, unsigned *ret_width);
/* Of the clip that inference_patches had last, with as many patches. */
void inference_copy_features(const struct inference *i, unsigned n_patches, float *ret_values);

/* P(fake) of each of the n_patches frames of the clip that inference_patches had last, calibrated as clips are: what a frame
 * network says of each, or what a temporal or joint network says at each time step (where a shorter track was stretched, the
 * mean of a frame's steps). ret_p: room for n_patches. False: the networks give one score for all frames. */
bool inference_frame_scores(const struct inference *i, unsigned n_patches, float *ret_p);

/* points: the card's frames x (2 * landmark_points) values. */
enum status inference_landmarks(struct inference *i, const float *points, double *ret_p_fake, struct error *e);

#endif
