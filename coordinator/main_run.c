/* fakesift run. In: a corpus or a manifest, a detector, a run folder. Out: journals, then the report.
 * Every rank comes through here with the same arguments; rank 0 also coordinates. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/main.h"
#include "coordinator/main_job.h"
#include "coordinator/main_plan.h"
#include "coordinator/main_reduce.h"
#include "models/detector.h"
#include "nodes/decoder.h"
#include "nodes/sandbox.h"
#include "shard/file.h"
#include "shard/layout.h"
#include "shard/log.h"
#include "shard/text.h"

/* Raised whenever the same file and detector may give another score than before. */
#define PROTOCOL_VERSION "2"

enum {
    DEFAULT_TIMEOUT_S = 600,
    DEFAULT_RETRIES = 1,
    DEFAULT_GRACE_S = 30,
    DEFAULT_SEGMENT_S = 300,
    DEFAULT_LANE_MEMORY_MIB = 1536,
    SILENCE_S = 30, /* DESIGN: a silent rank is dropped */
    MAX_LOSSES = 4, /* of one unit, before it is given up */
};

struct options {
    const char *corpus, *detector, *output;
    struct layout_settings layout;
    uint64_t n_lanes, timeout_s, retries, grace_s, lane_memory_mib;
    double segment_s;
    bool require_sandbox, strict;
    enum log_level level;
};

enum {
    OPTION_LANES = 256,
    OPTION_TIMEOUT,
    OPTION_RETRIES,
    OPTION_GRACE,
    OPTION_MEMORY,
    OPTION_SANDBOX,
    OPTION_STRICT,
    OPTION_SEGMENT
};

static const struct argp_option option_list[] = {
    {"detector", 'd', "NAME|CARD", 0, "A detector's name (`fakesift models list`) or its card (required)", 0},
    {"output", 'o', "RUN", 0, "The run's folder, made if it is not there (required)", 0},
    {"layout", 'l', "NAME", 0, "auto (default), dir, csv or dfdc", 0},
    {"ext", 'e', "LIST", 0, "Extensions that count as videos, comma-separated (default: the usual ones)", 0},
    {"lanes", OPTION_LANES, "N", 0, "Videos in work at once on each rank (default: the rank's share of the cores)", 1},
    {"timeout", OPTION_TIMEOUT, "SECONDS", 0, "A video that takes longer is given up (default 600)", 1},
    {"retries", OPTION_RETRIES, "N", 0, "Further attempts after a crash or a timeout (default 1)", 1},
    {"lane-memory", OPTION_MEMORY, "MIB", 0, "Memory a lane may add to the detector's (default 1536)", 1},
    {"segment", OPTION_SEGMENT, "SECONDS", 0,
     "A video that will take a lane longer is worked on in parts, where the detector's sampling has several clips; 0: "
     "never (default 300)",
     1},
    {"grace", OPTION_GRACE, "SECONDS", 0, "After a signal, how long videos in work may take to end (default 30)", 1},
    {"require-sandbox", OPTION_SANDBOX, NULL, 0, "Refuse to work where a layer of the sandbox is missing", 2},
    {"strict", OPTION_STRICT, NULL, 0, "Exit with 3 when a video ends without a score", 2},
    {"verbose", 'v', NULL, 0, "More log lines", 2},
    {"quiet", 'q', NULL, 0, "Only warnings and errors", 2},
    {0},
};

static void number(struct argp_state *state, const char *name, const char *arg, uint64_t min, uint64_t max,
                   uint64_t *ret_value)
{
    if (parse_u64(arg, min, max, ret_value) != STATUS_OK)
        argp_error(state, "--%s %s: not a number in %llu..%llu", name, arg, (unsigned long long)min,
                   (unsigned long long)max);
}

