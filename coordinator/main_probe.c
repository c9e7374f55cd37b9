#include "coordinator/main_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/main_probe_parts.h"
#include "nodes/video_open.h"
#include "shard/clock.h"
#include "shard/wire.h"

void probe_send(struct channel *c, unsigned to, enum letter kind, const void *data, size_t len)
{
    uint8_t letter[LETTER_BYTES];

    letter[0] = (uint8_t)kind;
    if (len > 0)
        memcpy(letter + 1, data, len);
    /* What cannot be sent is a silence, which is judged elsewhere. */
    channel_send(c, to, letter, len + 1);
}

static void flush_facts(struct probing *p, int64_t now)
{
    struct worker *w = &p->worker;

    if (w->facts.len_bytes == 0)
        return;
    probe_send(p->channel, 0, LETTER_FACTS, w->facts.data, w->facts.len_bytes);
    w->facts.len_bytes = 0;
    w->spoke_us = now;
}

/* r: NULL where there are none. */
static enum status answer(struct probing *p, uint32_t index, struct result *r, int64_t now, struct error *e)
{
    struct text *t = &p->worker.facts;
    uint8_t *packed = NULL;
    size_t len = 0;
    uint8_t head[6];

    /* A text for people, of any length, is not wanted here. */
    if (r)
        r->message[0] = '\0';
    if (r && (result_set_path(r, "-") != STATUS_OK || result_pack(r, &packed, &len) != STATUS_OK))
        len = 0;
    if (t->len_bytes + sizeof(head) + len + 1 > LETTER_BYTES)
        flush_facts(p, now);
    for (unsigned k = 0; k < 4; k++)
        head[k] = (uint8_t)(index >> (8 * k));
    head[4] = (uint8_t)len;
    head[5] = (uint8_t)(len >> 8);
    text_append(t, (const char *)head, sizeof(head));
    text_append(t, (const char *)packed, len);
    free(packed);
    return t->failed ? error_no_memory(e) : STATUS_OK;
}

static uint64_t little(const uint8_t *p, unsigned n_bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < n_bytes; i++)
        value |= (uint64_t)p[i] << (8 * i);
    return value;
}

static enum status take_paths(struct worker *w, const uint8_t *data, size_t len, struct error *e)
{
    while (len > PATH_HEAD_BYTES) {
        size_t path_len = strnlen((const char *)data + PATH_HEAD_BYTES, len - PATH_HEAD_BYTES);
        struct file *f = path_len < len - PATH_HEAD_BYTES ? malloc(sizeof(*f) + path_len + 1) : NULL;

        if (!f)
            return path_len < len - PATH_HEAD_BYTES ? error_no_memory(e)
                                                    : error_set(e, STATUS_BUG, "a list of paths is cut");
        f->next = NULL;
        f->index = (uint32_t)little(data, 4);
        f->archive_bytes = (size_t)little(data + 4, 2);
        f->window = video_window(f->archive_bytes, little(data + 6, 8), little(data + 14, 8));
        memcpy(f->path, data + PATH_HEAD_BYTES, path_len + 1);
        if (w->last)
            w->last->next = f;
        else
            w->first = f;
        w->last = f;
        data += PATH_HEAD_BYTES + path_len + 1;
        len -= PATH_HEAD_BYTES + path_len + 1;
    }
    return STATUS_OK;
}

static struct file *pop(struct worker *w)
{
    struct file *f = w->first;

    w->first = f->next;
    if (!w->first)
        w->last = NULL;
    return f;
}

/* The paths of what is in work are no longer needed: a token is the index, and a file that comes back unbegun is asked for
 * again by rank 0. */
static enum status start_batch(struct probing *p, int64_t now, struct error *e)
{
    struct worker *w = &p->worker;
    uint64_t tokens[LANE_MAX_BATCH];
    struct lane_video videos[LANE_MAX_BATCH];
    size_t n = 0;
    enum status s = STATUS_OK;

    while (s == STATUS_OK && n < w->batch && w->first) {
        struct file *f = pop(w);
        struct stat st;
        int fd = video_open_file(w->root_fd, f->path, f->archive_bytes);

        if (fd >= 0 && video_is_plain_file(fd, &st)) {
            tokens[n] = f->index;
            videos[n++] = (struct lane_video){.fd = fd, .window = f->window};
        } else {
            if (fd >= 0)
                close(fd);
            s = answer(p, f->index, NULL, now, e);
        }
        free(f);
    }
    if (n == 0)
        return s;
    return lane_pool_start_batch(w->pool, tokens, videos, n, now, e);
}

