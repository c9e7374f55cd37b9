#include "coordinator/evaluate/localise.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/evaluate/random.h"

enum { N_IOUS = 10, MOST_KEPT = 50 /* the largest N of AR@N */ };

static const double ap_ious[LOCALISE_APS] = {0.5, 0.75, 0.9, 0.95};
static const double ar_ious[N_IOUS] = {0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95};
static const size_t ar_ns[LOCALISE_ARS] = {50, 30, 20, 10, 5};

const char *const localise_names[LOCALISE_FIGURES] = {"ap_0.5", "ap_0.75", "ap_0.9", "ap_0.95", "ar_50",
                                                      "ar_30",  "ar_20",   "ar_10",  "ar_5",    "score"};

/* One for each proposal of all videos, sorted by falling confidence. */
struct ranked {
    double confidence;
    uint32_t video;
    uint8_t hits; /* bit k: at ap_ious[k] */
};

struct work {
    const struct localise_input *in;
    struct ranked *ranked;
    double *precision;  /* of the ranked, for one AP */
    uint32_t *recalled; /* video x AR: hits over all IoUs */
    uint32_t *weight;   /* of videos, in a replicate */
};

static int by_confidence(const void *left, const void *right)
{
    const struct proposal *a = left, *b = right;

    if (a->confidence != b->confidence)
        return a->confidence > b->confidence ? -1 : 1;
    if (a->start_s != b->start_s)
        return a->start_s < b->start_s ? -1 : 1;
    return (a->end_s > b->end_s) - (a->end_s < b->end_s);
}

void proposals_sort(struct proposal *proposals, size_t n)
{
    if (n > 1)
        qsort(proposals, n, sizeof(*proposals), by_confidence);
}

static double overlap(const struct proposal *p, const struct span_s *s)
{
    double shared = fmin(p->end_s, s->end_s) - fmax(p->start_s, s->start_s);

    return shared > 0 ? shared / (fmax(p->end_s, s->end_s) - fmin(p->start_s, s->start_s)) : 0;
}

/* Which proposals of a video hit at each of ap_ious, into the bits of ranked[]. */
static void find_hits(const struct localise_input *in, size_t v, struct ranked *ranked)
{
    size_t n = in->first_proposal[v + 1] - in->first_proposal[v];
    const struct proposal *p = in->proposals + in->first_proposal[v];

    for (size_t s = in->first_span[v]; s < in->first_span[v + 1]; s++) {
        unsigned open = (1u << LOCALISE_APS) - 1; /* IoUs for which this stretch has taken none yet */

        for (size_t k = 0; k < n && open != 0; k++) {
            double iou = overlap(&p[k], &in->spans[s]);

            for (unsigned x = 0; x < LOCALISE_APS; x++) {
                unsigned bit = 1u << x;

                if ((open & bit) && !(ranked[k].hits & bit) && iou > ap_ious[x]) {
                    ranked[k].hits |= (uint8_t)bit;
                    open &= ~bit;
                }
            }
        }
    }
}

static void find_recalled(const struct localise_input *in, size_t v, uint32_t recalled[LOCALISE_ARS])
{
    size_t n = in->first_proposal[v + 1] - in->first_proposal[v];
    const struct proposal *p = in->proposals + in->first_proposal[v];

    n = n < MOST_KEPT ? n : MOST_KEPT;
    for (size_t s = in->first_span[v]; s < in->first_span[v + 1]; s++) {
        double best[MOST_KEPT + 1] = {0}; /* of the first so many */

        for (size_t k = 0; k < n; k++)
            best[k + 1] = fmax(best[k], overlap(&p[k], &in->spans[s]));
        for (unsigned a = 0; a < LOCALISE_ARS; a++) {
            for (unsigned x = 0; x < N_IOUS; x++)
                recalled[a] += best[ar_ns[a] < n ? ar_ns[a] : n] > ar_ious[x];
        }
    }
}

static int compare_ranked(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;

    return a->confidence != b->confidence ? (a->confidence > b->confidence ? -1 : 1) : 0;
}

/* Stable: qsort is not, so that equal ones are ordered by their place first. */
struct placed {
    struct ranked item;
    size_t place;
};

static int compare_placed(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;
    int order = compare_ranked(&a->item, &b->item);

    return order != 0 ? order : (a->place > b->place) - (a->place < b->place);
}

static enum status sort_ranked(struct ranked *ranked, size_t n, struct error *e)
{
    struct placed *placed = calloc(n + 1, sizeof(*placed));

    if (!placed)
        return error_no_memory(e);
    for (size_t k = 0; k < n; k++)
        placed[k] = (struct placed){ranked[k], k};
    if (n > 1)
        qsort(placed, n, sizeof(*placed), compare_placed);
    for (size_t k = 0; k < n; k++)
        ranked[k] = placed[k].item;
    free(placed);
    return STATUS_OK;
}

static enum status open_work(const struct localise_input *in, struct work *w, struct error *e)
{
    size_t n = in->first_proposal[in->n_videos];