static void check_complete(struct argp_state *state, const struct options *o)
{
    if (!o->corpus)
        argp_error(state, "CORPUS is missing");
    if (!o->detector)
        argp_error(state, "--detector is missing");
    if (!o->output)
        argp_error(state, "--output is missing");
    if (o->corpus[0] == '\0' || o->output[0] == '\0')
        argp_error(state, "%s is empty", o->corpus[0] == '\0' ? "CORPUS" : "--output");
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
    case 'l':
        o->layout.layout = arg;
        return 0;
    case 'e':
        o->layout.extensions = arg;
        return 0;
    case 'v':
        o->level = LOG_LEVEL_DEBUG;
        return 0;
    case 'q':
        o->level = LOG_LEVEL_WARNING;
        return 0;
    case OPTION_LANES:
        number(state, "lanes", arg, 1, LANE_POOL_MAX_LANES, &o->n_lanes);
        return 0;
    case OPTION_TIMEOUT:
        number(state, "timeout", arg, 1, 86400, &o->timeout_s);
        return 0;
    case OPTION_RETRIES:
        number(state, "retries", arg, 0, 99, &o->retries);
        return 0;
    case OPTION_SEGMENT:
        if (parse_double(arg, 0, 1e6, &o->segment_s) != STATUS_OK)
            argp_error(state, "--segment %s: not a number in 0..1000000", arg);
        return 0;
    case OPTION_GRACE:
        number(state, "grace", arg, 0, 86400, &o->grace_s);
        return 0;
    case OPTION_MEMORY:
        number(state, "lane-memory", arg, 64, 1 << 20, &o->lane_memory_mib);
        return 0;
    case OPTION_SANDBOX:
        o->require_sandbox = true;
        return 0;
    case OPTION_STRICT:
        o->strict = true;
        return 0;
    case ARGP_KEY_ARG:
        if (o->corpus)
            argp_error(state, "one CORPUS, not also %s", arg);
        o->corpus = arg;
        return 0;
    case ARGP_KEY_END:
        check_complete(state, o);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The cores that this process may use, shared with the job's other ranks on the machine when nothing binds them. */
static unsigned share_of_cores(void)
{
    cpu_set_t set;
    unsigned n = 1, online = (unsigned)sysconf(_SC_NPROCESSORS_ONLN), local = channel_announced_local_size();

    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        n = (unsigned)CPU_COUNT(&set);
    if (n == online && local > 1)
        n /= local;
    return n < 1 ? 1 : n > LANE_POOL_MAX_LANES ? LANE_POOL_MAX_LANES : n;
}

static void cpu_name(char *ret_name, size_t room)
{
    char line[512];
    FILE *f = fopen("/proc/cpuinfo", "re");

    snprintf(ret_name, room, "unknown");
    while (f && fgets(line, sizeof(line), f)) {
        char *colon = strchr(line, ':');

        if (strncmp(line, "model name", 10) == 0 && colon) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(ret_name, room, "%s", colon + 2);
            break;
        }
    }
    if (f)
        fclose(f);
}

/* What all ranks know before they meet. */
struct start {
    struct options options;
    struct card *card;
    char detector_sha256[SHA256_HEX_BYTES];
    char fingerprint[SHA256_HEX_BYTES];
    struct run_identity identity;
    char *output; /* absolute */
    char *journal_folder;
    struct timespec began;
};

static enum status prepare(struct start *x, struct error *e)
{
    char here[PATH_MAX];
    enum status s = detector_identify(x->options.detector, &x->card, x->detector_sha256, e);

    if (s != STATUS_OK)
        return s;
    run_identity_add(&x->identity, "protocol", PROTOCOL_VERSION);
    run_identity_add(&x->identity, "detector", x->card->name);
    run_identity_add(&x->identity, "detector_sha256", x->detector_sha256);
    run_identity_add(&x->identity, "decoder", decoder_version());
    run_identity_add(&x->identity, "backend", "openblas");
    x->identity.detector_worth = x->card->worth;
    if (run_identity_fingerprint(&x->identity, x->fingerprint) != STATUS_OK)
        return error_no_memory(e);
    if (!getcwd(here, sizeof(here)))
        return error_set_errno(e, errno, "the working folder");
    x->output = file_join(here, x->options.output);
    x->journal_folder = x->output ? file_join(x->output, "journal") : NULL;
    /* A landmark detector's corpus is text files. */
    if (x->card->input == INPUT_LANDMARKS && !x->options.layout.extensions)
        x->options.layout.extensions = "txt";
    return x->journal_folder ? STATUS_OK : error_no_memory(e);
}

