/* results: one result for each entry of a manifest, packed, so that ten million of them fit.
 *
 * In: struct result, one at a time. Out: the same fields again, through a reader, all but path, size_bytes and mtime_ns,
 * which are the manifest's. A result takes about 60 bytes and 20 for each clip: outcome and score in arrays of their own
 * (what most passes over all videos read), the rest as variable-length integers, texts that repeat kept once.
 * Filled by one thread; then any number of readers, each of one thread. */
#ifndef FAKESIFT_COORDINATOR_RESULTS_H
#define FAKESIFT_COORDINATOR_RESULTS_H

#include <stddef.h>

#include "shard/result.h"
#include "shard/status.h"

struct results;

/* n results, all undecided. */
enum status results_open(size_t n, struct results **ret_t);
void results_close(struct results **t); /* NULL-safe; sets *t = NULL */

size_t results_count(const struct results *t);
/* Copies r in the place of what is there. index < results_count(t). STATUS_INVALID: an unknown outcome, a score outside
 * 0..1 where the outcome has one, more than RESULT_MAX_CLIPS clips, or facts that break their rules. STATUS_NO_MEMORY. */
enum status results_put(struct results *t, size_t index, const struct result *r);

enum outcome results_outcome(const struct results *t, size_t index);
double results_p_fake(const struct results *t, size_t index); /* NaN without a score */
size_t results_n_clips(const struct results *t, size_t index);
/* Asks the memory for what results_put(t, index) writes. */
void results_near(const struct results *t, size_t index);

/* What a further detector of the run made of a video. */
struct member_score {
    enum outcome outcome; /* the video's own where its record has no members and no score */
    double p_fake;        /* NaN without a score */
    const char *message;  /* the table's; "" where the outcome is the video's own, whose message says why */
};

/* member: below RESULT_MAX_MEMBERS, in the run's order. */
struct member_score results_member(const struct results *t, size_t index, size_t member);

struct results_reader;

enum status results_reader_open(const struct results *t, struct results_reader **ret_r);
void results_reader_close(struct results_reader **r); /* NULL-safe; sets *r = NULL */
/* Valid until the reader's next call. */
const struct result *results_get(struct results_reader *r, size_t index);

#endif
