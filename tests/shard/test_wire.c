#include "shard/wire.h"

#include <criterion/criterion.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Unpacks from a block of exactly len bytes, so that the sanitizer sees a read past its end. */
static enum status unpack_message(const uint8_t *data, size_t len, struct message *ret_m)
{
    uint8_t *exact = malloc(len ? len : 1);
    enum status s;

    memcpy(exact, data, len);
    s = message_unpack(exact, len, ret_m);
    free(exact);
    return s;
}

static enum status unpack_result(const uint8_t *data, size_t len, struct result *ret_r)
{
    uint8_t *exact = malloc(len ? len : 1);
    enum status s;

    memcpy(exact, data, len);
    s = result_unpack(exact, len, ret_r);
    free(exact);
    return s;
}

#define CONTENT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static struct message message_of_kind(enum message_kind kind)
{
    struct message m = {.kind = kind};

    switch (kind) {
    case MESSAGE_HELLO:
        m.n_lanes = 96;
        m.text = strdup("node-\xff\x01");
        memset(m.fingerprint, 'a', sizeof(m.fingerprint) - 1);
        break;
    case MESSAGE_WELCOME:
        m.text = strdup("/corpus");
        break;
    case MESSAGE_LEASE:
        m.text = strdup("real/\n\"\xfe,.mp4");
        m.unit = UINT64_MAX;
        m.lease = UINT64_C(1) << 63;
        m.attempt = 3;
        m.last_attempt = true;
        m.size_bytes = INT64_MAX - 512;
        m.mtime_ns = INT64_MIN;
        m.archive_bytes = 4;
        m.offset_bytes = 512;
        m.content = strdup(CONTENT);
        m.segment = 63;
        m.n_segments = 64;
        break;
    case MESSAGE_RESULT:
        m.unit = 7;
        m.lease = 9;
        m.outcome = OUTCOME_NO_FACE;
        m.wall_us = INT64_MAX;
        m.n_frames = 300;
        m.segment_state = 2;
        break;
    case MESSAGE_FAILED:
        m.text = strdup("signal 11");
        m.unit = 0;
        m.lease = 1;
        m.outcome = OUTCOME_CRASHED;
        break;
    case MESSAGE_STOP:
        m.text = strdup("");
        m.drain = true;
        break;
    default:
        break;
    }
    return m;
}

static void expect_same_message(const struct message *a, const struct message *b)
{
    cr_assert_eq(a->kind, b->kind);
    cr_assert_eq(a->n_lanes, b->n_lanes);
    cr_assert_eq(a->text == NULL, b->text == NULL);
    if (a->text)
        cr_assert_str_eq(a->text, b->text);
    cr_assert_eq(a->unit, b->unit);
    cr_assert_eq(a->lease, b->lease);
    cr_assert_eq(a->attempt, b->attempt);
    cr_assert_eq(a->last_attempt, b->last_attempt);
    cr_assert_eq(a->size_bytes, b->size_bytes);
    cr_assert_eq(a->mtime_ns, b->mtime_ns);
    cr_assert_eq(a->archive_bytes, b->archive_bytes);
    cr_assert_eq(a->offset_bytes, b->offset_bytes);
    cr_assert_eq(a->outcome, b->outcome);
    cr_assert_eq(a->wall_us, b->wall_us);
    cr_assert_eq(a->n_frames, b->n_frames);
    cr_assert_eq(a->segment, b->segment);
    cr_assert_eq(a->n_segments, b->n_segments);
    cr_assert_eq(a->segment_state, b->segment_state);
    cr_assert_eq(a->drain, b->drain);
    cr_assert_eq(a->content == NULL, b->content == NULL);
    if (a->content)
        cr_assert_str_eq(a->content, b->content);
}

Test(wire, every_kind_of_message_comes_back_as_it_went)
{
    for (int kind = MESSAGE_HELLO; kind < MESSAGE_KIND_COUNT; kind++) {
        struct message m = message_of_kind((enum message_kind)kind), back = {0};
        uint8_t *data = NULL;
        size_t len = 0;

        cr_assert_eq(message_pack(&m, &data, &len), STATUS_OK, "kind %d", kind);
        cr_assert_leq(len, 128 + (m.content ? sizeof(CONTENT) + 2 : 0));
        cr_assert_eq(unpack_message(data, len, &back), STATUS_OK, "kind %d", kind);
        expect_same_message(&m, &back);
        free(data);
        message_clear(&m);
        message_clear(&back);
    }
}

