#include "nodes/lane_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/passing.h"
#include "nodes/sandbox.h"
#include "shard/wire.h"

/* Lanes that die one after the other without ever greeting: the machine cannot run lanes. */
enum { MAX_STILLBORN = 5 };

enum lane_state {
    LANE_NONE = 0, /* no process */
    LANE_IDLE,
    LANE_BUSY,
    LANE_ENDING, /* told to end or killed; its death is still to come */
    LANE_DEAD,   /* units of its batch are still to be given back */
};

struct lane {
    enum lane_state state;
    bool greeted;
    bool has_unit; /* an event is owed for token */
    bool timed_out, killed;
    bool kill_owed;  /* the zygote had no room for the order */
    uint32_t number; /* of the process; never used twice */
    int fd;
    struct lane_notes *notes;
    unsigned n_units;
    uint64_t tokens[LANE_MAX_BATCH];
    size_t at, n_tokens; /* tokens[at..n_tokens) are owed an event; at is in work since start_us */
    int64_t start_us;
    struct finds finds; /* of the unit in work */
    bool died;          /* as death says; what it said before is still being read */
    struct zygote_event death;
};

struct lane_pool {
    struct lane_pool_settings settings;
    struct zygote *zygote;
    unsigned sandbox_layers;
    unsigned n_stillborn;
    uint32_t next_number;
    struct lane *lanes;
    uint8_t *packet;
};

enum status lane_pool_open(const struct lane_pool_settings *settings, struct zygote **z, struct lane_pool **ret_p,
                           struct error *e)
{
    struct lane_pool *p;

    if (settings->n_lanes < 1 || settings->n_lanes > LANE_POOL_MAX_LANES)
        return error_set(e, STATUS_INVALID, "%u lanes: not in 1..%d", settings->n_lanes, LANE_POOL_MAX_LANES);
    p = calloc(1, sizeof(*p));
    if (!p)
        return error_no_memory(e);
    p->settings = *settings;
    p->lanes = calloc(settings->n_lanes, sizeof(*p->lanes));
    p->packet = malloc(WIRE_MAX_BYTES);
    if (!p->lanes || !p->packet) {
        lane_pool_close(&p);
        return error_no_memory(e);
    }
    for (unsigned i = 0; i < settings->n_lanes; i++)
        p->lanes[i].fd = -1;
    p->zygote = *z;
    *z = NULL;
    *ret_p = p;
    return STATUS_OK;
}

static void kill_lane(struct lane_pool *p, struct lane *l)
{
    l->state = LANE_ENDING;
    l->kill_owed = zygote_kill(p->zygote, l->number) == STATUS_AGAIN;
}

/* Closes our ends; the process, if there is one, ends when it sees that. */
static void let_go(struct lane *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
}

static void forget(struct lane *l)
{
    let_go(l);
    finds_clear(&l->finds);
    if (l->notes)
        munmap(l->notes, sizeof(*l->notes));
    *l = (struct lane){.fd = -1};
}

void lane_pool_close(struct lane_pool **p)
{
    struct lane_pool *x = *p;

    if (!x)
        return;
    zygote_stop(&x->zygote);
    for (unsigned i = 0; x->lanes && i < x->settings.n_lanes; i++)
        forget(&x->lanes[i]);
    free(x->lanes);
    free(x->packet);
    free(x);
    *p = NULL;
}

bool lane_pool_is_ready(const struct lane_pool *p)
{
    return zygote_is_ready(p->zygote);
}

static unsigned count(const struct lane_pool *p, enum lane_state a, enum lane_state b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->settings.n_lanes; i++)
        n += p->lanes[i].state == a || p->lanes[i].state == b;
    return n;
}

unsigned lane_pool_free(const struct lane_pool *p)
{
    return zygote_is_ready(p->zygote) && zygote_has_room(p->zygote) ? count(p, LANE_NONE, LANE_IDLE) : 0;
}

unsigned lane_pool_busy(const struct lane_pool *p)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->settings.n_lanes; i++)
        n += p->lanes[i].has_unit;
    return n;
}

unsigned lane_pool_begun(const struct lane_pool *p)
{
    unsigned n = 0;

    for (unsigned i = 0; i < p->settings.n_lanes; i++)
        n += p->lanes[i].has_unit && p->lanes[i].greeted;
    return n;
}

unsigned lane_pool_sandbox_layers(const struct lane_pool *p)
{
    return p->sandbox_layers;
}

static enum status spawn(struct lane_pool *p, struct lane *l, struct error *e)
{
    int pair[2] = {-1, -1};
    int notes_fd = memfd_create("fakesift-notes", MFD_CLOEXEC);
    void *page = MAP_FAILED;
    enum status s = STATUS_OK;

