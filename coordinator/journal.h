/* journal: what is finished stays finished. Each rank appends the results of its units to a segment of its own in
 * RUN/journal/; a result is reported only after its segment was synced to disk.
 *
 * Bytes of a segment, integers little-endian:
 *     0   8  "FSJRNL01"
 *     8  64  the run's fingerprint, lower-case hex SHA-256 (what may change a score: detector, protocol, versions)
 *    72      records: u32 CRC32C of all that follows in the record, u32 length of the payload, payload (result_pack)
 * A torn tail (the process died while it wrote) is left where it is and skipped by readers: segments are never written
 * again after the process that made them ended. Bytes that are no sound record are skipped and named, and reading goes on
 * at the next sound record, which is looked for at every byte, so that a damaged length costs its own record alone. The
 * units of what was skipped have no record and are done again. A path cannot pass for a record, since a record's length
 * has a zero byte and a path has none. */
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

enum { JOURNAL_NAMED_DAMAGES = 16 };

/* Bytes of a segment that are no sound record. */
struct journal_damage {
    char segment[128];           /* the file's name */
    uint64_t at_byte, len_bytes; /* from the first byte that is not sound to the next sound record or the end */
    bool torn;                   /* the end of a record is missing, as when its writer was killed */
};

struct journal_summary {
    uint64_t n_segments, n_records;
    uint64_t n_torn;    /* segments that end in the middle of a record */
    uint64_t n_corrupt; /* other stretches of damaged bytes */
    struct journal_damage
        damages[JOURNAL_NAMED_DAMAGES]; /* the first ones, those that are not torn before the others */
    unsigned n_named;
};

/* Takes ownership of what *r holds by emptying it, or leaves it to be cleared by the reader. Not STATUS_OK: stop. */
typedef enum status journal_visit(void *context, struct result *r, struct error *e);

/* Visits every intact record of every segment of the folder that carries the fingerprint, segments in byte order of
 * their names. A folder that does not exist has no records. STATUS_MISMATCH: a segment of another fingerprint.
 * STATUS_UNSUPPORTED: a segment of another version. One whose head is damaged otherwise is skipped whole and named. */
enum status journal_read(const char *folder, const char fingerprint[SHA256_HEX_BYTES], journal_visit *visit,
                         void *context, struct journal_summary *ret_summary, struct error *e);

/* The same before a record is unpacked. payload stays until visit returns. STATUS_AGAIN: it is no result, so these bytes are
 * damage like others. */
typedef enum status journal_visit_payload(void *context, const uint8_t *payload, size_t len_bytes, struct error *e);
enum status journal_walk(const char *folder, const char fingerprint[SHA256_HEX_BYTES], journal_visit_payload *visit,
                         void *context, struct journal_summary *ret_summary, struct error *e);

#endif
