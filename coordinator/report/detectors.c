/* The detectors of a run side by side. */
#include <math.h>
#include <stdlib.h>

#include "coordinator/report/model.h"
#include "shard/text.h"

const char *detectors_name(const struct report_model *m, size_t index)
{
    if (index == 0)
        return m->in->detector_name ? m->in->detector_name : "";
    return m->further.list[index - 1];
}

/* Which videos go in, and with which score. */
struct columns {
    double *own, *first; /* own: of the detector at hand */
    uint8_t *is_fake, *is_fake_of_both;
    double *own_of_both;
};

static bool columns_open(struct columns *c, size_t n)
{
    c->own = calloc(n + 1, sizeof(*c->own));
    c->first = calloc(n + 1, sizeof(*c->first));
    c->own_of_both = calloc(n + 1, sizeof(*c->own_of_both));
    c->is_fake = calloc(n + 1, 1);
    c->is_fake_of_both = calloc(n + 1, 1);
    return c->own && c->first && c->own_of_both && c->is_fake && c->is_fake_of_both;
}

static void columns_clear(struct columns *c)
{
    free(c->own);
    free(c->first);
    free(c->own_of_both);
    free(c->is_fake);
    free(c->is_fake_of_both);
}

static enum status compare_with_first(const struct columns *c, struct detector_figures *d, struct error *e)
{
    struct ranking a = {0}, b = {0};
    enum status s = ranking_open(c->first, c->is_fake_of_both, d->n_both, &a, e);

    if (s == STATUS_OK)
        s = ranking_open(c->own_of_both, c->is_fake_of_both, d->n_both, &b, e);
    if (s == STATUS_OK)
        s = metrics_paired_auc(&a, &b, NULL, &d->against_first, e);
    ranking_close(&a);
    ranking_close(&b);
    return s;
}

static enum status measure(const struct report_model *m, size_t member, struct columns *c, struct detector_figures *d,
                           struct error *e)
{
    struct ranking ranking = {0};
    size_t n = 0;
    enum status s;

    for (size_t i = 0; i < m->n; i++) {
        enum label label = manifest_entry(m->in->manifest, i)->label;
        double own = results_member(m->in->results, i, member).p_fake, first = results_p_fake(m->in->results, i);

        if (isnan(own))
            continue;
        d->n_scored++;
        if (label == LABEL_UNKNOWN)
            continue;
        c->own[n] = own;
        c->is_fake[n++] = label == LABEL_FAKE;
        if (isnan(first))
            continue;
        c->first[d->n_both] = first;
        c->own_of_both[d->n_both] = own;
        c->is_fake_of_both[d->n_both++] = label == LABEL_FAKE;
    }
    s = ranking_open(c->own, c->is_fake, n, &ranking, e);
    if (s == STATUS_OK)
        s = metrics_compute(&ranking, NULL, &metrics_defaults, &d->metrics, e);
    ranking_close(&ranking);
    return s == STATUS_OK ? compare_with_first(c, d, e) : s;
}

enum status detectors_make(struct report_model *m, struct error *e)
{
    struct columns c = {0};
    enum status s = STATUS_OK;

    if (m->further.n == 0)
        return STATUS_OK;
    m->detectors = calloc(1 + m->further.n, sizeof(*m->detectors));
    if (!m->detectors || !columns_open(&c, m->n))
        s = error_no_memory(e);
    if (s == STATUS_OK) {
        m->detectors[0].n_scored = m->tally.n_scored;
        m->detectors[0].metrics = m->video;
    }
    for (size_t k = 0; s == STATUS_OK && k < m->further.n; k++)
        s = measure(m, k, &c, &m->detectors[k + 1], e);
    columns_clear(&c);
    return s;
}

static void append_number(struct text *t, const char *key, double value)
{
    text_append_format(t, ",\"%s\":", key);
    if (isfinite(value))
        text_append_double(t, value);
    else
        text_append_string(t, "null");
}

static void append_interval(struct text *t, const char *key, const struct interval *i)
{
    if (i->undefined)
        return;
    text_append_format(t, ",\"%s\":{\"low\":", key);
    text_append_double(t, i->low);
    text_append_string(t, ",\"high\":");
    text_append_double(t, i->high);
    text_append_string(t, "}");
}

void detectors_json(struct text *t, const struct report_model *m)
{
    if (!m->detectors)
        return;
    text_append_string(t, ",\n\"detectors\":[");
    for (size_t k = 0; k <= m->further.n; k++) {
        const struct detector_figures *d = &m->detectors[k];
        const struct paired *p = &d->against_first;

        text_append_format(t, "%s\n{\"name\":\"", k > 0 ? "," : "");
        text_append_json(t, detectors_name(m, k));
        text_append_format(t, "\",\"n_scored\":%zu,\"n\":%zu,\"n_real\":%zu,\"n_fake\":%zu", d->n_scored, d->metrics.n,
                           d->metrics.n_real, d->metrics.n_fake);
        for (int f = 0; f < FIGURE_COUNT; f++) {
            const struct measure *x = metrics_figure(&d->metrics, (enum figure_id)f);

            append_number(t, figure_name((enum figure_id)f), x->undefined ? NAN : x->value);
        }
        append_interval(t, "auc_delong_95", &d->metrics.auc_delong);
        append_interval(t, "auc_bootstrap_95", &d->metrics.auc_bootstrap);
        if (k > 0) {
            text_append_format(t, ",\"against_first\":{\"n\":%zu", d->n_both);
            append_number(t, "auc_difference", p->undefined ? NAN : p->difference);
            append_number(t, "low", p->undefined ? NAN : p->low);
            append_number(t, "high", p->undefined ? NAN : p->high);
            append_number(t, "p", p->undefined ? NAN : p->p);
            if (p->undefined) {
                text_append_string(t, ",\"undefined\":\"");
                text_append_json(t, undefined_reason(p->undefined));
                text_append_string(t, "\"");
            }
            text_append_string(t, "}");
        }
        text_append_string(t, "}");
    }
    text_append_string(t, "]");
}
