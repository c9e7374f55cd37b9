/* The page's table of a run's detectors. */
#include "coordinator/report/page.h"

static void figure_cell(struct text *t, const struct metrics *m, enum figure_id id)
{
    const struct measure *v = metrics_figure(m, id);

    if (v->undefined)
        text_append_string(t, "<td class=\"n why\">none</td>");
    else
        text_append_format(t, "<td class=\"n\">%.4f</td>", v->value);
}

static void against_cells(struct text *t, const struct detector_figures *d)
{
    const struct paired *p = &d->against_first;

    text_append_string(t, "<td class=\"n\">");
    if (p->undefined)
        text_append_string(t, "</td><td class=\"n\">");
    else
        text_append_format(t, "%+.4f (%+.4f\xe2\x80\xa6%+.4f)</td><td class=\"n\">%.2g", p->difference, p->low, p->high,
                           p->p);
    text_append_string(t, "</td>");
}

void page_detectors(struct text *t, const struct report_model *m)
{
    static const char *const names[] = {"Detector",
                                        "Scored",
                                        "AUC",
                                        "95 %, DeLong",
                                        "Average precision",
                                        "Equal error rate",
                                        "Log loss",
                                        "Brier score",
                                        "The first\xe2\x80\x99s AUC less its",
                                        "p"};

    if (!m->detectors)
        return;
    text_append_string(
        t, "<h3>The detectors side by side</h3><p class=\"about\">All other figures of this page are the first "
           "detector\xe2\x80\x99s. A row counts the videos that its detector scores; the difference and its p "
           "(paired DeLong, uncorrected for the number of rows) those that both score.</p>");
    page_table_open(t, "The detectors side by side", "detectors");
    page_table_heads(t, names, sizeof(names) / sizeof(names[0]), 1);
    for (size_t k = 0; k <= m->further.n; k++) {
        const struct detector_figures *d = &m->detectors[k];

        text_append_string(t, "<tr><th scope=\"row\">");
        text_append_html(t, detectors_name(m, k));
        text_append_string(t, "</th><td class=\"n\">");
        page_count(t, d->n_scored);
        text_append_string(t, "</td>");
        figure_cell(t, &d->metrics, FIGURE_AUC);
        text_append_string(t, "<td class=\"n\">");
        if (!d->metrics.auc.undefined)
            page_range(t, &d->metrics.auc_delong);
        text_append_string(t, "</td>");
        figure_cell(t, &d->metrics, FIGURE_AVERAGE_PRECISION);
        figure_cell(t, &d->metrics, FIGURE_EER);
        figure_cell(t, &d->metrics, FIGURE_LOG_LOSS);
        figure_cell(t, &d->metrics, FIGURE_BRIER);
        if (k > 0)
            against_cells(t, d);
        else
            text_append_string(t, "<td></td><td></td>");
        text_append_string(t, "</tr>");
    }
    page_table_close(t);
}
