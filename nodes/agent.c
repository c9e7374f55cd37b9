#include "nodes/agent.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nodes/video_open.h"
#include "shard/log.h"
#include "shard/segment.h"

/* A unit from its lease to its report. */
struct task {
    struct task *next;
    struct message lease;
    uint64_t token;
    /* Once recorded: */
    enum outcome outcome;
    int64_t wall_us;
    uint64_t n_frames;
    uint32_t segment_state;
};

/* A queue with its last element, oldest first. */
struct queue {
    struct task *first, *last;
    size_t n;
};

struct agent {
    struct agent_settings settings;
    char host_name[128]; /* settings.host_name points here */
    struct lane_pool *pool;
    int root_fd;             /* the corpus; -1 before WELCOME */
    struct error root_error; /* set when it cannot be opened here */
    bool stepped, said_hello, stopping, broken;
    bool cut_off; /* told to drop what is in work */
    uint64_t next_token;
    struct queue waiting;    /* leased, not started */
    struct queue running;    /* on a lane */
    struct queue unreported; /* appended to the sink, not flushed */
    int64_t heard_us, spoke_us, oldest_record_us;
};

static void put(struct queue *q, struct task *t)
{
    t->next = NULL;
    if (q->last)
        q->last->next = t;
    else
        q->first = t;
    q->last = t;
    q->n++;
}

static void put_first(struct queue *q, struct task *t)
{
    t->next = q->first;
    q->first = t;
    if (!q->last)
        q->last = t;
    q->n++;
}

static struct task *take_after(struct queue *q, struct task *previous)
{
    struct task *t = previous ? previous->next : q->first;

    if (previous)
        previous->next = t->next;
    else
        q->first = t->next;
    if (q->last == t)
        q->last = previous;
    q->n--;
    return t;
}

static struct task *take_first(struct queue *q)
{
    return q->first ? take_after(q, NULL) : NULL;
}

static struct task *take_token(struct queue *q, uint64_t token)
{
    struct task *previous = NULL;

    for (struct task *t = q->first; t; previous = t, t = t->next) {
        if (t->token == token)
            return take_after(q, previous);
    }
    return NULL;
}

static void task_close(struct task *t)
{
    if (t)
        message_clear(&t->lease);
    free(t);
}

static void drop_all(struct queue *q)
{
    while (q->first)
        task_close(take_first(q));
}

enum status agent_open(const struct agent_settings *settings, struct zygote **z, struct agent **ret_a, struct error *e)
{
    enum status s;
    struct agent *a = calloc(1, sizeof(*a));

    if (!a)
        return error_no_memory(e);
    a->settings = *settings;
    snprintf(a->host_name, sizeof(a->host_name), "%s", settings->host_name);
    a->settings.host_name = a->host_name;
    a->root_fd = -1;
    s = lane_pool_open(&settings->lanes, z, &a->pool, e);
    if (s != STATUS_OK) {
        agent_close(&a);
        return s;
    }
    *ret_a = a;
    return STATUS_OK;
}

void agent_close(struct agent **a)
{
    struct agent *x = *a;

    if (!x)
        return;
    lane_pool_close(&x->pool);
    drop_all(&x->waiting);
    drop_all(&x->running);
    drop_all(&x->unreported);
    if (x->root_fd >= 0)
        close(x->root_fd);
    free(x);
    *a = NULL;
}

static void say(struct agent *a, const struct message *m, int64_t now_us)
{
    /* A coordinator that cannot be reached falls silent as well, and that is judged in one place. */
    a->settings.mouth.send(a->settings.mouth.context, m);
    a->spoke_us = now_us;
}

