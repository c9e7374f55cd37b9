#include "models/detector.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/detector_find.h"

/* What a network's tensor must be, as far as the file fixes it: 0 = any size. */
struct wanted {
    const char *card_path; /* the card that wants it */
    const char *what;      /* "[N,3,H,W]" */
    unsigned rank;
    int64_t dims[TENSOR_MAX_RANK];
};

static enum status check_input(const char *path, const struct network *n, const struct wanted *w, struct error *e)
{
    const struct network_tensor *t;

    if (network_input_count(n) != 1)
        return error_set(e, STATUS_MISMATCH, "%s: %zu inputs; %s takes networks of one", path, network_input_count(n),
                         w->card_path);
    t = network_input(n, 0);
    if (t->type != TENSOR_F32)
        return error_set(e, STATUS_MISMATCH, "%s: input %s is %s, not float32", path, t->name,
                         tensor_type_name(t->type));
    if (t->shape.rank != w->rank)
        return error_set(e, STATUS_MISMATCH, "%s: input %s has %u dimensions; %s wants %s", path, t->name,
                         t->shape.rank, w->card_path, w->what);
    for (unsigned i = 0; i < w->rank; i++) {
        if (w->dims[i] > 0 && t->shape.dims[i] > 0 && t->shape.dims[i] != w->dims[i])
            return error_set(e, STATUS_MISMATCH, "%s: input %s: dimension %u is %" PRId64 "; %s wants %s with %" PRId64,
                             path, t->name, i, t->shape.dims[i], w->card_path, w->what, w->dims[i]);
    }
    return STATUS_OK;
}

static enum status check_output_count(const char *path, const struct network *n, size_t count, const char *card_path,
                                      struct error *e)
{
    if (network_output_count(n) != count)
        return error_set(e, STATUS_MISMATCH, "%s: %zu outputs; %s wants %zu", path, network_output_count(n), card_path,
                         count);
    for (size_t i = 0; i < count; i++) {
        const struct network_tensor *t = network_output(n, i);

        if (t->type != TENSOR_F32)
            return error_set(e, STATUS_MISMATCH, "%s: output %s is %s, not float32", path, t->name,
                             tensor_type_name(t->type));
    }
    return STATUS_OK;
}

/* The values of a row of the network's one output; 0 where the file leaves it open. */
static int64_t row_values(const struct network *n)
{
    const struct tensor_shape *s = &network_output(n, 0)->shape;
    int64_t values = 1;

    for (unsigned i = 1; i < s->rank; i++) {
        if (s->dims[i] <= 0)
            return 0;
        values *= s->dims[i];
    }
    return s->rank == 0 ? 0 : values;
}

static enum status check_scores(const char *path, const struct network *n, const struct found *f, struct error *e)
{
    int64_t values = row_values(n);

    /* A joint network may give a row a time step. */
    if (values > 0 && f->card->networks.joint.file[0] != '\0' && values % f->card->output.classes == 0)
        return STATUS_OK;
    if (values > 0 && values != f->card->output.classes)
        return error_set(e, STATUS_MISMATCH, "%s: %" PRId64 " values a row; %s: output.classes is %u", path, values,
                         f->card_path, f->card->output.classes);
    return STATUS_OK;
}

static void want_picture(const struct found *f, struct wanted *w)
{
    static const char *const of_three[] = {[TENSOR_NCHW] = "[N,3,H,W]",
                                           [TENSOR_NHWC] = "[N,H,W,3]",
                                           [TENSOR_NTCHW] = "[N,T,3,H,W]",
                                           [TENSOR_NCTHW] = "[N,3,T,H,W]"};
    static const char *const of_one[] = {[TENSOR_NCHW] = "[N,1,H,W]",
                                         [TENSOR_NHWC] = "[N,H,W,1]",
                                         [TENSOR_NTCHW] = "[N,T,1,H,W]",
                                         [TENSOR_NCTHW] = "[N,1,T,H,W]"};
    const struct card *c = f->card;
    int64_t height = c->crop.height_px, width = c->crop.width_px, frames = c->sampling.frames;
    int64_t channels = card_channels(&c->tensor);

    *w = (struct wanted){.card_path = f->card_path, .what = (channels == 1 ? of_one : of_three)[c->tensor.layout]};
    switch (c->tensor.layout) {
    case TENSOR_NCHW:
        w->rank = 4;
        memcpy(w->dims, (int64_t[]){0, channels, height, width}, 4 * sizeof(int64_t));
        break;
    case TENSOR_NHWC:
        w->rank = 4;
        memcpy(w->dims, (int64_t[]){0, height, width, channels}, 4 * sizeof(int64_t));
        break;
    case TENSOR_NTCHW:
        w->rank = 5;
        memcpy(w->dims, (int64_t[]){0, frames, channels, height, width}, 5 * sizeof(int64_t));
        break;
    case TENSOR_NCTHW:
        w->rank = 5;
        memcpy(w->dims, (int64_t[]){0, channels, frames, height, width}, 5 * sizeof(int64_t));
        break;
    }
}