Test(wire, fields_that_a_kind_does_not_carry_stay_behind)
{
    struct message m = {.kind = MESSAGE_HEARTBEAT, .unit = 5, .lease = 6, .drain = true, .n_frames = 8};
    struct message back = {0}, want = {.kind = MESSAGE_HEARTBEAT};
    uint8_t *data = NULL;
    size_t len = 0;

    cr_assert_eq(message_pack(&m, &data, &len), STATUS_OK);
    cr_assert_eq(unpack_message(data, len, &back), STATUS_OK);
    expect_same_message(&want, &back);
    free(data);
}

Test(wire, message_that_breaks_a_rule_is_not_packed)
{
    uint8_t *data = NULL;
    size_t len = 0;
    char path[WIRE_MAX_TEXT_BYTES + 2];
    struct message bad[] = {
        {.kind = 0},
        {.kind = MESSAGE_KIND_COUNT},
        {.kind = MESSAGE_LEASE, .text = path, .attempt = 1}, /* lease 0 */
        {.kind = MESSAGE_LEASE, .text = path, .lease = 1},   /* attempt 0 */
        {.kind = MESSAGE_LEASE, .lease = 1, .attempt = 1},   /* no path */
        /* An archive that is no folder of the path, or all of it; an offset without one; bytes beyond a file's end. */
        {.kind = MESSAGE_LEASE, .text = path, .lease = 1, .attempt = 1, .archive_bytes = 2},
        {.kind = MESSAGE_LEASE, .text = path, .lease = 1, .attempt = 1, .archive_bytes = 7},
        {.kind = MESSAGE_LEASE, .text = path, .lease = 1, .attempt = 1, .archive_bytes = UINT32_MAX},
        {.kind = MESSAGE_LEASE, .text = path, .lease = 1, .attempt = 1, .offset_bytes = 1},
        {.kind = MESSAGE_LEASE,
         .text = path,
         .lease = 1,
         .attempt = 1,
         .archive_bytes = 1,
         .offset_bytes = INT64_MAX,
         .size_bytes = 1},
        {.kind = MESSAGE_RESULT, .lease = 1}, /* undecided */
        {.kind = MESSAGE_RESULT, .lease = 1, .outcome = OUTCOME_COUNT},
        {.kind = MESSAGE_RESULT, .lease = 1, .outcome = OUTCOME_SCORED, .wall_us = -1},
        {.kind = MESSAGE_FAILED, .lease = 1, .text = path},
    };
    struct message good = {.kind = MESSAGE_LEASE, .text = path, .lease = 1, .attempt = 1};

    strcpy(path, "a/b.mp4");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_eq(message_pack(&bad[i], &data, &len), STATUS_INVALID, "case %zu", i);
    cr_assert_null(data);
    memset(path, 'x', sizeof(path));
    path[WIRE_MAX_TEXT_BYTES + 1] = '\0';
    cr_assert_eq(message_pack(&good, &data, &len), STATUS_INVALID);
    path[WIRE_MAX_TEXT_BYTES] = '\0';
    cr_assert_eq(message_pack(&good, &data, &len), STATUS_OK);
    free(data);
}

