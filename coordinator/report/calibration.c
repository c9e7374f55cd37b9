/* Calibration that is fair: a temperature fitted on one split of the corpus, shown on the videos of the others. */
#include "coordinator/report/model.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool has_both(const struct metrics *m)
{
    return m->n_real > 0 && m->n_fake > 0;
}

/* What a data set holds back to settle such things on comes first, what a detector may have learned from next. */
static const struct group *find_fit(const struct report_model *m)
{
    static const char *const names[] = {"val", "valid", "validation", "dev", "train"};

    for (size_t w = 0; w < sizeof(names) / sizeof(names[0]); w++) {
        for (size_t k = 0; k < m->n_splits; k++) {
            if (!m->splits[k].is_rest && strcasecmp(m->splits[k].name, names[w]) == 0 &&
                has_both(&m->splits[k].metrics))
                return &m->splits[k];
        }
    }
    return NULL;
}

/* The split to show it on: "test" where there is one, else all others. */
static const char *find_show(const struct report_model *m)
{
    for (size_t k = 0; k < m->n_splits; k++) {
        if (!m->splits[k].is_rest && strcasecmp(m->splits[k].name, "test") == 0 && has_both(&m->splits[k].metrics))
            return m->splits[k].name;
    }
    return "";
}

/* The report's figures have their bootstrap already: a smaller one twice, none beyond 100,000 videos. */
static const struct metrics_settings settings = {
    .log_loss_epsilon = 1e-15,
    .replicates = 2000,
    .max_draws = 200000000,
    .max_figure_draws = 20000000,
    .seed = 0x66616b6573696674,
};

static enum status measure(const struct ranking *fit, const struct ranking *show, struct calibration *c,
                           struct error *e)
{
    struct ranking cooled = {0};
    struct measure t;
    enum status s = metrics_temperature(fit, &t, &c->is_at_bound, e);

    if (s == STATUS_OK)
        s = metrics_compute(show, NULL, &settings, &c->before, e);
    if (s == STATUS_OK)
        s = metrics_tempered(show, t.value, &cooled, e);
    if (s == STATUS_OK)
        s = metrics_compute(&cooled, NULL, &settings, &c->after, e);
    ranking_close(&cooled);
    c->temperature = t.value;
    return s;
}

enum status calibration_make(struct report_model *m, struct error *e)
{
    const struct group *on = find_fit(m);
    struct calibration c = {0};
    struct ranking parts[2] = {{0}};
    uint32_t *part;
    enum status s;

    if (!on) {
        m->calibration.why_not =
            "no split named val, valid, validation, dev or train has scored reals and fakes to fit a "
            "temperature on";
        return STATUS_OK;
    }
    c.fitted_on = on->name;
    c.shown_on = find_show(m);
    part = malloc((m->n + 1) * sizeof(*part));
    if (!part)
        return error_no_memory(e);
    for (size_t i = 0; i < m->n; i++) {
        const char *split = manifest_entry(m->in->manifest, i)->split;

        if (strcmp(split, c.fitted_on) == 0)
            part[i] = 0;
        else
            part[i] = c.shown_on[0] == '\0' || strcmp(split, c.shown_on) == 0 ? 1 : UINT32_MAX;
    }
    s = ranking_split(&m->ranking, part, 2, parts, e);
    free(part);
    if (s != STATUS_OK)
        return s;
    c.n_fitted = parts[0].n;
    if (parts[1].n_real == 0 || parts[1].n_fake == 0)
        c.why_not = "no other split has scored reals and fakes to show it on";
    else
        s = measure(&parts[0], &parts[1], &c, e);
    ranking_close(&parts[0]);
    ranking_close(&parts[1]);
    if (s == STATUS_OK)
        m->calibration = c;
    return s;
}
