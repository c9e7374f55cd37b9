#include "coordinator/submit.h"

#include <inttypes.h>
#include <math.h>

enum {
    RANK_MEMORY_MIB = 512, /* as coordinator/main_batch.c keeps for a rank beside its lanes */
    AIM_S = 3600,          /* without a wish: as many nodes as end it in about an hour */
    LEAST_TIME_S = 900,
    TIME_STEP_S = 300,
    SIGNAL_S = 120,
    /* When it is told to stop, a run also writes its report: measured 65 us a video, here with room for a slow disk. */
    SIGNAL_VIDEOS_PER_S = 10000,
};

static enum status choose_size(const struct submit_estimate *estimate, const struct submit_wish *wish,
                               const struct submit_partition *p, struct submit_plan *plan, struct error *e)
{
    uint64_t most = p->n_nodes < p->max_nodes ? p->n_nodes : p->max_nodes, wanted, useful;

    if (most == 0) {
        error_set(e, STATUS_INVALID, "partition %s has no node that is up", p->name);
        return STATUS_INVALID;
    }
    if (wish->n_nodes > most) {
        error_set(e, STATUS_INVALID, "--nodes %u: partition %s gives a job %" PRIu64, wish->n_nodes, p->name, most);
        return STATUS_INVALID;
    }
    if (wish->n_cpus > p->min_cpus) {
        error_set(e, STATUS_INVALID, "--cpus %u: the smallest node of partition %s has %u", wish->n_cpus, p->name,
                  p->min_cpus);
        return STATUS_INVALID;
    }
    plan->n_cpus = wish->n_cpus > 0 ? wish->n_cpus : p->min_cpus > 0 ? p->min_cpus : 1;
    /* More lanes than videos help nobody. */
    useful = estimate->n_videos / plan->n_cpus + (estimate->n_videos % plan->n_cpus > 0);
    wanted = (uint64_t)ceil(estimate->lane_s / ((double)plan->n_cpus * AIM_S));
    if (wanted > useful)
        wanted = useful;
    if (wanted > most)
        wanted = most;
    plan->n_nodes = wish->n_nodes > 0 ? wish->n_nodes : wanted < 1 ? 1 : (unsigned)wanted;
    return STATUS_OK;
}

static enum status choose_memory(const struct submit_wish *wish, const struct submit_partition *p,
                                 struct submit_plan *plan, struct error *e)
{
    uint64_t share = (RANK_MEMORY_MIB + plan->n_cpus - 1) / plan->n_cpus, node_mib;

    plan->memory_per_cpu_mib = wish->lane_memory_mib + share;
    if (plan->memory_per_cpu_mib * plan->n_cpus > p->min_memory_mib)
        plan->memory_per_cpu_mib = p->min_memory_mib / plan->n_cpus;
    node_mib = plan->memory_per_cpu_mib * plan->n_cpus;
    if (node_mib < RANK_MEMORY_MIB + wish->lane_memory_mib)
        return error_set(e, STATUS_INVALID,
                         "a node of partition %s has %" PRIu64 " MiB, and a rank with one lane may take %" PRIu64
                         " (--lane-memory)",
                         p->name, p->min_memory_mib, RANK_MEMORY_MIB + wish->lane_memory_mib);
    plan->n_lanes = (unsigned)((node_mib - RANK_MEMORY_MIB) / wish->lane_memory_mib);
    if (plan->n_lanes > plan->n_cpus)
        plan->n_lanes = plan->n_cpus;
    return STATUS_OK;
}

static enum status choose_time(const struct submit_estimate *estimate, const struct submit_wish *wish,
                               const struct submit_partition *p, struct submit_plan *plan, struct error *e)
{
    double need_s;
    char limit[32];

    plan->wall_s = estimate->lane_s / ((double)plan->n_nodes * plan->n_lanes);
    if (plan->wall_s < estimate->longest_s)
        plan->wall_s = estimate->longest_s;
    if (wish->time_s > p->max_time_s) {
        submit_format_time(p->max_time_s, limit, sizeof(limit));
        return error_set(e, STATUS_INVALID, "--time of %" PRIu64 " s: partition %s ends jobs after %s", wish->time_s,
                         p->name, limit);
    }
    /* An estimate is an estimate, and a job that is too short is only requeued. */
    need_s = ceil((1.5 * plan->wall_s + LEAST_TIME_S) / TIME_STEP_S) * TIME_STEP_S;
    plan->time_s = wish->time_s > 0 ? wish->time_s : need_s < (double)p->max_time_s ? (uint64_t)need_s : p->max_time_s;
    plan->signal_s = SIGNAL_S + estimate->n_videos / SIGNAL_VIDEOS_PER_S;
    if (plan->signal_s > plan->time_s / 2)
        plan->signal_s = plan->time_s / 2;
    /* Slurm warns up to a minute early. */
    need_s = plan->time_s > plan->signal_s + 60 ? (double)(plan->time_s - plan->signal_s - 60) : 1;
    need_s = ceil(plan->wall_s / need_s);
    plan->n_starts = need_s < 1 ? 1 : need_s > 1e6 ? 1000000 : (unsigned)need_s;
    return STATUS_OK;
}

enum status submit_make_plan(const struct submit_estimate *estimate, const struct submit_wish *wish,
                             const struct submit_partition *p, struct submit_plan *ret_plan, struct error *e)
{
    struct submit_plan plan = {0};
    enum status s;

    if (!p->up)
        return error_set(e, STATUS_INVALID, "partition %s is not up", p->name);
    s = choose_size(estimate, wish, p, &plan, e);
    if (s == STATUS_OK)
        s = choose_memory(wish, p, &plan, e);
    if (s == STATUS_OK)
        s = choose_time(estimate, wish, p, &plan, e);
    if (s == STATUS_OK)
        *ret_plan = plan;
    return s;
}
