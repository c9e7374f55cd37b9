/* UltraFace and BlazeFace, over a network that says what each test plants: it takes the engine's place. */
#include "nodes/faces.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROOM = 8, MAX_PLANTED = 8, N_ULTRAFACE = 4420, N_SHORT = 896, N_FULL = 2304 };

struct planted {
    unsigned row;
    float score; /* UltraFace: probability; BlazeFace: logit */
    float box[16];
};

struct network {
    bool blaze;
    unsigned width, height;
    int n_rows;
    const char *scores_name;
    float fill_score, fill_box; /* of rows that are not planted */
    struct planted planted[MAX_PLANTED];
    unsigned n_planted;
    float first[3], corner[3]; /* of the last input: at (0, 0) and at the last pixel */
    float at_middle;           /* red in its middle */
};

struct session {
    struct network *network;
    float *input, *outputs[2];
};

size_t network_input_count(const struct network *n)
{
    (void)n;
    return 1;
}

const struct network_tensor *network_input(const struct network *n, size_t index)
{
    static struct network_tensor input;

    (void)index;
    input = (struct network_tensor){"input", TENSOR_F32, {4, {1, 3, n->height, n->width}}};
    return &input;
}

size_t network_output_count(const struct network *n)
{
    (void)n;
    return 2;
}

const struct network_tensor *network_output(const struct network *n, size_t index)
{
    static struct network_tensor output = {"", TENSOR_F32, {0, {0}}};

    output.name = index == 0 ? n->scores_name : "boxes";
    return &output;
}

static unsigned width_of(const struct network *n, size_t index)
{
    return n->blaze ? (index == 0 ? 1 : 16) : (index == 0 ? 2 : 4);
}

enum status session_open(const struct network *n, const struct session_settings *settings, struct session **ret_s,
                         struct error *e)
{
    struct session *s = calloc(1, sizeof(*s));

    (void)settings;
    (void)e;
    s->network = (struct network *)(uintptr_t)n;
    s->input = calloc((size_t)3 * n->width * n->height, sizeof(float));
    for (size_t i = 0; i < 2; i++)
        s->outputs[i] = calloc((size_t)n->n_rows * width_of(n, i), sizeof(float));
    *ret_s = s;
    return STATUS_OK;
}

void session_close(struct session **s)
{
    if (!*s)
        return;
    free((*s)->input);
    free((*s)->outputs[0]);
    free((*s)->outputs[1]);
    free(*s);
    *s = NULL;
}

void *session_input(struct session *s, size_t index)
{
    (void)index;
    return s->input;
}

const void *session_output(const struct session *s, size_t index)
{
    return s->outputs[index];
}

void session_output_shape(const struct session *s, size_t index, struct tensor_shape *ret_shape)
{
    *ret_shape = (struct tensor_shape){3, {1, s->network->n_rows, width_of(s->network, index)}};
}

enum tensor_type session_output_type(const struct session *s, size_t index)
{
    (void)s;
    (void)index;
    return TENSOR_F32;
}

enum status session_run(struct session *s, struct error *e)
{
    struct network *n = s->network;
    unsigned wide = width_of(n, 0), boxes = width_of(n, 1);
    size_t plane = (size_t)n->width * n->height;

    (void)e;
    for (unsigned c = 0; c < 3; c++) {
        n->first[c] = s->input[c * plane];
        n->corner[c] = s->input[c * plane + plane - 1];
    }
    n->at_middle = s->input[plane / 2 + n->width / 2];
    for (size_t i = 0; i < (size_t)n->n_rows * wide; i++)
        s->outputs[0][i] = n->fill_score;
    for (size_t i = 0; i < (size_t)n->n_rows * boxes; i++)
        s->outputs[1][i] = n->fill_box;
    for (unsigned i = 0; i < n->n_planted; i++) {
        s->outputs[0][n->planted[i].row * wide + wide - 1] = n->planted[i].score;
        memcpy(s->outputs[1] + (size_t)n->planted[i].row * boxes, n->planted[i].box, boxes * sizeof(float));
    }
    return STATUS_OK;
}

