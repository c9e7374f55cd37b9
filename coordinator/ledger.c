#include "coordinator/ledger.h"

#include <stdlib.h>

enum unit_state { UNIT_WAITING, UNIT_LEASED, UNIT_GIVEN_UP, UNIT_DONE, UNIT_HELD };

/* 16 bytes. */
struct unit {
    float cost;
    uint32_t slot; /* UNIT_LEASED: index of its live lease; UNIT_WAITING: its place in the heap */
    uint8_t state;
    uint8_t attempts; /* that failed */
    uint8_t losses;
};

struct live_lease {
    uint64_t number; /* 0 = free slot */
    uint32_t unit;
    uint32_t agent;
    int64_t deadline_us;
};

struct ledger {
    struct ledger_settings settings;
    struct unit *units;
    uint32_t *heap; /* units that wait, the costliest on top */
    size_t n_heap;
    bool heap_ready;
    struct live_lease *leases;
    size_t n_lease_slots;
    uint32_t *free_slots; /* stack of free indices into leases */
    size_t n_free_slots;
    uint32_t *given_up; /* stack */
    size_t n_given_up, room_given_up;
    uint32_t *n_leased_by;  /* by agent */
    uint64_t *n_expired_by; /* by agent */
    size_t n_leased, n_given_up_open, n_done, n_held;
    uint64_t next_number;
    uint64_t n_duplicates;
    bool has_time;
    int64_t highest_us; /* the time of leases: the caller's, which stands still while that one is set back */
};

enum status ledger_open(const struct ledger_settings *settings, struct ledger **ret_l)
{
    struct ledger *l;

    if (settings->n_units >= UINT32_MAX || settings->attempts < 1 || settings->attempts > 100 ||
        settings->max_losses < 1 || settings->max_losses > 100 || settings->n_agents < 1)
        return STATUS_INVALID;
    l = calloc(1, sizeof(*l));
    if (!l)
        return STATUS_NO_MEMORY;
    l->settings = *settings;
    l->units = calloc(settings->n_units + 1, sizeof(*l->units));
    l->heap = malloc((settings->n_units + 1) * sizeof(*l->heap));
    l->n_leased_by = calloc(settings->n_agents, sizeof(*l->n_leased_by));
    l->n_expired_by = calloc(settings->n_agents, sizeof(*l->n_expired_by));
    if (!l->units || !l->heap || !l->n_leased_by || !l->n_expired_by) {
        ledger_close(&l);
        return STATUS_NO_MEMORY;
    }
    l->next_number = 1;
    *ret_l = l;
    return STATUS_OK;
}

void ledger_close(struct ledger **l)
{
    if (!*l)
        return;
    free((*l)->units);
    free((*l)->heap);
    free((*l)->leases);
    free((*l)->free_slots);
    free((*l)->given_up);
    free((*l)->n_leased_by);
    free((*l)->n_expired_by);
    free(*l);
    *l = NULL;
}

static bool before(const struct ledger *l, uint32_t a, uint32_t b)
{
    float x = l->units[a].cost, y = l->units[b].cost;

    return x != y ? x > y : a < b;
}

static void heap_place(struct ledger *l, size_t at, uint32_t unit)
{
    l->heap[at] = unit;
    l->units[unit].slot = (uint32_t)at;
}

static void heap_up(struct ledger *l, size_t at, uint32_t unit)
{
    while (at > 0) {
        size_t parent = (at - 1) / 2;

        if (!before(l, unit, l->heap[parent]))
            break;
        heap_place(l, at, l->heap[parent]);
        at = parent;
    }
    heap_place(l, at, unit);
}

static void heap_down(struct ledger *l, size_t at, uint32_t unit)
{
    for (;;) {
        size_t child = 2 * at + 1;

        if (child >= l->n_heap)
            break;
        if (child + 1 < l->n_heap && before(l, l->heap[child + 1], l->heap[child]))
            child++;
        if (!before(l, l->heap[child], unit))
            break;
        heap_place(l, at, l->heap[child]);
        at = child;
    }
    heap_place(l, at, unit);
}

static void heap_push(struct ledger *l, uint32_t unit)
{
    l->n_heap++;
    heap_up(l, l->n_heap - 1, unit);
}

static void heap_remove(struct ledger *l, uint32_t unit)
{
    size_t at = l->units[unit].slot;
    uint32_t last = l->heap[--l->n_heap];

    if (last == unit)
        return;
    if (before(l, last, unit))
        heap_up(l, at, last);
    else
        heap_down(l, at, last);
}

static void heap_make(struct ledger *l)
{
    for (size_t i = 0; i < l->settings.n_units; i++) {
        if (l->units[i].state == UNIT_WAITING)
            heap_place(l, l->n_heap++, (uint32_t)i);
    }
    for (size_t i = l->n_heap / 2; i-- > 0;)
        heap_down(l, i, l->heap[i]);
    l->heap_ready = true;
}

void ledger_set_cost(struct ledger *l, uint32_t unit, float cost)
{
    if (unit < l->settings.n_units && !l->heap_ready && cost == cost)
        l->units[unit].cost = cost;
}

