/* fakesift status. In: a run folder, perhaps with a job at work. Out: how far it is, for a person, as JSON or for
 * Prometheus. docs/STATUS.md describes the fields. */
#include <cjson/cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coordinator/main.h"
#include "coordinator/main_options.h"
#include "coordinator/main_reduce.h"
#include "coordinator/reduce.h"
#include "shard/file.h"
#include "shard/text.h"

enum { FRESH_S = 30, PROGRESS_MAX_BYTES = 64 * 1024 };
enum form { FORM_TEXT, FORM_JSON, FORM_PROMETHEUS };

struct options {
    const char *run;
    enum form form;
    bool journals;
};

enum { OPTION_JSON = 256, OPTION_PROMETHEUS, OPTION_JOURNALS };

static const struct argp_option option_list[] = {
    {"json", OPTION_JSON, NULL, 0, "As one JSON object", 0},
    {"prometheus", OPTION_PROMETHEUS, NULL, 0, "As Prometheus' text format", 0},
    {"journals", OPTION_JOURNALS, NULL, 0, "Count the journals even while a job says its own counts", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
    struct options *o = state->input;

    switch (key) {
    case OPTION_JSON:
    case OPTION_PROMETHEUS:
        if (o->form != FORM_TEXT)
            argp_error(state, "--json or --prometheus, not both");
        o->form = key == OPTION_JSON ? FORM_JSON : FORM_PROMETHEUS;
        return 0;
    case OPTION_JOURNALS:
        o->journals = true;
        return 0;
    default:
        return options_run(key, arg, state, &o->run);
    }
}

/* What a job at work says of itself, beside the counts. */
static const char *const live_names[] = {"videos_per_s", "frames_per_s", "eta_s",     "agents",
                                         "agents_lost",  "lanes",        "in_flight", "failed_attempts"};
static const char *const live_help[] = {
    "Videos decided in a second, since this start",
    "Frames decoded in a second, since this start",
    "Seconds until all is done, by the rate so far",
    "Ranks at work",
    "Ranks that fell silent in this start",
    "Videos that can be in work at once",
    "Videos that are leased out",
    "Attempts that failed and left no result, in this start",
};
enum { N_LIVE = sizeof(live_names) / sizeof(live_names[0]) };

struct view {
    const char *run, *detector;
    size_t n, n_done;
    uint64_t outcomes[OUTCOME_COUNT];
    bool is_held, is_live; /* live: the figures below are there */
    char holder[256];
    double live[N_LIVE]; /* NaN: not known */
    char host[128], job[64];
    int64_t updated_unix_s;
    struct reduction
        remarks; /* what the journals lost or hold twice, and no results; zeroes where they were not read */
};

static double number_of(const cJSON *o, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, name);

    return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

static void text_of(const cJSON *o, const char *name, char *ret_text, size_t room)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, name);

    snprintf(ret_text, room, "%s", cJSON_IsString(item) ? item->valuestring : "");
}

static bool is_count(double v)
{
    return v >= 0 && v < 4294967296.0;
}

/* False: it says nothing, or nothing of late. */
static bool read_progress(const char *run, struct view *v)
{
    struct error e = {0};
    char *path = file_join(run, "progress.json"), *data = NULL;
    size_t len;
    cJSON *o = NULL;
    const cJSON *outcomes;
    double age;

    if (path && file_read(path, PROGRESS_MAX_BYTES, &data, &len, &e) == STATUS_OK)
        o = cJSON_ParseWithLength(data, len);
    free(path);
    free(data);
    age = (double)time(NULL) - number_of(o, "updated_unix_s");
    outcomes = cJSON_GetObjectItemCaseSensitive(o, "outcomes");
    v->is_live = age > -FRESH_S && age < FRESH_S && is_count(number_of(o, "videos")) &&
                 is_count(number_of(o, "done")) && cJSON_IsObject(outcomes);
    if (v->is_live) {
        v->n = (size_t)number_of(o, "videos");
        v->n_done = (size_t)number_of(o, "done");
        v->updated_unix_s = (int64_t)number_of(o, "updated_unix_s");
        for (unsigned k = 1; k < OUTCOME_COUNT; k++) {
            double count = number_of(outcomes, outcome_name((enum outcome)k));

            v->outcomes[k] = is_count(count) ? (uint64_t)count : 0;
        }
        for (size_t k = 0; k < N_LIVE; k++)
            v->live[k] = number_of(o, live_names[k]);
        text_of(o, "host", v->host, sizeof(v->host));
        text_of(o, "job", v->job, sizeof(v->job));
    }
    cJSON_Delete(o);
    return v->is_live;
}