struct bench {
    struct network net;
    struct card card;
    struct card_face settings;
    struct face_finder *finder;
    uint8_t *rgb;
    struct face faces[ROOM];
    size_t count;
    struct error e;
};

static void begin(struct bench *b, enum face_architecture architecture, unsigned width, unsigned height, int n_rows)
{
    *b = (struct bench){
        .net = {.blaze = architecture == FACE_BLAZEFACE,
                .width = width,
                .height = height,
                .n_rows = n_rows,
                .scores_name = "scores"},
        .card = {.kind = CARD_FACE_DETECTOR, .architecture = architecture, .name = "fake"},
        .settings = {.min_face_px = 8, .max_faces = ROOM, .threshold = 0.7, .search_side_px = 640},
    };
    b->net.fill_score = b->net.blaze ? -50 : 0;
}

static enum status open_finder(struct bench *b)
{
    const struct network *nets[3] = {&b->net, NULL, NULL};

    return face_finder_open(&b->card, nets, &b->settings, &b->finder, &b->e);
}

static void run(struct bench *b, unsigned width, unsigned height, uint8_t value)
{
    struct image frame;

    free(b->rgb);
    b->rgb = malloc((size_t)width * height * 3);
    memset(b->rgb, value, (size_t)width * height * 3);
    frame = (struct image){b->rgb, width, height, (size_t)width * 3, NULL};
    if (!b->finder)
        cr_assert_eq(open_finder(b), STATUS_OK, "%s", b->e.text);
    cr_assert_eq(face_finder_run(b->finder, &frame, b->faces, ROOM, &b->count, &b->e), STATUS_OK, "%s", b->e.text);
}

static void end(struct bench *b)
{
    face_finder_close(&b->finder);
    free(b->rgb);
}

static void expect_box(const struct face *f, double x0, double y0, double x1, double y1)
{
    cr_assert_float_eq(f->x0, x0, 0.01, "x0 is %g, not %g", f->x0, x0);
    cr_assert_float_eq(f->y0, y0, 0.01, "y0 is %g, not %g", f->y0, y0);
    cr_assert_float_eq(f->x1, x1, 0.01, "x1 is %g, not %g", f->x1, x1);
    cr_assert_float_eq(f->y1, y1, 0.01, "y1 is %g, not %g", f->y1, y1);
}

/* Stride 16 begins after 3 * 40 * 30 priors; cell (3, 2) there has its centre at (56, 40); the second size is 48. */
static const unsigned PRIOR_48 = 3600 + 2 * (2 * 20 + 3) + 1;

Test(ultraface, a_row_is_decoded_by_its_prior)
{
    struct bench b;

    begin(&b, FACE_ULTRAFACE, 320, 240, N_ULTRAFACE);
    b.net.planted[b.net.n_planted++] = (struct planted){PRIOR_48, 0.8f, {0}};
    run(&b, 320, 240, 0);
    cr_assert_eq(b.count, 1);
    expect_box(&b.faces[0], 56 - 24, 40 - 24, 56 + 24, 40 + 24);
    cr_assert_float_eq(b.faces[0].confidence, 0.8, 1e-6);
    b.net.planted[0] = (struct planted){PRIOR_48, 0.8f, {1, -2, 5 * logf(2), 5 * logf(0.5f)}};
    run(&b, 320, 240, 0);
    expect_box(&b.faces[0], 56 + 4.8 - 48, 40 - 9.6 - 12, 56 + 4.8 + 48, 40 - 9.6 + 12);
    end(&b);
}

