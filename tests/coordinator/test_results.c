#include "coordinator/results.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/evaluate/random.h"

static struct result made(uint32_t i, struct clip_score *clips, size_t n_clips)
{
    struct result r = {
        .outcome = OUTCOME_SCORED,
        .p_fake = 1.0 / (i + 1.0),
        .n_frames_wanted = i,
        .n_frames_decoded = UINT32_MAX - i,
        .n_frames_with_face = i / 2,
        .n_tracks = i % 3,
        .clips = clips,
        .n_clips = n_clips,
        .attempt = 1 + i % 2,
        .rank = i % 7,
        .wall_us = INT64_MAX - i,
        .decode_us = i,
        .face_us = -(int64_t)i,
        .network_us = INT64_MIN + i,
    };

    r.facts = (struct video_facts){
        .codec = "h264",
        .width_px = i,
        .height_px = UINT32_MAX,
        .rotation_deg = 90 * (int32_t)(i % 4),
        .fps_num = i,
        .fps_den = 1001,
        .duration_us = INT64_MAX,
        .n_frames = i,
        .bit_rate_bps = (int64_t)i << 30,
        .n_video_streams = 1,
        .n_audio_streams = UINT32_MAX,
    };
    snprintf(r.facts.container, sizeof(r.facts.container), "c%u", i % 5);
    memset(r.facts.encoder, 'e', sizeof(r.facts.encoder) - 1);
    snprintf(r.message, sizeof(r.message), "message %u", i % 100);
    for (size_t k = 0; k < n_clips; k++)
        clips[k] = (struct clip_score){
            .track = (uint32_t)k,
            .clip = UINT32_MAX,
            .start_us = INT64_MIN + (int64_t)i,
            .end_us = INT64_MAX,
            .n_frames = i,
            .p_fake = 0.1 * (double)(k % 10),
        };
    return r;
}

static void expect_same(const struct result *a, const struct result *b)
{
    cr_expect_eq(a->outcome, b->outcome);
    cr_expect_eq(a->p_fake, b->p_fake);
    cr_expect_str_eq(a->message, b->message);
    cr_expect_str_eq(a->facts.container, b->facts.container);
    cr_expect_str_eq(a->facts.codec, b->facts.codec);
    cr_expect_str_eq(a->facts.pixel_format, b->facts.pixel_format);
    cr_expect_str_eq(a->facts.encoder, b->facts.encoder);
    cr_expect_arr_eq(&a->facts.width_px, &b->facts.width_px, sizeof(a->facts) - offsetof(struct video_facts, width_px));
    cr_expect_eq(a->n_frames_wanted, b->n_frames_wanted);
    cr_expect_eq(a->n_frames_decoded, b->n_frames_decoded);
    cr_expect_eq(a->n_frames_with_face, b->n_frames_with_face);
    cr_expect_eq(a->n_tracks, b->n_tracks);
    cr_expect_eq(a->attempt, b->attempt);
    cr_expect_eq(a->rank, b->rank);
    cr_expect_eq(a->wall_us, b->wall_us);
    cr_expect_eq(a->decode_us, b->decode_us);
    cr_expect_eq(a->face_us, b->face_us);
    cr_expect_eq(a->network_us, b->network_us);
    cr_assert_eq(a->n_clips, b->n_clips);
    for (size_t k = 0; k < a->n_clips; k++) {
        cr_expect_eq(a->clips[k].track, b->clips[k].track);
        cr_expect_eq(a->clips[k].clip, b->clips[k].clip);
        cr_expect_eq(a->clips[k].start_us, b->clips[k].start_us);
        cr_expect_eq(a->clips[k].end_us, b->clips[k].end_us);
        cr_expect_eq(a->clips[k].n_frames, b->clips[k].n_frames);
        cr_expect_eq(a->clips[k].p_fake, b->clips[k].p_fake);
    }
}

Test(results, every_field_comes_back_in_any_order_of_reading)
{
    enum { N = 3000 };
    struct clip_score clips[5];
    struct results *t = NULL;
    struct results_reader *reader = NULL;

    cr_assert_eq(results_open(N, &t), STATUS_OK);
    for (uint32_t i = 0; i < N; i++) {
        struct result r = made(i, clips, i % 6);

        if (i % 11 != 10)
            cr_assert_eq(results_put(t, i, &r), STATUS_OK);
    }
    cr_assert_eq(results_reader_open(t, &reader), STATUS_OK);
    for (uint32_t k = 0; k < N; k++) {
        uint32_t i = k * 1009 % N;
        struct result r = made(i, clips, i % 6), undecided = {.p_fake = NAN};
        const struct result *got = results_get(reader, i);

        if (i % 11 == 10) {
            cr_expect_eq(got->outcome, OUTCOME_UNDECIDED);
            cr_expect(isnan(got->p_fake));
            cr_expect_arr_eq(&got->facts, &undecided.facts, sizeof(got->facts));
            cr_expect_eq(got->n_clips, 0);
            cr_expect_eq(results_outcome(t, i), OUTCOME_UNDECIDED);
            continue;
        }
        expect_same(got, &r);
        cr_expect_eq(results_outcome(t, i), OUTCOME_SCORED);
        cr_expect_eq(results_p_fake(t, i), r.p_fake);
        cr_expect_eq(results_n_clips(t, i), r.n_clips);
    }
    results_reader_close(&reader);
    results_close(&t);
}

