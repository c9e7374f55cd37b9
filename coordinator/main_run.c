/* fakesift run. In: a corpus or a manifest, a detector, a run folder. Out: journals, then the report.
 * Every rank comes through here with the same arguments; rank 0 also coordinates. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "coordinator/main.h"
#include "coordinator/main_batch.h"
#include "coordinator/main_detectors.h"
#include "coordinator/main_hash.h"
#include "coordinator/main_job.h"
#include "coordinator/main_machine.h"
#include "coordinator/main_plan.h"
#include "coordinator/main_reduce.h"
#include "coordinator/main_run_options.h"
#include "coordinator/main_save.h"
#include "coordinator/main_tail.h"
#include "nodes/decoder.h"
#include "nodes/sandbox.h"
#include "shard/file.h"
#include "shard/layout.h"
#include "shard/log.h"
#include "shard/text.h"

/* Raised whenever the same file and detector may give another score than before. */
#define PROTOCOL_VERSION "3"

enum { MAX_LOSSES = 4 }; /* of one unit, before it is given up */

/* What all ranks know before they meet. */
struct start {
    struct run_options options;
    struct run_detectors detectors;
    const struct card *card; /* the first that is run */
    char fingerprint[SHA256_HEX_BYTES];
    struct run_identity identity;
    struct text card_json;
    char *output; /* absolute */
    char *journal_folder, *progress_path;
    char *crops_folder;
    char *features_folder, *frames_folder; /* NULL: not kept */
    struct finds_settings finds;
    struct timespec began;
};

static enum status prepare(struct start *x, struct error *e)
{
    char here[PATH_MAX];
    enum status s = network_check_precision(x->options.backend, x->options.precision, e);

    if (s == STATUS_OK)
        s = run_detectors_find(x->options.detector, &x->detectors, e);
    x->card = x->detectors.first;
    if (s == STATUS_OK)
        s = save_ask(&x->options, detector_set_card(&x->detectors.set), &x->finds, e);
    if (s != STATUS_OK)
        return s;
    run_identity_add(&x->identity, "protocol", PROTOCOL_VERSION);
    /* An ensemble's score is made of its members' scores of the whole video. */
    if (x->detectors.has_ensemble)
        x->options.segment_s = 0;
    run_detectors_identify(&x->detectors, &x->identity);
    run_identity_add(&x->identity, "decoder", decoder_version());
    if (x->options.backend == NETWORK_BACKEND_AUTO)
        x->options.backend = network_backend_auto();
    run_identity_add(&x->identity, "backend", network_backend_name(x->options.backend));
    run_identity_add(&x->identity, "precision", network_precision_name(x->options.precision));
    x->identity.detector_worth = detector_set_card(&x->detectors.set)->worth;
    card_describe(detector_set_card(&x->detectors.set), &x->card_json);
    x->identity.detector_card = x->card_json.failed ? NULL : x->card_json.data;
    if (run_identity_fingerprint(&x->identity, x->fingerprint) != STATUS_OK)
        return error_no_memory(e);
    if (!getcwd(here, sizeof(here)))
        return error_set_errno(e, errno, "the working folder");
    x->output = file_join(here, x->options.output);
    x->journal_folder = x->output ? file_join(x->output, "journal") : NULL;
    x->progress_path = x->output ? file_join(x->output, "progress.json") : NULL;
    x->crops_folder = x->output ? file_join(x->output, "crops") : NULL;
    if (x->finds.features)
        x->features_folder = file_join(here, x->options.save_features);
    if (x->finds.frames && x->output)
        x->frames_folder = file_join(x->output, "frames");
    if (!x->crops_folder || (x->finds.features && !x->features_folder) || (x->finds.frames && !x->frames_folder))
        return error_no_memory(e);
    /* A landmark detector's corpus is text files. */
    if (x->card->input == INPUT_LANDMARKS && !x->options.corpus.layout.extensions)
        x->options.corpus.layout.extensions = "txt";
    return x->journal_folder && x->progress_path ? STATUS_OK : error_no_memory(e);
}

