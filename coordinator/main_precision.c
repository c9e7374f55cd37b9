/* fakesift models check --compare-precision. In: a detector, a corpus. Out: how far bf16 moves each video's score.
 *
 * The corpus goes twice through sandboxed lanes, first in f32, then in bf16, with all else equal; a line a video, then
 * the largest and the mean change and how many videos change sides at 0.5. */
#include "coordinator/main_precision.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "nodes/lane_pool.h"
#include "nodes/video_open.h"
#include "shard/clock.h"
#include "shard/layout.h"
#include "shard/text.h"

enum { TIMEOUT_S = 600, TICK_MS = 1000, LANE_MEMORY_MIB = 1536 };

struct verdict {
    enum outcome outcome;
    double p_fake; /* NaN without a score */
};

struct pass {
    const struct manifest *manifest;
    struct lane_pool *pool;
    int root_fd;
    size_t next;
    struct verdict *verdicts; /* one an entry */
};

static enum status start_next(struct pass *p, struct error *e)
{
    size_t i = p->next++;
    const struct manifest_entry *entry = manifest_entry(p->manifest, i);
    const struct lane_video video = {
        .fd = video_open_file(p->root_fd, entry->path, entry->archive_bytes),
        .window = video_window(entry->archive_bytes, entry->offset_bytes, entry->size_bytes),
    };

    if (video.fd >= 0)
        return lane_pool_start_video(p->pool, i, &video, clock_monotonic_us(), e);
    p->verdicts[i].outcome = OUTCOME_MISSING;
    return STATUS_OK;
}

static enum status take(struct pass *p, struct lane_pool_event *event, struct error *e)
{
    struct verdict *v = &p->verdicts[event->token];

    switch (event->kind) {
    case LANE_POOL_RESULT:
        v->outcome = event->result.outcome;
        v->p_fake = event->result.p_fake;
        result_clear(&event->result);
        return STATUS_OK;
    case LANE_POOL_FAILED:
        v->outcome = event->outcome;
        return STATUS_OK;
    default:
        error_set(e, STATUS_IO, "%s: %s", manifest_entry(p->manifest, (size_t)event->token)->path, event->message);
        return STATUS_IO;
    }
}

static enum status pass_loop(struct pass *p, struct error *e)
{
    size_t n = manifest_count(p->manifest);

    while (p->next < n || lane_pool_busy(p->pool) > 0) {
        struct lane_pool_event event;
        struct pollfd fds[LANE_POOL_MAX_LANES + 1];
        enum status s = lane_pool_next(p->pool, clock_monotonic_us(), &event, e);

        if (s == STATUS_OK)
            s = take(p, &event, e);
        else if (s == STATUS_AGAIN)
            s = STATUS_OK;
        while (s == STATUS_OK && p->next < n && lane_pool_free(p->pool) > 0)
            s = start_next(p, e);
        if (s != STATUS_OK)
            return s;
        poll(fds, lane_pool_poll_set(p->pool, fds, LANE_POOL_MAX_LANES + 1), TICK_MS);
    }
    return STATUS_OK;
}

static enum status run_pass(const struct manifest *m, const char *detector, enum network_precision precision,
                            struct verdict *verdicts, struct error *e)
{
    const struct zygote_settings zygote_settings = {
        .detector = detector,
        .backend = NETWORK_BACKEND_ONEDNN,
        .precision = precision,
        .lane_memory_bytes = (uint64_t)LANE_MEMORY_MIB << 20,
    };
    struct lane_pool_settings settings = {.work = LANE_SCORE, .timeout_us = (int64_t)TIMEOUT_S * 1000000};
    struct pass p = {.manifest = m, .verdicts = verdicts};
    struct zygote *zygote = NULL;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    enum status s = zygote_start(&zygote_settings, &zygote, e);

