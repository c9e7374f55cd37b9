#include "nodes/score_pass.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/nodes/fake_networks.h"

enum { MOST = 4 };

/* Detectors as the passes see them: cards and the face detector's networks. */
struct bench {
    struct card cards[MOST], finder;
    struct network nets[1];
    struct detector detectors[MOST];
    struct score_member members[MOST];
    struct passes passes;
    size_t n;
};

static void add(struct bench *b, enum input_kind input, unsigned frames, unsigned width_px)
{
    struct card *c = &b->cards[b->n];

    b->finder = (struct card){.kind = CARD_FACE_DETECTOR, .architecture = FACE_YUNET, .name = "fake"};
    b->nets[0].role = FAKE_YUNET;
    memset(c, 0, sizeof(*c));
    c->kind = CARD_DETECTOR;
    c->input = input;
    c->sampling.mode = SAMPLING_UNIFORM;
    c->sampling.clips = 1;
    c->sampling.frames = frames;
    c->sampling.min_frames = (unsigned)b->n + 1; /* each its own */
    if (input == INPUT_FACES) {
        strcpy(c->face.detector, "fake");
        c->face.min_face_px = 40;
        c->face.max_faces = 4;
        c->face.threshold = 0.9;
        c->face.search_side_px = 640;
        c->face.detect_every = 1;
    }
    c->crop.width_px = c->crop.height_px = width_px;
    b->detectors[b->n] = (struct detector){.card = c};
    if (input == INPUT_FACES) {
        b->detectors[b->n].face_card = &b->finder;
        b->detectors[b->n].face_networks[0] = &b->nets[0];
    }
    b->members[b->n].card = c;
    b->n++;
}

static void expect(struct bench *b, size_t n_passes, size_t n_finders, size_t n_gazes, size_t n_lenses)
{
    const struct detector *detectors[MOST];
    struct error e = {0};
    size_t gazes = 0, members = 0;

    for (size_t i = 0; i < b->n; i++)
        detectors[i] = &b->detectors[i];
    cr_assert_eq(passes_open(detectors, b->members, b->n, &b->passes, &e), STATUS_OK, "%s", e.text);
    for (size_t i = 0; i < b->passes.n; i++)
        gazes += b->passes.list[i].n_gazes;
    for (size_t i = 0; i < b->passes.n_lenses; i++)
        members += b->passes.lenses[i].n_members;
    cr_expect_eq(b->passes.n, n_passes, "%zu passes", b->passes.n);
    cr_expect_eq(b->passes.n_finders, n_finders, "%zu finders", b->passes.n_finders);
    cr_expect_eq(gazes, n_gazes, "%zu gazes", gazes);
    cr_expect_eq(b->passes.n_lenses, n_lenses, "%zu lenses", b->passes.n_lenses);
    cr_expect_eq(members, b->n, "each member looks through one lens");
    cr_expect_eq(b->passes.list[0].members[0], &b->members[0], "the first pass is the first detector's");
    passes_close(&b->passes);
    cr_expect_eq(b->nets[0].n_sessions_open, 0);
}

Test(score_pass, detectors_that_want_the_same_share_decode_faces_and_crops)
{
    struct bench b = {0};

    add(&b, INPUT_FACES, 8, 64);
    add(&b, INPUT_FACES, 8, 64);
    expect(&b, 1, 1, 1, 1);
}

Test(score_pass, another_crop_shares_the_faces)
{
    struct bench b = {0};

    add(&b, INPUT_FACES, 8, 64);
    add(&b, INPUT_FACES, 8, 96);
    add(&b, INPUT_FACES, 8, 64);
    b.cards[2].crop.margin = 1.5;
    expect(&b, 1, 1, 1, 3);
}

Test(score_pass, another_way_to_search_or_follow_shares_the_frames)
{
    struct bench b = {0};

    add(&b, INPUT_FACES, 8, 64);
    add(&b, INPUT_FACES, 8, 64);
    b.cards[1].face.detect_every = 2;
    add(&b, INPUT_FACES, 8, 64);
    strcpy(b.cards[2].face.detector, "other");
    expect(&b, 1, 3, 3, 3);
}

Test(score_pass, another_sampling_shares_the_decoder_and_the_prepared_search)
{
    struct bench b = {0};

    add(&b, INPUT_FACES, 8, 64);
    add(&b, INPUT_FACES, 10, 64);
    add(&b, INPUT_FACES, 8, 64);
    b.cards[2].sampling.stride_s = 0.04;
    expect(&b, 3, 1, 3, 3);
}

Test(score_pass, whole_frames_need_no_search_and_share_by_size)
{
    struct bench b = {0};

    add(&b, INPUT_FRAMES, 8, 64);
    add(&b, INPUT_FACES, 8, 64);
    add(&b, INPUT_FRAMES, 8, 64);
    add(&b, INPUT_FRAMES, 8, 32);
    expect(&b, 1, 1, 2, 3);
}

Test(score_pass, the_one_that_is_behind_goes_first)
{
    int64_t a[] = {10, 40, 30, 60}, c[] = {20, 30};
    struct pass list[2] = {{.plan = {.n_clips = 2, .n_frames = 2, .wanted_us = a}, .n_clips = 2},
                           {.plan = {.n_clips = 1, .n_frames = 2, .wanted_us = c}, .n_clips = 1}};
    const struct passes p = {.list = list, .n = 2};
    /* 10 of the first, 20 and 30 of the second, then the first's 40, back to 30, and 60. */
    static const unsigned want[] = {0, 1, 1, 0, 0, 0};

    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
        struct pass *next = passes_next(&p);

        cr_assert_eq(next, &list[want[i]], "step %zu", i);
        if (++next->at == next->plan.n_frames) {
            next->at = 0;
            next->clip++;
        }
    }
    cr_assert_null(passes_next(&p));
}
