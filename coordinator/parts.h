/* parts: the records of segments of videos, until they make a whole.
 *
 * In: a journal's records of segments, in any order, any number of times, of any cut. Out: a result for each video that
 * they decide; and for the others, which cut to go on with and which of its segments are there.
 * A video is decided when all segments of one cut are clean (they are joined), or when one of them failed (its outcome is
 * the video's; of several the first segment's). A troubled one decides nothing: then only a whole record does. */
#ifndef FAKESIFT_COORDINATOR_PARTS_H
#define FAKESIFT_COORDINATOR_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "shard/result.h"
#include "shard/status.h"

struct parts;

enum status parts_open(struct parts **ret_p);
void parts_close(struct parts **p); /* NULL-safe; sets *p = NULL */

/* r has a segment. Takes what r holds, or leaves it when a better or equal record is there: *ret_kept tells. */
enum status parts_take(struct parts *p, uint32_t entry, struct result *r, bool *ret_kept, struct error *e);

/* Takes ownership of what *r holds by emptying it, or leaves it to be cleared. Not STATUS_OK: stop. */
typedef enum status parts_visit(void *context, uint32_t entry, struct result *r, struct error *e);
/* Visits each decided video, entries in ascending order, and frees the parts of those that were joined. */
enum status parts_join(struct parts *p, parts_visit *visit, void *context, struct error *e);

/* The number of segments to go on with: 0: none are there; 1: the video must be worked on whole. */
uint32_t parts_cut(const struct parts *p, uint32_t entry);
bool parts_has(const struct parts *p, uint32_t entry, uint32_t n_segments, uint32_t index);

#endif
