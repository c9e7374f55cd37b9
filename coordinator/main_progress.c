#include "coordinator/main_progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "shard/log.h"

enum { LIVE_US = 500000, LOG_US = 60000000 };

struct progress_line {
    size_t n_units, n_before;
    int64_t start_us, shown_us;
    bool live, drawn;
};

enum status progress_open(size_t n_units, size_t n_before, int64_t now_us, struct progress_line **ret_p,
                          struct error *e)
{
    struct progress_line *p = calloc(1, sizeof(*p));

    if (!p)
        return error_no_memory(e);
    *p = (struct progress_line){
        .n_units = n_units,
        .n_before = n_before,
        .start_us = now_us,
        .shown_us = now_us,
        .live = isatty(STDERR_FILENO) == 1,
    };
    *ret_p = p;
    return STATUS_OK;
}

void progress_close(struct progress_line **p)
{
    if (*p && (*p)->drawn)
        fputs("\r\033[K", stderr);
    free(*p);
    *p = NULL;
}

static void describe(const struct progress_line *p, const struct dispatch *d, int64_t now_us, char *text, size_t room)
{
    struct dispatch_progress c;
    size_t done, here;
    double seconds = (double)(now_us - p->start_us) / 1e6, left_s;
    uint64_t n_unscored = 0;
    char eta[32] = "?";

    dispatch_get_progress(d, &c);
    here = (size_t)c.n_videos;
    done = p->n_before + here;
    for (unsigned o = 1; o < OUTCOME_COUNT; o++)
        n_unscored += outcome_has_score((enum outcome)o) ? 0 : c.outcomes[o];
    left_s = here > 0 ? seconds / (double)here * (double)(p->n_units - done) : -1;
    if (left_s >= 0)
        snprintf(eta, sizeof(eta), "%d:%02d:%02d", (int)(left_s / 3600), (int)(left_s / 60) % 60, (int)left_s % 60);
    snprintf(text, room,
             "%zu/%zu videos, %.2f videos/s, %.0f frames/s, ETA %s, %llu unscored, %llu failed attempts, "
             "%u ranks, %u lanes",
             done, p->n_units, (double)here / seconds, (double)c.n_frames / seconds, eta,
             (unsigned long long)n_unscored, (unsigned long long)c.n_failed_attempts, c.n_agents_working, c.n_lanes);
}

void progress_show(struct progress_line *p, const struct dispatch *d, int64_t now_us)
{
    char text[512];

    if (now_us - p->shown_us < (p->live ? LIVE_US : LOG_US))
        return;
    p->shown_us = now_us;
    describe(p, d, now_us, text, sizeof(text));
    if (p->live) {
        fprintf(stderr, "\r\033[K%s", text);
        fflush(stderr);
        p->drawn = true;
    } else {
        log_info("%s", text);
    }
}
