/* fakesift submit. In: a corpus, a detector, a run folder, wishes. Out: RUN/slurm/job.sbatch, handed in to Slurm. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/main.h"
#include "coordinator/main_plan.h"
#include "coordinator/run_folder.h"
#include "coordinator/submit.h"
#include "coordinator/main_detectors.h"
#include "shard/file.h"
#include "shard/layout.h"
#include "shard/plural.h"

enum { MAX_ARGUMENTS = 64, MAX_LIST_BYTES = 16 << 20, DEFAULT_LANE_MEMORY_MIB = 1536 };

struct options {
    const char *corpus, *detector, *output, *partition, *account, *launch;
    struct layout_settings layout;
    struct submit_wish wish;
    uint64_t array; /* 0: one corpus */
    bool dry_run, force;
    size_t n_sbatch, n_arguments;
    const char *sbatch[MAX_ARGUMENTS + 1];    /* options of sbatch's own */
    const char *arguments[MAX_ARGUMENTS + 1]; /* of fakesift run */
};

enum { OPTION_CPUS = 256, OPTION_ARRAY, OPTION_DRY_RUN, OPTION_FORCE, OPTION_LAUNCH, OPTION_MEMORY, OPTION_PASS };

static const struct argp_option option_list[] = {
    {"detector", 'd', "NAME|CARD", 0, "A detector's name or its card (required)", 0},
    {"output", 'o', "RUN", 0, "The run's folder (required)", 0},
    {"nodes", 'N', "N", 0, "Nodes (default: as many as end it in about an hour)", 1},
    {"cpus", OPTION_CPUS, "N", 0, "Cores of each node, a lane each (default: those of the partition's smallest node)",
     1},
    {"time", 't', "TIME", 0,
     "Time limit as sbatch takes it (default: from the estimate); what is left then is requeued", 1},
    {"partition", 'p', "NAME", 0, "Partition (default: the site's)", 1},
    {"account", 'A', "NAME", 0, "Account", 1},
    {"array", OPTION_ARRAY, "K", 0, "CORPUS is a list, one corpus a line: a run in RUN/N-NAME for each, K at a time",
     1},
    {"launch", OPTION_LAUNCH, "HOW", 0, "mpirun (default) or srun", 1},
    {"lane-memory", OPTION_MEMORY, "MIB", 0, "Memory a lane may add to the detector's (default 1536)", 1},
    {"dry-run", OPTION_DRY_RUN, NULL, 0, "Check, print the batch script, and hand in nothing", 2},
    {"force", OPTION_FORCE, NULL, 0, "Hand in although a check failed", 2},
    {"layout", 'l', "NAME", 0, "As for `fakesift run`", 3},
    {"ext", 'e', "LIST", 0, "As for `fakesift run`", 3},
    {"pass", OPTION_PASS, "OPTION", 0,
     "An option of `fakesift run` for the job, such as --pass=--strict; may stand again", 3},
    {0},
};

static void number(struct argp_state *state, const char *name, const char *arg, uint64_t max, uint64_t *ret_value)
{
    if (parse_u64(arg, 1, max, ret_value) != STATUS_OK)
        argp_error(state, "--%s %s: not a number in 1..%llu", name, arg, (unsigned long long)max);
}

static void add(struct argp_state *state, const char *list[], size_t *n, const char *word)
{
    if (*n == MAX_ARGUMENTS)
        argp_error(state, "more than %d options to pass on", MAX_ARGUMENTS);
    else
        list[(*n)++] = word;
}

static void add_pair(struct argp_state *state, struct options *o, const char *name, const char *value)
{
    add(state, o->arguments, &o->n_arguments, name);
    add(state, o->arguments, &o->n_arguments, value);
}

static void check_complete(struct argp_state *state, const struct options *o)
{
    if (!o->corpus)
        argp_error(state, "CORPUS is missing");
    if (!o->detector)
        argp_error(state, "--detector is missing");
    if (!o->output)
        argp_error(state, "--output is missing");
    if (strcmp(o->launch, "mpirun") != 0 && strcmp(o->launch, "srun") != 0)
        argp_error(state, "--launch %s: not mpirun or srun", o->launch);
}

