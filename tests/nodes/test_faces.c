#include "nodes/faces.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/nodes/fake_networks.h"
#include "nodes/face_boxes.h"
#include "nodes/face_crop.h"

/* The linker sends every allocation of the library and of the fake engine here. */
static size_t n_allocations;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
    n_allocations++;
    return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    n_allocations++;
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    n_allocations++;
    return __real_realloc(p, n);
}

enum { ROOM = 8 };

struct bench {
    struct network nets[3];
    struct card card;
    struct card_face settings;
    struct face_finder *finder;
    uint8_t *rgb;
    struct image frame;
    struct face faces[ROOM];
    size_t count;
    struct error e;
};

static void begin(struct bench *b, enum face_architecture architecture)
{
    memset(b, 0, sizeof(*b));
    b->card.kind = CARD_FACE_DETECTOR;
    b->card.architecture = architecture;
    strcpy(b->card.name, "fake");
    if (architecture == FACE_MTCNN) {
        for (int i = 0; i < 3; i++)
            b->nets[i].role = FAKE_PNET + i;
    } else {
        b->nets[0].role = FAKE_YUNET;
    }
    b->settings = (struct card_face){.min_face_px = 40, .max_faces = ROOM, .threshold = 0.9, .search_side_px = 640};
}

static enum status open_finder(struct bench *b)
{
    const struct network *nets[3] = {&b->nets[0], &b->nets[1], &b->nets[2]};

    return face_finder_open(&b->card, nets, &b->settings, &b->finder, &b->e);
}

static void blank(struct bench *b, unsigned width, unsigned height)
{
    free(b->rgb);
    b->rgb = calloc((size_t)width * height, 3);
    b->frame = (struct image){b->rgb, width, height, (size_t)width * 3, NULL};
}

static void paint(struct bench *b, float x0, float y0, float side)
{
    fake_paint(b->rgb, b->frame.width_px, b->frame.height_px, x0, y0, side);
}

static enum status run(struct bench *b)
{
    return face_finder_run(b->finder, &b->frame, b->faces, ROOM, &b->count, &b->e);
}

static void end(struct bench *b)
{
    face_finder_close(&b->finder);
    cr_assert_null(b->finder);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(b->nets[i].n_sessions_open, 0, "a session of network %d was left open", i);
    free(b->rgb);
}

static void expect_face(const struct face *f, float x0, float y0, float side, float tolerance)
{
    cr_assert_float_eq(f->x0, x0, tolerance, "x0 is %g, not %g", f->x0, x0);
    cr_assert_float_eq(f->y0, y0, tolerance, "y0 is %g, not %g", f->y0, y0);
    cr_assert_float_eq(f->x1, x0 + side, tolerance, "x1 is %g, not %g", f->x1, x0 + side);
    cr_assert_float_eq(f->y1, y0 + side, tolerance, "y1 is %g, not %g", f->y1, y0 + side);
    for (int i = 0; i < 5; i++) {
        cr_assert_float_eq(f->points_xy[i][0], x0 + FAKE_POINTS[i][0] * side, tolerance);
        cr_assert_float_eq(f->points_xy[i][1], y0 + FAKE_POINTS[i][1] * side, tolerance);
    }
}

Test(mtcnn, a_face_is_found_where_it_is)
{
    static const struct {
        unsigned width, height;
        float x0, y0, side;
    } cases[] = {{640, 360, 100, 50, 60},     {640, 360, 271.5f, 13.25f, 333}, {641, 363, 590, 310, 47},
                 {1920, 1080, 700, 300, 500}, {1920, 1080, 1815, 10, 96},      {1080, 1920, 200, 1500, 240},
                 {320, 240, 5, 5, 230},       {3840, 2160, 3000, 1000, 401}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench b;
        unsigned longer = cases[i].width > cases[i].height ? cases[i].width : cases[i].height;
        float pixel = longer > 640 ? (float)longer / 640 : 1; /* of the search picture */

        begin(&b, FACE_MTCNN);
        cr_assert_eq(open_finder(&b), STATUS_OK, "%s", b.e.text);
        blank(&b, cases[i].width, cases[i].height);
        paint(&b, cases[i].x0, cases[i].y0, cases[i].side);
        cr_assert_eq(run(&b), STATUS_OK, "%s", b.e.text);
        cr_assert_eq(b.count, 1, "case %zu: %zu faces", i, b.count);
        expect_face(&b.faces[0], cases[i].x0, cases[i].y0, cases[i].side, 0.02f * cases[i].side + pixel / 2);
        cr_assert_geq(b.faces[0].confidence, 0.9f);
        end(&b);
    }
}

