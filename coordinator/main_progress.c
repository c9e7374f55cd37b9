#include "coordinator/main_progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "shard/file.h"
#include "shard/log.h"
#include "shard/text.h"

enum { LIVE_US = 500000, LOG_US = 60000000 };

struct progress_line {
    struct progress_settings settings;
    uint64_t outcomes_before[OUTCOME_COUNT];
    char host_name[128];
    int64_t start_us, shown_us, counted_us, filed_us;
    struct lane_use use;
    bool live, drawn, filed, file_failed;
};

/* Everything that is shown, in either form. */
struct figures {
    struct dispatch_progress d;
    size_t n_done, n_in_flight;
    double videos_per_s, frames_per_s, eta_s; /* eta_s < 0: not known */
    uint64_t n_unscored;
};

enum status progress_open(const struct progress_settings *settings, int64_t now_us, struct progress_line **ret_p,
                          struct error *e)
{
    struct progress_line *p = calloc(1, sizeof(*p));

    if (!p)
        return error_no_memory(e);
    *p = (struct progress_line){
        .settings = *settings,
        .start_us = now_us,
        .shown_us = now_us,
        .counted_us = now_us,
        .filed_us = now_us - PROGRESS_FILE_US,
        .live = isatty(STDERR_FILENO) == 1,
    };
    if (settings->outcomes)
        memcpy(p->outcomes_before, settings->outcomes, sizeof(p->outcomes_before));
    gethostname(p->host_name, sizeof(p->host_name) - 1);
    *ret_p = p;
    return STATUS_OK;
}

static void erase(struct progress_line *p)
{
    if (p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = false;
    log_live_line(false);
}

void progress_close(struct progress_line **p)
{
    if (*p)
        erase(*p);
    if (*p && (*p)->filed)
        unlink((*p)->settings.path);
    free(*p);
    *p = NULL;
}

void progress_get_use(const struct progress_line *p, struct lane_use *ret_use)
{
    *ret_use = p->use;
}

static void count_time(struct progress_line *p, const struct dispatch_progress *d, int64_t now_us)
{
    double seconds = (double)(now_us - p->counted_us) / 1e6;
    size_t busy = ledger_leased(p->settings.ledger);
    bool in_tail = ledger_waiting(p->settings.ledger) == 0;
    double idle;

    p->counted_us = now_us;
    /* An agent holds leases ahead of its lanes. */
    if (busy > d->n_lanes)
        busy = d->n_lanes;
    idle = seconds * (double)(d->n_lanes - busy);
    p->use.wall_s += seconds;
    p->use.available_lane_s += seconds * d->n_lanes;
    p->use.idle_lane_s += idle;
    if (in_tail) {
        p->use.tail_s += seconds;
        p->use.tail_idle_lane_s += idle;
    }
    if (d->n_lanes > p->use.n_lanes)
        p->use.n_lanes = d->n_lanes;
}

static void figure(const struct progress_line *p, const struct dispatch_progress *d, int64_t now_us,
                   struct figures *ret_f)
{
    struct figures f = {.d = *d, .n_done = p->settings.n_before + (size_t)d->n_videos};
    size_t here = (size_t)d->n_videos;
    double seconds = (double)(now_us - p->start_us) / 1e6;

    f.n_in_flight = ledger_leased(p->settings.ledger);
    for (unsigned o = 1; o < OUTCOME_COUNT; o++)
        f.n_unscored += outcome_has_score((enum outcome)o) ? 0 : d->outcomes[o];
    f.videos_per_s = seconds > 0 ? (double)here / seconds : 0;
    f.frames_per_s = seconds > 0 ? (double)d->n_frames / seconds : 0;
    f.eta_s = here > 0 ? seconds / (double)here * (double)(p->settings.n_videos - f.n_done) : -1;
    *ret_f = f;
}

static void describe(const struct progress_line *p, const struct figures *f, char *text, size_t room)
{
    char eta[32] = "?";

    if (f->eta_s >= 0)
        snprintf(eta, sizeof(eta), "%d:%02d:%02d", (int)(f->eta_s / 3600), (int)(f->eta_s / 60) % 60,
                 (int)f->eta_s % 60);
    snprintf(text, room,
             "%zu/%zu videos, %.2f videos/s, %.0f frames/s, ETA %s, %llu unscored, %llu failed attempt%s, %u rank%s, "
             "%u lane%s",
             f->n_done, p->settings.n_videos, f->videos_per_s, f->frames_per_s, eta, (unsigned long long)f->n_unscored,
             (unsigned long long)f->d.n_failed_attempts, f->d.n_failed_attempts == 1 ? "" : "s", f->d.n_agents_working,
             f->d.n_agents_working == 1 ? "" : "s", f->d.n_lanes, f->d.n_lanes == 1 ? "" : "s");
}

/* A line that wraps could not be drawn over. */
static void draw(struct progress_line *p, char *text)
{
    struct winsize window;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1 && strlen(text) >= window.ws_col)
        text[window.ws_col - 1] = '\0';
    fprintf(stderr, "\r\033[K%s", text);
    fflush(stderr);
    p->drawn = true;
    log_live_line(true);
}

