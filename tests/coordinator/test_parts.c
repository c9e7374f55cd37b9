#include "coordinator/parts.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "shard/segment.h"

static struct result record(uint32_t index, uint32_t count, enum segment_state state)
{
    struct result r = {.outcome = OUTCOME_SCORED, .p_fake = 0.25, .n_frames_wanted = 8, .n_frames_decoded = 8};
    struct segment *s = calloc(1, sizeof(*s));

    cr_assert_eq(result_set_path(&r, "a.mp4"), STATUS_OK);
    *s = (struct segment){.index = index,
                          .count = count,
                          .state = state,
                          .rule = {.clips = AGGREGATE_MEAN, .tracks = AGGREGATE_MAX, .min_frames = 4}};
    r.segment = s;
    if (state != SEGMENT_CLEAN) {
        r.outcome = state == SEGMENT_FAILED ? OUTCOME_CRASHED : OUTCOME_NO_FACE;
        r.p_fake = NAN;
        result_set_message(&r, "segment %u", index);
        return r;
    }
    s->first_clip = index;
    s->n_clips = s->n_tracks = 1;
    s->clip_frames = calloc(1, sizeof(*s->clip_frames));
    s->tracks = calloc(1, sizeof(*s->tracks));
    s->clip_frames[0] = 8;
    s->tracks[0].clip = index;
    r.clips = calloc(1, sizeof(*r.clips));
    r.n_clips = r.n_tracks = 1;
    r.clips[0] = (struct clip_score){.clip = index, .n_frames = 8, .p_fake = index == 0 ? 0.25 : 0.75};
    return r;
}

static bool take(struct parts *p, uint32_t entry, uint32_t index, uint32_t count, enum segment_state state)
{
    struct result r = record(index, count, state);
    struct error e;
    bool kept = false;

    cr_assert_eq(parts_take(p, entry, &r, &kept, &e), STATUS_OK);
    cr_assert_eq(kept, r.path == NULL);
    result_clear(&r);
    return kept;
}

struct seen {
    unsigned n;
    uint32_t entries[8];
    enum outcome outcomes[8];
    double p_fake[8];
};

static enum status see(void *context, uint32_t entry, struct result *r, struct error *e)
{
    struct seen *s = context;

    (void)e;
    cr_assert_null(r->segment);
    cr_assert_str_eq(r->path, "a.mp4");
    s->entries[s->n] = entry;
    s->outcomes[s->n] = r->outcome;
    s->p_fake[s->n++] = r->p_fake;
    return STATUS_OK;
}

static struct seen join(struct parts *p)
{
    struct seen seen = {0};
    struct error e;

    cr_assert_eq(parts_join(p, see, &seen, &e), STATUS_OK);
    return seen;
}

Test(parts, a_video_is_joined_when_every_segment_of_one_cut_is_there)
{
    struct parts *p = NULL;
    struct seen seen;

    cr_assert_eq(parts_open(&p), STATUS_OK);
    cr_assert(take(p, 7, 1, 2, SEGMENT_CLEAN));
    cr_assert(take(p, 7, 0, 3, SEGMENT_CLEAN), "another cut");
    cr_assert(take(p, 2, 0, 2, SEGMENT_CLEAN));
    cr_assert_not(take(p, 2, 0, 2, SEGMENT_CLEAN), "a second record of the same");
    cr_assert_eq(join(p).n, 0);
    cr_assert_eq(parts_cut(p, 2), 2);
    cr_assert_eq(parts_cut(p, 7), 2, "of which more is there");
    cr_assert_eq(parts_cut(p, 3), 0);
    cr_assert(parts_has(p, 7, 2, 1) && !parts_has(p, 7, 2, 0) && !parts_has(p, 3, 2, 0));
    cr_assert(take(p, 7, 0, 2, SEGMENT_CLEAN));
    cr_assert(take(p, 2, 1, 2, SEGMENT_CLEAN));
    seen = join(p);
    cr_assert_eq(seen.n, 2);
    cr_assert(seen.entries[0] == 2 && seen.entries[1] == 7);
    cr_assert_eq(seen.outcomes[0], OUTCOME_SCORED);
    cr_assert_float_eq(seen.p_fake[0], 0.5, 1e-12);
    parts_close(&p);
}

Test(parts, a_failed_segment_decides_at_once_unless_another_attempt_was_clean)
{
    struct parts *p = NULL;
    struct seen seen;

    cr_assert_eq(parts_open(&p), STATUS_OK);
    cr_assert(take(p, 1, 2, 4, SEGMENT_FAILED));
    cr_assert(take(p, 5, 0, 2, SEGMENT_FAILED));
    cr_assert(take(p, 5, 0, 2, SEGMENT_CLEAN));
    cr_assert_not(take(p, 5, 0, 2, SEGMENT_FAILED));
    seen = join(p);
    cr_assert_eq(seen.n, 1);
    cr_assert_eq(seen.entries[0], 1);
    cr_assert_eq(seen.outcomes[0], OUTCOME_CRASHED);
    parts_close(&p);
}

Test(parts, a_troubled_segment_decides_nothing_and_asks_for_the_whole)
{
    struct parts *p = NULL;

    cr_assert_eq(parts_open(&p), STATUS_OK);
    for (uint32_t i = 0; i < 3; i++)
        cr_assert(take(p, 1, i, 3, i == 1 ? SEGMENT_TROUBLED : SEGMENT_CLEAN));
    cr_assert_eq(join(p).n, 0);
    cr_assert_eq(parts_cut(p, 1), 1);
    parts_close(&p);
}

Test(parts, segments_that_do_not_fit_together_ask_for_the_whole)
{
    struct parts *p = NULL;
    struct result r = record(1, 2, SEGMENT_CLEAN);
    struct error e;
    bool kept;

    cr_assert_eq(parts_open(&p), STATUS_OK);
    r.segment->first_clip = r.segment->tracks[0].clip = r.clips[0].clip = 5;
    cr_assert_eq(parts_take(p, 1, &r, &kept, &e), STATUS_OK);
    cr_assert(take(p, 1, 0, 2, SEGMENT_CLEAN));
    cr_assert_eq(join(p).n, 0);
    cr_assert_eq(parts_cut(p, 1), 1);
    parts_close(&p);
}

Test(parts, thousands_of_videos_are_found_again)
{
    struct parts *p = NULL;
    struct seen seen;

    cr_assert_eq(parts_open(&p), STATUS_OK);
    for (uint32_t i = 0; i < 5000; i++)
        cr_assert(take(p, i * 7, i % 3, 3, SEGMENT_CLEAN));
    for (uint32_t i = 0; i < 5000; i++)
        cr_assert(parts_has(p, i * 7, 3, i % 3) && parts_cut(p, i * 7) == 3 && parts_cut(p, i * 7 + 1) == 0);
    seen = join(p);
    cr_assert_eq(seen.n, 0);
    parts_close(&p);
}