/* The job itself: how large, where, how long. */
static error_t parse_wish(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    uint64_t n = 0;

    switch (key) {
    case 'N':
        number(state, "nodes", arg, 1 << 20, &n);
        o->wish.n_nodes = (unsigned)n;
        return 0;
    case OPTION_CPUS:
        number(state, "cpus", arg, 1 << 20, &n);
        o->wish.n_cpus = (unsigned)n;
        return 0;
    case 't':
        if (submit_parse_time(arg, &o->wish.time_s) != STATUS_OK || o->wish.time_s == 0)
            argp_error(state, "--time %s: not minutes, [hours:]minutes:seconds or days-hours[:minutes[:seconds]]", arg);
        return 0;
    case OPTION_ARRAY:
        number(state, "array", arg, 100000, &o->array);
        return 0;
    case OPTION_MEMORY:
        number(state, "lane-memory", arg, 1 << 20, &o->wish.lane_memory_mib);
        if (o->wish.lane_memory_mib < 64)
            argp_error(state, "--lane-memory %s: less than 64", arg);
        add_pair(state, o, "--lane-memory", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'd':
        o->detector = arg;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case 'p':
        o->partition = arg;
        return 0;
    case 'A':
        o->account = arg;
        return 0;
    case 'l':
        o->layout.layout = arg;
        add_pair(state, o, "--layout", arg);
        return 0;
    case 'e':
        o->layout.extensions = arg;
        add_pair(state, o, "--ext", arg);
        return 0;
    case OPTION_LAUNCH:
        o->launch = arg;
        return 0;
    case OPTION_DRY_RUN:
        o->dry_run = true;
        return 0;
    case OPTION_FORCE:
        o->force = true;
        return 0;
    case OPTION_PASS:
        add(state, o->arguments, &o->n_arguments, arg);
        return 0;
    case ARGP_KEY_ARG:
        if (o->corpus)
            argp_error(state, "one CORPUS, not also %s (options of sbatch go behind --)", arg);
        else
            o->corpus = arg;
        return 0;
    case ARGP_KEY_END:
        check_complete(state, o);
        return 0;
    default:
        return parse_wish(key, arg, state);
    }
}

struct job {
    const struct options *options;
    char fakesift[PATH_MAX];
    char *corpus, *run, *slurm, *detector, *script; /* absolute */
    char *list;                                     /* with an array: the corpora, one a line */
    unsigned n_tasks;
    struct run_detectors detectors;
    struct plan_work work;
    struct submit_estimate estimate;
    struct submit_partition partition;
    struct submit_plan plan;
};

static void job_close(struct job *j)
{
    run_detectors_clear(&j->detectors);
    free(j->corpus);
    free(j->run);
    free(j->slurm);
    free(j->detector);
    free(j->script);
    free(j->list);
}

/* A failed check ends it, or with --force is only said. */
static enum status verdict(const struct job *j, enum status s, struct error *e)
{
    if (s == STATUS_OK || s == STATUS_NO_MEMORY || !j->options->force)
        return s;
    fprintf(stderr, "fakesift submit: in spite of: %s\n", e->text);
    *e = (struct error){0};
    return STATUS_OK;
}

static enum status find_paths(struct job *j, struct error *e)
{
    const struct options *o = j->options;
    char here[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", j->fakesift, sizeof(j->fakesift) - 1);

    if (n < 0 || !getcwd(here, sizeof(here)))
        return error_set_errno(e, errno, "the program's path and the working folder");
    j->fakesift[n] = '\0';
    j->corpus = realpath(o->corpus, NULL);
    if (!j->corpus)
        return error_set_errno(e, errno, "%s: cannot be found", o->corpus);
    j->run = file_join(here, o->output);
    j->slurm = j->run ? file_join(j->run, "slurm") : NULL;
    j->script = j->slurm ? file_join(j->slurm, "job.sbatch") : NULL;
    if (!j->script)
        return error_no_memory(e);
    /* Paths of cards, or names that the job looks up as this does. */
    j->detector = run_detectors_absolute(o->detector, e);
    return j->detector ? STATUS_OK : e->status;
}

static enum status find_detector(struct job *j, struct error *e)
{
    const struct zygote_settings settings = {.detector = j->options->detector};
    struct zygote *zygote = NULL;
    enum status s = run_detectors_find(j->options->detector, &j->detectors, e);

    if (s != STATUS_OK)
        return s;
    /* What does not load here would not load there; and its speed here is the best guess of its speed there. */
    s = zygote_start(&settings, &zygote, e);
    if (s == STATUS_OK)
        s = verdict(j, zygote_wait(zygote, e), e);
    if (s == STATUS_OK)
        j->work = main_plan_work(j->detectors.first, zygote);
    zygote_stop(&zygote);
    return s;
}

/* What an earlier start of this run has decided is no work any more, and its times are the best measure of the rest. */
static enum status look_at_run(struct job *j, const char *run, const struct manifest *m, struct error *e)
{
    struct run_folder *folder = NULL;
    struct reduction done = {0};
    double scale = 1;
    char holder[256];
    enum status s = run_folder_open_readonly(run, &folder, e);

    if (s == STATUS_NOT_FOUND) {
        submit_estimate_add(&j->estimate, &j->work, m, NULL, 1);
        return STATUS_OK;
    }
    if (s == STATUS_OK &&
        strcmp(run_folder_identity(folder, "detector_sha256"), j->detectors.set.columns[0].sha256) != 0)
        s = verdict(j,
                    error_set(e, STATUS_MISMATCH, "%s: began with detector %s, now it is %s: choose another run folder",
                              run, run_folder_identity(folder, "detector"), j->detectors.set.columns[0].name),
                    e);
    if (s == STATUS_OK && run_folder_is_held(folder, holder, sizeof(holder)))
        s = verdict(j, error_set(e, STATUS_BUSY, "%s: a job works on it: %s", run, holder), e);
    if (s == STATUS_OK)
        s = reduce(run_folder_journal_path(folder), run_folder_fingerprint(folder), m, &done, e);
    if (s == STATUS_OK) {
        size_t n_measured;

        scale = submit_scale(&j->work, m, &done, &n_measured);
        j->estimate.n_measured += n_measured;
        submit_estimate_add(&j->estimate, &j->work, m, &done, scale);
    }
    reduction_clear(&done);
    run_folder_close(&folder);
    return s;
}

static enum status add_corpus(struct job *j, const char *corpus, const char *run, struct error *e)
{
    struct layout_settings layout = j->options->layout;
    struct manifest *m = NULL;
    enum status s;

    /* As `fakesift run` does. */
    if (!j->work.reads_video && !layout.extensions)
        layout.extensions = "txt";
    s = layout_scan(corpus, &layout, &m, NULL, e);
    if (s == STATUS_OK)
        s = look_at_run(j, run, m, e);
    manifest_close(&m);
    return s;
}

/* The largest corpus decides how large each task is. */
static enum status add_list(struct job *j, struct error *e)
{
    struct submit_estimate largest = {0}, all = {0};
    char *rest = NULL, *line, *copy;
    size_t len;
    enum status s = file_read(j->corpus, MAX_LIST_BYTES, &j->list, &len, e);

    if (s != STATUS_OK)
        return s;
    copy = strdup(j->list);
    if (!copy)
        return error_no_memory(e);
    for (line = strtok_r(copy, "\n", &rest); s == STATUS_OK && line; line = strtok_r(NULL, "\n", &rest)) {
        struct text run = {0};
        size_t end = strlen(line);
        char *folder;
        const char *name;

        if (line[0] != '/') {
            s = error_set(e, STATUS_INVALID, "%s: %s: a list needs absolute paths, and no empty line", j->corpus, line);
            break;
        }
        while (end > 1 && line[end - 1] == '/')
            line[--end] = '\0';
        name = strrchr(line, '/') + 1;
        text_append_format(&run, "%s/%u-%s", j->run, ++j->n_tasks, name);
        folder = text_take(&run);
        j->estimate = (struct submit_estimate){0};
        s = folder ? add_corpus(j, line, folder, e) : error_no_memory(e);
        free(folder);
        all.n_videos += j->estimate.n_videos;
        if (j->estimate.lane_s >= largest.lane_s)
            largest = j->estimate;
    }
    free(copy);
    if (s == STATUS_OK && strstr(j->list, "\n\n"))
        s = error_set(e, STATUS_INVALID, "%s: an empty line, which is a task without a corpus", j->corpus);
    if (s == STATUS_OK && j->n_tasks == 0)
        s = error_set(e, STATUS_INVALID, "%s: lists no corpus", j->corpus);
    if (s != STATUS_OK)
        return s;
    fprintf(j->options->dry_run ? stderr : stdout, "%u corpora, %zu videos; the figures below are of the largest\n",
            j->n_tasks, all.n_videos);
    j->estimate = largest;
    return STATUS_OK;
}

static enum status check_paths(struct job *j, struct error *e)
{
    const char *const paths[] = {j->fakesift, j->corpus, j->run, j->detector[0] == '/' ? j->detector : NULL};
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < sizeof(paths) / sizeof(paths[0]); i++) {
        char doubt[PATH_MAX + 128] = "";

        if (!paths[i])
            continue;
        s = verdict(j, submit_check_path(paths[i], doubt, sizeof(doubt), e), e);
        if (doubt[0] != '\0')
            fprintf(stderr, "fakesift submit: warning: %s\n", doubt);
    }
    return s == STATUS_OK ? verdict(j, submit_check_space(j->run, j->estimate.n_videos, e), e) : s;
}

static void describe(const struct job *j, FILE *out)
{
    const struct submit_estimate *x = &j->estimate;
    const struct submit_plan *p = &j->plan;
    char limit[32];

    submit_format_time(p->time_s, limit, sizeof(limit));
    fprintf(out, "%zu video%s, about %.1f core hours (%s)\n", x->n_videos, plural_s(x->n_videos), x->lane_s / 3600,
            x->n_measured > 0 ? "by videos of this run that were measured"
            : x->n_probed > 0 ? "rough: by the containers' facts, nothing measured"
                              : "rough: by the files' sizes, nothing measured");
    fprintf(out, "%u nodes of %s, %u lanes each, %" PRIu64 " MiB a core: about %.0f min; limit %s%s", p->n_nodes,
            j->partition.name, p->n_lanes, p->memory_per_cpu_mib, p->wall_s / 60, limit, p->n_starts > 1 ? "" : "\n");
    if (p->n_starts > 1)
        fprintf(out, ", so in about %u starts\n", p->n_starts);
    if (p->n_lanes < p->n_cpus)
        fprintf(out, "memory holds %u lanes where there are %u cores: see --lane-memory\n", p->n_lanes, p->n_cpus);
}

static enum status make_script(const struct job *j, char **ret_text, struct error *e)
{
    const struct options *o = j->options;
    char *list = file_join(j->slurm, "corpora.txt");
    const struct submit_script script = {
        .fakesift = j->fakesift,
        .detector = j->detector,
        .corpus = j->n_tasks > 0 ? list : j->corpus,
        .run = j->run,
        .partition = o->partition,
        .account = o->account,
        .cache = getenv("FAKESIFT_CACHE"),
        .launch = o->launch,
        .plan = &j->plan,
        .estimate = &j->estimate,
        .n_tasks = j->n_tasks,
        .n_at_once = (unsigned)o->array,
        .arguments = o->arguments,
    };
    enum status s = list ? submit_write_script(&script, ret_text, e) : error_no_memory(e);

    free(list);
    return s;
}

/* Where --array names the number of tasks at once, the list is kept, so that a later change does not move the tasks. */
static enum status write_files(const struct job *j, const char *text, struct error *e)
{
    enum status s = file_make_folder(j->slurm, e);

    if (s == STATUS_OK)
        s = file_write(j->script, text, strlen(text), e);
    if (s == STATUS_OK && j->n_tasks > 0) {
        char *path = file_join(j->slurm, "corpora.txt");

        s = path ? file_write(path, j->list, strlen(j->list), e) : error_no_memory(e);
        free(path);
    }
    return s;
}

static enum status hand_in(const struct job *j, struct error *e)
{
    const char *argv[MAX_ARGUMENTS + 4] = {"sbatch", "--parsable"};
    size_t n = 2;
    char *id;
    enum status s;

    for (size_t i = 0; i < j->options->n_sbatch; i++)
        argv[n++] = j->options->sbatch[i];
    argv[n] = j->script;
    s = submit_run_program(argv, &id, e);
    if (s != STATUS_OK)
        return s;
    /* "JOB" or "JOB;CLUSTER" */
    id[strcspn(id, ";\n")] = '\0';
    printf("job %s\n"
           "  state       squeue -j %s -o '%%i %%T %%M %%R %%k'\n"
           "  progress    %s status %s%s\n"
           "  log         tail -f %s/slurm/%s%s.log\n"
           "  stop        scancel %s        (handing in %s again goes on)\n",
           id, id, j->fakesift, j->run, j->n_tasks > 0 ? "/N-NAME" : "", j->run, id, j->n_tasks > 0 ? "_N" : "", id,
           j->script);
    free(id);
    return STATUS_OK;
}

static enum status submit(struct job *j, struct error *e)
{
    const struct options *o = j->options;
    char *text = NULL;
    enum status s = find_paths(j, e);

    if (s == STATUS_OK)
        s = find_detector(j, e);
    if (s == STATUS_OK)
        s = o->array > 0 ? add_list(j, e) : add_corpus(j, j->corpus, j->run, e);
    if (s == STATUS_OK)
        s = check_paths(j, e);
    if (s == STATUS_OK)
        s = submit_ask_site(o->partition, &j->partition, e);
    if (s == STATUS_OK)
        s = submit_make_plan(&j->estimate, &o->wish, &j->partition, &j->plan, e);
    if (s == STATUS_OK)
        s = make_script(j, &text, e);
    if (s != STATUS_OK)
        return s;
    /* Then standard output is the script alone. */
    describe(j, o->dry_run ? stderr : stdout);
    if (o->dry_run) {
        fputs(text, stdout);
    } else {
        s = write_files(j, text, e);
        if (s == STATUS_OK)
            s = hand_in(j, e);
    }
    free(text);
    return s;
}

/* argp would sort CORPUS in among what follows "--". Returns how many arguments are left. */
static int cut_sbatch_options(struct options *o, int argc, char **argv)
{
    int n = 1;

    while (n < argc && strcmp(argv[n], "--") != 0)
        n++;
    for (int i = n + 1; i < argc && o->n_sbatch < MAX_ARGUMENTS; i++)
        o->sbatch[o->n_sbatch++] = argv[i];
    return n;
}

int main_submit(int argc, char **argv)
{
    static const struct argp argp = {option_list,
                                     parse_option,
                                     "CORPUS [-- SBATCH-OPTION...]",
                                     "Estimate a run, check what would fail later, write its batch script into the "
                                     "run's folder and hand it in to Slurm. "
                                     "Options behind -- go to sbatch, before those of the script.",
                                     NULL,
                                     NULL,
                                     NULL};
    struct options o = {.launch = "mpirun", .wish = {.lane_memory_mib = DEFAULT_LANE_MEMORY_MIB}};
    struct job j = {.options = &o};
    struct error e = {0};
    int code = EXIT_DONE;

    main_parse(&argp, cut_sbatch_options(&o, argc, argv), argv, &o);
    if (submit(&j, &e) != STATUS_OK)
        code = main_fail("submit", &e);
    job_close(&j);
    return code;
}