Test(mtcnn, a_face_over_the_border_keeps_its_box_outside)
{
    struct bench b;

    begin(&b, FACE_MTCNN);
    cr_assert_eq(open_finder(&b), STATUS_OK);
    blank(&b, 640, 480);
    paint(&b, -20, 230, 240);
    cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(b.count, 1, "%zu faces", b.count);
    expect_face(&b.faces[0], -20, 230, 240, 6);
    end(&b);
}

Test(mtcnn, faces_come_best_first_and_no_more_than_asked_for)
{
    struct bench b;

    begin(&b, FACE_MTCNN);
    b.settings.max_faces = 3;
    cr_assert_eq(open_finder(&b), STATUS_OK);
    blank(&b, 640, 480);
    for (int i = 0; i < 6; i++)
        paint(&b, 10 + 100.0f * (float)i, 20 + 50.0f * (float)i, 50 + 5 * (float)i);
    cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(b.count, 3);
    for (size_t i = 1; i < b.count; i++)
        cr_assert_geq(b.faces[i - 1].confidence, b.faces[i].confidence);
    cr_assert_eq(face_finder_run(b.finder, &b.frame, b.faces, 2, &b.count, &b.e), STATUS_OK);
    cr_assert_eq(b.count, 2);
    cr_assert_eq(face_finder_run(b.finder, &b.frame, NULL, 0, &b.count, &b.e), STATUS_OK);
    cr_assert_eq(b.count, 0);
    end(&b);
}

Test(mtcnn, min_face_px_counts_in_the_full_frame)
{
    struct bench b;

    begin(&b, FACE_MTCNN);
    b.settings.min_face_px = 150;
    cr_assert_eq(open_finder(&b), STATUS_OK);
    blank(&b, 1280, 960);
    paint(&b, 100, 100, 130);
    paint(&b, 700, 500, 170);
    cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(b.count, 1);
    expect_face(&b.faces[0], 700, 500, 170, 5);
    end(&b);
}

Test(mtcnn, batches_keep_their_size_and_results_do_not_depend_on_the_frames_before)
{
    struct bench b;
    struct face first[ROOM];
    uint8_t *one, *other;

    begin(&b, FACE_MTCNN);
    cr_assert_eq(open_finder(&b), STATUS_OK);
    blank(&b, 640, 480);
    paint(&b, 100, 100, 77);
    paint(&b, 300, 200, 99);
    cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(b.count, 2);
    memcpy(first, b.faces, sizeof(first));
    one = b.rgb;
    other = calloc(640 * 480, 3);
    for (int i = 0; i < 5; i++)
        fake_paint(other, 640, 480, 20 + 90 * (float)i, 200, 70 + (float)i);
    b.frame.rgb_hwc_u8 = other;
    cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(b.count, 5);
    b.frame.rgb_hwc_u8 = one;
    cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(b.count, 2);
    cr_assert(memcmp(first, b.faces, 2 * sizeof(*first)) == 0);
    cr_assert_eq(b.nets[1].n_sessions_open, 1);
    cr_assert_gt(b.nets[1].batch, 1);
    cr_assert_eq(b.nets[2].n_sessions_open, 1);
    free(other);
    end(&b);
}

static const struct {
    unsigned width, height;
} ODD_SIZES[] = {{1, 1}, {2, 2}, {12, 12}, {13, 11}, {2, 640}, {4000, 1}, {33, 31}, {641, 12}};

static void run_odd_sizes(enum face_architecture architecture)
{
    struct bench b;

    begin(&b, architecture);
    b.settings.min_face_px = 1;
    cr_assert_eq(open_finder(&b), STATUS_OK);
    for (size_t i = 0; i < sizeof(ODD_SIZES) / sizeof(ODD_SIZES[0]); i++) {
        blank(&b, ODD_SIZES[i].width, ODD_SIZES[i].height);
        cr_assert_eq(run(&b), STATUS_OK, "%s", b.e.text);
        cr_assert_eq(b.count, 0);
    }
    b.frame.width_px = 0;
    b.count = 9;
    cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(b.count, 0);
    end(&b);
}

Test(mtcnn, tiny_and_thin_frames_hold_no_face)
{
    run_odd_sizes(FACE_MTCNN);
}

