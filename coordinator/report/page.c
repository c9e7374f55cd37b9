/* report.html: page.html with its {{names}} filled in. The template is walked once, so a video named {{data}}
 * stays a name. */
#include "coordinator/report/page.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/report/embedded.h"
#include "shard/file.h"

void page_range(struct text *t, const struct interval *i)
{
    if (i->undefined)
        text_append_format(t, "<span class=\"why\">%s</span>", undefined_reason(i->undefined));
    else
        text_append_format(t, i->low < 0 ? "%.3f to %.3f" : "%.3f\xe2\x80\x93%.3f", i->low, i->high);
}

const struct interval *page_widest(const struct report_model *m, const char **ret_name)
{
    const struct interval *widest = &m->video.auc_delong;
    const struct interval *rivals[1 + DEPENDENCE_COUNT] = {&m->video.auc_bootstrap};
    static const char *const names[1 + DEPENDENCE_COUNT] = {"bootstrap", "bootstrap by original",
                                                            "bootstrap by identity", "bootstrap by group"};

    for (int k = 0; k < DEPENDENCE_COUNT; k++)
        rivals[1 + k] = m->dependences[k].is_present ? &m->dependences[k].auc : NULL;
    *ret_name = "DeLong";
    for (int k = 0; k < 1 + DEPENDENCE_COUNT; k++) {
        if (!rivals[k] || rivals[k]->undefined)
            continue;
        if (widest->undefined || rivals[k]->high - rivals[k]->low > widest->high - widest->low) {
            widest = rivals[k];
            *ret_name = names[k];
        }
    }
    return widest;
}

static void title(struct text *t, const struct report_model *m)
{
    text_append_string(t, "fakesift: ");
    text_append_html(t, m->in->detector_name ? m->in->detector_name : "");
    text_append_string(t, " on ");
    page_n(t, m->n, "video");
}

static void headline(struct text *t, const struct report_model *m)
{
    page_count(t, m->tally.n_scored);
    text_append_string(t, " of ");
    page_n(t, m->n, "video");
    text_append_string(t, m->tally.n_decided < m->n ? " scored so far by " : " scored by ");
    text_append_html(t, m->in->detector_name && m->in->detector_name[0] ? m->in->detector_name : "a detector");
}

static void lede(struct text *t, const struct report_model *m)
{
    const struct metrics *v = &m->video;
    const char *how;
    const struct interval *i = page_widest(m, &how);

    if (v->auc.undefined) {
        text_append_format(t, "No AUC: %s.", undefined_reason(v->auc.undefined));
        return;
    }
    text_append_format(t,
                       "A random fake scores above a random real <strong>%.1f\xc2\xa0%% of the time</strong> (AUC %.3f",
                       100 * v->auc.value, v->auc.value);
    if (!i->undefined)
        text_append_format(t, "; 95\xc2\xa0%% interval %.3f to %.3f by %s", i->low, i->high, how);
    text_append_string(t, "), over ");
    page_count(t, v->n_real);
    text_append_string(t, " real and ");
    page_count(t, v->n_fake);
    text_append_string(t, v->n_fake == 1 ? " fake video." : " fake videos.");
}

static void worth(struct text *t, const struct report_model *m)
{
    if (!m->in->detector_worth || m->in->detector_worth[0] == '\0')
        return;
    text_append_string(t, "<p class=\"worth\"><b>What this detector is worth</b> ");
    text_append_html(t, m->in->detector_worth);
    text_append_string(t, "</p>");
}

static void tile_open(struct text *t, const char *name, const struct measure *v, int decimals)
{
    text_append_format(t, "<div class=\"tile\"><h3>%s</h3>", name);
    if (v->undefined)
        text_append_format(t, "<p class=\"value none\">none</p><p>%s</p>", undefined_reason(v->undefined));
    else
        text_append_format(t, "<p class=\"value\">%.*f</p>", decimals, v->value);
}

static void coverage_tile(struct text *t, const struct report_model *m)
{
    text_append_string(t, "<div class=\"tile\"><h3>Coverage</h3><p class=\"value");
    if (m->n == 0)
        text_append_string(t, " none\">none</p>");
    else
        text_append_format(t, "\">%.1f<small>\xe2\x80\x89%%</small></p>",
                           100.0 * (double)m->tally.n_scored / (double)m->n);
    text_append_string(t, "<p>");
    page_count(t, m->tally.n_scored);
    text_append_string(t, " of ");
    page_n(t, m->n, "video");
    text_append_string(t, m->n == 1 ? " has a score</p></div>" : " have a score</p></div>");
}

