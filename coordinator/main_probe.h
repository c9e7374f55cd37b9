/* main_probe: the facts of every video of a manifest, read in sandboxed lanes of every rank.
 *
 * In: on rank 0 a manifest, on every rank a zygote without a detector. Out: facts in that manifest, the same for any number
 * of ranks and lanes. Rank 0 sends paths by the hundred to each rank (itself included), which opens them, gives them to its
 * lanes by the batch, and sends facts back. A rank that falls silent loses what it was sent to the others. */
#ifndef FAKESIFT_COORDINATOR_MAIN_PROBE_H
#define FAKESIFT_COORDINATOR_MAIN_PROBE_H

#include "nodes/lane_pool.h"
#include "shard/channel.h"
#include "shard/manifest.h"

struct probe_settings {
    struct manifest *manifest; /* rank 0 */
    unsigned n_lanes;
};

struct probe_end {
    size_t n_unreadable; /* rank 0: videos without facts */
    bool orderly;        /* every rank is well: MPI may be finalised */
};

/* Takes over *z. Other ranks than 0 return when rank 0 lets them go. */
enum status probe_all(const struct probe_settings *settings, struct channel *channel, struct zygote **z,
                      struct probe_end *ret_end, struct error *e);

/* Rank 0, when it has nothing to probe: lets the others go. */
void probe_release(struct channel *channel);

#endif
