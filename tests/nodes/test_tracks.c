#include "nodes/tracks.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const struct card_face SETTINGS = {.hold_frames = 2, .min_overlap = 0.3};

static struct face at(float x, float y, float side, float confidence)
{
    return (struct face){.x0 = x, .y0 = y, .x1 = x + side, .y1 = y + side, .confidence = confidence};
}

Test(tracks, overlap_is_intersection_over_union)
{
    struct face a = at(0, 0, 10, 1), b = at(5, 0, 10, 1), far = at(100, 0, 10, 1), touching = at(10, 0, 10, 1);
    struct face empty = {.x0 = 3, .x1 = 3, .y0 = 0, .y1 = 9}, broken = at(NAN, 0, 10, 1);

    cr_assert_float_eq(face_overlap(&a, &a), 1, 1e-12);
    cr_assert_float_eq(face_overlap(&a, &b), 50.0 / 150, 1e-12);
    cr_assert_eq(face_overlap(&a, &far), 0);
    cr_assert_eq(face_overlap(&a, &touching), 0);
    cr_assert_eq(face_overlap(&empty, &empty), 0);
    cr_assert_eq(face_overlap(&broken, &broken), 0);
}

Test(tracks, a_moving_face_keeps_its_number)
{
    struct tracker *t = tracker_open(&SETTINGS);
    struct tracked_face got[2 * CARD_MAX_FACES];

    for (unsigned i = 0; i < 100; i++) {
        struct face f = at(3.0f * (float)i, 5, 20, 0.9f);

        cr_assert_eq(tracker_push(t, &f, 1, got), 1);
        cr_assert_eq(got[0].track, 0);
        cr_assert_not(got[0].held);
        cr_assert_eq(got[0].face.x0, f.x0);
    }
    cr_assert_eq(tracker_track_count(t), 1);
    tracker_close(&t);
    cr_assert_null(t);
    tracker_close(&t);
}

Test(tracks, new_faces_are_numbered_by_confidence)
{
    struct tracker *t = tracker_open(&SETTINGS);
    struct tracked_face got[2 * CARD_MAX_FACES];
    struct face faces[] = {at(0, 0, 10, 0.5f), at(50, 0, 10, 0.9f), at(100, 0, 10, 0.7f)};

    cr_assert_eq(tracker_push(t, faces, 3, got), 3);
    cr_assert_eq(got[0].face.x0, 50);
    cr_assert_eq(got[1].face.x0, 100);
    cr_assert_eq(got[2].face.x0, 0);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(got[i].track, i);
    tracker_close(&t);
}

Test(tracks, a_lost_face_is_held_for_hold_frames_and_then_ends)
{
    struct tracker *t = tracker_open(&SETTINGS);
    struct tracked_face got[2 * CARD_MAX_FACES];
    struct face f = at(10, 10, 20, 0.9f);

    tracker_push(t, &f, 1, got);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(tracker_push(t, NULL, 0, got), 1);
        cr_assert_eq(got[0].track, 0);
        cr_assert(got[0].held);
        cr_assert_eq(got[0].face.x0, 10);
    }
    cr_assert_eq(tracker_push(t, NULL, 0, got), 0);
    cr_assert_eq(tracker_push(t, &f, 1, got), 1);
    cr_assert_eq(got[0].track, 1, "an ended track's number came back");
    tracker_close(&t);
}

Test(tracks, a_face_that_comes_back_in_time_goes_on_and_is_no_longer_held)
{
    struct tracker *t = tracker_open(&SETTINGS);
    struct tracked_face got[2 * CARD_MAX_FACES];
    struct face f = at(10, 10, 20, 0.9f);

    for (unsigned round = 0; round < 5; round++) {
        cr_assert_eq(tracker_push(t, &f, 1, got), 1);
        cr_assert_not(got[0].held);
        tracker_push(t, NULL, 0, got);
        cr_assert_eq(tracker_push(t, NULL, 0, got), 1, "the wait did not begin anew in round %u", round);
    }
    cr_assert_eq(tracker_track_count(t), 1);
    tracker_close(&t);
}