static enum status count_journals(struct run_folder *f, struct view *v, struct error *e)
{
    struct manifest *m = NULL;
    struct reduction r = {0};
    enum status s = manifest_read(run_folder_manifest_path(f), &m, e);

    if (s == STATUS_OK)
        s = reduce(run_folder_journal_path(f), run_folder_fingerprint(f), m, &r, e);
    if (s == STATUS_OK) {
        v->n = r.count;
        v->n_done = r.n_decided;
        memcpy(v->outcomes, r.outcomes, sizeof(v->outcomes));
        v->remarks = (struct reduction){.journal = r.journal, .n_duplicates = r.n_duplicates, .n_foreign = r.n_foreign};
    }
    reduction_clear(&r);
    manifest_close(&m);
    return s;
}

static void print_text(const struct view *v)
{
    printf("%s: %zu of %zu video%s decided by %s\n", v->run, v->n_done, v->n, v->n == 1 ? "" : "s", v->detector);
    for (unsigned k = 1; k < OUTCOME_COUNT; k++) {
        if (v->outcomes[k] > 0)
            printf("  %-16s %llu\n", outcome_name((enum outcome)k), (unsigned long long)v->outcomes[k]);
    }
    if (v->is_live) {
        double eta = v->live[2];

        printf("%.2f videos/s, %.0f frames/s, ETA ", v->live[0], v->live[1]);
        if (eta >= 0)
            printf("%d:%02d:%02d", (int)(eta / 3600), (int)(eta / 60) % 60, (int)eta % 60);
        else
            printf("?");
        printf("; %.0f rank%s, %.0f lane%s, %.0f video%s in flight, %.0f failed attempt%s\n", v->live[3],
               v->live[3] == 1 ? "" : "s", v->live[5], v->live[5] == 1 ? "" : "s", v->live[6],
               v->live[6] == 1 ? "" : "s", v->live[7], v->live[7] == 1 ? "" : "s");
    }
    main_print_journal_remarks(&v->remarks, stdout);
    if (v->is_held)
        printf("a job works on it: %s\n", v->holder);
    else
        printf("no job works on it%s\n", v->n_done < v->n ? "; the same `fakesift run` command goes on" : "");
}

static void append_string(struct text *t, const char *key, const char *value)
{
    text_append_format(t, ",\"%s\":\"", key);
    text_append_json(t, value);
    text_append(t, "\"", 1);
}

static void append_number(struct text *t, double value)
{
    if (isfinite(value))
        text_append_double(t, value);
    else
        text_append_string(t, "null");
}

static void append_as_json(struct text *t, const struct view *v)
{
    text_append_string(t, "{\"fakesift_status\":1");
    append_string(t, "run", v->run);
    append_string(t, "detector", v->detector);
    text_append_format(t, ",\"videos\":%zu,\"done\":%zu,\"outcomes\":{", v->n, v->n_done);
    for (unsigned k = 1; k < OUTCOME_COUNT; k++)
        text_append_format(t, "%s\"%s\":%llu", k > 1 ? "," : "", outcome_name((enum outcome)k),
                           (unsigned long long)v->outcomes[k]);
    text_append_format(t, "},\"is_complete\":%s,\"is_working\":%s", v->n_done == v->n ? "true" : "false",
                       v->is_held ? "true" : "false");
    append_string(t, "holder", v->is_held ? v->holder : "");
    text_append_string(t, ",\"live\":");
    if (v->is_live) {
        text_append_format(t, "{\"updated_unix_s\":%lld", (long long)v->updated_unix_s);
        append_string(t, "host", v->host);
        append_string(t, "job", v->job);
        for (size_t k = 0; k < N_LIVE; k++) {
            text_append_format(t, ",\"%s\":", live_names[k]);
            append_number(t, v->live[k]);
        }
        text_append_string(t, "}");
    } else {
        text_append_string(t, "null");
    }
    text_append_string(t, "}\n");
}

