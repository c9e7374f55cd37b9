#include "nodes/lane_pool.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/lane_death.h"
#include "nodes/lane_fds.h"
#include "nodes/last_words.h"
#include "nodes/passing.h"
#include "nodes/sandbox.h"
#include "shard/log.h"
#include "shard/wire.h"

/* Lanes that die one after the other without ever greeting: the machine cannot run lanes. */
enum { MAX_STILLBORN = 5 };

/* A lane that closes its socket is about to die. One that does not is killed. */
static const int64_t DYING_US = 1000000;

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
    struct lane_fds ours;
    unsigned n_units;
    uint64_t tokens[LANE_MAX_BATCH];
    size_t at, n_tokens; /* tokens[at..n_tokens) are owed an event; at is in work since start_us */
    uint64_t serial;     /* of tokens[0] */
    int64_t start_us;
    struct finds finds;  /* of the unit in work */
    int64_t closed_us;   /* when it closed its socket; 0: it did not */
    const char *misdeed; /* NULL: none; for which it was killed */
    bool died;           /* as death says; what it said before is still being read */
    struct zygote_event death;
};

struct lane_pool {
    struct lane_pool_settings settings;
    struct zygote *zygote;
    unsigned sandbox_layers; /* that every lane so far had */
    bool has_layers;
    unsigned n_stillborn;
    uint32_t next_number;
    uint64_t next_serial;
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
        p->lanes[i].ours = (struct lane_fds){.socket_fd = -1, .words_fd = -1};
    lane_fds_make_room(settings->n_lanes);
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

/* Closes our end; the process, if there is one, ends when it sees that. */
static void let_go(struct lane *l)
{
    if (l->ours.socket_fd >= 0)
        close(l->ours.socket_fd);
    l->ours.socket_fd = -1;
}

static const struct lane no_lane = {.ours = {.socket_fd = -1, .words_fd = -1}};

static void forget(struct lane *l)
{
    finds_clear(&l->finds);
    lane_fds_close(&l->ours);
    *l = no_lane;
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
    struct zygote_lane_fds theirs;
    struct lane_fds ours;
    enum status s = lane_fds_open(&ours, &theirs, e);

    if (s != STATUS_OK)
        return s;
    s = zygote_spawn(p->zygote, p->next_number, &theirs);
    lane_fds_close_theirs(&theirs);
    if (s != STATUS_OK) {
        lane_fds_close(&ours);
        error_set(e, s, s == STATUS_AGAIN ? "the zygote takes no order" : "the zygote died");
        return s;
    }
    *l = (struct lane){.state = LANE_IDLE, .number = p->next_number++, .ours = ours};
    return STATUS_OK;
}

/* A lane that spoke without being asked, or hung up, gets a unit only where there is no other; the next look deals with it. */
static bool is_quiet(const struct lane *l)
{
    struct pollfd fd = {.fd = l->ours.socket_fd, .events = POLLIN};

    return poll(&fd, 1, 0) == 0;
}

static struct lane *choose(struct lane_pool *p)
{
    struct lane *none = NULL, *loud = NULL;

    for (unsigned i = 0; i < p->settings.n_lanes; i++) {
        struct lane *l = &p->lanes[i];

        if (l->state == LANE_IDLE && is_quiet(l))
            return l;
        if (l->state == LANE_IDLE)
            loud = l;
        if (l->state == LANE_NONE)
            none = l;
    }
    return none ? none : loud;
}

static void close_all(const struct lane_video *videos, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(videos[i].fd);
}

/* As lane_pool_start_batch; job says what all have in common, its serial and windows are set here. */
static enum status start(struct lane_pool *p, struct lane_job *job, const uint64_t *tokens,
                         const struct lane_video *videos, int64_t now_us, struct error *e)
{
    size_t n = job->n_units;
    int fds[LANE_MAX_BATCH];
    struct lane *l = choose(p);
    enum status s = STATUS_OK;

    if (l && l->state == LANE_NONE)
        s = spawn(p, l, e);
    if (!l || s != STATUS_OK || n < 1 || n > LANE_MAX_BATCH) {
        close_all(videos, n);
        return s != STATUS_OK ? s : error_set(e, STATUS_BUG, "a unit was started without a free lane");
    }
    for (size_t i = 0; i < n; i++) {
        fds[i] = videos[i].fd;
        job->windows[i] = videos[i].window;
    }
    /* A lane that died in the meantime cannot take it; its death is the unit's failed attempt, as for any other. */
    job->serial = l->serial = p->next_serial;
    p->next_serial += n;
    s = passing_send(l->ours.socket_fd, job, sizeof(*job), fds, n);
    close_all(videos, n);
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
    const struct lane_video video = {.fd = video_fd};

    return lane_pool_start_video(p, token, &video, now_us, e);
}

enum status lane_pool_start_batch(struct lane_pool *p, const uint64_t *tokens, const struct lane_video *videos,
                                  size_t n, int64_t now_us, struct error *e)
{
    struct lane_job job = {.work = p->settings.work, .n_units = (uint32_t)n};

    return start(p, &job, tokens, videos, now_us, e);
}

enum status lane_pool_start_video(struct lane_pool *p, uint64_t token, const struct lane_video *video, int64_t now_us,
                                  struct error *e)
{
    struct lane_job job = {
        .work = p->settings.work,
        .n_units = 1,
        .segment = video->segment,
        .n_segments = video->n_segments,
    };

