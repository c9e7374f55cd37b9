/* One video as a page: page_explain.html with its {{names}} filled in, and report.html's view of a video. */
#include "coordinator/report/explain.h"

#include <stdlib.h>

#include "coordinator/report/embedded.h"
#include "coordinator/report/page.h"
#include "shard/file.h"

static void list_item(void *context, const char *sentence)
{
    struct text *t = context;

    text_append_string(t, "<li>");
    text_append_html(t, sentence);
    text_append_string(t, "</li>");
}

static void rank_item(struct text *t, const struct explain_rank *r, const char *what)
{
    if (r->n == 0)
        return;
    text_append_format(t, "<li>higher than %.1f\xc2\xa0%% of the ",
                       100.0 * ((double)r->n_lower + 0.5 * (double)r->n_equal) / (double)r->n);
    page_count(t, r->n);
    text_append_format(t, " other %s with a score</li>", what);
}

static void append_tracks(struct text *t, const struct explain *x)
{
    if (x->n_tracks == 0 || x->is_whole_frames)
        return;
    text_append_string(
        t, "<section><h2>Faces</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
           "aria-label=\"Faces\"><table><thead><tr>"
           "<th scope=\"col\">Face</th><th scope=\"col\" class=\"n\">Clips</th><th scope=\"col\" class=\"n\">Of 0.5 or "
           "more</th><th scope=\"col\" class=\"n\">Mean P(fake)</th><th scope=\"col\" class=\"n\">Lowest</th><th "
           "scope=\"col\" class=\"n\">Highest</th><th scope=\"col\" class=\"n\">Seconds in "
           "clips</th></tr></thead><tbody>");
    for (size_t k = 0; k < x->n_tracks; k++) {
        const struct explain_track *f = &x->tracks[k];

        text_append_format(
            t,
            "<tr><th scope=\"row\">%llu</th><td class=\"n\">%zu</td><td class=\"n\">%zu</td><td "
            "class=\"n\">%.4f</td><td class=\"n\">%.4f</td><td class=\"n\">%.4f</td><td class=\"n\">%.1f</td></tr>",
            (unsigned long long)f->track + 1, f->n, f->n_fake, f->mean, f->min, f->max, (double)f->covered_us / 1e6);
    }
    text_append_string(t, "</tbody></table></div></section>");
}

static enum status append_data(struct text *t, const struct explain *x, struct error *e)
{
    enum { CROPS_BYTES = 2 << 20 };
    enum status s;

    text_append_string(t, "{\"charts\":{},");
    s = page_one_row(t, x->in->manifest, x->reader, x->index, e);
    text_append_string(t, ",");
    if (s == STATUS_OK)
        s = page_crops(t, x->in, &x->index, 1, CROPS_BYTES, e);
    text_append_string(t, "}");
    return s;
}

/* What the template needs, made beforehand, since page_fill knows of no explain. */
static enum status append_body(struct text *t, const struct explain *x, struct error *e)
{
    enum status s;

    text_append_string(t, "<title>fakesift: ");
    text_append_html(t, x->entry->path);
    text_append_string(
        t, "</title></head><body><header class=\"masthead\"><p class=\"wordmark\">fakesift <span>one video</span></p>"
           "<h1 class=\"one path\">");
    text_append_html(t, x->entry->path);
    text_append_string(t, "</h1><p class=\"lede\">");
    if (outcome_has_score(x->result->outcome))
        text_append_format(t, "P(fake) <strong class=\"label-%s\">%.4f</strong>",
                           x->result->p_fake >= 0.5 ? "FAKE" : "REAL", x->result->p_fake);
    else
        text_append_format(t, "No score: <strong>%s</strong>", outcome_name(x->result->outcome));
    text_append_string(t, " by ");
    text_append_html(t, x->in->detector_name ? x->in->detector_name : "the detector");
    if (x->entry->label != LABEL_UNKNOWN)
        text_append_format(t, "; labelled <strong class=\"label-%s\">%s</strong>", label_name(x->entry->label),
                           label_name(x->entry->label));
    text_append_string(t, "</p>");
    if (x->in->detector_worth && x->in->detector_worth[0] != '\0') {
        text_append_string(t, "<p class=\"worth\"><b>What this detector is worth</b> ");
        text_append_html(t, x->in->detector_worth);
        text_append_string(t, "</p>");
    }
    text_append_string(t, "</header><main id=\"main\"><section class=\"close\"><h2 class=\"unseen\">The "
                          "video</h2><noscript><p class=\"why\">The time line needs "
                          "JavaScript.</p></noscript><div id=\"video\"></div></section>");
    append_tracks(t, x);
    text_append_string(t, "<section><h2>What was not seen</h2><ul>");
    explain_unseen(x, list_item, t);
    text_append_string(t, "</ul></section>");
    if (x->all.n > 0) {
        text_append_string(t, "<section><h2>Among the run's videos</h2><p class=\"about\">Its score is</p><ul>");
        rank_item(t, &x->all, "videos");
        rank_item(t, &x->reals, "reals");
        rank_item(t, &x->fakes, "fakes");
        text_append_string(t, "</ul></section>");
    }
    text_append_string(t, "<section id=\"protocol\"><h2>Protocol</h2>");
    page_json_table(t, x->in->protocol_json, "Protocol");
    text_append_string(
        t, "</section></main><footer><p>A score is evidence, not a verdict. Do not accuse anybody on a detector's "
           "word.</p></footer><script type=\"application/json\" id=\"data\">");
    s = append_data(t, x, e);
    text_append_string(t, "</script>");
    return s;
}

static const struct page_part parts[] = {
    {"policy", NULL, page_policy},
    {"css", NULL, page_css_part},
};

static const struct page_part scripts[] = {
    {"charts_js", NULL, page_charts_js_part},
    {"video_js", NULL, page_video_js_part},
    {"js", NULL, page_js_part},
};

enum status explain_html_write(const struct explain *x, const char *path, struct error *e)
{
    struct text t = {0};
    enum status s = page_fill(&t, page_explain_html, parts, sizeof(parts) / sizeof(parts[0]), NULL, e);

    if (s == STATUS_OK)
        s = append_body(&t, x, e);
    if (s == STATUS_OK)
        s = page_fill(&t, "{{charts_js}}<script>{{video_js}}</script><script>{{js}}</script></body></html>\n", scripts,
                      sizeof(scripts) / sizeof(scripts[0]), NULL, e);
    if (s == STATUS_OK)
        s = file_write(path, t.data, t.len_bytes, e);
    text_clear(&t);
    return s;
}
