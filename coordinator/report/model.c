#include "coordinator/report/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void tally_add(struct tally *t, const struct manifest_entry *entry, enum outcome outcome)
{
    bool scored = outcome_has_score(outcome);

    t->n++;
    t->n_decided += outcome != OUTCOME_UNDECIDED;
    t->n_scored += scored;
    t->by_outcome[outcome]++;
    if (entry->label == LABEL_REAL) {
        t->n_real++;
        t->n_real_scored += scored;
    } else if (entry->label == LABEL_FAKE) {
        t->n_fake++;
        t->n_fake_scored += scored;
    } else {
        t->n_unknown++;
    }
}

/* The caller's promises, checked before anything is counted. */
static enum status check_input(const struct report_input *in, struct error *e)
{
    size_t n = manifest_count(in->manifest);

    if (n >= UINT32_MAX)
        return error_set(e, STATUS_UNSUPPORTED, "report: %zu videos; at most %u", n, UINT32_MAX - 1);
    if (results_count(in->results) != n)
        return error_set(e, STATUS_MISMATCH, "report: %zu results, the manifest has %zu videos",
                         results_count(in->results), n);
    return STATUS_OK;
}

const struct video_facts *model_facts(const struct manifest_entry *entry, const struct result *r)
{
    if (r->facts.codec[0] == '\0' && r->facts.container[0] == '\0' && entry->facts)
        return entry->facts;
    return &r->facts;
}

static enum status count(struct report_model *m, struct error *e)
{
    size_t total = 0;

    for (size_t i = 0; i < m->n; i++) {
        const struct manifest_entry *entry = manifest_entry(m->in->manifest, i);
        enum outcome outcome = results_outcome(m->in->results, i);
        double p_fake = results_p_fake(m->in->results, i);

        tally_add(&m->tally, entry, outcome);
        if (!outcome_has_score(outcome))
            continue;
        m->histogram.of_label[entry->label][p_fake < 1 ? (int)(p_fake * MODEL_BINS) : MODEL_BINS - 1]++;
        if (entry->label != LABEL_UNKNOWN)
            m->n_clips += results_n_clips(m->in->results, i);
    }
    for (int k = 0; k < OUTCOME_COUNT; k++)
        total += m->tally.by_outcome[k];
    /* What the whole report rests on: no video is lost, none counts twice. */
    if (total != m->n || m->tally.n != m->n || m->tally.n_real + m->tally.n_fake + m->tally.n_unknown != m->n)
        return error_set(e, STATUS_BUG, "report: outcomes add up to %zu, not to the manifest's %zu", total, m->n);
    return STATUS_OK;
}

/* The score that a policy gives to a video without one. */
static double filled_score(enum policy_kind policy, enum label label)
{
    if (policy == POLICY_HALF)
        return 0.5;
    return (policy == POLICY_BEST) == (label == LABEL_FAKE) ? 1 : 0;
}

/* Labelled videos, ranked: those with a score, or for another policy those without, with what it gives them. */
static enum status rank_videos(const struct report_model *m, enum policy_kind policy, struct ranking *ret_r,
                               struct error *e)
{
    double *p_fake = calloc(m->n + 1, sizeof(*p_fake));
    uint8_t *is_fake = calloc(m->n + 1, sizeof(*is_fake));
    uint32_t *index = calloc(m->n + 1, sizeof(*index));
    struct ranking r = {0};
    size_t n = 0;
    enum status s;

    if (!p_fake || !is_fake || !index) {
        s = error_no_memory(e);
        goto end;
    }
    for (size_t i = 0; i < m->n; i++) {
        enum label label = manifest_entry(m->in->manifest, i)->label;
        bool scored = outcome_has_score(results_outcome(m->in->results, i));

        if (label == LABEL_UNKNOWN || scored != (policy == POLICY_DROPPED))
            continue;
        p_fake[n] = scored ? results_p_fake(m->in->results, i) : filled_score(policy, label);
        is_fake[n] = label == LABEL_FAKE;
        index[n++] = (uint32_t)i;
    }
    s = ranking_open(p_fake, is_fake, n, &r, e);
    if (s != STATUS_OK)
        goto end;
    for (size_t k = 0; k < n; k++)
        r.item[k] = index[r.item[k]];
    *ret_r = r;
end:
    free(p_fake);
    free(is_fake);
    free(index);
    return s;
}

