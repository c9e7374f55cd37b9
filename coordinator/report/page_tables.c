/* The page's tables of counts and figures. */
#include "coordinator/report/page.h"

#include <stddef.h>

void page_table_open(struct text *t, const char *caption, const char *class)
{
    text_append_format(t,
                       "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\"><table class=\"%s\">"
                       "<thead><tr>",
                       caption, class);
}

void page_table_heads(struct text *t, const char *const *names, size_t n, size_t first_number)
{
    for (size_t k = 0; k < n; k++)
        text_append_format(t, "<th scope=\"col\"%s>%s</th>", k >= first_number ? " class=\"n\"" : "", names[k]);
    text_append_string(t, "</tr></thead><tbody>");
}

void page_table_close(struct text *t)
{
    text_append_string(t, "</tbody></table></div>");
}

static void count_cell(struct text *t, size_t n)
{
    text_append_string(t, "<td class=\"n\">");
    page_count(t, n);
    text_append_string(t, "</td>");
}

static void share_cell(struct text *t, size_t part, size_t whole)
{
    if (whole > 0)
        text_append_format(t, "<td class=\"n\">%.1f\xc2\xa0%%</td>", 100.0 * (double)part / (double)whole);
    else
        text_append_string(t, "<td class=\"n\"></td>");
}

static void measure_cell(struct text *t, const struct measure *v)
{
    if (v->undefined)
        text_append_string(t, "<td class=\"n why\">none</td>"); /* the reason stands below the table */
    else
        text_append_format(t, "<td class=\"n\">%.4f</td>", v->value);
}

/* An interval stays out where the figure itself is: the reason stands there already. */
static void range_cell(struct text *t, const struct measure *auc, const struct interval *i)
{
    text_append_string(t, i->undefined ? "<td class=\"message\">" : "<td class=\"n\">");
    if (!auc->undefined)
        page_range(t, i);
    text_append_string(t, "</td>");
}

/* Of a figure's bootstrap, where a table below says why there is none. */
static void bare_range_cell(struct text *t, const struct interval *i)
{
    text_append_string(t, "<td class=\"n\">");
    if (!i->undefined)
        page_range(t, i);
    text_append_string(t, "</td>");
}

static const char *outcome_meaning(enum outcome o)
{
    switch (o) {
    case OUTCOME_UNDECIDED:
        return "not worked on yet";
    case OUTCOME_SCORED:
        return "every wanted frame was read";
    case OUTCOME_PARTIAL_DECODE:
        return "scored, but some wanted frames were lost";
    case OUTCOME_NO_FACE:
        return "decoded, no face in any wanted frame";
    case OUTCOME_TOO_SHORT:
        return "fewer frames than the detector needs";
    case OUTCOME_NO_VIDEO:
        return "no video stream, or not a media file";
    case OUTCOME_DECODE_ERROR:
        return "recognised, but nothing usable could be decoded";
    case OUTCOME_TIMEOUT:
        return "past the deadline, on every attempt";
    case OUTCOME_CRASHED:
        return "its process died, on every attempt";
    case OUTCOME_MISSING:
        return "the file could not be opened";
    case OUTCOME_UNSUPPORTED:
        return "a codec, container or size that this build does not read";
    case OUTCOME_COUNT:
        break;
    }
    return "";
}

void page_outcomes(struct text *t, const struct report_model *m)
{
    static const char *const names[] = {"Outcome", "Meaning", "Videos", "Share"};

    page_chart(t, m, CHART_OUTCOMES);
    page_table_open(t, "Outcomes", "outcomes");
    page_table_heads(t, names, 4, 2);
    for (int k = 1; k <= OUTCOME_COUNT; k++) {
        enum outcome o = k < OUTCOME_COUNT ? (enum outcome)k : OUTCOME_UNDECIDED;
        size_t n = m->tally.by_outcome[o];

        text_append_format(t, "<tr%s><th scope=\"row\"><span class=\"swatch o-%s\"></span>%s</th><td>%s</td>",
                           n == 0 ? " class=\"empty\"" : "", outcome_name(o), outcome_name(o), outcome_meaning(o));
        count_cell(t, n);
        share_cell(t, n, m->n);
        text_append_string(t, "</tr>");
    }
    text_append_string(t, "</tbody><tfoot><tr><th scope=\"row\">total</th><td>the manifest</td>");
    count_cell(t, m->n);
    share_cell(t, m->n, m->n);
    text_append_string(t, "</tr></tfoot></table></div>");
}