static enum status take_event(struct probing *p, struct lane_pool_event *event, int64_t now, struct error *e)
{
    uint32_t index = (uint32_t)event->token;
    enum status s;

    if (event->kind == LANE_POOL_NOT_BEGUN) {
        uint8_t again[4];

        for (unsigned k = 0; k < 4; k++)
            again[k] = (uint8_t)(index >> (8 * k));
        probe_send(p->channel, 0, LETTER_PATHS, again, sizeof(again));
        return STATUS_OK;
    }
    if (event->kind != LANE_POOL_RESULT)
        return answer(p, index, NULL, now, e);
    s = answer(p, index, outcome_has_score(event->result.outcome) ? &event->result : NULL, now, e);
    result_clear(&event->result);
    return s;
}

static enum status work(struct probing *p, int64_t now, bool *ret_busy, struct error *e)
{
    struct worker *w = &p->worker;
    enum status s;

    if (!w->said_hello && lane_pool_is_ready(w->pool)) {
        uint8_t lanes[4];

        for (unsigned k = 0; k < 4; k++)
            lanes[k] = (uint8_t)(w->n_lanes >> (8 * k));
        probe_send(p->channel, 0, LETTER_HELLO, lanes, sizeof(lanes));
        w->said_hello = true;
        w->spoke_us = now;
    }
    for (;;) {
        struct lane_pool_event event;

        s = lane_pool_next(w->pool, now, &event, e);
        if (s != STATUS_OK)
            break;
        *ret_busy = true;
        s = take_event(p, &event, now, e);
        if (s != STATUS_OK)
            return s;
    }
    if (s != STATUS_AGAIN)
        return s;
    s = STATUS_OK;
    while (s == STATUS_OK && w->first && w->root_fd >= 0 && lane_pool_free(w->pool) > 0)
        s = start_batch(p, now, e);
    /* Not a letter for each file, and none that waits long. */
    if (w->facts.len_bytes > LETTER_BYTES / 2 || now - w->spoke_us >= 5000)
        flush_facts(p, now);
    if (now - w->spoke_us >= ALIVE_US) {
        probe_send(p->channel, 0, LETTER_ALIVE, NULL, 0);
        w->spoke_us = now;
    }
    return s;
}

static enum status open_root(struct worker *w, const uint8_t *data, size_t len, struct error *e)
{
    char root[MANIFEST_MAX_TEXT_BYTES + 1], host[128] = "?";

    if (len > MANIFEST_MAX_TEXT_BYTES)
        return error_set(e, STATUS_BUG, "the corpus' folder has a path of %zu bytes", len);
    memcpy(root, data, len);
    root[len] = '\0';
    w->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (w->root_fd >= 0)
        return STATUS_OK;
    gethostname(host, sizeof(host) - 1);
    return error_set_errno(e, errno, "%s: the corpus cannot be opened on %s", root, host);
}

static enum status to_worker(struct probing *p, const uint8_t *letter, size_t len, int64_t now, struct error *e)
{
    struct worker *w = &p->worker;

    w->heard_us = now;
    switch (letter[0]) {
    case LETTER_ROOT:
        return w->root_fd < 0 ? open_root(w, letter + 1, len - 1, e) : STATUS_OK;
    case LETTER_PATHS:
        return take_paths(w, letter + 1, len - 1, e);
    case LETTER_END:
        w->ended = true;
        probe_send(p->channel, 0, LETTER_END, NULL, 0);
        return STATUS_OK;
    default:
        return STATUS_OK;
    }
}

/* Rank 0 writes to itself in both directions: what only a worker sends goes to the lead. END and PATHS go both ways. */
static bool is_for_lead(const struct probing *p, unsigned from, const uint8_t *letter, size_t len)
{
    if (!p->lead)
        return false;
    if (from != 0 || letter[0] == LETTER_HELLO || letter[0] == LETTER_FACTS || letter[0] == LETTER_CANNOT)
        return true;
    if (letter[0] == LETTER_PATHS)
        return len == 5;
    return letter[0] == LETTER_END && p->worker.ended;
}

