/* Findings: what a reader must know before believing the figures. */
#include "coordinator/report/model.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/file.h"

enum { AUDIT_MAX_BYTES = 1 << 20 };

static void add(struct report_model *m, const char *id, bool is_warning, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

static void add(struct report_model *m, const char *id, bool is_warning, const char *format, ...)
{
    struct finding *f;
    va_list args;

    if (m->n_findings == MODEL_MAX_FINDINGS)
        return;
    f = &m->findings[m->n_findings++];
    snprintf(f->id, sizeof(f->id), "%s", id);
    f->is_warning = is_warning;
    va_start(args, format);
    vsnprintf(f->text, sizeof(f->text), format, args);
    va_end(args);
}

/* 1 / (n_real + n_fake choose n_real): how often labels dealt at random would be ordered perfectly the wrong
 * way. */
static double chance_of_perfect_order(const struct metrics *m)
{
    double n = (double)m->n + 1;

    return exp(lgamma((double)m->n_real + 1) + lgamma((double)m->n_fake + 1) - lgamma(n));
}

static void check_orientation(struct report_model *m)
{
    const struct metrics *v = &m->video;
    bool excludes_half;

    if (v->auc.undefined || v->auc_delong.undefined || !(v->auc.value < 0.5))
        return;
    /* A collapsed interval says nothing; then it is a matter of how likely the order is by chance. */
    excludes_half = v->auc_delong.is_collapsed ? chance_of_perfect_order(v) < 0.025 : v->auc_delong.high < 0.5;
    if (excludes_half)
        add(m, "orientation", true,
            "AUC %.3f is below 0.5 and its 95 %% interval excludes 0.5: labels or score direction look "
            "swapped. Check "
            "that 1 means fake in the labels (Celeb-DF's list has it the other way) and which output of the "
            "detector is "
            "fake.",
            v->auc.value);
}

static void check_coverage(struct report_model *m)
{
    const struct tally *t = &m->tally;
    double real, fake;

    if (t->n_decided < t->n)
        add(m, "incomplete", true, "The run is not complete: %zu of %zu videos are not yet decided.",
            t->n - t->n_decided, t->n);
    if (t->n > 0 && t->n_scored == 0)
        add(m, "nothing_scored", true, "Not one of %zu videos has a score.", t->n);
    if (t->n_real == 0 || t->n_fake == 0 || t->n_scored == 0)
        return;
    real = (double)t->n_real_scored / (double)t->n_real;
    fake = (double)t->n_fake_scored / (double)t->n_fake;
    if (fabs(real - fake) >= 0.05 && t->n_real + t->n_fake - t->n_real_scored - t->n_fake_scored >= 5)
        add(m, "uneven_coverage", true,
            "%.1f %% of reals but %.1f %% of fakes have a score: figures over scored videos alone are "
            "biased. See the "
            "policies for unscored videos.",
            100 * real, 100 * fake);
}

static void check_labels(struct report_model *m)
{
    const struct tally *t = &m->tally;

    if (t->n == 0)
        return;
    if (t->n_real + t->n_fake == 0)
        add(m, "no_labels", false, "The manifest has no labels: scores are given, their quality cannot be measured.");
    else if (t->n_real == 0 || t->n_fake == 0)
        add(m, "one_class", true, "Every label is %s: AUC and other figures that need both classes are undefined.",
            t->n_real ? "REAL" : "FAKE");
    else if (t->n_unknown > 0)
        add(m, "some_unlabelled", false, "%zu of %zu videos have no label and are in no metric.", t->n_unknown, t->n);
}

static void check_scores(struct report_model *m)
{
    const double constant_half = 0.69314718055994531;
    const struct ranking *r = &m->ranking;
    const struct metrics *v = &m->video;
    size_t fewer = v->n_real < v->n_fake ? v->n_real : v->n_fake;

    if (r->n > 1 && r->p_fake[0] == r->p_fake[r->n - 1])
        add(m, "constant_scores", true, "Every labelled video has the same score, %g.", r->p_fake[0]);
    else if (!v->log_loss.undefined && v->log_loss.value > constant_half)
        add(m, "worse_than_constant", false,
            "Log loss %.4f is worse than 0.6931, which a constant 0.5 reaches: do not read the scores as "
            "probabilities.",
            v->log_loss.value);
    if (!v->auc.undefined && fewer < 30)
        add(m, "few_items", false, "Only %zu scored %s: the intervals lean on many items and are too narrow here.",
            fewer, v->n_real < v->n_fake ? "reals" : "fakes");
    if (v->auc_delong.is_collapsed && !v->auc_delong.undefined)
        add(m, "collapsed_interval", false,
            "The AUC is %g on these videos without exception: its interval has no width, which is not "
            "certainty.",
            v->auc.value);
    if (m->tally.by_outcome[OUTCOME_PARTIAL_DECODE] > 0)
        add(m, "partial_decode", false,
            "%zu video%s scored from part of the frames; the message of each says what was lost.",
            m->tally.by_outcome[OUTCOME_PARTIAL_DECODE],
            m->tally.by_outcome[OUTCOME_PARTIAL_DECODE] == 1 ? " was" : "s were");
}

void findings_make(struct report_model *m)
{
    check_orientation(m);
    check_coverage(m);
    check_labels(m);
    check_scores(m);
}

static const char *string_of(const cJSON *o, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsString(item) ? item->valuestring : "";
}

static double number_of(const cJSON *o, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, key);

    return cJSON_IsNumber(item) ? item->valuedouble : -1;
}