/* Field numbers and wire types of wire.proto, written by hand: what another sender could send. */
Test(wire, hostile_message_is_corrupt)
{
    static const struct {
        const char *what;
        uint8_t len;
        uint8_t bytes[24];
    } cases[] = {
        {"nothing", 0, {0}},
        {"no kind", 2, {0x10, 4}},
        {"kind 0", 2, {0x08, 0}},
        {"kind of tomorrow", 2, {0x08, MESSAGE_KIND_COUNT}},
        {"hello without text", 4, {0x08, 1, 0x10, 4}},
        {"hello with a zero byte", 7, {0x08, 1, 0x10, 4, 0x1a, 1, 0}},
        {"text longer than the message", 7, {0x08, 1, 0x10, 4, 0x1a, 9, 'a'}},
        {"result without wall time", 13, {0x08, 3, 0x20, 1, 0x28, 1, 0x50, 1, 0x60, 1, 0x88, 1, 0}},
        {"result, lease 0", 15, {0x08, 3, 0x20, 1, 0x28, 0, 0x50, 1, 0x58, 2, 0x60, 1, 0x88, 1, 0}},
        {"result, undecided", 15, {0x08, 3, 0x20, 1, 0x28, 1, 0x50, 0, 0x58, 2, 0x60, 1, 0x88, 1, 0}},
        {"result, outcome of tomorrow", 15, {0x08, 3, 0x20, 1, 0x28, 1, 0x50, 99, 0x58, 2, 0x60, 1, 0x88, 1, 0}},
        {"result, part in no known state", 15, {0x08, 3, 0x20, 1, 0x28, 1, 0x50, 1, 0x58, 2, 0x60, 1, 0x88, 1, 4}},
        {"result, wall time below zero", 15, {0x08, 3, 0x20, 1, 0x28, 1, 0x50, 1, 0x58, 1, 0x60, 1, 0x88, 1, 0}},
    };
    static const uint8_t fine[] = {0x08, 3, 0x20, 1, 0x28, 1, 0x50, 1, 0x58, 2, 0x60, 1, 0x88, 1, 0};
    struct message m = {.unit = 42};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(unpack_message(cases[i].bytes, cases[i].len, &m), STATUS_CORRUPT, "%s", cases[i].what);
    cr_assert_eq(m.unit, 42, "an output is untouched on failure");
    cr_assert_eq(unpack_message(fine, sizeof(fine), &m), STATUS_OK);
    cr_assert_eq(m.wall_us, 1);
}

static struct result full_result(void)
{
    static const double scores[] = {0.0, 1.0, 0.1, DBL_MIN / 3, 1.0 - DBL_EPSILON / 2, -0.0};
    struct result r = {
        .size_bytes = 123456789012,
        .mtime_ns = -5,
        .offset_bytes = 1536,
        .outcome = OUTCOME_PARTIAL_DECODE,
        .p_fake = 0.1 + 0.2,
        .facts = {.container = "mov",
                  .codec = "h264",
                  .pixel_format = "yuv420p",
                  .encoder = "Lavf\xff\x01",
                  .width_px = 1920,
                  .height_px = 1080,
                  .rotation_deg = 270,
                  .fps_num = 30000,
                  .fps_den = 1001,
                  .duration_us = 10000000,
                  .n_frames = 300,
                  .bit_rate_bps = 4000000,
                  .n_video_streams = 1,
                  .n_audio_streams = 2},
        .n_frames_wanted = 90,
        .n_frames_decoded = 80,
        .n_frames_with_face = 79,
        .n_tracks = 2,
        .attempt = 1,
        .rank = 3,
        .wall_us = 1,
        .decode_us = 2,
        .face_us = 3,
        .network_us = INT64_MAX,
    };

    result_set_path(&r, "fake/\xc3\x28/a,\"b\"\n.mp4");
    result_set_message(&r, "10 of 90 frames lost");
    result_set_content(&r, CONTENT);
    r.n_clips = 6;
    r.clips = calloc(r.n_clips, sizeof(*r.clips));
    for (uint32_t i = 0; i < 6; i++)
        r.clips[i] = (struct clip_score){.track = i / 3,
                                         .clip = 5 + i % 3 * 1000,
                                         .start_us = -40 + (int64_t)i,
                                         .end_us = INT64_MAX - i,
                                         .n_frames = 15,
                                         .p_fake = scores[i]};
    return r;
}

static void expect_same_bits(double a, double b)
{
    cr_assert_eq(memcmp(&a, &b, sizeof(a)), 0, "%a != %a", a, b);
}

