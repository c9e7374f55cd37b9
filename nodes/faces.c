#include "nodes/faces.h"

#include <math.h>
#include <stdlib.h>

#include "nodes/face_search.h"

/* prepared is false until the sessions fit frame_width_px x frame_height_px. */
struct face_finder {
    struct card_face settings;
    struct mtcnn *mtcnn; /* one of the four */
    struct yunet *yunet;
    struct ultraface *ultraface;
    struct blazeface *blazeface;
    bool prepared;
    unsigned frame_width_px, frame_height_px;
    struct face_search search;
    uint8_t *search_rgb; /* search.width_px * search.height_px * 3; NULL while frames are searched unscaled */
    struct face_candidate found[FACE_SEARCH_ROOM];
};

enum status face_finder_open(const struct card *face_card, const struct network *const networks[3],
                             const struct card_face *face, struct face_finder **ret_f, struct error *e)
{
    struct face_finder *f;
    enum status status;

    if (face->search_side_px == 0)
        return error_set(e, STATUS_INVALID, "%s: face.search_side_px is 0", face_card->name);
    f = calloc(1, sizeof(*f));
    if (!f)
        return error_no_memory(e);
    f->settings = *face;
    switch (face_card->architecture) {
    case FACE_MTCNN:
        status = mtcnn_open(face_card, networks, &f->mtcnn, e);
        break;
    case FACE_YUNET:
        status = yunet_open(face_card, networks[0], &f->yunet, e);
        break;
    case FACE_ULTRAFACE:
        status = ultraface_open(face_card, networks[0], &f->ultraface, e);
        break;
    case FACE_BLAZEFACE:
        status = blazeface_open(face_card, networks[0], &f->blazeface, e);
        break;
    default:
        status = error_set(e, STATUS_INVALID, "%s: not a face detector", face_card->name);
        break;
    }
    if (status != STATUS_OK) {
        face_finder_close(&f);
        return status;
    }
    *ret_f = f;
    return STATUS_OK;
}

void face_finder_close(struct face_finder **f)
{
    if (!f || !*f)
        return;
    mtcnn_close(&(*f)->mtcnn);
    yunet_close(&(*f)->yunet);
    ultraface_close(&(*f)->ultraface);
    blazeface_close(&(*f)->blazeface);
    free((*f)->search_rgb);
    free(*f);
    *f = NULL;
}

static unsigned scaled_side(unsigned side_px, double scale)
{
    double side = nearbyint(side_px * scale);

    return side < 1 ? 1 : (unsigned)side;
}

/* What a network of one size leaves of the frame: its share of the frame's sides, at most 1. */
static double fitting_scale(const struct face_finder *f, const struct image *frame)
{
    unsigned width, height;

    if (f->ultraface)
        ultraface_input_size(&width, &height);
    else if (f->blazeface)
        blazeface_input_size(f->blazeface, &width, &height);
    else
        return 1;
    return fmin(fmin(1, (double)width / frame->width_px), (double)height / frame->height_px);
}

static enum status prepare_architecture(struct face_finder *f, struct error *e)
{
    if (f->mtcnn)
        return mtcnn_prepare(f->mtcnn, &f->search, e);
    if (f->yunet)
        return yunet_prepare(f->yunet, &f->search, e);
    if (f->ultraface)
        ultraface_prepare(f->ultraface, &f->search);
    else
        blazeface_prepare(f->blazeface, &f->search);
    return STATUS_OK;
}

static enum status run_architecture(struct face_finder *f, const struct image *picture, size_t *ret_count,
                                    struct error *e)
{
    if (f->mtcnn)
        return mtcnn_run(f->mtcnn, picture, f->found, ret_count, e);
    if (f->yunet)
        return yunet_run(f->yunet, picture, f->found, ret_count, e);
    if (f->ultraface)
        return ultraface_run(f->ultraface, picture, f->found, ret_count, e);
    return blazeface_run(f->blazeface, picture, f->found, ret_count, e);
}

/* Buffers and sessions for frames of this size. */
static enum status prepare(struct face_finder *f, const struct image *frame, bool may_generate, struct error *e)
{
    unsigned longer = frame->width_px > frame->height_px ? frame->width_px : frame->height_px;
    double scale = fmin(fitting_scale(f, frame), (double)f->settings.search_side_px / longer);
    enum status status;

    f->prepared = false;
    f->search = (struct face_search){
        .width_px = scaled_side(frame->width_px, scale),
        .height_px = scaled_side(frame->height_px, scale),
        .min_face_px = f->settings.min_face_px * scale,
        .threshold = f->settings.threshold,
        .may_generate = may_generate,
    };
    free(f->search_rgb);
    f->search_rgb = NULL;
    if (f->search.width_px != frame->width_px || f->search.height_px != frame->height_px) {
        f->search_rgb = malloc((size_t)f->search.width_px * f->search.height_px * 3);
        if (!f->search_rgb)
            return error_no_memory(e);
    }
    status = prepare_architecture(f, e);
    if (status != STATUS_OK)
        return status;
    f->frame_width_px = frame->width_px;
    f->frame_height_px = frame->height_px;
    f->prepared = true;
    return STATUS_OK;
}

enum status face_finder_prepare(struct face_finder *f, unsigned width_px, unsigned height_px, struct error *e)
{
    const struct image frame = {.width_px = width_px, .height_px = height_px};

    return prepare(f, &frame, true, e);
}

static struct face scale_face(struct face face, float x_scale, float y_scale)
{
    face.x0 *= x_scale;
    face.x1 *= x_scale;
    face.y0 *= y_scale;
    face.y1 *= y_scale;
    for (unsigned i = 0; i < 5; i++) {
        face.points_xy[i][0] *= x_scale;
        face.points_xy[i][1] *= y_scale;
    }
    return face;
}

enum status face_finder_run(struct face_finder *f, const struct image *frame, struct face *ret_faces, size_t room,
                            size_t *ret_count, struct error *e)
{
    struct image picture = *frame;
    size_t n_found = 0, count = 0;
    enum status status;
    float x_scale, y_scale;

    if (room > f->settings.max_faces)
        room = f->settings.max_faces;
    if (frame->width_px == 0 || frame->height_px == 0) {
        *ret_count = 0;
        return STATUS_OK;
    }
    if (!f->prepared || f->frame_width_px != frame->width_px || f->frame_height_px != frame->height_px) {
        status = prepare(f, frame, false, e);
        if (status != STATUS_OK)
            return status;
    }
    if (f->search_rgb) {
        image_resize(frame, f->search_rgb, f->search.width_px, f->search.height_px);
        picture = (struct image){f->search_rgb, f->search.width_px, f->search.height_px, (size_t)f->search.width_px * 3,
                                 NULL};
    } else {
        image_need_all(frame);
        picture.source = NULL;
    }
    status = run_architecture(f, &picture, &n_found, e);
    if (status != STATUS_OK)
        return status;

    x_scale = (float)frame->width_px / (float)f->search.width_px;
    y_scale = (float)frame->height_px / (float)f->search.height_px;
    for (size_t i = 0; i < n_found && count < room; i++) {
        struct face face = scale_face(f->found[i].face, x_scale, y_scale);

        if (fminf(face.x1 - face.x0, face.y1 - face.y0) >= (float)f->settings.min_face_px)
            ret_faces[count++] = face;
    }
    *ret_count = count;
    return STATUS_OK;
}
