/* ensemble: an ensemble card's keys, and its rule. In: the members' scores of one video. Out: its own. Pure. */
#ifndef FAKESIFT_MODELS_ENSEMBLE_H
#define FAKESIFT_MODELS_ENSEMBLE_H

#include <stdbool.h>

struct card;

/* p_fake: one for each of the card's members, in their order, NaN where it has no score. False, and *ret_p untouched: too few
 * have one (ensemble.needs). */
bool ensemble_combine(const struct card *card, const double *p_fake, double *ret_p);

#endif
