#include "nodes/face_follow.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE_PX = 64, MAX_GIVEN = 64 };

/* The search's place is taken by this: a frame's first bytes say where its faces are. */
static unsigned n_searches, n_near;

enum status face_finder_run(struct face_finder *f, const struct image *frame, struct face *ret_faces, size_t room,
                            size_t *ret_count, struct error *e)
{
    const uint8_t *p = frame->rgb_hwc_u8;

    (void)f;
    (void)e;
    n_searches++;
    *ret_count = 0;
    for (unsigned i = 0; i < p[0] && i < room; i++) {
        float x = p[1 + i];

        ret_faces[i] = (struct face){.x0 = x, .y0 = 5, .x1 = x + 20, .y1 = 25, .confidence = 0.9f};
        ret_faces[i].points_xy[2][0] = x + 10;
        ++*ret_count;
    }
    return STATUS_OK;
}

/* The place near a face: one of the frame's faces that overlaps it. */
enum status face_near_run(struct face_near *n, const struct image *frame, const struct face *before,
                          struct face *ret_face, struct error *e)
{
    const uint8_t *p = frame->rgb_hwc_u8;

    (void)n;
    (void)e;
    n_near++;
    for (unsigned i = 0; i < p[0]; i++) {
        float x = p[1 + i];

        *ret_face = (struct face){.x0 = x, .y0 = 5, .x1 = x + 20, .y1 = 25, .confidence = 0.8f};
        if (face_overlap(before, ret_face) >= 0.3)
            return STATUS_OK;
    }
    return STATUS_AGAIN;
}

struct given {
    int64_t pts_us;
    unsigned index, tag;
    size_t n_faces;
    struct tracked_face faces[2 * CARD_MAX_FACES];
};

struct scene {
    struct follower *follower;
    struct given given[MAX_GIVEN];
    unsigned n_given;
    uint8_t rgb[SIDE_PX * SIDE_PX * 3];
    const struct image *large; /* what all frames are, or NULL: */
    unsigned n_pushed;
    uint8_t pushed[MAX_GIVEN][SIDE_PX * SIDE_PX * 3];
};

static enum status take(void *context, const struct followed_frame *frame, struct error *e)
{
    struct scene *s = context;
    struct given *g = &s->given[s->n_given++];

    (void)e;
    cr_assert_leq(s->n_given, MAX_GIVEN);
    *g = (struct given){.pts_us = frame->pts_us, .index = frame->index, .n_faces = frame->n_faces};
    g->tag = frame->image.rgb_hwc_u8[5];
    memcpy(g->faces, frame->faces, sizeof(g->faces));
    return STATUS_OK;
}

/* Frames are kept for whoever asks for them, in another place each time. */
static enum status fetch(void *context, unsigned index, struct image *ret_image, struct error *e)
{
    struct scene *s = context;

    (void)e;
    cr_assert_lt(index, s->n_pushed);
    if (s->large) {
        *ret_image = *s->large;
        return STATUS_OK;
    }
    memcpy(s->rgb, s->pushed[index], sizeof(s->rgb));
    *ret_image = (struct image){s->rgb, SIDE_PX, SIDE_PX, 3 * SIDE_PX, NULL};
    return STATUS_OK;
}

static const struct card_face SETTINGS = {.hold_frames = 4, .min_overlap = 0.3, .max_faces = 4, .detect_every = 4};

static struct scene *begin_with(const struct card_face *settings, unsigned n_kept, struct face_near *near)
{
    struct scene *s = calloc(1, sizeof(*s));
    struct error e = {0};

    n_searches = n_near = 0;
    cr_assert_eq(follower_open(settings, NULL, near, &s->follower, &e), STATUS_OK);
    cr_assert_eq(follower_begin(s->follower, n_kept, &e), STATUS_OK);
    return s;
}

static struct scene *begin(const struct card_face *settings)
{
    return begin_with(settings, 64, NULL);
}

