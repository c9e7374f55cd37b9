/* main_precision: what a lower precision does to scores. In: a detector and a corpus. Out: both scores of each video. */
#ifndef FAKESIFT_COORDINATOR_MAIN_PRECISION_H
#define FAKESIFT_COORDINATOR_MAIN_PRECISION_H

#include <stdio.h>

#include "shard/status.h"

/* detector: a name or a card. corpus: a folder, a CSV list or a manifest. STATUS_UNSUPPORTED where this processor has
 * no bf16. */
enum status main_compare_precision(const char *detector, const char *corpus, FILE *out, struct error *e);

#endif
