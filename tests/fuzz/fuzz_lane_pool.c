/* What a lane may send, in any order, to the pool that keeps it: packets of any length and content, true greetings and
 * answers, hanging up, dying, silence. Whatever comes, each unit that was started has exactly one event.
 *
 * The input is a script: a byte that says what happens, and what it needs. nodes/zygote.h is acted here, so that no process
 * is made; its lanes are the other ends of their sockets. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes/lane_pool.h"
#include "nodes/passing.h"
#include "nodes/sandbox.h"
#include "shard/log.h"
#include "shard/wire.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes);

enum { MAX_LANES = 512, MAX_UNITS = 512, N_LANES = 3, TIMEOUT_US = 10000000 };

struct acted_lane {
    int fd; /* -1: it hung up or is dead */
    bool dead;
    uint64_t serial;
};

struct zygote {
    struct acted_lane lanes[MAX_LANES];
    uint32_t n_lanes, at; /* at: the youngest that was told something */
    struct zygote_event deaths[MAX_LANES];
    size_t first_death, n_deaths;
    int pipe[2];
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void die(struct zygote *z, uint32_t lane, int wait_status)
{
    struct acted_lane *l;

    if (lane >= z->n_lanes || z->lanes[lane].dead)
        return;
    l = &z->lanes[lane];
    if (l->fd >= 0)
        close(l->fd);
    l->fd = -1;
    l->dead = true;
    z->deaths[z->n_deaths++] =
        (struct zygote_event){.kind = ZYGOTE_LANE_DIED, .lane = lane, .wait_status = wait_status};
}

enum status zygote_spawn(struct zygote *z, uint32_t lane, const struct zygote_lane_fds *fds)
{
    check(lane == z->n_lanes && lane < MAX_LANES);
    z->lanes[z->n_lanes++] = (struct acted_lane){.fd = dup(fds->socket_fd)};
    fcntl(z->lanes[lane].fd, F_SETFL, O_NONBLOCK);
    z->at = lane;
    return STATUS_OK;
}

enum status zygote_kill(struct zygote *z, uint32_t lane)
{
    die(z, lane, SIGKILL);
    return STATUS_OK;
}

enum status zygote_next_event(struct zygote *z, struct zygote_event *ret_event)
{
    if (z->first_death == z->n_deaths)
        return STATUS_AGAIN;
    *ret_event = z->deaths[z->first_death++];
    return STATUS_OK;
}

bool zygote_is_ready(const struct zygote *z)
{
    (void)z;
    return true;
}

bool zygote_has_room(const struct zygote *z)
{
    return z->n_lanes + 1 < MAX_LANES;
}

int zygote_fd(const struct zygote *z)
{
    return z->pipe[0];
}

void zygote_stop(struct zygote **z)
{
    for (uint32_t i = 0; i < (*z)->n_lanes; i++) {
        if ((*z)->lanes[i].fd >= 0)
            close((*z)->lanes[i].fd);
    }
    close((*z)->pipe[0]);
    close((*z)->pipe[1]);
    free(*z);
    *z = NULL;
}

struct script {
    const uint8_t *data;
    size_t len, at;
};

static unsigned take(struct script *s)
{
    return s->at < s->len ? s->data[s->at++] : 0;
}

struct play {
    struct lane_pool *pool;
    struct zygote *zygote;
    int64_t now_us;
    uint64_t n_started;
    uint8_t n_events[MAX_UNITS];
    bool broken;
};

static void look(struct play *p)
{
    struct lane_pool_event event;
    struct error e = {0};

    while (!p->broken) {
        enum status s = lane_pool_next(p->pool, p->now_us, &event, &e);

        if (s == STATUS_AGAIN)
            return;
        if (s != STATUS_OK) {
            p->broken = true;
            check(e.text[0] != '\0');
            return;
        }
        check(event.token < p->n_started && p->n_events[event.token]++ == 0);
        if (event.kind == LANE_POOL_RESULT)
            result_clear(&event.result);
        else
            check(memchr(event.message, '\0', sizeof(event.message)) && event.message[0] != '\0');
    }
}

static void start(struct play *p, unsigned n)
{
    uint64_t tokens[LANE_MAX_BATCH];
    struct lane_video videos[LANE_MAX_BATCH];
    struct error e = {0};

    n = 1 + n % LANE_MAX_BATCH;
    if (p->broken || lane_pool_free(p->pool) == 0 || p->n_started + n > MAX_UNITS)
        return;
    for (unsigned i = 0; i < n; i++) {
        tokens[i] = p->n_started++;
        videos[i] = (struct lane_video){.fd = dup(p->zygote->pipe[0])};
    }
    check(lane_pool_start_batch(p->pool, tokens, videos, n, p->now_us, &e) == STATUS_OK);
}

/* As a lane does: takes its job, so that it knows its serial. */
static void hear(struct acted_lane *l)
{
    struct lane_job job;
    int fds[PASSING_MAX_FDS];
    size_t len;

    if (passing_receive(l->fd, &job, sizeof(job), &len, fds) != STATUS_OK)
        return;
    for (size_t i = 0; i < PASSING_MAX_FDS; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    if (len == sizeof(job))
        l->serial = job.serial;
}

static void answer(struct acted_lane *l)
{
    struct result r = {.path = (char *)"-", .outcome = OUTCOME_SCORED, .p_fake = 0.5, .size_bytes = l->serial++};
    uint8_t *packed = NULL;
    size_t len;

    check(result_pack(&r, &packed, &len) == STATUS_OK);
    passing_send(l->fd, packed, len, NULL, 0);
    free(packed);
}

static void play(struct play *p, struct script *s)
{
    const struct lane_greeting greeting = {.magic = LANE_GREETING_MAGIC, .sandbox_layers = SANDBOX_ALL};
    struct zygote *z = p->zygote;
    unsigned what = take(s), with = take(s);
    struct acted_lane *l = z->n_lanes > 0 ? &z->lanes[z->at] : NULL;
    size_t n;

    switch (what % 10) {
    case 0:
        start(p, 0);
        return;
    case 1:
        start(p, with);
        return;
    case 2:
        look(p);
        return;
    case 3:
        p->now_us += (int64_t)with * 100000;
        return;
    case 4:
        if (z->n_lanes > 0)
            z->at = z->n_lanes - 1 - with % (z->n_lanes < N_LANES ? z->n_lanes : N_LANES);
        return;
    default:
        break;
    }
    if (!l || l->fd < 0)
        return;
    switch (what % 10) {
    case 5:
        passing_send(l->fd, &greeting, sizeof(greeting), NULL, 0);
        break;
    case 6:
        hear(l);
        answer(l);
        break;
    case 7:
        n = with * 64 < s->len - s->at ? with * 64 : s->len - s->at;
        passing_send(l->fd, s->data + s->at, n, NULL, 0);
        s->at += n;
        break;
    case 8:
        close(l->fd);
        l->fd = -1;
        break;
    default:
        die(z, z->at, (int)(with % 2 ? with / 2 % 32 : with / 2 << 8));
        break;
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    log_setup(LOG_LEVEL_ERROR, -1);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len_bytes)
{
    const struct lane_pool_settings settings = {.n_lanes = N_LANES, .work = LANE_PROBE, .timeout_us = TIMEOUT_US};
    struct script script = {.data = data, .len = len_bytes};
    struct play p = {.zygote = calloc(1, sizeof(*p.zygote)), .now_us = 1};
    struct zygote *given = p.zygote;
    struct error e = {0};

    check(p.zygote && pipe(p.zygote->pipe) == 0 && lane_pool_open(&settings, &given, &p.pool, &e) == STATUS_OK);
    while (script.at < script.len)
        play(&p, &script);
    /* Nobody says anything more: every unit ends by its deadline, and those given back are not owed. */
    for (unsigned i = 0; i < 2 * LANE_MAX_BATCH; i++) {
        look(&p);
        p.now_us += TIMEOUT_US;
    }
    check(p.broken || lane_pool_busy(p.pool) == 0);
    for (uint64_t i = 0; !p.broken && i < p.n_started; i++)
        check(p.n_events[i] == 1);
    lane_pool_close(&p.pool);
    return 0;
}