/* Whose pointer is never followed. */
static struct scene *begin_near(const struct card_face *settings)
{
    static int place;

    return begin_with(settings, 0, (struct face_near *)(void *)&place);
}

static void push(struct scene *s, int64_t pts_us, unsigned n, unsigned x, unsigned x2)
{
    const struct follower_sink sink = {take, fetch, s};
    const struct image image = {s->rgb, SIDE_PX, SIDE_PX, 3 * SIDE_PX, NULL};
    struct error e = {0};
    static uint8_t tag;

    memset(s->rgb, 0, sizeof(s->rgb));
    s->rgb[0] = (uint8_t)n;
    s->rgb[1] = (uint8_t)x;
    s->rgb[2] = (uint8_t)x2;
    tag = (uint8_t)(pts_us / 1000);
    s->rgb[5] = tag;
    cr_assert_lt(s->n_pushed, MAX_GIVEN);
    memcpy(s->pushed[s->n_pushed++], s->rgb, sizeof(s->rgb));
    cr_assert_eq(follower_push(s->follower, &image, pts_us, &sink, &e), STATUS_OK, "%s", e.text);
    memset(s->rgb, 255, sizeof(s->rgb)); /* the caller's pixels do not last */
}

static void end(struct scene *s)
{
    const struct follower_sink sink = {take, fetch, s};
    struct error e = {0};

    cr_assert_eq(follower_end(s->follower, &sink, &e), STATUS_OK);
}

static void close_scene(struct scene *s)
{
    follower_close(&s->follower);
    cr_assert_null(s->follower);
    free(s);
}

Test(face_follow, every_frame_is_given_once_in_order_with_its_pixels)
{
    for (unsigned every = 1; every <= 7; every++) {
        for (unsigned n = 1; n <= 20; n++) {
            struct card_face settings = SETTINGS;
            struct scene *s;

            settings.detect_every = every;
            s = begin(&settings);
            for (unsigned i = 0; i < n; i++)
                push(s, 1000 * (i + 1), 1, 10, 0);
            end(s);
            cr_assert_eq(s->n_given, n);
            for (unsigned i = 0; i < n; i++) {
                cr_assert_eq(s->given[i].index, i);
                cr_assert_eq(s->given[i].pts_us, 1000 * (i + 1));
                cr_assert_eq(s->given[i].tag, i + 1, "frame %u shows frame %u", i, s->given[i].tag);
                cr_assert_eq(s->given[i].n_faces, 1);
                cr_assert_not(s->given[i].faces[0].held);
            }
            /* The first, each every-th after it, and the last. */
            cr_assert_eq(n_searches, 1 + (n - 1) / every + ((n - 1) % every != 0), "%u searches of %u frames",
                         n_searches, n);
            close_scene(s);
        }
    }
}

Test(face_follow, boxes_between_lie_on_the_line_by_time_stamp)
{
    struct scene *s = begin(&SETTINGS);
    const int64_t times[] = {0, 1000, 2000, 7000, 8000};

    for (unsigned i = 0; i < 5; i++)
        push(s, times[i], 1, i == 0 ? 8 : 16, 0); /* frames between are not searched, whatever they show */
    end(s);
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_float_eq(s->given[i].faces[0].face.x0, 8 + (double)times[i] / 1000, 1e-4);
        cr_assert_float_eq(s->given[i].faces[0].face.points_xy[2][0], 18 + (double)times[i] / 1000, 1e-4);
    }
    cr_assert_eq(n_searches, 2);
    close_scene(s);
}

Test(face_follow, a_face_that_one_search_misses_is_held_between)
{
    struct scene *s = begin(&SETTINGS);

    for (unsigned i = 0; i < 9; i++)
        push(s, 1000 * i, i != 4, 10, 0);
    end(s);
    for (unsigned i = 0; i < 9; i++) {
        cr_assert_eq(s->given[i].n_faces, 1, "frame %u", i);
        cr_assert_eq(s->given[i].faces[0].track, 0);
        cr_assert_eq(s->given[i].faces[0].held, i >= 1 && i <= 7, "frame %u", i);
    }
    close_scene(s);
}