static void expect_same_result(const struct result *a, const struct result *b)
{
    cr_assert_str_eq(a->path, b->path);
    cr_assert_eq(a->size_bytes, b->size_bytes);
    cr_assert_eq(a->mtime_ns, b->mtime_ns);
    cr_assert_eq(a->offset_bytes, b->offset_bytes);
    cr_assert_eq(a->content == NULL, b->content == NULL);
    if (a->content)
        cr_assert_str_eq(a->content, b->content);
    cr_assert_eq(a->outcome, b->outcome);
    cr_assert_eq(isnan(a->p_fake), isnan(b->p_fake));
    if (!isnan(a->p_fake))
        expect_same_bits(a->p_fake, b->p_fake);
    cr_assert_str_eq(a->message, b->message);
    cr_assert_str_eq(a->facts.container, b->facts.container);
    cr_assert_str_eq(a->facts.codec, b->facts.codec);
    cr_assert_str_eq(a->facts.pixel_format, b->facts.pixel_format);
    cr_assert_str_eq(a->facts.encoder, b->facts.encoder);
    cr_assert_eq(a->facts.width_px, b->facts.width_px);
    cr_assert_eq(a->facts.height_px, b->facts.height_px);
    cr_assert_eq(a->facts.rotation_deg, b->facts.rotation_deg);
    cr_assert_eq(a->facts.fps_num, b->facts.fps_num);
    cr_assert_eq(a->facts.fps_den, b->facts.fps_den);
    cr_assert_eq(a->facts.duration_us, b->facts.duration_us);
    cr_assert_eq(a->facts.n_frames, b->facts.n_frames);
    cr_assert_eq(a->facts.bit_rate_bps, b->facts.bit_rate_bps);
    cr_assert_eq(a->facts.n_video_streams, b->facts.n_video_streams);
    cr_assert_eq(a->facts.n_audio_streams, b->facts.n_audio_streams);
    cr_assert_eq(a->n_frames_wanted, b->n_frames_wanted);
    cr_assert_eq(a->n_frames_decoded, b->n_frames_decoded);
    cr_assert_eq(a->n_frames_with_face, b->n_frames_with_face);
    cr_assert_eq(a->n_tracks, b->n_tracks);
    cr_assert_eq(a->attempt, b->attempt);
    cr_assert_eq(a->rank, b->rank);
    cr_assert_eq(a->wall_us, b->wall_us);
    cr_assert_eq(a->decode_us, b->decode_us);
    cr_assert_eq(a->face_us, b->face_us);
    cr_assert_eq(a->network_us, b->network_us);
    cr_assert_eq(a->n_clips, b->n_clips);
    for (size_t i = 0; i < a->n_clips; i++) {
        cr_assert_eq(a->clips[i].track, b->clips[i].track);
        cr_assert_eq(a->clips[i].clip, b->clips[i].clip);
        cr_assert_eq(a->clips[i].start_us, b->clips[i].start_us);
        cr_assert_eq(a->clips[i].end_us, b->clips[i].end_us);
        cr_assert_eq(a->clips[i].n_frames, b->clips[i].n_frames);
        expect_same_bits(a->clips[i].p_fake, b->clips[i].p_fake);
    }
}

static void expect_round_trip(const struct result *r)
{
    struct result back = {0};
    uint8_t *data = NULL, *again = NULL;
    size_t len = 0, len_again = 0;

    cr_assert_eq(result_pack(r, &data, &len), STATUS_OK);
    cr_assert_eq(unpack_result(data, len, &back), STATUS_OK);
    expect_same_result(r, &back);
    cr_assert_eq(result_pack(&back, &again, &len_again), STATUS_OK);
    cr_assert_eq(len, len_again);
    cr_assert_eq(memcmp(data, again, len), 0, "the same result packs to the same bytes");
    free(data);
    free(again);
    result_clear(&back);
}

Test(wire, result_comes_back_bit_by_bit)
{
    struct result r = full_result();

    expect_round_trip(&r);
    result_clear(&r);
}

Test(wire, result_without_a_score_comes_back_as_nan)
{
    for (uint32_t o = 1; o < OUTCOME_COUNT; o++) {
        struct result r = {.outcome = (enum outcome)o, .p_fake = NAN};

        if (outcome_has_score(r.outcome))
            continue;
        result_set_path(&r, "x");
        expect_round_trip(&r);
        result_clear(&r);
    }
}

