#include "coordinator/audit/audit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/audit/audit_parts.h"
#include "coordinator/evaluate/metrics.h"
#include "coordinator/report/model.h"

static const struct {
    const char *name;
    enum audit_severity severity;
    const char *meaning;
} kinds[AUDIT_KIND_COUNT] = {
    [AUDIT_LEAK] = {"leak", AUDIT_CRITICAL, "the same video, original, identity or group in two splits"},
    [AUDIT_LABEL_CONFLICT] = {"label-conflict", AUDIT_CRITICAL, "one file under both labels"},
    [AUDIT_ORIENTATION] = {"orientation", AUDIT_CRITICAL, "scores run against the labels"},
    [AUDIT_SHORTCUT] = {"shortcut", AUDIT_WARNING, "containers alone tell fakes from reals"},
    [AUDIT_DUPLICATE] = {"duplicate", AUDIT_WARNING, "the same file twice"},
    [AUDIT_NEAR_DUPLICATE] = {"near-duplicate", AUDIT_WARNING, "the same pictures twice: re-encoded, scaled or cut"},
    [AUDIT_UNSTATED_ORIGINAL] = {"unstated-original", AUDIT_WARNING,
                                 "a fake looks like a real video that it does not state as its original"},
    [AUDIT_ORPHAN] = {"orphan", AUDIT_WARNING, "a fake whose original is not in the corpus"},
    [AUDIT_MISSING] = {"missing", AUDIT_WARNING, "a listed file that is not there"},
    [AUDIT_CORRUPT] = {"corrupt", AUDIT_WARNING, "a file that does not decode cleanly"},
    [AUDIT_TRUNCATED] = {"truncated", AUDIT_WARNING, "frames that the container promises cannot be had"},
    [AUDIT_UNSUPPORTED] = {"unsupported", AUDIT_WARNING, "a codec, container or size that this build does not read"},
    [AUDIT_FAILED] = {"failed", AUDIT_WARNING, "past the deadline, or the process died, on every attempt"},
    [AUDIT_BLACK] = {"black", AUDIT_WARNING, "half of the frames or more are black"},
    [AUDIT_FROZEN] = {"frozen", AUDIT_WARNING, "the picture stands still for half of the time or more"},
    [AUDIT_EXTRA] = {"extra", AUDIT_NOTE, "a video file that the manifest does not list"},
    [AUDIT_NO_FACE] = {"no-face", AUDIT_NOTE, "no face found in any sampled frame"},
    [AUDIT_SEVERAL_FACES] = {"several-faces", AUDIT_NOTE, "more than one face at a time"},
    [AUDIT_DARK] = {"dark", AUDIT_NOTE, "not even the brightest sampled frame is bright"},
    [AUDIT_BLURRY] = {"blurry", AUDIT_NOTE, "not even the sharpest sampled frame is sharp"},
    [AUDIT_ODD_SIZE] = {"odd-size", AUDIT_NOTE, "very small, very long, or an odd number of lines"},
    [AUDIT_VARIABLE_RATE] = {"variable-rate", AUDIT_NOTE, "frames do not come evenly"},
    [AUDIT_ROTATION] = {"rotation", AUDIT_NOTE, "the picture stands on its side or head, by its faces, or may do so"},
    [AUDIT_INCOMPLETE] = {"incomplete", AUDIT_NOTE, "something was not looked at"},
};

const char *audit_kind_name(enum audit_kind kind)
{
    return kinds[kind].name;
}

const char *audit_kind_meaning(enum audit_kind kind)
{
    return kinds[kind].meaning;
}

enum audit_severity audit_kind_severity(enum audit_kind kind)
{
    return kinds[kind].severity;
}

const char *audit_severity_name(enum audit_severity s)
{
    return s == AUDIT_CRITICAL ? "critical" : s == AUDIT_WARNING ? "warning" : "note";
}

enum audit_kind audit_kind_from_name(const char *name, size_t len)
{
    for (int k = 0; k < AUDIT_KIND_COUNT; k++) {
        if (strlen(kinds[k].name) == len && memcmp(kinds[k].name, name, len) == 0)
            return (enum audit_kind)k;
    }
    return AUDIT_KIND_COUNT;
}

/* A decoder's words and a file's name may hold anything; a finding is one line. */
static void make_one_line(char *s)
{
    for (; *s != '\0'; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            *s = ' ';
    }
}