struct figure {
    const char *name, *reading;
    enum figure_id id;
};

static const struct figure figures[] = {
    {"AUC", "chance that a fake outscores a real; 0.5 is guessing, 1 perfect", FIGURE_AUC},
    {"Partial AUC, FPR to 0.1", "the part of few false alarms, standardised: 0.5 is guessing, 1 perfect", FIGURE_PAUC},
    {"Average precision", "area under precision and recall; guessing gives the share of fakes",
     FIGURE_AVERAGE_PRECISION},
    {"Equal error rate", "lower is better; interpolated", FIGURE_EER},
    {"Equal error rate, argmin", "the same at the threshold where both errors are nearest", FIGURE_EER_ARGMIN},
    {"TPR at FPR 0.01", "fakes caught while at most 1 % of reals are accused", FIGURE_TPR_AT_FPR_1E2},
    {"TPR at FPR 0.001", "the same at 0.1 %; needs a thousand reals to mean much", FIGURE_TPR_AT_FPR_1E3},
    {"ln wP at recall 0.1", "weighted precision TP / (TP + 100 FP), its logarithm; 0 is perfect", FIGURE_LN_WP_10},
    {"ln wP at recall 0.5", "the same where half of the fakes are caught", FIGURE_LN_WP_50},
    {"ln wP at recall 0.9", "the same where nine of ten are", FIGURE_LN_WP_90},
    {"Log loss", "lower is better; a constant 0.5 reaches 0.6931", FIGURE_LOG_LOSS},
    {"Brier score", "lower is better; a constant 0.5 reaches 0.25", FIGURE_BRIER},
    {"Calibration error", "ECE over 15 bins: how far scores are from shares of fakes", FIGURE_ECE},
    {"Accuracy at 0.5", "a score of 0.5 or more counts as called fake", FIGURE_ACCURACY},
};
enum { N_FIGURES = sizeof(figures) / sizeof(figures[0]) };

/* Undefined figures have no row; a sentence below the table gives each reason once. */
static void figure_rows(struct text *t, const struct metrics *video, const struct level levels[LEVEL_COUNT])
{
    for (size_t k = 0; k < N_FIGURES; k++) {
        const struct measure *v = metrics_figure(video, figures[k].id);

        if (v->undefined)
            continue;
        text_append_format(t, "<tr><th scope=\"row\">%s</th>", figures[k].name);
        measure_cell(t, v);
        bare_range_cell(t, &video->intervals[figures[k].id]);
        for (int level = 0; level < LEVEL_COUNT; level++) {
            if (levels[level].metrics.n > 0)
                measure_cell(t, metrics_figure(&levels[level].metrics, figures[k].id));
        }
        text_append_format(t, "<td class=\"soft\">%s</td></tr>", figures[k].reading);
    }
}

/* Undefined figures have no row; a sentence below the table gives each reason once. */
static void undefined_figures(struct text *t, const struct metrics *video)
{
    size_t n = 0;

    for (size_t k = 0; k < N_FIGURES; k++) {
        if (!metrics_figure(video, figures[k].id)->undefined)
            continue;
        text_append_format(t, "%s%s", n++ > 0 ? ", " : "<p class=\"why\">Undefined: ", figures[k].name);
    }
    /* All share the cause: a class is missing. */
    if (n > 0)
        text_append_format(t, ". Why: %s.</p>", undefined_reason(video->auc.undefined));
}

static void interval_row(struct text *t, const char *name, const struct measure *auc, const struct interval *i)
{
    text_append_format(t, "<tr><th scope=\"row\">%s%s</th>", name, i->is_influence ? " (by influence)" : "");
    range_cell(t, auc, i);
    text_append_string(t, "<td class=\"n\">");
    if (!i->undefined && i->replicates > 0)
        page_count(t, i->replicates);
    text_append_string(t, "</td><td class=\"n\">");
    if (!i->undefined && i->n_clusters > 0)
        page_count(t, i->n_clusters);
    text_append_string(t, "</td></tr>");
}

