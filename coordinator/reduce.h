/* reduce: the journals of a run -> one result for each entry of its manifest.
 *
 * In: RUN/journal/. Out: an array in the manifest's order. A record counts for the entry with its path and its content; where
 * the record or the entry was made without --hash and so has no content, with its path, size and time of change. Others (of
 * files that are gone or changed) are counted and left out. Of several records of one entry the one
 * with a score wins, then the smaller outcome number, then the earlier in the journal's order; since a score depends
 * on nothing but the file and the detector, the outcome is the same whichever process wrote it when. Records of segments
 * are gathered by video and count as one record of it where they decide it (coordinator/parts.h). */
#ifndef FAKESIFT_COORDINATOR_REDUCE_H
#define FAKESIFT_COORDINATOR_REDUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "coordinator/journal.h"
#include "coordinator/parts.h"
#include "coordinator/results.h"
#include "coordinator/tally.h"
#include "shard/manifest.h"
#include "shard/result.h"

struct reduction {
    struct results *results; /* manifest_count() of them; OUTCOME_UNDECIDED where there is no record */
    size_t count;
    size_t n_decided;
    uint64_t outcomes[OUTCOME_COUNT];
    uint64_t n_duplicates;     /* records beyond the first of an entry */
    uint64_t n_foreign;        /* records of no entry */
    struct record_tally tally; /* of every intact record, also of those that do not count */
    struct parts *parts;       /* records of segments; of videos that they do not decide */
    struct journal_summary journal;
};

/* *ret_r is the caller's to reduction_clear. */
enum status reduce(const char *journal_folder, const char fingerprint[SHA256_HEX_BYTES], const struct manifest *m,
                   struct reduction *ret_r, struct error *e);
void reduction_clear(struct reduction *r);
/* Whether a record with the entry's path is of the entry's file. */
bool reduce_is_of(const struct result *r, const struct manifest_entry *entry);

#endif
