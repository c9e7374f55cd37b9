#include "coordinator/main_probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes/agent.h"
#include "shard/clock.h"
#include "shard/log.h"
#include "shard/text.h"
#include "shard/wire.h"

/* Letters between ranks. The first byte says what it is; numbers are little-endian.
 *     HELLO    u32 lanes                       worker -> rank 0
 *     ROOT     the corpus' folder              rank 0 -> worker, first of all
 *     PATHS    (u32 index, path, 0)...         rank 0 -> worker
 *     FACTS    (u32 index, u16 length, result) worker -> rank 0; length 0: it could not be read
 *     ALIVE                                    both ways
 *     CANNOT   why                             worker -> rank 0
 *     END                                      rank 0 -> worker; worker -> rank 0 in answer */
enum letter {
    LETTER_HELLO = 'h',
    LETTER_ROOT = 'r',
    LETTER_PATHS = 'p',
    LETTER_FACTS = 'f',
    LETTER_ALIVE = 'a',
    LETTER_CANNOT = 'c',
    LETTER_END = 'e',
};

enum {
    LETTER_BYTES = CHANNEL_MAX_BYTES,
    AHEAD = 4 * LANE_MAX_BATCH, /* files that a rank is sent beyond what its lanes have in work, for each lane */
    TIMEOUT_US = 60000000,
    UNITS_PER_LANE = 8192,
    ALIVE_US = 2000000,
    SILENCE_US = 60000000,
    SHOW_US = 500000,
    LOG_US = 60000000,
    MAX_WAIT_MS = 20,
    FDS_ON_THE_WAY = 512,
};

struct file {
    struct file *next;
    uint32_t index;
    char path[];
};

/* What every rank does. */
struct worker {
    struct lane_pool *pool;
    int root_fd;
    struct file *first, *last;
    struct text facts; /* the FACTS letter being filled */
    bool said_hello, ended;
    int64_t spoke_us, heard_us;
    unsigned n_lanes;
    size_t batch; /* files in a message to a lane */
};

struct peer {
    unsigned n_lanes; /* 0: not heard of yet */
    size_t n_sent;    /* and not answered */
    int64_t heard_us, told_us;
    bool lost, ended;
};

/* What rank 0 does besides. */
struct lead {
    struct manifest *m;
    struct peer *peers;
    uint16_t *owner; /* rank + 1 of whom an entry was sent to; 0: nobody */
    uint8_t *done;
    size_t next, n_done, n_unreadable;
    uint32_t *again; /* entries of a rank that was lost */
    size_t n_again;
    int64_t start_us, shown_us;
    bool live, told_end;
};

struct probing {
    struct channel *channel;
    struct worker worker;
    struct lead *lead; /* rank 0 */
    struct pollfd fds[LANE_POOL_MAX_LANES + 1];
};

static void send_letter(struct channel *c, unsigned to, enum letter kind, const void *data, size_t len)
{
    uint8_t letter[LETTER_BYTES];

    letter[0] = (uint8_t)kind;
    if (len > 0)
        memcpy(letter + 1, data, len);
    /* What cannot be sent is a silence, which is judged elsewhere. */
    channel_send(c, to, letter, len + 1);
}

/* ---- worker ---- */

