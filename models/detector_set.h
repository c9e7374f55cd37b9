/* detector_set: the detectors of a run, from a list of names.
 *
 * In: "A,B,C", each a name or a card's path as in models/detector.h, or an ensemble's; a path that holds a comma stands alone.
 * Out: the detectors that are run (leaves), each once, and the scores that are given (columns): the list's in its order, then
 * members of ensembles that the list does not name. The first column is the run's main one. Names of columns differ. */
#ifndef FAKESIFT_MODELS_DETECTOR_SET_H
#define FAKESIFT_MODELS_DETECTOR_SET_H

#include "models/detector.h"

enum { DETECTORS_MAX = 16 }; /* columns */

struct detector_leaf {
    char *path; /* as detector_open takes it; owned */
    struct card *card;
    char sha256[SHA256_HEX_BYTES];
    struct detector *detector; /* NULL before detector_set_open */
};

struct detector_column {
    char name[sizeof(((struct card *)0)->name)];
    char sha256[SHA256_HEX_BYTES];
    struct card *ensemble;             /* owned; NULL: the score of one leaf */
    unsigned leaves[CARD_MAX_MEMBERS]; /* the ensemble's, in its members' order; or the one */
};

struct detector_set {
    size_t n_leaves, n_columns;
    struct detector_leaf leaves[DETECTORS_MAX];
    struct detector_column columns[DETECTORS_MAX];
};

/* Finds and checks as detector_identify does; opens no network. STATUS_INVALID, besides: one is named twice, two have one
 * name, an ensemble of ensembles, landmarks beside pictures, more than DETECTORS_MAX. detector_set_clear is the caller's. */
enum status detector_set_find(const char *list, struct detector_set *ret_s, struct error *e);
/* Opens every leaf. */
enum status detector_set_open(struct detector_set *s, struct error *e);
void detector_set_clear(struct detector_set *s);

/* The card of the first column: an ensemble's has no sampling of its own. */
const struct card *detector_set_card(const struct detector_set *s);

#endif
