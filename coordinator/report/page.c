/* report.html: page.html with its {{names}} filled in. The template is walked once, so a video named {{data}}
 * stays a name. */
#include "coordinator/report/page.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/report/embedded.h"
#include "shard/file.h"

void page_count(struct text *t, size_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%zu", n);

    for (int k = 0; k < len; k++) {
        if (k > 0 && (len - k) % 3 == 0)
            text_append(t, ",", 1);
        text_append(t, &digits[k], 1);
    }
}

void page_range(struct text *t, const struct interval *i)
{
    if (i->undefined)
        text_append_format(t, "<span class=\"why\">%s</span>", undefined_reason(i->undefined));
    else
        text_append_format(t, "%.3f\xe2\x80\x93%.3f", i->low, i->high);
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

/* The Content-Security-Policy source of an inline element: nothing else runs, should an escape ever fail. */
static enum status append_source(struct text *t, const char *data, size_t len_bytes, struct error *e)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char hex[SHA256_HEX_BYTES];
    uint8_t bytes[SHA256_BYTES + 1] = {0}; /* padded to a multiple of three */
    struct hasher *h = hasher_open();

    if (!h)
        return error_no_memory(e);
    hasher_update(h, data, len_bytes);
    hasher_finish(h, hex);
    hasher_close(&h);
    for (int k = 0; k < SHA256_BYTES; k++) {
        unsigned byte = 0;

        sscanf(hex + 2 * k, "%2x", &byte);
        bytes[k] = (uint8_t)byte;
    }
    text_append_string(t, "'sha256-");
    for (int k = 0; k < SHA256_BYTES; k += 3) {
        uint32_t three = (uint32_t)bytes[k] << 16 | (uint32_t)bytes[k + 1] << 8 | bytes[k + 2];

        for (int shift = 18; shift >= 0; shift -= 6)
            text_append(t, k + 3 > SHA256_BYTES && shift == 0 ? "=" : &alphabet[three >> shift & 63], 1);
    }
    text_append(t, "'", 1);
    return STATUS_OK;
}

static enum status policy(struct text *t, const struct report_model *m, struct error *e)
{
    enum status s;

    (void)m;
    text_append_string(t, "default-src 'none'; base-uri 'none'; form-action 'none'; style-src ");
    s = append_source(t, page_css, page_css_len_bytes, e);
    text_append_string(t, "; script-src ");
    return s == STATUS_OK ? append_source(t, page_js, page_js_len_bytes, e) : s;
}

static void title(struct text *t, const struct report_model *m)
{
    text_append_string(t, "fakesift: ");
    text_append_html(t, m->in->detector_name ? m->in->detector_name : "");
    text_append_string(t, " on ");
    page_count(t, m->n);
    text_append_string(t, " videos");
}

static void headline(struct text *t, const struct report_model *m)
{
    page_count(t, m->tally.n_scored);
    text_append_string(t, " of ");
    page_count(t, m->n);
    text_append_string(t, m->n == 1 ? " video" : " videos");
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
    text_append_string(t, " fake videos.");
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
    page_count(t, m->n);
    text_append_string(t, " videos have a score</p></div>");
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
    page_count(t, m->tally.n_scored);
    text_append_string(t, " scored videos</p></div>");
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
        page_whisker(t, &v->auc, i);
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
        page_count(t, v->n_fake);
        text_append_string(t, v->n_real > 0 ? " fakes caught, " : " fakes caught");
    }
    if (v->n_real > 0) {
        page_count(t, v->n_real_called_fake);
        text_append_string(t, " of ");
        page_count(t, v->n_real);
        text_append_string(t, " reals accused");
    }
    text_append_string(t, "</p>");
    text_append_string(t, "</div>");
}

static void findings(struct text *t, const struct report_model *m)
{
    if (m->n_findings == 0)
        return;
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

static void charts(struct text *t, const struct report_model *m)
{
    page_histogram(t, m);
    page_roc(t, m);
}

static void protocol(struct text *t, const struct report_model *m)
{
    page_json_table(t, m->in->protocol_json, "Protocol");
}

static void environment(struct text *t, const struct report_model *m)
{
    page_json_table(t, m->in->execution_json, "Environment");
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

static void css(struct text *t, const struct report_model *m)
{
    (void)m;
    text_append(t, page_css, page_css_len_bytes);
}

static void js(struct text *t, const struct report_model *m)
{
    (void)m;
    text_append(t, page_js, page_js_len_bytes);
}

static const struct {
    const char *name;
    void (*append)(struct text *, const struct report_model *);
    enum status (*try_append)(struct text *, const struct report_model *, struct error *);
} parts[] = {
    {"policy", NULL, policy},
    {"title", title, NULL},
    {"css", css, NULL},
    {"headline", headline, NULL},
    {"lede", lede, NULL},
    {"worth", worth, NULL},
    {"tiles", tiles, NULL},
    {"findings", findings, NULL},
    {"outcomes", page_outcomes, NULL},
    {"charts", charts, NULL},
    {"figures", page_figures, NULL},
    {"groups", page_groups, NULL},
    {"policies", page_policies, NULL},
    {"first", page_first, NULL},
    {"unscored", page_unscored, NULL},
    {"all_note", page_all_note, NULL},
    {"protocol", protocol, NULL},
    {"environment", environment, NULL},
    {"reproduce", reproduce, NULL},
    {"data", NULL, page_data},
    {"js", js, NULL},
};

static enum status append_part(struct text *t, const char *name, size_t len_bytes, const struct report_model *m,
                               struct error *e)
{
    for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++) {
        if (strlen(parts[k].name) != len_bytes || memcmp(parts[k].name, name, len_bytes) != 0)
            continue;
        if (parts[k].try_append)
            return parts[k].try_append(t, m, e);
        parts[k].append(t, m);
        return STATUS_OK;
    }
    return error_set(e, STATUS_BUG, "page.html has the unknown part {{%.*s}}", (int)len_bytes, name);
}

enum status page_write(const struct report_model *m, const char *path, struct error *e)
{
    struct text t = {0};
    const char *rest = page_html;
    enum status s = STATUS_OK;

    while (s == STATUS_OK) {
        const char *open = strstr(rest, "{{");
        const char *close = open ? strstr(open, "}}") : NULL;

        if (!close)
            break;
        text_append(&t, rest, (size_t)(open - rest));
        s = append_part(&t, open + 2, (size_t)(close - open - 2), m, e);
        rest = close + 2;
    }
    text_append_string(&t, rest);
    if (s == STATUS_OK)
        s = t.failed ? error_no_memory(e) : file_write(path, t.data, t.len_bytes, e);
    text_clear(&t);
    return s;
}
