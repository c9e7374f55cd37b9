/* The page's drawings: SVG made from the numbers, no library. Colours are classes of page.css. */
#include "coordinator/report/page.h"

#include <math.h>

void page_outcome_bar(struct text *t, const struct report_model *m)
{
    double left = 0;

    if (m->n == 0)
        return;
    text_append_string(
        t, "<svg class=\"share\" viewBox=\"0 0 1000 30\" preserveAspectRatio=\"none\" aria-hidden=\"true\">");
    for (int k = 1; k <= OUTCOME_COUNT; k++) {
        enum outcome o = k < OUTCOME_COUNT ? (enum outcome)k : OUTCOME_UNDECIDED;
        double width = 1000.0 * (double)m->tally.by_outcome[o] / (double)m->n;

        if (width > 0) {
            text_append_format(t, "<rect class=\"o-%s\" x=\"%.2f\" width=\"%.2f\" height=\"30\"/>", outcome_name(o),
                               left, width);
        }
        left += width;
    }
    text_append_string(t, "</svg>");
}

static const char *const label_words[] = {[LABEL_UNKNOWN] = "unlabelled", [LABEL_REAL] = "real", [LABEL_FAKE] = "fake"};
static const char *const label_titles[] = {
    [LABEL_UNKNOWN] = "Unlabelled", [LABEL_REAL] = "Real", [LABEL_FAKE] = "Fake"};
static const char *const label_classes[] = {[LABEL_UNKNOWN] = "none", [LABEL_REAL] = "real", [LABEL_FAKE] = "fake"};

struct panel {
    enum label label;
    size_t n;
};

static size_t find_panels(const struct report_model *m, struct panel panels[3], double *ret_peak)
{
    static const enum label order[] = {LABEL_REAL, LABEL_FAKE, LABEL_UNKNOWN};
    size_t n_panels = 0;
    double peak = 0;

    for (int k = 0; k < 3; k++) {
        const size_t *bins = m->histogram.of_label[order[k]];
        size_t n = 0;

        for (int b = 0; b < MODEL_BINS; b++)
            n += bins[b];
        if (n == 0)
            continue;
        for (int b = 0; b < MODEL_BINS; b++)
            peak = fmax(peak, (double)bins[b] / (double)n);
        panels[n_panels++] = (struct panel){.label = order[k], .n = n};
    }
    *ret_peak = peak;
    return n_panels;
}

/* One panel a label under one another, on one axis; heights are shares of the label, so a rare class shows.
 */
void page_histogram(struct text *t, const struct report_model *m)
{
    enum { WIDTH = 640, HEIGHT = 150, GAP = 28, AXIS = 24 };
    struct panel panels[3];
    double peak, step = (double)WIDTH / MODEL_BINS;
    size_t n_panels = find_panels(m, panels, &peak);
    int total = (int)n_panels * (HEIGHT + GAP);

    if (n_panels == 0) {
        text_append_string(t, "<p class=\"why\">No video has a score.</p>");
        return;
    }
    text_append_format(
        t, "<figure><svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"Distribution of scores by label\">", WIDTH,
        total + AXIS);
    for (size_t k = 0; k < n_panels; k++) {
        const size_t *bins = m->histogram.of_label[panels[k].label];
        int base = (int)(k + 1) * (HEIGHT + GAP);

        text_append_format(t, "<text class=\"strong\" x=\"0\" y=\"%d\">%s, ", base - HEIGHT - 8,
                           label_titles[panels[k].label]);
        page_count(t, panels[k].n);
        text_append_string(t, "</text>");
        for (int b = 0; b < MODEL_BINS; b++) {
            double height = (double)bins[b] / (double)panels[k].n / peak * HEIGHT;

            if (bins[b] == 0)
                continue;
            text_append_format(t,
                               "<rect class=\"bar-%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
                               "<title>%.2f to %.2f: %zu %s</title></rect>",
                               label_classes[panels[k].label], b * step + 1, base - fmax(height, 1), step - 2,
                               fmax(height, 1), (double)b / MODEL_BINS, (double)(b + 1) / MODEL_BINS, bins[b],
                               label_words[panels[k].label]);
        }
        text_append_format(t, "<line class=\"axis\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", WIDTH, base, base);
        text_append_format(t, "<line class=\"half\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", WIDTH / 2, WIDTH / 2,
                           base - HEIGHT, base);
    }
    for (int k = 0; k <= 4; k++) {
        static const char *const anchors[] = {"start", "middle", "middle", "middle", "end"};

        text_append_format(t, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%.2g</text>", k * WIDTH / 4, total + 17,
                           anchors[k], k / 4.0);
    }
    text_append_string(t,
                       "</svg><figcaption>How the scores of each label are spread over P(fake). Heights are shares of "
                       "the label; the tallest bar is ");
    text_append_format(t, "%.0f\xc2\xa0%%.</figcaption></figure>", 100 * peak);
}