/* A detector is known by the hashes of the files that its card names, so its networks must be whole in them. */
static enum status open_whole(const char *path, const char *card_path, struct network **ret_n, struct error *e)
{
    struct network *n = NULL;
    enum status s = network_open(path, &n, e);

    if (s == STATUS_OK && network_has_external(n))
        s = error_set(e, STATUS_MISMATCH,
                      "%s: its weights lie in another file, which %s cannot vouch for; save them in this one", path,
                      card_path);
    if (s != STATUS_OK)
        network_close(&n);
    else
        *ret_n = n;
    return s;
}

/* The joint or the frame network. */
static enum status open_picture_network(const struct found *f, bool scores, struct network **ret_n, struct error *e)
{
    struct network *n = NULL;
    struct wanted w;
    enum status s = open_whole(f->files[0], f->card_path, &n, e);

    if (s != STATUS_OK)
        return s;
    want_picture(f, &w);
    s = check_input(f->files[0], n, &w, e);
    if (s == STATUS_OK)
        s = check_output_count(f->files[0], n, 1, f->card_path, e);
    if (s == STATUS_OK && scores)
        s = check_scores(f->files[0], n, f, e);
    if (s != STATUS_OK)
        network_close(&n);
    else
        *ret_n = n;
    return s;
}

/* row: values of a time step; 0 = not known. path: the network's file. */
static enum status open_temporal_network(const struct found *f, const struct card_network *cn, const char *path,
                                         int64_t row, struct network **ret_n, struct error *e)
{
    struct network *n = NULL;
    struct wanted w = {.card_path = f->card_path, .what = "[N,T,D]", .rank = 3};
    enum status s = open_whole(path, f->card_path, &n, e);

    if (s != STATUS_OK)
        return s;
    w.dims[1] = (int64_t)f->card->sampling.frames - (cn->features == FEATURES_DIFFERENCE);
    w.dims[2] = row;
    s = check_input(path, n, &w, e);
    if (s == STATUS_OK)
        s = check_output_count(path, n, 1, f->card_path, e);
    if (s == STATUS_OK)
        s = check_scores(path, n, f, e);
    if (s != STATUS_OK)
        network_close(&n);
    else
        *ret_n = n;
    return s;
}

static enum status open_networks(const struct found *f, struct detector *d, struct error *e)
{
    const struct card_networks *ns = &f->card->networks;
    enum status s = STATUS_OK;
    int64_t row = f->card->input == INPUT_LANDMARKS ? 2 * (int64_t)f->card->landmark_points : 0;
    size_t first = 0;

    if (ns->joint.file[0] != '\0')
        return open_picture_network(f, true, &d->joint, e);
    if (ns->frame.file[0] != '\0') {
        s = open_picture_network(f, ns->n_temporal == 0, &d->frame, e);
        if (s == STATUS_OK)
            row = row_values(d->frame);
        first = 1;
    }
    for (unsigned i = 0; s == STATUS_OK && i < ns->n_temporal; i++)
        s = open_temporal_network(f, &ns->temporal[i], f->files[first + i], row, &d->temporal[i], e);
    return s;
}

static enum status open_face_networks(const struct found *f, struct detector *d, struct error *e)
{
    static const struct {
        int64_t height, width; /* 0 = open */
        size_t outputs;
    } of_architecture[][3] = {
        [FACE_MTCNN] = {{0, 0, 2}, {24, 24, 2}, {48, 48, 3}},
        [FACE_YUNET] = {{0, 0, 12}},
        [FACE_ULTRAFACE] = {{240, 320, 2}},
        [FACE_BLAZEFACE] = {{0, 0, 2}}, /* the side says which of the two it is */
    };

