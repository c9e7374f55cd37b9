/* BlazeFace (Bazarevsky et al. 2019, "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs"; the settings are
 * those of MediaPipe's graphs for the short range, 128 x 128, and the full range, 192 x 192). In: RGB, pixel / 127.5 - 1,
 * the picture in the middle of black borders. Out: boxes [1, N, 16] (centre, size and six points in pixels, relative to the
 * anchor's centre) and scores [1, N, 1] (logits). Overlapping boxes are not dropped but averaged by their scores.
 *
 * Of the six points a face keeps the eyes and the nose; there is one for the mouth, its centre, so no similarity can be
 * fitted to five. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "nodes/face_search.h"

enum { ROW_VALUES = 16, MAX_GRIDS = 2, LIST_ROOM = 1024 };

static const double OVERLAP = 0.3;
static const float MAX_LOGIT = 100;

/* Anchors at the centres of a grid's cells, n_each at each. */
struct grid {
    unsigned cells, n_each;
};

static const struct range {
    unsigned side_px, n_anchors, n_grids;
    struct grid grids[MAX_GRIDS];
} RANGES[] = {{128, 896, 2, {{16, 2}, {8, 6}}}, {192, 2304, 1, {{48, 1}}}};

struct blazeface {
    char title[80];
    const struct range *range;
    size_t boxes, scores; /* indices of outputs */
    struct session *session;
    struct face_search search;
    struct face_input input;
    struct face_candidate list[LIST_ROOM];
};

static enum status open_session(struct blazeface *b, const struct network *n, struct error *e)
{
    int64_t side = network_input_count(n) == 1 ? network_input(n, 0)->shape.dims[3] : 0;
    struct tensor_shape input = {4, {1, 3, side, side}}, want;
    enum status s;

    for (size_t i = 0; i < sizeof(RANGES) / sizeof(RANGES[0]); i++) {
        if (side == RANGES[i].side_px)
            b->range = &RANGES[i];
    }
    if (!b->range)
        return error_set(e, STATUS_INVALID,
                         "%s: takes pictures of %lld pixels a side; 128 (short range) or 192 (full range) are known",
                         b->title, (long long)side);
    s = face_output_index(n, b->title, "boxes", &b->boxes, e);
    if (s == STATUS_OK)
        s = face_output_index(n, b->title, "scores", &b->scores, e);
    if (s == STATUS_OK)
        s = face_session_open(n, b->title, &input, NULL, &b->session, e);
    want = (struct tensor_shape){3, {1, b->range->n_anchors, ROW_VALUES}};
    if (s == STATUS_OK)
        s = face_output_check(b->session, b->boxes, b->title, "boxes", &want, e);
    want.dims[2] = 1;
    if (s == STATUS_OK)
        s = face_output_check(b->session, b->scores, b->title, "scores", &want, e);
    return s;
}

enum status blazeface_open(const struct card *card, const struct network *network, struct blazeface **ret_b,
                           struct error *e)
{
    struct blazeface *b;
    enum status s;

    if (!network)
        return error_set(e, STATUS_INVALID, "%s: BlazeFace needs one network", card->name);
    b = calloc(1, sizeof(*b));
    if (!b)
        return error_no_memory(e);
    snprintf(b->title, sizeof(b->title), "%s: BlazeFace", card->name);
    s = open_session(b, network, e);
    if (s != STATUS_OK) {
        blazeface_close(&b);
        return s;
    }
    *ret_b = b;
    return STATUS_OK;
}

void blazeface_close(struct blazeface **b)
{
    if (!b || !*b)
        return;
    session_close(&(*b)->session);
    free(*b);
    *b = NULL;
}

void blazeface_input_size(const struct blazeface *b, unsigned *ret_width_px, unsigned *ret_height_px)
{
    *ret_width_px = *ret_height_px = b->range->side_px;
}

void blazeface_prepare(struct blazeface *b, const struct face_search *search)
{
    unsigned side = b->range->side_px;

    b->search = *search;
    b->input = (struct face_input){
        .width_px = side,
        .height_px = side,
        .left_px = (side - search->width_px) / 2,
        .top_px = (side - search->height_px) / 2,
        .mean = 127.5f,
        .deviation = 127.5f,
    };
}

