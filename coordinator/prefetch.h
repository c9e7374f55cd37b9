/* prefetch: which agent should get its next lease now.
 *
 * In: agents with their lanes, leases with their predicted cost, results, the time. Out: yes or no for an agent.
 * An agent gets a lease for each lane, and one ahead for a lane that is expected to be free within PREFETCH_LEAD_US, so
 * that a lane never waits for a message, yet a long unit never waits behind another while some lane elsewhere is free.
 * It holds at most PREFETCH_MAX_AHEAD leases more than it has lanes. In the tail, when fewer units wait than there are
 * lanes, nothing is given ahead: what is left goes to whoever is free first. Pure state, no clock. One thread owns it. */
#ifndef FAKESIFT_COORDINATOR_PREFETCH_H
#define FAKESIFT_COORDINATOR_PREFETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

enum { PREFETCH_LEAD_US = 1000000, PREFETCH_MAX_AHEAD = 128 };

struct prefetch;

enum status prefetch_open(uint32_t n_agents, struct prefetch **ret_p);
void prefetch_close(struct prefetch **p); /* NULL-safe; sets *p = NULL */

/* It has begun to work, again perhaps: it holds nothing. STATUS_NO_MEMORY. */
enum status prefetch_join(struct prefetch *p, uint32_t agent, uint32_t n_lanes);
void prefetch_leave(struct prefetch *p, uint32_t agent);

void prefetch_leased(struct prefetch *p, uint32_t agent, uint64_t lease, double cost_s, int64_t now_us);
/* By a result, a failed attempt or its deadline; a lease that is not known is ignored. */
void prefetch_ended(struct prefetch *p, uint32_t agent, uint64_t lease, int64_t now_us);

/* n_waiting: units that could be leased. */
bool prefetch_wants(const struct prefetch *p, uint32_t agent, size_t n_waiting, int64_t now_us);
size_t prefetch_held(const struct prefetch *p, uint32_t agent);

#endif