/* From is a bin's edge. */
static void score_tile(struct text *t, const struct report_model *m, int from_bin)
{
    size_t n = 0;

    for (int label = 0; label < 3; label++) {
        for (int b = from_bin; b < MODEL_BINS; b++)
            n += m->histogram.of_label[label][b];
    }
    text_append_format(t, "<div class=\"tile\"><h3>Scores of %.2g or more</h3><p class=\"value\">",
                       (double)from_bin / MODEL_BINS);
    page_count(t, n);
    text_append_string(t, "</p><p>of ");
    page_n(t, m->tally.n_scored, "scored video");
    text_append_string(t, "</p></div>");
}

static void tiles(struct text *t, const struct report_model *m)
{
    const struct metrics *v = &m->video;
    const char *how;
    const struct interval *i = page_widest(m, &how);

    coverage_tile(t, m);
    if (v->n == 0) {
        score_tile(t, m, MODEL_BINS / 2);
        score_tile(t, m, MODEL_BINS / 10 * 9);
        return;
    }
    tile_open(t, "AUC", &v->auc, 3);
    if (!v->auc.undefined) {
        if (i->undefined)
            text_append_format(t, "<p>no interval: %s</p>", undefined_reason(i->undefined));
        else
            text_append_format(t, "<p>%.3f to %.3f, 95\xc2\xa0%%%s</p>", i->low, i->high,
                               i->is_collapsed ? "; no variation, not certainty" : "");
    }
    text_append_string(t, "</div>");
    tile_open(t, "Equal error rate", &v->eer, 3);
    if (!v->eer.undefined)
        text_append_string(t, "<p>as many fakes missed as reals accused, where the threshold is set so</p>");
    text_append_string(t, "</div>");
    tile_open(t, "Log loss", &v->log_loss, 3);
    text_append_string(t, "<p>a constant 0.5 reaches 0.693; lower is better</p></div>");
    tile_open(t, "Accuracy at 0.5", &v->accuracy, 3);
    text_append_string(t, "<p>");
    if (v->n_fake > 0) {
        page_count(t, v->n_fake_called_fake);
        text_append_string(t, " of ");
        page_n(t, v->n_fake, "fake");
        text_append_string(t, v->n_real > 0 ? " caught, " : " caught");
    }
    if (v->n_real > 0) {
        page_count(t, v->n_real_called_fake);
        text_append_string(t, " of ");
        page_n(t, v->n_real, "real");
        text_append_string(t, " accused");
    }
    text_append_string(t, "</p>");
    text_append_string(t, "</div>");
}

static void findings(struct text *t, const struct report_model *m)
{
    if (m->n_findings == 0) {
        text_append_string(t, "<p class=\"why\">None.</p>");
        return;
    }
    text_append_string(t, "<ul class=\"findings\" aria-label=\"Findings\">");
    for (size_t k = 0; k < m->n_findings; k++) {
        const struct finding *f = &m->findings[k];

        text_append_format(t, "<li%s><b>%s</b>", f->is_warning ? " class=\"warning\"" : "",
                           f->is_warning ? "Warning" : "Note");
        text_append_html(t, f->text);
        text_append_string(t, "</li>");
    }
    text_append_string(t, "</ul>");
}

static void no_charts(struct text *t, const struct report_model *m)
{
    (void)m;
    if (!page_has_charts())
        text_append_string(
            t, "<p class=\"why\">This build of fakesift was made without its chart library, so the charts are left "
               "out. The tables hold the same numbers.</p>");
}

static void charts(struct text *t, const struct report_model *m)
{
    page_chart(t, m, CHART_SCORES);
    if (m->tally.n_scored == 0)
        text_append_string(t, "<p class=\"why\">No video has a score.</p>");
}

static void curves(struct text *t, const struct report_model *m)
{
    page_chart(t, m, CHART_ROC);
    page_chart(t, m, CHART_DET);
    page_chart(t, m, CHART_PR);
    page_chart(t, m, CHART_RELIABILITY);
}