Test(yunet, tiny_and_thin_frames_hold_no_face)
{
    run_odd_sizes(FACE_YUNET);
}

/* Whatever the networks say, the result is a bounded list of proper boxes. */
static void run_moods(enum face_architecture architecture)
{
    for (int mood = FAKE_EVERYWHERE; mood <= FAKE_HUGE; mood++) {
        struct bench b;

        begin(&b, architecture);
        for (int i = 0; i < 3; i++)
            b.nets[i].mood = (enum fake_mood)mood;
        cr_assert_eq(open_finder(&b), STATUS_OK);
        blank(&b, 640, 360);
        cr_assert_eq(run(&b), STATUS_OK);
        cr_assert_leq(b.count, ROOM);
        if (mood != FAKE_EVERYWHERE)
            cr_assert_eq(b.count, 0, "mood %d gave %zu faces", mood, b.count);
        else if (architecture == FACE_MTCNN)
            cr_assert_eq(b.count, ROOM);
        for (size_t i = 0; i < b.count; i++) {
            cr_assert(face_is_sane(&b.faces[i], 640, 360));
            for (size_t k = 0; k < i; k++)
                cr_assert_leq(face_overlap(&b.faces[i], &b.faces[k]), 0.7);
        }
        end(&b);
    }
}

Test(mtcnn, nonsense_from_the_networks_gives_no_face_and_no_crash)
{
    run_moods(FACE_MTCNN);
}

Test(mtcnn, nonsense_from_the_last_network_alone_gives_no_face)
{
    for (int mood = FAKE_NAN; mood <= FAKE_HUGE; mood++) {
        struct bench b;

        begin(&b, FACE_MTCNN);
        b.nets[2].mood = (enum fake_mood)mood;
        cr_assert_eq(open_finder(&b), STATUS_OK);
        blank(&b, 640, 360);
        paint(&b, 100, 50, 100);
        cr_assert_eq(run(&b), STATUS_OK);
        cr_assert_gt(b.nets[2].n_runs, 0);
        cr_assert_eq(b.count, 0);
        end(&b);
    }
}

Test(yunet, nonsense_from_the_network_gives_no_face_and_no_crash)
{
    run_moods(FACE_YUNET);
}

static void run_without_allocation(enum face_architecture architecture)
{
    struct bench b;
    size_t before;

    begin(&b, architecture);
    cr_assert_eq(open_finder(&b), STATUS_OK);
    blank(&b, 1280, 720);
    paint(&b, 300, 100, 300);
    cr_assert_eq(run(&b), STATUS_OK);
    before = n_allocations;
    cr_assert_gt(before, 0, "the allocations are not counted");
    for (int i = 0; i < 3; i++)
        cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(n_allocations, before);
    b.nets[0].mood = b.nets[1].mood = b.nets[2].mood = FAKE_EVERYWHERE;
    cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(n_allocations, before);
    end(&b);
}

Test(mtcnn, the_same_size_again_allocates_nothing)
{
    run_without_allocation(FACE_MTCNN);
}

Test(yunet, the_same_size_again_allocates_nothing)
{
    run_without_allocation(FACE_YUNET);
}

Test(mtcnn, another_size_replaces_the_sessions_of_the_one_before)
{
    struct bench b;
    unsigned n;

    begin(&b, FACE_MTCNN);
    cr_assert_eq(open_finder(&b), STATUS_OK);
    blank(&b, 640, 360);
    cr_assert_eq(run(&b), STATUS_OK);
    n = b.nets[0].n_sessions_open;
    cr_assert_gt(n, 4);
    for (int i = 0; i < 4; i++) {
        blank(&b, i % 2 ? 640 : 320, i % 2 ? 360 : 200);
        cr_assert_eq(run(&b), STATUS_OK);
        cr_assert_leq(b.nets[0].n_sessions_open, n);
    }
    end(&b);
}

Test(mtcnn, a_session_that_cannot_be_made_is_an_error_that_a_later_run_survives)
{
    struct bench b;

    begin(&b, FACE_MTCNN);
    cr_assert_eq(open_finder(&b), STATUS_OK);
    blank(&b, 640, 360);
    paint(&b, 100, 50, 100);
    b.nets[0].fail_open = true;
    b.count = 77;
    cr_assert_eq(run(&b), STATUS_UNSUPPORTED);
    cr_assert_str_eq(b.e.text, "fake: P-Net: operator Frob is not supported");
    cr_assert_eq(b.count, 77);
    b.nets[0].fail_open = false;
    b.nets[1].fail_run = true;
    cr_assert_eq(run(&b), STATUS_INVALID);
    cr_assert_eq(b.count, 77);
    b.nets[1].fail_run = false;
    cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(b.count, 1);
    end(&b);
}