static void intervals(struct text *t, const struct report_model *m)
{
    static const char *const names[] = {"95 % interval of the AUC", "From\xe2\x80\x93to", "Replicates", "Drawn from"};

    if (m->video.auc.undefined)
        return;
    text_append_string(t, "<h3>How sure the AUC is</h3>");
    page_chart(t, m, CHART_INTERVALS);
    page_table_open(t, "Intervals of the AUC", "intervals");
    page_table_heads(t, names, 4, 1);
    interval_row(t, "DeLong, videos independent", &m->video.auc, &m->video.auc_delong);
    interval_row(t, "Bootstrap by video", &m->video.auc, &m->video.auc_bootstrap);
    for (int k = 0; k < DEPENDENCE_COUNT; k++) {
        char name[64];

        if (!m->dependences[k].is_present)
            continue;
        snprintf(name, sizeof(name), "Bootstrap by %s", m->dependences[k].name);
        interval_row(t, name, &m->video.auc, &m->dependences[k].auc);
    }
    for (int k = 0; k < LEVEL_COUNT; k++) {
        const struct metrics *of = &m->levels[k].metrics;

        if (of->n > 0)
            interval_row(t, k == LEVEL_CLIP ? "Clips, bootstrap by video" : "Frames, bootstrap by video", &of->auc,
                         &of->auc_bootstrap);
    }
    page_table_close(t);
}

static void calibration(struct text *t, const struct calibration *c)
{
    static const enum figure_id shown[] = {FIGURE_LOG_LOSS, FIGURE_BRIER, FIGURE_ECE};
    static const char *const names[] = {"Calibration", "As scored", "95 %, bootstrap", "At the temperature",
                                        "95 %, bootstrap"};

    text_append_string(t, "<h3>Calibration</h3>");
    if (c->why_not) {
        text_append_format(t, "<p class=\"why\">None: %s.</p>", c->why_not);
        return;
    }
    text_append_string(t, "<p class=\"about\">A temperature is fitted on the ");
    page_count(t, c->n_fitted);
    text_append_string(t, " scored videos of split ");
    text_append_html(t, c->fitted_on);
    text_append_format(t, ": scores' logits divided by %.4g%s. Shown on ", c->temperature,
                       c->is_at_bound ? ", the bound of the search, so no temperature helps" : "");
    page_count(t, c->before.n);
    text_append_string(t, c->shown_on[0] != '\0' ? " videos of split " : " videos of the other splits");
    text_append_html(t, c->shown_on);
    text_append_string(t, ", which it has not seen.</p>");
    page_table_open(t, "Calibration", "calibration");
    page_table_heads(t, names, 5, 1);
    for (size_t k = 0; k < sizeof(shown) / sizeof(shown[0]); k++) {
        for (size_t i = 0; i < N_FIGURES; i++) {
            if (figures[i].id == shown[k])
                text_append_format(t, "<tr><th scope=\"row\">%s</th>", figures[i].name);
        }
        measure_cell(t, metrics_figure(&c->before, shown[k]));
        bare_range_cell(t, &c->before.intervals[shown[k]]);
        measure_cell(t, metrics_figure(&c->after, shown[k]));
        bare_range_cell(t, &c->after.intervals[shown[k]]);
        text_append_string(t, "</tr>");
    }
    page_table_close(t);
}

static void localisation(struct text *t, const struct report_model *m)
{
    static const char *const names[] = {"Figure", "Value", "95 %, bootstrap by video"};
    static const char *const figures_of[LOCALISE_FIGURES] = {
        "AP at IoU 0.5",      "AP at IoU 0.75",           "AP at IoU 0.9",      "AP at IoU 0.95",
        "AR of 50 proposals", "AR of 30 proposals",       "AR of 20 proposals", "AR of 10 proposals",
        "AR of 5 proposals",  "1M-Deepfakes task 2 score"};
    const struct localisation *l = &m->localisation;

    if (!m->has_localisation)
        return;
    text_append_string(t, "<h3>Which seconds are fake</h3><p class=\"about\">The scores' own proposals against the ");
    page_n(t, l->n_spans, "stated fake segment");
    text_append_string(t, " of ");
    page_n(t, l->n_videos, "video");
    text_append_string(t, m->localised_by_frames > 0 ? ", from scores of frames."
                                                     : ", from scores of clips, which may be long.");
    text_append_string(t, "</p>");
    page_table_open(t, "Which seconds are fake", "localisation");
    page_table_heads(t, names, 3, 1);
    for (int k = 0; k < LOCALISE_FIGURES; k++) {
        text_append_format(t, "<tr><th scope=\"row\">%s</th><td class=\"n\">%.4f</td><td class=\"n\">", figures_of[k],
                           l->figures[k]);
        if (l->replicates > 0)
            text_append_format(t, "%.4f\xe2\x80\x93%.4f", l->low[k], l->high[k]);
        text_append_string(t, "</td></tr>");
    }
    page_table_close(t);
}

