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

/* The same in steps, for many names at a time: path_index_hash of each, then PATH_INDEX_STEPS rounds of path_index_near
 * over all of them, then path_index_find_hashed. Each step asks the memory for what the next one reads, so that the names
 * wait together and not one after the other. */
enum { PATH_INDEX_STEPS = 3 };
uint64_t path_index_hash(const struct path_index *x, const char *name);
void path_index_near(const struct path_index *x, uint64_t hash, int step);
size_t path_index_find_hashed(const struct path_index *x, const char *name, uint64_t hash);

#endif