/* A label's value: backslash, quote and line feed are escaped; what is no UTF-8 has been replaced. */
static void append_label(struct text *t, const char *value)
{
    struct text clean = {0};

    text_append_html(&clean, ""); /* gives it room */
    for (const char *p = value; *p != '\0'; p++) {
        if ((unsigned char)*p >= 0x80 || (unsigned char)*p < 0x20)
            text_append_string(&clean, "?");
        else if (*p == '\\' || *p == '"')
            text_append_format(&clean, "\\%c", *p);
        else
            text_append(&clean, p, 1);
    }
    t->failed = t->failed || clean.failed;
    text_append_string(t, clean.data ? clean.data : "");
    text_clear(&clean);
}

static void append_head(struct text *t, const char *name, const char *help)
{
    text_append_format(t, "# HELP fakesift_%s %s\n# TYPE fakesift_%s gauge\n", name, help, name);
}

static void append_sample(struct text *t, const struct view *v, const char *name, const char *more, double value)
{
    text_append_format(t, "fakesift_%s{run=\"", name);
    append_label(t, v->run);
    text_append_format(t, "\"%s} ", more);
    text_append_double(t, value);
    text_append(t, "\n", 1);
}

static void append_as_prometheus(struct text *t, const struct view *v)
{
    append_head(t, "videos", "Videos of the manifest");
    append_sample(t, v, "videos", "", (double)v->n);
    append_head(t, "videos_done", "Videos that are decided");
    append_sample(t, v, "videos_done", "", (double)v->n_done);
    append_head(t, "videos_by_outcome", "Videos that are decided, by outcome");
    for (unsigned k = 1; k < OUTCOME_COUNT; k++) {
        char more[48];

        snprintf(more, sizeof(more), ",outcome=\"%s\"", outcome_name((enum outcome)k));
        append_sample(t, v, "videos_by_outcome", more, (double)v->outcomes[k]);
    }
    append_head(t, "working", "1 while a job works on the run");
    append_sample(t, v, "working", "", v->is_held);
    for (size_t k = 0; v->is_live && k < N_LIVE; k++) {
        if (!isfinite(v->live[k]))
            continue;
        append_head(t, live_names[k], live_help[k]);
        append_sample(t, v, live_names[k], "", v->live[k]);
    }
}

static int print_machine(const struct view *v, enum form form)
{
    struct text t = {0};
    int code = EXIT_DONE;

    if (form == FORM_JSON)
        append_as_json(&t, v);
    else
        append_as_prometheus(&t, v);
    if (t.failed || fwrite(t.data, 1, t.len_bytes, stdout) != t.len_bytes || fflush(stdout) != 0)
        code = EXIT_FAILED;
    text_clear(&t);
    return code;
}

int main_status(int argc, char **argv)
{
    static const struct argp argp = {
        option_list, parse_option,
        "RUN",       "Say how far a run is, during the run and after it, from any machine that sees its folder.",
        NULL,        NULL,
        NULL};
    struct options o = {0};
    struct view v = {0};
    struct run_folder *f = NULL;
    struct error e = {0};
    int code = EXIT_DONE;
    enum status s;

    main_parse(&argp, argc, argv, &o);
    s = run_folder_open_readonly(o.run, &f, &e);
    if (s != STATUS_OK)
        return main_fail("status", &e);
    v.run = o.run;
    v.detector = run_folder_identity(f, "detector");
    v.is_held = run_folder_is_held(f, v.holder, sizeof(v.holder));
    /* Ten million records take a while to count; a job at work has done so. */
    if (!v.is_held || !read_progress(o.run, &v) || o.journals)
        s = count_journals(f, &v, &e);
    if (s != STATUS_OK)
        code = main_fail("status", &e);
    else if (o.form == FORM_TEXT)
        print_text(&v);
    else
        code = print_machine(&v, o.form);
    run_folder_close(&f);
    return code;
}
