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

/* Rows of the tables. */
enum { N_SUSPICIOUS = 15, N_WRONG = 10 };

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

size_t page_first_indices(const struct report_model *m, size_t *ret_indices)
{
    static double (*const weigh[])(const struct manifest_entry *, double) = {suspicion, false_alarm, miss};
    static const size_t n_wanted[] = {N_SUSPICIOUS, N_WRONG, N_WRONG};
    size_t n = 0;

    for (size_t k = 0; k < 3; k++) {
        struct top top;

        find_top(m, weigh[k], n_wanted[k], &top);
        for (size_t i = 0; i < top.n; i++) {
            bool is_there = false;

            for (size_t j = 0; j < n; j++)
                is_there = is_there || ret_indices[j] == top.index[i];
            if (!is_there && n < PAGE_MAX_FIRST)
                ret_indices[n++] = top.index[i];
        }
    }
    return n;
}

void page_first(struct text *t, const struct report_model *m)
{
    top_table(t, m, "Most suspicious", "No video scores 0.5 or more.", suspicion, N_SUSPICIOUS);
    if (m->tally.n_real_scored > 0)
        top_table(t, m, "Reals that look fake", "No real scores 0.5 or more.", false_alarm, N_WRONG);
    if (m->tally.n_fake_scored > 0)
        top_table(t, m, "Fakes that pass", "No fake scores below 0.5.", miss, N_WRONG);
}

static double seconds(int64_t us)
{
    return (double)us / 1e6;
}

/* The slowest, in one pass: a list that stays sorted. */
static size_t find_slowest(const struct report_model *m, size_t index[PAGE_MAX_SLOWEST],
                           int64_t wall_us[PAGE_MAX_SLOWEST])
{
    size_t n = 0;

    for (size_t i = 0; i < m->n; i++) {
        int64_t wall = results_outcome(m->in->results, i) == OUTCOME_UNDECIDED ? 0 : results_get(m->reader, i)->wall_us;
        size_t at;

        if (wall <= 0 || (n == PAGE_MAX_SLOWEST && wall <= wall_us[n - 1]))
            continue;
        for (at = n < PAGE_MAX_SLOWEST ? n++ : n - 1; at > 0 && wall_us[at - 1] < wall; at--) {
            wall_us[at] = wall_us[at - 1];
            index[at] = index[at - 1];
        }
        wall_us[at] = wall;
        index[at] = i;
    }
    return n;
}

void page_slowest(struct text *t, const struct report_model *m)
{
    static const char *const heads[] = {"Video", "Outcome", "Seconds", "Decoding", "Faces", "Networks", "Attempts"};
    size_t index[PAGE_MAX_SLOWEST], n;
    int64_t wall_us[PAGE_MAX_SLOWEST];

    if (m->n > PAGE_MAX_TIMED) {
        text_append_string(
            t, "<p class=\"about\">Of so many videos the slowest are listed by <code>sqlite3 results.sqlite 'SELECT * "
               "FROM slowest LIMIT 20'</code>.</p>");
        return;
    }
    n = find_slowest(m, index, wall_us);
    if (n == 0) {
        text_append_string(t, "<p class=\"why\">No times are known.</p>");
        return;
    }
    text_append_string(t, "<p class=\"about\">A lane's seconds, from opening the file to the result.</p>");
    table_open(t, "Slowest videos", heads, 7);
    for (size_t k = 0; k < n; k++) {
        const struct result *r = results_get(m->reader, index[k]);

        text_append_string(t, "<tr><th scope=\"row\" class=\"path\">");
        text_append_html(t, entry_of(m, index[k])->path);
        text_append_format(
            t,
            "</th><td class=\"outcome\"><span class=\"swatch o-%s\"></span>%s</td><td>%.2f</td><td>%.2f</td>"
            "<td>%.2f</td><td>%.2f</td><td>%u</td></tr>",
            outcome_name(r->outcome), outcome_name(r->outcome), seconds(r->wall_us), seconds(r->decode_us),
            seconds(r->face_us), seconds(r->network_us), r->attempt);
    }
    table_close(t);
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