Test(ultraface, the_largest_prior_is_cut_at_the_pictures_height)
{
    struct bench b;

    begin(&b, FACE_ULTRAFACE, 320, 240, N_ULTRAFACE);
    b.net.planted[b.net.n_planted++] = (struct planted){N_ULTRAFACE - 1, 0.8f, {0}};
    run(&b, 320, 240, 0);
    cr_assert_eq(b.count, 1);
    /* 256 x 240 at the last of 5 x 4 cells of 64, whose centre (288, 224) lies inside. */
    expect_box(&b.faces[0], 288 - 128, 224 - 120, 288 + 128, 224 + 120);
    end(&b);
}

Test(ultraface, a_large_frame_is_fitted_whole_and_the_box_comes_back_in_its_pixels)
{
    struct bench b;

    begin(&b, FACE_ULTRAFACE, 320, 240, N_ULTRAFACE);
    b.net.planted[b.net.n_planted++] = (struct planted){PRIOR_48, 0.8f, {0}};
    run(&b, 1920, 1080, 255);
    expect_box(&b.faces[0], 6 * 32, 6 * 16, 6 * 80, 6 * 64);
    cr_assert_float_eq(b.net.first[0], 1, 1e-6);             /* (255 - 127) / 128 */
    cr_assert_float_eq(b.net.corner[2], -127.0 / 128, 1e-6); /* black below */
    run(&b, 1080, 1920, 255);
    expect_box(&b.faces[0], 8 * 32, 8 * 16, 8 * 80, 8 * 64);
    end(&b);
}

Test(ultraface, overlapping_rows_are_one_face_and_weak_ones_none)
{
    struct bench b;

    begin(&b, FACE_ULTRAFACE, 320, 240, N_ULTRAFACE);
    b.net.planted[b.net.n_planted++] = (struct planted){PRIOR_48, 0.8f, {0}};
    b.net.planted[b.net.n_planted++] = (struct planted){PRIOR_48 + 2, 0.9f, {0}};
    b.net.planted[b.net.n_planted++] = (struct planted){PRIOR_48 + 20, 0.69f, {0}};
    b.net.planted[b.net.n_planted++] = (struct planted){PRIOR_48 + 16, 0.75f, {0}};
    run(&b, 320, 240, 0);
    cr_assert_eq(b.count, 2);
    cr_assert_float_eq(b.faces[0].confidence, 0.9, 1e-6);
    cr_assert_float_eq(b.faces[1].confidence, 0.75, 1e-6);
    end(&b);
}

/* Two boxes of anchors at one place: the short range's first cell of 8 x 8 pixels. */
Test(blazeface, overlapping_rows_are_averaged_by_their_scores)
{
    struct bench b;
    const float big[16] = {60, 60, 40, 40, 50, 50, 70, 50, 60, 60, 60, 75};
    const float moved[16] = {64, 60, 40, 40, 54, 50, 74, 50, 64, 60, 64, 75};

    begin(&b, FACE_BLAZEFACE, 128, 128, N_SHORT);
    b.net.planted[0] = (struct planted){0, 2, {0}};
    b.net.planted[1] = (struct planted){1, 1, {0}};
    memcpy(b.net.planted[0].box, big, sizeof(big));
    memcpy(b.net.planted[1].box, moved, sizeof(moved));
    b.net.n_planted = 2;
    run(&b, 128, 128, 0);
    cr_assert_eq(b.count, 1);
    {
        double s0 = 1 / (1 + exp(-2)), s1 = 1 / (1 + exp(-1)), shift = 4 * s1 / (s0 + s1);

        cr_assert_float_eq(b.faces[0].confidence, s0, 1e-6);
        /* The anchor's centre is (4, 4). */
        expect_box(&b.faces[0], 44 + shift, 44, 84 + shift, 84);
        cr_assert_float_eq(b.faces[0].points_xy[0][0], 54 + shift, 0.01);
        cr_assert_float_eq(b.faces[0].points_xy[2][1], 64, 0.01);
        cr_assert_float_eq(b.faces[0].points_xy[3][0], 64 + shift, 0.01);
        cr_assert_float_eq(b.faces[0].points_xy[4][1], 79, 0.01);
    }
    end(&b);
}