static void bands(struct text *t, const struct report_model *m)
{
    if (page_has_charts() && !m->video.auc.undefined)
        text_append_string(
            t, "<p class=\"about\">Bands are 95\xc2\xa0% point by point, from a Bayesian bootstrap that takes videos "
               "as independent; where videos depend on each other, the truth is less sure. A band without width says "
               "that nothing varied here, not that it is certain.</p>");
}

static void reliability(struct text *t, const struct report_model *m)
{
    if (m->video.ece.undefined)
        return;
    text_append_string(
        t, "<details><summary>The reliability diagram's numbers</summary><div class=\"scroll\" tabindex=\"0\" "
           "role=\"region\" aria-label=\"Reliability\"><table><thead><tr><th scope=\"col\" class=\"n\">P(fake)</th>"
           "<th scope=\"col\" class=\"n\">Videos</th><th scope=\"col\" class=\"n\">Fakes</th><th scope=\"col\" "
           "class=\"n\">Mean P(fake)</th><th scope=\"col\" class=\"n\">Share of fakes</th><th scope=\"col\" "
           "class=\"n\">95\xc2\xa0%, Wilson</th></tr></thead><tbody>");
    page_reliability_rows(t, m);
    text_append_string(t, "</tbody></table></div></details>");
}

static void protocol(struct text *t, const struct report_model *m)
{
    page_json_table(t, m->in->protocol_json, "Protocol");
}

static void environment(struct text *t, const struct report_model *m)
{
    page_environment(t, m->in->execution_json);
}

static void reproduce(struct text *t, const struct report_model *m)
{
    text_append_string(t, "<pre>fakesift scan CORPUS -o MANIFEST\nfakesift run MANIFEST --detector ");
    text_append_html(t, m->in->detector_name && m->in->detector_name[0] ? m->in->detector_name : "DETECTOR");
    text_append_string(t, " -o RUN</pre><p class=\"about\">The manifest's entries hash to <code>");
    text_append_html(t, m->manifest_sha256);
    text_append_string(t, "</code> (layout <code>");
    text_append_html(t, manifest_layout(m->in->manifest));
    text_append_string(t, "</code>, root <code>");
    text_append_html(t, manifest_root(m->in->manifest));
    text_append_string(t, "</code>). With the same manifest and protocol, on processors with the same instruction set, "
                          "<code>scores.csv</code> and the results of <code>report.json</code> must come out byte for "
                          "byte the same, whatever the number of machines.</p>");
}

static enum status data(struct text *t, const struct report_model *m, struct error *e)
{
    enum { CROPS_BYTES = 1 << 20 };
    size_t first[PAGE_MAX_FIRST], n = page_first_indices(m, first);
    enum status s;

    text_append_string(t, "{");
    s = page_chart_data(t, m, e);
    text_append_string(t, ",");
    if (s == STATUS_OK)
        s = page_rows(t, m, e);
    text_append_string(t, ",");
    if (s == STATUS_OK)
        s = page_crops(t, m->in, first, n, CROPS_BYTES, e);
    text_append_string(t, "}");
    return s;
}

static const struct page_part parts[] = {
    {"title", title, NULL},
    {"headline", headline, NULL},
    {"lede", lede, NULL},
    {"worth", worth, NULL},
    {"tiles", tiles, NULL},
    {"findings", findings, NULL},
    {"no_charts", no_charts, NULL},
    {"outcomes", page_outcomes, NULL},
    {"charts", charts, NULL},
    {"curves", curves, NULL},
    {"bands", bands, NULL},
    {"reliability", reliability, NULL},
    {"figures", page_figures, NULL},
    {"groups", page_groups, NULL},
    {"policies", page_policies, NULL},
    {"first", page_first, NULL},
    {"slowest", page_slowest, NULL},
    {"unscored", page_unscored, NULL},
    {"all_note", page_all_note, NULL},
    {"protocol", protocol, NULL},
    {"environment", environment, NULL},
    {"reproduce", reproduce, NULL},
    {"policy", NULL, page_policy},
    {"css", NULL, page_css_part},
    {"data", NULL, data},
    {"charts_js", NULL, page_charts_js_part},
    {"video_js", NULL, page_video_js_part},
    {"js", NULL, page_js_part},
};

enum status page_make(const struct report_model *m, struct text *t, struct error *e)
{
    return page_fill(t, page_html, parts, sizeof(parts) / sizeof(parts[0]), m, e);
}