enum status audit_add(struct auditor *x, enum audit_kind kind, uint32_t a, uint32_t b, struct text *evidence,
                      struct text *command, struct error *e)
{
    struct audit *audit = x->audit;
    struct audit_finding f = {.kind = kind, .a = a, .b = b};

    f.evidence = text_take(evidence);
    f.command = text_take(command);
    if (audit->n_findings == audit->room_findings) {
        size_t room = audit->room_findings ? 2 * audit->room_findings : 64;
        struct audit_finding *bigger = reallocarray(audit->findings, room, sizeof(*bigger));

        if (bigger) {
            audit->findings = bigger;
            audit->room_findings = room;
        }
    }
    if (!f.evidence || !f.command || audit->n_findings == audit->room_findings) {
        free(f.evidence);
        free(f.command);
        return error_no_memory(e);
    }
    make_one_line(f.evidence);
    audit->findings[audit->n_findings++] = f;
    audit->counts[kind]++;
    return STATUS_OK;
}

void audit_append_quoted(struct text *t, const char *string)
{
    text_append(t, "'", 1);
    for (const char *p = string; *p != '\0'; p++) {
        if (*p == '\'')
            text_append_string(t, "'\\''");
        else
            text_append(t, p, 1);
    }
    text_append(t, "'", 1);
}

void audit_append_file(struct text *t, const struct auditor *x, uint32_t entry)
{
    struct text path = {0};

    text_append_format(&path, "%s/", manifest_root(x->m));
    text_append_string(&path, manifest_entry(x->m, entry)->path);
    t->failed = t->failed || path.failed;
    audit_append_quoted(t, path.data ? path.data : "");
    text_clear(&path);
}

void audit_append_query(struct text *t, const struct auditor *x, const char *column, const char *value)
{
    struct text path = {0}, query = {0};

    text_append_format(&path, "%s/results.sqlite", x->in->run_folder);
    text_append_format(&query, "SELECT split, label, path FROM video WHERE %s = '", column);
    for (const char *p = value; *p != '\0'; p++)
        text_append(&query, *p == '\'' ? "''" : p, *p == '\'' ? 2 : 1);
    text_append_string(&query, "'");
    t->failed = t->failed || path.failed || query.failed;
    text_append_string(t, "sqlite3 ");
    audit_append_quoted(t, path.data ? path.data : "");
    text_append(t, " ", 1);
    audit_append_quoted(t, query.data ? query.data : "");
    text_clear(&path);
    text_clear(&query);
}

const struct video_facts *audit_facts(const struct auditor *x, uint32_t entry)
{
    return model_facts(manifest_entry(x->m, entry), results_get(x->reader, entry));
}

bool audit_is_related(const struct auditor *x, uint32_t a, uint32_t b)
{
    const char *group = manifest_entry(x->m, a)->group;

    /* Equal texts of a manifest are one. */
    return (x->has_originals && x->original[a] == x->original[b]) ||
           (group[0] != '\0' && group == manifest_entry(x->m, b)->group);
}

/* As the report has it (report/findings.c), over the same videos. */
static enum status check_orientation(struct auditor *x, struct error *e)
{
    const struct audit_shortcut *d = &x->audit->detector;
    struct text evidence = {0}, command = {0};

    if (!d->is_defined || !(d->high < 0.5))
        return STATUS_OK;
    text_append_format(&evidence,
                       "AUC %.3f (%.3f to %.3f) over %zu videos is below 0.5: labels or score direction look swapped; "
                       "1 means fake",
                       d->auc, d->low, d->high, d->n);
    text_append_string(&command, "sqlite3 ");
    text_append_format(&command, "'%s/results.sqlite' 'SELECT label, count(*), avg(p_fake) FROM video GROUP BY label'",
                       strchr(x->in->run_folder, '\'') ? "RUN" : x->in->run_folder);
    return audit_add(x, AUDIT_ORIENTATION, AUDIT_NO_ENTRY, AUDIT_NO_ENTRY, &evidence, &command, e);
}

static enum status check_completeness(struct auditor *x, struct error *e)
{
    struct audit *a = x->audit;
    struct text evidence = {0}, command = {0};
    size_t n_undecided = 0, n_without = 0;
    enum status s = STATUS_OK;

