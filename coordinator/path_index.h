/* path_index: which entry of a manifest has a name, in one look instead of a search. A name is an entry's path, the last
 * component of its path, or that without its extension. In: a sorted manifest, which outlives the index. Out: indices.
 * 16 to 32 bytes an entry, so it is kept no longer than it is needed. Hashed under a secret key: hostile names cannot make
 * it slow. */
#ifndef FAKESIFT_COORDINATOR_PATH_INDEX_H
#define FAKESIFT_COORDINATOR_PATH_INDEX_H

#include <stddef.h>

#include "shard/manifest.h"

struct path_index;

enum path_part { PATH_WHOLE, PATH_BASE, PATH_STEM };

/* Of every entry, or of those that are not labelled fake. STATUS_NO_MEMORY; STATUS_UNSUPPORTED: 2^31 - 1 entries and
 * more. */
enum status path_index_open(const struct manifest *m, enum path_part part, bool without_fakes,
                            struct path_index **ret_x, struct error *e);
void path_index_close(struct path_index **x); /* NULL-safe; sets *x = NULL */
/* SIZE_MAX: no entry has that name, or two have. */
size_t path_index_find(const struct path_index *x, const char *name);

#endif