static struct save_settings saves_of(const struct start *x, unsigned rank)
{
    return (struct save_settings){x->finds.crops > 0 ? x->crops_folder : NULL, x->features_folder, x->frames_folder,
                                  x->fingerprint, rank};
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

static enum status fill_ledger(struct whole *w, const struct run_options *o, unsigned n_ranks, struct error *e)
{
    struct ledger_settings settings = {
        .n_agents = n_ranks,
        .attempts = (unsigned)o->retries + 1,
        .max_losses = MAX_LOSSES,
        /* A live agent answers within the timeout of what it has in work and of the one lease that it holds ahead; the
         * rest is for a machine that was asleep. */
        .lease_us = (o->lease_s > 0 ? (int64_t)o->lease_s : (int64_t)o->timeout_s * 3 + 60) * 1000000,
    };

    return main_plan_open(w->manifest, &w->before, &w->work, o->segment_s, &settings, &w->units, &w->ledger, e);
}

static void describe_corpus(const struct run_options *o, const struct whole *w, const struct layout_summary *summary)
{
    struct text found = {0};

    layout_describe(summary, &found);
    log_info("%s: %s", o->corpus.corpus, found.failed ? "out of memory" : found.data);
    text_clear(&found);
    if (summary->notes[0] != '\0')
        log_warning("%s: %s", o->corpus.corpus, summary->notes);
    if (units_count(w->units) > units_entries(w->units))
        log_info("%s: costly videos are cut into %zu parts", o->corpus.corpus,
                 units_count(w->units) - units_entries(w->units));
    main_log_journal_damage(&w->before);
    if (w->before.n_decided > 0)
        log_info("%s: resuming, %zu of %zu videos are decided", o->output, w->before.n_decided, w->before.count);
}

static enum status open_whole(const struct start *x, unsigned n_ranks, const struct zygote *z, struct whole *ret_w,
                              struct error *e)
{
    struct whole w = {.work = main_plan_work(x->card, z)};
    struct layout_summary summary = {0};
    const struct save_settings saves = saves_of(x, 0);
    enum status s = layout_scan(x->options.corpus.corpus, &x->options.corpus.layout, &w.manifest, &summary, e);

    if (s == STATUS_OK && x->options.corpus.hash)
        s = main_hash_corpus(w.manifest, e);
    if (s == STATUS_OK)
        s = run_folder_open(x->output, &x->identity, &w.folder, e);
    if (s == STATUS_OK)
        s = reduce(run_folder_journal_path(w.folder), x->fingerprint, w.manifest, &w.before, e);
    /* A corpus may grow, shrink and change; that nothing at all is left is a slip of the hand. */
    if (s == STATUS_OK && w.before.n_decided == 0 && w.before.n_foreign > 0)
        s = error_set(e, STATUS_MISMATCH,
                      "%s: holds results of %llu other videos and none of a file that %s has now: choose another run "
                      "folder",
                      x->output, (unsigned long long)w.before.n_foreign, x->options.corpus.corpus);
    if (s == STATUS_OK)
        s = manifest_write(w.manifest, run_folder_manifest_path(w.folder), e);
    if (s == STATUS_OK)
        s = save_begin(&saves, e);
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
                                  const struct reduction *after, struct error *e)
{
    char host[128] = "?", cpu[128], sandbox[128] = "no lane was needed", how[ERROR_TEXT_BYTES + 16] = "complete";
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
        .journal = &after->journal,
    };
    enum status s;