    *w = (struct work){.in = in,
                       .ranked = calloc(n + 1, sizeof(*w->ranked)),
                       .precision = malloc((n + 1) * sizeof(*w->precision)),
                       .recalled = calloc(in->n_videos + 1, LOCALISE_ARS * sizeof(*w->recalled)),
                       .weight = calloc(in->n_videos + 1, sizeof(*w->weight))};
    if (!w->ranked || !w->precision || !w->recalled || !w->weight)
        return error_no_memory(e);
    for (size_t v = 0; v < in->n_videos; v++) {
        struct ranked *of_video = w->ranked + in->first_proposal[v];

        for (size_t k = in->first_proposal[v]; k < in->first_proposal[v + 1]; k++)
            w->ranked[k] = (struct ranked){.confidence = in->proposals[k].confidence, .video = (uint32_t)v};
        find_hits(in, v, of_video);
        find_recalled(in, v, w->recalled + v * LOCALISE_ARS);
        w->weight[v] = 1;
    }
    return sort_ranked(w->ranked, n, e);
}

static void close_work(struct work *w)
{
    free(w->ranked);
    free(w->precision);
    free(w->recalled);
    free(w->weight);
}

/* Over the videos as they are weighted. A video that was drawn twice has each stretch and proposal twice. */
static double average_precision(struct work *w, unsigned x, double n_spans)
{
    size_t n = w->in->first_proposal[w->in->n_videos];
    double n_hits = 0, n_seen = 0, best = 0, area = 0;

    for (size_t k = 0; k < n; k++) {
        uint32_t weight = w->weight[w->ranked[k].video];

        n_seen += weight;
        n_hits += w->ranked[k].hits >> x & 1 ? weight : 0;
        w->precision[k] = n_seen > 0 ? n_hits / n_seen : 0;
    }
    for (size_t k = n; k-- > 0;) {
        uint32_t weight = w->weight[w->ranked[k].video];

        best = fmax(best, w->precision[k]);
        if (w->ranked[k].hits >> x & 1)
            area += best * weight / n_spans;
    }
    return area;
}

static void measure(struct work *w, double ret_figures[LOCALISE_FIGURES])
{
    const struct localise_input *in = w->in;
    double n_spans = 0, score = 0;

    for (size_t v = 0; v < in->n_videos; v++)
        n_spans += (double)w->weight[v] * (double)(in->first_span[v + 1] - in->first_span[v]);
    for (unsigned x = 0; x < LOCALISE_APS; x++) {
        ret_figures[x] = n_spans > 0 ? average_precision(w, x, n_spans) : NAN;
        score += ret_figures[x] / (2 * LOCALISE_APS);
    }
    for (unsigned a = 0; a < LOCALISE_ARS; a++) {
        double n_recalled = 0;

        for (size_t v = 0; v < in->n_videos; v++)
            n_recalled += (double)w->weight[v] * w->recalled[v * LOCALISE_ARS + a];
        ret_figures[LOCALISE_APS + a] = n_spans > 0 ? n_recalled / (N_IOUS * n_spans) : NAN;
        score += ret_figures[LOCALISE_APS + a] / (2 * LOCALISE_ARS);
    }
    ret_figures[LOCALISE_FIGURES - 1] = score;
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;

    return (a > b) - (a < b);
}

static double quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t k = (size_t)at;

    return k + 1 < n ? sorted[k] + (at - (double)k) * (sorted[k + 1] - sorted[k]) : sorted[n - 1];
}

static enum status resample(struct work *w, uint32_t replicates, uint64_t seed, struct localisation *l,
                            double *ret_scores, struct error *e)
{
    size_t n = w->in->n_videos;
    double *values = malloc((size_t)replicates * LOCALISE_FIGURES * sizeof(*values));
    double figures[LOCALISE_FIGURES];

    if (!values)
        return error_no_memory(e);
    for (uint32_t k = 0; k < replicates; k++) {
        struct random r;
        double n_spans = 0;

        random_seed_stream(&r, seed, k);
        do { /* a draw without any stretch says nothing */
            memset(w->weight, 0, n * sizeof(*w->weight));
            for (size_t i = 0; i < n; i++)
                w->weight[random_below(&r, (uint32_t)n)]++;
            n_spans = 0;
            for (size_t v = 0; v < n; v++)
                n_spans += (double)w->weight[v] * (double)(w->in->first_span[v + 1] - w->in->first_span[v]);
        } while (n_spans == 0);
        measure(w, figures);
        for (unsigned f = 0; f < LOCALISE_FIGURES; f++)
            values[(size_t)f * replicates + k] = figures[f];
    }
    if (ret_scores)
        memcpy(ret_scores, values + (size_t)(LOCALISE_FIGURES - 1) * replicates, replicates * sizeof(*values));
    for (unsigned f = 0; f < LOCALISE_FIGURES; f++) {
        double *of = values + (size_t)f * replicates;

        qsort(of, replicates, sizeof(*of), compare_doubles);
        l->low[f] = quantile(of, replicates, 0.025);
        l->high[f] = quantile(of, replicates, 0.975);
    }
    l->replicates = replicates;
    free(values);
    return STATUS_OK;
}

enum status localise(const struct localise_input *in, uint32_t replicates, uint64_t seed, struct localisation *ret_l,
                     double *ret_scores, struct error *e)
{
    struct localisation l = {.n_videos = in->n_videos,
                             .n_spans = in->first_span[in->n_videos],
                             .n_proposals = in->first_proposal[in->n_videos]};
    struct work w = {0};
    enum status s = open_work(in, &w, e);

    if (s == STATUS_OK)
        measure(&w, l.figures);
    if (s == STATUS_OK && replicates > 0 && l.n_spans > 0)
        s = resample(&w, replicates, seed, &l, ret_scores, e);
    close_work(&w);
    if (s == STATUS_OK)
        *ret_l = l;
    return s;
}
