/* fakesift report. In: a run folder. Out: the report's files, and its summary on standard output. */
#include <stdio.h>

#include "coordinator/evaluate/board.h"
#include "coordinator/main.h"
#include "coordinator/main_options.h"
#include "coordinator/main_opened.h"
#include "coordinator/main_reduce.h"
#include "shard/clock.h"
#include "shard/log.h"
#include "shard/plural.h"

struct options {
    const char *run, *output;
    enum board board; /* BOARD_AUTO: the report's own files */
    bool whole_paths, verbose;
};

enum { KEY_BOARD = 0x100, KEY_WHOLE_PATHS };

static const struct argp_option report_options[] = {
    {"board", KEY_BOARD, "BOARD", 0,
     "Write a leaderboard's file alone, to --output: dfdc, ffpp, 1mdf, inclusion, openmfc, 1mdf-2 (fake stretches)", 0},
    {"output", 'o', "FILE", 0, "Of --board", 0},
    {"whole-paths", KEY_WHOLE_PATHS, NULL, 0, "Ids of --board are whole paths, not names of files", 0},
    {"verbose", 'v', NULL, 0, "Say how long each part took", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case 'v':
        o->verbose = true;
        return 0;
    case KEY_BOARD:
        o->board = board_from_name(arg);
        if (o->board == BOARD_COUNT || o->board <= BOARD_RUN)
            argp_error(state, "--board %s: not one of dfdc, ffpp, 1mdf, 1mdf-2, inclusion, openmfc", arg);
        return 0;
    case KEY_WHOLE_PATHS:
        o->whole_paths = true;
        return 0;
    case 'o':
        o->output = arg;
        return 0;
    case ARGP_KEY_END:
        if ((o->board != BOARD_AUTO) != (o->output != NULL))
            argp_error(state, "--board and --output go together");
        return options_run(key, arg, state, &o->run);
    default:
        return options_run(key, arg, state, &o->run);
    }
}

/* The file that a leaderboard takes, instead of the report's own. */
static int write_board(const struct options *o, const struct opened *x)
{
    struct board_written written;
    struct error e = {0};

    enum status s;

    if (o->board == BOARD_1MDF_2)
        s = board_write_segments(x->manifest, x->reduction.results, run_folder_path(x->folder), o->whole_paths,
                                 o->output, &written, &e);
    else
        s = board_write(o->board, x->manifest, x->reduction.results, o->whole_paths, o->output, &written, &e);
    if (s != STATUS_OK)
        return main_fail("report", &e);
    printf("%s: %zu video%s for %s\n", o->output, written.n, plural_s(written.n), board_name(o->board));
    if (written.n_unscored > 0)
        log_warning("report: %zu of %zu videos have no score; %s", written.n_unscored, written.n,
                    o->board == BOARD_FFPP      ? "the file calls them real"
                    : o->board == BOARD_1MDF_2  ? "the file has no stretch for them"
                    : o->board == BOARD_OPENMFC ? "the file's ProbeStatus says so"
                                                : "the file gives them 0.5");
    return EXIT_DONE;
}

int main_report(int argc, char **argv)
{
    static const struct argp argp = {report_options,
                                     parse_option,
                                     "RUN",
                                     "Write scores.csv, report.json, results.sqlite and report.html of a run from its "
                                     "journals; with --board the file "
                                     "that a leaderboard takes.",
                                     NULL,
                                     NULL,
                                     NULL};
    struct options o = {0};
    struct opened x;
    struct error e = {0};
    int64_t start = clock_monotonic_us();
    enum status s;

    main_parse(&argp, argc, argv, &o);
    log_setup(o.verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, -1);
    if (opened_open(o.run, &x, &e) != STATUS_OK)
        return main_fail("report", &e);
    if (o.board != BOARD_AUTO) {
        int code = write_board(&o, &x);

        opened_close(&x);
        return code;
    }
    log_debug("report: manifest and journals read in %.1f s", (double)(clock_monotonic_us() - start) / 1e6);
    s = main_write_report(x.folder, x.manifest, &x.reduction, stdout, &e);
    if (s == STATUS_OK)
        main_print_journal_remarks(&x.reduction, stdout);
    opened_close(&x);
    return s == STATUS_OK ? EXIT_DONE : main_fail("report", &e);
}