/* What rank 0 has besides. */
struct whole {
    struct run_folder *folder;
    struct manifest *manifest;
    struct reduction before;
    struct ledger *ledger;
    struct plan_work work;
    struct units *units;
};

static void whole_close(struct whole *w)
{
    ledger_close(&w->ledger);
    units_close(&w->units);
    reduction_clear(&w->before);
    manifest_close(&w->manifest);
    run_folder_close(&w->folder);
}

static enum status fill_ledger(struct whole *w, const struct options *o, unsigned n_ranks, struct error *e)
{
    struct ledger_settings settings = {
        .n_agents = n_ranks,
        .attempts = (unsigned)o->retries + 1,
        .max_losses = MAX_LOSSES,
        /* A live agent answers within the timeout of what it has in work and of the one lease that it holds ahead; the
         * rest is for a machine that was asleep. */
        .lease_us = (int64_t)o->timeout_s * 3000000 + 60000000,
    };

    return main_plan_open(w->manifest, &w->before, &w->work, o->segment_s, &settings, &w->units, &w->ledger, e);
}

static void describe_corpus(const struct options *o, const struct whole *w, const struct layout_summary *summary)
{
    struct text found = {0};

    layout_describe(summary, &found);
    log_info("%s: %s", o->corpus, found.failed ? "out of memory" : found.data);
    text_clear(&found);
    if (summary->notes[0] != '\0')
        log_warning("%s: %s", o->corpus, summary->notes);
    if (units_count(w->units) > units_entries(w->units))
        log_info("%s: costly videos are cut into %zu parts", o->corpus,
                 units_count(w->units) - units_entries(w->units));
    if (w->before.n_decided > 0)
        log_info("%s: resuming, %zu of %zu videos are decided", o->output, w->before.n_decided, w->before.count);
}

static enum status open_whole(const struct start *x, unsigned n_ranks, const struct zygote *z, struct whole *ret_w,
                              struct error *e)
{
    struct whole w = {.work = main_plan_work(x->card, z)};
    struct layout_summary summary = {0};
    enum status s = layout_scan(x->options.corpus, &x->options.layout, &w.manifest, &summary, e);

    if (s == STATUS_OK)
        s = run_folder_open(x->output, &x->identity, &w.folder, e);
    if (s == STATUS_OK)
        s = reduce(run_folder_journal_path(w.folder), x->fingerprint, w.manifest, &w.before, e);
    /* A corpus may grow, shrink and change; that nothing at all is left is a slip of the hand. */
    if (s == STATUS_OK && w.before.n_decided == 0 && w.before.n_foreign > 0)
        s = error_set(e, STATUS_MISMATCH,
                      "%s: holds results of %llu other videos and none of a file that %s has now: choose another run "
                      "folder",
                      x->output, (unsigned long long)w.before.n_foreign, x->options.corpus);
    if (s == STATUS_OK)
        s = manifest_write(w.manifest, run_folder_manifest_path(w.folder), e);
    if (s == STATUS_OK)
        s = fill_ledger(&w, &x->options, n_ranks, e);
    if (s != STATUS_OK) {
        whole_close(&w);
        return s;
    }
    describe_corpus(&x->options, &w, &summary);
    *ret_w = w;
    return STATUS_OK;
}

