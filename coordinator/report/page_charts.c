/* The charts' places and their numbers. What they look like is said in charts/specs.js; colours are page.css's variables. */
#include "coordinator/report/page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const label_titles[] = {
    [LABEL_UNKNOWN] = "Unlabelled", [LABEL_REAL] = "Real", [LABEL_FAKE] = "Fake"};
static const char *const label_colors[] = {
    [LABEL_UNKNOWN] = "var(--none)", [LABEL_REAL] = "var(--real)", [LABEL_FAKE] = "var(--fake)"};
static const enum label label_order[] = {LABEL_REAL, LABEL_FAKE, LABEL_UNKNOWN};

static size_t count_of(const size_t bins[MODEL_BINS])
{
    size_t n = 0;

    for (int b = 0; b < MODEL_BINS; b++)
        n += bins[b];
    return n;
}

static bool has_families(const struct report_model *m)
{
    return m->tally.n_fake_scored > 0 && m->n_families > 0;
}

static bool is_drawn(const struct report_model *m, enum page_chart chart)
{
    switch (chart) {
    case CHART_OUTCOMES:
        return m->n > 0;
    case CHART_SCORES:
        return m->tally.n_scored > 0;
    case CHART_FAMILIES:
        return has_families(m);
    case CHART_RELIABILITY:
        return !m->video.ece.undefined;
    case CHART_ROC:
    case CHART_DET:
    case CHART_PR:
    case CHART_INTERVALS:
        break;
    }
    return !m->video.auc.undefined;
}

static const struct {
    const char *name, *caption;
} charts[] = {
    [CHART_OUTCOMES] = {"outcomes", NULL},
    [CHART_SCORES] = {"scores",
                      "How the scores of each label are spread over P(fake). Heights are shares of the label, so a "
                      "rare one shows; the dashed line is 0.5."},
    [CHART_FAMILIES] = {"families",
                        "Left: where the scores of each family's fakes lie; the darker, the more of them. Right: the "
                        "family's AUC against all scored reals, with DeLong's 95\xc2\xa0% interval."},
    [CHART_ROC] =
        {"roc",
         "ROC: fakes caught against reals accused, for every threshold. The dot is 0.5, the dashed line guessing."},
    [CHART_DET] = {"det", "Detection error trade-off: the same by what goes wrong, stretched where both are rare. "
                          "Lower left is better."},
    [CHART_PR] =
        {"pr",
         "Precision and recall. Precision holds for this corpus's share of fakes (the dashed line); where fakes are "
         "rarer, it is lower."},
    [CHART_RELIABILITY] = {"reliability",
                           "Reliability: of the videos with a score near p, which share is fake? On the dashed line "
                           "scores can be read as probabilities. Bars: Wilson's 95\xc2\xa0% interval."},
    [CHART_INTERVALS] = {"intervals", NULL},
};

void page_chart(struct text *t, const struct report_model *m, enum page_chart chart)
{
    if (!is_drawn(m, chart))
        return;
    text_append_format(t, "<figure class=\"chart-%s\"><div class=\"chart\" data-chart=\"%s\"></div>",
                       charts[chart].name, charts[chart].name);
    if (charts[chart].caption)
        text_append_format(t, "<figcaption>%s</figcaption>", charts[chart].caption);
    text_append_string(t, "</figure>");
}

static void outcomes(struct text *t, const struct report_model *m)
{
    size_t left = 0, n = 0;

    text_append_string(
        t, "\"outcomes\":{\"about\":\"Outcomes as shares of the manifest; the table below has the counts.\","
           "\"sets\":{\"outcomes\":[");
    for (int k = 1; k <= OUTCOME_COUNT; k++) {
        enum outcome o = k < OUTCOME_COUNT ? (enum outcome)k : OUTCOME_UNDECIDED;
        size_t count = m->tally.by_outcome[o];

        if (count == 0)
            continue;
        text_append_format(t, "%s{\"start\":%.6g,\"end\":%.6g,\"color\":\"var(--o-%s)\",\"tip\":\"%s: %zu\"}",
                           n++ > 0 ? "," : "", (double)left / (double)m->n, (double)(left + count) / (double)m->n,
                           outcome_name(o), outcome_name(o), count);
        left += count;
    }
    text_append_string(t, "]}}");
}