Test(results, the_longest_result_fits_and_one_longer_is_refused)
{
    static struct clip_score clips[RESULT_MAX_CLIPS + 1];
    struct results *t = NULL;
    struct results_reader *reader = NULL;
    struct result r;

    cr_assert_eq(results_open(8, &t), STATUS_OK);
    for (uint32_t i = 0; i < 7; i++) {
        r = made(UINT32_MAX - i, clips, RESULT_MAX_CLIPS);
        memset(r.message, 'm', sizeof(r.message) - 1);
        r.message[sizeof(r.message) - 1] = '\0';
        cr_assert_eq(results_put(t, i, &r), STATUS_OK);
    }
    cr_assert_eq(results_reader_open(t, &reader), STATUS_OK);
    expect_same(results_get(reader, 6), &r);
    r.n_clips++;
    cr_expect_eq(results_put(t, 7, &r), STATUS_INVALID);
    cr_expect_eq(results_outcome(t, 7), OUTCOME_UNDECIDED);
    results_reader_close(&reader);
    results_close(&t);
}

Test(results, a_score_or_an_outcome_that_cannot_be_is_refused)
{
    struct clip_score clips[1];
    struct results *t = NULL;
    struct result r = made(1, clips, 1);

    cr_assert_eq(results_open(1, &t), STATUS_OK);
    r.p_fake = NAN;
    cr_expect_eq(results_put(t, 0, &r), STATUS_INVALID);
    r.p_fake = 1.5;
    cr_expect_eq(results_put(t, 0, &r), STATUS_INVALID);
    r.p_fake = 1;
    clips[0].p_fake = -0.1;
    cr_expect_eq(results_put(t, 0, &r), STATUS_INVALID);
    clips[0].p_fake = 0;
    r.outcome = OUTCOME_COUNT;
    cr_expect_eq(results_put(t, 0, &r), STATUS_INVALID);
    r.outcome = OUTCOME_SCORED;
    r.facts.rotation_deg = 45;
    cr_expect_eq(results_put(t, 0, &r), STATUS_INVALID);
    r.facts.rotation_deg = 0;
    cr_expect_eq(results_put(t, 0, &r), STATUS_OK);
    results_close(&t);
}

Test(results, the_last_that_is_put_stands)
{
    struct clip_score clips[2];
    struct results *t = NULL;
    struct results_reader *reader = NULL;
    struct result first = made(1, clips, 0), second = made(2, clips, 2);

    cr_assert_eq(results_open(1, &t), STATUS_OK);
    cr_assert_eq(results_put(t, 0, &first), STATUS_OK);
    cr_assert_eq(results_put(t, 0, &second), STATUS_OK);
    cr_assert_eq(results_reader_open(t, &reader), STATUS_OK);
    expect_same(results_get(reader, 0), &second);
    results_reader_close(&reader);
    results_close(&t);
}

Test(results, members_have_their_own_scores_and_reasons)
{
    struct result members[2] = {{.outcome = OUTCOME_SCORED, .p_fake = 0.125},
                                {.outcome = OUTCOME_NO_FACE, .p_fake = NAN, .message = "no face"}};
    struct result r = {.outcome = OUTCOME_SCORED, .p_fake = 0.5, .members = members, .n_members = 2};
    const struct result crashed = {.outcome = OUTCOME_CRASHED, .p_fake = NAN, .message = "signal"};
    struct results *t = NULL;
    struct member_score m;

    cr_assert_eq(results_open(3, &t), STATUS_OK);
    cr_assert_eq(results_put(t, 0, &crashed), STATUS_OK);
    cr_assert_eq(results_put(t, 1, &r), STATUS_OK);
    m = results_member(t, 1, 0);
    cr_expect_eq(m.outcome, OUTCOME_SCORED);
    cr_expect_eq(m.p_fake, 0.125);
    m = results_member(t, 1, 1);
    cr_expect_eq(m.outcome, OUTCOME_NO_FACE);
    cr_expect(isnan(m.p_fake));
    cr_expect_str_eq(m.message, "no face");
    /* What no lane answered for happened to all; what is undecided, or has fewer members, has none. */
    cr_expect_eq(results_member(t, 0, 1).outcome, OUTCOME_CRASHED);
    cr_expect(isnan(results_member(t, 0, 1).p_fake));
    cr_expect_eq(results_member(t, 2, 0).outcome, OUTCOME_UNDECIDED);
    cr_expect_eq(results_member(t, 1, 7).outcome, OUTCOME_UNDECIDED);
    /* Another record in its place takes its members away. */
    cr_assert_eq(results_put(t, 1, &crashed), STATUS_OK);
    cr_expect_eq(results_member(t, 1, 0).outcome, OUTCOME_CRASHED);
    members[0].p_fake = 2;
    cr_expect_eq(results_put(t, 1, &r), STATUS_INVALID);
    results_close(&t);
}
