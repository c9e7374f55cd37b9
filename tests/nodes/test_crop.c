#include "nodes/crop.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

static const double TEMPLATE[5][2] = {
    {38.2946, 51.6963}, {73.5318, 51.5014}, {56.0252, 71.7366}, {41.5493, 92.3655}, {70.7299, 92.2041}};

static void map(const struct image_transform *t, double u, double v, double *ret_x, double *ret_y)
{
    *ret_x = t->m[0] * u + t->m[1] * v + t->m[2];
    *ret_y = t->m[3] * u + t->m[4] * v + t->m[5];
}

static void expect_point(const struct image_transform *t, double u, double v, double x, double y)
{
    double got_x, got_y;

    map(t, u, v, &got_x, &got_y);
    cr_assert_float_eq(got_x, x, 1e-9);
    cr_assert_float_eq(got_y, y, 1e-9);
}

Test(crop, box_is_squared_by_its_longer_side_and_enlarged_about_its_centre)
{
    struct card_crop crop = {.alignment = CROP_BOX, .margin = 1.5, .square = true, .width_px = 100, .height_px = 100};
    struct face face = {.x0 = 10, .y0 = 20, .x1 = 30, .y1 = 60};
    struct image_transform t;

    crop_transform(&crop, &face, &t); /* centre (20, 40), side 60 */
    expect_point(&t, 0, 0, -10, 10);
    expect_point(&t, 100, 100, 50, 70);
    expect_point(&t, 50, 50, 20, 40);
}

Test(crop, box_that_is_not_squared_keeps_its_own_sides)
{
    struct card_crop crop = {.alignment = CROP_BOX, .margin = 1, .square = false, .width_px = 50, .height_px = 200};
    struct face face = {.x0 = 10, .y0 = 20, .x1 = 30, .y1 = 60};
    struct image_transform t;

    crop_transform(&crop, &face, &t);
    expect_point(&t, 0, 0, 10, 20);
    expect_point(&t, 50, 200, 30, 60);
}

Test(crop, points_at_the_template_give_the_plain_scaling)
{
    struct card_crop crop = {.alignment = CROP_SIMILARITY, .margin = 1, .width_px = 224, .height_px = 224};
    struct face face = {.x1 = 112, .y1 = 112};
    struct image_transform t;

    for (unsigned i = 0; i < 5; i++) {
        face.points_xy[i][0] = (float)(10 + 3 * TEMPLATE[i][0]);
        face.points_xy[i][1] = (float)(20 + 3 * TEMPLATE[i][1]);
    }
    crop_transform(&crop, &face, &t);
    cr_assert_float_eq(t.m[0], 1.5, 1e-6);
    cr_assert_float_eq(t.m[1], 0, 1e-6);
    cr_assert_float_eq(t.m[2], 10, 1e-4);
    cr_assert_float_eq(t.m[4], 1.5, 1e-6);
    cr_assert_float_eq(t.m[5], 20, 1e-4);
}

Test(crop, similarity_is_umeyamas)
{
    FILE *f = fopen(TEST_DATA_DIR "/crop_similarity.txt", "r");
    char line[1024];
    unsigned n = 0;

    cr_assert_not_null(f);
    while (fgets(line, sizeof(line), f)) {
        struct card_crop crop = {.alignment = CROP_SIMILARITY};
        struct face face = {.x1 = 1, .y1 = 1};
        struct image_transform t;
        char *at = line;

        if (line[0] == '#')
            continue;
        crop.width_px = (unsigned)strtoul(at, &at, 10);
        crop.height_px = (unsigned)strtoul(at, &at, 10);
        crop.margin = strtod(at, &at);
        for (unsigned i = 0; i < 10; i++)
            face.points_xy[i / 2][i % 2] = strtof(at, &at);
        crop_transform(&crop, &face, &t);
        for (unsigned i = 0; i < 6; i++) {
            double want = strtod(at, &at);

            cr_assert_float_eq(t.m[i], want, 1e-9 * fmax(1, fabs(want)), "case %u, m[%u]: %.17g, not %.17g", n, i,
                               t.m[i], want);
        }
        n++;
    }
    fclose(f);
    cr_assert_eq(n, 24);
}

