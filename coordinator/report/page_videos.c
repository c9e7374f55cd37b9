/* The page's lists of videos. */
#include "coordinator/report/page.h"

#include <stdlib.h>
#include <string.h>

#include "shard/text.h"

static const struct manifest_entry *entry_of(const struct report_model *m, size_t i)
{
    return manifest_entry(m->in->manifest, i);
}

static void label_cell(struct text *t, enum label label)
{
    text_append_format(t, "<td class=\"label-%s\">%s</td>", label_name(label), label_name(label));
}

static void table_open(struct text *t, const char *caption, const char *const *heads, size_t n)
{
    text_append_format(t, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table><thead><tr>",
                       caption);
    for (size_t k = 0; k < n; k++)
        text_append_format(t, "<th scope=\"col\">%s</th>", heads[k]);
    text_append_string(t, "</tr></thead><tbody>");
}

static void table_close(struct text *t)
{
    text_append_string(t, "</tbody></table></div>");
}

/* How much a video belongs on top of a list, or below 0 when it is not of the list. */
static double suspicion(const struct manifest_entry *entry, double p_fake)
{
    (void)entry;
    return p_fake >= 0.5 ? p_fake : -1;
}

static double false_alarm(const struct manifest_entry *entry, double p_fake)
{
    return entry->label == LABEL_REAL && p_fake >= 0.5 ? p_fake : -1;
}

static double miss(const struct manifest_entry *entry, double p_fake)
{
    return entry->label == LABEL_FAKE && p_fake < 0.5 ? 1 - p_fake : -1;
}

struct top {
    size_t index[MODEL_TOP];
    double weight[MODEL_TOP];
    size_t n, n_all;
};

/* One pass; most videos meet one comparison. Equal weights keep the manifest's order. */
static void find_top(const struct report_model *m, double (*weigh)(const struct manifest_entry *, double),
                     size_t n_wanted, struct top *top)
{
    *top = (struct top){0};
    for (size_t i = 0; i < m->n; i++) {
        double weight;
        size_t at;

        if (!outcome_has_score(results_outcome(m->in->results, i)))
            continue;
        weight = weigh(entry_of(m, i), results_p_fake(m->in->results, i));
        if (weight < 0)
            continue;
        top->n_all++;
        if (top->n == n_wanted && weight <= top->weight[top->n - 1])
            continue;
        at = top->n < n_wanted ? top->n++ : top->n - 1;
        for (; at > 0 && top->weight[at - 1] < weight; at--) {
            top->weight[at] = top->weight[at - 1];
            top->index[at] = top->index[at - 1];
        }
        top->weight[at] = weight;
        top->index[at] = i;
    }
}

/* A score without a frame that shows a face comes from a detector of whole frames. */
static bool looked_for_faces(const struct result *r)
{
    return r->n_frames_with_face > 0 || !outcome_has_score(r->outcome);
}

static void top_table(struct text *t, const struct report_model *m, const char *title, const char *none,
                      double (*weigh)(const struct manifest_entry *, double), size_t n_wanted)
{
    static const char *const heads[] = {"Video", "Label", "Family", "P(fake)", "Frames with a face"};
    struct top top;

    find_top(m, weigh, n_wanted, &top);
    text_append_format(t, "<h3>%s", title);
    if (top.n_all > top.n) {
        text_append_format(t, " <span class=\"soft\">(%zu of ", top.n);
        page_count(t, top.n_all);
        text_append_string(t, ")</span>");
    }
    text_append_string(t, "</h3>");
    if (top.n == 0) {
        text_append_format(t, "<p class=\"why\">%s</p>", none);
        return;
    }
    table_open(t, title, heads, 5);
    for (size_t k = 0; k < top.n; k++) {
        const struct manifest_entry *entry = entry_of(m, top.index[k]);
        const struct result *r = results_get(m->reader, top.index[k]);

        text_append_string(t, "<tr><th scope=\"row\" class=\"path\">");
        text_append_html(t, entry->path);
        text_append_string(t, "</th>");
        label_cell(t, entry->label);
        text_append_string(t, "<td>");
        text_append_html(t, entry->family);
        text_append_format(t, "</td><td class=\"score\">%.4f", r->p_fake);
        page_score_bar(t, r->p_fake);
        if (looked_for_faces(r))
            text_append_format(t, "</td><td>%u of %u</td></tr>", r->n_frames_with_face, r->n_frames_decoded);
        else
            text_append_string(t, "</td><td>not looked for</td></tr>");
    }
    table_close(t);
}

