/* main_progress: how far a run is, while it runs. On a terminal one live line, elsewhere a log line a minute.
 * In: the dispatch's counts and the time. Out: standard error. */
#ifndef FAKESIFT_COORDINATOR_MAIN_PROGRESS_H
#define FAKESIFT_COORDINATOR_MAIN_PROGRESS_H

#include "coordinator/dispatch.h"

struct progress_line;

/* n_units: videos of the whole run; n_before: those that earlier starts decided. */
enum status progress_open(size_t n_units, size_t n_before, int64_t now_us, struct progress_line **ret_p,
                          struct error *e);
/* Ends the live line. NULL-safe; sets *p = NULL. */
void progress_close(struct progress_line **p);
/* Shows what there is to show, when it is time. */
void progress_show(struct progress_line *p, const struct dispatch *d, int64_t now_us);

#endif