static void flush_facts(struct probing *p, int64_t now)
{
    struct worker *w = &p->worker;

    if (w->facts.len_bytes == 0)
        return;
    send_letter(p->channel, 0, LETTER_FACTS, w->facts.data, w->facts.len_bytes);
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

static enum status take_paths(struct worker *w, const uint8_t *data, size_t len, struct error *e)
{
    while (len > 5) {
        size_t path_len = strnlen((const char *)data + 4, len - 4);
        struct file *f = path_len < len - 4 ? malloc(sizeof(*f) + path_len + 1) : NULL;

        if (!f)
            return path_len < len - 4 ? error_no_memory(e) : error_set(e, STATUS_BUG, "a list of paths is cut");
        f->next = NULL;
        f->index = (uint32_t)data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
        memcpy(f->path, data + 4, path_len + 1);
        if (w->last)
            w->last->next = f;
        else
            w->first = f;
        w->last = f;
        data += 4 + path_len + 1;
        len -= 4 + path_len + 1;
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
    int fds[LANE_MAX_BATCH];
    size_t n = 0;
    enum status s = STATUS_OK;

    while (s == STATUS_OK && n < w->batch && w->first) {
        struct file *f = pop(w);
        int fd = openat(w->root_fd, f->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

        if (fd >= 0 && agent_is_plain_file(fd)) {
            tokens[n] = f->index;
            fds[n++] = fd;
        } else {
            if (fd >= 0)
                close(fd);
            s = answer(p, f->index, NULL, now, e);
        }
        free(f);
    }
    if (n == 0)
        return s;
    return lane_pool_start_batch(w->pool, tokens, fds, n, now, e);
}

static enum status take_event(struct probing *p, struct lane_pool_event *event, int64_t now, struct error *e)
{
    uint32_t index = (uint32_t)event->token;
    enum status s;

    if (event->kind == LANE_POOL_NOT_BEGUN) {
        uint8_t again[4];

        for (unsigned k = 0; k < 4; k++)
            again[k] = (uint8_t)(index >> (8 * k));
        send_letter(p->channel, 0, LETTER_PATHS, again, sizeof(again));
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
        send_letter(p->channel, 0, LETTER_HELLO, lanes, sizeof(lanes));
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
        send_letter(p->channel, 0, LETTER_ALIVE, NULL, 0);
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

/* ---- rank 0 ---- */

static enum status lose(struct probing *p, unsigned rank, struct error *e)
{
    struct lead *l = p->lead;
    size_t n = manifest_count(l->m), n_back = 0;
    uint32_t *bigger = reallocarray(l->again, n + 1, sizeof(*bigger));

    if (!bigger)
        return error_no_memory(e);
    l->again = bigger;
    l->peers[rank].lost = true;
    for (size_t i = 0; i < n; i++) {
        if (l->owner[i] == rank + 1 && !l->done[i]) {
            l->owner[i] = 0;
            l->again[l->n_again++] = (uint32_t)i;
            n_back++;
        }
    }
    log_warning("rank %u fell silent: %zu of its files go to the others", rank, n_back);
    for (unsigned i = 0; i < channel_size(p->channel); i++) {
        if (!l->peers[i].lost)
            return STATUS_OK;
    }
    return error_set(e, STATUS_TIMEOUT, "no rank is left that answers");
}

/* One letter's worth of paths for that rank. False: nothing is left to send. */
static bool send_paths(struct probing *p, unsigned rank, int64_t now)
{
    struct lead *l = p->lead;
    uint8_t letter[LETTER_BYTES - 1];
    size_t len = 0, count = 0, n = manifest_count(l->m);

    while (count < LANE_MAX_BATCH && (l->n_again > 0 || l->next < n)) {
        size_t i = l->n_again > 0 ? l->again[l->n_again - 1] : l->next;
        const char *path = manifest_entry(l->m, i)->path;
        size_t path_len = strlen(path);

        if (len + 4 + path_len + 1 > sizeof(letter))
            break;
        for (unsigned k = 0; k < 4; k++)
            letter[len + k] = (uint8_t)(i >> (8 * k));
        memcpy(letter + len + 4, path, path_len + 1);
        len += 4 + path_len + 1;
        count++;
        l->owner[i] = (uint16_t)(rank + 1);
        if (l->n_again > 0)
            l->n_again--;
        else
            l->next++;
    }
    if (count == 0)
        return false;
    send_letter(p->channel, rank, LETTER_PATHS, letter, len);
    l->peers[rank].n_sent += count;
    l->peers[rank].told_us = now;
    return true;
}

static enum status take_facts(struct lead *l, struct peer *peer, const uint8_t *data, size_t len, struct error *e)
{
    while (len >= 6) {
        size_t i = (size_t)data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16 | (size_t)data[3] << 24;
        size_t packed = (size_t)data[4] | (size_t)data[5] << 8;
        struct result r = {0};
        enum status s = STATUS_OK;

        if (packed > len - 6 || i >= manifest_count(l->m))
            return error_set(e, STATUS_CORRUPT, "a list of facts is damaged");
        peer->n_sent -= peer->n_sent > 0;
        /* A rank that was taken for lost may come back with what another has done. */
        if (!l->done[i]) {
            l->done[i] = 1;
            l->n_done++;
            if (packed > 0 && result_unpack(data + 6, packed, &r) == STATUS_OK)
                s = manifest_set_facts(l->m, i, &r.facts);
            else
                l->n_unreadable++;
            result_clear(&r);
            if (s != STATUS_OK)
                return error_set(e, s, "the facts of %s: %s", manifest_entry(l->m, i)->path, status_name(s));
        }
        data += 6 + packed;
        len -= 6 + packed;
    }
    return STATUS_OK;
}

static void show(struct lead *l, int64_t now)
{
    double seconds = (double)(now - l->start_us) / 1e6;
    size_t n = manifest_count(l->m);

    if (now - l->shown_us < (l->live ? SHOW_US : LOG_US))
        return;
    l->shown_us = now;
    if (l->live)
        fprintf(stderr, "\r\033[K%zu/%zu files probed, %.0f files/s", l->n_done, n, (double)l->n_done / seconds);
    else
        log_info("%zu/%zu files probed, %.0f files/s", l->n_done, n, (double)l->n_done / seconds);
}

static enum status direct(struct probing *p, int64_t now, struct error *e)
{
    struct lead *l = p->lead;
    bool over = l->n_done == manifest_count(l->m);
    enum status s = STATUS_OK;

    for (unsigned rank = 0; rank < channel_size(p->channel); rank++) {
        struct peer *peer = &l->peers[rank];

        if (peer->lost || peer->ended)
            continue;
        if (rank != 0 && peer->n_lanes > 0 && now - peer->heard_us >= SILENCE_US) {
            s = lose(p, rank, e);
            if (s != STATUS_OK)
                return s;
            continue;
        }
        while (!over && peer->n_lanes > 0 && peer->n_sent < (size_t)peer->n_lanes * AHEAD && send_paths(p, rank, now))
            ;
        if (over && !l->told_end)
            send_letter(p->channel, rank, LETTER_END, NULL, 0);
        else if (now - peer->told_us >= ALIVE_US) {
            send_letter(p->channel, rank, LETTER_ALIVE, NULL, 0);
            peer->told_us = now;
        }
    }
    l->told_end = over;
    show(l, now);
    return s;
}

/* ---- both ---- */

static enum status to_lead(struct probing *p, unsigned from, const uint8_t *letter, size_t len, int64_t now,
                           struct error *e)
{
    struct lead *l = p->lead;
    struct peer *peer = &l->peers[from];

    peer->heard_us = now;
    switch (letter[0]) {
    case LETTER_HELLO:
        if (len < 5)
            return STATUS_OK;
        peer->n_lanes = letter[1] | (unsigned)letter[2] << 8;
        send_letter(p->channel, from, LETTER_ROOT, manifest_root(l->m), strlen(manifest_root(l->m)));
        return STATUS_OK;
    case LETTER_FACTS:
        return take_facts(l, peer, letter + 1, len - 1, e);
    case LETTER_PATHS: /* one that was not begun */
        if (len >= 5) {
            size_t i = (size_t)letter[1] | (size_t)letter[2] << 8 | (size_t)letter[3] << 16 | (size_t)letter[4] << 24;
            uint32_t *bigger = i < manifest_count(l->m) && !l->done[i]
                                   ? reallocarray(l->again, l->n_again + 1, sizeof(*bigger))
                                   : NULL;

            peer->n_sent -= peer->n_sent > 0;
            if (bigger) {
                l->again = bigger;
                l->again[l->n_again++] = (uint32_t)i;
            }
        }
        return STATUS_OK;
    case LETTER_CANNOT:
        return error_set(e, STATUS_IO, "rank %u: %.*s", from, (int)len - 1, (const char *)letter + 1);
    case LETTER_END:
        peer->ended = true;
        return STATUS_OK;
    default:
        return STATUS_OK;
    }
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
        send_letter(p->channel, 0, LETTER_END, NULL, 0);
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
        s = is_for_lead(p, from, letter, len) ? to_lead(p, from, letter, len, now, e)
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
                send_letter(p->channel, 0, LETTER_CANNOT, e->text, strlen(e->text));
        }
        if (s == STATUS_OK && p->lead)
            s = direct(p, now, e);
        if (s == STATUS_OK && !p->lead && p->worker.root_fd >= 0 && now - p->worker.heard_us >= SILENCE_US)
            s = error_set(e, STATUS_TIMEOUT, "rank 0 fell silent");
        wait_ms = busy ? 1 : wait_ms >= MAX_WAIT_MS / 2 ? MAX_WAIT_MS : 2 * wait_ms;
        if (s == STATUS_OK && !busy)
            poll(p->fds, lane_pool_poll_set(p->worker.pool, p->fds, LANE_POOL_MAX_LANES + 1), wait_ms);
    }
    return s;
}

static enum status open_lead(struct manifest *m, unsigned n_ranks, struct lead **ret_l, struct error *e)
{
    size_t n = manifest_count(m);
    struct lead *l = calloc(1, sizeof(*l));

    if (!l)
        return error_no_memory(e);
    *ret_l = l;
    l->m = m;
    l->start_us = l->shown_us = clock_monotonic_us();
    l->live = isatty(STDERR_FILENO) == 1;
    l->peers = calloc(n_ranks, sizeof(*l->peers));
    l->owner = calloc(n + 1, sizeof(*l->owner));
    l->done = calloc(n + 1, sizeof(*l->done));
    return l->peers && l->owner && l->done ? STATUS_OK : error_no_memory(e);
}

static void close_lead(struct lead **l)
{
    if (!*l)
        return;
    if ((*l)->live)
        fputs("\r\033[K", stderr);
    free((*l)->peers);
    free((*l)->owner);
    free((*l)->done);
    free((*l)->again);
    free(*l);
    *l = NULL;
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
        s = open_lead(settings->manifest, channel_size(channel), &p->lead, e);
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
        close_lead(&p->lead);
    free(p);
    return s;
}

void probe_release(struct channel *channel)
{
    for (unsigned i = 1; i < channel_size(channel); i++)
        send_letter(channel, i, LETTER_END, NULL, 0);
}