    gethostname(host, sizeof(host) - 1);
    machine_cpu_name(cpu, sizeof(cpu));
    if (end->sandbox_layers != 0)
        sandbox_describe(end->sandbox_layers, sandbox, sizeof(sandbox));
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_MONOTONIC, &now);
    execution.wall_s = (double)(now.tv_sec - x->began.tv_sec) + (double)(now.tv_nsec - x->began.tv_nsec) / 1e9;
    execution.start_unix_s = real.tv_sec - (int64_t)execution.wall_s;
    for (unsigned o = 1; o < OUTCOME_COUNT; o++)
        execution.n_units_decided += end->progress.outcomes[o];
    tail_fill_use(end, &execution.use);
    s = tail_find_slowest(w->manifest, after->results, execution.slow, &execution.n_slow, e);
    if (s != STATUS_OK)
        return s;
    execution.n_lanes = (unsigned)x->options.corpus.n_lanes * n_ranks;
    if (after->n_decided < after->count)
        snprintf(how, sizeof(how), "%s%s",
                 end->drained ? "drained" : "stopped early: ", end->drained ? "" : end->trouble.text);
    s = run_folder_add_execution(w->folder, &execution, e);
    if (s == STATUS_OK)
        tail_print(&execution.use, execution.slow, execution.n_slow, stdout);
    return s;
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
    fprintf(stderr, "fakesift run: %zu of %zu video%s %s decided; the same command goes on from there\n",
            after->n_decided, after->count, after->count == 1 ? "" : "s", after->count == 1 ? "is" : "are");
    return EXIT_RESUMABLE;
}

/* What the ranks counted while they recorded, and what the journals hold beyond what they held at the start. */
static enum status check_tally(const struct whole *w, const struct job_end *end, const struct reduction *after,
                               struct error *e)
{
    struct record_tally here = after->tally;

    if (!end->tally_is_whole) {
        log_warning(
            "a rank was lost or could not write, and its counts with it: the journals are not checked against them");
        return STATUS_OK;
    }
    record_tally_subtract(&here, &w->before.tally);
    /* A rank of an earlier start, cut off from its job, may write what it had in work while this one runs. */
    if (w->before.journal.n_segments > 0 && here.n_records > end->tally.n_records &&
        record_tally_covers(&here, &end->tally)) {
        log_warning(
            "the journals hold %llu records that this start did not write: a rank of an earlier start outlived it",
            (unsigned long long)(here.n_records - end->tally.n_records));
        return STATUS_OK;
    }
    return record_tally_check(&end->tally, &here, run_folder_journal_path(w->folder), e);
}

