/* result_unpack_plain gives what result_unpack gives, or leaves the bytes to it. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shard/segment.h"
#include "shard/wire.h"

enum { TEXT_BYTES = 8192, N_CLIPS = 64 };

struct store {
    char text[TEXT_BYTES];
    struct clip_score clips[N_CLIPS];
    struct wire_room room;
};

static struct wire_room *empty(struct store *s)
{
    s->room = (struct wire_room){.text = s->text, .text_bytes = TEXT_BYTES, .clips = s->clips, .n_clips = N_CLIPS};
    return &s->room;
}

static uint64_t next(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

static struct result made(uint64_t *state, struct clip_score *clips)
{
    bool scored = next(state) % 4 > 0;
    struct result r = {
        .size_bytes = next(state) << next(state) % 33,
        .mtime_ns = (int64_t)next(state) * 1000000007 - (int64_t)(next(state) % 3) * 1000000000000000000,
        .offset_bytes = next(state) % 3 == 0 ? next(state) : 0,
        .outcome = scored ? OUTCOME_SCORED : OUTCOME_DECODE_ERROR,
        .p_fake = scored ? (double)(next(state) % 1001) / 1000 : NAN,
        .n_frames_wanted = 32,
        .n_frames_decoded = 300,
        .n_frames_with_face = (uint32_t)(next(state) % 301),
        .n_tracks = 3,
        .n_prints = (uint32_t)(next(state) % (RESULT_MAX_PRINTS + 1)),
        .attempt = 1 + (uint32_t)(next(state) % 3),
        .rank = (uint32_t)(next(state) % 20000),
        .wall_us = (int64_t)next(state),
        .decode_us = (int64_t)(next(state) % 100),
        .network_us = (int64_t)next(state) << 30,
        .clips = clips,
    };

    cr_assert_eq(result_set_path(&r, next(state) % 2 ? "a folder/b.mp4" : "\xff\xfe"), STATUS_OK);
    if (next(state) % 2)
        cr_assert_eq(result_set_content(&r, "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"),
                     STATUS_OK);
    if (!scored)
        strcpy(r.message, "cut\tafter 12 bytes");
    if (next(state) % 3) {
        strcpy(r.facts.container, "mov");
        strcpy(r.facts.codec, "h264");
        strcpy(r.facts.encoder, "Lavf59.27.100");
        r.facts.width_px = (uint32_t)next(state) % 4000;
        r.facts.rotation_deg = 90 * (int32_t)(next(state) % 4);
        r.facts.fps_num = 30000;
        r.facts.fps_den = 1001;
        r.facts.duration_us = (int64_t)next(state) << 20;
        r.facts.n_audio_streams = 1;
    }
    strcpy(r.extras.audio_codec, "aac");
    r.extras.audio_start_us = -5;
    r.extras.lead_silence_ms = scored ? (uint32_t)next(state) % 10002 : 0;
    r.extras.quarter_turns = (uint32_t)next(state) % 4;
    for (uint32_t i = 0; i < r.n_prints; i++)
        r.prints[i] = (struct picture_print){
            .pts_us = (int64_t)i * 1000 - 3, .hash = {next(state)}, .quality = 100, .change = UINT16_MAX};
    r.n_clips = scored ? next(state) % 5 : 0;
    for (uint32_t k = 0; k < r.n_clips; k++)
        clips[k] = (struct clip_score){.track = k / 2,
                                       .clip = k,
                                       .start_us = -7 + (int64_t)k,
                                       .end_us = (int64_t)next(state),
                                       .n_frames = 16,
                                       .p_fake = (double)(next(state) % 1001) / 1000};
    return r;
}

static void clear(struct result *r)
{
    r->clips = NULL;
    result_clear(r);
}

/* The same bytes, once the prints and the extras are taken away that the plain reader leaves out. */
static void expect_same(struct result *whole, const struct result *plain)
{
    uint8_t *a, *b;
    size_t n_a, n_b;

    whole->n_prints = 0;
    whole->extras = (struct stream_extras){0};
    cr_assert_eq(result_pack(whole, &a, &n_a), STATUS_OK);
    cr_assert_eq(result_pack(plain, &b, &n_b), STATUS_OK);
    cr_assert_eq(n_a, n_b);
    cr_assert_eq(memcmp(a, b, n_a), 0);
    free(a);
    free(b);
}