void ledger_recost(struct ledger *l, float (*cost_of)(const void *context, uint32_t unit), const void *context)
{
    for (size_t i = 0; i < l->settings.n_units; i++) {
        float cost = cost_of(context, (uint32_t)i);

        if (cost == cost)
            l->units[i].cost = cost;
    }
    for (size_t i = l->n_heap / 2; i-- > 0;)
        heap_down(l, i, l->heap[i]);
}

float ledger_cost(const struct ledger *l, uint32_t unit)
{
    return unit < l->settings.n_units ? l->units[unit].cost : 0;
}

void ledger_hold(struct ledger *l, uint32_t unit)
{
    if (unit >= l->settings.n_units || l->heap_ready || l->units[unit].state != UNIT_WAITING)
        return;
    l->units[unit].state = UNIT_HELD;
    l->n_held++;
}

void ledger_release(struct ledger *l, uint32_t unit)
{
    if (unit >= l->settings.n_units || l->units[unit].state != UNIT_HELD)
        return;
    l->units[unit].state = UNIT_WAITING;
    l->n_held--;
    if (l->heap_ready)
        heap_push(l, unit);
}

void ledger_mark_done(struct ledger *l, uint32_t unit)
{
    if (unit >= l->settings.n_units || l->heap_ready || l->units[unit].state == UNIT_DONE)
        return;
    l->n_held -= l->units[unit].state == UNIT_HELD;
    l->units[unit].state = UNIT_DONE;
    l->n_done++;
}

static enum status grow_leases(struct ledger *l)
{
    size_t n = l->n_lease_slots ? l->n_lease_slots * 2 : 64;
    struct live_lease *leases;
    uint32_t *free_slots = realloc(l->free_slots, n * sizeof(*free_slots));

    if (!free_slots)
        return STATUS_NO_MEMORY;
    l->free_slots = free_slots;
    leases = realloc(l->leases, n * sizeof(*leases));
    if (!leases)
        return STATUS_NO_MEMORY;
    l->leases = leases;
    for (size_t i = n; i-- > l->n_lease_slots;) {
        leases[i] = (struct live_lease){0};
        free_slots[l->n_free_slots++] = (uint32_t)i;
    }
    l->n_lease_slots = n;
    return STATUS_OK;
}

static int64_t advance(struct ledger *l, int64_t now_us)
{
    if (!l->has_time || now_us > l->highest_us)
        l->highest_us = now_us;
    l->has_time = true;
    return l->highest_us;
}

enum status ledger_lease(struct ledger *l, uint32_t agent, int64_t now_us, struct lease *ret_lease)
{
    struct live_lease *live;
    struct unit *u;
    uint32_t unit, slot;

    if (!l->heap_ready)
        heap_make(l);
    if (l->n_done == l->settings.n_units)
        return STATUS_END;
    if (l->n_heap == 0)
        return STATUS_AGAIN;
    if (l->n_free_slots == 0 && grow_leases(l) != STATUS_OK)
        return STATUS_NO_MEMORY;
    unit = l->heap[0];
    heap_remove(l, unit);
    slot = l->free_slots[--l->n_free_slots];
    live = &l->leases[slot];
    *live = (struct live_lease){
        .number = l->next_number++,
        .unit = unit,
        .agent = agent,
        .deadline_us = advance(l, now_us) + l->settings.lease_us,
    };
    u = &l->units[unit];
    u->state = UNIT_LEASED;
    u->slot = slot;
    l->n_leased++;
    l->n_leased_by[agent]++;
    *ret_lease = (struct lease){
        .number = live->number,
        .unit = unit,
        .agent = agent,
        .attempt = u->attempts + 1u,
        .last_attempt = u->attempts + 1u >= l->settings.attempts,
    };
    return STATUS_OK;
}

static void drop_lease(struct ledger *l, uint32_t slot)
{
    l->n_leased_by[l->leases[slot].agent]--;
    l->leases[slot].number = 0;
    l->free_slots[l->n_free_slots++] = slot;
    l->n_leased--;
}

bool ledger_result(struct ledger *l, uint64_t lease_number, uint32_t unit)
{
    struct unit *u;

    (void)lease_number; /* durable is durable, whichever lease it came from */
    if (unit >= l->settings.n_units)
        return false;
    if (!l->heap_ready)
        heap_make(l);
    u = &l->units[unit];
    switch (u->state) {
    case UNIT_DONE:
        l->n_duplicates++;
        return false;
    case UNIT_LEASED:
        drop_lease(l, u->slot);
        break;
    case UNIT_WAITING:
        heap_remove(l, unit);
        break;
    case UNIT_GIVEN_UP:
        l->n_given_up_open--;
        break;
    case UNIT_HELD:
        l->n_held--;
        break;
    }
    u->state = UNIT_DONE;
    l->n_done++;
    return true;
}

void ledger_drop(struct ledger *l, uint32_t unit)
{
    if (unit < l->settings.n_units && l->units[unit].state != UNIT_DONE)
        ledger_result(l, 0, unit);
}

