#include "coordinator/main_plan.h"

struct plan_work main_plan_work(const struct card *card, const struct zygote *z)
{
    struct zygote_speed speed = zygote_speed(z);

    return (struct plan_work){
        .reads_video = card->input != INPUT_LANDMARKS,
        .clips = card->sampling.clips,
        .frames = card->sampling.frames,
        .sampling = card->sampling.mode == SAMPLING_ALL        ? PLAN_ALL
                    : card->sampling.mode == SAMPLING_KEYFRAME ? PLAN_KEYFRAME
                                                               : PLAN_UNIFORM,
        .stride_s = card->sampling.stride_s,
        .stride_frames = card->sampling.stride_frames,
        .overlap = card->sampling.overlap,
        .clip_s = speed.clip_s,
        .face_s = speed.face_s,
    };
}

static uint32_t segments_for(const struct reduction *before, const struct plan_work *work, uint32_t entry,
                             double cost_s, double bound_s)
{
    uint32_t n = parts_cut(before->parts, entry);

    return n > 0 ? n : plan_segments(work, cost_s, bound_s);
}

static enum status plan_units(const struct manifest *m, const struct reduction *before, const struct plan_work *work,
                              double bound_s, struct units **ret_u, struct error *e)
{
    struct units *u = NULL;
    enum status s = units_open(manifest_count(m), &u);

    for (uint32_t i = 0; s == STATUS_OK && i < units_entries(u); i++) {
        const struct manifest_entry *entry = manifest_entry(m, i);
        double cost_s = plan_cost(work, entry->facts, entry->size_bytes, 0);
        uint32_t n;

        units_set_cost(u, i, cost_s, plan_class(entry->facts));
        if (results_outcome(before->results, i) != OUTCOME_UNDECIDED)
            continue;
        n = segments_for(before, work, i, cost_s, bound_s);
        if (n > 1)
            s = units_cut(u, i, n);
    }
    if (s != STATUS_OK) {
        units_close(&u);
        return error_set(e, s, "%zu videos: %s", manifest_count(m), status_name(s));
    }
    *ret_u = u;
    return STATUS_OK;
}

static void fill(struct units *u, const struct reduction *before, struct ledger *l)
{
    units_fill(u, l);
    for (uint32_t i = 0; i < units_count(u); i++) {
        struct unit_place place = units_place(u, i);

        if (i < units_entries(u) && results_outcome(before->results, i) != OUTCOME_UNDECIDED) {
            ledger_mark_done(l, i);
        } else if (place.n_segments > 1 && parts_has(before->parts, place.entry, place.n_segments, place.segment)) {
            ledger_mark_done(l, i);
            units_mark_done(u, i);
        }
    }
}

enum status main_plan_open(const struct manifest *m, const struct reduction *before, const struct plan_work *work,
                           double bound_s, struct ledger_settings *settings, struct units **ret_u,
                           struct ledger **ret_l, struct error *e)
{
    struct units *u = NULL;
    enum status s = plan_units(m, before, work, bound_s, &u, e);

    if (s != STATUS_OK)
        return s;
    settings->n_units = units_count(u);
    s = ledger_open(settings, ret_l);
    if (s != STATUS_OK) {
        units_close(&u);
        return error_set(e, s, "%zu units: %s", settings->n_units, status_name(s));
    }
    fill(u, before, *ret_l);
    *ret_u = u;
    return STATUS_OK;
}