Test(mtcnn, networks_that_are_not_mtcnns_are_refused_with_their_name)
{
    struct bench b;
    const struct network *none[3] = {NULL, NULL, NULL};

    begin(&b, FACE_MTCNN);
    cr_assert_eq(face_finder_open(&b.card, none, &b.settings, &b.finder, &b.e), STATUS_INVALID);
    cr_assert_str_eq(b.e.text, "fake: MTCNN needs three networks: P-Net, R-Net, O-Net");
    b.nets[2].rename_output = "points";
    cr_assert_eq(open_finder(&b), STATUS_INVALID);
    cr_assert_str_eq(b.e.text, "fake: O-Net: has no output \"points\"");
    b.nets[2].rename_output = NULL;
    b.nets[1].wrong_shape = true;
    cr_assert_eq(open_finder(&b), STATUS_INVALID);
    cr_assert_str_eq(b.e.text, "fake: R-Net: output \"reg\" is float32 [16, 5], not float32 [16, 4]");
    b.nets[1].wrong_shape = false;
    b.nets[0].wrong_shape = true;
    cr_assert_eq(open_finder(&b), STATUS_OK);
    blank(&b, 64, 64);
    cr_assert_eq(run(&b), STATUS_INVALID);
    end(&b);
}

Test(yunet, a_network_that_is_not_yunets_is_refused_with_its_name)
{
    struct bench b;

    begin(&b, FACE_YUNET);
    b.nets[0].rename_output = "kps_32";
    cr_assert_eq(open_finder(&b), STATUS_INVALID);
    cr_assert_str_eq(b.e.text, "fake: YuNet: has no output \"kps_32\"");
    b.nets[0].rename_output = NULL;
    b.nets[0].wrong_shape = true;
    cr_assert_eq(open_finder(&b), STATUS_OK);
    blank(&b, 64, 64);
    cr_assert_eq(run(&b), STATUS_INVALID);
    cr_assert_str_eq(b.e.text, "fake: YuNet: output \"bbox_16\" is float32 [1, 17, 4], not float32 [1, 16, 4]");
    end(&b);
    begin(&b, FACE_NONE);
    cr_assert_eq(open_finder(&b), STATUS_INVALID);
    cr_assert_str_eq(b.e.text, "fake: not a face detector");
}

Test(yunet, rows_are_decoded_to_boxes_and_points)
{
    struct bench b;

    begin(&b, FACE_YUNET);
    b.settings.threshold = 0.6;
    b.nets[0].n_cells = 2;
    b.nets[0].cells[0] = (struct fake_cell){.stride = 16,
                                            .column = 10,
                                            .row = 5,
                                            .cls = 0.81f,
                                            .obj = 0.64f,
                                            .bbox = {0.5f, -0.25f, 1.5f, 1.75f},
                                            .kps = {-1, -2, 1, -2, 0, 0, -0.5f, 1, 0.5f, 1.5f}};
    b.nets[0].cells[1] =
        (struct fake_cell){.stride = 32, .column = 15, .row = 8, .cls = 1, .obj = 1, .bbox = {0, 0, 1, 1.5f}};
    cr_assert_eq(open_finder(&b), STATUS_OK);
    blank(&b, 1280, 720); /* searched at 640 x 360, padded to 640 x 384 */
    cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(b.count, 2);
    cr_assert_float_eq(b.faces[0].confidence, 1, 1e-6f);
    cr_assert_float_eq(b.faces[0].x0, 2 * (480 - 16 * expf(1)), 1e-2f);
    cr_assert_float_eq(b.faces[0].y1, 2 * (256 + 16 * expf(1.5f)), 1e-2f);
    cr_assert_float_eq(b.faces[1].confidence, 0.72f, 1e-6f);
    cr_assert_float_eq(b.faces[1].x0, 2 * (168 - 8 * expf(1.5f)), 1e-2f);
    cr_assert_float_eq(b.faces[1].x1, 2 * (168 + 8 * expf(1.5f)), 1e-2f);
    cr_assert_float_eq(b.faces[1].y0, 2 * (76 - 8 * expf(1.75f)), 1e-2f);
    cr_assert_float_eq(b.faces[1].y1, 2 * (76 + 8 * expf(1.75f)), 1e-2f);
    cr_assert_float_eq(b.faces[1].points_xy[0][0], 2 * 9 * 16, 1e-3f);
    cr_assert_float_eq(b.faces[1].points_xy[0][1], 2 * 3 * 16, 1e-3f);
    cr_assert_float_eq(b.faces[1].points_xy[4][0], 2 * 10.5f * 16, 1e-3f);
    cr_assert_float_eq(b.faces[1].points_xy[4][1], 2 * 6.5f * 16, 1e-3f);
    end(&b);
}