void ledger_failed(struct ledger *l, uint64_t lease_number, uint32_t unit)
{
    struct unit *u;

    if (unit >= l->settings.n_units)
        return;
    u = &l->units[unit];
    if (u->state != UNIT_LEASED || l->leases[u->slot].number != lease_number)
        return;
    drop_lease(l, u->slot);
    if (u->attempts + 1u < l->settings.attempts)
        u->attempts++;
    u->state = UNIT_WAITING;
    heap_push(l, unit);
}

/* The list of units to give up is an optimisation of a scan; without memory for it the unit just waits once more. */
static bool give_up(struct ledger *l, uint32_t unit)
{
    if (l->n_given_up == l->room_given_up) {
        size_t room = l->room_given_up ? l->room_given_up * 2 : 16;
        uint32_t *bigger = realloc(l->given_up, room * sizeof(*bigger));

        if (!bigger)
            return false;
        l->given_up = bigger;
        l->room_given_up = room;
    }
    l->given_up[l->n_given_up++] = unit;
    l->n_given_up_open++;
    l->units[unit].state = UNIT_GIVEN_UP;
    return true;
}

static void lose_lease(struct ledger *l, uint32_t slot)
{
    uint32_t unit = l->leases[slot].unit;
    struct unit *u = &l->units[unit];

    drop_lease(l, slot);
    if (u->losses < l->settings.max_losses)
        u->losses++;
    if (u->losses >= l->settings.max_losses && give_up(l, unit))
        return;
    u->state = UNIT_WAITING;
    heap_push(l, unit);
}

static void return_lease(struct ledger *l, uint32_t slot)
{
    uint32_t unit = l->leases[slot].unit;

    drop_lease(l, slot);
    l->units[unit].state = UNIT_WAITING;
    heap_push(l, unit);
}

static size_t take_back(struct ledger *l, uint32_t agent, void (*end)(struct ledger *l, uint32_t slot))
{
    size_t n = 0;

    for (size_t i = 0; i < l->n_lease_slots; i++) {
        if (l->leases[i].number != 0 && l->leases[i].agent == agent) {
            end(l, (uint32_t)i);
            n++;
        }
    }
    return n;
}

size_t ledger_agent_lost(struct ledger *l, uint32_t agent)
{
    return take_back(l, agent, lose_lease);
}

size_t ledger_agent_left(struct ledger *l, uint32_t agent)
{
    return take_back(l, agent, return_lease);
}

size_t ledger_expire(struct ledger *l, int64_t now_us)
{
    size_t n = 0;
    int64_t highest_us = advance(l, now_us);

    for (size_t i = 0; i < l->n_lease_slots; i++) {
        if (l->leases[i].number != 0 && highest_us >= l->leases[i].deadline_us) {
            l->n_expired_by[l->leases[i].agent]++;
            lose_lease(l, (uint32_t)i);
            n++;
        }
    }
    return n;
}

enum status ledger_next_given_up(struct ledger *l, uint32_t *ret_unit)
{
    while (l->n_given_up > 0) {
        uint32_t unit = l->given_up[--l->n_given_up];

        /* A late result may have decided it in the meantime. */
        if (l->units[unit].state == UNIT_GIVEN_UP) {
            *ret_unit = unit;
            return STATUS_OK;
        }
    }
    return STATUS_END;
}

size_t ledger_waiting(const struct ledger *l)
{
    return l->settings.n_units - l->n_leased - l->n_given_up_open - l->n_done - l->n_held;
}

size_t ledger_leased(const struct ledger *l)
{
    return l->n_leased;
}

size_t ledger_leased_by(const struct ledger *l, uint32_t agent)
{
    return l->n_leased_by[agent];
}

uint64_t ledger_expired_by(const struct ledger *l, uint32_t agent)
{
    return l->n_expired_by[agent];
}

size_t ledger_done(const struct ledger *l)
{
    return l->n_done;
}

uint64_t ledger_duplicates(const struct ledger *l)
{
    return l->n_duplicates;
}

bool ledger_is_consistent(const struct ledger *l)
{
    size_t counts[5] = {0}, n_live = 0;

    for (size_t i = 0; i < l->settings.n_units; i++) {
        const struct unit *u = &l->units[i];

        counts[u->state]++;
        if (u->state == UNIT_LEASED &&
            (u->slot >= l->n_lease_slots || l->leases[u->slot].number == 0 || l->leases[u->slot].unit != i))
            return false;
        if (u->state == UNIT_WAITING && l->heap_ready && (u->slot >= l->n_heap || l->heap[u->slot] != i))
            return false;
    }
    for (size_t i = 0; i < l->n_lease_slots; i++)
        n_live += l->leases[i].number != 0;
    for (size_t i = 1; i < l->n_heap; i++) {
        if (before(l, l->heap[i], l->heap[(i - 1) / 2]))
            return false;
    }
    return counts[UNIT_LEASED] == l->n_leased && n_live == l->n_leased && counts[UNIT_DONE] == l->n_done &&
           counts[UNIT_GIVEN_UP] == l->n_given_up_open && counts[UNIT_HELD] == l->n_held &&
           (!l->heap_ready || counts[UNIT_WAITING] == l->n_heap);
}
