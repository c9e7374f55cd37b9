#include "nodes/face_follow.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_ALIVE = 2 * CARD_MAX_FACES, MAX_WAITING = 64 };

/* A frame that was not searched; its pixels lie in the follower's store. */
struct waiting {
    size_t offset;
    unsigned width_px, height_px;
    int64_t pts_us;
};

struct follower {
    struct card_face settings;
    struct face_finder *finder;
    struct tracker *tracker;
    unsigned n_frames;   /* pushed */
    unsigned searched;   /* index of the last frame that was searched */
    int64_t searched_us; /* its time */
    size_t n_before;     /* what was alive in it */
    struct tracked_face before[MAX_ALIVE];
    size_t n_waiting;
    struct waiting waiting[MAX_WAITING];
    uint8_t *store;
    size_t store_bytes, room_bytes;
    size_t n_smooth; /* the tracks of the frame before, as they were given */
    struct tracked_face smooth[MAX_ALIVE];
    struct followed_frame out;
};

enum status follower_open(const struct card_face *settings, struct face_finder *finder, struct follower **ret_f,
                          struct error *e)
{
    struct follower *f = calloc(1, sizeof(*f));

    if (!f)
        return error_no_memory(e);
    f->settings = *settings;
    f->finder = finder;
    *ret_f = f;
    return STATUS_OK;
}

void follower_close(struct follower **f)
{
    if (!f || !*f)
        return;
    tracker_close(&(*f)->tracker);
    free((*f)->store);
    free(*f);
    *f = NULL;
}

enum status follower_begin(struct follower *f, struct error *e)
{
    tracker_close(&f->tracker);
    f->tracker = tracker_open(&f->settings);
    if (!f->tracker)
        return error_no_memory(e);
    f->n_frames = 0;
    f->n_before = f->n_waiting = f->n_smooth = 0;
    f->store_bytes = 0;
    return STATUS_OK;
}

static struct face between(const struct face *a, const struct face *b, float share)
{
    struct face f = *a;

    f.x0 += share * (b->x0 - a->x0);
    f.y0 += share * (b->y0 - a->y0);
    f.x1 += share * (b->x1 - a->x1);
    f.y1 += share * (b->y1 - a->y1);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned k = 0; k < 2; k++)
            f.points_xy[i][k] += share * (b->points_xy[i][k] - a->points_xy[i][k]);
    }
    if (b->confidence < a->confidence)
        f.confidence = b->confidence;
    return f;
}

static void smooth(struct follower *f)
{
    struct followed_frame *out = &f->out;
    float share = (float)(1 - f->settings.smooth);

    if (f->settings.smooth <= 0)
        return;
    for (size_t i = 0; i < out->n_faces; i++) {
        for (size_t k = 0; k < f->n_smooth; k++) {
            if (f->smooth[k].track == out->faces[i].track)
                out->faces[i].face = between(&f->smooth[k].face, &out->faces[i].face, share);
        }
    }
    memcpy(f->smooth, out->faces, out->n_faces * sizeof(*out->faces));
    f->n_smooth = out->n_faces;
}

/* f->out has its faces; gives them. */
static enum status give(struct follower *f, const struct image *image, int64_t pts_us, unsigned index,
                        const struct follower_sink *sink, struct error *e)
{
    f->out.image = *image;
    f->out.pts_us = pts_us;
    f->out.index = index;
    smooth(f);
    return sink->take(sink->context, &f->out, e);
}

static const struct tracked_face *find(const struct tracked_face *list, size_t n, uint32_t track)
{
    for (size_t i = 0; i < n; i++) {
        if (list[i].track == track)
            return &list[i];
    }
    return NULL;
}

/* The tracks that were alive at the search before and still are, at a share of the way. */
static void fill_between(struct follower *f, const struct tracked_face *now, size_t n_now, double share)
{
    struct followed_frame *out = &f->out;

    out->n_faces = 0;
    for (size_t i = 0; i < f->n_before; i++) {
        const struct tracked_face *a = &f->before[i], *b = find(now, n_now, a->track);
        struct tracked_face *t = &out->faces[out->n_faces];

        if (!b)
            continue;
        *t = *a;
        t->held = a->held || b->held;
        if (!b->held)
            t->face = between(&a->face, &b->face, (float)share);
        out->n_faces++;
    }
}

