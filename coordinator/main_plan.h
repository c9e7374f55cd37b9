/* main_plan: from a manifest and what is done of it to the units of this start (shard/plan.h, coordinator/units.h).
 * In: facts and sizes, the detector's sampling and measured speed, earlier records. Out: units, and a ledger of them. */
#ifndef FAKESIFT_COORDINATOR_MAIN_PLAN_H
#define FAKESIFT_COORDINATOR_MAIN_PLAN_H

#include "coordinator/reduce.h"
#include "coordinator/units.h"
#include "models/card.h"
#include "nodes/zygote.h"

/* What the detector does with a video, with its speed as the zygote measured it. */
struct plan_work main_plan_work(const struct card *card, const struct zygote *z);

/* Cuts what costs more than bound_s; what an earlier start has begun to do in parts goes on with its cut. The ledger has
 * their costs, and knows what is done. settings->n_units is set here. */
enum status main_plan_open(const struct manifest *m, const struct reduction *before, const struct plan_work *work,
                           double bound_s, struct ledger_settings *settings, struct units **ret_u,
                           struct ledger **ret_l, struct error *e);

#endif
