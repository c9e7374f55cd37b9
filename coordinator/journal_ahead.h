/* journal_ahead: journal_read with the reading in a thread of its own, so that records are unpacked while those before
 * them are used. In: a journal folder. Out: its records in journal_read's order, in batches. */
#ifndef FAKESIFT_COORDINATOR_JOURNAL_AHEAD_H
#define FAKESIFT_COORDINATOR_JOURNAL_AHEAD_H

#include <stddef.h>

#include "coordinator/journal.h"

enum { JOURNAL_BATCH = 64 };

/* Results are without their prints and extras, and stay until visit returns. Those of segments are whole, and what they hold
 * may be taken by emptying them. Not STATUS_OK: stop. */
typedef enum status journal_visit_batch(void *context, struct result *batch, size_t n, struct error *e);

/* visit is called on this thread, with at most JOURNAL_BATCH results. Where no thread can be made the reading is done
 * here, too. Errors are journal_read's and visit's, the first in the journal's order. */
enum status journal_read_ahead(const char *folder, const char fingerprint[SHA256_HEX_BYTES], journal_visit_batch *visit,
                               void *context, struct journal_summary *ret_summary, struct error *e);

#endif
