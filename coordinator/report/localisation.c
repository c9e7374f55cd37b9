/* How well the run's scores say where in a video the fake stretches are, where the manifest states them. */
#include "coordinator/report/model.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/evaluate/proposals.h"
#include "coordinator/evaluate/segment_standings.h"

enum { MAX_DRAWS = 200000000, REPLICATES = 1000, LEAST_REPLICATES = 200 };

struct gathered {
    struct proposal *list;
    size_t *first, n, room;
};

static enum status add(struct gathered *g, const struct proposal *p, size_t n, struct error *e)
{
    if (g->n + n > g->room) {
        size_t room = 2 * g->room + PROPOSALS_MAX;
        struct proposal *bigger = reallocarray(g->list, room, sizeof(*bigger));

        if (!bigger)
            return error_no_memory(e);
        g->list = bigger;
        g->room = room;
    }
    if (n > 0)
        memcpy(g->list + g->n, p, n * sizeof(*p));
    g->n += n;
    return STATUS_OK;
}

/* Of the truth's videos in their order; one without a score has none. */
static enum status gather(struct report_model *m, const struct truth_spans *t, struct gathered *g, struct error *e)
{
    struct frame_reader *frames = NULL;
    enum status s = frame_reader_open(m->in->run_folder, &frames, e);

    for (size_t v = 0; s == STATUS_OK && v < t->n_videos; v++) {
        size_t i = t->entry[v], n_frames = 0, n = 0;
        const struct frame_score *list = NULL;
        struct proposal proposals[PROPOSALS_MAX];

        g->first[v] = g->n;
        if (!outcome_has_score(results_outcome(m->in->results, i)))
            continue;
        if (frames)
            s = frame_reader_next(frames, manifest_entry(m->in->manifest, i)->path, &list, &n_frames, e);
        m->localised_by_frames += n_frames > 0;
        if (s == STATUS_OK)
            s = proposals_make(results_get(m->reader, i), list, n_frames, proposals, &n, e);
        if (s == STATUS_OK)
            s = add(g, proposals, n, e);
    }
    g->first[t->n_videos] = g->n;
    frame_reader_close(&frames);
    return s;
}

enum status localisation_make(struct report_model *m, struct error *e)
{
    struct truth_spans t = {0};
    struct gathered g = {0};
    size_t n_replicates;
    enum status s = truth_spans_open(m->in->manifest, NULL, &t, e);

    if (s != STATUS_OK || t.first_span[t.n_videos] == 0) {
        truth_spans_close(&t);
        return s;
    }
    g.first = malloc((t.n_videos + 1) * sizeof(*g.first));
    s = g.first ? gather(m, &t, &g, e) : error_no_memory(e);
    if (s == STATUS_OK) {
        const struct localise_input in = {t.n_videos, t.spans, t.first_span, g.list, g.first};

        n_replicates = MAX_DRAWS / (t.n_videos + g.n + 1);
        n_replicates = n_replicates > REPLICATES ? REPLICATES : n_replicates < LEAST_REPLICATES ? 0 : n_replicates;
        s = localise(&in, (uint32_t)n_replicates, metrics_defaults.seed, &m->localisation, NULL, e);
        m->has_localisation = s == STATUS_OK;
        m->n_without_segments = t.n_left_out;
    }
    truth_spans_close(&t);
    free(g.list);
    free(g.first);
    return s;
}