/* The curve's corners, thinned where they are closer than a pixel. */
static void append_curve(struct text *t, const struct ranking *r, int side)
{
    size_t false_fakes = 0, true_fakes = 0;
    double step = 2.0 / PAGE_MAX_POINTS, last_x = 0, last_y = 0;

    text_append_format(t, "M0,%d", side);
    for (size_t end = r->n; end > 0;) {
        double x, y;

        do {
            end--;
            true_fakes += r->is_fake[end];
            false_fakes += !r->is_fake[end];
        } while (end > 0 && r->p_fake[end - 1] == r->p_fake[end]);
        x = (double)false_fakes / (double)r->n_real;
        y = (double)true_fakes / (double)r->n_fake;
        if (end > 0 && x - last_x < step && y - last_y < step && r->n > PAGE_MAX_POINTS)
            continue;
        text_append_format(t, "L%.1f,%.1f", x * side, (1 - y) * side);
        last_x = x;
        last_y = y;
    }
}

void page_roc(struct text *t, const struct report_model *m)
{
    enum { SIDE = 300, MARGIN = 54 };
    const struct metrics *v = &m->video;
    double x, y;

    if (v->auc.undefined)
        return;
    text_append_format(t, "<figure><svg viewBox=\"-%d -8 %d %d\" role=\"img\" aria-label=\"ROC curve, area %.3f\">",
                       MARGIN, SIDE + MARGIN + 8, SIDE + 48, v->auc.value);
    for (int k = 0; k <= 4; k++) {
        int at = k * SIDE / 4;

        text_append_format(t,
                           "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"0\" y2=\"%d\"/><line class=\"grid\" x1=\"0\" "
                           "x2=\"%d\" y1=\"%d\" y2=\"%d\"/>",
                           at, at, SIDE, SIDE, at, at);
        text_append_format(t,
                           "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%.2g</text><text x=\"-7\" y=\"%d\" "
                           "text-anchor=\"end\">%.2g</text>",
                           at, SIDE + 17, k == 4 ? "end" : "middle", k / 4.0, SIDE - at + 4, k / 4.0);
    }
    text_append_format(t, "<line class=\"half\" x1=\"0\" x2=\"%d\" y1=\"%d\" y2=\"0\"/><path class=\"under\" d=\"",
                       SIDE, SIDE);
    append_curve(t, &m->ranking, SIDE);
    text_append_format(t, "L%d,%dZ\"/><path class=\"roc\" d=\"", SIDE, SIDE);
    append_curve(t, &m->ranking, SIDE);
    x = (double)v->n_real_called_fake / (double)v->n_real * SIDE;
    y = (1 - (double)v->n_fake_called_fake / (double)v->n_fake) * SIDE;
    text_append_format(
        t, "\"/><circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\"><title>threshold 0.5</title></circle>", x, y);
    text_append_format(t, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">reals accused</text>", SIDE / 2, SIDE + 33);
    text_append_format(
        t, "<text transform=\"rotate(-90)\" x=\"-%d\" y=\"-42\" text-anchor=\"middle\">fakes caught</text>", SIDE / 2);
    text_append_string(t, "</svg><figcaption>ROC: share of fakes caught against share of reals accused, for every "
                          "threshold. The dot is 0.5; the dashed line is guessing.</figcaption></figure>");
}

void page_whisker(struct text *t, const struct measure *auc, const struct interval *i)
{
    enum { WIDTH = 200 };

    if (auc->undefined)
        return;
    text_append_format(
        t,
        "<svg viewBox=\"0 0 %d 20\" aria-hidden=\"true\"><line class=\"grid\" x1=\"0\" x2=\"%d\" y1=\"10\" "
        "y2=\"10\"/><line class=\"half\" x1=\"%d\" x2=\"%d\" y1=\"2\" y2=\"18\"/>",
        WIDTH, WIDTH, WIDTH / 2, WIDTH / 2);
    if (!i->undefined)
        text_append_format(t, "<line class=\"whisker\" x1=\"%.1f\" x2=\"%.1f\" y1=\"10\" y2=\"10\"/>", i->low * WIDTH,
                           i->high * WIDTH);
    text_append_format(t, "<circle class=\"dot\" cx=\"%.1f\" cy=\"10\" r=\"3.5\"/></svg>", auc->value * WIDTH);
}

void page_score_bar(struct text *t, double p_fake)
{
    text_append_format(
        t,
        "<svg viewBox=\"0 0 100 6\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" "
        "width=\"100\" height=\"6\"/><rect class=\"bar-%s\" width=\"%.1f\" height=\"6\"/></svg>",
        p_fake >= 0.5 ? "fake" : "real", 100 * p_fake);
}
