/* UltraFace (Linzaer, "Ultra-Light-Fast-Generic-Face-Detector-1MB", RFB-320): a single-shot detector over 320 x 240 with
 * boxes relative to priors, as in SSD (Liu et al. 2016). In: RGB, (pixel - 127) / 128, the picture at the upper left and
 * black right and below; its authors stretch the picture instead, which squeezes upright videos. Out: scores [1, N, 2]
 * (softmax, index 1 = face) and boxes [1, N, 4] (centre and size relative to the prior, variances .1 and .2). It gives no
 * landmarks. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "nodes/face_search.h"

enum { WIDTH_PX = 320, HEIGHT_PX = 240, N_STRIDES = 4, MAX_SIZES = 3, N_PRIORS = 4420, LIST_ROOM = 1024 };

static const struct {
    unsigned stride_px, n_sizes;
    float sizes_px[MAX_SIZES];
} LEVELS[N_STRIDES] = {{8, 3, {10, 16, 24}}, {16, 2, {32, 48}}, {32, 2, {64, 96}}, {64, 3, {128, 192, 256}}};

static const float CENTRE_VARIANCE = 0.1f, SIZE_VARIANCE = 0.2f;
static const double OVERLAP = 0.3;

struct ultraface {
    char title[80];
    size_t scores, boxes; /* indices of outputs */
    struct session *session;
    struct face_search search;
    struct face_candidate list[LIST_ROOM];
};

static enum status open_session(struct ultraface *u, const struct network *n, struct error *e)
{
    static const struct tensor_shape input = {4, {1, 3, HEIGHT_PX, WIDTH_PX}};
    enum status s = face_output_index(n, u->title, "scores", &u->scores, e);

    if (s == STATUS_OK)
        s = face_output_index(n, u->title, "boxes", &u->boxes, e);
    if (s == STATUS_OK)
        s = face_session_open(n, u->title, &input, NULL, &u->session, e);
    if (s == STATUS_OK)
        s = face_output_check(u->session, u->scores, u->title, "scores", &(struct tensor_shape){3, {1, N_PRIORS, 2}},
                              e);
    if (s == STATUS_OK)
        s = face_output_check(u->session, u->boxes, u->title, "boxes", &(struct tensor_shape){3, {1, N_PRIORS, 4}}, e);
    return s;
}

enum status ultraface_open(const struct card *card, const struct network *network, struct ultraface **ret_u,
                           struct error *e)
{
    struct ultraface *u;
    enum status s;

    if (!network)
        return error_set(e, STATUS_INVALID, "%s: UltraFace needs one network", card->name);
    u = calloc(1, sizeof(*u));
    if (!u)
        return error_no_memory(e);
    snprintf(u->title, sizeof(u->title), "%s: UltraFace", card->name);
    s = open_session(u, network, e);
    if (s != STATUS_OK) {
        ultraface_close(&u);
        return s;
    }
    *ret_u = u;
    return STATUS_OK;
}

void ultraface_close(struct ultraface **u)
{
    if (!u || !*u)
        return;
    session_close(&(*u)->session);
    free(*u);
    *u = NULL;
}

void ultraface_input_size(unsigned *ret_width_px, unsigned *ret_height_px)
{
    *ret_width_px = WIDTH_PX;
    *ret_height_px = HEIGHT_PX;
}

void ultraface_prepare(struct ultraface *u, const struct face_search *search)
{
    u->search = *search;
}

/* A prior's side as a share of the picture; the authors cut it off at 1. */
static float prior_share(float size_px, float side_px)
{
    return fminf(size_px / side_px, 1);
}

/* Adds the face of one prior, if it is one. */
static size_t take(struct ultraface *u, const float *scores, const float *box, float cx, float cy, float size_px,
                   unsigned order, size_t count)
{
    struct face_candidate c = {.order = order};
    float w = prior_share(size_px, WIDTH_PX), h = prior_share(size_px, HEIGHT_PX);

    c.face.confidence = fminf(scores[1], 1);
    if (!(c.face.confidence >= u->search.threshold))
        return count; /* NaN too */
    cx += box[0] * CENTRE_VARIANCE * w;
    cy += box[1] * CENTRE_VARIANCE * h;
    w *= expf(box[2] * SIZE_VARIANCE);
    h *= expf(box[3] * SIZE_VARIANCE);
    c.face.x0 = (cx - w / 2) * WIDTH_PX;
    c.face.x1 = (cx + w / 2) * WIDTH_PX;
    c.face.y0 = (cy - h / 2) * HEIGHT_PX;
    c.face.y1 = (cy + h / 2) * HEIGHT_PX;
    if (!face_is_sane(&c.face, u->search.width_px, u->search.height_px))
        return count;
    return face_keep_best(u->list, count, LIST_ROOM, &c);
}

enum status ultraface_run(struct ultraface *u, const struct image *picture, struct face_candidate *ret_list,
                          size_t *ret_count, struct error *e)
{
    static const struct face_input input = {
        .width_px = WIDTH_PX, .height_px = HEIGHT_PX, .mean = 127, .deviation = 128};
    const float *scores, *boxes;
    unsigned order = 0;
    size_t count = 0;
    enum status s;

    face_input_fill(&input, picture, session_input(u->session, 0));
    s = session_run(u->session, e);
    if (s != STATUS_OK)
        return s;
    scores = session_output(u->session, u->scores);
    boxes = session_output(u->session, u->boxes);
    for (unsigned l = 0; l < N_STRIDES; l++) {
        unsigned stride = LEVELS[l].stride_px;
        unsigned columns = (WIDTH_PX + stride - 1) / stride, rows = (HEIGHT_PX + stride - 1) / stride;

        for (unsigned i = 0; i < rows * columns; i++) {
            /* Cells are spaced by the stride, also where the last row reaches below the picture. */
            unsigned column = i % columns, row = i / columns;
            float cx = fminf(((float)column + 0.5f) * (float)stride / WIDTH_PX, 1);
            float cy = fminf(((float)row + 0.5f) * (float)stride / HEIGHT_PX, 1);

            for (unsigned k = 0; k < LEVELS[l].n_sizes; k++, order++)
                count = take(u, scores + 2 * (size_t)order, boxes + 4 * (size_t)order, cx, cy, LEVELS[l].sizes_px[k],
                             order, count);
        }
    }
    count = face_suppress(u->list, count, FACE_SUPPRESS_UNION, OVERLAP);
    if (count > FACE_SEARCH_ROOM)
        count = FACE_SEARCH_ROOM;
    for (size_t i = 0; i < count; i++)
        ret_list[i] = u->list[i];
    *ret_count = count;
    return STATUS_OK;
}
