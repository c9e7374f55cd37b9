/* card_fields: a card's keys as tables. Internal to models. */
#ifndef FAKESIFT_MODELS_CARD_FIELDS_H
#define FAKESIFT_MODELS_CARD_FIELDS_H

#include "models/fields.h"

/* What a card is, as a bit: the keys that it may and must have depend on it. */
enum {
    CARD_OF_FACES = 1 << 0,
    CARD_OF_FRAMES = 1 << 1,
    CARD_OF_LANDMARKS = 1 << 2,
    CARD_OF_FINDER = 1 << 3,
    CARD_OF_FEATURES = 1 << 4,
    CARD_OF_VIDEOS = CARD_OF_FACES | CARD_OF_FRAMES,
    CARD_OF_PICTURES = CARD_OF_VIDEOS | CARD_OF_FEATURES,
    CARD_OF_DETECTOR = CARD_OF_VIDEOS | CARD_OF_LANDMARKS,
    CARD_OF_ANY = CARD_OF_DETECTOR | CARD_OF_FINDER | CARD_OF_FEATURES,
    CARD_OF_ENSEMBLE = 1 << 5, /* has a table of its own, so that the others keep their hashes */
};

extern const struct field card_notes_fields[]; /* in struct card_notes; none is hashed */
extern const struct field card_fields[];       /* in struct card; [0] is "kind", [1] is "input" */

extern const struct field card_ensemble_fields[]; /* in struct card, of kind "ensemble"; [0] is "kind" */

#endif
