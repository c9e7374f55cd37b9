#include "nodes/face_near.h"

#include <math.h>
#include <stdlib.h>

enum { SIDE_PX = 128, LEAST_FACE_PX = 16 }; /* of the part; of a face in it */

static const double WINDOW_SIDES = 2;

struct face_near {
    struct card_face settings;
    struct face_finder *finder;
    uint8_t rgb[SIDE_PX * SIDE_PX * 3];
};

static struct image part_image(const struct face_near *n)
{
    return (struct image){
        .rgb_hwc_u8 = n->rgb, .width_px = SIDE_PX, .height_px = SIDE_PX, .stride_bytes = 3 * (size_t)SIDE_PX};
}

enum status face_near_open(const struct card *face_card, const struct network *const networks[3],
                           const struct card_face *face, struct face_near **ret_n, struct error *e)
{
    struct card_face inside = *face;
    struct face_near *n = calloc(1, sizeof(*n));
    struct face faces[CARD_MAX_FACES];
    size_t n_faces;
    enum status s;

    if (!n)
        return error_no_memory(e);
    n->settings = *face;
    inside.search_side_px = SIDE_PX;
    inside.min_face_px = LEAST_FACE_PX;
    inside.max_faces = CARD_MAX_FACES;
    s = face_finder_open(face_card, networks, &inside, &n->finder, e);
    if (s == STATUS_OK)
        s = face_finder_prepare(n->finder, SIDE_PX, SIDE_PX, e);
    if (s == STATUS_OK) { /* some kernels are made by the first run */
        const struct image black = part_image(n);

        s = face_finder_run(n->finder, &black, faces, CARD_MAX_FACES, &n_faces, e);
    }
    if (s != STATUS_OK) {
        face_near_close(&n);
        return s;
    }
    *ret_n = n;
    return STATUS_OK;
}

void face_near_close(struct face_near **n)
{
    if (!n || !*n)
        return;
    face_finder_close(&(*n)->finder);
    free(*n);
    *n = NULL;
}

/* From the part's pixels to the frame's. */
static struct face placed(const struct face *in, double scale, double x0, double y0)
{
    struct face out = *in;

    out.x0 = (float)(x0 + scale * in->x0);
    out.x1 = (float)(x0 + scale * in->x1);
    out.y0 = (float)(y0 + scale * in->y0);
    out.y1 = (float)(y0 + scale * in->y1);
    for (unsigned i = 0; i < 5; i++) {
        out.points_xy[i][0] = (float)(x0 + scale * in->points_xy[i][0]);
        out.points_xy[i][1] = (float)(y0 + scale * in->points_xy[i][1]);
    }
    return out;
}

enum status face_near_run(struct face_near *n, const struct image *frame, const struct face *before,
                          struct face *ret_face, struct error *e)
{
    double side = WINDOW_SIDES * fmax((double)before->x1 - before->x0, (double)before->y1 - before->y0);
    double scale = fmax(side, 1) / SIDE_PX, least;
    double x0 = ((double)before->x0 + before->x1) / 2 - scale * SIDE_PX / 2;
    double y0 = ((double)before->y0 + before->y1) / 2 - scale * SIDE_PX / 2;
    const struct image_transform to_frame = {{scale, 0, x0, 0, scale, y0}};
    const struct image part = part_image(n);
    struct face faces[CARD_MAX_FACES];
    size_t n_faces = 0;
    double best = fmax(n->settings.min_overlap, 1e-6);
    enum status s;

    image_warp(frame, &to_frame, n->rgb, SIDE_PX, SIDE_PX);
    s = face_finder_run(n->finder, &part, faces, CARD_MAX_FACES, &n_faces, e);
    if (s != STATUS_OK)
        return s;
    s = STATUS_AGAIN;
    least = n->settings.min_face_px;
    for (size_t i = 0; i < n_faces; i++) {
        struct face face = placed(&faces[i], scale, x0, y0);
        double overlap = face_overlap(before, &face);

        if (overlap < best || fmin((double)face.x1 - face.x0, (double)face.y1 - face.y0) < least)
            continue;
        best = overlap;
        *ret_face = face;
        s = STATUS_OK;
    }
    return s;
}
