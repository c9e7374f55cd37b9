/* fakesift eval. In: a truth and submissions to a leaderboard. Out: their standing on standard output, what is wrong with
 * them on standard error, line by line, and both as JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/main.h"
#include "coordinator/main_eval_print.h"
#include "coordinator/main_options.h"
#include "coordinator/report/clusters.h"
#include "shard/log.h"
#include "shard/text.h"

enum { MAX_SUBMISSIONS = 500 };

enum unanswered_option { BY_BOARD, REFUSE, HALF, DROP };

struct options {
    const char *truth, *json, *private_;
    enum board board;
    enum figure_id figure; /* FIGURE_COUNT: the board's */
    enum unanswered_option unanswered;
    double epsilon;
    uint64_t seed, replicates;
    char **paths;
    size_t n_paths;
};

enum {
    KEY_TRUTH = 0x100,
    KEY_BOARD,
    KEY_BY,
    KEY_UNANSWERED,
    KEY_PRIVATE,
    KEY_SEED,
    KEY_EPSILON,
    KEY_JSON,
    KEY_REPLICATES
};

static const struct argp_option eval_options[] = {
    {"truth", KEY_TRUTH, "FILE", 0,
     "Labels: a manifest of `fakesift scan`, a run, or a CSV with path (or filename, video_name, file, id) and label",
     0},
    {"board", KEY_BOARD, "BOARD", 0,
     "What the files must be: run, dfdc, ffpp, 1mdf, 1mdf-2, inclusion, openmfc; by default each as it looks", 0},
    {"by", KEY_BY, "FIGURE", 0,
     "Rank by auc, log_loss, accuracy_at_0.5, brier, eer, average_precision or another of report.json's; by default "
     "the "
     "board's own",
     0},
    {"unanswered", KEY_UNANSWERED, "HOW", 0,
     "Videos without a score: refuse (the file), half (count as 0.5), drop; by default refuse, but half for runs, and "
     "drop "
     "where all files are OpenMFC's",
     0},
    {"private", KEY_PRIVATE, "SHARE|FILE", 0,
     "Hold back a share (0..1, of each class, by --seed), or the ids that a file lists; by default the truth's own "
     "split or "
     "usage, where it says public and private",
     0},
    {"seed", KEY_SEED, "N", 0, "Of --private SHARE; default 0", 0},
    {"epsilon", KEY_EPSILON, "E", 0, "Log loss clips scores to E..1-E; default 1e-15", 0},
    {"replicates", KEY_REPLICATES, "N", 0, "Of each bootstrap, 200..100000; default 2000", 0},
    {"json", KEY_JSON, "FILE", 0, "Write everything as JSON, too", 0},
    {0},
};

