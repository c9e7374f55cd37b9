/* main_progress: how far a run is, while it runs. On a terminal one live line, elsewhere a log line a minute.
 * In: the dispatch's counts and the time. Out: standard error. */
#ifndef FAKESIFT_COORDINATOR_MAIN_PROGRESS_H
#define FAKESIFT_COORDINATOR_MAIN_PROGRESS_H

#include "coordinator/dispatch.h"
#include "coordinator/ledger.h"

struct progress_line;

/* n_units and the ledger: of the whole run, units of earlier starts included. The ledger outlives it. */
enum status progress_open(size_t n_units, const struct ledger *ledger, int64_t now_us, struct progress_line **ret_p,
                          struct error *e);
/* Ends the live line. NULL-safe; sets *p = NULL. */
void progress_close(struct progress_line **p);
/* Shows what there is to show, when it is time. */
void progress_show(struct progress_line *p, const struct dispatch *d, int64_t now_us);

#endif