Test(tracks, hold_frames_of_zero_holds_nothing)
{
    struct card_face settings = {.hold_frames = 0, .min_overlap = 0.3};
    struct tracker *t = tracker_open(&settings);
    struct tracked_face got[2 * CARD_MAX_FACES];
    struct face f = at(10, 10, 20, 0.9f);

    tracker_push(t, &f, 1, got);
    cr_assert_eq(tracker_push(t, NULL, 0, got), 0);
    tracker_close(&t);
}

Test(tracks, the_largest_overlap_joins_first_whatever_the_order_of_the_faces)
{
    for (unsigned swapped = 0; swapped < 2; swapped++) {
        struct tracker *t = tracker_open(&SETTINGS);
        struct tracked_face got[2 * CARD_MAX_FACES];
        struct face first[] = {at(0, 0, 20, 0.9f), at(8, 0, 20, 0.8f)};
        struct face near_second = at(7, 0, 20, 0.9f), near_first = at(1, 0, 20, 0.8f);
        struct face next[] = {swapped ? near_first : near_second, swapped ? near_second : near_first};

        tracker_push(t, first, 2, got);
        cr_assert_eq(tracker_push(t, next, 2, got), 2);
        cr_assert_eq(got[0].face.x0, 1);
        cr_assert_eq(got[1].face.x0, 7);
        tracker_close(&t);
    }
}

Test(tracks, a_tie_goes_to_the_lower_track)
{
    struct tracker *t = tracker_open(&SETTINGS);
    struct tracked_face got[2 * CARD_MAX_FACES];
    struct face first[] = {at(10, 0, 20, 0.9f), at(0, 0, 20, 0.8f)};
    struct face between = at(5, 0, 20, 0.9f);

    tracker_push(t, first, 2, got);
    cr_assert_eq(tracker_push(t, &between, 1, got), 2);
    cr_assert_not(got[0].held);
    cr_assert(got[1].held);
    tracker_close(&t);
}

Test(tracks, less_than_min_overlap_begins_a_track)
{
    struct tracker *t = tracker_open(&SETTINGS);
    struct tracked_face got[2 * CARD_MAX_FACES];
    struct face a = at(0, 0, 20, 0.9f), b = at(11, 0, 20, 0.9f); /* 9 / 31 = .29 */

    tracker_push(t, &a, 1, got);
    cr_assert_eq(tracker_push(t, &b, 1, got), 2);
    cr_assert(got[0].held);
    cr_assert_eq(got[1].track, 1);
    tracker_close(&t);
}

Test(tracks, no_overlap_never_joins_even_with_a_limit_of_zero)
{
    struct card_face settings = {.hold_frames = 2, .min_overlap = 0};
    struct tracker *t = tracker_open(&settings);
    struct tracked_face got[2 * CARD_MAX_FACES];
    struct face a = at(0, 0, 20, 0.9f), b = at(200, 0, 20, 0.9f);

    tracker_push(t, &a, 1, got);
    cr_assert_eq(tracker_push(t, &b, 1, got), 2);
    tracker_close(&t);
}

Test(tracks, a_crowd_never_overflows_and_the_stalest_tracks_end_first)
{
    struct card_face settings = {.hold_frames = 100, .min_overlap = 0.3};
    struct tracker *t = tracker_open(&settings);
    struct tracked_face got[2 * CARD_MAX_FACES];
    uint32_t numbers = 0;

    for (unsigned frame = 0; frame < 50; frame++) {
        struct face faces[CARD_MAX_FACES + 3];
        size_t n;

        for (unsigned k = 0; k < CARD_MAX_FACES + 3; k++)
            faces[k] = at(100.0f * (float)k, 100.0f * (float)frame, 20, 0.9f);
        n = tracker_push(t, faces, CARD_MAX_FACES + 3, got);
        cr_assert_eq(n, frame == 0 ? CARD_MAX_FACES : 2 * CARD_MAX_FACES);
        for (size_t i = 1; i < n; i++)
            cr_assert_lt(got[i - 1].track, got[i].track);
        numbers += CARD_MAX_FACES;
        cr_assert_eq(got[n - 1].track, numbers - 1);
        cr_assert_eq(got[0].track, frame == 0 ? 0 : numbers - 2 * CARD_MAX_FACES);
    }
    tracker_close(&t);
}

