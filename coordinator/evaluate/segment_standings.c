#include "coordinator/evaluate/segment_standings.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DRAWS = 200000000, LEAST_REPLICATES = 200 };

void truth_spans_close(struct truth_spans *t)
{
    free(t->entry);
    free(t->spans);
    free(t->first_span);
    *t = (struct truth_spans){0};
}

enum status truth_spans_open(const struct manifest *m, const uint8_t *counts, struct truth_spans *ret_t,
                             struct error *e)
{
    size_t n = manifest_count(m), n_spans = 0, room = 1024;
    struct truth_spans t = {.entry = malloc((n + 1) * sizeof(*t.entry)),
                            .spans = malloc((room + SPANS_MAX) * sizeof(*t.spans)),
                            .first_span = malloc((n + 1) * sizeof(*t.first_span))};
    enum status s = t.entry && t.spans && t.first_span ? STATUS_OK : error_no_memory(e);

    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        const struct manifest_entry *entry = manifest_entry(m, i);
        size_t n_here = 0;

        if (entry->label == LABEL_UNKNOWN || (counts && !counts[i]))
            continue;
        if (entry->label == LABEL_FAKE && entry->fake_segments[0] == '\0') {
            t.n_left_out++;
            continue;
        }
        if (n_spans > room) {
            struct span_s *bigger = reallocarray(t.spans, 2 * room + SPANS_MAX, sizeof(*bigger));

            if (!bigger) {
                s = error_no_memory(e);
                break;
            }
            t.spans = bigger;
            room *= 2;
        }
        t.entry[t.n_videos] = (uint32_t)i;
        t.first_span[t.n_videos++] = n_spans;
        /* A real video has none, whatever stands there. */
        if (entry->label == LABEL_FAKE && spans_parse(entry->fake_segments, t.spans + n_spans, &n_here) != STATUS_OK)
            s = error_set(e, STATUS_BUG, "%s: fake_segments", entry->path);
        n_spans += n_here;
    }
    if (s != STATUS_OK) {
        truth_spans_close(&t);
        return s;
    }
    t.first_span[t.n_videos] = n_spans;
    *ret_t = t;
    return STATUS_OK;
}

/* A submission's proposals in the order of the truth's videos. */
static enum status measure(const struct truth_spans *t, const struct submission *x, uint32_t replicates, uint64_t seed,
                           struct localisation *ret_l, double *ret_scores, struct error *e)
{
    size_t *first = malloc((t->n_videos + 1) * sizeof(*first)), n = 0;
    struct proposal *proposals = malloc((x->n_proposals + 1) * sizeof(*proposals));
    struct localise_input in = {
        .n_videos = t->n_videos, .spans = t->spans, .first_span = t->first_span, .proposals = proposals};
    enum status s = first && proposals ? STATUS_OK : error_no_memory(e);

    for (size_t v = 0; s == STATUS_OK && v < t->n_videos; v++) {
        size_t n_here = x->n_proposals_of ? x->n_proposals_of[t->entry[v]] : 0;

        first[v] = n;
        if (n_here > 0)
            memcpy(proposals + n, x->proposals + x->first_proposal[t->entry[v]], n_here * sizeof(*proposals));
        n += n_here;
    }
    if (s == STATUS_OK) {
        first[t->n_videos] = n;
        in.first_proposal = first;
        s = localise(&in, replicates, seed, ret_l, ret_scores, e);
    }
    free(first);
    free(proposals);
    return s;
}

static int better(const void *left, const void *right)
{
    const struct segment_row *a = left, *b = right;
    double x = a->figures.figures[LOCALISE_FIGURES - 1], y = b->figures.figures[LOCALISE_FIGURES - 1];

    return (x < y) - (x > y);
}

/* A few submissions, and equals stay in their order. */
static void sort_rows(struct segment_row *rows, size_t n)
{
    for (size_t k = 1; k < n; k++) {
        struct segment_row row = rows[k];
        size_t at = k;

        for (; at > 0 && better(&rows[at - 1], &row) > 0; at--)
            rows[at] = rows[at - 1];
        rows[at] = row;
    }
}

static double share_ahead(const double *a, const double *b, uint32_t n)
{
    uint32_t n_ahead = 0;

    for (uint32_t k = 0; k < n; k++)
        n_ahead += a[k] > b[k];
    return n > 0 ? (double)n_ahead / n : NAN;
}

/* So that a large board stays quick. */
static uint32_t affordable(const struct submission *const *submissions, size_t n, size_t n_videos, uint32_t replicates)
{
    size_t most = n_videos + 1, most_replicates;

    for (size_t k = 0; k < n; k++)
        most = submissions[k]->n_proposals > most ? submissions[k]->n_proposals : most;
    most_replicates = MAX_DRAWS / most;
    if (most_replicates < replicates)
        return most_replicates < LEAST_REPLICATES ? 0 : (uint32_t)most_replicates;
    return replicates;
}

enum status segment_standings_make(const struct truth *t, struct submission *const *submissions, size_t n,
                                   const uint8_t *counts, uint32_t replicates, uint64_t seed,
                                   struct segment_standings *ret_s, struct error *e)
{
    struct segment_standings x = {.rows = calloc(n + 1, sizeof(*x.rows)), .n = n};
    struct truth_spans spans = {0};
    uint32_t n_replicates = affordable((const struct submission *const *)submissions, n, truth_count(t), replicates);
    double *scores = calloc((n + 1) * ((size_t)n_replicates + 1), sizeof(*scores));
    enum status s = x.rows && scores ? truth_spans_open(truth_manifest(t), counts, &spans, e) : error_no_memory(e);

    x.n_videos = spans.n_videos;
    x.n_left_out = spans.n_left_out;
    x.n_spans = s == STATUS_OK ? spans.first_span[spans.n_videos] : 0;
    if (s == STATUS_OK && x.n_spans == 0)
        s = error_set(e, STATUS_INVALID,
                      "the truth states no fake_segments; 1mdf-2 is measured against them (a column fake_segments, "
                      "START:END;START:END in seconds, or AV-Deepfake1M's metadata)");
    for (size_t k = 0; s == STATUS_OK && k < n; k++) {
        x.rows[k].submission = submissions[k];
        s = measure(&spans, submissions[k], n_replicates, seed, &x.rows[k].figures, scores + k * n_replicates, e);
    }
    if (s == STATUS_OK)
        sort_rows(x.rows, n);
    for (size_t k = 0; s == STATUS_OK && k < n; k++) {
        size_t here = 0, next = 0;

        x.rows[k].ahead_of_next = NAN;
        if (k + 1 == n)
            continue;
        while (submissions[here] != x.rows[k].submission)
            here++;
        while (submissions[next] != x.rows[k + 1].submission)
            next++;
        x.rows[k].ahead_of_next = share_ahead(scores + here * n_replicates, scores + next * n_replicates, n_replicates);
    }
    truth_spans_close(&spans);
    free(scores);
    if (s != STATUS_OK) {
        segment_standings_clear(&x);
        return s;
    }
    *ret_s = x;
    return STATUS_OK;
}

void segment_standings_clear(struct segment_standings *s)
{
    free(s->rows);
    *s = (struct segment_standings){0};
}