Test(wire, largest_result_fits)
{
    struct result r = {.outcome = OUTCOME_SCORED,
                       .p_fake = 0.5,
                       .n_tracks = UINT32_MAX,
                       .size_bytes = UINT64_MAX,
                       .n_frames_wanted = UINT32_MAX,
                       .n_frames_decoded = UINT32_MAX,
                       .wall_us = INT64_MAX};
    char path[WIRE_MAX_TEXT_BYTES + 1];

    memset(path, 'p', sizeof(path));
    path[WIRE_MAX_TEXT_BYTES] = '\0';
    result_set_path(&r, path);
    memset(r.message, 'm', sizeof(r.message) - 1);
    memset(r.facts.encoder, 'e', sizeof(r.facts.encoder) - 1);
    r.n_clips = RESULT_MAX_CLIPS;
    r.clips = calloc(r.n_clips, sizeof(*r.clips));
    for (uint32_t i = 0; i < r.n_clips; i++)
        r.clips[i] = (struct clip_score){.track = UINT32_MAX - 1,
                                         .clip = UINT32_MAX - RESULT_MAX_CLIPS + i,
                                         .start_us = INT64_MIN,
                                         .end_us = INT64_MAX,
                                         .n_frames = UINT32_MAX,
                                         .p_fake = 1.0};
    expect_round_trip(&r);
    result_clear(&r);
}

enum breakage {
    NO_PATH,
    EMPTY_PATH,
    LONG_PATH,
    UNDECIDED,
    OUTCOME_OF_TOMORROW,
    SCORED_NAN,
    SCORED_ABOVE_1,
    SCORED_BELOW_0,
    SCORED_INFINITE,
    UNSCORED_WITH_SCORE,
    UNSCORED_WITH_CLIPS,
    MORE_FACES_THAN_FRAMES,
    TOO_MANY_CLIPS,
    CLIPS_OUT_OF_ORDER,
    CLIP_TWICE,
    CLIP_OF_UNKNOWN_TRACK,
    CLIP_ENDS_BEFORE_START,
    CLIP_NAN,
    CLIP_ABOVE_1,
    NEGATIVE_WALL,
    NEGATIVE_NETWORK,
    ROTATED_45,
    ROTATED_360,
    NO_FPS_DENOMINATOR,
    NEGATIVE_DURATION,
    UNENDED_MESSAGE,
    UNENDED_CODEC,
    BREAKAGE_COUNT
};

static void break_result(struct result *r, enum breakage b)
{
    char path[WIRE_MAX_TEXT_BYTES + 2];

    switch (b) {
    case NO_PATH:
        free(r->path);
        r->path = NULL;
        break;
    case EMPTY_PATH:
        result_set_path(r, "");
        break;
    case LONG_PATH:
        memset(path, 'p', sizeof(path));
        path[sizeof(path) - 1] = '\0';
        result_set_path(r, path);
        break;
    case UNDECIDED:
        r->outcome = OUTCOME_UNDECIDED;
        break;
    case OUTCOME_OF_TOMORROW:
        r->outcome = OUTCOME_COUNT;
        break;
    case SCORED_NAN:
        r->p_fake = NAN;
        break;
    case SCORED_ABOVE_1:
        r->p_fake = 1.0 + DBL_EPSILON;
        break;
    case SCORED_BELOW_0:
        r->p_fake = -DBL_MIN;
        break;
    case SCORED_INFINITE:
        r->p_fake = INFINITY;
        break;
    case UNSCORED_WITH_SCORE:
        r->outcome = OUTCOME_NO_FACE;
        r->n_clips = 0;
        break;
    case UNSCORED_WITH_CLIPS:
        r->outcome = OUTCOME_NO_FACE;
        r->p_fake = NAN;
        break;
    case MORE_FACES_THAN_FRAMES:
        r->n_frames_with_face = r->n_frames_decoded + 1;
        break;
    case TOO_MANY_CLIPS:
        r->n_clips = RESULT_MAX_CLIPS + 1;
        r->clips = realloc(r->clips, r->n_clips * sizeof(*r->clips));
        memset(r->clips, 0, r->n_clips * sizeof(*r->clips));
        for (uint32_t i = 0; i < r->n_clips; i++)
            r->clips[i].clip = i;
        break;
    case CLIPS_OUT_OF_ORDER:
        r->clips[0].track = 1;
        break;
    case CLIP_TWICE:
        r->clips[1].clip = r->clips[0].clip;
        break;
    case CLIP_OF_UNKNOWN_TRACK:
        r->n_tracks = 1;
        break;
    case CLIP_ENDS_BEFORE_START:
        r->clips[2].end_us = r->clips[2].start_us - 1;
        break;
    case CLIP_NAN:
        r->clips[2].p_fake = NAN;
        break;
    case CLIP_ABOVE_1:
        r->clips[2].p_fake = 1.5;
        break;
    case NEGATIVE_WALL:
        r->wall_us = -1;
        break;
    case NEGATIVE_NETWORK:
        r->network_us = -1;
        break;
    case ROTATED_45:
        r->facts.rotation_deg = 45;
        break;
    case ROTATED_360:
        r->facts.rotation_deg = 360;
        break;
    case NO_FPS_DENOMINATOR:
        r->facts.fps_den = 0;
        break;
    case NEGATIVE_DURATION:
        r->facts.duration_us = -1;
        break;
    case UNENDED_MESSAGE:
        memset(r->message, 'm', sizeof(r->message));
        break;
    case UNENDED_CODEC:
        memset(r->facts.codec, 'c', sizeof(r->facts.codec));
        break;
    case BREAKAGE_COUNT:
        break;
    }
}