    for (size_t i = 0; i < x->n; i++) {
        enum outcome o = results_outcome(x->in->results, i);

        n_undecided += o == OUTCOME_UNDECIDED;
        n_without += outcome_has_score(o) && x->prints.entries[i].n_prints == 0;
        a->n_with_prints += x->prints.entries[i].n_prints > 0;
    }
    a->n_decided = x->n - n_undecided;
    if (n_undecided > 0) {
        text_append_format(&evidence, "%zu of %zu videos are not yet decided", n_undecided, x->n);
        s = audit_add(x, AUDIT_INCOMPLETE, AUDIT_NO_ENTRY, AUDIT_NO_ENTRY, &evidence, &command, e);
    }
    if (s == STATUS_OK && n_without > 0) {
        text_append_format(&evidence,
                           "%zu scored videos have no prints of their frames (landmarks, or a journal of an older "
                           "version): near duplicates and pictures are not looked for among them",
                           n_without);
        s = audit_add(x, AUDIT_INCOMPLETE, AUDIT_NO_ENTRY, AUDIT_NO_ENTRY, &evidence, &command, e);
    }
    if (s == STATUS_OK && a->n_unverified > 0) {
        text_append_format(
            &evidence,
            "%zu files that may be duplicates were not read: where their facts and pictures are the same "
            "they are called duplicates all the same",
            a->n_unverified);
        s = audit_add(x, AUDIT_INCOMPLETE, AUDIT_NO_ENTRY, AUDIT_NO_ENTRY, &evidence, &command, e);
    }
    return s;
}

static enum status open(struct auditor *x, struct error *e)
{
    if (results_reader_open(x->in->results, &x->reader) != STATUS_OK)
        return error_no_memory(e);
    x->same = calloc(x->n + 1, sizeof(*x->same));
    x->original = calloc(x->n + 1, sizeof(*x->original));
    if (!x->same || !x->original)
        return error_no_memory(e);
    return clusters_by_original(x->m, x->original, &x->has_originals, e);
}

/* By kind; findings of one kind keep their order. */
static enum status sort(struct audit *a, struct error *e)
{
    struct audit_finding *sorted = malloc((a->n_findings + 1) * sizeof(*sorted));
    size_t at[AUDIT_KIND_COUNT] = {0};

    if (!sorted)
        return error_no_memory(e);
    for (int k = 1; k < AUDIT_KIND_COUNT; k++)
        at[k] = at[k - 1] + a->counts[k - 1];
    for (size_t i = 0; i < a->n_findings; i++)
        sorted[at[a->findings[i].kind]++] = a->findings[i];
    free(a->findings);
    a->findings = sorted;
    a->room_findings = a->n_findings + 1;
    return STATUS_OK;
}

enum status audit_make(const struct audit_input *in, const struct audit_settings *settings, struct audit *ret_a,
                       struct error *e)
{
    static enum status (*const steps[])(struct auditor *, struct error *) = {
        audit_duplicates,  audit_near,      audit_splits,      audit_orphans,     audit_videos,
        audit_extra_files, audit_shortcuts, check_orientation, check_completeness};
    struct audit a = {.in = in, .beats_facts_by = NAN};
    struct auditor x = {
        .audit = &a, .in = in, .settings = settings, .m = in->manifest, .n = manifest_count(in->manifest)};
    enum status s = STATUS_OK;

    if (results_count(in->results) != x.n)
        return error_set(e, STATUS_MISMATCH, "audit: %zu results, the manifest has %zu videos",
                         results_count(in->results), x.n);
    s = manifest_hash(in->manifest, a.manifest_sha256, e);
    if (s == STATUS_OK)
        s = open(&x, e);
    if (s == STATUS_OK)
        s = prints_read(in, &x.prints, e);
    for (size_t k = 0; s == STATUS_OK && k < sizeof(steps) / sizeof(steps[0]); k++)
        s = steps[k](&x, e);
    if (s == STATUS_OK)
        s = sort(&a, e);
    results_reader_close(&x.reader);
    prints_clear(&x.prints);
    free(x.same);
    free(x.original);
    if (s != STATUS_OK) {
        audit_clear(&a);
        return s;
    }
    *ret_a = a;
    return STATUS_OK;
}

void audit_clear(struct audit *a)
{
    for (size_t i = 0; i < a->n_findings; i++) {
        free(a->findings[i].path);
        free(a->findings[i].evidence);
        free(a->findings[i].command);
    }
    free(a->findings);
    *a = (struct audit){0};
}
