#include "nodes/face_follow.h"

#include <stdlib.h>
#include <string.h>

enum {
    MAX_ALIVE = 2 * CARD_MAX_FACES,
    MAX_WAITING = 64,
    MAX_NEAR = 4, /* more faces cost as much as the whole frame */
};

/* Two faces that lie over each other more than this are one that was found twice. */
static const double SAME_FACE = 0.5;

struct follower {
    struct card_face settings;
    struct face_finder *finder;
    struct face_near *near;
    struct tracker *tracker;
    unsigned n_frames;   /* pushed */
    unsigned n_kept;     /* frames before the last one that can be had again */
    unsigned searched;   /* index of the last frame that was searched as a whole */
    unsigned followed;   /* of the last one that was searched at all */
    int64_t searched_us; /* its time */
    size_t n_before;     /* what was alive in it */
    struct tracked_face before[MAX_ALIVE];
    size_t n_waiting; /* the frames before the last one pushed */
    int64_t waiting_us[MAX_WAITING];
    size_t waiting_bytes;
    size_t n_smooth; /* the tracks of the frame before, as they were given */
    struct tracked_face smooth[MAX_ALIVE];
    struct followed_frame out;
};

enum status follower_open(const struct card_face *settings, struct face_finder *finder, struct face_near *near,
                          struct follower **ret_f, struct error *e)
{
    struct follower *f = calloc(1, sizeof(*f));

    if (!f)
        return error_no_memory(e);
    f->settings = *settings;
    f->finder = finder;
    f->near = near;
    *ret_f = f;
    return STATUS_OK;
}

void follower_close(struct follower **f)
{
    if (!f || !*f)
        return;
    tracker_close(&(*f)->tracker);
    free(*f);
    *f = NULL;
}

enum status follower_begin(struct follower *f, unsigned n_kept, struct error *e)
{
    tracker_close(&f->tracker);
    f->tracker = tracker_open(&f->settings);
    if (!f->tracker)
        return error_no_memory(e);
    f->n_frames = 0;
    f->n_kept = n_kept;
    f->n_before = f->n_waiting = f->n_smooth = 0;
    f->waiting_bytes = 0;
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

/* Gives the n frames that wait; now is what the search at now_us found. */
static enum status give_waiting(struct follower *f, size_t n, const struct tracked_face *now, size_t n_now,
                                int64_t now_us, const struct follower_sink *sink, struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        unsigned index = f->searched + 1 + (unsigned)i;
        int64_t at_us = f->waiting_us[i];
        /* By order where time stamps say nothing. */
        double share = now_us > f->searched_us ? (double)(at_us - f->searched_us) / (double)(now_us - f->searched_us)
                                               : (double)(i + 1) / (double)(n + 1);
        struct image image;

        fill_between(f, now, n_now, share < 0 ? 0 : share > 1 ? 1 : share);
        s = sink->fetch(sink->context, index, &image, e);
        if (s == STATUS_OK)
            s = give(f, &image, at_us, index, sink, e);
    }
    return s;
}

/* The frame has these faces: joins them to tracks and gives it. */
static enum status take_found(struct follower *f, const struct image *image, int64_t pts_us, unsigned index,
                              const struct face *faces, size_t n_faces, size_t n_between,
                              const struct follower_sink *sink, struct error *e)
{
    struct tracked_face now[MAX_ALIVE];
    size_t n_now = tracker_push_after(f->tracker, index > 0 ? index - f->followed : 1, faces, n_faces, now);
    struct image again = *image;
    enum status s = give_waiting(f, n_between, now, n_now, pts_us, sink, e);

    if (s == STATUS_OK && n_between > 0)
        s = sink->fetch(sink->context, index, &again, e);
    if (s != STATUS_OK)
        return s;
    memcpy(f->before, now, n_now * sizeof(*now));
    f->n_before = n_now;
    f->followed = index;
    f->searched_us = pts_us;
    memcpy(f->out.faces, now, n_now * sizeof(*now));
    f->out.n_faces = n_now;
    f->n_waiting = 0;
    f->waiting_bytes = 0;
    return give(f, &again, pts_us, index, sink, e);
}

/* Searches a frame, then gives the n_between that waited for it, and it. */
static enum status search(struct follower *f, const struct image *image, int64_t pts_us, unsigned index,
                          size_t n_between, const struct follower_sink *sink, struct error *e)
{
    struct face faces[CARD_MAX_FACES];
    size_t n_faces = 0;
    enum status s = face_finder_run(f->finder, image, faces, f->settings.max_faces, &n_faces, e);

    if (s == STATUS_OK)
        s = take_found(f, image, pts_us, index, faces, n_faces, n_between, sink, e);
    f->searched = index;
    return s;
}

/* STATUS_AGAIN: it would be too much, the frame is to be searched. */
static enum status keep_waiting(struct follower *f, const struct image *image, int64_t pts_us)
{
    size_t bytes = 3 * (size_t)image->width_px * image->height_px;

    if (f->n_waiting == MAX_WAITING || f->n_waiting >= f->n_kept || bytes > FOLLOWER_ROOM_BYTES - f->waiting_bytes)
        return STATUS_AGAIN;
    f->waiting_us[f->n_waiting++] = pts_us;
    f->waiting_bytes += bytes;
    return STATUS_OK;
}

/* STATUS_AGAIN: not every face of the frame before is near its place, the frame is to be searched. */
static enum status search_near(struct follower *f, const struct image *image, int64_t pts_us, unsigned index,
                               const struct follower_sink *sink, struct error *e)
{
    struct face faces[MAX_NEAR];
    size_t n = f->n_before;

    if (n == 0 || n > MAX_NEAR)
        return STATUS_AGAIN;
    for (size_t i = 0; i < n; i++) {
        enum status s =
            f->before[i].held ? STATUS_AGAIN : face_near_run(f->near, image, &f->before[i].face, &faces[i], e);

        for (size_t k = 0; s == STATUS_OK && k < i; k++)
            s = face_overlap(&faces[k], &faces[i]) > SAME_FACE ? STATUS_AGAIN : STATUS_OK;
        if (s != STATUS_OK)
            return s;
    }
    return take_found(f, image, pts_us, index, faces, n, 0, sink, e);
}

enum status follower_push(struct follower *f, const struct image *frame, int64_t pts_us,
                          const struct follower_sink *sink, struct error *e)
{
    unsigned index = f->n_frames++;
    enum status s = STATUS_AGAIN;

    if (index > 0 && index - f->searched < f->settings.detect_every)
        s = f->near ? search_near(f, frame, pts_us, index, sink, e) : keep_waiting(f, frame, pts_us);
    if (s != STATUS_AGAIN)
        return s;
    return search(f, frame, pts_us, index, f->n_waiting, sink, e);
}

enum status follower_end(struct follower *f, const struct follower_sink *sink, struct error *e)
{
    unsigned index = f->n_frames - 1;
    struct image image;
    enum status s;

    if (f->n_waiting == 0)
        return STATUS_OK;
    s = sink->fetch(sink->context, index, &image, e);
    if (s != STATUS_OK)
        return s;
    return search(f, &image, f->waiting_us[f->n_waiting - 1], index, f->n_waiting - 1, sink, e);
}
