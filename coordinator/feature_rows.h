/* feature_rows: reads what a feature store's shards say of their rows. Internal to feature_store.c and its tests.
 * A file is read up to the first line that is not whole: it may be growing, or its writer was killed. */
#ifndef FAKESIFT_COORDINATOR_FEATURE_ROWS_H
#define FAKESIFT_COORDINATOR_FEATURE_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "shard/hash.h"
#include "shard/manifest.h"

enum { FEATURE_HEAD_BYTES = 128 }; /* of a shard, before its first row */

struct feature_row {
    size_t entry; /* of the manifest */
    uint32_t track, clip;
    uint32_t shard;
    uint64_t row;
};

struct feature_rows {
    struct feature_row *list;
    size_t n, room;
    bool sorted;
};

struct feature_shape {
    unsigned steps, values; /* 0: of another run, or without its first line */
    uint64_t n_rows;        /* whole ones in the shard */
};

/* STATUS_MISMATCH: the file is of a run with another fingerprint. */
enum status feature_rows_check(const char *folder, const char *name, const char *fingerprint, struct error *e);
/* Adds the rows of the manifest's files that the shard holds whole. */
enum status feature_rows_read(struct feature_rows *rows, const char *folder, const char *name, uint32_t shard,
                              const char *fingerprint, const struct manifest *m, struct feature_shape *ret_shape,
                              struct error *e);
/* The first by (shard, row); NULL: there is none. Sorts the list at its first call. */
const struct feature_row *feature_rows_find(struct feature_rows *rows, size_t entry, uint32_t track, uint32_t clip);
void feature_rows_clear(struct feature_rows *rows);

#endif