Test(crop, points_that_allow_no_transform_fall_back_to_the_box)
{
    struct card_crop crop = {
        .alignment = CROP_SIMILARITY, .margin = 1, .square = true, .width_px = 10, .height_px = 10};
    struct face face = {.x0 = 10, .y0 = 20, .x1 = 30, .y1 = 40};
    struct image_transform t;

    for (unsigned i = 0; i < 5; i++) {
        face.points_xy[i][0] = 17;
        face.points_xy[i][1] = 23;
    }
    crop_transform(&crop, &face, &t);
    expect_point(&t, 0, 0, 10, 20);
    face.points_xy[2][1] = NAN;
    crop_transform(&crop, &face, &t);
    expect_point(&t, 10, 10, 30, 40);
}

Test(crop, a_face_without_area_gives_a_crop_of_one_pixel)
{
    struct card_crop crop = {.alignment = CROP_BOX, .margin = 1, .square = true, .width_px = 4, .height_px = 4};
    struct face face = {.x0 = 5, .y0 = 5, .x1 = 5, .y1 = 5};
    struct image_transform t;

    crop_transform(&crop, &face, &t);
    expect_point(&t, 0, 0, 4.5, 4.5);
    expect_point(&t, 4, 4, 5.5, 5.5);
}

enum { SIDE = 16 };

static void paint(uint8_t *rgb)
{
    for (unsigned y = 0; y < SIDE; y++) {
        for (unsigned x = 0; x < SIDE; x++) {
            rgb[3 * (SIDE * y + x)] = (uint8_t)(10 + x);
            rgb[3 * (SIDE * y + x) + 1] = (uint8_t)(100 + y);
            rgb[3 * (SIDE * y + x) + 2] = 255;
        }
    }
}

Test(crop, pixels_come_from_the_face_and_are_black_outside_the_frame)
{
    struct card_crop crop = {.alignment = CROP_BOX, .margin = 1, .square = true, .width_px = 8, .height_px = 8};
    struct face face = {.x0 = -4, .y0 = 12, .x1 = 4, .y1 = 20}; /* over the lower left corner */
    uint8_t frame[SIDE * SIDE * 3], got[8 * 8 * 3];
    struct image image = {frame, SIDE, SIDE, 3 * SIDE, NULL};

    paint(frame);
    memset(got, 0x77, sizeof(got));
    crop_face(&crop, &face, &image, got);
    for (unsigned v = 0; v < 8; v++) {
        for (unsigned u = 0; u < 8; u++) {
            const uint8_t *p = got + 3 * (8 * v + u);
            bool inside = u >= 4 && v < 4;

            cr_assert_eq(p[0], inside ? 10 + u - 4 : 0, "red at %u, %u is %u", u, v, p[0]);
            cr_assert_eq(p[1], inside ? 100 + v + 12 : 0, "green at %u, %u is %u", u, v, p[1]);
            cr_assert_eq(p[2], inside ? 255 : 0, "blue at %u, %u is %u", u, v, p[2]);
        }
    }
}

Test(crop, tensor_is_planar_rgb_with_scale_mean_and_deviation)
{
    struct card_tensor tensor = {.layout = TENSOR_NCHW,
                                 .order = CHANNELS_RGB,
                                 .scale = 1.0 / 255,
                                 .mean = {0.485, 0.456, 0.406},
                                 .deviation = {0.229, 0.224, 0.225}};
    static const uint8_t rgb[2 * 3 * 3] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 252, 253, 254, 255, 100, 50, 25, 12, 6};
    float got[3 * 10];

    for (unsigned i = 0; i < 30; i++)
        got[i] = -99;
    crop_to_tensor(&tensor, rgb, 3, 2, got, 10);
    for (unsigned c = 0; c < 3; c++) {
        for (unsigned i = 0; i < 10; i++) {
            float want = i < 6 ? (float)((rgb[3 * i + c] / 255.0 - tensor.mean[c]) / tensor.deviation[c]) : -99;

            cr_assert_float_eq(got[10 * c + i], want, 1e-6f);
        }
    }
}

Test(crop, tensor_of_bgr_takes_mean_in_its_own_order)
{
    struct card_tensor tensor = {
        .layout = TENSOR_NHWC, .order = CHANNELS_BGR, .scale = 1, .mean = {1, 2, 3}, .deviation = {1, 1, 2}};
    static const uint8_t rgb[2 * 3] = {10, 20, 30, 40, 50, 60};
    static const float want[6] = {29, 18, 3.5f, 59, 48, 18.5f};
    float got[6];

    crop_to_tensor(&tensor, rgb, 2, 1, got, 12345);
    for (unsigned i = 0; i < 6; i++)
        cr_assert_eq(got[i], want[i]);
}