Test(yunet, overlapping_rows_are_one_face_and_weak_ones_none)
{
    struct bench b;

    begin(&b, FACE_YUNET);
    b.nets[0].n_cells = 4;
    for (unsigned i = 0; i < 4; i++)
        b.nets[0].cells[i] = (struct fake_cell){
            .stride = 8, .column = 20, .row = 20, .cls = 1, .obj = 0.9f + 0.02f * (float)i, .bbox = {0, 0, 2, 2}};
    b.nets[0].cells[1].column = 21;
    b.nets[0].cells[2].row = 22;
    b.nets[0].cells[3].column = 45;
    b.nets[0].cells[3].cls = 0.5f;
    cr_assert_eq(open_finder(&b), STATUS_OK);
    blank(&b, 640, 640);
    cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(b.count, 1);
    cr_assert_float_eq(b.faces[0].confidence, sqrtf(0.94f), 1e-6f);
    end(&b);
}

Test(yunet, the_picture_goes_in_as_bgr_with_black_right_and_below)
{
    struct bench b;

    begin(&b, FACE_YUNET);
    cr_assert_eq(open_finder(&b), STATUS_OK);
    blank(&b, 100, 50);
    memset(b.rgb, 200, 100 * 50 * 3);
    b.rgb[0] = 1;
    b.rgb[1] = 2;
    b.rgb[2] = 3;
    cr_assert_eq(run(&b), STATUS_OK);
    cr_assert_eq(b.nets[0].yunet_first[0], 3);
    cr_assert_eq(b.nets[0].yunet_first[1], 2);
    cr_assert_eq(b.nets[0].yunet_first[2], 1);
    for (unsigned c = 0; c < 3; c++)
        cr_assert_eq(b.nets[0].yunet_corner[c], 0);
    end(&b);
}

static struct face_candidate candidate(float x, float side, float confidence, unsigned order)
{
    return (struct face_candidate){.face = {.x0 = x, .x1 = x + side, .y0 = 0, .y1 = side, .confidence = confidence},
                                   .order = order};
}

Test(face_boxes, sorting_is_by_confidence_then_order)
{
    struct face_candidate list[501];
    uint32_t random = 5;

    for (unsigned i = 0; i < 501; i++) {
        random = random * 1664525u + 1013904223u;
        list[i] = candidate(0, 1, (float)(random >> 28), (i * 173) % 501);
    }
    face_sort(list, 501);
    for (unsigned i = 1; i < 501; i++) {
        cr_assert_geq(list[i - 1].face.confidence, list[i].face.confidence);
        if (list[i - 1].face.confidence == list[i].face.confidence)
            cr_assert_lt(list[i - 1].order, list[i].order);
    }
    face_sort(list, 0);
}

Test(face_boxes, a_full_list_keeps_the_best)
{
    struct face_candidate list[10];
    size_t count = 0;

    for (unsigned i = 0; i < 200; i++) {
        struct face_candidate c = candidate(0, 1, (float)((i * 37) % 200), i);

        count = face_keep_best(list, count, 10, &c);
    }
    cr_assert_eq(count, 10);
    face_sort(list, count);
    for (unsigned i = 0; i < 10; i++)
        cr_assert_eq(list[i].face.confidence, 199 - (float)i);
    cr_assert_eq(face_keep_best(list, 0, 0, &list[0]), 0);
}

Test(face_boxes, suppression_by_union_or_by_the_smaller_box)
{
    struct face_candidate list[3] = {candidate(0, 10, 0.9f, 0), candidate(3, 4, 0.8f, 1), candidate(20, 4, 0.7f, 2)};

    /* The second lies inside the first: union .16, smaller 1. */
    cr_assert_eq(face_suppress(list, 3, FACE_SUPPRESS_UNION, 0.5), 3);
    cr_assert_eq(face_suppress(list, 3, FACE_SUPPRESS_MINIMUM, 0.5), 2);
    cr_assert_eq(list[1].face.x0, 20);
}

