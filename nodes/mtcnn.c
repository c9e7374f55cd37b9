/* MTCNN (Zhang et al. 2016, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
 * Networks"): P-Net over a pyramid of pictures proposes boxes, R-Net on 24 x 24 crops refuses most, O-Net on
 * 48 x 48 crops decides and gives the five points. Constants are those of the authors' code.
 *
 * Coordinates are continuous (pixel i covers [i, i + 1)) and never rounded, where the authors' code counts
 * from one and rounds: differences stay under a pixel. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/face_crop.h"
#include "nodes/face_search.h"

enum {
    CELL_PX = 12, /* what one output of P-Net sees */
    CELL_STRIDE_PX = 2,
    MAX_LEVELS = 24,   /* 12 / .709^23 is beyond any picture */
    LEVEL_ROOM = 2048, /* proposals of a level */
    STAGE_ROOM = 1024, /* proposals of all levels, so crops for R-Net */
    R_SIDE_PX = 24,
    R_BATCH = 16,
    O_SIDE_PX = 48,
    O_BATCH = 4
};

static const double PYRAMID_FACTOR = 0.709;
static const double P_THRESHOLD = 0.6, R_THRESHOLD = 0.7;
static const double LEVEL_OVERLAP = 0.5, STAGE_OVERLAP = 0.7;

struct level {
    double scale; /* level pixels a pixel of the search picture, before the sides are rounded up */
    unsigned width_px, height_px;
    unsigned grid_width, grid_height;
    struct session *session;
};

/* R-Net or O-Net with its fixed batch. */
struct stage {
    struct session *session;
    unsigned side_px, batch;
    size_t prob, reg, points; /* indices of outputs */
    bool has_points;
};

struct mtcnn {
    char title[3][80]; /* "CARD: P-Net" */
    const struct network *pnet;
    size_t p_prob, p_reg;
    struct stage refine, output;
    struct face_search search;
    size_t n_levels;
    struct level levels[MAX_LEVELS];
    uint8_t *level_rgb;  /* as large as the first level */
    float value_of[256]; /* (pixel - 127.5) / 128 */
    uint8_t crop_rgb[O_SIDE_PX * O_SIDE_PX * 3];
    uint32_t *crop_sums; /* a row of the picture */
    struct face_candidate level_list[LEVEL_ROOM];
    struct face_candidate list[STAGE_ROOM];
};

static enum status open_stage(struct stage *st, const struct network *n, const char *title, bool has_points,
                              struct error *e)
{
    struct tensor_shape input = {4, {st->batch, 3, st->side_px, st->side_px}};
    enum status status;

    st->has_points = has_points;
    status = face_output_index(n, title, "prob", &st->prob, e);
    if (status == STATUS_OK)
        status = face_output_index(n, title, "reg", &st->reg, e);
    if (status == STATUS_OK && has_points)
        status = face_output_index(n, title, "points", &st->points, e);
    if (status == STATUS_OK)
        status = face_session_open(n, title, &input, NULL, &st->session, e);
    if (status == STATUS_OK)
        status = face_output_check(st->session, st->prob, title, "prob", &(struct tensor_shape){2, {st->batch, 2}}, e);
    if (status == STATUS_OK)
        status = face_output_check(st->session, st->reg, title, "reg", &(struct tensor_shape){2, {st->batch, 4}}, e);
    if (status == STATUS_OK && has_points)
        status =
            face_output_check(st->session, st->points, title, "points", &(struct tensor_shape){2, {st->batch, 10}}, e);
    return status;
}

enum status mtcnn_open(const struct card *card, const struct network *const networks[3], struct mtcnn **ret_m,
                       struct error *e)
{
    static const char *const roles[3] = {"P-Net", "R-Net", "O-Net"};
    struct mtcnn *m;
    enum status status = STATUS_OK;