static int finish(const struct start *x, struct whole *w, const struct job_end *end, unsigned n_ranks)
{
    struct reduction after = {0};
    struct error e = {0};
    int code = EXIT_FAILED;
    struct save_settings saves = saves_of(x, 0);
    enum status s;

    /* run.json and the report are the other job's now. */
    if (run_folder_is_lost(w->folder)) {
        fprintf(stderr, "fakesift run: another job took the run over while this one was stopped or cut off\n");
        return EXIT_RESUMABLE;
    }
    s = reduce(run_folder_journal_path(w->folder), x->fingerprint, w->manifest, &after, &e);

    if (s == STATUS_OK && after.n_decided < after.count && is_hopeless(end)) {
        reduction_clear(&after);
        return main_fail("run", &end->trouble);
    }
    if (s == STATUS_OK)
        s = check_tally(w, end, &after, &e);
    if (s == STATUS_OK)
        s = note_execution(x, w, end, n_ranks, &after, &e);
    /* Also where an earlier start kept crops and this one does not: what it listed may have changed. */
    saves.crops_folder = x->crops_folder;
    if (s == STATUS_OK)
        s = save_index(&saves, w->manifest, &after, &e);
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
    const struct save_settings saves = saves_of(x, channel_rank(channel));
    const struct job_settings settings = {
        .saves = &saves,
        .journal_folder = x->journal_folder,
        .fingerprint = x->fingerprint,
        .lanes =
            {
                .n_lanes = (unsigned)x->options.corpus.n_lanes,
                .work = LANE_SCORE,
                .timeout_us = (int64_t)x->options.timeout_s * 1000000,
                .takes_finds = x->finds.crops > 0 || x->finds.features || x->finds.frames,
            },
        .flush_records = (unsigned)x->options.flush_records,
        .silence_us = (int64_t)x->options.silence_s * 1000000,
        .grace_us = (int64_t)x->options.grace_s * 1000000,
        .folder = w->folder,
        .manifest = w->manifest,
        .ledger = w->ledger,
        .units = w->units,
        .n_before = w->before.n_decided,
        .outcomes_before = w->before.outcomes,
        .progress_path = x->progress_path,
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
};

static void prepare_whole(void *context)
{
    struct preparation *p = context;

    /* A detector that does not load must not begin a run. */
    p->status = zygote_wait(p->zygote, &p->e);
    if (p->status == STATUS_OK)
        p->status = open_whole(p->start, p->n_ranks, p->zygote, &p->whole, &p->e);
}

/* STATUS_END: a signal came; the preparation goes on, and the process must end by job_leave. */
static enum status prepare_and_beat(struct preparation *p, struct channel *channel, int signal_fd, struct error *e)
{
    if (!job_beat_during(channel, signal_fd, prepare_whole, p))
        return STATUS_END;
    *e = p->e;
    return p->status;
}

/* What rank 0 does at the end, while others may still wait. */
struct ending {
    const struct start *start;
    struct whole *whole;
    const struct job_end *end;
    unsigned n_ranks;
    int code;
};

static void finish_whole(void *context)
{
    struct ending *x = context;

    x->code = finish(x->start, x->whole, x->end, x->n_ranks);
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
    enum status s = job_open_channel((unsigned)x->options.silence_s, &channel, &e);

    if (s != STATUS_OK)
        return main_fail("run", &e);
    preparation.n_ranks = n_ranks = channel_size(channel);
    leads = channel_rank(channel) == 0;
    if (leads)
        s = prepare_and_beat(&preparation, channel, signal_fd, &e);
    if (s == STATUS_END) {
        fputs("fakesift run: stopped by a signal before the first video; the same command goes on from there\n",
              stderr);
        batch_note_end(EXIT_RESUMABLE);
        job_leave(channel, EXIT_RESUMABLE);
    }
    if (s != STATUS_OK) {
        code = main_fail("run", &e);
        if (s == STATUS_NO_SPACE)
            code = EXIT_RESUMABLE;
        end.orderly = job_refuse(channel, (int64_t)x->options.silence_s * 1000000);
    } else if (work(x, channel, signal_fd, z, whole, &end, &e) != STATUS_OK) {
        code = main_fail("run", &e);
    }
    if (end.orderly)
        channel_close(&channel, true);
    if (leads && code == EXIT_DONE) {
        struct ending ending = {.start = x, .whole = whole, .end = &end, .n_ranks = n_ranks};

        job_beat_during(channel, -1, finish_whole, &ending);
        code = ending.code;
    } else if (code == EXIT_DONE && end.trouble.status == STATUS_TIMEOUT) {
        code = EXIT_RESUMABLE; /* mpirun must not take the loss of rank 0 for a success */
    }
    whole_close(whole);
    if (end.orderly)
        return code;
    batch_note_end(code);
    if (leads)
        job_abandon(channel, code);
    fflush(NULL);
    _exit(code);
}

int main_run(int argc, char **argv)
{
    struct start x = {0};
    struct zygote *zygote = NULL;
    struct error e = {0};
    int code = EXIT_FAILED;

    batch_note_running();
    main_run_parse(argc, argv, &x.options);
    clock_gettime(CLOCK_MONOTONIC, &x.began);
    log_setup(x.options.level, channel_is_launched() ? (int)channel_announced_rank() : -1);
    if (prepare(&x, &e) == STATUS_OK) {
        const struct zygote_settings settings = {
            .detector = x.options.detector,
            .backend = x.options.backend,
            .precision = x.options.precision,
            .lane_memory_bytes = x.options.lane_memory_mib << 20,
            .lane_cpu_s = (x.options.timeout_s + 60) * LANE_POOL_UNITS,
            .require_sandbox = x.options.require_sandbox,
            .finds = x.finds,
        };

        /* Before MPI_Init, so that MPI never sees a fork. */
        code = zygote_start(&settings, &zygote, &e) == STATUS_OK ? join(&x, &zygote) : main_fail("run", &e);
    } else {
        code = main_fail("run", &e);
    }
    zygote_stop(&zygote);
    run_detectors_clear(&x.detectors);
    text_clear(&x.card_json);
    free(x.journal_folder);
    free(x.crops_folder);
    free(x.features_folder);
    free(x.frames_folder);
    free(x.progress_path);
    free(x.output);
    return code;
}
