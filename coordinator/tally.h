/* tally: what a rank has recorded, counted while it records, so that the journals can be checked against it at the end.
 *
 * In: results. Out: counts, all of them whole numbers, so that they add up the same in any order: the sum of scores is in
 * units of 2^-40, each score cut down to them. Adding ranks is adding fields. */
#ifndef FAKESIFT_COORDINATOR_TALLY_H
#define FAKESIFT_COORDINATOR_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard/result.h"

struct record_tally {
    uint64_t n_records;
    uint64_t outcomes[OUTCOME_COUNT];
    uint64_t n_frames, n_tracks;
    uint64_t score_sum; /* 2^-40 */
    uint64_t wall_us;   /* of lanes */
};

enum { RECORD_TALLY_BYTES = 8 * (5 + OUTCOME_COUNT) };

void record_tally_add(struct record_tally *t, const struct result *r);
void record_tally_merge(struct record_tally *t, const struct record_tally *other);
/* other was counted before t and is part of it. */
void record_tally_subtract(struct record_tally *t, const struct record_tally *other);

/* Little-endian, for a message. */
void record_tally_pack(const struct record_tally *t, uint8_t ret_bytes[RECORD_TALLY_BYTES]);
void record_tally_unpack(const uint8_t bytes[RECORD_TALLY_BYTES], struct record_tally *ret_t);

/* Whether no count of t is below other's. */
bool record_tally_covers(const struct record_tally *t, const struct record_tally *other);

/* STATUS_MISMATCH names the first count that differs, both numbers, and what to do. */
enum status record_tally_check(const struct record_tally *counted, const struct record_tally *in_journals,
                               const char *journal_folder, struct error *e);

#endif
