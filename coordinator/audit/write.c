/* Findings as text, CSV and JSON. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/audit/audit_parts.h"
#include "shard/file.h"
#include "shard/plural.h"

static const char *path_of(const struct audit *a, const struct audit_finding *f)
{
    if (f->path)
        return f->path;
    return f->a == AUDIT_NO_ENTRY ? "" : manifest_entry(a->in->manifest, f->a)->path;
}

static const char *other_of(const struct audit *a, const struct audit_finding *f)
{
    return f->b == AUDIT_NO_ENTRY ? "" : manifest_entry(a->in->manifest, f->b)->path;
}

static void append_plain(struct text *t, const char *string)
{
    for (const char *p = string; *p != '\0'; p++)
        text_append(t, (unsigned char)*p < 0x20 || *p == 0x7f ? "?" : p, 1);
}

static void append_shortcut_line(struct text *t, const struct audit_shortcut *s)
{
    text_append_format(t, "  %-20s ", s->name);
    if (s->is_defined)
        text_append_format(t, "%.3f  %.3f to %.3f  %s\n", s->auc, s->low, s->high, s->meaning);
    else
        text_append_string(t, "undefined\n");
}

static void append_shortcuts_text(struct text *t, const struct audit *a)
{
    if (a->n_shortcuts == 0) {
        text_append_string(t, "\nShortcuts: not measured; they need ten scored videos of each label.\n");
        return;
    }
    text_append_format(t, "\nWhat containers alone reach (AUC, 95 %%, %zu scored videos with a label):\n",
                       a->detector.n);
    append_shortcut_line(t, &a->detector);
    append_shortcut_line(t, &a->all_facts);
    for (size_t k = 0; k < a->n_shortcuts; k++)
        append_shortcut_line(t, &a->shortcuts[k]);
    if (!isnan(a->beats_facts_by))
        text_append_format(t, "The detector %s metadata by %.3f.\n", a->beats_facts_by > 0 ? "beats" : "loses to",
                           fabs(a->beats_facts_by));
}

enum status audit_print(const struct audit *a, size_t limit, FILE *out, struct error *e)
{
    struct text t = {0};
    int severity = -1;
    enum status s = STATUS_OK;

    text_append_format(&t, "%zu video%s, %zu decided, %zu with prints of their frames (%zu picture%s fit to compare)\n",
                       manifest_count(a->in->manifest), plural_s(manifest_count(a->in->manifest)), a->n_decided,
                       a->n_with_prints, a->n_pictures, plural_s(a->n_pictures));
    if (a->n_findings == 0)
        text_append_string(&t, "Nothing was found.\n");
    for (size_t i = 0, told = 0; i < a->n_findings; i++) {
        const struct audit_finding *f = &a->findings[i];
        enum audit_severity is = audit_kind_severity(f->kind);

        if (i == 0 || f->kind != f[-1].kind) {
            told = 0;
            if ((int)is != severity)
                text_append_format(&t, "\n%s\n", audit_severity_name(is));
            severity = (int)is;
            text_append_format(&t, "  %s: %zu (%s)\n", audit_kind_name(f->kind), a->counts[f->kind],
                               audit_kind_meaning(f->kind));
        }
        if (told++ >= limit)
            continue;
        text_append_string(&t, "    ");
        append_plain(&t, path_of(a, f));
        if (f->b != AUDIT_NO_ENTRY) {
            text_append_string(&t, " | ");
            append_plain(&t, other_of(a, f));
        }
        text_append_format(&t, "%s", path_of(a, f)[0] != '\0' ? ": " : "");
        append_plain(&t, f->evidence);
        text_append_string(&t, "\n");
        if (f->command[0] != '\0') {
            text_append_string(&t, "      $ ");
            append_plain(&t, f->command);
            text_append_string(&t, "\n");
        }
        if (told == limit && a->counts[f->kind] > limit)
            text_append_format(&t, "    and %zu more\n", a->counts[f->kind] - limit);
    }
    append_shortcuts_text(&t, a);
    if (t.failed)
        s = error_no_memory(e);
    else if (fwrite(t.data, 1, t.len_bytes, out) != t.len_bytes || fflush(out) != 0)
        s = error_set(e, STATUS_IO, "the findings cannot be written");
    text_clear(&t);
    return s;
}

/* A cell that a spreadsheet would run as a formula gets an apostrophe, as in scores.csv. */
static void append_cell(struct text *t, const char *string)
{
    struct text safe = {0};

    if (string[0] == '\0' || !strchr("=+-@\t\r'", string[0])) {
        text_append_csv(t, string);
        return;
    }
    text_append_string(&safe, "'");
    text_append_string(&safe, string);
    t->failed = t->failed || safe.failed;
    text_append_csv(t, safe.data ? safe.data : "");
    text_clear(&safe);
}

enum status audit_write_csv(const struct audit *a, const char *path, struct error *e)
{
    struct text t = {0};
    enum status s;