    if (!networks[0] || !networks[1] || !networks[2])
        return error_set(e, STATUS_INVALID, "%s: MTCNN needs three networks: P-Net, R-Net, O-Net", card->name);
    m = calloc(1, sizeof(*m));
    if (!m)
        return error_no_memory(e);
    for (unsigned i = 0; i < 3; i++)
        snprintf(m->title[i], sizeof(m->title[i]), "%s: %s", card->name, roles[i]);
    for (unsigned v = 0; v < 256; v++)
        m->value_of[v] = ((float)v - 127.5f) / 128.0f;
    m->pnet = networks[0];
    m->refine = (struct stage){.side_px = R_SIDE_PX, .batch = R_BATCH};
    m->output = (struct stage){.side_px = O_SIDE_PX, .batch = O_BATCH};
    status = face_output_index(m->pnet, m->title[0], "prob", &m->p_prob, e);
    if (status == STATUS_OK)
        status = face_output_index(m->pnet, m->title[0], "reg", &m->p_reg, e);
    if (status == STATUS_OK)
        status = open_stage(&m->refine, networks[1], m->title[1], false, e);
    if (status == STATUS_OK)
        status = open_stage(&m->output, networks[2], m->title[2], true, e);
    if (status != STATUS_OK) {
        mtcnn_close(&m);
        return status;
    }
    *ret_m = m;
    return STATUS_OK;
}

static void close_levels(struct mtcnn *m)
{
    for (size_t i = 0; i < m->n_levels; i++)
        session_close(&m->levels[i].session);
    m->n_levels = 0;
    free(m->level_rgb);
    free(m->crop_sums);
    m->level_rgb = NULL;
    m->crop_sums = NULL;
}

void mtcnn_close(struct mtcnn **m)
{
    if (!m || !*m)
        return;
    close_levels(*m);
    session_close(&(*m)->refine.session);
    session_close(&(*m)->output.session);
    free(*m);
    *m = NULL;
}

static enum status open_level(struct mtcnn *m, struct level *l, struct error *e)
{
    struct tensor_shape input = {4, {1, 3, l->height_px, l->width_px}};
    struct tensor_shape prob = {4, {1, 2, -1, -1}}, reg;
    enum status status = face_session_open(m->pnet, m->title[0], &input, NULL, &l->session, e);

    if (status != STATUS_OK)
        return status;
    status = face_output_check(l->session, m->p_prob, m->title[0], "prob", &prob, e);
    if (status != STATUS_OK)
        return status;
    session_output_shape(l->session, m->p_prob, &prob);
    reg = (struct tensor_shape){4, {1, 4, prob.dims[2], prob.dims[3]}};
    l->grid_height = (unsigned)prob.dims[2];
    l->grid_width = (unsigned)prob.dims[3];
    return face_output_check(l->session, m->p_reg, m->title[0], "reg", &reg, e);
}

enum status mtcnn_prepare(struct mtcnn *m, const struct face_search *search, struct error *e)
{
    /* A face of min_face_px fills a cell at the first level. Never enlarged: below 12 pixels there is nothing
     * to see. */
    double scale = CELL_PX / fmax(search->min_face_px, CELL_PX);
    unsigned shorter = search->width_px < search->height_px ? search->width_px : search->height_px;

    close_levels(m);
    m->search = *search;
    for (; m->n_levels < MAX_LEVELS && shorter * scale >= CELL_PX; scale *= PYRAMID_FACTOR) {
        struct level *l = &m->levels[m->n_levels];
        enum status status;

        *l = (struct level){.scale = scale,
                            .width_px = (unsigned)ceil(search->width_px * scale),
                            .height_px = (unsigned)ceil(search->height_px * scale)};
        m->n_levels++;
        status = open_level(m, l, e);
        if (status != STATUS_OK) {
            close_levels(m);
            return status;
        }
    }
    if (m->n_levels == 0)
        return STATUS_OK;
    m->level_rgb = malloc((size_t)m->levels[0].width_px * m->levels[0].height_px * 3);
    m->crop_sums = malloc((size_t)search->width_px * 3 * sizeof(*m->crop_sums));
    if (!m->level_rgb || !m->crop_sums) {
        close_levels(m);
        return error_no_memory(e);
    }
    return STATUS_OK;
}

static void fill_planes(const float value_of[256], const struct image *in, float *out_chw)
{
    size_t plane = (size_t)in->width_px * in->height_px;

    for (unsigned y = 0; y < in->height_px; y++) {
        const uint8_t *p = in->rgb_hwc_u8 + y * in->stride_bytes;
        float *out = out_chw + (size_t)y * in->width_px;

        for (unsigned x = 0; x < in->width_px; x++) {
            out[x] = value_of[p[3 * x]];
            out[x + plane] = value_of[p[3 * x + 1]];
            out[x + 2 * plane] = value_of[p[3 * x + 2]];
        }
    }
}