void agent_take(struct agent *a, struct message *m, int64_t now_us)
{
    struct task *t;

    a->heard_us = now_us;
    switch (m->kind) {
    case MESSAGE_WELCOME:
        if (a->root_fd < 0)
            a->root_fd = open(m->text, O_PATH | O_DIRECTORY | O_CLOEXEC);
        /* Without this every video of an unmounted corpus would be recorded as missing. */
        if (a->root_fd < 0)
            error_set_errno(&a->root_error, errno, "%s: the corpus cannot be opened on %s", m->text,
                            a->settings.host_name);
        break;
    case MESSAGE_LEASE:
        t = a->stopping ? NULL : calloc(1, sizeof(*t));
        /* Without memory for it the lease runs out and goes to somebody else. */
        if (t) {
            t->lease = *m;
            *m = (struct message){0};
            put(&a->waiting, t);
        }
        break;
    case MESSAGE_STOP:
        a->stopping = true;
        drop_all(&a->waiting);
        if (m->drain) {
            a->cut_off = true;
            lane_pool_kill_all(a->pool);
        }
        break;
    default:
        break;
    }
    message_clear(m);
}

static size_t most_unflushed(const struct agent *a)
{
    return a->settings.flush_records > 0 ? a->settings.flush_records : AGENT_FLUSH_RECORDS;
}

static enum status flush(struct agent *a, int64_t now_us, struct error *e)
{
    enum status s;

    if (!a->unreported.first)
        return STATUS_OK;
    s = a->settings.sink.flush(a->settings.sink.context, e);
    if (s != STATUS_OK)
        return s;
    while (a->unreported.first) {
        struct task *t = take_first(&a->unreported);
        const struct message m = {
            .kind = MESSAGE_RESULT,
            .unit = t->lease.unit,
            .lease = t->lease.lease,
            .outcome = t->outcome,
            .wall_us = t->wall_us,
            .n_frames = t->n_frames,
            .segment_state = t->segment_state,
        };

        say(a, &m, now_us);
        task_close(t);
    }
    return STATUS_OK;
}

/* Appends the unit's result to the sink. Takes over *r, *finds and t. */
static enum status record(struct agent *a, struct task *t, struct result *r, struct finds *finds, int64_t wall_us,
                          int64_t now_us, struct error *e)
{
    enum status s = result_set_path(r, t->lease.text);

    if (s == STATUS_OK)
        s = result_set_content(r, t->lease.content);
    if (s != STATUS_OK) {
        error_no_memory(e);
        goto error;
    }
    r->size_bytes = t->lease.size_bytes;
    r->mtime_ns = t->lease.mtime_ns;
    r->offset_bytes = t->lease.offset_bytes;
    r->attempt = t->lease.attempt;
    r->rank = a->settings.rank;
    r->wall_us = wall_us;
    if (a->settings.sink.keep) {
        s = finds_encode(finds, e);
        if (s == STATUS_OK)
            s = a->settings.sink.keep(a->settings.sink.context, r, finds, e);
        if (s != STATUS_OK)
            goto error;
    }
    s = a->settings.sink.append(a->settings.sink.context, r, e);
    if (s != STATUS_OK)
        goto error;
    if (!a->unreported.first)
        a->oldest_record_us = now_us;
    t->outcome = r->outcome;
    t->wall_us = wall_us;
    t->n_frames = r->n_frames_decoded;
    t->segment_state = r->segment ? r->segment->state : 0;
    put(&a->unreported, t);
    result_clear(r);
    finds_clear(finds);
    /* Here, since many lanes may answer at once. */
    return a->unreported.n >= most_unflushed(a) ? flush(a, now_us, e) : STATUS_OK;
error:
    result_clear(r);
    finds_clear(finds);
    task_close(t);
    return s;
}

static enum status record_without_lane(struct agent *a, struct task *t, enum outcome outcome, const char *message,
                                       int64_t wall_us, int64_t now_us, struct error *e)
{
    struct result r = {.outcome = outcome, .p_fake = NAN};
    struct finds none = {0};

    result_set_message(&r, "%s", message);
    if (t->lease.n_segments > 1) {
        r.segment = calloc(1, sizeof(*r.segment));
        if (!r.segment) {
            task_close(t);
            return error_no_memory(e);
        }
        *r.segment = (struct segment){.index = t->lease.segment, .count = t->lease.n_segments, .state = SEGMENT_FAILED};
    }
    return record(a, t, &r, &none, wall_us, now_us, e);
}

