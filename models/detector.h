/* detector: a card with everything that it names found, checked and opened. models' public face for nodes/
 * and main.
 *
 * A name is looked for as: a path to a card (.json); NAME in the cache folder of installed detectors
 * ($FAKESIFT_CACHE, else $XDG_CACHE_HOME/fakesift, else ~/.cache/fakesift; as NAME/card.json beside its ONNX
 * files); NAME among the cards that fakesift ships (their weights may be shipped too). Not installed: the
 * error names the `fakesift models fetch` that installs it. */
#ifndef FAKESIFT_MODELS_DETECTOR_H
#define FAKESIFT_MODELS_DETECTOR_H

#include "models/card.h"
#include "models/network.h"
#include "shard/hash.h"

struct detector {
    struct card *card;
    struct network *joint, *frame; /* NULL = absent */
    struct network *temporal[CARD_MAX_NETWORKS];
    struct card *face_card; /* NULL for INPUT_LANDMARKS and face.detector "none" */
    struct network *face_networks[3];
    /* How the networks that score run; detector_open leaves AUTO and F32. */
    enum network_backend backend;
    enum network_precision precision;
    char sha256[SHA256_HEX_BYTES]; /* of cards and weights: changes when anything that scores does */
};

/* Checks the weights' sha256 where the card states it. *ret_d is the caller's. */
enum status detector_open(const char *name_or_path, struct detector **ret_d, struct error *e);
void detector_close(struct detector **d); /* NULL-safe; sets *d = NULL */

/* Finds and checks as detector_open does, and gives only the hash and the card: cheap, opens no network.
 * *ret_card is the caller's. */
enum status detector_identify(const char *name_or_path, struct card **ret_card, char ret_sha256[SHA256_HEX_BYTES],
                              struct error *e);

#endif
