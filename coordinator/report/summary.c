/* The summary that a run prints at its end. */
#include "coordinator/report/model.h"

#include <errno.h>
#include <stdlib.h>

#include "shard/file.h"

static void print_interval(FILE *out, const char *name, const struct interval *i)
{
    if (i->undefined)
        fprintf(out, "; no %s interval: %s", name, undefined_reason(i->undefined));
    else
        fprintf(out, ", %s %.4f..%.4f%s", name, i->low, i->high,
                i->is_collapsed ? " (no variation: not certainty)" : "");
}

static void print_auc(FILE *out, const struct report_model *m)
{
    const struct metrics *v = &m->video;

    if (v->auc.undefined) {
        fprintf(out, "AUC: none: %s\n", undefined_reason(v->auc.undefined));
        return;
    }
    fprintf(out, "AUC %.4f (video level, n = %zu: %zu real, %zu fake; 95 %%", v->auc.value, v->n, v->n_real, v->n_fake);
    print_interval(out, "DeLong", &v->auc_delong);
    print_interval(out, "bootstrap", &v->auc_bootstrap);
    fprintf(out, ")\n");
}

enum status summary_print(const struct report_model *m, FILE *out, struct error *e)
{
    enum status s = STATUS_OK;
    char *page;

    for (int k = 1; k <= OUTCOME_COUNT; k++) {
        enum outcome o = k < OUTCOME_COUNT ? (enum outcome)k : OUTCOME_UNDECIDED;

        if (m->tally.by_outcome[o] > 0)
            fprintf(out, "  %-16s %8zu\n", outcome_name(o), m->tally.by_outcome[o]);
    }
    fprintf(out, "  %-16s %8zu\n", "total", m->tally.n);
    fprintf(out, "%zu of %zu video%s decided, %zu scored", m->tally.n_decided, m->tally.n, m->tally.n == 1 ? "" : "s",
            m->tally.n_scored);
    if (m->tally.n > 0)
        fprintf(out, " (coverage %.1f %%)", 100.0 * (double)m->tally.n_scored / (double)m->tally.n);
    fprintf(out, "\n");
    if (m->tally.n_decided < m->tally.n)
        fprintf(out, "%zu not yet decided\n", m->tally.n - m->tally.n_decided);
    print_auc(out, m);
    for (size_t k = 0; m->detectors && k <= m->further.n; k++) {
        const struct detector_figures *d = &m->detectors[k];

        fprintf(out, "  %s: %zu scored", detectors_name(m, k), d->n_scored);
        if (!d->metrics.auc.undefined)
            fprintf(out, ", AUC %.4f", d->metrics.auc.value);
        if (k > 0 && !d->against_first.undefined)
            fprintf(out, " (the first's less its %+.4f, paired DeLong p = %.2g)", d->against_first.difference,
                    d->against_first.p);
        fprintf(out, "\n");
    }
    for (size_t k = 0; k < m->n_findings; k++) {
        if (m->findings[k].is_warning)
            fprintf(out, "warning: %s\n", m->findings[k].text);
    }
    page = file_join(m->in->run_folder, "report.html");
    if (page)
        fprintf(out, "%s\n", page);
    else
        s = error_no_memory(e);
    free(page);
    if (s == STATUS_OK && ferror(out))
        s = error_set(e, STATUS_IO, "report: cannot print the summary");
    return s;
}

enum status report_print_summary(const struct report_input *in, FILE *out, struct error *e)
{
    struct report_model m = {0};
    enum status s = model_begin(in, &m, e);

    if (s == STATUS_OK)
        s = model_finish(&m, MODEL_OVERALL, e);
    if (s == STATUS_OK)
        s = summary_print(&m, out, e);
    model_clear(&m);
    return s;
}