static void append_figures(const struct progress_line *p, const struct figures *f, struct text *t)
{
    const char *job = getenv("SLURM_JOB_ID");

    text_append_format(t, "{\"fakesift_progress\":1,\"updated_unix_s\":%lld,\"pid\":%ld,\"host\":\"",
                       (long long)time(NULL), (long)getpid());
    text_append_json(t, p->host_name);
    text_append_string(t, "\",\"job\":\"");
    text_append_json(t, job ? job : "");
    text_append_format(t, "\",\"videos\":%zu,\"done\":%zu,\"outcomes\":{", p->settings.n_videos, f->n_done);
    for (unsigned o = 1; o < OUTCOME_COUNT; o++)
        text_append_format(t, "%s\"%s\":%" PRIu64, o > 1 ? "," : "", outcome_name((enum outcome)o),
                           p->outcomes_before[o] + f->d.outcomes[o]);
    text_append_format(t, "},\"videos_per_s\":%.3f,\"frames_per_s\":%.1f,\"eta_s\":", f->videos_per_s, f->frames_per_s);
    if (f->eta_s >= 0)
        text_append_format(t, "%.0f", f->eta_s);
    else
        text_append_string(t, "null");
    text_append_format(t,
                       ",\"agents\":%u,\"agents_lost\":%llu,\"lanes\":%u,\"in_flight\":%zu,\"failed_attempts\":%llu}\n",
                       f->d.n_agents_working, (unsigned long long)f->d.n_lost_agents, f->d.n_lanes, f->n_in_flight,
                       (unsigned long long)f->d.n_failed_attempts);
}

/* A convenience: where it cannot be written the run goes on without. */
static void file(struct progress_line *p, const struct figures *f)
{
    struct error e = {0};
    struct text t = {0};

    append_figures(p, f, &t);
    if (!t.failed && file_write(p->settings.path, t.data, t.len_bytes, &e) == STATUS_OK) {
        p->filed = true;
    } else if (!p->file_failed) {
        p->file_failed = true;
        log_debug("no progress.json: %s", e.text);
    }
    text_clear(&t);
}

void progress_show(struct progress_line *p, const struct dispatch *d, int64_t now_us)
{
    struct dispatch_progress counts;
    struct figures f;
    char text[512];
    bool shows = now_us - p->shown_us >= (p->live ? LIVE_US : LOG_US);
    bool files = p->settings.path && now_us - p->filed_us >= PROGRESS_FILE_US;

    dispatch_get_progress(d, &counts);
    count_time(p, &counts, now_us);
    if (!shows && !files)
        return;
    figure(p, &counts, now_us, &f);
    if (files) {
        p->filed_us = now_us;
        file(p, &f);
    }
    if (!shows)
        return;
    p->shown_us = now_us;
    describe(p, &f, text, sizeof(text));
    if (p->live)
        draw(p, text);
    else
        log_info("%s", text);
}