Test(wire, result_that_breaks_a_rule_is_not_packed)
{
    for (int b = 0; b < BREAKAGE_COUNT; b++) {
        struct result r = full_result();
        uint8_t *data = NULL;
        size_t len = 0;

        break_result(&r, (enum breakage)b);
        cr_assert_eq(result_pack(&r, &data, &len), STATUS_INVALID, "breakage %d", b);
        cr_assert_null(data);
        result_clear(&r);
    }
}

/* One unscored result by hand: path "a", size 0, mtime 0, the outcome; empty facts; network time 0. */
#define HEAD(outcome)         0x0a, 1, 'a', 0x10, 0, 0x18, 0, 0x20, (outcome)
#define FACTS                 0x3a, 0
#define TAIL                  0xb8, 1, 0, 0xc8, 1, 0
#define PLAIN_RESULT(outcome) HEAD(outcome), FACTS, TAIL
#define SENT(...)             (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

Test(wire, hostile_result_is_corrupt)
{
    const struct {
        const char *what;
        const uint8_t *bytes;
        size_t len;
    } cases[] = {
        {"nothing", (const uint8_t[]){0}, 0},
        {"no facts", SENT(HEAD(OUTCOME_NO_FACE), TAIL)},
        {"no network time", SENT(HEAD(OUTCOME_NO_FACE), FACTS)},
        {"undecided", SENT(PLAIN_RESULT(0))},
        {"outcome of tomorrow", SENT(PLAIN_RESULT(OUTCOME_COUNT))},
        {"scored without a score", SENT(PLAIN_RESULT(OUTCOME_SCORED))},
        {"a sent NaN", SENT(PLAIN_RESULT(OUTCOME_NO_FACE), 0x29, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f)},
        {"a score of 2", SENT(PLAIN_RESULT(OUTCOME_SCORED), 0x29, 0, 0, 0, 0, 0, 0, 0, 0x40)},
        {"unscored with 0.5", SENT(PLAIN_RESULT(OUTCOME_NO_FACE), 0x29, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f)},
        {"a column alone", SENT(PLAIN_RESULT(OUTCOME_NO_FACE), 0x62, 2, 0, 1)},
        {"path with a zero byte", SENT(PLAIN_RESULT(OUTCOME_NO_FACE), 0x0a, 1, 0)},
        {"empty path", SENT(PLAIN_RESULT(OUTCOME_NO_FACE), 0x0a, 0)},
        {"rotation by 91", SENT(PLAIN_RESULT(OUTCOME_NO_FACE), 0x3a, 2, 0x38, 91)},
        {"frames a second over 0", SENT(PLAIN_RESULT(OUTCOME_NO_FACE), 0x3a, 2, 0x40, 25)},
        {"duration past 63 bits",
         SENT(PLAIN_RESULT(OUTCOME_NO_FACE), 0x3a, 11, 0x50, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1)},
        {"faces without frames", SENT(PLAIN_RESULT(OUTCOME_NO_FACE), 0x50, 1)},
    };
    static const uint8_t fine[] = {PLAIN_RESULT(OUTCOME_NO_FACE)};
    struct result r = {.rank = 42};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(unpack_result(cases[i].bytes, cases[i].len, &r), STATUS_CORRUPT, "%s", cases[i].what);
    cr_assert_eq(r.rank, 42, "an output is untouched on failure");
    cr_assert_eq(unpack_result(fine, sizeof(fine), &r), STATUS_OK);
    cr_assert_str_eq(r.path, "a");
    cr_assert(isnan(r.p_fake));
    result_clear(&r);
}