/* The first finding of a kind, and how many there are. */
static void take_kind(struct report_model *m, const cJSON *counts, const cJSON *first)
{
    const char *kind = string_of(first, "finding"), *path = string_of(first, "path"),
               *other = string_of(first, "other");
    double n = number_of(counts, kind);
    char id[sizeof(m->findings[0].id)];

    if (kind[0] == '\0' || !(n >= 1) || n > 1e15)
        return;
    snprintf(id, sizeof(id), "audit_%s", kind);
    add(m, id, strcmp(string_of(first, "severity"), "note") != 0, "Audit: %.0f %s%s%s%s%s%s: %s", n, kind,
        path[0] != '\0' ? "; " : "", path, other[0] != '\0' ? " | " : "", other, n > 1 ? ", the first" : "",
        string_of(first, "evidence"));
}

static void take_audit(struct report_model *m, const cJSON *audit)
{
    const cJSON *first = cJSON_GetObjectItemCaseSensitive(audit, "first"), *item;
    const cJSON *counts = cJSON_GetObjectItemCaseSensitive(audit, "counts");

    if (number_of(audit, "fakesift_audit") != 1 || !cJSON_IsArray(first) || !cJSON_IsObject(counts)) {
        add(m, "audit_unreadable", false, "audit.json is not what `fakesift audit` writes: run it again.");
        return;
    }
    if (strcmp(string_of(audit, "manifest_sha256"), m->manifest_sha256) != 0 ||
        number_of(audit, "decided") != (double)m->tally.n_decided) {
        add(m, "audit_stale", false,
            "audit.json is of another state of the run: `fakesift audit` brings it up to date.");
        return;
    }
    cJSON_ArrayForEach(item, first)
    {
        take_kind(m, counts, item);
    }
}

enum status findings_take_audit(struct report_model *m, struct error *e)
{
    char *path = file_join(m->in->run_folder, "audit.json"), *data = NULL;
    struct error read_error = {0};
    size_t len = 0;
    enum status s;

    if (!path)
        return error_no_memory(e);
    s = file_read(path, AUDIT_MAX_BYTES, &data, &len, &read_error);
    free(path);
    if (s == STATUS_NO_MEMORY)
        return error_no_memory(e);
    if (s == STATUS_OK) {
        cJSON *audit = cJSON_ParseWithLength(data, len);

        take_audit(m, audit);
        cJSON_Delete(audit);
    } else if (s != STATUS_NOT_FOUND) {
        add(m, "audit_unreadable", false, "%s", read_error.text);
    }
    free(data);
    return STATUS_OK;
}
