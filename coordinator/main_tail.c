#include "coordinator/main_tail.h"

#include "shard/text.h"

enum status tail_find_slowest(const struct manifest *m, const struct results *r, struct run_slow *ret_slow,
                              size_t *ret_n, struct error *e)
{
    struct results_reader *reader = NULL;
    size_t n = 0;

    if (results_reader_open(r, &reader) != STATUS_OK)
        return error_no_memory(e);
    for (size_t i = 0; i < results_count(r); i++) {
        const struct result *result;
        size_t at;

        if (results_outcome(r, i) == OUTCOME_UNDECIDED)
            continue;
        result = results_get(reader, i);
        if (n == RUN_MAX_SLOWEST && result->wall_us <= ret_slow[n - 1].wall_us)
            continue;
        at = n < RUN_MAX_SLOWEST ? n++ : n - 1;
        for (; at > 0 && ret_slow[at - 1].wall_us < result->wall_us; at--)
            ret_slow[at] = ret_slow[at - 1];
        ret_slow[at] = (struct run_slow){
            .path = manifest_entry(m, i)->path,
            .outcome = outcome_name(result->outcome),
            .wall_us = result->wall_us,
        };
    }
    results_reader_close(&reader);
    *ret_n = n;
    return STATUS_OK;
}

void tail_fill_use(const struct job_end *end, struct run_use *ret_use)
{
    struct run_use u = {
        .n_videos = end->tally.n_records,
        .available_lane_s = end->use.available_lane_s,
        .busy_lane_s = (double)end->tally.wall_us / 1e6,
        .idle_lane_s = end->use.idle_lane_s,
        .tail_s = end->use.tail_s,
        .tail_idle_lane_s = end->use.tail_idle_lane_s,
    };

    u.efficiency = u.available_lane_s > 0 ? u.busy_lane_s / u.available_lane_s : 0;
    if (u.n_videos > 0)
        u.core_hours_per_1000 = u.available_lane_s / 3600 / (double)u.n_videos * 1000;
    *ret_use = u;
}

void tail_print(const struct run_use *use, const struct run_slow *slow, size_t n_slow, FILE *out)
{
    if (use->n_videos == 0)
        return;
    fprintf(out, "lanes: %.1f s busy of %.1f s available (efficiency %.1f %%), %.3f core-hours per 1,000 videos\n",
            use->busy_lane_s, use->available_lane_s, 100 * use->efficiency, use->core_hours_per_1000);
    fprintf(out, "idle lanes: %.1f s, of these %.1f s in the last %.1f s, when every video was given out\n",
            use->idle_lane_s, use->tail_idle_lane_s, use->tail_s);
    fprintf(out, "slowest video%s:\n", n_slow == 1 ? "" : "s");
    for (size_t k = 0; k < n_slow; k++) {
        struct text name = {0};

        /* A terminal must not obey a file's name. */
        text_append_json(&name, slow[k].path);
        fprintf(out, "  %8.2f s  %-14s %s\n", (double)slow[k].wall_us / 1e6, slow[k].outcome,
                name.failed ? "?" : name.data);
        text_clear(&name);
    }
}