Test(wire_plain, gives_what_the_other_reader_gives)
{
    static struct store s;
    struct clip_score clips[N_CLIPS];
    uint64_t state = 1;

    for (int i = 0; i < 2000; i++) {
        struct result r = made(&state, clips), whole, plain;
        uint8_t *data;
        size_t len;

        /* What was there before must not show through. */
        memset(&plain, 0xa5, sizeof(plain));
        cr_assert_eq(result_pack(&r, &data, &len), STATUS_OK);
        cr_assert_eq(result_unpack_plain(data, len, empty(&s), &plain), STATUS_OK);
        cr_assert_eq(result_unpack(data, len, &whole), STATUS_OK);
        cr_assert_eq(plain.n_prints, 0);
        expect_same(&whole, &plain);
        result_clear(&whole);
        clear(&r);
        free(data);
    }
}

/* Of bytes that were changed anywhere it takes none that the other reader refuses, and reads those that both take alike. */
Test(wire_plain, takes_no_damage_that_the_other_reader_refuses)
{
    static struct store s;
    struct clip_score clips[N_CLIPS];
    uint64_t state = 2;
    unsigned n_taken = 0;

    for (int i = 0; i < 40; i++) {
        struct result r = made(&state, clips), whole, plain;
        uint8_t *data;
        size_t len;

        cr_assert_eq(result_pack(&r, &data, &len), STATUS_OK);
        for (int k = 0; k < 2000; k++) {
            size_t at = next(&state) % len;
            uint8_t before = data[at];

            data[at] = (uint8_t)next(&state);
            if (result_unpack_plain(data, len, empty(&s), &plain) == STATUS_OK) {
                n_taken++;
                cr_assert_eq(result_unpack(data, len, &whole), STATUS_OK);
                expect_same(&whole, &plain);
                result_clear(&whole);
            }
            data[at] = before;
        }
        for (size_t cut = 0; cut < len; cut++)
            cr_assert_eq(result_unpack_plain(data, cut, empty(&s), &plain), STATUS_AGAIN);
        clear(&r);
        free(data);
    }
    cr_expect_gt(n_taken, 1000);
}

Test(wire_plain, leaves_a_segment_and_what_does_not_fit_to_the_other_reader)
{
    static struct store s;
    struct clip_score clips[N_CLIPS];
    uint64_t state = 3;
    struct result r, plain;
    uint8_t *data;
    size_t len;

    do
        r = made(&state, clips);
    while (r.n_clips < 2 && (clear(&r), true));
    cr_assert_eq(result_pack(&r, &data, &len), STATUS_OK);
    empty(&s)->n_clips = r.n_clips - 1;
    cr_expect_eq(result_unpack_plain(data, len, &s.room, &plain), STATUS_AGAIN);
    cr_expect_eq(s.room.n_clips, r.n_clips - 1);
    empty(&s)->text_bytes = strlen(r.path);
    cr_expect_eq(result_unpack_plain(data, len, &s.room, &plain), STATUS_AGAIN);
    free(data);
    clear(&r);

    r = (struct result){.outcome = OUTCOME_CRASHED, .p_fake = NAN, .attempt = 1};
    cr_assert_eq(result_set_path(&r, "a.mp4"), STATUS_OK);
    r.segment = calloc(1, sizeof(*r.segment));
    *r.segment = (struct segment){.index = 1, .count = 2, .state = SEGMENT_FAILED};
    cr_assert_eq(result_pack(&r, &data, &len), STATUS_OK);
    cr_expect_eq(result_unpack_plain(data, len, empty(&s), &plain), STATUS_AGAIN);
    free(data);
    result_clear(&r);
}