/* The box's ends along one axis. */
static void place_cell(unsigned cell, double scale, float *ret_begin, float *ret_end)
{
    *ret_begin = (float)(floor((cell * CELL_STRIDE_PX + 1) / scale) - 1);
    *ret_end = (float)floor((cell * CELL_STRIDE_PX + CELL_PX) / scale);
}

/* Fills level_list from one level, suppressed. */
static enum status propose_level(struct mtcnn *m, const struct level *l, const struct image *picture, size_t *ret_count,
                                 struct error *e)
{
    struct image scaled = *picture;
    size_t cells = (size_t)l->grid_width * l->grid_height, count = 0;
    const float *face_prob, *reg;
    enum status status;

    if (l->width_px != picture->width_px || l->height_px != picture->height_px) {
        image_resize(picture, m->level_rgb, l->width_px, l->height_px);
        scaled = (struct image){m->level_rgb, l->width_px, l->height_px, (size_t)l->width_px * 3, NULL};
    }
    fill_planes(m->value_of, &scaled, session_input(l->session, 0));
    status = session_run(l->session, e);
    if (status != STATUS_OK)
        return status;
    face_prob = (const float *)session_output(l->session, m->p_prob) + cells;
    reg = session_output(l->session, m->p_reg);
    for (size_t i = 0; i < cells; i++) {
        struct face_candidate c = {.order = (unsigned)i};

        /* NaN fails the comparison. */
        if (!(face_prob[i] >= P_THRESHOLD))
            continue;
        c.face.confidence = face_prob[i];
        place_cell((unsigned)(i % l->grid_width), l->scale, &c.face.x0, &c.face.x1);
        place_cell((unsigned)(i / l->grid_width), l->scale, &c.face.y0, &c.face.y1);
        for (unsigned k = 0; k < 4; k++) {
            float side = k % 2 == 0 ? c.face.x1 - c.face.x0 : c.face.y1 - c.face.y0;

            /* P-Net alone counts a box's side from its first to its last pixel. */
            c.shift[k] = reg[k * cells + i] * (side - 1) / side;
        }
        count = face_keep_best(m->level_list, count, LEVEL_ROOM, &c);
    }
    *ret_count = face_suppress(m->level_list, count, FACE_SUPPRESS_UNION, LEVEL_OVERLAP);
    return STATUS_OK;
}

/* The square about the box's centre with the longer side, rounded towards zero, in the authors' coordinates.
 */
static void make_crop_box(struct face *f)
{
    double w = (double)f->x1 - f->x0 - 1, h = (double)f->y1 - f->y0 - 1, side = fmax(w, h);
    double x = f->x0 + 1 + w / 2 - side / 2, y = f->y0 + 1 + h / 2 - side / 2;

    f->x0 = (float)(trunc(x) - 1);
    f->y0 = (float)(trunc(y) - 1);
    f->x1 = (float)trunc(x + side);
    f->y1 = (float)trunc(y + side);
}

/* Calibrates every box, drops what is no box any more, numbers the rest in their order. crop: the boxes
 * become those of the next crops. */
static size_t settle(const struct mtcnn *m, struct face_candidate *list, size_t count, bool crop)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct face_candidate c = list[i];

        face_calibrate(&c);
        if (!face_is_sane(&c.face, m->search.width_px, m->search.height_px))
            continue;
        if (crop) {
            make_crop_box(&c.face);
            if (!face_is_sane(&c.face, m->search.width_px, m->search.height_px))
                continue; /* rounded to nothing, or to just outside */
        }
        c.order = (unsigned)kept;
        list[kept++] = c;
    }
    return kept;
}

static enum status propose(struct mtcnn *m, const struct image *picture, size_t *ret_count, struct error *e)
{
    unsigned order = 0;
    size_t count = 0;