static enum status receive(struct probing *p, int64_t now, bool *ret_busy, struct error *e)
{
    uint8_t letter[CHANNEL_MAX_BYTES];
    size_t len;
    unsigned from;
    enum status s = STATUS_OK;

    while (s == STATUS_OK && channel_receive(p->channel, letter, &len, &from) == STATUS_OK) {
        *ret_busy = true;
        if (len < 1)
            continue;
        s = is_for_lead(p, from, letter, len) ? probe_lead_take(p, from, letter, len, now, e)
                                              : to_worker(p, letter, len, now, e);
    }
    return s;
}

static bool all_ended(const struct probing *p)
{
    if (!p->lead)
        return p->worker.ended;
    for (unsigned i = 0; i < channel_size(p->channel); i++) {
        if (!p->lead->peers[i].ended && !p->lead->peers[i].lost)
            return false;
    }
    return true;
}

static enum status loop(struct probing *p, struct error *e)
{
    enum status s = STATUS_OK;
    int wait_ms = 1;

    while (s == STATUS_OK && !all_ended(p)) {
        int64_t now = clock_monotonic_us();
        bool busy = false;

        s = receive(p, now, &busy, e);
        if (s == STATUS_OK && !p->worker.ended) {
            s = work(p, now, &busy, e);
            if (s != STATUS_OK)
                probe_send(p->channel, 0, LETTER_CANNOT, e->text, strlen(e->text));
        }
        if (s == STATUS_OK && p->lead)
            s = probe_lead_direct(p, now, e);
        if (s == STATUS_OK && !p->lead && p->worker.root_fd >= 0 && now - p->worker.heard_us >= SILENCE_US)
            s = error_set(e, STATUS_TIMEOUT, "rank 0 fell silent");
        wait_ms = busy ? 1 : wait_ms >= MAX_WAIT_MS / 2 ? MAX_WAIT_MS : 2 * wait_ms;
        if (s == STATUS_OK && !busy)
            poll(p->fds, lane_pool_poll_set(p->worker.pool, p->fds, LANE_POOL_MAX_LANES + 1), wait_ms);
    }
    return s;
}

enum status probe_all(const struct probe_settings *settings, struct channel *channel, struct zygote **z,
                      struct probe_end *ret_end, struct error *e)
{
    const struct lane_pool_settings lanes = {
        .n_lanes = settings->n_lanes,
        .work = LANE_PROBE,
        .timeout_us = TIMEOUT_US,
        .n_units = UNITS_PER_LANE,
    };
    struct probing *p = calloc(1, sizeof(*p));
    enum status s = p ? lane_pool_open(&lanes, z, &p->worker.pool, e) : error_no_memory(e);

    if (s != STATUS_OK)
        goto end;
    p->channel = channel;
    p->worker.root_fd = -1;
    p->worker.n_lanes = settings->n_lanes;
    /* Linux counts descriptors on their way in sockets against the limit of open files. */
    p->worker.batch = FDS_ON_THE_WAY / settings->n_lanes;
    if (p->worker.batch > LANE_MAX_BATCH)
        p->worker.batch = LANE_MAX_BATCH;
    if (p->worker.batch < 1)
        p->worker.batch = 1;
    if (channel_rank(channel) == 0)
        s = probe_lead_open(settings->manifest, channel_size(channel), &p->lead, e);
    if (s == STATUS_OK)
        s = loop(p, e);
    ret_end->orderly = s == STATUS_OK;
    for (unsigned i = 0; p->lead && p->lead->peers && i < channel_size(channel); i++)
        ret_end->orderly = ret_end->orderly && !p->lead->peers[i].lost;
    if (p->lead)
        ret_end->n_unreadable = p->lead->n_unreadable;
    lane_pool_close(&p->worker.pool);
    if (p->worker.root_fd >= 0)
        close(p->worker.root_fd);
end:
    while (p && p->worker.first)
        free(pop(&p->worker));
    if (p)
        text_clear(&p->worker.facts);
    if (p)
        probe_lead_close(&p->lead);
    free(p);
    return s;
}

void probe_release(struct channel *channel)
{
    for (unsigned i = 1; i < channel_size(channel); i++)
        probe_send(channel, i, LETTER_END, NULL, 0);
}
