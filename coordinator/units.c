#include "coordinator/units.h"

#include <math.h>
#include <stdlib.h>

struct cut {
    uint32_t entry, first_unit;
    uint8_t n_segments, n_done;
    bool settled; /* decided, or given back to be worked on whole */
};

struct units {
    size_t n_entries, n_units;
    float *costs; /* of entries, uncorrected */
    uint8_t *classes;
    struct cut *cuts; /* ascending, by entry and by unit alike */
    size_t n_cuts, room_cuts;
    struct plan_correction correction;
    double applied[PLAN_N_CLASSES]; /* the factors that the ledger's order has */
    uint64_t n_learned, next_look;
};

enum { FIRST_LOOK = 64, LOOK_AGAIN = 4 };

enum status units_open(size_t n_entries, struct units **ret_u)
{
    struct units *u = calloc(1, sizeof(*u));

    if (!u)
        return STATUS_NO_MEMORY;
    u->n_entries = u->n_units = n_entries;
    u->costs = calloc(n_entries + 1, sizeof(*u->costs));
    u->classes = calloc(n_entries + 1, sizeof(*u->classes));
    if (!u->costs || !u->classes) {
        units_close(&u);
        return STATUS_NO_MEMORY;
    }
    for (unsigned i = 0; i < PLAN_N_CLASSES; i++)
        u->applied[i] = 1;
    u->next_look = FIRST_LOOK;
    *ret_u = u;
    return STATUS_OK;
}

void units_close(struct units **u)
{
    if (!*u)
        return;
    free((*u)->costs);
    free((*u)->classes);
    free((*u)->cuts);
    free(*u);
    *u = NULL;
}

void units_set_cost(struct units *u, uint32_t entry, double cost_s, unsigned class_number)
{
    if (entry >= u->n_entries || class_number >= PLAN_N_CLASSES || !(cost_s >= 0))
        return;
    u->costs[entry] = (float)cost_s;
    u->classes[entry] = (uint8_t)class_number;
}

enum status units_cut(struct units *u, uint32_t entry, uint32_t n_segments)
{
    if (entry >= u->n_entries || n_segments < 2 || n_segments > SEGMENT_MAX_COUNT ||
        (u->n_cuts > 0 && u->cuts[u->n_cuts - 1].entry >= entry) || u->n_units + n_segments >= UINT32_MAX)
        return STATUS_INVALID;
    if (u->n_cuts == u->room_cuts) {
        size_t room = u->room_cuts ? 2 * u->room_cuts : 16;
        struct cut *bigger = realloc(u->cuts, room * sizeof(*bigger));

        if (!bigger)
            return STATUS_NO_MEMORY;
        u->cuts = bigger;
        u->room_cuts = room;
    }
    u->cuts[u->n_cuts++] =
        (struct cut){.entry = entry, .first_unit = (uint32_t)u->n_units, .n_segments = (uint8_t)n_segments};
    u->n_units += n_segments;
    return STATUS_OK;
}

size_t units_count(const struct units *u)
{
    return u->n_units;
}

size_t units_entries(const struct units *u)
{
    return u->n_entries;
}

/* The last cut whose key is not beyond; NULL when there is none. */
static struct cut *find(const struct units *u, uint32_t key, bool by_unit)
{
    size_t low = 0, high = u->n_cuts;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if ((by_unit ? u->cuts[middle].first_unit : u->cuts[middle].entry) <= key)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? &u->cuts[low - 1] : NULL;
}

static struct cut *cut_of_entry(const struct units *u, uint32_t entry)
{
    struct cut *c = find(u, entry, false);

    return c && c->entry == entry ? c : NULL;
}

struct unit_place units_place(const struct units *u, uint32_t unit)
{
    const struct cut *c = unit < u->n_entries ? NULL : find(u, unit, true);

    if (!c)
        return (struct unit_place){.entry = unit, .n_segments = 1};
    return (struct unit_place){.entry = c->entry, .segment = unit - c->first_unit, .n_segments = c->n_segments};
}

size_t units_first_segment(const struct units *u, uint32_t entry, uint32_t *ret_n)
{
    const struct cut *c = cut_of_entry(u, entry);

    *ret_n = c ? c->n_segments : 0;
    return c ? c->first_unit : u->n_units;
}

static float cost_with(const struct units *u, uint32_t unit, const double *factors)
{
    struct unit_place place = units_place(u, unit);

    return (float)(u->costs[place.entry] * factors[u->classes[place.entry]] / place.n_segments);
}

static float applied_cost(const void *context, uint32_t unit)
{
    const struct units *u = context;

    return cost_with(u, unit, u->applied);
}

void units_fill(const struct units *u, struct ledger *l)
{
    for (size_t i = 0; i < u->n_units; i++)
        ledger_set_cost(l, (uint32_t)i, applied_cost(u, (uint32_t)i));
    for (size_t i = 0; i < u->n_cuts; i++)
        ledger_hold(l, u->cuts[i].entry);
}

double units_prediction(const struct units *u, uint32_t unit)
{
    struct unit_place place = units_place(u, unit);

    return (double)u->costs[place.entry] / place.n_segments;
}

double units_cost(const struct units *u, uint32_t unit)
{
    struct unit_place place = units_place(u, unit);

    return u->costs[place.entry] * plan_factor(&u->correction, u->classes[place.entry]) / place.n_segments;
}

/* A factor that all share changes no order. */
static bool order_is_stale(const struct units *u)
{
    double low = INFINITY, high = -INFINITY;

    for (unsigned i = 0; i < PLAN_N_CLASSES; i++) {
        double moved = plan_factor(&u->correction, i) / u->applied[i];

        if (u->correction.classes[i].n == 0)
            continue;
        low = fmin(low, moved);
        high = fmax(high, moved);
    }
    return high > 1.25 * low;
}

bool units_learn(struct units *u, uint32_t unit, double measured_s)
{
    struct unit_place place = units_place(u, unit);

    plan_learn(&u->correction, u->classes[place.entry], (double)u->costs[place.entry] / place.n_segments, measured_s);
    if (++u->n_learned < u->next_look)
        return false;
    u->next_look *= LOOK_AGAIN;
    return order_is_stale(u);
}

void units_reorder(struct units *u, struct ledger *l)
{
    for (unsigned i = 0; i < PLAN_N_CLASSES; i++)
        u->applied[i] = plan_factor(&u->correction, i);
    ledger_recost(l, applied_cost, u);
}

void units_mark_done(struct units *u, uint32_t unit)
{
    struct cut *c = unit < u->n_entries ? NULL : find(u, unit, true);

    if (c)
        c->n_done++;
}

enum unit_verdict units_take_result(struct units *u, uint32_t unit, enum segment_state state)
{
    struct cut *c = unit < u->n_entries ? cut_of_entry(u, unit) : find(u, unit, true);

    if (unit < u->n_entries || !c) {
        if (c)
            c->settled = true;
        return UNIT_DECIDED;
    }
    if (c->settled)
        return UNIT_GOES_ON; /* one that was under way when another had settled it */
    c->n_done++;
    c->settled = state != SEGMENT_CLEAN || c->n_done == c->n_segments;
    if (!c->settled)
        return UNIT_GOES_ON;
    return state == SEGMENT_TROUBLED ? UNIT_WHOLE : UNIT_DECIDED;
}