    for (size_t i = 0; i < m->n_levels; i++) {
        size_t n;
        enum status status = propose_level(m, &m->levels[i], picture, &n, e);

        if (status != STATUS_OK)
            return status;
        for (size_t k = 0; k < n; k++) {
            m->level_list[k].order = order++;
            count = face_keep_best(m->list, count, STAGE_ROOM, &m->level_list[k]);
        }
    }
    count = face_suppress(m->list, count, FACE_SUPPRESS_UNION, STAGE_OVERLAP);
    *ret_count = settle(m, m->list, count, true);
    return STATUS_OK;
}

/* The crop of one box into its row of the batch. */
static void fill_row(struct mtcnn *m, const struct stage *st, const struct image *picture, const struct face *box,
                     size_t row)
{
    struct face_crop_box whole = {(int)box->x0, (int)box->y0, (unsigned)(box->x1 - box->x0),
                                  (unsigned)(box->y1 - box->y0)};
    struct image crop = {m->crop_rgb, st->side_px, st->side_px, (size_t)st->side_px * 3, NULL};
    size_t row_values = (size_t)3 * st->side_px * st->side_px;

    face_crop_area(picture, &whole, m->crop_sums, m->crop_rgb, st->side_px);
    fill_planes(m->value_of, &crop, (float *)session_input(st->session, 0) + row * row_values);
}

/* Points relative to the box that the network saw, before it is calibrated. */
static void read_points(const float *points, struct face *f)
{
    float w = f->x1 - f->x0, h = f->y1 - f->y0;

    for (unsigned i = 0; i < 5; i++) {
        f->points_xy[i][0] = f->x0 + points[i] * w;
        f->points_xy[i][1] = f->y0 + points[5 + i] * h;
    }
}

/* Runs st over the list in full batches: a row's result depends on nothing but its crop, and the last batch
 * is padded with zeros. Keeps what reaches the threshold. */
static enum status run_stage(struct mtcnn *m, const struct stage *st, const struct image *picture, double threshold,
                             size_t *count, struct error *e)
{
    size_t row_bytes = (size_t)3 * st->side_px * st->side_px * sizeof(float), kept = 0;

    for (size_t first = 0; first < *count; first += st->batch) {
        size_t n = *count - first < st->batch ? *count - first : st->batch;
        const float *prob, *reg;
        enum status status;

        for (size_t i = 0; i < n; i++)
            fill_row(m, st, picture, &m->list[first + i].face, i);
        memset((char *)session_input(st->session, 0) + n * row_bytes, 0, (st->batch - n) * row_bytes);
        status = session_run(st->session, e);
        if (status != STATUS_OK)
            return status;
        prob = session_output(st->session, st->prob);
        reg = session_output(st->session, st->reg);
        for (size_t i = 0; i < n; i++) {
            struct face_candidate c = m->list[first + i];

            if (!(prob[2 * i + 1] >= threshold))
                continue;
            c.face.confidence = prob[2 * i + 1];
            memcpy(c.shift, reg + 4 * i, sizeof(c.shift));
            if (st->has_points)
                read_points((const float *)session_output(st->session, st->points) + 10 * i, &c.face);
            m->list[kept++] = c;
        }
    }
    *count = kept;
    return STATUS_OK;
}

enum status mtcnn_run(struct mtcnn *m, const struct image *picture, struct face_candidate *ret_list, size_t *ret_count,
                      struct error *e)
{
    size_t count;
    enum status status = propose(m, picture, &count, e);

    if (status != STATUS_OK)
        return status;
    status = run_stage(m, &m->refine, picture, R_THRESHOLD, &count, e);
    if (status != STATUS_OK)
        return status;
    count = face_suppress(m->list, count, FACE_SUPPRESS_UNION, STAGE_OVERLAP);
    count = settle(m, m->list, count, true);
    if (count > FACE_SEARCH_ROOM)
        count = FACE_SEARCH_ROOM; /* the best: the list is sorted */
    status = run_stage(m, &m->output, picture, m->search.threshold, &count, e);
    if (status != STATUS_OK)
        return status;
    count = settle(m, m->list, count, false);
    count = face_suppress(m->list, count, FACE_SUPPRESS_MINIMUM, STAGE_OVERLAP);
    memcpy(ret_list, m->list, count * sizeof(*ret_list));
    *ret_count = count;
    return STATUS_OK;
}