    text_append_string(&t, "severity,finding,path,other,label,other_label,split,other_split,evidence,command\n");
    for (size_t i = 0; i < a->n_findings; i++) {
        const struct audit_finding *f = &a->findings[i];
        const struct manifest_entry *x = f->a == AUDIT_NO_ENTRY ? NULL : manifest_entry(a->in->manifest, f->a);
        const struct manifest_entry *y = f->b == AUDIT_NO_ENTRY ? NULL : manifest_entry(a->in->manifest, f->b);
        const char *cells[] = {audit_severity_name(audit_kind_severity(f->kind)),
                               audit_kind_name(f->kind),
                               path_of(a, f),
                               other_of(a, f),
                               x ? label_name(x->label) : "",
                               y ? label_name(y->label) : "",
                               x ? x->split : "",
                               y ? y->split : "",
                               f->evidence,
                               f->command};

        for (size_t k = 0; k < sizeof(cells) / sizeof(cells[0]); k++) {
            text_append_string(&t, k > 0 ? "," : "");
            append_cell(&t, cells[k]);
        }
        text_append(&t, "\n", 1);
    }
    s = t.failed ? error_no_memory(e) : file_write(path, t.data, t.len_bytes, e);
    text_clear(&t);
    return s;
}

static void append_pair(struct text *t, const char *key, const char *value)
{
    text_append_format(t, "\"%s\":\"", key);
    text_append_json(t, value);
    text_append(t, "\"", 1);
}

static void append_finding(struct text *t, const struct audit *a, const struct audit_finding *f)
{
    text_append(t, "{", 1);
    append_pair(t, "severity", audit_severity_name(audit_kind_severity(f->kind)));
    text_append(t, ",", 1);
    append_pair(t, "finding", audit_kind_name(f->kind));
    if (path_of(a, f)[0] != '\0') {
        text_append(t, ",", 1);
        append_pair(t, "path", path_of(a, f));
    }
    if (f->b != AUDIT_NO_ENTRY) {
        text_append(t, ",", 1);
        append_pair(t, "other", other_of(a, f));
    }
    text_append(t, ",", 1);
    append_pair(t, "evidence", f->evidence);
    text_append(t, ",", 1);
    append_pair(t, "command", f->command);
    text_append(t, "}", 1);
}

static void append_number(struct text *t, double value)
{
    if (isfinite(value))
        text_append_double(t, value);
    else
        text_append_string(t, "null");
}

static void append_shortcut(struct text *t, const struct audit_shortcut *s)
{
    text_append(t, "{", 1);
    append_pair(t, "fact", s->name);
    text_append_format(t, ",\"n\":%zu,\"auc\":", s->n);
    append_number(t, s->is_defined ? s->auc : NAN);
    text_append_string(t, ",\"low\":");
    append_number(t, s->is_defined ? s->low : NAN);
    text_append_string(t, ",\"high\":");
    append_number(t, s->is_defined ? s->high : NAN);
    text_append(t, ",", 1);
    append_pair(t, "meaning", s->meaning);
    text_append(t, "}", 1);
}

/* What every JSON of an audit begins with. */
static void append_head(struct text *t, const struct audit *a)
{
    bool any = false;

    text_append_string(t, "{\"fakesift_audit\":1,\n");
    append_pair(t, "manifest_sha256", a->manifest_sha256);
    text_append_format(t,
                       ",\n\"videos\":%zu,\"decided\":%zu,\"with_prints\":%zu,\"pictures\":%zu,\"files_read\":%zu,\n"
                       "\"counts\":{",
                       manifest_count(a->in->manifest), a->n_decided, a->n_with_prints, a->n_pictures, a->n_verified);
    for (int k = 0; k < AUDIT_KIND_COUNT; k++)
        text_append_format(t, "%s\"%s\":%zu", k > 0 ? "," : "", audit_kind_name((enum audit_kind)k), a->counts[k]);
    text_append_string(t, "},\n\"shortcuts\":{\"detector\":");
    append_shortcut(t, &a->detector);
    text_append_string(t, ",\n\"all\":");
    append_shortcut(t, &a->all_facts);
    text_append_string(t, ",\n\"detector_beats_all_by\":");
    append_number(t, a->beats_facts_by);
    text_append_string(t, ",\n\"facts\":[");
    for (size_t k = 0; k < a->n_shortcuts; k++) {
        text_append_string(t, any ? ",\n" : "\n");
        append_shortcut(t, &a->shortcuts[k]);
        any = true;
    }
    text_append_string(t, "]}");
}

enum status audit_write_json(const struct audit *a, const char *path, struct error *e)
{
    struct text t = {0};
    enum status s;

    append_head(&t, a);
    text_append_string(&t, ",\n\"findings\":[");
    for (size_t i = 0; i < a->n_findings; i++) {
        text_append_string(&t, i > 0 ? ",\n" : "\n");
        append_finding(&t, a, &a->findings[i]);
    }
    text_append_string(&t, "]}\n");
    s = t.failed ? error_no_memory(e) : file_write(path, t.data, t.len_bytes, e);
    text_clear(&t);
    return s;
}

enum status audit_write_summary(const struct audit *a, struct error *e)
{
    struct text t = {0};
    char *path = file_join(a->in->run_folder, "audit.json");
    bool any = false;
    enum status s;

    append_head(&t, a);
    /* The first of each kind stands for it. */
    text_append_string(&t, ",\n\"first\":[");
    for (size_t i = 0; i < a->n_findings; i++) {
        if (i > 0 && a->findings[i].kind == a->findings[i - 1].kind)
            continue;
        text_append_string(&t, any ? ",\n" : "\n");
        append_finding(&t, a, &a->findings[i]);
        any = true;
    }
    text_append_string(&t, "]}\n");
    s = t.failed || !path ? error_no_memory(e) : file_write(path, t.data, t.len_bytes, e);
    text_clear(&t);
    free(path);
    return s;
}
