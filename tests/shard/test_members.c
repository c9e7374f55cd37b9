#include "shard/members.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shard/segment.h"
#include "shard/wire.h"

static void add_clips(struct result *r, size_t n)
{
    r->clips = calloc(n, sizeof(*r->clips));
    cr_assert_not_null(r->clips);
    r->n_clips = n;
    r->n_tracks = 1;
    for (size_t i = 0; i < n; i++)
        r->clips[i] = (struct clip_score){.clip = (uint32_t)i, .n_frames = 1, .p_fake = 0.25};
}

static struct result whole(size_t n_members)
{
    struct result r = {.outcome = OUTCOME_SCORED, .p_fake = 0.75};

    cr_assert_eq(result_set_path(&r, "a.mp4"), STATUS_OK);
    cr_assert_eq(members_make(&r, n_members), STATUS_OK);
    for (size_t i = 0; i < n_members; i++)
        r.members[i].outcome = OUTCOME_NO_FACE;
    return r;
}

Test(members, travel_with_the_result)
{
    struct result r = whole(3), got;
    uint8_t *data;
    size_t len;

    r.members[1].outcome = OUTCOME_PARTIAL_DECODE;
    r.members[1].p_fake = nextafter(0.1, 1);
    add_clips(&r.members[1], 2);
    result_set_message(&r.members[2], "no face of at least 40 px");
    cr_assert_eq(result_pack(&r, &data, &len), STATUS_OK);
    cr_assert_eq(result_unpack(data, len, &got), STATUS_OK);
    cr_assert_eq(got.n_members, 3);
    cr_assert_eq(got.members[0].outcome, OUTCOME_NO_FACE);
    cr_assert(isnan(got.members[0].p_fake));
    cr_assert_eq(got.members[1].p_fake, nextafter(0.1, 1));
    cr_assert_eq(got.members[1].n_clips, 2);
    cr_assert_eq(got.members[1].clips[1].p_fake, 0.25);
    cr_assert_str_eq(got.members[2].message, "no face of at least 40 px");
    /* Cut short anywhere, it is not read as one with fewer members. */
    for (size_t cut = 0; cut < len; cut++) {
        struct result torn;

        cr_assert_neq(result_unpack(data, cut, &torn), STATUS_OK, "%zu of %zu bytes", cut, len);
    }
    free(data);
    result_clear(&got);
    result_clear(&r);
}

Test(members, that_break_the_rules_are_neither_sent_nor_read)
{
    struct result r = whole(1);
    uint8_t *data;
    size_t len;

    r.members[0].p_fake = 0.5; /* of no_face */
    cr_expect_eq(result_pack(&r, &data, &len), STATUS_INVALID);
    r.members[0].p_fake = NAN;
    r.members[0].outcome = OUTCOME_UNDECIDED;
    cr_expect_eq(result_pack(&r, &data, &len), STATUS_INVALID);
    r.members[0].outcome = OUTCOME_NO_FACE;
    r.members[0].n_members = 1;
    cr_expect_eq(result_pack(&r, &data, &len), STATUS_INVALID);
    r.members[0].n_members = 0;
    cr_expect_eq(result_pack(&r, &data, &len), STATUS_OK);
    free(data);
    result_clear(&r);
}

/* A result whose facts hold a member that holds one itself, by hand: field 42 of field 7. */
Test(members, do_not_nest)
{
    struct result inner = whole(1), outer = whole(1), got;
    uint8_t *inner_data, *outer_data, *at, *forged;
    size_t inner_len, outer_len;
    static const uint8_t member_key[] = {0xd2, 0x02};

    cr_assert_eq(result_pack(&inner, &inner_data, &inner_len), STATUS_OK);
    cr_assert_eq(result_pack(&outer, &outer_data, &outer_len), STATUS_OK);
    at = memmem(outer_data, outer_len, member_key, sizeof(member_key));
    cr_assert_not_null(at);
    cr_assert_eq(result_unpack(inner_data, inner_len, &got), STATUS_OK);
    result_clear(&got);
    /* The member's own bytes are replaced by those of a result with a member; lengths are of one or two bytes. */
    {
        size_t head = (size_t)(at - outer_data) + 2, old = at[2], rest;
        uint8_t length[2] = {(uint8_t)(inner_len | 0x80), (uint8_t)(inner_len >> 7)};
        size_t facts_at = 0;
        uint32_t facts_len;

        cr_assert_lt(old, 128);
        cr_assert_geq(inner_len, 128);
        cr_assert_lt(inner_len, 16384);
        rest = outer_len - head - 1 - old;
        /* The facts' key is 0x3a and their length two bytes or one before them. */
        for (size_t i = 0; i < head; i++) {
            if (outer_data[i] == 0x3a)
                facts_at = i;
            if (facts_at)
                break;
        }
        cr_assert_gt(facts_at, 0);
        facts_len = outer_data[facts_at + 1] & 0x7f;
        if (outer_data[facts_at + 1] & 0x80)
            facts_len |= (uint32_t)outer_data[facts_at + 2] << 7;
        cr_assert(outer_data[facts_at + 1] & 0x80, "facts of %u bytes have a length of two", facts_len);
        facts_len += (uint32_t)(inner_len + 2 - old - 1);
        forged = malloc(head + 2 + inner_len + rest);
        cr_assert_not_null(forged);
        memcpy(forged, outer_data, head);
        forged[facts_at + 1] = (uint8_t)(facts_len | 0x80);
        forged[facts_at + 2] = (uint8_t)(facts_len >> 7);
        memcpy(forged + head, length, 2);
        memcpy(forged + head + 2, inner_data, inner_len);
        memcpy(forged + head + 2 + inner_len, at + 3 + old, rest);
        cr_assert_eq(result_unpack(forged, head + 2 + inner_len + rest, &got), STATUS_CORRUPT);
        free(forged);
    }
    free(inner_data);
    free(outer_data);
    result_clear(&inner);
    result_clear(&outer);
}