Test(face_follow, misses_count_in_frames_so_a_track_may_end_at_one_search)
{
    struct card_face settings = SETTINGS;
    struct scene *s;

    settings.hold_frames = 3;
    s = begin(&settings);
    for (unsigned i = 0; i < 9; i++)
        push(s, 1000 * i, i != 4, 10, 0);
    end(s);
    cr_assert_eq(s->given[0].n_faces, 1);
    for (unsigned i = 1; i < 8; i++)
        cr_assert_eq(s->given[i].n_faces, 0, "frame %u", i);
    cr_assert_eq(s->given[8].faces[0].track, 1);
    close_scene(s);
}

Test(face_follow, a_new_face_begins_where_it_is_found)
{
    struct scene *s = begin(&SETTINGS);

    for (unsigned i = 0; i < 9; i++)
        push(s, 1000 * i, i >= 4 ? 2 : 1, 2, 40);
    end(s);
    for (unsigned i = 0; i < 9; i++)
        cr_assert_eq(s->given[i].n_faces, i >= 4 ? 2 : 1, "frame %u", i);
    cr_assert_eq(s->given[4].faces[1].track, 1);
    close_scene(s);
}

Test(face_follow, frames_of_one_time_are_followed_by_their_order)
{
    struct scene *s = begin(&SETTINGS);

    for (unsigned i = 0; i < 5; i++)
        push(s, 3000, 1, i == 0 ? 8 : 16, 0);
    end(s);
    for (unsigned i = 0; i < 5; i++)
        cr_assert_float_eq(s->given[i].faces[0].face.x0, 8 + 2.0 * i, 1e-4);
    close_scene(s);
}

Test(face_follow, smoothing_takes_its_share_of_the_box_before)
{
    struct card_face settings = SETTINGS;
    struct scene *s;

    settings.detect_every = 1;
    settings.smooth = 0.75;
    s = begin(&settings);
    push(s, 0, 1, 10, 0);
    push(s, 1000, 1, 18, 0);
    push(s, 2000, 1, 18, 0);
    end(s);
    cr_assert_float_eq(s->given[0].faces[0].face.x0, 10, 1e-5);
    cr_assert_float_eq(s->given[1].faces[0].face.x0, 12, 1e-5);
    cr_assert_float_eq(s->given[2].faces[0].face.x0, 13.5, 1e-5);
    cr_assert_float_eq(s->given[2].faces[0].face.x1, 33.5, 1e-5);
    close_scene(s);
}

Test(face_follow, a_clip_knows_nothing_of_the_one_before)
{
    struct card_face settings = SETTINGS;
    struct scene *s;
    struct error e = {0};

    settings.smooth = 0.5;
    s = begin(&settings);
    for (unsigned i = 0; i < 3; i++)
        push(s, 1000 * i, 1, 10, 0);
    cr_assert_eq(s->n_given, 1); /* two wait, and are forgotten */
    cr_assert_eq(follower_begin(s->follower, 64, &e), STATUS_OK);
    s->n_pushed = 0;
    push(s, 9000, 1, 30, 0);
    end(s);
    cr_assert_eq(s->n_given, 2);
    cr_assert_eq(s->given[1].index, 0);
    cr_assert_eq(s->given[1].faces[0].track, 0);
    cr_assert_float_eq(s->given[1].faces[0].face.x0, 30, 1e-6);
    close_scene(s);
}

