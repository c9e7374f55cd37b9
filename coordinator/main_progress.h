/* main_progress: how far a run is, while it runs. On a terminal one live line, elsewhere a log line a minute; and
 * RUN/progress.json every PROGRESS_FILE_US, for `fakesift status`.
 * In: the dispatch's counts and the time. Out: standard error, that file, and at the end how well the lanes were used. */
#ifndef FAKESIFT_COORDINATOR_MAIN_PROGRESS_H
#define FAKESIFT_COORDINATOR_MAIN_PROGRESS_H

#include "coordinator/dispatch.h"
#include "coordinator/ledger.h"

struct progress_line;

enum { PROGRESS_FILE_US = 2000000 };

struct progress_settings {
    size_t n_videos, n_before;   /* of the whole run; those that earlier starts decided */
    const struct ledger *ledger; /* outlives it */
    const uint64_t *outcomes;    /* OUTCOME_COUNT of them, of earlier starts; copied; NULL: none */
    const char *path;            /* of progress.json; outlives it; NULL: none is written */
};

/* How well the lanes were used, as rank 0 saw it. */
struct lane_use {
    double wall_s;                   /* from the start of the dispatch */
    double available_lane_s;         /* lanes that had said hello, over time */
    double idle_lane_s;              /* of these, without a video */
    double tail_s, tail_idle_lane_s; /* the same after the last video was given out */
    uint32_t n_lanes;                /* at the most */
};

enum status progress_open(const struct progress_settings *settings, int64_t now_us, struct progress_line **ret_p,
                          struct error *e);
/* Ends the live line and removes the file. NULL-safe; sets *p = NULL. */
void progress_close(struct progress_line **p);
/* Counts the time since the last call, and shows what there is to show, when it is time. */
void progress_show(struct progress_line *p, const struct dispatch *d, int64_t now_us);
void progress_get_use(const struct progress_line *p, struct lane_use *ret_use);

#endif
