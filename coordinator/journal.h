/* journal: what is finished stays finished. Each rank appends the results of its units to a segment of its own in
 * RUN/journal/; a result is reported only after its segment was synced to disk.
 *
 * Bytes of a segment, integers little-endian:
 *     0   8  "FSJRNL01"
 *     8  64  the run's fingerprint, lower-case hex SHA-256 (what may change a score: detector, protocol, versions)
 *    72      records: u32 CRC32C of all that follows in the record, u32 length of the payload, payload (result_pack)
 * A torn tail (a record that ends past the file) is left where it is and skipped by readers: segments are never written
 * again after the process that made them ended. A record whose CRC does not match is skipped and counted, its unit is
 * done again; reading goes on at the next record when the length is believable. */
#ifndef FAKESIFT_COORDINATOR_JOURNAL_H
#define FAKESIFT_COORDINATOR_JOURNAL_H

#include "shard/hash.h"
#include "shard/result.h"
#include "shard/status.h"

struct journal_writer;

/* Creates FOLDER/TIME-PID-rankN.journal, never an existing one. time_ns: anything that differs between starts. */
enum status journal_writer_open(const char *folder, const char fingerprint[SHA256_HEX_BYTES], unsigned rank,
                                int64_t time_ns, struct journal_writer **ret_w, struct error *e);
/* Appends to memory; the record is durable after the next journal_writer_flush that succeeds. */
enum status journal_writer_append(struct journal_writer *w, const struct result *r, struct error *e);
/* Writes and syncs what was appended. After a failure (disk full, read-only) nothing of this batch counts as
 * recorded, and every later call fails as well. */
enum status journal_writer_flush(struct journal_writer *w, struct error *e);
void journal_writer_close(struct journal_writer **w); /* without a flush; NULL-safe; sets *w = NULL */

struct journal_summary {
    uint64_t n_segments, n_records;
    uint64_t n_torn;           /* segments that end in the middle of a record */
    uint64_t n_corrupt;        /* records whose bytes are damaged */
    char corrupt_example[256]; /* "SEGMENT at byte N", "" when none */
};

/* Takes ownership of what *r holds by emptying it, or leaves it to be cleared by the reader. Not STATUS_OK: stop. */
typedef enum status journal_visit(void *context, struct result *r, struct error *e);

/* Visits every intact record of every segment of the folder that carries the fingerprint, segments in byte order of
 * their names. A folder that does not exist has no records. STATUS_MISMATCH: a segment of another fingerprint. */
enum status journal_read(const char *folder, const char fingerprint[SHA256_HEX_BYTES], journal_visit *visit,
                         void *context, struct journal_summary *ret_summary, struct error *e);

#endif