/* 8000 x 4000 pixels are 96 MB: two may wait. */
Test(face_follow, large_frames_are_searched_earlier_instead_of_waiting_without_bound)
{
    struct card_face settings = SETTINGS;
    const struct image image = {calloc(8000 * 4000, 3), 8000, 4000, 24000, NULL};
    struct scene *s;
    struct error e = {0};

    settings.detect_every = 32;
    s = begin(&settings);
    {
        const struct follower_sink sink = {take, fetch, s};

        s->large = &image;
        s->n_pushed = 7;
        for (unsigned i = 0; i < 7; i++)
            cr_assert_eq(follower_push(s->follower, &image, 1000 * i, &sink, &e), STATUS_OK);
    }
    cr_assert_eq(n_searches, 3);
    cr_assert_eq(s->n_given, 7);
    end(s);
    close_scene(s);
    free((void *)(uintptr_t)image.rgb_hwc_u8);
}

Test(face_follow, no_more_frames_wait_than_can_be_had_again)
{
    struct card_face settings = SETTINGS;
    struct scene *s;

    settings.detect_every = 8;
    s = begin_with(&settings, 3, NULL);
    for (unsigned i = 0; i < 9; i++)
        push(s, 1000 * (i + 1), 1, 10, 0);
    end(s);
    cr_assert_eq(n_searches, 3);
    for (unsigned i = 0; i < 9; i++)
        cr_assert_eq(s->given[i].tag, i + 1);
    close_scene(s);
}

/* SETTINGS: the whole frame at 0, 4 and 8. */
Test(face_follow, a_face_is_searched_near_its_place_between_searches)
{
    struct scene *s = begin_near(&SETTINGS);

    for (unsigned i = 0; i < 10; i++) {
        push(s, 1000 * i, 1, 10 + 2 * i, 0);
        cr_assert_eq(s->n_given, i + 1, "nothing waits");
    }
    end(s);
    cr_assert_eq(n_searches, 3);
    cr_assert_eq(n_near, 7);
    for (unsigned i = 0; i < 10; i++) {
        cr_assert_eq(s->given[i].index, i);
        cr_assert_eq(s->given[i].n_faces, 1);
        cr_assert_eq(s->given[i].faces[0].track, 0);
        cr_assert_float_eq(s->given[i].faces[0].face.x0, 10 + 2.0 * i, 1e-6);
    }
    close_scene(s);
}

Test(face_follow, the_whole_frame_is_searched_where_a_face_is_not_near_its_place)
{
    struct scene *s = begin_near(&SETTINGS);

    for (unsigned i = 0; i < 8; i++)
        push(s, 1000 * i, i != 2, i < 2 ? 10 : 40, 0);
    end(s);
    /* Whole: 0, 2 (lost, then held), 3 (one is held; that one goes on), 4 to 6 as long as it is held, 7. */
    cr_assert_eq(s->given[2].n_faces, 1);
    cr_assert(s->given[2].faces[0].held);
    cr_assert_eq(s->given[3].n_faces, 2);
    cr_assert_eq(s->given[3].faces[1].track, 1);
    cr_assert_float_eq(s->given[3].faces[1].face.x0, 40, 1e-6);
    cr_assert_eq(n_searches, 6);
    cr_assert_eq(s->given[7].n_faces, 1);
    close_scene(s);
}

Test(face_follow, a_frame_without_faces_is_followed_by_a_search_of_the_whole_next_one)
{
    struct scene *s = begin_near(&SETTINGS);

    for (unsigned i = 0; i < 4; i++)
        push(s, 1000 * i, i == 3, 10, 0);
    end(s);
    cr_assert_eq(n_searches, 4);
    cr_assert_eq(n_near, 0);
    cr_assert_eq(s->given[3].n_faces, 1);
    close_scene(s);
}

Test(face_follow, two_faces_that_are_found_at_one_place_are_searched_in_the_whole_frame)
{
    struct scene *s = begin_near(&SETTINGS);

    push(s, 0, 2, 10, 20);
    push(s, 1000, 1, 15, 0); /* both see it near their place */
    end(s);
    cr_assert_eq(n_searches, 2);
    cr_assert_eq(s->given[1].n_faces, 2);
    cr_assert(s->given[1].faces[0].held || s->given[1].faces[1].held);
    close_scene(s);
}
