/* results_members: the scores of a run's further detectors, for each entry of a manifest: 13 bytes each. Internal to
 * coordinator/results.c.
 * In: a result's members, with the numbers of their messages. Out: outcome, score and that number again. */
#ifndef FAKESIFT_COORDINATOR_RESULTS_MEMBERS_H
#define FAKESIFT_COORDINATOR_RESULTS_MEMBERS_H

#include <stddef.h>
#include <stdint.h>

#include "shard/result.h"

struct member_columns {
    size_t n_entries, n; /* n: of the record with the most members so far */
    struct {
        uint8_t *outcomes; /* OUTCOME_UNDECIDED: the entry's record has no such member */
        double *p_fake;
        uint32_t *messages;
    } columns[RESULT_MAX_MEMBERS];
};

/* Replaces what the entry has. messages[i] is member i's. STATUS_NO_MEMORY. */
enum status member_columns_put(struct member_columns *c, size_t index, const struct result *r,
                               const uint32_t *messages);
void member_columns_clear(struct member_columns *c);

#endif
