/* nhwc_winograd: 3 x 3 convolutions of stride 1 by Winograd's minimal filtering F(4x4, 3x3) (Lavin and Gray, "Fast
 * Algorithms for Convolutional Neural Networks", 2016, section 4.3): 36 products where the direct sum takes 144.
 *
 *   tiles of 6 x 6 inputs, 4 apart -> transformed -> 36 matrices of tiles x channels
 *     -> 36 products with the transformed filters -> transformed back -> 4 x 4 outputs a tile
 *
 * float32 only. Rounding is somewhat larger than the direct sum's (tests hold 1e-4 of the largest value). A product's
 * rows do not see each other (kernels.h), so tiles of several images may share it, and an image's bits are its own. */
#ifndef FAKESIFT_MODELS_NHWC_WINOGRAD_H
#define FAKESIFT_MODELS_NHWC_WINOGRAD_H

#include "models/kernels.h"

/* By geometry alone: where it is faster, whatever the batch. */
bool winograd_suits(const struct conv_geometry *g);

struct winograd;

/* weights: channels_out x channels_in x 3 x 3; bias NULL = none; both are only read here. */
enum status winograd_open(const struct kernels *kernels, const struct conv_geometry *g, const float *weights,
                          const float *bias, struct winograd **ret_w, struct error *e);
void winograd_close(struct winograd **w); /* NULL-safe */
size_t winograd_scratch_bytes(const struct winograd *w);
/* n images, one after the other. adds: onto y's old content, before the activation. */
void winograd_run(const struct winograd *w, const float *x, float *y, int64_t n, bool adds,
                  const struct activation *activation, float *scratch);

#endif