    if (notes_fd < 0 || ftruncate(notes_fd, sizeof(struct lane_notes)) != 0) {
        s = error_set_errno(e, errno, "memfd for a lane's notes");
        goto end;
    }
    page = mmap(NULL, sizeof(struct lane_notes), PROT_READ, MAP_SHARED, notes_fd, 0);
    if (page == MAP_FAILED || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        s = error_set_errno(e, errno, "socketpair for a lane");
        goto end;
    }
    s = zygote_spawn(p->zygote, p->next_number, pair[1], notes_fd);
    if (s != STATUS_OK) {
        error_set(e, s, s == STATUS_AGAIN ? "the zygote takes no order" : "the zygote died");
        goto end;
    }
    *l = (struct lane){.state = LANE_IDLE, .number = p->next_number++, .fd = pair[0], .notes = page};
    fcntl(l->fd, F_SETFL, O_NONBLOCK);
    pair[0] = -1;
    page = MAP_FAILED;
end:
    if (page != MAP_FAILED)
        munmap(page, sizeof(struct lane_notes));
    for (unsigned i = 0; i < 2; i++) {
        if (pair[i] >= 0)
            close(pair[i]);
    }
    if (notes_fd >= 0)
        close(notes_fd);
    return s;
}

static struct lane *choose(struct lane_pool *p)
{
    struct lane *none = NULL;

    for (unsigned i = 0; i < p->settings.n_lanes; i++) {
        if (p->lanes[i].state == LANE_IDLE)
            return &p->lanes[i];
        if (p->lanes[i].state == LANE_NONE)
            none = &p->lanes[i];
    }
    return none;
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

/* As lane_pool_start_batch. */
static enum status start(struct lane_pool *p, const struct lane_job *job, const uint64_t *tokens, const int *video_fds,
                         int64_t now_us, struct error *e)
{
    size_t n = job->n_units;
    struct lane *l = choose(p);
    enum status s = STATUS_OK;

    if (l && l->state == LANE_NONE)
        s = spawn(p, l, e);
    if (!l || s != STATUS_OK || n < 1 || n > LANE_MAX_BATCH) {
        close_all(video_fds, n);
        return s != STATUS_OK ? s : error_set(e, STATUS_BUG, "a unit was started without a free lane");
    }
    /* A lane that died in the meantime cannot take it; its death is the unit's failed attempt, as for any other. */
    s = passing_send(l->fd, job, sizeof(*job), video_fds, n);
    close_all(video_fds, n);
    l->state = LANE_BUSY;
    l->has_unit = true;
    memcpy(l->tokens, tokens, n * sizeof(*tokens));
    l->at = 0;
    l->n_tokens = n;
    l->start_us = now_us;
    /* One that lives and was not told would keep the unit until its deadline. */
    if (s != STATUS_OK)
        kill_lane(p, l);
    return STATUS_OK;
}

enum status lane_pool_start(struct lane_pool *p, uint64_t token, int video_fd, int64_t now_us, struct error *e)
{
    const struct lane_job job = {.work = p->settings.work, .n_units = 1};

    return start(p, &job, &token, &video_fd, now_us, e);
}

enum status lane_pool_start_batch(struct lane_pool *p, const uint64_t *tokens, const int *video_fds, size_t n,
                                  int64_t now_us, struct error *e)
{
    const struct lane_job job = {.work = p->settings.work, .n_units = (uint32_t)n};

    return start(p, &job, tokens, video_fds, now_us, e);
}

enum status lane_pool_start_segment(struct lane_pool *p, uint64_t token, int video_fd, uint32_t segment,
                                    uint32_t n_segments, int64_t now_us, struct error *e)
{
    const struct lane_job job = {.work = p->settings.work, .n_units = 1, .segment = segment, .n_segments = n_segments};

    return start(p, &job, &token, &video_fd, now_us, e);
}

void lane_pool_kill_all(struct lane_pool *p)
{
    for (unsigned i = 0; i < p->settings.n_lanes; i++) {
        if (p->lanes[i].state == LANE_BUSY) {
            p->lanes[i].killed = true;
            kill_lane(p, &p->lanes[i]);
        }
    }
}

size_t lane_pool_poll_set(const struct lane_pool *p, struct pollfd *fds, size_t room)
{
    size_t n = 0;

    if (n < room)
        fds[n++] = (struct pollfd){.fd = zygote_fd(p->zygote), .events = POLLIN};
    for (unsigned i = 0; i < p->settings.n_lanes && n < room; i++) {
        /* An ending lane is not read any more; its death comes from the zygote. */
        if (p->lanes[i].fd >= 0 && p->lanes[i].state != LANE_ENDING)
            fds[n++] = (struct pollfd){.fd = p->lanes[i].fd, .events = POLLIN};
    }
    return n;
}

/* The notes come from a process that may have been taken over: printable text of bounded length, nothing else. */
static void quote_notes(const struct lane *l, char *ret_text, size_t room)
{
    char stage[sizeof(l->notes->stage)], message[sizeof(l->notes->message)];

    memcpy(stage, l->notes->stage, sizeof(stage));
    memcpy(message, l->notes->message, sizeof(message));
    stage[sizeof(stage) - 1] = message[sizeof(message) - 1] = '\0';
    snprintf(ret_text, room, "%s%s%s%.190s", stage[0] ? " during " : "", stage, message[0] ? ": " : "", message);
}

static void describe_death(const struct lane_pool *p, const struct lane *l, const struct zygote_event *death,
                           struct lane_pool_event *event)
{
    int wait_status = death->wait_status;
    struct result made = {0};
    char notes[RESULT_MESSAGE_BYTES];

