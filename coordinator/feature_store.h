/* feature_store: what stands behind clip scores, as arrays for numpy.
 *
 *     FOLDER/features-RANK-STAMP.npy    float32, rows x time steps x values: a shard, written by one process, growing
 *     FOLDER/features-RANK-STAMP.rows   what its rows are: a line of the store, then one a row, each ended by ",."
 *     FOLDER/index.csv                  path,track,clip,start_us,end_us,shard,row of every clip score of a report
 * A row is written before the record of its video goes into the journal, and synced before that is. So the journals decide:
 * index.csv names a row for each clip score in them that has one, and rows of a video that was never recorded (its process
 * was killed) are named by nobody. A row that stands twice, since a video was worked on again, is named once, by the first
 * shard's name; both hold the same values. */
#ifndef FAKESIFT_COORDINATOR_FEATURE_STORE_H
#define FAKESIFT_COORDINATOR_FEATURE_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "coordinator/results.h"
#include "shard/manifest.h"
#include "shard/result.h"

/* Makes the folder. STATUS_MISMATCH: it has rows of a run with another fingerprint. */
enum status feature_store_begin(const char *folder, const char *fingerprint, struct error *e);

struct feature_writer;

struct stored_features {
    uint32_t track, clip;
    int64_t start_us, end_us;
    unsigned steps, values; /* the same in every call of a writer */
    const float *data;      /* steps * values */
};

/* A shard that no other process writes: rank and stamp_ns (the time of its start) name it. Files appear with the first row. */
enum status feature_writer_open(const char *folder, const char *fingerprint, unsigned rank, int64_t stamp_ns,
                                struct feature_writer **ret_w, struct error *e);
enum status feature_writer_add(struct feature_writer *w, const struct result *r, const struct stored_features *x,
                               struct error *e);
/* What was added lasts. */
enum status feature_writer_sync(struct feature_writer *w, struct error *e);
void feature_writer_close(struct feature_writer **w); /* NULL-safe; sets *w = NULL */

/* Writes index.csv, and the true number of rows into the heads of shards whose writers were killed. *ret_n: its rows. */
enum status feature_store_index(const char *folder, const char *fingerprint, const struct manifest *m,
                                const struct results *results, size_t *ret_n, struct error *e);

#endif
