/* report.json: {"fakesift_report":1,"results":{...},"execution":{...}}. "results" has the same bytes for the
 * same input. A figure is a number, or null with its reason in the "undefined" beside it: never NaN. */
#include "coordinator/report/model.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "shard/file.h"
#include "shard/text.h"

static void append_string(struct text *t, const char *key, const char *value)
{
    text_append_format(t, "\"%s\":\"", key);
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

static void append_size(struct text *t, const char *key, size_t value)
{
    text_append_format(t, "\"%s\":%zu", key, value);
}

static void append_share(struct text *t, const char *key, size_t part, size_t whole)
{
    text_append_format(t, "\"%s\":", key);
    append_number(t, whole > 0 ? (double)part / (double)whole : NAN);
}

static void append_interval(struct text *t, const char *name, const struct interval *i)
{
    text_append_format(t, "\"%s\":{", name);
    if (i->undefined) {
        append_string(t, "undefined", undefined_reason(i->undefined));
    } else {
        text_append_string(t, "\"low\":");
        append_number(t, i->low);
        text_append_string(t, ",\"high\":");
        append_number(t, i->high);
        if (i->is_influence)
            text_append_format(t, ",\"by\":\"influence\",\"clusters\":%u", i->n_clusters);
        if (i->replicates > 0)
            text_append_format(t, ",\"replicates\":%u,\"clusters\":%u", i->replicates, i->n_clusters);
        if (i->is_collapsed)
            text_append_string(t, ",\"collapsed\":true");
    }
    text_append(t, "}", 1);
}

static void append_metrics(struct text *t, const struct metrics *v)
{
    size_t n_written = 0;

    append_size(t, "n", v->n);
    text_append(t, ",", 1);
    append_size(t, "n_real", v->n_real);
    text_append(t, ",", 1);
    append_size(t, "n_fake", v->n_fake);
    for (int k = 0; k < FIGURE_COUNT; k++) {
        const struct measure *measure = metrics_figure(v, (enum figure_id)k);

        text_append_format(t, ",\"%s\":", figure_name((enum figure_id)k));
        append_number(t, measure->undefined ? NAN : measure->value);
    }
    text_append_string(t, ",\"undefined\":{");
    for (int k = 0; k < FIGURE_COUNT; k++) {
        const struct measure *measure = metrics_figure(v, (enum figure_id)k);

        if (!measure->undefined)
            continue;
        text_append_string(t, n_written++ > 0 ? "," : "");
        append_string(t, figure_name((enum figure_id)k), undefined_reason(measure->undefined));
    }
    text_append(t, "}", 1);
    if (v->n > 0) {
        text_append_format(t,
                           ",\"called_at_0.5\":{\"fake_as_fake\":%zu,\"fake_as_real\":%zu,\"real_as_fake\":%zu,"
                           "\"real_as_real\":%zu}",
                           v->n_fake_called_fake, v->n_fake - v->n_fake_called_fake, v->n_real_called_fake,
                           v->n_real - v->n_real_called_fake);
    }
}

/* Of every figure but the AUC, which has its own; none for figures that are undefined themselves. */
static void append_intervals(struct text *t, const struct metrics *v)
{
    size_t n_written = 0;

    text_append_string(t, ",\"bootstrap_95\":{");
    for (int k = 0; k < FIGURE_COUNT; k++) {
        if (k == FIGURE_AUC || metrics_figure(v, (enum figure_id)k)->undefined)
            continue;
        text_append_string(t, n_written++ > 0 ? "," : "");
        append_interval(t, figure_name((enum figure_id)k), &v->intervals[k]);
    }
    text_append(t, "}", 1);
}

static void append_tally(struct text *t, const struct tally *tally)
{
    append_size(t, "n", tally->n);
    text_append_format(t, ",\"n_decided\":%zu,\"n_scored\":%zu,", tally->n_decided, tally->n_scored);
    append_share(t, "scored_share", tally->n_scored, tally->n);
    text_append(t, ",", 1);
    append_share(t, "trr", tally->n_real_scored + tally->n_fake_scored, tally->n_real + tally->n_fake);
    text_append_format(t,
                       ",\"n_real\":%zu,\"n_fake\":%zu,\"n_unlabelled\":%zu,\"n_real_scored\":%zu,"
                       "\"n_fake_scored\":%zu",
                       tally->n_real, tally->n_fake, tally->n_unknown, tally->n_real_scored, tally->n_fake_scored);
}

static void append_outcomes(struct text *t, const struct tally *tally)
{
    text_append_string(t, "{");
    for (int k = 1; k < OUTCOME_COUNT; k++)
        text_append_format(t, "\"%s\":%zu,", outcome_name((enum outcome)k), tally->by_outcome[k]);
    text_append_format(t, "\"undecided\":%zu,\"total\":%zu}", tally->by_outcome[OUTCOME_UNDECIDED], tally->n);
}

static const char *const level_names[LEVEL_COUNT] = {[LEVEL_CLIP] = "clip", [LEVEL_FRAME] = "frame"};

/* Groups of clips and of frames have the AUC's interval alone, by video. */
static void append_group_levels(struct text *t, const struct report_model *m, const struct group *g)
{
    for (int kind = 0; kind < LEVEL_COUNT; kind++) {
        const struct level *level = &m->levels[kind];

        if (!level->is_grouped || level->metrics.n == 0)
            continue;
        text_append_format(t, ",\"%s\":{", level_names[kind]);
        append_metrics(t, &g->levels[kind]);
        text_append(t, ",", 1);
        append_interval(t, "auc_by_video_95", &g->levels[kind].auc_bootstrap);
        text_append(t, "}", 1);
    }
}

static void append_groups(struct text *t, const struct report_model *m, const char *key, const struct group *groups,
                          size_t n)
{
    text_append_format(t, ",\n\"%s\":[", key);
    for (size_t k = 0; k < n; k++) {
        const struct group *g = &groups[k];

        text_append_string(t, k > 0 ? ",\n{" : "\n{");
        if (g->is_rest)
            text_append_format(t, "\"name\":null,\"rest_of\":%zu", g->n_groups);
        else
            append_string(t, "name", g->name);
        text_append_string(t, ",\"coverage\":{");
        append_tally(t, &g->tally);
        text_append_string(t, "},\"outcomes\":");
        append_outcomes(t, &g->tally);
        text_append_string(t, ",\"metrics\":{");
        append_metrics(t, &g->metrics);
        text_append(t, ",", 1);
        append_interval(t, "auc_delong_95", &g->metrics.auc_delong);
        text_append(t, ",", 1);
        append_interval(t, "auc_bootstrap_95", &g->metrics.auc_bootstrap);
        append_intervals(t, &g->metrics);
        text_append_string(t, "}");
        append_group_levels(t, m, g);
        text_append_string(t, "}");
    }
    text_append(t, "]", 1);
}

/* No DeLong here: clips and frames of one video are not independent. */
static void append_level(struct text *t, const struct report_model *m, enum level_kind kind)
{
    const struct level *level = &m->levels[kind];

    text_append_format(t, ",\n\"%s\":{", level_names[kind]);
    if (kind == LEVEL_FRAME && m->n_framed == 0) {
        append_string(t, "undefined",
                      "this run kept no scores of single frames (--save-frame-scores); with one frame a clip, clip "
                      "figures are frame figures");
        text_append(t, "}", 1);
        return;
    }
    if (kind == LEVEL_FRAME)
        text_append_format(t, "\"n_videos\":%zu,\"of_one_video_in\":%u,", m->n_framed, level->every);
    append_metrics(t, &level->metrics);
    text_append(t, ",", 1);
    append_interval(t, "auc_bootstrap_by_video_95", &level->metrics.auc_bootstrap);
    append_intervals(t, &level->metrics);
    text_append(t, "}", 1);
}

static void append_levels(struct text *t, const struct report_model *m)
{
    text_append_string(t, ",\n\"video\":{");
    append_metrics(t, &m->video);
    text_append(t, ",", 1);
    append_interval(t, "auc_delong_95", &m->video.auc_delong);
    text_append(t, ",", 1);
    append_interval(t, "auc_bootstrap_95", &m->video.auc_bootstrap);
    for (int k = 0; k < DEPENDENCE_COUNT; k++) {
        char name[64];

        if (!m->dependences[k].is_present)
            continue;
        snprintf(name, sizeof(name), "auc_bootstrap_by_%s_95", m->dependences[k].name);
        text_append(t, ",", 1);
        append_interval(t, name, &m->dependences[k].auc);
    }
    append_intervals(t, &m->video);
    text_append_string(t, "}");
    append_level(t, m, LEVEL_CLIP);
    append_level(t, m, LEVEL_FRAME);
    text_append_format(t, ",\n\"log_loss_epsilon\":%g", metrics_defaults.log_loss_epsilon);
    text_append_string(t, ",\n\"baselines\":{\"constant_0.5_log_loss\":0.6931471805599453,"
                          "\"constant_0.5_brier\":0.25,\"constant_0.5_auc\":0.5}");
}

static void append_calibration(struct text *t, const struct report_model *m)
{
    const struct calibration *c = &m->calibration;

    text_append_string(t, ",\n\"calibration\":{");
    if (c->why_not) {
        append_string(t, "undefined", c->why_not);
    } else {
        append_string(t, "fitted_on", c->fitted_on);
        text_append_format(t, ",\"n_fitted\":%zu,", c->n_fitted);
        append_string(t, "shown_on", c->shown_on[0] != '\0' ? c->shown_on : "all other splits");
        text_append_string(t, ",\"temperature\":");
        append_number(t, c->temperature);
        text_append_format(t, ",\"at_bound\":%s,\n\"before\":{", c->is_at_bound ? "true" : "false");
        append_metrics(t, &c->before);
        append_intervals(t, &c->before);
        text_append_string(t, "},\n\"after\":{");
        append_metrics(t, &c->after);
        append_intervals(t, &c->after);
        text_append(t, "}", 1);
    }
    text_append(t, "}", 1);
}

static void append_localisation(struct text *t, const struct report_model *m)
{
    const struct localisation *l = &m->localisation;

    text_append_string(t, ",\n\"localisation\":{");
    if (!m->has_localisation) {
        append_string(t, "undefined", "the manifest does not state which seconds are fake (fake_segments)");
        text_append(t, "}", 1);
        return;
    }
    text_append_format(t,
                       "\"n_videos\":%zu,\"n_fake_segments\":%zu,\"n_proposals\":%zu,\"n_videos_by_frames\":%zu,"
                       "\"n_fakes_left_out\":%zu",
                       l->n_videos, l->n_spans, l->n_proposals, m->localised_by_frames, m->n_without_segments);
    for (int k = 0; k < LOCALISE_FIGURES; k++) {
        text_append_format(t, ",\"%s\":", localise_names[k]);
        append_number(t, l->figures[k]);
    }
    text_append_format(t, ",\n\"bootstrap_95\":{\"replicates\":%u", l->replicates);
    for (int k = 0; k < LOCALISE_FIGURES && l->replicates > 0; k++) {
        text_append_format(t, ",\"%s\":[", localise_names[k]);
        append_number(t, l->low[k]);
        text_append(t, ",", 1);
        append_number(t, l->high[k]);
        text_append(t, "]", 1);
    }
    text_append_string(t, "}}");
}

static void append_policies(struct text *t, const struct report_model *m)
{
    text_append_string(t, ",\n\"unscored_policies\":[");
    for (int k = 0; k < POLICY_COUNT; k++) {
        text_append_string(t, k > 0 ? ",\n{" : "\n{");
        append_string(t, "policy", m->policies[k].name);
        text_append(t, ",", 1);
        append_string(t, "unscored_videos_are", m->policies[k].meaning);
        text_append(t, ",", 1);
        append_metrics(t, &m->policies[k].metrics);
        text_append(t, ",", 1);
        append_interval(t, "auc_delong_95", &m->policies[k].metrics.auc_delong);
        text_append(t, "}", 1);
    }
    text_append(t, "]", 1);
}

static void append_findings(struct text *t, const struct report_model *m)
{
    text_append_string(t, ",\n\"findings\":[");
    for (size_t k = 0; k < m->n_findings; k++) {
        text_append_string(t, k > 0 ? ",\n{" : "\n{");
        append_string(t, "id", m->findings[k].id);
        text_append_format(t, ",\"level\":\"%s\",", m->findings[k].is_warning ? "warning" : "note");
        append_string(t, "text", m->findings[k].text);
        text_append(t, "}", 1);
    }
    text_append(t, "]", 1);
}

static void append_unscored(struct text *t, const struct report_model *m)
{
    size_t n = 0;

    text_append_string(t, ",\n\"unscored\":[");
    for (size_t i = 0; i < m->n; i++) {
        const struct manifest_entry *entry = manifest_entry(m->in->manifest, i);
        const struct result *r;

        if (outcome_has_score(results_outcome(m->in->results, i)))
            continue;
        r = results_get(m->reader, i);
        text_append_string(t, n++ > 0 ? ",\n{" : "\n{");
        append_string(t, "path", entry->path);
        if (!utf8_is_valid(entry->path)) {
            text_append_string(t, ",\"path_hex\":\"");
            for (const char *p = entry->path; *p != '\0'; p++)
                text_append_format(t, "%02x", (unsigned char)*p);
            text_append(t, "\"", 1);
        }
        text_append(t, ",", 1);
        append_string(t, "label", label_name(entry->label));
        text_append(t, ",", 1);
        append_string(t, "outcome", outcome_name(r->outcome));
        text_append(t, ",", 1);
        append_string(t, "message", r->message);
        text_append(t, "}", 1);
    }
    text_append(t, "]", 1);
}

/* Given objects go in as they are, once they are known to be objects. */
static enum status append_object(struct text *t, const char *what, const char *json, struct error *e)
{
    cJSON *parsed;
    bool is_object;

    if (!json) {
        text_append_string(t, "{}");
        return STATUS_OK;
    }
    parsed = cJSON_ParseWithOpts(json, NULL, true);
    is_object = cJSON_IsObject(parsed);
    cJSON_Delete(parsed);
    if (!is_object)
        return error_set(e, STATUS_INVALID, "report: the %s is not a JSON object: %.60s", what, json);
    text_append_string(t, json);
    return STATUS_OK;
}

enum status results_json_write(const struct report_model *m, const char *path, struct error *e)
{
    struct text t = {0};
    enum status s;

    text_append_string(&t, "{\"fakesift_report\":1,\n\"results\":{");
    append_string(&t, "detector", m->in->detector_name ? m->in->detector_name : "");
    text_append_string(&t, ",\n\"protocol\":");
    s = append_object(&t, "protocol", m->in->protocol_json, e);
    if (s != STATUS_OK)
        goto end;
    text_append_string(&t, ",\n\"manifest\":{");
    append_string(&t, "layout", manifest_layout(m->in->manifest));
    text_append(&t, ",", 1);
    append_string(&t, "sha256", m->manifest_sha256);
    text_append_format(&t, ",\"n\":%zu},\n\"is_complete\":%s,\n\"outcomes\":", m->n,
                       m->tally.n_decided == m->n ? "true" : "false");
    append_outcomes(&t, &m->tally);
    text_append_string(&t, ",\n\"coverage\":{");
    append_tally(&t, &m->tally);
    text_append(&t, "}", 1);
    append_levels(&t, m);
    detectors_json(&t, m);
    append_groups(&t, m, "splits", m->splits, m->n_splits);
    append_groups(&t, m, "families", m->families, m->n_families);
    append_groups(&t, m, "methods", m->methods, m->n_methods);
    append_groups(&t, m, "groups", m->groups, m->n_groups);
    append_groups(&t, m, "codecs", m->codecs, m->n_codecs);
    append_groups(&t, m, "resolutions", m->resolutions, m->n_resolutions);
    append_calibration(&t, m);
    append_localisation(&t, m);
    append_policies(&t, m);
    append_findings(&t, m);
    append_unscored(&t, m);
    text_append_string(
        &t,
        ",\n\"each_video\":\"scores.csv; its faces and clips: results.sqlite, tables video and clip, view track, or "
        "fakesift explain --json\"},\n\"execution\":");
    s = append_object(&t, "execution", m->in->execution_json, e);
    if (s != STATUS_OK)
        goto end;
    text_append_string(&t, "}\n");
    s = t.failed ? error_no_memory(e) : file_write(path, t.data, t.len_bytes, e);
end:
    text_clear(&t);
    return s;
}
