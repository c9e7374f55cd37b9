/* fakesift audit. In: a run folder. Out: what is wrong with its corpus, on standard output and in files, and RUN/audit.json,
 * from which its report takes the findings up. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/audit/audit.h"
#include "coordinator/main.h"
#include "coordinator/main_options.h"
#include "coordinator/main_reduce.h"
#include "coordinator/reduce.h"
#include "shard/log.h"
#include "shard/text.h"

enum {
    OPTION_CSV = 256,
    OPTION_JSON,
    OPTION_FAIL_ON,
    OPTION_LIMIT,
    OPTION_MIRRORED,
    OPTION_WITHOUT_FILES,
    OPTION_THREADS,
    OPTION_NO_REPORT
};

struct options {
    const char *run, *csv, *json;
    bool fails[AUDIT_KIND_COUNT];
    bool no_report;
    uint64_t limit, n_threads;
    struct audit_settings settings;
};

static const struct argp_option option_list[] = {
    {"csv", OPTION_CSV, "FILE", 0, "Write every finding as CSV (RFC 4180)", 0},
    {"json", OPTION_JSON, "FILE", 0, "Write every finding as JSON", 0},
    {"fail-on", OPTION_FAIL_ON, "NAME,...", 0,
     "Exit with 3 when there is a finding of these names, or of a severity: critical, warning, note", 0},
    {"limit", OPTION_LIMIT, "N", 0, "Show this many findings of each name (5); the files have all", 0},
    {"mirrored", OPTION_MIRRORED, NULL, 0,
     "Also find near duplicates that are mirrored left to right; takes twice as long again", 0},
    {"without-files", OPTION_WITHOUT_FILES, NULL, 0,
     "Read nothing of the corpus: equality is not proved, extra files are not found", 0},
    {"threads", OPTION_THREADS, "N", 0, "Threads that compare pictures (the CPUs of this machine)", 0},
    {"no-report", OPTION_NO_REPORT, NULL, 0, "Leave the run's report as it is", 0},
    {0},
};

static bool take_severity(struct options *o, const char *name, size_t len)
{
    bool found = false;

    for (int k = 0; k < AUDIT_KIND_COUNT; k++) {
        const char *severity = audit_severity_name(audit_kind_severity((enum audit_kind)k));

        if (strlen(severity) == len && memcmp(severity, name, len) == 0)
            found = o->fails[k] = true;
    }
    return found;
}

static void refuse_name(struct argp_state *state, const char *name, size_t len)
{
    struct text t = {0};

    for (int k = 0; k < AUDIT_KIND_COUNT; k++)
        text_append_format(&t, "%s, ", audit_kind_name((enum audit_kind)k));
    argp_error(state, "--fail-on: no finding is called '%.*s'; there are %scritical, warning, note", (int)len, name,
               t.data ? t.data : "");
    text_clear(&t);
}

static void take_fail_on(struct options *o, const char *arg, struct argp_state *state)
{
    for (const char *p = arg;; p++) {
        size_t len = strcspn(p, ",");
        enum audit_kind kind = audit_kind_from_name(p, len);

        if (kind != AUDIT_KIND_COUNT)
            o->fails[kind] = true;
        else if (!take_severity(o, p, len))
            refuse_name(state, p, len);
        p += len;
        if (*p == '\0')
            return;
    }
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case OPTION_CSV:
        o->csv = arg;
        return 0;
    case OPTION_JSON:
        o->json = arg;
        return 0;
    case OPTION_FAIL_ON:
        take_fail_on(o, arg, state);
        return 0;
    case OPTION_LIMIT:
        options_number(state, "limit", arg, 0, SIZE_MAX, &o->limit);
        return 0;
    case OPTION_THREADS:
        options_number(state, "threads", arg, 1, 64, &o->n_threads);
        return 0;
    case OPTION_MIRRORED:
        o->settings.mirrored = true;
        return 0;
    case OPTION_WITHOUT_FILES:
        o->settings.without_files = true;
        return 0;
    case OPTION_NO_REPORT:
        o->no_report = true;
        return 0;
    default:
        return options_run(key, arg, state, &o->run);
    }
}

struct opened {
    struct run_folder *folder;
    struct manifest *manifest;
    struct reduction reduction;
    struct audit audit;
};

static enum status open_run(const char *path, struct opened *x, struct error *e)
{
    enum status s = run_folder_open_readonly(path, &x->folder, e);

    if (s == STATUS_OK)
        s = manifest_read(run_folder_manifest_path(x->folder), &x->manifest, e);
    if (s == STATUS_OK)
        s = reduce(run_folder_journal_path(x->folder), run_folder_fingerprint(x->folder), x->manifest, &x->reduction,
                   e);
    return s;
}

static enum status write_all(const struct options *o, struct opened *x, struct error *e)
{
    enum status s = audit_print(&x->audit, (size_t)o->limit, stdout, e);

    if (s == STATUS_OK && o->csv)
        s = audit_write_csv(&x->audit, o->csv, e);
    if (s == STATUS_OK && o->json)
        s = audit_write_json(&x->audit, o->json, e);
    if (s == STATUS_OK)
        s = audit_write_summary(&x->audit, e);
    if (s == STATUS_OK && !o->no_report)
        s = main_write_report(x->folder, x->manifest, &x->reduction, NULL, e);
    return s;
}

/* The code, after a line that says what it stands for. */
static int judge(const struct options *o, const struct audit *a)
{
    struct text t = {0};

    for (int k = 0; k < AUDIT_KIND_COUNT; k++) {
        if (o->fails[k] && a->counts[k] > 0)
            text_append_format(&t, "%s%zu %s", t.len_bytes > 0 ? ", " : "", a->counts[k],
                               audit_kind_name((enum audit_kind)k));
    }
    if (t.len_bytes == 0 && !t.failed)
        return EXIT_DONE;
    fprintf(stderr, "fakesift audit: --fail-on: found %s\n", t.data ? t.data : "");
    text_clear(&t);
    return EXIT_UNSCORED;
}

int main_audit(int argc, char **argv)
{
    static const struct argp argp = {
        option_list,
        parse_option,
        "RUN",
        "Say what is wrong with a run's corpus: leaks, duplicates, conflicts, shortcuts, broken and odd files.",
        NULL,
        NULL,
        NULL};
    struct options o = {.limit = 5};
    struct opened x = {0};
    struct error e = {0};
    long n_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    int code = EXIT_DONE;
    enum status s;

    main_parse(&argp, argc, argv, &o);
    log_setup(LOG_LEVEL_INFO, -1);
    o.settings.n_threads = o.n_threads > 0 ? (unsigned)o.n_threads : n_cpus > 0 && n_cpus < 64 ? (unsigned)n_cpus : 1;
    s = open_run(o.run, &x, &e);
    if (s == STATUS_OK) {
        const struct audit_input in = {.run_folder = run_folder_path(x.folder),
                                       .journal_folder = run_folder_journal_path(x.folder),
                                       .fingerprint = run_folder_fingerprint(x.folder),
                                       .manifest = x.manifest,
                                       .results = x.reduction.results};

        s = audit_make(&in, &o.settings, &x.audit, &e);
        if (s == STATUS_OK)
            s = write_all(&o, &x, &e);
        code = s == STATUS_OK ? judge(&o, &x.audit) : EXIT_DONE;
    }
    audit_clear(&x.audit);
    reduction_clear(&x.reduction);
    manifest_close(&x.manifest);
    run_folder_close(&x.folder);
    return s == STATUS_OK ? code : main_fail("audit", &e);
}