Test(members, clips_beyond_a_records_room_are_dropped_from_the_last_and_scores_stay)
{
    struct result r = whole(3);
    uint8_t *data;
    size_t len;

    add_clips(&r, 2000);
    for (size_t i = 0; i < 3; i++) {
        r.members[i].outcome = OUTCOME_SCORED;
        r.members[i].p_fake = 0.5;
        add_clips(&r.members[i], 1500);
    }
    cr_assert(members_fit(&r));
    cr_expect_eq(r.n_clips, 2000);
    cr_expect_eq(r.members[0].n_clips, 1500);
    cr_expect_eq(r.members[1].n_clips, 0);
    cr_expect_eq(r.members[2].n_clips, 0);
    cr_expect_eq(r.members[2].p_fake, 0.5);
    cr_assert_eq(result_pack(&r, &data, &len), STATUS_OK);
    free(data);
    result_clear(&r);
}

static struct result part(uint32_t index, double p_main, double p_member)
{
    struct result r = whole(1);
    struct result *each[2] = {&r, &r.members[0]};

    for (int i = 0; i < 2; i++) {
        struct segment *s = calloc(1, sizeof(*s));

        cr_assert_not_null(s);
        *s = (struct segment){.index = index,
                              .count = 2,
                              .state = SEGMENT_CLEAN,
                              .rule = {.clips = AGGREGATE_MEAN, .tracks = AGGREGATE_MAX, .top_k = 1, .min_frames = 1},
                              .first_clip = index,
                              .n_clips = 1,
                              .n_tracks = 1};
        s->clip_frames = calloc(2, sizeof(*s->clip_frames));
        s->tracks = calloc(2, sizeof(*s->tracks));
        cr_assert(s->clip_frames && s->tracks);
        s->clip_frames[0] = 1;
        s->tracks[0].clip = index;
        add_clips(each[i], 1);
        each[i]->clips[0].clip = index;
        each[i]->clips[0].p_fake = each[i]->p_fake = i == 0 ? p_main : p_member;
        each[i]->outcome = OUTCOME_SCORED;
        each[i]->n_frames_wanted = each[i]->n_frames_decoded = 1;
        each[i]->segment = s;
    }
    return r;
}

Test(members, parts_are_joined_for_each)
{
    struct result a = part(0, 0.25, 0.5), b = part(1, 0.75, 1), joined;
    const struct result *parts[] = {&a, &b};
    struct error e = {0};

    cr_assert_eq(segment_join(parts, 2, &joined, &e), STATUS_OK, "%s", e.text);
    cr_expect_eq(joined.p_fake, 0.5);
    cr_assert_eq(joined.n_members, 1);
    cr_expect_eq(joined.members[0].p_fake, 0.75);
    cr_expect_eq(joined.members[0].outcome, OUTCOME_SCORED);
    cr_expect_eq(joined.members[0].n_clips, 2);
    result_clear(&joined);
    /* One that cannot be joined sends the whole back, as does one that is not there. */
    b.members[0].segment->state = SEGMENT_TROUBLED;
    cr_expect_eq(segment_join(parts, 2, &joined, &e), STATUS_AGAIN);
    b.members[0].segment->state = SEGMENT_CLEAN;
    b.n_members = 0;
    cr_expect_eq(segment_join(parts, 2, &joined, &e), STATUS_AGAIN);
    b.n_members = 1;
    result_clear(&a);
    result_clear(&b);
}