static void scores(struct text *t, const struct report_model *m)
{
    size_t n = 0;

    text_append_string(
        t, ",\"scores\":{\"about\":\"Distribution of P(fake) by label, in bins of 0.05.\",\"sets\":{\"scores\":[");
    for (int k = 0; k < 3; k++) {
        const size_t *bins = m->histogram.of_label[label_order[k]];
        size_t total = count_of(bins);

        for (int b = 0; total > 0 && b < MODEL_BINS; b++) {
            text_append_format(t, "%s{\"order\":%d,\"label\":\"%s, ", n++ > 0 ? "," : "", k,
                               label_titles[label_order[k]]);
            page_count(t, total);
            text_append_format(
                t, "\",\"from\":%.2f,\"to\":%.2f,\"share\":%.5g,\"color\":\"%s\",\"tip\":\"%.2f to %.2f: %zu of %zu\"}",
                (double)b / MODEL_BINS, (double)(b + 1) / MODEL_BINS, (double)bins[b] / (double)total,
                label_colors[label_order[k]], (double)b / MODEL_BINS, (double)(b + 1) / MODEL_BINS, bins[b], total);
        }
    }
    text_append_string(t, "]}}");
}

/* Families by their name's address, which the manifest keeps once. */
enum { SLOTS = 4 * MODEL_MAX_GROUPS };
struct slot {
    const char *name;
    size_t family;
};

static size_t slot_of(const struct slot *slots, const char *name)
{
    size_t at = ((uintptr_t)name >> 4) * 0x9e3779b97f4a7c15u % SLOTS;

    while (slots[at].name && slots[at].name != name)
        at = (at + 1) % SLOTS;
    return at;
}

static void count_families(const struct report_model *m, size_t (*bins)[MODEL_BINS])
{
    struct slot slots[SLOTS] = {0};

    for (size_t k = 0; k < m->n_families; k++) {
        if (!m->families[k].is_rest)
            slots[slot_of(slots, m->families[k].name)] = (struct slot){.name = m->families[k].name, .family = k};
    }
    for (size_t i = 0; i < m->n; i++) {
        const struct manifest_entry *entry = manifest_entry(m->in->manifest, i);
        const struct slot *slot;
        double p;

        if (entry->label != LABEL_FAKE || !outcome_has_score(results_outcome(m->in->results, i)))
            continue;
        slot = &slots[slot_of(slots, entry->family)];
        p = results_p_fake(m->in->results, i);
        if (slot->name)
            bins[slot->family][p < 1 ? (int)(p * MODEL_BINS) : MODEL_BINS - 1]++;
    }
}

static void family_name(struct text *t, const struct group *g)
{
    page_json(t, g->name[0] != '\0' ? g->name : "family not stated");
}

static void heat_row(struct text *t, const char *name, const struct group *g, enum label label, const size_t *bins,
                     size_t *n)
{
    size_t total = count_of(bins), peak = 1;

    for (int b = 0; b < MODEL_BINS; b++)
        peak = bins[b] > peak ? bins[b] : peak;
    for (int b = 0; b < MODEL_BINS; b++) {
        text_append_string(t, (*n)++ > 0 ? ",{\"name\":" : "{\"name\":");
        if (g)
            family_name(t, g);
        else
            page_json(t, name);
        text_append_format(
            t, ",\"from\":%.2f,\"to\":%.2f,\"strength\":%.4g,\"color\":\"%s\",\"tip\":\"%.2f to %.2f: %zu of %zu\"}",
            (double)b / MODEL_BINS, (double)(b + 1) / MODEL_BINS, sqrt((double)bins[b] / (double)peak),
            label_colors[label], (double)b / MODEL_BINS, (double)(b + 1) / MODEL_BINS, bins[b], total);
    }
}

/* The families of most scored fakes, in the order of the table below the chart. */
static void choose_families(const struct report_model *m, bool *is_shown)
{
    for (size_t k = 0; k < m->n_families; k++) {
        size_t n_larger = 0;

        for (size_t j = 0; j < m->n_families; j++)
            n_larger += m->families[j].tally.n_fake_scored > m->families[k].tally.n_fake_scored ||
                        (j < k && m->families[j].tally.n_fake_scored == m->families[k].tally.n_fake_scored);
        is_shown[k] = !m->families[k].is_rest && m->families[k].tally.n_fake_scored > 0 && n_larger < PAGE_MAX_FAMILIES;
    }
}

