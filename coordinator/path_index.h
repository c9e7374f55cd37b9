/* path_index: which entry of a manifest has a path, in one look instead of a search. In: a sorted manifest, which
 * outlives it. Out: indices. 16 to 32 bytes an entry, so it is kept no longer than it is needed. */
#ifndef FAKESIFT_COORDINATOR_PATH_INDEX_H
#define FAKESIFT_COORDINATOR_PATH_INDEX_H

#include <stddef.h>

#include "shard/manifest.h"

struct path_index;

/* STATUS_NO_MEMORY; STATUS_UNSUPPORTED: 2^32 - 1 entries and more. */
enum status path_index_open(const struct manifest *m, struct path_index **ret_x, struct error *e);
void path_index_close(struct path_index **x); /* NULL-safe; sets *x = NULL */
/* SIZE_MAX: no entry has it. */
size_t path_index_find(const struct path_index *x, const char *path);

#endif