static void parse_unanswered(struct argp_state *state, const char *arg, struct options *o)
{
    static const char *const words[] = {[REFUSE] = "refuse", [HALF] = "half", [DROP] = "drop"};

    for (int k = REFUSE; k <= DROP; k++) {
        if (strcmp(arg, words[k]) == 0) {
            o->unanswered = (enum unanswered_option)k;
            return;
        }
    }
    argp_error(state, "--unanswered %s: not one of refuse, half, drop", arg);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case KEY_TRUTH:
        o->truth = arg;
        return 0;
    case KEY_BOARD:
        o->board = board_from_name(arg);
        if (o->board == BOARD_COUNT)
            argp_error(state, "--board %s: not one of run, dfdc, ffpp, 1mdf, 1mdf-2, inclusion, openmfc", arg);
        return 0;
    case KEY_BY:
        o->figure = figure_from_name(arg);
        if (o->figure == FIGURE_COUNT)
            argp_error(state,
                       "--by %s: no such figure; report.json has auc, log_loss, accuracy_at_0.5, brier, eer, ...", arg);
        return 0;
    case KEY_UNANSWERED:
        parse_unanswered(state, arg, o);
        return 0;
    case KEY_PRIVATE:
        o->private_ = arg;
        return 0;
    case KEY_SEED:
        options_number(state, "seed", arg, 0, UINT64_MAX, &o->seed);
        return 0;
    case KEY_REPLICATES:
        options_number(state, "replicates", arg, METRICS_MIN_FIGURE_REPLICATES, 100000, &o->replicates);
        return 0;
    case KEY_EPSILON:
        if (parse_double(arg, 0, 0.49, &o->epsilon) != STATUS_OK || !(o->epsilon > 0))
            argp_error(state, "--epsilon %s: not a number above 0 and up to 0.49", arg);
        return 0;
    case KEY_JSON:
        o->json = arg;
        return 0;
    case ARGP_KEY_ARGS:
        o->paths = state->argv + state->next;
        o->n_paths = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        if (!o->truth)
            argp_error(state, "--truth is missing");
        if (o->n_paths == 0)
            argp_error(state, "SUBMISSION is missing");
        if (o->n_paths > MAX_SUBMISSIONS)
            argp_error(state, "%zu submissions; at most %d", o->n_paths, MAX_SUBMISSIONS);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* What the files are decides how they are ranked, where no option does. */
static enum status settle(struct eval *v, const struct options *o, struct error *e)
{
    bool any_segments = false;
    enum board board = BOARD_COUNT;
    bool all_openmfc = true, all_runs = true;

    for (size_t k = 0; k < v->n_submissions; k++) {
        all_openmfc = all_openmfc && v->submissions[k]->board == BOARD_OPENMFC;
        all_runs = all_runs && v->submissions[k]->board == BOARD_RUN;
    }
    v->settings.unanswered =
        o->unanswered == DROP || (o->unanswered == BY_BOARD && all_openmfc) ? UNANSWERED_DROP : UNANSWERED_HALF;
    v->may_miss = o->unanswered == HALF || o->unanswered == DROP || (o->unanswered == BY_BOARD && all_runs);
    for (size_t k = 0; k < v->n_submissions; k++) {
        const struct submission *s = v->submissions[k];

        any_segments = any_segments || s->board == BOARD_1MDF_2;
        if (submission_is_valid(s, v->may_miss))
            board = board == BOARD_COUNT || board == s->board ? s->board : BOARD_AUTO; /* several boards: AUC */
    }
    board = board == BOARD_COUNT ? v->submissions[0]->board : board;
    v->has_segments = board == BOARD_1MDF_2;
    v->settings.figure = o->figure < FIGURE_COUNT ? o->figure : board_figure(board);
    if (any_segments && !v->has_segments)
        return error_set(e, STATUS_INVALID, "files of 1mdf-2 hold stretches of time, others scores: rank them apart");
    if (v->has_segments && o->figure < FIGURE_COUNT)
        return error_set(e, STATUS_INVALID, "--by: files of 1mdf-2 are ranked by the board's score alone");
    return STATUS_OK;
}

/* Which videos are private, and how that was settled; NULL: nobody asked and the truth does not say. */
static enum status deal(struct eval *v, const struct options *o, uint8_t *private_, struct error *e)
{
    double share;
    bool by_itself = false;

    if (!o->private_) {
        truth_split_by_itself(v->truth, private_, &by_itself);
        v->dealt = by_itself ? "as the truth's split says" : NULL;
        return STATUS_OK;
    }
    if (parse_double(o->private_, 0, 1, &share) == STATUS_OK) {
        v->dealt = "by share and seed, each class alike";
        return truth_split_by_share(v->truth, share, o->seed, private_, e);
    }
    v->dealt = "by a list";
    return truth_split_by_file(v->truth, o->private_, private_, e);
}

static enum status stand(struct eval *v, const struct options *o, struct error *e)
{
    size_t n = truth_count(v->truth), n_valid = 0;
    struct submission **valid = calloc(v->n_submissions + 1, sizeof(struct submission *));
    uint8_t *private_ = calloc(n + 1, 1), *counts = malloc(n + 1);
    uint32_t *cluster = malloc((n + 1) * sizeof(*cluster));
    bool has_originals = false;
    enum status s = valid && private_ && counts && cluster ? STATUS_OK : error_no_memory(e);

    if (s == STATUS_OK)
        s = clusters_by_original(truth_manifest(v->truth), cluster, &has_originals, e);
    if (s == STATUS_OK)
        s = deal(v, o, private_, e);
    v->settings.cluster = has_originals ? cluster : NULL;
    for (size_t k = 0; s == STATUS_OK && k < v->n_submissions; k++) {
        if (submission_is_valid(v->submissions[k], v->may_miss))
            valid[n_valid++] = v->submissions[k];
    }
    for (v->n_parts = 0; s == STATUS_OK && v->n_parts < (v->dealt ? 2 : 1); v->n_parts++) {
        struct eval_part *part = &v->parts[v->n_parts];

        for (size_t i = 0; i < n; i++)
            counts[i] = !v->dealt || private_[i] == (v->n_parts == 1);
        part->name = !v->dealt ? "all" : v->n_parts == 0 ? "public" : "private";
        s = v->has_segments ? segment_standings_make(v->truth, valid, n_valid, counts, v->settings.metrics.replicates,
                                                     v->settings.metrics.seed, &part->segments, e)
                            : standings_make(v->truth, valid, n_valid, counts, &v->settings, &part->standings, e);
        if (s != STATUS_OK)
            break;
    }
    v->settings.cluster = NULL;
    free(cluster);
    free(valid);
    free(private_);
    free(counts);
    return s;
}

int main_eval(int argc, char **argv)
{
    static const struct argp argp = {
        eval_options,
        parse_option,
        "SUBMISSION...",
        "Rank submissions as a leaderboard does, check each of their lines, and say which "
        "differences are more than chance.\vA submission is a leaderboard's file, scores.csv "
        "of a run, or a run folder. Exit code 2 when one of them is refused.",
        NULL,
        NULL,
        NULL};
    struct options o = {.figure = FIGURE_COUNT, .epsilon = 1e-15, .replicates = 2000};
    struct eval v = {.settings.metrics = metrics_defaults};
    struct truth *truth = NULL;
    struct error e = {0};
    bool all_valid = true;
    enum status s;

    main_parse(&argp, argc, argv, &o);
    log_setup(LOG_LEVEL_INFO, -1);
    v.truth_path = o.truth;
    v.settings.metrics.log_loss_epsilon = o.epsilon;
    v.settings.metrics.replicates = (uint32_t)o.replicates;
    v.submissions = calloc(o.n_paths + 1, sizeof(struct submission *));
    s = v.submissions ? truth_open(o.truth, &truth, &e) : error_no_memory(&e);
    v.truth = truth;
    for (; s == STATUS_OK && v.n_submissions < o.n_paths; v.n_submissions++) {
        s = submission_open(o.paths[v.n_submissions], o.board, truth, &v.submissions[v.n_submissions], &e);
        if (s != STATUS_OK)
            break;
    }
    if (s == STATUS_OK) {
        s = settle(&v, &o, &e);
        if (s == STATUS_OK)
            s = stand(&v, &o, &e);
    }
    if (s == STATUS_OK) {
        eval_print_problems(&v, stderr);
        eval_print(&v, stdout);
        s = o.json ? eval_write_json(&v, o.json, &e) : STATUS_OK;
    }
    for (size_t k = 0; k < v.n_submissions; k++) {
        all_valid = all_valid && submission_is_valid(v.submissions[k], v.may_miss);
        submission_close(&v.submissions[k]);
    }
    for (size_t k = 0; k < v.n_parts; k++) {
        standings_clear(&v.parts[k].standings);
        segment_standings_clear(&v.parts[k].segments);
    }
    free(v.submissions);
    truth_close(&truth);
    if (s != STATUS_OK)
        return main_fail("eval", &e);
    return all_valid ? EXIT_DONE : EXIT_FAILED;
}