void page_figures(struct text *t, const struct report_model *m)
{
    const struct metrics *v = &m->video;
    static const char *const names[] = {"Figure", "Videos", "95 %, bootstrap", "Clips", "Frames"};

    if (v->n == 0) {
        text_append_format(t, "<p class=\"why\">None: %s.</p>", undefined_reason(UNDEFINED_NO_ITEMS));
        page_detectors(t, m);
        return;
    }
    page_table_open(t, "Figures", "figures");
    for (int k = 0; k < 3 + LEVEL_COUNT; k++) {
        if (k < 3 || m->levels[k - 3].metrics.n > 0)
            text_append_format(t, "<th scope=\"col\"%s>%s</th>", k > 0 ? " class=\"n\"" : "", names[k]);
    }
    text_append_string(t, "<th scope=\"col\">How to read it</th></tr></thead><tbody><tr><th "
                          "scope=\"row\">Scored and labelled</th>");
    count_cell(t, v->n);
    text_append_string(t, "<td></td>");
    for (int k = 0; k < LEVEL_COUNT; k++) {
        if (m->levels[k].metrics.n > 0)
            count_cell(t, m->levels[k].metrics.n);
    }
    text_append_string(t, "<td class=\"soft\">the items behind each figure of the column</td></tr>"
                          "<tr><th scope=\"row\">Real, fake</th><td class=\"n\">");
    page_count(t, v->n_real);
    text_append_string(t, ", ");
    page_count(t, v->n_fake);
    text_append_string(t, "</td><td></td>");
    for (int k = 0; k < LEVEL_COUNT; k++) {
        const struct metrics *of = &m->levels[k].metrics;

        if (of->n == 0)
            continue;
        text_append_string(t, "<td class=\"n\">");
        page_count(t, of->n_real);
        text_append_string(t, ", ");
        page_count(t, of->n_fake);
        text_append_string(t, "</td>");
    }
    text_append_string(t, "<td></td></tr>");
    figure_rows(t, v, m->levels);
    page_table_close(t);
    undefined_figures(t, v);
    intervals(t, m);
    calibration(t, &m->calibration);
    page_detectors(t, m);
    localisation(t, m);
}

/* Of the AUC of clips and of frames, where groups have it. */
static void level_cells(struct text *t, const struct report_model *m, const struct group *g)
{
    for (int k = 0; k < LEVEL_COUNT; k++) {
        if (m->levels[k].is_grouped && m->levels[k].metrics.n > 0)
            measure_cell(t, &g->levels[k].auc);
    }
}

static void group_rows(struct text *t, const struct report_model *m, const struct group *groups, size_t n,
                       bool is_measured)
{
    for (size_t k = 0; k < n; k++) {
        const struct group *g = &groups[k];

        text_append_string(t, "<tr><th scope=\"row\">");
        if (g->is_rest)
            text_append_format(t, "<span class=\"why\">%zu more, together</span>", g->n_groups);
        else if (g->name[0] == '\0')
            text_append_string(t, "<span class=\"why\">none stated</span>");
        else
            text_append_html(t, g->name);
        text_append_string(t, "</th>");
        count_cell(t, g->tally.n);
        share_cell(t, g->tally.n_scored, g->tally.n);
        count_cell(t, g->metrics.n_real);
        count_cell(t, g->metrics.n_fake);
        if (!is_measured) {
            text_append_string(t, "</tr>");
        } else if (!g->metrics.auc.undefined) {
            measure_cell(t, &g->metrics.auc);
            range_cell(t, &g->metrics.auc, &g->metrics.auc_delong);
            level_cells(t, m, g);
            text_append_string(t, "</tr>");
        } else {
            text_append_format(t, "<td class=\"why\" colspan=\"2\">%s</td>",
                               undefined_reason(g->metrics.auc.undefined));
            level_cells(t, m, g);
            text_append_string(t, "</tr>");
        }
    }
}