static enum status note_execution(const struct start *x, struct whole *w, const struct job_end *end, unsigned n_ranks,
                                  size_t n_decided, struct error *e)
{
    char host[128] = "?", cpu[128], sandbox[128], how[ERROR_TEXT_BYTES + 16] = "complete";
    const char *job = getenv("SLURM_JOB_ID");
    struct timespec real, now;
    struct run_execution execution = {
        .version = FAKESIFT_VERSION,
        .host_name = host,
        .cpu = cpu,
        .job_id = job ? job : "",
        .sandbox = sandbox,
        .n_ranks = n_ranks,
        .n_frames = end->progress.n_frames,
        .end = how,
    };

    gethostname(host, sizeof(host) - 1);
    cpu_name(cpu, sizeof(cpu));
    sandbox_describe(end->sandbox_layers, sandbox, sizeof(sandbox));
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_MONOTONIC, &now);
    execution.wall_s = (double)(now.tv_sec - x->began.tv_sec) + (double)(now.tv_nsec - x->began.tv_nsec) / 1e9;
    execution.start_unix_s = real.tv_sec - (int64_t)execution.wall_s;
    for (unsigned o = 1; o < OUTCOME_COUNT; o++)
        execution.n_units_decided += end->progress.outcomes[o];
    execution.n_lanes = (unsigned)x->options.n_lanes * n_ranks;
    if (n_decided < manifest_count(w->manifest))
        snprintf(how, sizeof(how), "%s%s",
                 end->drained ? "drained" : "stopped early: ", end->drained ? "" : end->trouble.text);
    return run_folder_add_execution(w->folder, &execution, e);
}

/* The detector does not load, or lanes cannot start: starting again would not help. */
static bool is_hopeless(const struct job_end *end)
{
    return !end->drained && (end->trouble.status == STATUS_INVALID || end->trouble.status == STATUS_UNSUPPORTED);
}

static int exit_code(const struct start *x, const struct reduction *after, const struct job_end *end)
{
    size_t n_scored = after->outcomes[OUTCOME_SCORED] + after->outcomes[OUTCOME_PARTIAL_DECODE];

    if (after->n_decided == after->count)
        return x->options.strict && n_scored < after->count ? EXIT_UNSCORED : EXIT_DONE;
    if (end->trouble.status != STATUS_OK)
        main_fail("run", &end->trouble);
    fprintf(stderr, "fakesift run: %zu of %zu videos are decided; the same command goes on from there\n",
            after->n_decided, after->count);
    return EXIT_RESUMABLE;
}

static int finish(const struct start *x, struct whole *w, const struct job_end *end, unsigned n_ranks)
{
    struct reduction after = {0};
    struct error e = {0};
    int code = EXIT_FAILED;
    enum status s = reduce(run_folder_journal_path(w->folder), x->fingerprint, w->manifest, &after, &e);

    if (s == STATUS_OK && after.n_decided < after.count && is_hopeless(end)) {
        reduction_clear(&after);
        return main_fail("run", &end->trouble);
    }
    if (s == STATUS_OK)
        s = note_execution(x, w, end, n_ranks, after.n_decided, &e);
    if (s == STATUS_OK)
        s = main_write_report(w->folder, w->manifest, &after, stdout, &e);
    if (s == STATUS_OK)
        main_print_journal_remarks(&after, stdout);
    if (after.results)
        code = exit_code(x, &after, end);
    reduction_clear(&after);
    if (s != STATUS_OK) {
        main_fail("run", &e);
        /* The journals have everything; only the report is missing. */
        return s == STATUS_NO_SPACE ? EXIT_RESUMABLE : EXIT_FAILED;
    }
    return code;
}

static enum status work(const struct start *x, struct channel *channel, int signal_fd, struct zygote **z,
                        const struct whole *w, struct job_end *ret_end, struct error *e)
{
    const struct job_settings settings = {
        .journal_folder = x->journal_folder,
        .fingerprint = x->fingerprint,
        .lanes =
            {
                .n_lanes = (unsigned)x->options.n_lanes,
                .work = LANE_SCORE,
                .timeout_us = (int64_t)x->options.timeout_s * 1000000,
            },
        .silence_us = SILENCE_S * INT64_C(1000000),
        .grace_us = (int64_t)x->options.grace_s * 1000000,
        .manifest = w->manifest,
        .ledger = w->ledger,
        .units = w->units,
        .n_before = w->before.n_decided,
    };

    return job_run(&settings, channel, signal_fd, z, ret_end, e);
}

/* What rank 0 does before the others can work. */
struct preparation {
    const struct start *start;
    struct zygote *zygote;
    unsigned n_ranks;
    struct whole whole;
    enum status status;
    struct error e;
    atomic_bool done;
};