static enum status measure_policies(struct report_model *m, struct error *e)
{
    static const struct policy kinds[POLICY_COUNT] = {
        [POLICY_DROPPED] = {.name = "dropped", .meaning = "left out: over scored videos only"},
        [POLICY_HALF] = {.name = "half", .meaning = "given 0.5"},
        [POLICY_WORST] = {.name = "worst", .meaning = "all wrong: fakes given 0, reals 1"},
        [POLICY_BEST] = {.name = "best", .meaning = "all right: fakes given 1, reals 0"},
    };
    struct metrics_settings settings = metrics_defaults;

    settings.replicates = 0;
    for (int k = 0; k < POLICY_COUNT; k++) {
        struct ranking filled = {0}, r = {0};
        enum status s = STATUS_OK;

        m->policies[k] = kinds[k];
        /* Nothing is left out or filled: they are the video figures. */
        if (k == POLICY_DROPPED || m->ranking.n == m->tally.n_real + m->tally.n_fake) {
            m->policies[k].metrics = m->video;
            continue;
        }
        s = rank_videos(m, (enum policy_kind)k, &filled, e);
        if (s == STATUS_OK)
            s = ranking_merge(&m->ranking, &filled, &r, e);
        ranking_close(&filled);
        if (s == STATUS_OK)
            s = metrics_compute(&r, NULL, &settings, &m->policies[k].metrics, e);
        ranking_close(&r);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

static enum status measure_dependences(struct report_model *m, struct error *e)
{
    static const struct {
        const char *name;
        enum status (*make)(const struct manifest *, uint32_t *, bool *, struct error *);
    } kinds[DEPENDENCE_COUNT] = {
        [DEPENDENCE_ORIGINAL] = {"original", clusters_by_original},
        [DEPENDENCE_IDENTITY] = {"identity", clusters_by_identity},
        [DEPENDENCE_GROUP] = {"group", clusters_by_group},
    };
    uint32_t *cluster = calloc(m->n + 1, sizeof(*cluster));
    enum status s = STATUS_OK;

    if (!cluster)
        return error_no_memory(e);
    for (int k = 0; s == STATUS_OK && k < DEPENDENCE_COUNT; k++) {
        struct dependence *d = &m->dependences[k];

        d->name = kinds[k].name;
        s = kinds[k].make(m->in->manifest, cluster, &d->is_present, e);
        if (s == STATUS_OK && d->is_present)
            s = metrics_bootstrap(&m->ranking, cluster, &metrics_defaults, &d->auc, e);
    }
    free(cluster);
    return s;
}

enum status model_begin(const struct report_input *in, struct report_model *ret_m, struct error *e)
{
    struct report_model m = {.in = in, .n = manifest_count(in->manifest)};
    enum status s = check_input(in, e);

    if (s == STATUS_OK && results_reader_open(in->results, &m.reader) != STATUS_OK)
        s = error_no_memory(e);
    if (s == STATUS_OK)
        s = count(&m, e);
    detector_names_split(in->further_detectors, &m.further);
    if (s != STATUS_OK) {
        model_clear(&m);
        return s;
    }
    *ret_m = m;
    return STATUS_OK;
}

enum status model_finish(struct report_model *m, enum model_extent extent, struct error *e)
{
    enum status s = rank_videos(m, POLICY_DROPPED, &m->ranking, e);

    if (s == STATUS_OK)
        s = metrics_compute(&m->ranking, NULL, &metrics_defaults, &m->video, e);
    if (s == STATUS_OK && extent == MODEL_WHOLE)
        s = manifest_hash(m->in->manifest, m->manifest_sha256, e);
    if (s == STATUS_OK && extent == MODEL_WHOLE)
        s = measure_dependences(m, e);
    if (s == STATUS_OK && extent == MODEL_WHOLE)
        s = levels_make(m, e);
    if (s == STATUS_OK && extent == MODEL_WHOLE)
        s = measure_policies(m, e);
    if (s == STATUS_OK && extent == MODEL_WHOLE)
        s = groups_make(m, e);
    levels_drop_items(m);
    if (s == STATUS_OK && extent == MODEL_WHOLE)
        s = calibration_make(m, e);
    if (s == STATUS_OK && extent == MODEL_WHOLE)
        s = localisation_make(m, e);
    if (s == STATUS_OK)
        s = detectors_make(m, e);
    if (s == STATUS_OK)
        findings_make(m);
    if (s == STATUS_OK && extent == MODEL_WHOLE)
        s = findings_take_audit(m, e);
    return s;
}

void model_clear(struct report_model *m)
{
    results_reader_close(&m->reader);
    ranking_close(&m->ranking);
    free(m->detectors);
    levels_drop_items(m);
    free(m->splits);
    free(m->families);
    free(m->methods);
    free(m->groups);
    free(m->codecs);
    free(m->resolutions);
    *m = (struct report_model){0};
}
