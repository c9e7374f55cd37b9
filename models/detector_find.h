/* detector_find: where the card and the files of a name are, with their checks and hash. Opens no network.
 * Internal to models. */
#ifndef FAKESIFT_MODELS_DETECTOR_FIND_H
#define FAKESIFT_MODELS_DETECTOR_FIND_H

#include "models/card.h"
#include "shard/hash.h"

enum { FOUND_MAX_FILES = CARD_MAX_NETWORKS + 2 };

struct found {
    struct card *card;
    char *card_path;
    char *files[FOUND_MAX_FILES]; /* paths, as card_network_at() counts them; NULL beyond the last */
    char sha256[FOUND_MAX_FILES][SHA256_HEX_BYTES];
};

/* name_or_path as in models/detector.h; kind 0 = either. Every file exists and has the sha256 that the card
 * states. *ret_f is cleared by found_clear after success and untouched on failure. */
enum status detector_find(const char *name_or_path, unsigned kind, struct found *ret_f, struct error *e);
void found_clear(struct found *f);

/* That a detector's card and its face detector's (NULL = none) fit each other. STATUS_INVALID: names the key. */
enum status found_check_pair(const struct found *f, const struct found *face, struct error *e);

/* That a card's own networks have the inputs and outputs that it says, and can be prepared for its sizes. In detector.c. */
enum status found_check_networks(const struct found *f, struct error *e);

/* Of a detector and its face detector (NULL = none). */
enum status found_hash(const struct found *f, const struct found *face, char ret_sha256[SHA256_HEX_BYTES],
                       struct error *e);

#endif
