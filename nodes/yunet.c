/* YuNet (Wu et al. 2023, "YuNet: A Tiny Millisecond-level Face Detector"; libfacedetection): one network
 * without anchors over three strides. In: BGR 0..255, sides multiples of 32. Out of each stride s, a row for
 * each cell of the grid: cls and obj (probabilities), bbox (centre's shift in cells, logarithm of the size in
 * cells), kps (five points' shifts in cells). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "nodes/face_search.h"

enum { SIDE_MULTIPLE_PX = 32, N_STRIDES = 3, LIST_ROOM = 1024 };

static const unsigned STRIDE_PX[N_STRIDES] = {8, 16, 32};
static const double OVERLAP = 0.3;

enum head { HEAD_CLS, HEAD_OBJ, HEAD_BBOX, HEAD_KPS, N_HEADS };

static const char *const HEAD_NAMES[N_HEADS] = {"cls", "obj", "bbox", "kps"};
static const unsigned HEAD_VALUES[N_HEADS] = {1, 1, 4, 10};

struct yunet {
    char title[80];
    const struct network *network;
    size_t outputs[N_STRIDES][N_HEADS];
    struct face_search search;
    unsigned width_px, height_px; /* of the session's input */
    struct session *session;
    struct face_candidate list[LIST_ROOM];
};

static void name_head(char name[16], unsigned s, unsigned h)
{
    snprintf(name, 16, "%s_%u", HEAD_NAMES[h], STRIDE_PX[s]);
}

enum status yunet_open(const struct card *card, const struct network *network, struct yunet **ret_y, struct error *e)
{
    struct yunet *y;
    enum status status = STATUS_OK;

    if (!network)
        return error_set(e, STATUS_INVALID, "%s: YuNet needs one network", card->name);
    y = calloc(1, sizeof(*y));
    if (!y)
        return error_no_memory(e);
    snprintf(y->title, sizeof(y->title), "%s: YuNet", card->name);
    y->network = network;
    for (unsigned s = 0; s < N_STRIDES; s++) {
        for (unsigned h = 0; h < N_HEADS && status == STATUS_OK; h++) {
            char name[16];

            name_head(name, s, h);
            status = face_output_index(network, y->title, name, &y->outputs[s][h], e);
        }
    }
    if (status != STATUS_OK) {
        yunet_close(&y);
        return status;
    }
    *ret_y = y;
    return STATUS_OK;
}

void yunet_close(struct yunet **y)
{
    if (!y || !*y)
        return;
    session_close(&(*y)->session);
    free(*y);
    *y = NULL;
}

static unsigned round_up(unsigned side_px)
{
    return (side_px + SIDE_MULTIPLE_PX - 1) / SIDE_MULTIPLE_PX * SIDE_MULTIPLE_PX;
}

enum status yunet_prepare(struct yunet *y, const struct face_search *search, struct error *e)
{
    struct tensor_shape input = {4, {1, 3, round_up(search->height_px), round_up(search->width_px)}};
    enum status status;

    session_close(&y->session);
    y->search = *search;
    y->width_px = round_up(search->width_px);
    y->height_px = round_up(search->height_px);
    status = face_session_open(y->network, y->title, &input, search, &y->session, e);
    for (unsigned s = 0; s < N_STRIDES; s++) {
        for (unsigned h = 0; h < N_HEADS && status == STATUS_OK; h++) {
            unsigned cells = y->width_px / STRIDE_PX[s] * (y->height_px / STRIDE_PX[s]);
            struct tensor_shape want = {3, {1, cells, HEAD_VALUES[h]}};
            char name[16];

            name_head(name, s, h);
            status = face_output_check(y->session, y->outputs[s][h], y->title, name, &want, e);
        }
    }
    if (status != STATUS_OK)
        session_close(&y->session);
    return status;
}

/* The picture at the upper left, black right and below. */
static void fill_input(const struct yunet *y, const struct image *picture, float *out_bgr)
{
    size_t plane = (size_t)y->width_px * y->height_px;

    for (unsigned row = 0; row < y->height_px; row++) {
        const uint8_t *p = picture->rgb_hwc_u8 + row * picture->stride_bytes;
        float *out = out_bgr + (size_t)row * y->width_px;
        unsigned width = row < picture->height_px ? picture->width_px : 0;

        for (unsigned x = 0; x < width; x++) {
            out[x] = p[3 * x + 2];
            out[x + plane] = p[3 * x + 1];
            out[x + 2 * plane] = p[3 * x];
        }
        for (unsigned x = width; x < y->width_px; x++)
            out[x] = out[x + plane] = out[x + 2 * plane] = 0;
    }
}

static float clip_probability(float p)
{
    return p > 1 ? 1 : p; /* NaN and what is below 0 fail the threshold */
}

/* Adds the faces of one stride to the list; returns the new count. */
static size_t read_stride(struct yunet *y, unsigned s, size_t count, unsigned *order)
{
    const float *cls = session_output(y->session, y->outputs[s][HEAD_CLS]);
    const float *obj = session_output(y->session, y->outputs[s][HEAD_OBJ]);
    const float *bbox = session_output(y->session, y->outputs[s][HEAD_BBOX]);
    const float *kps = session_output(y->session, y->outputs[s][HEAD_KPS]);
    unsigned grid_width = y->width_px / STRIDE_PX[s], grid_height = y->height_px / STRIDE_PX[s];
    float stride = (float)STRIDE_PX[s];

    for (unsigned i = 0; i < grid_width * grid_height; i++, (*order)++) {
        struct face_candidate c = {.order = *order};
        unsigned across = i % grid_width, down = i / grid_width;
        float column = (float)across, row = (float)down;
        float cx, cy, w, h;

        c.face.confidence = sqrtf(clip_probability(cls[i]) * clip_probability(obj[i]));
        if (!(cls[i] > 0 && obj[i] > 0 && c.face.confidence >= y->search.threshold))
            continue;
        cx = (column + bbox[4 * i]) * stride;
        cy = (row + bbox[4 * i + 1]) * stride;
        w = expf(bbox[4 * i + 2]) * stride;
        h = expf(bbox[4 * i + 3]) * stride;
        c.face.x0 = cx - w / 2;
        c.face.y0 = cy - h / 2;
        c.face.x1 = cx + w / 2;
        c.face.y1 = cy + h / 2;
        for (unsigned k = 0; k < 5; k++) {
            c.face.points_xy[k][0] = (column + kps[10 * i + 2 * k]) * stride;
            c.face.points_xy[k][1] = (row + kps[10 * i + 2 * k + 1]) * stride;
        }
        if (face_is_sane(&c.face, y->search.width_px, y->search.height_px))
            count = face_keep_best(y->list, count, LIST_ROOM, &c);
    }
    return count;
}

enum status yunet_run(struct yunet *y, const struct image *picture, struct face_candidate *ret_list, size_t *ret_count,
                      struct error *e)
{
    unsigned order = 0;
    size_t count = 0;
    enum status status;

    fill_input(y, picture, session_input(y->session, 0));
    status = session_run(y->session, e);
    if (status != STATUS_OK)
        return status;
    for (unsigned s = 0; s < N_STRIDES; s++)
        count = read_stride(y, s, count, &order);
    count = face_suppress(y->list, count, FACE_SUPPRESS_UNION, OVERLAP);
    if (count > FACE_SEARCH_ROOM)
        count = FACE_SEARCH_ROOM;
    for (size_t i = 0; i < count; i++)
        ret_list[i] = y->list[i];
    *ret_count = count;
    return STATUS_OK;
}
