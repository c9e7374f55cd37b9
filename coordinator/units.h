/* units: what a run leases. Unit i below the number of entries is entry i of the manifest, whole; the units beyond are the
 * segments of those that were cut (shard/segment.h).
 *
 * In: each entry's predicted cost and class (shard/plan.h), its cut; then what became of segments, and measured times.
 * Out: what a unit is; its cost, corrected; and when a cut video is decided, or must be worked on whole. Pure state, no
 * clock. Memory: 5 bytes an entry, 20 a cut one. */
#ifndef FAKESIFT_COORDINATOR_UNITS_H
#define FAKESIFT_COORDINATOR_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "coordinator/ledger.h"
#include "shard/plan.h"
#include "shard/segment.h"
#include "shard/status.h"

struct units;

struct unit_place {
    uint32_t entry;
    uint32_t segment, n_segments; /* 0 of 1: the whole */
};

enum status units_open(size_t n_entries, struct units **ret_u);
void units_close(struct units **u); /* NULL-safe; sets *u = NULL */

/* Before units_cut of the entry. */
void units_set_cost(struct units *u, uint32_t entry, double cost_s, unsigned class_number);
/* Entries in ascending order, each once at the most; n_segments 2..SEGMENT_MAX_COUNT. STATUS_INVALID: another order, or
 * more units than a ledger takes. */
enum status units_cut(struct units *u, uint32_t entry, uint32_t n_segments);

size_t units_count(const struct units *u);
size_t units_entries(const struct units *u);
struct unit_place units_place(const struct units *u, uint32_t unit); /* unit < units_count() */
/* The first unit of a cut entry's segments; units_count() for one that is not cut. */
size_t units_first_segment(const struct units *u, uint32_t entry, uint32_t *ret_n);

/* Costs, holds of cut entries, into a ledger of units_count() units that has not leased yet. */
void units_fill(const struct units *u, struct ledger *l);
/* Seconds, as planned. */
double units_prediction(const struct units *u, uint32_t unit);
/* Seconds, as corrected by now. */
double units_cost(const struct units *u, uint32_t unit);
/* A unit took this long. True: the costs have changed by so much that units_reorder is worth its time. */
bool units_learn(struct units *u, uint32_t unit, double measured_s);
void units_reorder(struct units *u, struct ledger *l);

enum unit_verdict {
    UNIT_DECIDED = 1, /* the entry has its result */
    UNIT_GOES_ON,     /* other segments are still to come */
    UNIT_WHOLE,       /* the entry must be worked on whole; its other segments are of no use */
};

/* Before the first lease: a record of this segment is there already, and it is clean. */
void units_mark_done(struct units *u, uint32_t unit);

/* A unit's record is durable, for the first time. state: of a segment. */
enum unit_verdict units_take_result(struct units *u, uint32_t unit, enum segment_state state);

#endif
