/* main_hash: the content of each file of a corpus, for --hash. */
#ifndef FAKESIFT_COORDINATOR_MAIN_HASH_H
#define FAKESIFT_COORDINATOR_MAIN_HASH_H

#include "shard/manifest.h"

/* Reads every regular file of the manifest, with a thread for each core, and sets its entry's content. A file that cannot
 * be read keeps "": its own outcome will say why. */
enum status main_hash_corpus(struct manifest *m, struct error *e);

#endif