static struct image waiting_image(const struct follower *f, const struct waiting *w)
{
    return (struct image){f->store + w->offset, w->width_px, w->height_px, 3 * (size_t)w->width_px, NULL};
}

/* Gives the n frames that wait; now is what the search at now_us found. */
static enum status give_waiting(struct follower *f, size_t n, const struct tracked_face *now, size_t n_now,
                                int64_t now_us, const struct follower_sink *sink, struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        const struct waiting *w = &f->waiting[i];
        const struct image image = waiting_image(f, w);
        /* By order where time stamps say nothing. */
        double share = now_us > f->searched_us
                           ? (double)(w->pts_us - f->searched_us) / (double)(now_us - f->searched_us)
                           : (double)(i + 1) / (double)(n + 1);

        fill_between(f, now, n_now, share < 0 ? 0 : share > 1 ? 1 : share);
        s = give(f, &image, w->pts_us, f->searched + 1 + (unsigned)i, sink, e);
    }
    return s;
}

/* Searches a frame, then gives the n_between that waited for it, and it. */
static enum status search(struct follower *f, const struct image *image, int64_t pts_us, unsigned index,
                          size_t n_between, const struct follower_sink *sink, struct error *e)
{
    struct face faces[CARD_MAX_FACES];
    struct tracked_face now[MAX_ALIVE];
    size_t n_faces = 0, n_now;
    enum status s = face_finder_run(f->finder, image, faces, f->settings.max_faces, &n_faces, e);

    if (s != STATUS_OK)
        return s;
    n_now = tracker_push_after(f->tracker, index > 0 ? index - f->searched : 1, faces, n_faces, now);
    s = give_waiting(f, n_between, now, n_now, pts_us, sink, e);
    if (s != STATUS_OK)
        return s;
    memcpy(f->before, now, n_now * sizeof(*now));
    f->n_before = n_now;
    f->searched = index;
    f->searched_us = pts_us;
    memcpy(f->out.faces, now, n_now * sizeof(*now));
    f->out.n_faces = n_now;
    s = give(f, image, pts_us, index, sink, e);
    f->n_waiting = 0;
    f->store_bytes = 0;
    return s;
}

/* STATUS_AGAIN: it would be too much, the frame is to be searched. */
static enum status keep_waiting(struct follower *f, const struct image *image, int64_t pts_us, struct error *e)
{
    size_t row = 3 * (size_t)image->width_px, bytes = row * image->height_px;
    struct waiting *w = &f->waiting[f->n_waiting];

    if (f->n_waiting == MAX_WAITING || bytes > FOLLOWER_ROOM_BYTES - f->store_bytes)
        return STATUS_AGAIN;
    if (f->store_bytes + bytes > f->room_bytes) {
        uint8_t *bigger = realloc(f->store, f->store_bytes + bytes);

        /* To search it instead would make the boxes depend on the memory that there is. */
        if (!bigger)
            return error_no_memory(e);
        f->store = bigger;
        f->room_bytes = f->store_bytes + bytes;
    }
    image_need_all(image);
    for (unsigned y = 0; y < image->height_px; y++)
        memcpy(f->store + f->store_bytes + y * row, image->rgb_hwc_u8 + y * image->stride_bytes, row);
    *w = (struct waiting){f->store_bytes, image->width_px, image->height_px, pts_us};
    f->store_bytes += bytes;
    f->n_waiting++;
    return STATUS_OK;
}

enum status follower_push(struct follower *f, const struct image *frame, int64_t pts_us,
                          const struct follower_sink *sink, struct error *e)
{
    unsigned index = f->n_frames++;
    enum status s = STATUS_AGAIN;

    if (index > 0 && index - f->searched < f->settings.detect_every)
        s = keep_waiting(f, frame, pts_us, e);
    if (s != STATUS_AGAIN)
        return s;
    return search(f, frame, pts_us, index, f->n_waiting, sink, e);
}

enum status follower_end(struct follower *f, const struct follower_sink *sink, struct error *e)
{
    const struct waiting *last;
    struct image image;

    if (f->n_waiting == 0)
        return STATUS_OK;
    last = &f->waiting[f->n_waiting - 1];
    image = waiting_image(f, last);
    return search(f, &image, last->pts_us, f->n_frames - 1, f->n_waiting - 1, sink, e);
}