static void *prepare_whole(void *context)
{
    struct preparation *p = context;

    /* A detector that does not load must not begin a run. */
    p->status = zygote_wait(p->zygote, &p->e);
    if (p->status == STATUS_OK)
        p->status = open_whole(p->start, p->n_ranks, p->zygote, &p->whole, &p->e);
    atomic_store(&p->done, true);
    return NULL;
}

static enum status prepare_and_beat(struct preparation *p, struct channel *channel, struct error *e)
{
    pthread_t thread;
    int failed = p->n_ranks > 1 ? pthread_create(&thread, NULL, prepare_whole, p) : EAGAIN;

    if (failed) {
        prepare_whole(p);
    } else {
        job_beat_until(channel, &p->done);
        pthread_join(thread, NULL);
    }
    *e = p->e;
    return p->status;
}

/* From MPI_Init to the exit code. */
static int join(const struct start *x, struct zygote **z)
{
    struct channel *channel = NULL;
    struct preparation preparation = {.start = x, .zygote = *z};
    struct whole *whole = &preparation.whole;
    struct job_end end = {0};
    struct error e = {0};
    unsigned n_ranks;
    bool leads;
    int code = EXIT_DONE, signal_fd = job_catch_signals();
    enum status s = channel_open(channel_is_launched(), &channel, &e);

    if (s != STATUS_OK)
        return main_fail("run", &e);
    preparation.n_ranks = n_ranks = channel_size(channel);
    leads = channel_rank(channel) == 0;
    if (leads)
        s = prepare_and_beat(&preparation, channel, &e);
    if (s != STATUS_OK) {
        code = main_fail("run", &e);
        end.orderly = job_refuse(channel, SILENCE_S * INT64_C(1000000));
    } else if (work(x, channel, signal_fd, z, whole, &end, &e) != STATUS_OK) {
        code = main_fail("run", &e);
    }
    if (end.orderly)
        channel_close(&channel, true);
    if (leads && code == EXIT_DONE)
        code = finish(x, whole, &end, n_ranks);
    else if (code == EXIT_DONE && end.trouble.status == STATUS_TIMEOUT)
        code = EXIT_RESUMABLE; /* mpirun must not take the loss of rank 0 for a success */
    if (leads && channel)
        job_abandon(channel);
    channel_close(&channel, false);
    whole_close(whole);
    if (!end.orderly) {
        fflush(NULL);
        _exit(code);
    }
    return code;
}

int main_run(int argc, char **argv)
{
    static const struct argp argp = {
        option_list,
        parse_option,
        "CORPUS|MANIFEST",
        "Score every video of a corpus and write the report. Run alone, or one rank a node under mpirun or srun. "
        "Started again with the same arguments it goes on where it was.",
        NULL,
        NULL,
        NULL};
    struct start x = {
        .options =
            {
                .n_lanes = share_of_cores(),
                .timeout_s = DEFAULT_TIMEOUT_S,
                .retries = DEFAULT_RETRIES,
                .grace_s = DEFAULT_GRACE_S,
                .segment_s = DEFAULT_SEGMENT_S,
                .lane_memory_mib = DEFAULT_LANE_MEMORY_MIB,
                .level = LOG_LEVEL_INFO,
            },
    };
    struct zygote *zygote = NULL;
    struct error e = {0};
    int code = EXIT_FAILED;

    main_parse(&argp, argc, argv, &x.options);
    clock_gettime(CLOCK_MONOTONIC, &x.began);
    log_setup(x.options.level, channel_is_launched() ? (int)channel_announced_rank() : -1);
    if (prepare(&x, &e) == STATUS_OK) {
        const struct zygote_settings settings = {
            .detector = x.options.detector,
            .lane_memory_bytes = x.options.lane_memory_mib << 20,
            .lane_cpu_s = (x.options.timeout_s + 60) * LANE_POOL_UNITS,
            .require_sandbox = x.options.require_sandbox,
        };

        /* Before MPI_Init, so that MPI never sees a fork. */
        code = zygote_start(&settings, &zygote, &e) == STATUS_OK ? join(&x, &zygote) : main_fail("run", &e);
    } else {
        code = main_fail("run", &e);
    }
    zygote_stop(&zygote);
    card_close(&x.card);
    free(x.journal_folder);
    free(x.output);
    return code;
}