static void group_table(struct text *t, const struct report_model *m, const char *id, const char *title,
                        const char *head, const char *about, const struct group *groups, size_t n)
{
    static const char *const numbers[] = {"Videos", "Scored", "Reals scored", "Fakes scored", "AUC", "95 %, DeLong"};

    bool is_measured = false;

    if (n == 0)
        return;
    for (size_t k = 0; k < n; k++)
        is_measured = is_measured || !groups[k].metrics.auc.undefined;
    text_append_format(t, "<section id=\"%s\"><h2>%s</h2><p class=\"about\">%s</p>", id, title, about);
    if (groups == m->families)
        page_chart(t, m, CHART_FAMILIES);
    page_table_open(t, title, "groups");
    text_append_format(t, "<th scope=\"col\">%s</th>", head);
    for (size_t k = 0; k < (is_measured ? 6 : 4); k++)
        text_append_format(t, "<th scope=\"col\" class=\"n\">%s</th>", numbers[k]);
    for (int k = 0; is_measured && k < LEVEL_COUNT; k++) {
        if (m->levels[k].is_grouped && m->levels[k].metrics.n > 0)
            text_append_format(t, "<th scope=\"col\" class=\"n\">AUC of %s</th>", k == LEVEL_CLIP ? "clips" : "frames");
    }
    text_append_string(t, "</tr></thead><tbody>");
    group_rows(t, m, groups, n, is_measured);
    page_table_close(t);
    text_append_string(t, "</section>");
}

void page_groups(struct text *t, const struct report_model *m)
{
    group_table(t, m, "families", "By family of manipulation", "Family",
                "The fakes of each family against all scored reals: which manipulations the detector sees, "
                "and which it "
                "does not.",
                m->families, m->n_families);
    group_table(t, m, "methods", "By method", "Method", "The same by the data set's own name of how a fake was made.",
                m->methods, m->n_methods);
    group_table(t, m, "splits", "By split", "Split",
                "Each split by itself. A detector may have been trained on one of them.", m->splits, m->n_splits);
    group_table(t, m, "groups", "By group", "Group", "Each group by itself: videos of one source, shoot or person.",
                m->groups, m->n_groups);
    group_table(t, m, "codecs", "By codec", "Codec",
                "Figures that differ by codec say that the detector sees compression, or that the labels follow it.",
                m->codecs, m->n_codecs);
    group_table(t, m, "resolutions", "By resolution", "Shorter side, pixels",
                "Small faces carry little; a detector may do well on large pictures alone.", m->resolutions,
                m->n_resolutions);
}

void page_policies(struct text *t, const struct report_model *m)
{
    static const char *const names[] = {"Unscored videos are", "n", "AUC", "95 %, DeLong", "Log loss", "Brier",
                                        "Accuracy at 0.5"};

    if (m->tally.n_real + m->tally.n_fake == 0) {
        text_append_string(t, "<p class=\"why\">Nothing to show without labels.</p>");
        return;
    }
    page_table_open(t, "Policies for unscored videos", "policies");
    page_table_heads(t, names, 7, 1);
    for (int k = 0; k < POLICY_COUNT; k++) {
        const struct metrics *v = &m->policies[k].metrics;

        text_append_format(t, "<tr><th scope=\"row\">%s</th>", m->policies[k].meaning);
        count_cell(t, v->n);
        measure_cell(t, &v->auc);
        range_cell(t, &v->auc, &v->auc_delong);
        measure_cell(t, &v->log_loss);
        measure_cell(t, &v->brier);
        measure_cell(t, &v->accuracy);
        text_append_string(t, "</tr>");
    }
    page_table_close(t);
    if (m->video.auc.undefined)
        text_append_format(t, "<p class=\"why\">None: %s.</p>", undefined_reason(m->video.auc.undefined));
}
