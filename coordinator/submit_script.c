#include "coordinator/submit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

void submit_append_word(struct text *t, const char *word)
{
    text_append_string(t, "'");
    for (; *word; word++) {
        if (*word == '\'')
            text_append_string(t, "'\\''");
        else
            text_append(t, word, 1);
    }
    text_append_string(t, "'");
}

static void append_variable(struct text *t, const char *name, const char *value)
{
    text_append_format(t, "export %s=", name);
    submit_append_word(t, value);
    text_append_string(t, "\n");
}

static void append_header(struct text *t, const struct submit_script *s)
{
    const struct submit_plan *p = s->plan;
    char time[32];

    submit_format_time(p->time_s, time, sizeof(time));
    text_append_string(t, "#!/usr/bin/env bash\n#SBATCH --job-name=fakesift\n");
    text_append_format(t, "#SBATCH --nodes=%u\n#SBATCH --ntasks-per-node=1\n#SBATCH --cpus-per-task=%u\n", p->n_nodes,
                       p->n_cpus);
    text_append_format(t, "#SBATCH --mem-per-cpu=%" PRIu64 "M\n#SBATCH --time=%s\n", p->memory_per_cpu_mib, time);
    text_append_format(t, "#SBATCH --signal=B:USR1@%" PRIu64 "\n", p->signal_s);
    text_append_string(t, "#SBATCH --requeue\n#SBATCH --open-mode=append\n");
    text_append_format(t, "#SBATCH --output=\"%s/slurm/%s.log\"\n", s->run, s->n_tasks > 0 ? "%A_%a" : "%j");
    if (s->n_tasks > 0)
        text_append_format(t, "#SBATCH --array=1-%u%%%u\n", s->n_tasks, s->n_at_once);
    if (s->partition)
        text_append_format(t, "#SBATCH --partition=%s\n", s->partition);
    if (s->account)
        text_append_format(t, "#SBATCH --account=%s\n", s->account);
}

static void append_estimate(struct text *t, const struct submit_script *s)
{
    const struct submit_estimate *x = s->estimate;

    text_append_format(t,
                       "#\n# Written by fakesift submit: %zu videos, about %.1f core hours, %.0f min on %u x %u lanes",
                       x->n_videos, x->lane_s / 3600, s->plan->wall_s / 60, s->plan->n_nodes, s->plan->n_lanes);
    if (x->n_measured > 0)
        text_append_format(t, " (scaled to %zu videos that were measured)", x->n_measured);
    else
        text_append_string(t, " (rough: nothing was measured)");
    text_append_string(
        t,
        ".\n# Hand it in again at any time: it goes on where the run is. Below the arguments stands slurm/job.sh.\n");
}

static void append_arguments(struct text *t, const struct submit_script *s)
{
    append_variable(t, "FAKESIFT", s->fakesift);
    append_variable(t, "FAKESIFT_LAUNCH", s->launch);
    if (s->cache)
        append_variable(t, "FAKESIFT_CACHE", s->cache);
    text_append_format(t, "export FAKESIFT_DRAIN_S=%" PRIu64 "\n", s->plan->signal_s - s->plan->signal_s / 6);
    if (s->n_tasks > 0) {
        text_append_string(t, "corpus=$(sed -n \"${SLURM_ARRAY_TASK_ID}p\" ");
        submit_append_word(t, s->corpus);
        text_append_string(t, ")\nname=${corpus%/}\nset -- \"$corpus\" ");
        submit_append_word(t, s->detector);
        text_append_string(t, " ");
        submit_append_word(t, s->run);
        text_append_string(t, "/\"$SLURM_ARRAY_TASK_ID-${name##*/}\"");
    } else {
        text_append_string(t, "set -- ");
        submit_append_word(t, s->corpus);
        text_append_string(t, " ");
        submit_append_word(t, s->detector);
        text_append_string(t, " ");
        submit_append_word(t, s->run);
    }
    for (const char *const *a = s->arguments; a && *a; a++) {
        text_append_string(t, " ");
        submit_append_word(t, *a);
    }
    text_append_string(t, "\n\n");
}

/* Within the quotes of #SBATCH --output="...", where % begins a pattern. */
static enum status check_run(const char *run, struct error *e)
{
    for (const char *c = run; *c; c++) {
        if ((unsigned char)*c < ' ' || strchr("\"\\%", *c))
            return error_set(e, STATUS_INVALID,
                             "%s: a quote, a backslash, a %% or a control byte cannot stand in the path of "
                             "a job's log: choose another run folder",
                             run);
    }
    return STATUS_OK;
}

static enum status check_name(const char *what, const char *name, struct error *e)
{
    for (const char *c = name ? name : ""; *c; c++) {
        if ((unsigned char)*c <= ' ' || strchr("\"'\\#", *c))
            return error_set(e, STATUS_INVALID, "%s %s: not a name of Slurm's", what, name);
    }
    return STATUS_OK;
}

enum status submit_write_script(const struct submit_script *s, char **ret_text, struct error *e)
{
    struct text t = {0};
    char *text;
    enum status status = check_run(s->run, e);

    if (status == STATUS_OK)
        status = check_name("--partition", s->partition, e);
    if (status == STATUS_OK)
        status = check_name("--account", s->account, e);
    if (status != STATUS_OK)
        return status;
    append_header(&t, s);
    append_estimate(&t, s);
    append_arguments(&t, s);
    text_append_string(&t, submit_job_sh);
    text = text_take(&t);
    if (!text)
        return error_no_memory(e);
    *ret_text = text;
    return STATUS_OK;
}