    quote_notes(l, notes, sizeof(notes));
    event->outcome = OUTCOME_CRASHED;
    if (l->timed_out) {
        event->outcome = OUTCOME_TIMEOUT;
        result_set_message(&made, "no answer within %.3g s%s", (double)p->settings.timeout_us / 1e6, notes);
    } else if (l->killed) {
        result_set_message(&made, "given up at a drain");
    } else if (death->text[0]) {
        result_set_message(&made, "%.200s", death->text);
    } else if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGSYS) {
        result_set_message(&made, "stopped by the sandbox: a system call that decoding does not need%s", notes);
    } else if (WIFSIGNALED(wait_status)) {
        result_set_message(&made, "killed by signal %d (%s)%s", WTERMSIG(wait_status), strsignal(WTERMSIG(wait_status)),
                           notes);
    } else {
        result_set_message(&made, "ended with status %d%s", WEXITSTATUS(wait_status), notes);
    }
    memcpy(event->message, made.message, sizeof(event->message));
}

static void greet(struct lane_pool *p, struct lane *l, size_t len)
{
    struct lane_greeting greeting;

    memcpy(&greeting, p->packet, len < sizeof(greeting) ? len : sizeof(greeting));
    if (len == sizeof(greeting) && greeting.magic == LANE_GREETING_MAGIC) {
        l->greeted = true;
        p->sandbox_layers = greeting.sandbox_layers;
    }
}

/* A lane that says something else than it should is not to be trusted with another unit. */
static void distrust(struct lane_pool *p, struct lane *l)
{
    kill_lane(p, l);
    let_go(l);
}

static enum status from_lane(struct lane_pool *p, struct lane *l, int64_t now_us, struct lane_pool_event *ret_event)
{
    for (;;) {
        size_t len;
        enum status s = passing_receive(l->fd, p->packet, WIRE_MAX_BYTES, &len, NULL);

        if (s == STATUS_AGAIN)
            return s;
        if (s == STATUS_END) {
            let_go(l);
            l->state = LANE_ENDING;
            return STATUS_AGAIN;
        }
        if (s == STATUS_OK && !l->greeted) {
            greet(p, l, len);
            if (l->greeted)
                continue;
        }
        if (s == STATUS_OK && l->state == LANE_BUSY && p->settings.takes_finds && finds_is_packet(p->packet, len)) {
            s = finds_take(&l->finds, p->packet, len);
            if (s == STATUS_OK)
                continue;
        }
        *ret_event = (struct lane_pool_event){.kind = LANE_POOL_RESULT, .token = l->tokens[l->at]};
        if (s != STATUS_OK || l->state != LANE_BUSY || result_unpack(p->packet, len, &ret_event->result) != STATUS_OK) {
            distrust(p, l);
            return STATUS_AGAIN;
        }
        finds_match(&l->finds, &ret_event->result);
        ret_event->finds = l->finds;
        l->finds = (struct finds){0};
        ret_event->wall_us = now_us - l->start_us;
        l->n_units++;
        if (++l->at < l->n_tokens) {
            l->start_us = now_us;
            return STATUS_OK;
        }
        l->has_unit = false;
        l->state = LANE_IDLE;
        if (l->n_units >= (p->settings.n_units ? p->settings.n_units : LANE_POOL_UNITS))
            distrust(p, l);
        return STATUS_OK;
    }
}

static enum status lane_died(struct lane_pool *p, const struct zygote_event *death, int64_t now_us,
                             struct lane_pool_event *ret_event, struct error *e)
{
    struct lane *l = NULL;
    enum status s = STATUS_AGAIN;