static enum status families(struct text *t, const struct report_model *m, struct error *e)
{
    size_t(*bins)[MODEL_BINS] = calloc(MODEL_MAX_GROUPS + 1, sizeof(*bins));
    bool is_shown[MODEL_MAX_GROUPS + 1] = {false};
    size_t n = 0;

    if (!bins)
        return error_no_memory(e);
    count_families(m, bins);
    choose_families(m, is_shown);
    text_append_string(
        t,
        ",\"families\":{\"about\":\"Scores and AUC by family; the table below has the figures.\",\"sets\":{\"heat\":[");
    if (m->tally.n_real_scored > 0)
        heat_row(t, "all reals", NULL, LABEL_REAL, m->histogram.of_label[LABEL_REAL], &n);
    for (size_t k = 0; k < m->n_families; k++) {
        if (is_shown[k])
            heat_row(t, NULL, &m->families[k], LABEL_FAKE, bins[k], &n);
    }
    text_append_string(t, "],\"auc\":[");
    n = 0;
    for (size_t k = 0; k < m->n_families; k++) {
        const struct metrics *v = &m->families[k].metrics;

        if (!is_shown[k] || v->auc.undefined || v->auc_delong.undefined)
            continue;
        text_append_string(t, n++ > 0 ? ",{\"name\":" : "{\"name\":");
        family_name(t, &m->families[k]);
        text_append_format(t, ",\"auc\":%.5g,\"low\":%.5g,\"high\":%.5g,\"tip\":\"AUC %.3f, %.3f to %.3f\"}",
                           v->auc.value, v->auc_delong.low, v->auc_delong.high, v->auc.value, v->auc_delong.low,
                           v->auc_delong.high);
    }
    text_append_string(t, "]}}");
    free(bins);
    return STATUS_OK;
}

static void interval(struct text *t, const char *name, const struct measure *auc, const struct interval *i, size_t *n)
{
    if (auc->undefined || i->undefined)
        return;
    text_append_format(t, "%s{\"name\":\"%s\",\"auc\":%.5g,\"low\":%.5g,\"high\":%.5g,\"tip\":\"%.3f, %.3f to %.3f\"}",
                       (*n)++ > 0 ? "," : "", name, auc->value, i->low, i->high, auc->value, i->low, i->high);
}

static void intervals(struct text *t, const struct report_model *m)
{
    static const char *const names[] = {"bootstrap by original", "bootstrap by identity", "bootstrap by group"};
    const struct metrics *v = &m->video;
    size_t n = 0;

    text_append_string(t, ",\"intervals\":{\"about\":\"95 % intervals of the AUC; the table below has the "
                          "numbers.\",\"sets\":{\"intervals\":[");
    interval(t, "DeLong", &v->auc, &v->auc_delong, &n);
    interval(t, "bootstrap by video", &v->auc, &v->auc_bootstrap, &n);
    for (int k = 0; k < DEPENDENCE_COUNT; k++) {
        if (m->dependences[k].is_present)
            interval(t, names[k], &v->auc, &m->dependences[k].auc, &n);
    }
    for (int k = 0; k < LEVEL_COUNT; k++) {
        const struct metrics *of = &m->levels[k].metrics;

        if (of->n > 0)
            interval(t, k == LEVEL_CLIP ? "clips, by video" : "frames, by video", &of->auc, &of->auc_bootstrap, &n);
    }
    text_append_string(t, "]}}");
}

enum status page_chart_data(struct text *t, const struct report_model *m, struct error *e)
{
    enum status s = STATUS_OK;

    text_append_string(t, "\"charts\":{");
    if (page_has_charts() && m->n > 0) {
        outcomes(t, m);
        if (is_drawn(m, CHART_SCORES))
            scores(t, m);
        if (is_drawn(m, CHART_RELIABILITY))
            page_reliability(t, m);
        if (is_drawn(m, CHART_FAMILIES))
            s = families(t, m, e);
        if (s == STATUS_OK && is_drawn(m, CHART_ROC)) {
            intervals(t, m);
            text_append_string(t, ",");
            s = page_curves(t, m, e);
        }
    }
    text_append_string(t, "}");
    return s;
}