/* Adds the face of one anchor, if it is one. */
static size_t take(struct blazeface *b, float logit, const float *row, float ax, float ay, unsigned order, size_t count)
{
    struct face_candidate c = {.order = order};
    static const unsigned point_of[5] = {0, 1, 2, 3, 3};

    /* NaN fails the comparison below. */
    c.face.confidence = 1 / (1 + expf(-fmaxf(fminf(logit, MAX_LOGIT), -MAX_LOGIT)));
    if (isnan(logit) || !(c.face.confidence >= b->search.threshold))
        return count;
    ax -= (float)b->input.left_px;
    ay -= (float)b->input.top_px;
    c.face.x0 = ax + row[0] - row[2] / 2;
    c.face.y0 = ay + row[1] - row[3] / 2;
    c.face.x1 = ax + row[0] + row[2] / 2;
    c.face.y1 = ay + row[1] + row[3] / 2;
    for (unsigned k = 0; k < 5; k++) {
        c.face.points_xy[k][0] = ax + row[4 + 2 * point_of[k]];
        c.face.points_xy[k][1] = ay + row[5 + 2 * point_of[k]];
    }
    if (!face_is_sane(&c.face, b->search.width_px, b->search.height_px))
        return count;
    return face_keep_best(b->list, count, LIST_ROOM, &c);
}

/* The values of a face that are averaged. */
static void values_of(struct face *f, float *ret_values[14])
{
    float *boxes[4] = {&f->x0, &f->y0, &f->x1, &f->y1};

    for (unsigned i = 0; i < 4; i++)
        ret_values[i] = boxes[i];
    for (unsigned i = 0; i < 10; i++)
        ret_values[4 + i] = &f->points_xy[i / 2][i % 2];
}

/* The best of the list and all that overlap it become their mean, weighted by score; the others stay, in order. */
static struct face_candidate blend_first(struct face_candidate *list, size_t *count)
{
    struct face_candidate best = list[0];
    double sum[14] = {0}, weight = 0;
    size_t kept = 0;
    float *values[14];

    for (size_t i = 0; i < *count; i++) {
        /* The first overlaps itself, whatever its box. */
        if (i > 0 && !(face_overlap(&list[i].face, &best.face) > OVERLAP)) {
            list[kept++] = list[i];
            continue;
        }
        values_of(&list[i].face, values);
        for (unsigned k = 0; k < 14; k++)
            sum[k] += (double)*values[k] * list[i].face.confidence;
        weight += list[i].face.confidence;
    }
    *count = kept;
    values_of(&best.face, values);
    for (unsigned k = 0; k < 14; k++)
        *values[k] = (float)(sum[k] / weight);
    return best;
}

enum status blazeface_run(struct blazeface *b, const struct image *picture, struct face_candidate *ret_list,
                          size_t *ret_count, struct error *e)
{
    const float *boxes, *scores;
    unsigned order = 0;
    size_t count = 0, n = 0;
    enum status s;

    face_input_fill(&b->input, picture, session_input(b->session, 0));
    s = session_run(b->session, e);
    if (s != STATUS_OK)
        return s;
    boxes = session_output(b->session, b->boxes);
    scores = session_output(b->session, b->scores);
    for (unsigned g = 0; g < b->range->n_grids; g++) {
        const struct grid *grid = &b->range->grids[g];
        float cell = (float)b->range->side_px / (float)grid->cells;

        for (unsigned i = 0; i < grid->cells * grid->cells; i++) {
            unsigned column = i % grid->cells, row = i / grid->cells;
            float ax = ((float)column + 0.5f) * cell, ay = ((float)row + 0.5f) * cell;

            for (unsigned k = 0; k < grid->n_each; k++, order++)
                count = take(b, scores[order], boxes + (size_t)ROW_VALUES * order, ax, ay, order, count);
        }
    }
    face_sort(b->list, count);
    while (count > 0 && n < FACE_SEARCH_ROOM)
        ret_list[n++] = blend_first(b->list, &count);
    *ret_count = n;
    return STATUS_OK;
}