    settings.n_lanes = cpus < 1 ? 1 : cpus > LANE_POOL_MAX_LANES ? LANE_POOL_MAX_LANES : (unsigned)cpus;
    if (s == STATUS_OK)
        s = zygote_wait(zygote, e);
    if (s == STATUS_OK)
        s = lane_pool_open(&settings, &zygote, &p.pool, e);
    zygote_stop(&zygote);
    if (s != STATUS_OK)
        return s;
    p.root_fd = open(manifest_root(m), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (p.root_fd < 0) {
        s = error_set_errno(e, errno, "%s: cannot open", manifest_root(m));
    } else {
        s = pass_loop(&p, e);
        close(p.root_fd);
    }
    lane_pool_close(&p.pool);
    return s;
}

struct comparison {
    size_t n_compared, n_crossed, n_other_outcome, worst;
    double sum, largest;
};

static void append_verdict(struct text *t, const struct verdict *v)
{
    text_append_format(t, ",%s,", outcome_name(v->outcome));
    text_append_double(t, v->p_fake);
}

static void append_video(struct text *t, const struct manifest *m, size_t i, const struct verdict *f32,
                         const struct verdict *bf16, struct comparison *c)
{
    double change = bf16->p_fake - f32->p_fake;

    text_append_csv(t, manifest_entry(m, i)->path);
    append_verdict(t, f32);
    append_verdict(t, bf16);
    text_append_string(t, ",");
    text_append_double(t, change);
    text_append_string(t, "\n");
    c->n_other_outcome += f32->outcome != bf16->outcome;
    if (isnan(change))
        return;
    if (c->n_compared++ == 0 || fabs(change) > c->largest) {
        c->largest = fabs(change);
        c->worst = i;
    }
    c->sum += fabs(change);
    c->n_crossed += (f32->p_fake >= 0.5) != (bf16->p_fake >= 0.5);
}

static enum status print_comparison(const struct manifest *m, const struct verdict *f32, const struct verdict *bf16,
                                    FILE *out, struct error *e)
{
    struct comparison c = {0};
    struct text t = {0};
    char *words;

    text_append_string(&t, "path,outcome_f32,p_fake_f32,outcome_bf16,p_fake_bf16,change\n");
    for (size_t i = 0; i < manifest_count(m); i++)
        append_video(&t, m, i, &f32[i], &bf16[i], &c);
    text_append_format(&t, "%zu of %zu videos scored in both", c.n_compared, manifest_count(m));
    if (c.n_compared > 0) {
        text_append_format(&t, ": largest change %.6f (", c.largest);
        text_append_csv(&t, manifest_entry(m, c.worst)->path);
        text_append_format(&t, "), mean change %.6f, %zu on the other side of 0.5", c.sum / (double)c.n_compared,
                           c.n_crossed);
    }
    text_append_format(&t, "; %zu with another outcome\n", c.n_other_outcome);
    words = text_take(&t);
    if (!words)
        return error_no_memory(e);
    fputs(words, out);
    free(words);
    return STATUS_OK;
}

enum status main_compare_precision(const char *detector, const char *corpus, FILE *out, struct error *e)
{
    static const enum network_precision precisions[2] = {NETWORK_PRECISION_F32, NETWORK_PRECISION_BF16};
    struct manifest *m = NULL;
    struct verdict *verdicts[2] = {NULL, NULL};
    enum status s = network_check_precision(NETWORK_BACKEND_ONEDNN, NETWORK_PRECISION_BF16, e);

    if (s == STATUS_OK)
        s = layout_scan(corpus, NULL, &m, NULL, e);
    for (unsigned k = 0; k < 2 && s == STATUS_OK; k++) {
        verdicts[k] = calloc(manifest_count(m), sizeof(*verdicts[k]));
        if (!verdicts[k]) {
            s = error_no_memory(e);
            break;
        }
        for (size_t i = 0; i < manifest_count(m); i++)
            verdicts[k][i].p_fake = NAN;
        s = run_pass(m, detector, precisions[k], verdicts[k], e);
    }
    if (s == STATUS_OK)
        s = print_comparison(m, verdicts[0], verdicts[1], out, e);
    free(verdicts[0]);
    free(verdicts[1]);
    manifest_close(&m);
    return s;
}