    for (unsigned i = 0; i < p->settings.n_lanes; i++) {
        if (p->lanes[i].state != LANE_NONE && p->lanes[i].number == death->lane)
            l = &p->lanes[i];
    }
    if (!l)
        return STATUS_AGAIN;
    /* It may have answered since its socket was last read; what it said counts. */
    if (l->fd >= 0 && l->state != LANE_ENDING)
        s = from_lane(p, l, now_us, ret_event);
    if (s == STATUS_OK) {
        if (!l->died)
            l->death = *death;
        l->died = true;
        return s;
    }
    if (!l->greeted && WIFEXITED(death->wait_status) && WEXITSTATUS(death->wait_status) == LANE_EXIT_SANDBOX)
        return error_set(e, STATUS_UNSUPPORTED, "--require-sandbox: the sandbox has here: %.*s",
                         (int)sizeof(l->notes->message), l->notes->message);
    if (!l->killed)
        p->n_stillborn = l->greeted ? 0 : p->n_stillborn + 1;
    if (l->has_unit) {
        bool begun = l->greeted || l->timed_out || l->killed;

        *ret_event = (struct lane_pool_event){
            .kind = begun ? LANE_POOL_FAILED : LANE_POOL_NOT_BEGUN,
            .token = l->tokens[l->at++],
        };
        ret_event->wall_us = now_us - l->start_us;
        describe_death(p, l, death, ret_event);
        s = STATUS_OK;
    }
    if (l->has_unit && l->at < l->n_tokens) {
        let_go(l);
        l->state = LANE_DEAD;
        l->died = l->kill_owed = false;
    } else {
        forget(l);
    }
    if (p->n_stillborn >= MAX_STILLBORN)
        return error_set(e, STATUS_IO, "%d lanes in a row died before they could begin, the last %s", MAX_STILLBORN,
                         s == STATUS_OK ? ret_event->message : "without a unit");
    return s;
}

static enum status from_zygote(struct lane_pool *p, int64_t now_us, struct lane_pool_event *ret_event, struct error *e)
{
    for (;;) {
        struct zygote_event event;
        enum status s = zygote_next_event(p->zygote, &event);

        if (s == STATUS_AGAIN)
            return s;
        if (s != STATUS_OK)
            return error_set(e, STATUS_IO, "the zygote died");
        if (event.kind == ZYGOTE_FAILED)
            return error_set(e, STATUS_INVALID, "%s", event.text);
        if (event.kind == ZYGOTE_READY)
            continue;
        s = lane_died(p, &event, now_us, ret_event, e);
        if (s != STATUS_AGAIN)
            return s;
    }
}

static void watch_clock(struct lane_pool *p, int64_t now_us)
{
    for (unsigned i = 0; i < p->settings.n_lanes; i++) {
        struct lane *l = &p->lanes[i];

        if (l->state == LANE_BUSY && now_us - l->start_us >= p->settings.timeout_us) {
            l->timed_out = true;
            kill_lane(p, l);
        } else if (l->kill_owed) {
            kill_lane(p, l);
        }
    }
}

/* What a lane that died had not come to. */
static enum status give_back(struct lane *l, struct lane_pool_event *ret_event)
{
    *ret_event = (struct lane_pool_event){.kind = LANE_POOL_NOT_BEGUN, .token = l->tokens[l->at++]};
    snprintf(ret_event->message, sizeof(ret_event->message), "its lane died at a video before it");
    if (l->at == l->n_tokens)
        forget(l);
    return STATUS_OK;
}

enum status lane_pool_next(struct lane_pool *p, int64_t now_us, struct lane_pool_event *ret_event, struct error *e)
{
    enum status s;

    for (unsigned i = 0; i < p->settings.n_lanes; i++) {
        if (p->lanes[i].state == LANE_DEAD)
            return give_back(&p->lanes[i], ret_event);
        s = p->lanes[i].died ? lane_died(p, &p->lanes[i].death, now_us, ret_event, e) : STATUS_AGAIN;
        if (s != STATUS_AGAIN)
            return s;
    }
    /* Answers before deaths and deadlines: a lane that answered and then died has answered. */
    for (unsigned i = 0; i < p->settings.n_lanes; i++) {
        struct lane *l = &p->lanes[i];

        if (l->fd < 0 || l->state == LANE_ENDING)
            continue;
        s = from_lane(p, l, now_us, ret_event);
        if (s != STATUS_AGAIN)
            return s;
    }
    s = from_zygote(p, now_us, ret_event, e);
    if (s != STATUS_AGAIN)
        return s;
    watch_clock(p, now_us);
    return STATUS_AGAIN;
}