Test(wire, control_bytes_of_a_lanes_message_become_blanks)
{
    static const uint8_t sent[] = {PLAIN_RESULT(OUTCOME_NO_FACE), 0x32, 4, 'a', '\n', 0x1b, 'b'};
    struct result r = {0};

    cr_assert_eq(unpack_result(sent, sizeof(sent), &r), STATUS_OK);
    cr_assert_str_eq(r.message, "a  b");
    result_clear(&r);
}

Test(wire, oversized_input_is_corrupt_before_it_is_parsed)
{
    size_t len = WIRE_MAX_BYTES + 1;
    uint8_t *data = calloc(1, len);
    struct message m = {0};
    struct result r = {0};
    /* A heartbeat, then an unknown field of bytes that fills the rest: it would parse. */
    size_t rest = len - 2 - 2 - 3;

    data[0] = 0x08;
    data[1] = MESSAGE_HEARTBEAT;
    data[2] = 0xa2; /* field 100 */
    data[3] = 0x06;
    data[4] = (uint8_t)(0x80 | (rest & 0x7f));
    data[5] = (uint8_t)(0x80 | ((rest >> 7) & 0x7f));
    data[6] = (uint8_t)(rest >> 14);
    cr_assert_eq(message_unpack(data, len, &m), STATUS_CORRUPT);
    data[4]--;
    cr_assert_eq(message_unpack(data, len - 1, &m), STATUS_OK);
    cr_assert_eq(result_unpack(data, len, &r), STATUS_CORRUPT);
    message_clear(&m);
    free(data);
}

Test(wire, truncated_results_are_corrupt)
{
    struct result r = full_result();
    uint8_t *data = NULL;
    size_t len = 0;

    cr_assert_eq(result_pack(&r, &data, &len), STATUS_OK);
    for (size_t cut = 0; cut < len; cut++) {
        struct result back = {0};

        cr_assert_eq(unpack_result(data, cut, &back), STATUS_CORRUPT, "cut at %zu", cut);
    }
    free(data);
    result_clear(&r);
}

Test(wire, truncated_messages_are_corrupt)
{
    for (int kind = MESSAGE_HELLO; kind < MESSAGE_KIND_COUNT; kind++) {
        struct message m = message_of_kind((enum message_kind)kind);
        uint8_t *data = NULL;
        size_t len = 0;

        cr_assert_eq(message_pack(&m, &data, &len), STATUS_OK);
        for (size_t cut = 0; cut < len; cut++) {
            struct message back = {0};

            cr_assert_eq(unpack_message(data, cut, &back), STATUS_CORRUPT, "kind %d cut at %zu", kind, cut);
        }
        free(data);
        message_clear(&m);
    }
}

/* xorshift64 (Marsaglia 2003): the same mutations on each run. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

Test(wire, what_survives_random_mutation_keeps_the_rules)
{
    struct result r = full_result();
    uint64_t state = 88172645463325252u;
    uint8_t *data = NULL;
    size_t len = 0, n_corrupt = 0, n_ok = 0;

    cr_assert_eq(result_pack(&r, &data, &len), STATUS_OK);
    for (unsigned round = 0; round < 20000; round++) {
        struct result back = {0};
        uint8_t *mutant = malloc(len);
        enum status s;

        memcpy(mutant, data, len);
        for (uint64_t n = 1 + next_random(&state) % 4; n > 0; n--)
            mutant[next_random(&state) % len] = (uint8_t)next_random(&state);
        s = result_unpack(mutant, len, &back);
        if (s == STATUS_OK) {
            uint8_t *again = NULL;
            size_t len_again = 0;

            /* Packing checks the rules itself. */
            cr_assert_eq(result_pack(&back, &again, &len_again), STATUS_OK);
            free(again);
            n_ok++;
        } else {
            cr_assert_eq(s, STATUS_CORRUPT);
            n_corrupt++;
        }
        result_clear(&back);
        free(mutant);
    }
    cr_assert_gt(n_ok, 100);
    cr_assert_gt(n_corrupt, 100);
    free(data);
    result_clear(&r);
}
