#include "shard/segment.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shard/wire.h"

enum { N_CLIPS = 6, FRAMES = 8 };

static const struct segment_rule rule = {.has_faces = true,
                                         .clips = AGGREGATE_MEAN,
                                         .tracks = AGGREGATE_MAX,
                                         .top_k = 3,
                                         .min_frames = 4,
                                         .hold_frames = 2,
                                         .min_face_px = 40,
                                         .min_overlap = 0.3};

/* What the lanes would find in each clip of one video, however it is cut. */
struct scene {
    struct clip_track tracks[64];
    struct clip_score scores[64];
    size_t n_tracks, n_scores;
};

static void add(struct scene *s, uint32_t clip, uint32_t first_frame, uint32_t n_missed, float first_x, float last_x,
                double p)
{
    uint32_t number = 0;
    struct clip_track t = {.clip = clip,
                           .first_frame = first_frame,
                           .n_missed = n_missed,
                           .first_box = {first_x, 0, first_x + 100, 100},
                           .last_box = {last_x, 0, last_x + 100, 100}};

    for (size_t i = 0; i < s->n_tracks; i++)
        number += s->tracks[i].clip == clip;
    t.number = number;
    s->tracks[s->n_tracks++] = t;
    if (p >= 0)
        s->scores[s->n_scores++] =
            (struct clip_score){.track = number, .clip = clip, .n_frames = FRAMES, .p_fake = p, .end_us = 1};
}

/* Two people; one leaves and another comes; one without enough frames for a score in clip 3. */
static void fill(struct scene *s)
{
    *s = (struct scene){0};
    add(s, 0, 0, 0, 0, 5, 0.1);
    add(s, 0, 0, 0, 500, 505, 0.9);
    add(s, 1, 0, 0, 8, 10, 0.2);
    add(s, 1, 2, 1, 510, 520, 0.8);
    add(s, 2, 1, 0, 525, 530, 0.7); /* missed 1 + 1: goes on */
    add(s, 3, 0, 0, 535, 540, -1);
    add(s, 3, 3, 0, 10, 15, 0.3); /* gone for a whole clip: a new one */
    add(s, 4, 0, 0, 900, 900, 0.4);
    add(s, 5, 2, 5, 905, 910, 0.5);
}

static int by_track(const void *a, const void *b)
{
    const struct clip_score *x = a, *y = b;

    return x->track != y->track ? (x->track > y->track) - (x->track < y->track)
                                : (x->clip > y->clip) - (x->clip < y->clip);
}

static struct result part_of(const struct scene *scene, uint32_t index, uint32_t count)
{
    struct result r = {.outcome = OUTCOME_SCORED, .p_fake = 0.5, .n_frames_wanted = 0};
    struct segment *s = calloc(1, sizeof(*s));

    cr_assert_eq(result_set_path(&r, "a.mp4"), STATUS_OK);
    *s = (struct segment){.index = index, .count = count, .state = SEGMENT_CLEAN, .rule = rule};
    segment_range(N_CLIPS, index, count, &s->first_clip, &s->n_clips);
    s->clip_frames = calloc(N_CLIPS + 1, sizeof(*s->clip_frames));
    s->tracks = calloc(64, sizeof(*s->tracks));
    r.clips = calloc(64, sizeof(*r.clips));
    for (uint32_t i = 0; i < s->n_clips; i++)
        s->clip_frames[i] = FRAMES;
    for (size_t i = 0; i < scene->n_tracks; i++) {
        if (scene->tracks[i].clip - s->first_clip < s->n_clips)
            s->tracks[s->n_tracks++] = scene->tracks[i];
    }
    for (size_t i = 0; i < scene->n_scores; i++) {
        if (scene->scores[i].clip - s->first_clip < s->n_clips)
            r.clips[r.n_clips++] = scene->scores[i];
        r.n_tracks = 8;
    }
    qsort(r.clips, r.n_clips, sizeof(*r.clips), by_track);
    if (r.n_clips == 0) {
        r.outcome = OUTCOME_NO_FACE;
        r.p_fake = NAN;
    }
    r.n_frames_wanted = r.n_frames_decoded = r.n_frames_with_face = s->n_clips * FRAMES;
    s->longest_track = index;
    r.segment = s;
    return r;
}

/* Through the wire, as a journal has them. */
static void pass(struct result *r)
{
    uint8_t *data;
    size_t len;

    cr_assert_eq(result_pack(r, &data, &len), STATUS_OK);
    for (size_t cut = 0; cut < len; cut++) {
        struct result torn;

        cr_assert_eq(result_unpack(data, cut, &torn), STATUS_CORRUPT, "cut at %zu of %zu", cut, len);
    }
    result_clear(r);
    cr_assert_eq(result_unpack(data, len, r), STATUS_OK);
    free(data);
}

static struct result joined(const struct scene *scene, uint32_t count)
{
    struct result parts[SEGMENT_MAX_COUNT], all;
    const struct result *pointers[SEGMENT_MAX_COUNT];
    struct error e;