    return start(p, &job, &token, video, now_us, e);
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
        if (p->lanes[i].ours.socket_fd >= 0 && p->lanes[i].state != LANE_ENDING)
            fds[n++] = (struct pollfd){.fd = p->lanes[i].ours.socket_fd, .events = POLLIN};
    }
    return n;
}

/* What one lane lacks, the pool lacks. */
static void note_layers(struct lane_pool *p, unsigned layers)
{
    char text[128];

    if (p->has_layers && (p->sandbox_layers & ~layers) == 0)
        return;
    p->sandbox_layers = p->has_layers ? p->sandbox_layers & layers : layers;
    p->has_layers = true;
    sandbox_describe(p->sandbox_layers, text, sizeof(text));
    log_write(p->sandbox_layers == SANDBOX_ALL ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING, "sandbox of the lanes: %s", text);
}

/* Its first message, sent before it saw any video, and so believed. */
static void greet(struct lane_pool *p, struct lane *l, size_t len)
{
    struct lane_greeting greeting;

    memcpy(&greeting, p->packet, len < sizeof(greeting) ? len : sizeof(greeting));
    if (len == sizeof(greeting) && greeting.magic == LANE_GREETING_MAGIC) {
        l->greeted = true;
        note_layers(p, greeting.sandbox_layers);
    }
}

/* A lane that says something else than it should is not to be trusted with another unit. */
static void distrust(struct lane_pool *p, struct lane *l)
{
    kill_lane(p, l);
    let_go(l);
}

/* What is wrong with a packet; NULL: nothing, *ret_result is the caller's. */
static const char *read_answer(struct lane_pool *p, const struct lane *l, enum status received, size_t len,
                               struct result *ret_result)
{
    if (l->state != LANE_BUSY)
        return "spoke without being asked";
    if (!l->greeted)
        return "did not greet";
    if (received != STATUS_OK || result_unpack(p->packet, len, ret_result) != STATUS_OK)
        return "gave an answer that cannot be read";
    if (ret_result->size_bytes == l->serial + l->at)
        return NULL;
    result_clear(ret_result);
    return "answered for another video";
}

static enum status from_lane(struct lane_pool *p, struct lane *l, int64_t now_us, struct lane_pool_event *ret_event)
{
    for (;;) {
        struct result result = {0};
        size_t len;
        enum status s = passing_receive(l->ours.socket_fd, p->packet, WIRE_MAX_BYTES, &len, NULL);

        if (s == STATUS_AGAIN)
            return s;
        if (s == STATUS_END) {
            let_go(l);
            l->state = LANE_ENDING;
            l->closed_us = now_us > 0 ? now_us : 1;
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
        l->misdeed = read_answer(p, l, s, len, &result);
        if (l->misdeed) {
            distrust(p, l);
            return STATUS_AGAIN;
        }
        finds_match(&l->finds, &result);
        *ret_event = (struct lane_pool_event){.kind = LANE_POOL_RESULT,
                                              .token = l->tokens[l->at],
                                              .wall_us = now_us - l->start_us,
                                              .result = result,
                                              .finds = l->finds};
        l->finds = (struct finds){0};
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
    if (l->ours.socket_fd >= 0 && l->state != LANE_ENDING)
        s = from_lane(p, l, now_us, ret_event);
    if (s == STATUS_OK) {
        if (!l->died)
            l->death = *death;
        l->died = true;
        return s;
    }
    if (!l->greeted && WIFEXITED(death->wait_status) && WEXITSTATUS(death->wait_status) == LANE_EXIT_SANDBOX)
        return error_set(e, STATUS_UNSUPPORTED, "--require-sandbox: the sandbox has here: %.*s",
                         (int)sizeof(l->ours.notes->message), l->ours.notes->message);
    if (!l->killed)
        p->n_stillborn = l->greeted ? 0 : p->n_stillborn + 1;
    last_words_log(l->ours.words_fd, l->number);
    if (l->has_unit) {
        bool begun = l->greeted || l->timed_out || l->killed;

        *ret_event = (struct lane_pool_event){
            .kind = begun ? LANE_POOL_FAILED : LANE_POOL_NOT_BEGUN,
            .token = l->tokens[l->at++],
        };
        ret_event->wall_us = now_us - l->start_us;
        lane_death_describe(&(struct lane_death){.event = death,
                                                 .notes = l->ours.notes,
                                                 .timeout_us = l->timed_out ? p->settings.timeout_us : 0,
                                                 .given_up = l->killed,
                                                 .misdeed = l->misdeed},
                            &ret_event->outcome, ret_event->message);
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
        } else if (l->state == LANE_ENDING && l->closed_us > 0 && !l->misdeed && now_us - l->closed_us >= DYING_US) {
            l->misdeed = "closed its socket and lived on";
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

        if (l->ours.socket_fd < 0 || l->state == LANE_ENDING)
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