    for (unsigned i = 0; i < f->card->n_face_networks; i++) {
        int64_t height = of_architecture[f->card->architecture][i].height;
        int64_t width = of_architecture[f->card->architecture][i].width;
        struct wanted w = {.card_path = f->card_path, .what = "[N,3,H,W]", .rank = 4, .dims = {0, 3, height, width}};
        enum status s = open_whole(f->files[i], f->card_path, &d->face_networks[i], e);

        if (s == STATUS_OK)
            s = check_input(f->files[i], d->face_networks[i], &w, e);
        if (s == STATUS_OK)
            s = check_output_count(f->files[i], d->face_networks[i], of_architecture[f->card->architecture][i].outputs,
                                   f->card_path, e);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

/* The sizes that the file leaves open are known with the card's. */
static enum status check_prepared(const struct found *f, const struct network *n, bool scores, struct error *e)
{
    struct wanted w;
    struct tensor_shape in = {0}, out = {0};
    const struct session_settings settings = {.input_shapes = &in};
    struct session *session = NULL;
    int64_t values = 1;
    enum status s;

    want_picture(f, &w);
    in.rank = w.rank;
    memcpy(in.dims, w.dims, w.rank * sizeof(w.dims[0]));
    in.dims[0] = network_input(n, 0)->shape.dims[0] > 0 ? network_input(n, 0)->shape.dims[0] : 1;
    s = session_open(n, &settings, &session, e);
    if (s != STATUS_OK)
        return s;
    session_output_shape(session, 0, &out);
    for (unsigned i = 0; i < out.rank; i++)
        values *= out.dims[i];
    if (scores && (values < 1 || values % f->card->output.classes != 0))
        s = error_set(e, STATUS_MISMATCH, "%s: gives %" PRId64 " values; %s: output.classes is %u", f->files[0], values,
                      f->card_path, f->card->output.classes);
    session_close(&session);
    return s;
}

enum status found_check_networks(const struct found *f, struct error *e)
{
    struct detector *d = calloc(1, sizeof(*d));
    const struct network *first;
    enum status s;

    if (!d)
        return error_no_memory(e);
    if (f->card->kind == CARD_FACE_DETECTOR)
        s = open_face_networks(f, d, e);
    else if (f->card->kind == CARD_FEATURES)
        s = open_picture_network(f, false, &d->frame, e);
    else
        s = open_networks(f, d, e);
    first = d->joint ? d->joint : d->frame;
    if (s == STATUS_OK && first)
        s = check_prepared(f, first, f->card->kind == CARD_DETECTOR && !d->temporal[0], e);
    detector_close(&d);
    return s;
}

enum status detector_open(const char *name_or_path, struct detector **ret_d, struct error *e)
{
    struct found f = {0}, face = {0};
    struct detector *d = calloc(1, sizeof(*d));
    enum status s;

    if (!d)
        return error_no_memory(e);
    s = detector_find(name_or_path, CARD_DETECTOR, &f, e);
    if (s == STATUS_OK && f.card->input == INPUT_FACES)
        s = detector_find(f.card->face.detector, CARD_FACE_DETECTOR, &face, e);
    if (s == STATUS_OK)
        s = found_check_pair(&f, face.card ? &face : NULL, e);
    if (s == STATUS_OK)
        s = found_hash(&f, face.card ? &face : NULL, d->sha256, e);
    if (s == STATUS_OK)
        s = open_networks(&f, d, e);
    if (s == STATUS_OK && face.card)
        s = open_face_networks(&face, d, e);
    if (s == STATUS_OK) {
        d->card = f.card;
        d->face_card = face.card;
        f.card = face.card = NULL;
        *ret_d = d;
        d = NULL;
    }
    found_clear(&f);
    found_clear(&face);
    detector_close(&d);
    return s;
}

void detector_close(struct detector **d)
{
    struct detector *x = *d;

    if (!x)
        return;
    network_close(&x->joint);
    network_close(&x->frame);
    for (int i = 0; i < CARD_MAX_NETWORKS; i++)
        network_close(&x->temporal[i]);
    for (int i = 0; i < 3; i++)
        network_close(&x->face_networks[i]);
    card_close(&x->card);
    card_close(&x->face_card);
    free(x);
    *d = NULL;
}
