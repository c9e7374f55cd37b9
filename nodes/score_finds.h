/* score_finds: what the scorer keeps of a clip besides its score. In: the clip's patches or points, as the networks had them.
 * Out: finds (nodes/finds.h). Does nothing where the settings ask for nothing. */
#ifndef FAKESIFT_NODES_SCORE_FINDS_H
#define FAKESIFT_NODES_SCORE_FINDS_H

#include "nodes/finds.h"
#include "nodes/inference.h"

/* p: of the clip that inference_patches had last. */
enum status score_keep_finds(struct finds *f, const struct finds_settings *settings, const struct card *card,
                             const struct inference *inference, const struct finds_patches *p, struct error *e);
enum status score_keep_points(struct finds *f, const struct finds_settings *settings, uint32_t source,
                              const float *points, unsigned rows, unsigned width, struct error *e);

#endif