void page_first(struct text *t, const struct report_model *m)
{
    top_table(t, m, "Most suspicious", "No video scores 0.5 or more.", suspicion, 15);
    if (m->tally.n_real_scored > 0)
        top_table(t, m, "Reals that look fake", "No real scores 0.5 or more.", false_alarm, 10);
    if (m->tally.n_fake_scored > 0)
        top_table(t, m, "Fakes that pass", "No fake scores below 0.5.", miss, 10);
}

void page_unscored(struct text *t, const struct report_model *m)
{
    static const char *const heads[] = {"Video", "Label", "Outcome", "Why"};
    size_t n_all = m->tally.n_decided - m->tally.n_scored, n = 0;

    if (m->tally.n_decided < m->n) {
        text_append_string(t, "<p class=\"about\">");
        page_count(t, m->n - m->tally.n_decided);
        text_append_string(t, " not yet decided.</p>");
    }
    if (n_all == 0) {
        text_append_string(
            t, m->tally.n_decided == 0 ? "" : "<p class=\"about\">None: every decided video has a score.</p>");
        return;
    }
    if (n_all > PAGE_MAX_UNSCORED) {
        text_append_format(t, "<p class=\"about\">The first %d of ", PAGE_MAX_UNSCORED);
        page_count(t, n_all);
        text_append_string(t, "; all are in <code>report.json</code>.</p>");
    }
    table_open(t, "Videos without a score", heads, 4);
    for (size_t i = 0; i < m->n && n < PAGE_MAX_UNSCORED; i++) {
        enum outcome outcome = results_outcome(m->in->results, i);
        const struct result *r;

        if (outcome == OUTCOME_UNDECIDED || outcome_has_score(outcome))
            continue;
        r = results_get(m->reader, i);
        n++;
        text_append_string(t, "<tr><th scope=\"row\" class=\"path\">");
        text_append_html(t, entry_of(m, i)->path);
        text_append_string(t, "</th>");
        label_cell(t, entry_of(m, i)->label);
        text_append_format(t, "<td class=\"outcome\"><span class=\"swatch o-%s\"></span>%s</td><td class=\"message\">",
                           outcome_name(r->outcome), outcome_name(r->outcome));
        text_append_html(t, r->message);
        text_append_string(t, "</td></tr>");
    }
    table_close(t);
}

void page_all_note(struct text *t, const struct report_model *m)
{
    if (m->n <= PAGE_MAX_ROWS)
        return;
    text_append_string(t, "<p class=\"about\">This page holds ");
    page_count(t, PAGE_MAX_ROWS);
    text_append_string(t, " of ");
    page_count(t, m->n);
    text_append_string(t, " videos: those without a score first, then the highest scores. All are in "
                          "<code>scores.csv</code> and <code>results.sqlite</code>.</p>");
}

/* A JSON string inside <script>: "<" must not begin a tag or a comment there. */
static void append_string(struct text *t, const char *string)
{
    struct text json = {0};

    text_append_json(&json, string);
    if (json.failed)
        t->failed = true;
    text_append(t, "\"", 1);
    for (const char *p = json.data ? json.data : ""; *p != '\0';) {
        size_t plain = strcspn(p, "<");

        text_append(t, p, plain);
        p += plain;
        if (*p == '<') {
            text_append_string(t, "\\u003c");
            p++;
        }
    }
    text_append(t, "\"", 1);
    text_clear(&json);
}