    for (uint32_t i = 0; i < count; i++) {
        parts[i] = part_of(scene, i, count);
        pass(&parts[i]);
        pointers[i] = &parts[i];
    }
    cr_assert_eq(segment_join(pointers, count, &all, &e), STATUS_OK);
    for (uint32_t i = 0; i < count; i++)
        result_clear(&parts[i]);
    return all;
}

Test(segment, ranges_cover_every_clip_once)
{
    for (uint32_t clips = 0; clips <= 64; clips++) {
        for (uint32_t count = 1; count <= SEGMENT_MAX_COUNT; count++) {
            uint32_t next = 0, first, n;

            for (uint32_t i = 0; i < count; i++) {
                segment_range(clips, i, count, &first, &n);
                cr_assert_eq(first, next);
                next += n;
            }
            cr_assert_eq(next, clips);
        }
    }
}

Test(segment, a_video_joined_from_any_number_of_parts_is_the_same_to_the_bit)
{
    struct scene scene;
    struct result two;

    fill(&scene);
    two = joined(&scene, 2);
    cr_assert_eq(two.n_clips, scene.n_scores);
    cr_assert_eq(two.n_frames_decoded, N_CLIPS * FRAMES);
    cr_assert_null(two.segment);
    for (uint32_t count = 3; count <= 8; count++) {
        struct result more = joined(&scene, count);

        cr_assert_eq(more.n_clips, two.n_clips);
        cr_assert_eq(memcmp(&more.p_fake, &two.p_fake, sizeof(double)), 0);
        cr_assert_eq(memcmp(more.clips, two.clips, two.n_clips * sizeof(*two.clips)), 0);
        cr_assert_eq(more.n_tracks, two.n_tracks);
        cr_assert_eq(more.n_frames_decoded, two.n_frames_decoded);
        cr_assert_eq(more.outcome, two.outcome);
        result_clear(&more);
    }
    result_clear(&two);
}

Test(segment, tracks_go_on_from_clip_to_clip_as_the_tracker_would_let_them)
{
    static const uint32_t tracks[] = {0, 0, 1, 1, 1, 2, 3}, clips[] = {0, 1, 0, 1, 2, 3, 4};
    struct scene scene;
    struct result r;

    fill(&scene);
    r = joined(&scene, 3);
    /* Clip 5's begins in frame 2 with 0 missed before: goes on with clip 4's. */
    cr_assert_eq(r.n_tracks, 4);
    cr_assert_eq(r.n_clips, 8);
    for (size_t i = 0; i < 7; i++) {
        cr_assert_eq(r.clips[i].track, tracks[i], "score %zu", i);
        cr_assert_eq(r.clips[i].clip, clips[i], "score %zu", i);
    }
    cr_assert_eq(r.clips[7].track, 3);
    /* max over tracks of the mean over clips: (0.9 + 0.8 + 0.7) / 3 */
    cr_assert_float_eq(r.p_fake, 0.8, 1e-12);
    result_clear(&r);
}

Test(segment, a_troubled_part_sends_the_video_back_whole)
{
    struct scene scene;
    struct result parts[2], all = {0};
    const struct result *pointers[2] = {&parts[0], &parts[1]};
    struct error e;

    fill(&scene);
    parts[0] = part_of(&scene, 0, 2);
    parts[1] = part_of(&scene, 1, 2);
    segment_drop_finds(&parts[1], parts[1].segment, SEGMENT_TROUBLED);
    parts[1].outcome = OUTCOME_NO_FACE;
    parts[1].p_fake = NAN;
    pass(&parts[1]);
    cr_assert_eq(segment_join(pointers, 2, &all, &e), STATUS_AGAIN);
    cr_assert_null(all.path);
    result_clear(&parts[0]);
    result_clear(&parts[1]);
}

Test(segment, without_a_score_the_counts_of_all_parts_decide)
{
    struct scene nothing = {0};
    struct result r = joined(&nothing, 3);

    cr_assert_eq(r.outcome, OUTCOME_TOO_SHORT, "some part had a track of two frames");
    cr_assert_str_eq(r.message, "the longest track has 2 frames, the detector needs 4");
    cr_assert(isnan(r.p_fake));
    result_clear(&r);
}

Test(segment, records_that_break_a_rule_are_not_packed)
{
    struct scene scene;
    uint8_t *data = NULL;
    size_t len;
    struct result r;

    fill(&scene);
    for (unsigned i = 0; i < 8; i++) {
        r = part_of(&scene, 0, 2);
        switch (i) {
        case 0:
            r.segment->index = 2;
            break;
        case 1:
            r.segment->count = 1;
            break;
        case 2:
            r.segment->tracks[0].clip = 5;
            break;
        case 3:
            r.segment->tracks[1] = r.segment->tracks[0];
            break;
        case 4:
            r.segment->tracks[0].last_box[1] = NAN;
            break;
        case 5:
            r.clips[0].track = 7; /* not listed */
            break;
        case 6:
            r.segment->state = 0;
            break;
        case 7:
            segment_drop_finds(&r, r.segment, SEGMENT_FAILED); /* and a score */
            break;
        }
        cr_assert_eq(result_pack(&r, &data, &len), STATUS_INVALID, "case %u", i);
        result_clear(&r);
    }
}