Test(tracks, faces_that_are_not_numbers_join_nothing)
{
    struct tracker *t = tracker_open(&SETTINGS);
    struct tracked_face got[2 * CARD_MAX_FACES];
    struct face broken = at(NAN, NAN, NAN, NAN);

    for (unsigned i = 0; i < 20; i++)
        cr_assert_leq(tracker_push(t, &broken, 1, got), 3);
    cr_assert_eq(tracker_track_count(t), 20);
    tracker_close(&t);
}

static const struct card_face MOTION = {.hold_frames = 2, .min_overlap = 0.3, .follow = FOLLOW_MOTION};

Test(tracks, motion_follows_a_face_that_overlap_would_lose)
{
    const struct card_face *both[] = {&SETTINGS, &MOTION};

    for (unsigned k = 0; k < 2; k++) {
        struct tracker *t = tracker_open(both[k]);
        struct tracked_face got[2 * CARD_MAX_FACES];

        for (unsigned i = 0; i < 30; i++) {
            /* .67 of its side a frame: an overlap of .2 */
            struct face f = at(13.4f * (float)i, 5, 20, 0.9f);

            tracker_push(t, &f, 1, got);
        }
        cr_assert_eq(tracker_track_count(t), k == 0 ? 30 : 1);
        tracker_close(&t);
    }
}

Test(tracks, motion_leads_through_short_misses)
{
    struct tracker *t = tracker_open(&MOTION);
    struct tracked_face got[2 * CARD_MAX_FACES];

    for (unsigned i = 0; i < 30; i++) {
        struct face f = at(8.0f * (float)i, 5, 20, 0.9f);
        bool missed = i > 4 && i % 3 != 0; /* two of three */

        cr_assert_eq(tracker_push(t, &f, missed ? 0 : 1, got), 1, "frame %u", i);
        cr_assert_eq(got[0].held, missed);
    }
    cr_assert_eq(tracker_track_count(t), 1);
    tracker_close(&t);
}

/* Two faces cross: at their meeting each box overlaps the other's last one more than its own. */
Test(tracks, motion_keeps_two_faces_apart_that_cross)
{
    struct tracker *t = tracker_open(&MOTION);
    struct tracked_face got[2 * CARD_MAX_FACES];

    for (unsigned i = 0; i < 20; i++) {
        struct face faces[] = {at(9.0f * (float)i, 0, 20, 0.9f), at(190 - 9.0f * (float)i, 8, 20, 0.8f)};

        cr_assert_eq(tracker_push(t, faces, 2, got), 2);
        cr_assert_eq(got[0].face.x0, faces[0].x0, "the tracks were swapped in frame %u", i);
        cr_assert_eq(got[1].face.x0, faces[1].x0);
    }
    cr_assert_eq(tracker_track_count(t), 2);
    tracker_close(&t);
}

Test(tracks, motion_joins_neither_another_size_nor_a_far_face)
{
    struct tracker *t = tracker_open(&MOTION);
    struct tracked_face got[2 * CARD_MAX_FACES];
    struct face a = at(100, 100, 40, 0.9f), small = at(125, 125, 8, 0.8f), far = at(200, 100, 40, 0.7f);
    struct face next[] = {small, far};

    tracker_push(t, &a, 1, got);
    cr_assert_eq(tracker_push(t, next, 2, got), 3);
    cr_assert(got[0].held);
    tracker_close(&t);
}

Test(tracks, frames_that_were_not_searched_count_as_missed)
{
    struct tracker *t = tracker_open(&SETTINGS);
    struct tracked_face got[2 * CARD_MAX_FACES];
    struct face f = at(10, 10, 20, 0.9f);

    tracker_push(t, &f, 1, got);
    cr_assert_eq(tracker_push_after(t, 2, NULL, 0, got), 1);
    cr_assert(got[0].held);
    cr_assert_eq(tracker_push_after(t, 1, NULL, 0, got), 0);
    tracker_push(t, &f, 1, got);
    cr_assert_eq(tracker_push_after(t, 3, NULL, 0, got), 0);
    tracker_close(&t);
}