static void append_row(struct text *t, const struct report_model *m, size_t i)
{
    const struct manifest_entry *entry = entry_of(m, i);
    const struct result *r = results_get(m->reader, i);
    const struct video_facts *facts = model_facts(entry, r);

    text_append(t, "[", 1);
    append_string(t, entry->path);
    text_append_format(t, ",%d,", (int)entry->label);
    append_string(t, entry->split);
    text_append(t, ",", 1);
    append_string(t, entry->family);
    text_append_format(t, ",%d,", (int)r->outcome);
    if (outcome_has_score(r->outcome))
        text_append_format(t, "%.6g,", r->p_fake);
    else
        text_append_string(t, "null,");
    if (r->outcome != OUTCOME_UNDECIDED && looked_for_faces(r))
        text_append_format(t, "%u,", r->n_frames_with_face);
    else
        text_append_string(t, "null,");
    if (facts->duration_us > 0)
        text_append_format(t, "%.1f,", (double)facts->duration_us / 1e6);
    else
        text_append_string(t, "null,");
    if (facts->width_px > 0)
        text_append_format(t, "\"%u\xc3\x97%u\",", facts->width_px, facts->height_px);
    else
        text_append_string(t, "\"\",");
    append_string(t, facts->codec);
    text_append(t, ",", 1);
    append_string(t, r->message);
    text_append(t, "]", 1);
}

struct weighed {
    double weight;
    uint32_t index;
};

static int compare_weighed(const void *left, const void *right)
{
    const struct weighed *a = left, *b = right;

    if (a->weight != b->weight)
        return a->weight > b->weight ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static double weight_of(const struct report_model *m, size_t i)
{
    enum outcome outcome = results_outcome(m->in->results, i);

    if (outcome_has_score(outcome))
        return results_p_fake(m->in->results, i);
    /* Undecided videos have nothing to show: last. */
    return outcome == OUTCOME_UNDECIDED ? -1 : 2;
}

/* 0..MAX_BIN, never falling with the weight. */
enum { MAX_BIN = 3 * 4096 };
static unsigned bin_of(double weight)
{
    return (unsigned)((weight + 1) * 4096);
}

/* keep[i]: the video is on the page. As page_all_note says. Only those whose weight is near the limit are sorted. */
static enum status choose(const struct report_model *m, uint8_t *keep, struct error *e)
{
    size_t *bins, n_kept = 0, n_near = 0;
    struct weighed *near;
    unsigned limit = MAX_BIN;

    if (m->n <= PAGE_MAX_ROWS) {
        memset(keep, 1, m->n);
        return STATUS_OK;
    }
    bins = calloc(MAX_BIN + 1, sizeof(*bins));
    if (!bins)
        return error_no_memory(e);
    for (size_t i = 0; i < m->n; i++)
        bins[bin_of(weight_of(m, i))]++;
    while (n_kept + bins[limit] < PAGE_MAX_ROWS)
        n_kept += bins[limit--];
    near = malloc((bins[limit] + 1) * sizeof(*near));
    free(bins);
    if (!near)
        return error_no_memory(e);
    for (size_t i = 0; i < m->n; i++) {
        double weight = weight_of(m, i);

        if (bin_of(weight) > limit)
            keep[i] = 1;
        else if (bin_of(weight) == limit)
            near[n_near++] = (struct weighed){.weight = weight, .index = (uint32_t)i};
    }
    qsort(near, n_near, sizeof(*near), compare_weighed);
    for (size_t k = 0; k < PAGE_MAX_ROWS - n_kept; k++)
        keep[near[k].index] = 1;
    free(near);
    return STATUS_OK;
}

enum status page_data(struct text *t, const struct report_model *m, struct error *e)
{
    uint8_t *keep = calloc(m->n + 1, 1);
    size_t n = 0;
    enum status s;

    if (!keep)
        return error_no_memory(e);
    s = choose(m, keep, e);
    text_append_string(t, "{\"labels\":[\"\",\"REAL\",\"FAKE\"],\"outcomes\":[");
    for (int k = 0; k < OUTCOME_COUNT; k++)
        text_append_format(t, "%s\"%s\"", k > 0 ? "," : "", outcome_name((enum outcome)k));
    text_append_string(t, "],\"rows\":[");
    for (size_t i = 0; s == STATUS_OK && i < m->n; i++) {
        if (!keep[i])
            continue;
        text_append_string(t, n++ > 0 ? ",\n" : "\n");
        append_row(t, m, i);
    }
    text_append_string(t, "]}");
    free(keep);
    return s;
}
