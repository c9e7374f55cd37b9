/* fakesift explain. In: a run folder and a video of it. Out: its time line on standard output, as JSON, or as a page. */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "coordinator/main.h"
#include "coordinator/main_options.h"
#include "coordinator/main_reduce.h"
#include "coordinator/report/explain.h"
#include "shard/log.h"
#include "shard/text.h"

enum { OPTION_HTML = 256, OPTION_JSON, OPTION_CLIPS, OPTION_ASCII };

struct options {
    const char *run, *video, *html;
    bool json, clips, ascii;
};

static const struct argp_option explain_options[] = {
    {"html", OPTION_HTML, "FILE", 0, "Write a page of the video, one file that works offline", 0},
    {"json", OPTION_JSON, NULL, 0, "Print JSON", 0},
    {"clips", OPTION_CLIPS, NULL, 0, "List every clip", 0},
    {"ascii", OPTION_ASCII, NULL, 0, "Draw with ASCII alone (default: where the locale is not UTF-8)", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;
    const struct options_argument arguments[] = {{"RUN", NULL, &o->run},
                                                 {"VIDEO", ": a path as scores.csv has it", &o->video}};

    switch (key) {
    case OPTION_HTML:
        o->html = arg;
        return 0;
    case OPTION_JSON:
        o->json = true;
        return 0;
    case OPTION_CLIPS:
        o->clips = true;
        return 0;
    case OPTION_ASCII:
        o->ascii = true;
        return 0;
    default:
        return options_arguments(key, arg, state, arguments, 2, "one RUN and one VIDEO");
    }
}

/* The terminal's; 80 where the output is none. */
static unsigned terminal_width(void)
{
    struct winsize size;
    unsigned width = 80;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        width = size.ws_col;
    return width < 40 ? 40 : width > 120 ? 120 : width;
}

static enum status print_json(const struct explain *x, struct error *e)
{
    struct text t = {0};
    enum status s = STATUS_OK;

    explain_json(x, &t);
    if (t.failed)
        s = error_no_memory(e);
    else
        fwrite(t.data, 1, t.len_bytes, stdout);
    text_clear(&t);
    return s;
}

static enum status show(const struct options *o, const struct report_input *in, size_t index, struct error *e)
{
    const struct explain_look look = {
        .width = terminal_width(),
        .is_plain = o->ascii || strcmp(nl_langinfo(CODESET), "UTF-8") != 0,
        .with_clips = o->clips,
    };
    struct explain x;
    enum status s = explain_open(in, index, &x, e);

    if (s != STATUS_OK)
        return s;
    if (o->html)
        s = explain_html_write(&x, o->html, e);
    if (s == STATUS_OK && o->json)
        s = print_json(&x, e);
    else if (s == STATUS_OK && !o->html)
        explain_print(&x, &look, stdout);
    explain_clear(&x);
    if (s == STATUS_OK && (fflush(stdout) != 0 || ferror(stdout)))
        s = error_set(e, STATUS_IO, "cannot write to standard output");
    return s;
}

static enum status explain(const struct options *o, struct error *e)
{
    struct run_folder *folder = NULL;
    struct manifest *m = NULL;
    struct reduction r = {0};
    char *protocol = NULL;
    size_t index;
    enum status s = run_folder_open_readonly(o->run, &folder, e);

    if (s == STATUS_OK)
        s = manifest_read(run_folder_manifest_path(folder), &m, e);
    /* Before the journals, which may be long. */
    if (s == STATUS_OK)
        s = explain_find(m, o->video, &index, e);
    if (s == STATUS_OK)
        s = reduce(run_folder_journal_path(folder), run_folder_fingerprint(folder), m, &r, e);
    if (s == STATUS_OK) {
        protocol = run_folder_identity_json(folder);
        const struct report_input in = {
            .run_folder = run_folder_path(folder),
            .manifest = m,
            .results = r.results,
            .protocol_json = protocol,
            .detector_name = run_folder_identity(folder, "detector"),
            .detector_worth = run_folder_worth(folder),
            .further_detectors = run_folder_identity(folder, "further_detectors"),
        };

        s = protocol ? show(o, &in, index, e) : error_no_memory(e);
    }
    free(protocol);
    reduction_clear(&r);
    manifest_close(&m);
    run_folder_close(&folder);
    return s;
}

int main_explain(int argc, char **argv)
{
    static const struct argp argp = {explain_options,
                                     parse_option,
                                     "RUN VIDEO",
                                     "Say what a run saw of one video: which face, which seconds, how sure, and what "
                                     "was not seen. VIDEO is a path as "
                                     "scores.csv has it, or one below the corpus.",
                                     NULL,
                                     NULL,
                                     NULL};
    struct options o = {0};
    struct error e = {0};

    setlocale(LC_CTYPE, "");
    main_parse(&argp, argc, argv, &o);
    log_setup(LOG_LEVEL_INFO, -1);
    return explain(&o, &e) == STATUS_OK ? EXIT_DONE : main_fail("explain", &e);
}