Test(blazeface, the_picture_stands_in_the_middle_of_black)
{
    struct bench b;
    const float box[16] = {60, 60, 40, 40};

    begin(&b, FACE_BLAZEFACE, 128, 128, N_SHORT);
    b.net.planted[0] = (struct planted){0, 5, {0}};
    memcpy(b.net.planted[0].box, box, sizeof(box));
    b.net.n_planted = 1;
    run(&b, 1280, 640, 255);
    cr_assert_float_eq(b.net.first[0], -1, 1e-6);
    cr_assert_float_eq(b.net.at_middle, 1, 1e-6);
    /* 128 x 64 from row 32 on. */
    expect_box(&b.faces[0], 440, 120, 840, 520);
    end(&b);
}

Test(blazeface, the_full_range_has_one_anchor_a_cell_of_four_pixels)
{
    struct bench b;
    const float box[16] = {0, 0, 40, 60};

    begin(&b, FACE_BLAZEFACE, 192, 192, N_FULL);
    b.net.planted[0] = (struct planted){48 * 20 + 30, 5, {0}};
    memcpy(b.net.planted[0].box, box, sizeof(box));
    b.net.n_planted = 1;
    run(&b, 192, 192, 0);
    cr_assert_eq(b.count, 1);
    expect_box(&b.faces[0], 122 - 20, 82 - 30, 122 + 20, 82 + 30);
    end(&b);
}

Test(faces_fixed, nonsense_from_the_network_gives_no_face_and_no_crash)
{
    const float nonsense[] = {NAN, INFINITY, -INFINITY, 1e30f};

    for (unsigned i = 0; i < 12; i++) {
        struct bench b;

        if (i % 3 == 0)
            begin(&b, FACE_ULTRAFACE, 320, 240, N_ULTRAFACE);
        else
            begin(&b, FACE_BLAZEFACE, i % 3 == 1 ? 128 : 192, i % 3 == 1 ? 128 : 192, i % 3 == 1 ? N_SHORT : N_FULL);
        b.net.fill_box = nonsense[i / 3];
        b.net.fill_score = NAN;
        run(&b, 640, 360, 0);
        cr_assert_eq(b.count, 0, "case %u", i);
        b.net.fill_score = 1; /* every row is certain */
        run(&b, 640, 360, 0);
        cr_assert_eq(b.count, 0, "case %u", i);
        run(&b, 1, 1, 0);
        run(&b, 1, 4000, 0);
        end(&b);
    }
}

Test(faces_fixed, a_certain_face_everywhere_is_a_bounded_list)
{
    struct bench b;

    begin(&b, FACE_ULTRAFACE, 320, 240, N_ULTRAFACE);
    b.net.fill_score = 1;
    run(&b, 320, 240, 0);
    cr_assert_eq(b.count, ROOM);
    end(&b);
}

Test(faces_fixed, a_network_of_another_kind_is_refused_by_name)
{
    struct bench b;

    begin(&b, FACE_ULTRAFACE, 320, 240, N_ULTRAFACE - 1);
    cr_assert_eq(open_finder(&b), STATUS_INVALID);
    cr_assert_str_eq(b.e.text, "fake: UltraFace: output \"scores\" is float32 [1, 4419, 2], not float32 [1, 4420, 2]");
    begin(&b, FACE_BLAZEFACE, 200, 200, N_SHORT);
    cr_assert_eq(open_finder(&b), STATUS_INVALID);
    cr_assert(strstr(b.e.text, "takes pictures of 200 pixels a side; 128 (short range) or 192 (full range)"), "%s",
              b.e.text);
    begin(&b, FACE_BLAZEFACE, 128, 128, N_SHORT);
    b.net.scores_name = "classificators";
    cr_assert_eq(open_finder(&b), STATUS_INVALID);
    cr_assert_str_eq(b.e.text, "fake: BlazeFace: has no output \"scores\"");
}