static enum status attempt_failed(struct agent *a, struct task *t, const struct lane_pool_event *event, int64_t now_us,
                                  struct error *e)
{
    struct message m = {
        .kind = MESSAGE_FAILED,
        .unit = t->lease.unit,
        .lease = t->lease.lease,
        .outcome = event->outcome,
        .text = (char *)(uintptr_t)event->message,
    };

    /* At a drain the lanes are killed by us: that is no attempt, the unit is just not done. */
    if (a->stopping) {
        task_close(t);
        return STATUS_OK;
    }
    if (t->lease.last_attempt)
        return record_without_lane(a, t, event->outcome, event->message, event->wall_us, now_us, e);
    say(a, &m, now_us);
    task_close(t);
    return STATUS_OK;
}

/* The unit has no descriptor. Takes over t. */
static enum status not_opened(struct agent *a, struct task *t, enum open_fault fault,
                              const struct lane_pool_event *event, int64_t now_us, struct error *e)
{
    enum status s;

    switch (fault) {
    case OPEN_FAULT_FILE:
        return record_without_lane(a, t, event->outcome, event->message, 0, now_us, e);
    case OPEN_FAULT_UNCERTAIN:
        return attempt_failed(a, t, event, now_us, e);
    case OPEN_FAULT_MACHINE:
        break;
    }
    s = error_set(e, STATUS_IO, "%s: %s", t->lease.text, event->message);
    task_close(t);
    return s;
}

static enum status start_units(struct agent *a, int64_t now_us, struct error *e)
{
    while (a->waiting.first && lane_pool_free(a->pool) > 0) {
        struct task *t = take_first(&a->waiting);
        struct lane_pool_event event;
        enum open_fault fault;
        enum status s;
        const struct lane_video video = {
            .fd = video_open(a->root_fd, &t->lease, &fault, &event),
            .window = video_window(t->lease.archive_bytes, t->lease.offset_bytes, t->lease.size_bytes),
            .segment = t->lease.segment,
            .n_segments = t->lease.n_segments,
        };

        if (video.fd < 0) {
            s = not_opened(a, t, fault, &event, now_us, e);
            if (s != STATUS_OK)
                return s;
            continue;
        }
        t->token = ++a->next_token;
        s = lane_pool_start_video(a->pool, t->token, &video, now_us, e);
        if (s != STATUS_OK) {
            task_close(t);
            return s;
        }
        put(&a->running, t);
        log_debug("%s: begun, attempt %u", t->lease.text, t->lease.attempt);
    }
    return STATUS_OK;
}

/* The unit did nothing wrong, so it costs no attempt; lanes that never begin break the pool soon enough. */
static void start_again(struct agent *a, struct task *t, const struct lane_pool_event *event)
{
    if (a->stopping) {
        task_close(t);
        return;
    }
    log_warning("%s: its lane died before it could begin: %s", t->lease.text, event->message);
    put_first(&a->waiting, t);
}

/* A lane is not trusted. */
static bool is_of_lease(const struct result *r, const struct message *lease)
{
    if (lease->n_segments < 2 || !r->segment)
        return lease->n_segments < 2 && !r->segment;
    return r->segment->index == lease->segment && r->segment->count == lease->n_segments;
}

