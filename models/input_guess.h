/* input_guess: a size for what a network's input leaves open, for tools that run a network which nobody has sized yet
 * (`models info`, `models bench`). Internal to models. */
#ifndef FAKESIFT_MODELS_INPUT_GUESS_H
#define FAKESIFT_MODELS_INPUT_GUESS_H

#include "models/card.h"
#include "models/network.h"

/* Sets open (negative) dimensions of *s to what the card would run the network cn once with: one row, its picture's size, its
 * frames. card and cn may be NULL: then a picture of a common size. */
void input_guess(const struct card *card, const struct card_network *cn, struct tensor_shape *s);

#endif
