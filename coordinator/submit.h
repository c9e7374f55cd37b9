/* submit: what stands between a user's wish and a job that runs: an estimate of the work, what the site allows, what would
 * fail later, and the batch script. coordinator/main_submit.c is the command around it.
 *
 * In: a manifest, what sinfo and scontrol say, the user's wishes. Out: a plan in numbers, a script, a job number. */
#ifndef FAKESIFT_COORDINATOR_SUBMIT_H
#define FAKESIFT_COORDINATOR_SUBMIT_H

#include <stddef.h>
#include <stdint.h>

#include "coordinator/reduce.h"
#include "shard/manifest.h"
#include "shard/plan.h"
#include "shard/text.h"

/* ---- submit_estimate.c: how much work ---- */

struct submit_estimate {
    size_t n_videos, n_measured; /* n_measured: of an earlier run, that the scale comes from */
    size_t n_probed;
    double lane_s;    /* seconds of one lane, over all videos */
    double longest_s; /* the longest video: no number of nodes makes a run shorter */
};

/* Adds a corpus. measured: an earlier run's results over the manifest `of` (NULL: none); where it has at least 20 videos
 * the estimate is scaled to what they took. What is decided in `done` (NULL: nothing) is no work any more. */
void submit_estimate_add(struct submit_estimate *estimate, const struct plan_work *work, const struct manifest *m,
                         const struct reduction *done, double scale);
/* Seconds measured over seconds estimated; 1 for fewer than 20 videos. */
double submit_scale(const struct plan_work *work, const struct manifest *of, const struct reduction *measured,
                    size_t *ret_n_measured);

/* ---- submit_site.c: what the site allows ---- */

enum { SUBMIT_MAX_NAME = 256 };

struct submit_partition {
    char name[SUBMIT_MAX_NAME];
    unsigned n_nodes;        /* that are up */
    unsigned min_cpus;       /* of the smallest node */
    uint64_t min_memory_mib; /* of the smallest node */
    uint64_t max_time_s;     /* UINT64_MAX: no limit */
    uint64_t max_nodes;      /* a job; UINT64_MAX: no limit */
    bool up;
};

/* Slurm's "minutes", "minutes:seconds", "hours:minutes:seconds", "days-hours[:minutes[:seconds]]", "infinite",
 * "UNLIMITED". STATUS_INVALID otherwise. */
enum status submit_parse_time(const char *text, uint64_t *ret_s);
/* "D-HH:MM:SS" */
void submit_format_time(uint64_t seconds, char *ret_text, size_t room);

/* sinfo_text: of `sinfo -h -N -o "%P|%N|%c|%m|%l|%a|%T"`. name NULL: the default partition.
 * STATUS_NOT_FOUND: no such partition; the text lists those that there are. */
enum status submit_read_sinfo(char *sinfo_text, const char *name, struct submit_partition *ret_p, struct error *e);
/* scontrol_text: of `scontrol show partition -o NAME`. */
void submit_read_scontrol(const char *scontrol_text, struct submit_partition *p);
/* Asks both. */
enum status submit_ask_site(const char *partition, struct submit_partition *ret_p, struct error *e);

/* Runs a program without a shell; what it prints is the caller's to free. STATUS_NOT_FOUND: no such program. STATUS_IO: it
 * ended with another code than 0, or printed more than 16 MiB. */
enum status submit_run_program(const char *const argv[], char **ret_output, struct error *e);

/* ---- submit_plan.c: how many nodes for how long ---- */

struct submit_wish {
    unsigned n_nodes, n_cpus; /* 0: to be chosen */
    uint64_t time_s;          /* 0: to be chosen */
    uint64_t lane_memory_mib;
};

struct submit_plan {
    unsigned n_nodes, n_cpus, n_lanes; /* lanes a node */
    uint64_t memory_per_cpu_mib;
    uint64_t time_s, signal_s; /* the limit; how long before it Slurm warns */
    double wall_s;             /* estimated */
    unsigned n_starts;         /* how often the job will begin, as its limit ends it */
};

/* STATUS_INVALID: a wish that the partition cannot grant; the text has both numbers. */
enum status submit_make_plan(const struct submit_estimate *estimate, const struct submit_wish *wish,
                             const struct submit_partition *p, struct submit_plan *ret_plan, struct error *e);

/* ---- submit_check.c: what would fail later ---- */

/* A folder or file that nodes must see. *ret_doubt: "" or why they may not (a local filesystem). STATUS_INVALID: they
 * surely do not (/tmp and the like). */
enum status submit_check_path(const char *path, char *ret_doubt, size_t room, struct error *e);
/* The filesystem of folder has room for the journal and the report of n videos. STATUS_NO_SPACE with both numbers. */
enum status submit_check_space(const char *folder, size_t n_videos, struct error *e);

/* ---- submit_script.c: the script ---- */

struct submit_script {
    const char *fakesift, *detector;         /* absolute; the detector may be a name */
    const char *corpus;                      /* absolute; with an array, the list */
    const char *run;                         /* absolute */
    const char *partition, *account, *cache; /* NULL: not given */
    const char *launch;                      /* "mpirun", "srun" */
    const struct submit_plan *plan;
    const struct submit_estimate *estimate;
    unsigned n_tasks, n_at_once;  /* of an array; n_tasks 0: none */
    const char *const *arguments; /* of fakesift run, NULL at the end */
};

/* STATUS_INVALID: a path that no #SBATCH line can hold. The caller frees *ret_text. */
enum status submit_write_script(const struct submit_script *s, char **ret_text, struct error *e);
/* One word of a shell's command line. */
void submit_append_word(struct text *t, const char *word);

/* slurm/job.sh, made a part of the program when it is built. */
extern const char submit_job_sh[];

#endif