Test(face_boxes, what_is_no_box_is_told)
{
    struct face good = {.x0 = -5, .y0 = -5, .x1 = 30, .y1 = 30, .confidence = 1};
    struct face bad;

    cr_assert(face_is_sane(&good, 40, 40));
    bad = good;
    bad.x1 = NAN;
    cr_assert_not(face_is_sane(&bad, 40, 40));
    bad = good;
    bad.y1 = INFINITY;
    cr_assert_not(face_is_sane(&bad, 40, 40));
    bad = good;
    bad.x1 = -5;
    cr_assert_not(face_is_sane(&bad, 40, 40));
    bad = good;
    bad.x0 = -200;
    cr_assert_not(face_is_sane(&bad, 40, 40));
    bad = good;
    bad.x1 = -1;
    cr_assert_not(face_is_sane(&bad, 40, 40), "outside the picture");
    bad = good;
    bad.points_xy[3][1] = NAN;
    cr_assert_not(face_is_sane(&bad, 40, 40));
    bad = good;
    bad.confidence = NAN;
    cr_assert_not(face_is_sane(&bad, 40, 40));
}

/* The plain reference: one sub-square of a pixel at a time, with as many of them as make every border whole.
 */
static void crop_plainly(const struct image *in, const struct face_crop_box *box, uint8_t *out, unsigned side)
{
    for (unsigned v = 0; v < side; v++) {
        for (unsigned u = 0; u < side; u++) {
            uint64_t sum[3] = {0, 0, 0}, area = (uint64_t)box->width_px * box->height_px;

            for (unsigned j = v * box->height_px; j < (v + 1) * box->height_px; j++) {
                for (unsigned i = u * box->width_px; i < (u + 1) * box->width_px; i++) {
                    int x = box->x0 + (int)(i / side), y = box->y0 + (int)(j / side);

                    if (x < 0 || y < 0 || x >= (int)in->width_px || y >= (int)in->height_px)
                        continue;
                    for (unsigned c = 0; c < 3; c++)
                        sum[c] += in->rgb_hwc_u8[(size_t)y * in->stride_bytes + 3 * (size_t)x + c];
                }
            }
            for (unsigned c = 0; c < 3; c++)
                out[3 * (v * side + u) + c] = (uint8_t)((sum[c] + area / 2) / area);
        }
    }
}

Test(face_crop, area_average_is_that_of_the_plain_reference_at_awkward_boxes)
{
    enum { WIDTH = 37, HEIGHT = 29, STRIDE = 3 * WIDTH + 5, SIDE = 24 };
    static const struct face_crop_box boxes[] = {
        {3, 2, 24, 24},       {0, 0, 37, 29}, {5, 5, 1, 1},   {5, 5, 7, 13},   {-4, -6, 20, 21},   {30, 20, 40, 41},
        {-50, -40, 130, 129}, {36, 28, 1, 2}, {-10, 3, 5, 5}, {37, 0, 10, 10}, {-100, 10, 101, 3}, {2, -64, 9, 65}};
    uint8_t rgb[STRIDE * HEIGHT], got[SIDE * SIDE * 3 + 2], want[SIDE * SIDE * 3];
    uint32_t sums[3 * WIDTH + 1], random = 3;
    struct image in = {rgb, WIDTH, HEIGHT, STRIDE, NULL};

    for (size_t i = 0; i < sizeof(rgb); i++) {
        random = random * 1664525u + 1013904223u;
        rgb[i] = (uint8_t)(random >> 24);
    }
    for (size_t i = 0; i < sizeof(boxes) / sizeof(boxes[0]); i++) {
        memset(got, 0xa5, sizeof(got));
        sums[3 * WIDTH] = 0xa5a5a5a5;
        face_crop_area(&in, &boxes[i], sums, got + 1, SIDE);
        crop_plainly(&in, &boxes[i], want, SIDE);
        cr_assert(memcmp(got + 1, want, sizeof(want)) == 0, "box %zu", i);
        cr_assert(got[0] == 0xa5 && got[sizeof(got) - 1] == 0xa5 && sums[3 * WIDTH] == 0xa5a5a5a5);
    }
}