static enum status take_events(struct agent *a, int64_t now_us, struct error *e)
{
    for (;;) {
        struct lane_pool_event event;
        struct task *t;
        enum status s = lane_pool_next(a->pool, now_us, &event, e);

        if (s == STATUS_AGAIN)
            return STATUS_OK;
        if (s != STATUS_OK)
            return s;
        t = take_token(&a->running, event.token);
        if (!t)
            return error_set(e, STATUS_BUG, "a lane answered for a unit that nobody started");
        if (event.kind == LANE_POOL_RESULT && !is_of_lease(&event.result, &t->lease)) {
            result_clear(&event.result);
            finds_clear(&event.finds);
            event.kind = LANE_POOL_FAILED;
            event.outcome = OUTCOME_CRASHED;
            snprintf(event.message, sizeof(event.message), "its lane answered for another part of a video");
        }
        if (event.kind == LANE_POOL_RESULT)
            s = record(a, t, &event.result, &event.finds, event.wall_us, now_us, e);
        else if (event.kind == LANE_POOL_NOT_BEGUN)
            start_again(a, t, &event);
        else
            s = attempt_failed(a, t, &event, now_us, e);
        if (s != STATUS_OK)
            return s;
    }
}

static bool flush_is_due(const struct agent *a, int64_t now_us)
{
    return now_us - a->oldest_record_us >= AGENT_FLUSH_US || a->cut_off ||
           (!a->waiting.first &&
            lane_pool_free(a->pool) > 0); /* a lane needs its next lease: what it did may bring it */
}

static enum status work(struct agent *a, int64_t now_us, struct error *e)
{
    enum status s = take_events(a, now_us, e);

    if (s == STATUS_OK && a->root_error.status != STATUS_OK) {
        *e = a->root_error;
        s = e->status;
    }
    if (s == STATUS_OK && lane_pool_is_ready(a->pool) && !a->said_hello) {
        struct message m = {
            .kind = MESSAGE_HELLO,
            .n_lanes = a->settings.lanes.n_lanes,
            .text = (char *)(uintptr_t)a->settings.host_name,
        };

        snprintf(m.fingerprint, sizeof(m.fingerprint), "%s", a->settings.fingerprint);
        say(a, &m, now_us);
        a->said_hello = true;
    }
    if (s == STATUS_OK)
        s = start_units(a, now_us, e);
    if (s == STATUS_OK && flush_is_due(a, now_us))
        s = flush(a, now_us, e);
    return s;
}

enum status agent_step(struct agent *a, int64_t now_us, struct error *e)
{
    struct message last = {.kind = MESSAGE_BYE};
    enum status s;

    if (a->broken)
        return error_set(e, STATUS_BUG, "a broken agent was asked to go on");
    if (!a->stepped)
        a->heard_us = now_us; /* whatever was or was not said before */
    a->stepped = true;
    s = work(a, now_us, e);
    if (s != STATUS_OK) {
        struct error ignored;
        const struct message stop = {.kind = MESSAGE_STOP, .text = e->text, .drain = lane_pool_begun(a->pool) == 0};

        a->broken = true;
        /* What is finished may still be kept; if the sink itself broke, nobody was told, so it will be done again. */
        flush(a, now_us, &ignored);
        say(a, &stop, now_us);
        say(a, &last, now_us);
        return s;
    }
    /* At a cut-off nobody waits for the deaths of lanes: one in a file system's uninterruptible wait may not die. */
    if (a->stopping && (agent_is_idle(a) || (a->cut_off && !a->unreported.first))) {
        say(a, &last, now_us);
        return STATUS_END;
    }
    if (now_us - a->spoke_us >= AGENT_HEARTBEAT_US) {
        const struct message m = {.kind = MESSAGE_HEARTBEAT};

        say(a, &m, now_us);
    }
    if (now_us - a->heard_us >= a->settings.silence_us) {
        a->broken = true;
        return error_set(e, STATUS_TIMEOUT, "no word from the coordinator for %.0f s",
                         (double)(now_us - a->heard_us) / 1e6);
    }
    return STATUS_OK;
}

size_t agent_poll_set(const struct agent *a, struct pollfd *fds, size_t room)
{
    return lane_pool_poll_set(a->pool, fds, room);
}

bool agent_is_idle(const struct agent *a)
{
    return !a->waiting.first && !a->running.first && !a->unreported.first;
}

unsigned agent_sandbox_layers(const struct agent *a)
{
    return lane_pool_sandbox_layers(a->pool);
}