static const struct face TILTED = {
    .x1 = 100, .y1 = 100, .points_xy = {{40, 40}, {70, 80}, {45, 70}, {20, 70}, {40, 90}}};

/* The eyes are 50 apart along (0.6, 0.8). */
Test(crop, eyes_are_level_and_the_region_is_in_the_centre)
{
    struct card_crop crop = {.alignment = CROP_EYES,
                             .margin = 1,
                             .width_px = 100,
                             .height_px = 50,
                             .region = REGION_RIGHT_EYE,
                             .reach_x = 2,
                             .reach_y = 0.5};
    struct image_transform t;

    crop_transform(&crop, &TILTED, &t);
    expect_point(&t, 50, 25, 40, 40);
    expect_point(&t, 100, 25, 70, 80); /* one distance along the line is the left eye */
    expect_point(&t, 0, 25, 10, 0);
    expect_point(&t, 50, 50, 40 - 0.8 * 12.5, 40 + 0.6 * 12.5); /* a quarter of it across */
    crop.region = REGION_LEFT_EYE;
    crop_transform(&crop, &TILTED, &t);
    expect_point(&t, 50, 25, 70, 80);
    crop.region = REGION_MOUTH;
    crop_transform(&crop, &TILTED, &t);
    expect_point(&t, 50, 25, 30, 80);
    crop.region = REGION_BETWEEN_EYES;
    crop.margin = 2;
    crop_transform(&crop, &TILTED, &t);
    expect_point(&t, 50, 25, 55, 60);
    expect_point(&t, 75, 25, 85, 100);
}

Test(crop, eyes_at_one_place_fall_back_to_the_box)
{
    struct card_crop crop = {
        .alignment = CROP_EYES, .margin = 1, .width_px = 10, .height_px = 10, .reach_x = 1, .reach_y = 1};
    struct face face = {.x0 = 10, .y0 = 20, .x1 = 30, .y1 = 40};
    struct image_transform t;

    crop_transform(&crop, &face, &t);
    expect_point(&t, 0, 0, 10, 20);
    expect_point(&t, 10, 10, 30, 40);
}

Test(crop, a_template_of_the_card_takes_the_place_of_arcfaces)
{
    struct card_crop crop = {.alignment = CROP_SIMILARITY,
                             .margin = 1,
                             .width_px = 200,
                             .height_px = 100,
                             .points = {{60, 30}, {140, 30}, {100, 50}, {70, 80}, {130, 80}}};
    struct face face = {.x1 = 100,
                        .y1 = 100,
                        .points_xy = {{310, 210}, {350, 210}, {330, 220}, {315, 235}, {345, 235}}}; /* half as large */
    struct image_transform t;

    crop_transform(&crop, &face, &t);
    cr_assert_float_eq(t.m[0], 0.5, 1e-9);
    cr_assert_float_eq(t.m[1], 0, 1e-9);
    cr_assert_float_eq(t.m[2], 280, 1e-4);
    cr_assert_float_eq(t.m[5], 195, 1e-4);
    crop.margin = 2; /* twice as much is seen, about the crop's centre (100, 50), which is (330, 220) */
    crop_transform(&crop, &face, &t);
    cr_assert_float_eq(t.m[0], 1, 1e-9);
    cr_assert_float_eq(t.m[2], 230, 1e-4);
    cr_assert_float_eq(t.m[5], 170, 1e-4);
}

/* Pillow 9.4: Image.new("RGB", (1, 1), c).convert("L") for each. */
Test(crop, grey_is_pillows_luma_in_one_plane)
{
    static const uint8_t rgb[] = {255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 12, 200, 99, 1, 2, 3};
    static const float luma[] = {255, 76, 150, 29, 132, 2};
    struct card_tensor tensor = {
        .layout = TENSOR_NCHW, .order = CHANNELS_GREY, .scale = 1, .mean = {1, 50, 60}, .deviation = {2, 3, 4}};
    float got[7] = {[6] = 77};

    crop_to_tensor(&tensor, rgb, 3, 2, got, 12345);
    for (unsigned i = 0; i < 6; i++)
        cr_assert_float_eq(got[i], (luma[i] - 1) / 2, 1e-6, "%u: %g", i, (double)got[i]);
    cr_assert_float_eq(got[6], 77, 0);
}
