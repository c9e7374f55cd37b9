#include "coordinator/prefetch.h"

#include <stdlib.h>

struct held {
    uint64_t lease;
    uint32_t lane;
    int64_t end_us; /* when it is expected to end */
};

/* Lanes are counted as if each had a queue of its own; which lane of the agent really takes a unit does not matter. */
struct worker {
    uint32_t n_lanes; /* 0: does not work */
    int64_t *free_us; /* by lane: when it is expected to have done all that it was given */
    struct held *held;
    size_t n_held, room;
    uint32_t soonest; /* the lane that is free first */
};

struct prefetch {
    uint32_t n_agents;
    uint64_t n_lanes; /* of all that work */
    struct worker *workers;
};

enum status prefetch_open(uint32_t n_agents, struct prefetch **ret_p)
{
    struct prefetch *p = calloc(1, sizeof(*p));

    if (!p)
        return STATUS_NO_MEMORY;
    p->n_agents = n_agents;
    p->workers = calloc(n_agents, sizeof(*p->workers));
    if (!p->workers) {
        free(p);
        return STATUS_NO_MEMORY;
    }
    *ret_p = p;
    return STATUS_OK;
}

void prefetch_close(struct prefetch **p)
{
    if (!*p)
        return;
    for (uint32_t i = 0; i < (*p)->n_agents; i++)
        prefetch_leave(*p, i);
    free((*p)->workers);
    free(*p);
    *p = NULL;
}

void prefetch_leave(struct prefetch *p, uint32_t agent)
{
    struct worker *w = &p->workers[agent];

    p->n_lanes -= w->n_lanes;
    free(w->free_us);
    free(w->held);
    *w = (struct worker){0};
}

enum status prefetch_join(struct prefetch *p, uint32_t agent, uint32_t n_lanes)
{
    struct worker *w = &p->workers[agent];

    prefetch_leave(p, agent);
    w->room = (size_t)n_lanes + PREFETCH_MAX_AHEAD;
    w->free_us = calloc((size_t)n_lanes + 1, sizeof(*w->free_us));
    w->held = calloc(w->room, sizeof(*w->held));
    if (!w->free_us || !w->held) {
        prefetch_leave(p, agent);
        return STATUS_NO_MEMORY;
    }
    w->n_lanes = n_lanes;
    p->n_lanes += n_lanes;
    return STATUS_OK;
}

static void find_soonest(struct worker *w)
{
    w->soonest = 0;
    for (uint32_t i = 1; i < w->n_lanes; i++) {
        if (w->free_us[i] < w->free_us[w->soonest])
            w->soonest = i;
    }
}

static int64_t to_us(double seconds)
{
    return seconds > 0 ? (int64_t)((seconds < 1e6 ? seconds : 1e6) * 1e6) : 0;
}

void prefetch_leased(struct prefetch *p, uint32_t agent, uint64_t lease, double cost_s, int64_t now_us)
{
    struct worker *w = &p->workers[agent];
    int64_t start_us;

    if (w->n_lanes == 0 || w->n_held == w->room)
        return;
    start_us = w->free_us[w->soonest] > now_us ? w->free_us[w->soonest] : now_us;
    w->held[w->n_held++] = (struct held){.lease = lease, .lane = w->soonest, .end_us = start_us + to_us(cost_s)};
    w->free_us[w->soonest] = start_us + to_us(cost_s);
    find_soonest(w);
}

void prefetch_ended(struct prefetch *p, uint32_t agent, uint64_t lease, int64_t now_us)
{
    struct worker *w = &p->workers[agent];
    struct held ended;
    size_t i = 0;

    while (i < w->n_held && w->held[i].lease != lease)
        i++;
    if (i == w->n_held)
        return;
    ended = w->held[i];
    w->held[i] = w->held[--w->n_held];
    /* What is queued behind it moves by as much as it was early or late. */
    w->free_us[ended.lane] += now_us - ended.end_us;
    for (i = 0; i < w->n_held; i++) {
        if (w->held[i].lane == ended.lane)
            w->held[i].end_us += now_us - ended.end_us;
    }
    find_soonest(w);
}

bool prefetch_wants(const struct prefetch *p, uint32_t agent, size_t n_waiting, int64_t now_us)
{
    const struct worker *w = &p->workers[agent];

    if (w->n_held < w->n_lanes)
        return true;
    return w->n_lanes > 0 && w->n_held < w->room && n_waiting > p->n_lanes &&
           w->free_us[w->soonest] <= now_us + PREFETCH_LEAD_US;
}

size_t prefetch_held(const struct prefetch *p, uint32_t agent)
{
    return p->workers[agent].n_held;
}
