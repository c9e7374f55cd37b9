/* What makes RGB of decoded planes: nodes/yuv.h, nodes/deinterlace.h, nodes/tone_map.h. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/deinterlace.h"
#include "nodes/tone_map.h"
#include "nodes/yuv.h"

enum { MAX_SIDE = 300 };

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

struct planes {
    uint8_t bytes[3][MAX_SIDE * MAX_SIDE];
    struct yuv_picture picture;
};

static void fill_planes(struct planes *p, unsigned width, unsigned height, unsigned shift_x, unsigned shift_y)
{
    uint32_t state = width * 1000 + height;

    p->picture = (struct yuv_picture){.width_px = width, .height_px = height, .shift_x = shift_x, .shift_y = shift_y};
    for (unsigned c = 0; c < 3; c++) {
        for (unsigned i = 0; i < MAX_SIDE * MAX_SIDE; i++)
            p->bytes[c][i] = (uint8_t)next_random(&state);
        p->picture.planes[c] = p->bytes[c];
        p->picture.strides_bytes[c] = MAX_SIDE;
    }
}

/* A chroma plane's value at a pixel: linear between the samples' places (yuv.h), the edge's beyond. */
static double chroma_at(const struct planes *p, unsigned plane, unsigned x, unsigned y)
{
    double value = 0;
    unsigned sides[2] = {p->picture.width_px, p->picture.height_px}, at[2] = {x, y};
    unsigned shifts[2] = {p->picture.shift_x, p->picture.shift_y}, low[2], high[2];
    double mix[2];

    for (unsigned a = 0; a < 2; a++) {
        double last = (double)((sides[a] + shifts[a]) >> shifts[a]) - 1;
        double place = (at[a] + (a == 0 || shifts[1] == 0 ? 0.5 : 0)) / (1 << shifts[a]) - 0.5;

        place = fmin(fmax(place, 0), last);
        low[a] = (unsigned)floor(place);
        high[a] = low[a] + 1 > (unsigned)last ? low[a] : low[a] + 1;
        mix[a] = place - low[a];
    }
    for (unsigned k = 0; k < 4; k++)
        value += p->bytes[plane][(k & 2 ? high : low)[1] * MAX_SIDE + (k & 1 ? high : low)[0]] *
                 (k & 1 ? mix[0] : 1 - mix[0]) * (k & 2 ? mix[1] : 1 - mix[1]);
    return value;
}

static void rgb_of(double kr, double kb, bool full, double y, double u, double v, double ret_rgb[3])
{
    double luma = full ? y / 255 : (y - 16) / 219, cb = (u - 128) / (full ? 255 : 224),
           cr = (v - 128) / (full ? 255 : 224);

    ret_rgb[0] = luma + 2 * (1 - kr) * cr;
    ret_rgb[2] = luma + 2 * (1 - kb) * cb;
    ret_rgb[1] = (luma - kr * ret_rgb[0] - kb * ret_rgb[2]) / (1 - kr - kb);
    for (unsigned c = 0; c < 3; c++)
        ret_rgb[c] = 255 * fmin(fmax(ret_rgb[c], 0), 1);
}

Test(yuv, pixels_are_those_of_the_formula)
{
    static const unsigned sides[][2] = {{1, 1}, {2, 2}, {7, 5}, {64, 13}, {257, 3}, {299, 11}, {33, 1}, {1, 33}};
    static const double shares[][2] = {{0.2126, 0.0722}, {0.299, 0.114}, {0.2627, 0.0593}};
    static const unsigned shifts[][2] = {{1, 1}, {1, 0}, {0, 0}};
    static struct planes p;
    static uint8_t rgb[MAX_SIDE * MAX_SIDE * 3];

    for (unsigned i = 0; i < 8 * 3 * 3 * 2; i++) {
        const unsigned *side = sides[i % 8], *shift = shifts[i / 8 % 3], from[2] = {0, 0};
        const double *share = shares[i / 24 % 3];
        bool full = i / 72;
        struct yuv_matrix m = yuv_matrix_make(share[0], share[1], full);

        fill_planes(&p, side[0], side[1], shift[0], shift[1]);
        yuv_to_rgb(&p.picture, &m, from, side, rgb, 3 * (size_t)side[0]);
        for (unsigned y = 0; y < side[1]; y++) {
            for (unsigned x = 0; x < side[0]; x++) {
                double want[3];

                rgb_of(share[0], share[1], full, p.bytes[0][y * MAX_SIDE + x], chroma_at(&p, 1, x, y),
                       chroma_at(&p, 2, x, y), want);
                for (unsigned c = 0; c < 3; c++)
                    cr_assert(fabs(rgb[3 * (y * side[0] + x) + c] - want[c]) < 0.55, "%u x %u at %u, %u: %u, want %g",
                              side[0], side[1], x, y, rgb[3 * (y * side[0] + x) + c], want[c]);
            }
        }
    }
}

Test(yuv, a_part_is_that_of_the_whole_and_nothing_beside_it_is_touched)
{
    static struct planes p;
    static uint8_t all[MAX_SIDE * MAX_SIDE * 3], part[MAX_SIDE * MAX_SIDE * 3];
    struct yuv_matrix m = yuv_matrix_make(0.2126, 0.0722, false);
    const unsigned zero[2] = {0, 0}, whole[2] = {290, 61};
    uint32_t state = 3;

    fill_planes(&p, whole[0], whole[1], 1, 1);
    yuv_to_rgb(&p.picture, &m, zero, whole, all, 3 * MAX_SIDE);
    for (unsigned n = 0; n < 200; n++) {
        unsigned from[2], to[2];

        for (unsigned a = 0; a < 2; a++) {
            from[a] = next_random(&state) % whole[a];
            to[a] = from[a] + 1 + next_random(&state) % (whole[a] - from[a]);
        }
        memset(part, 0xA5, sizeof(part));
        yuv_to_rgb(&p.picture, &m, from, to, part, 3 * MAX_SIDE);
        for (unsigned y = 0; y < whole[1]; y++) {
            for (unsigned x = 0; x < 3 * whole[0]; x++) {
                bool inside = y >= from[1] && y < to[1] && x >= 3 * from[0] && x < 3 * to[0];
                uint8_t want = inside ? all[y * 3 * MAX_SIDE + x] : 0xA5;

                cr_assert_eq(part[y * 3 * MAX_SIDE + x], want);
            }
        }
    }
}

/* Share of sample s of in that output o of out covers (area average), or takes (linear). */
static double weight(unsigned in, unsigned out, unsigned o, unsigned s)
{
    double ratio = (double)in / out, place;

    if (out <= in)
        return fmax(0, fmin((o + 1) * ratio, s + 1) - fmax(o * ratio, s)) / ratio;
    place = fmin(fmax((o + 0.5) * ratio - 0.5, 0), in - 1);
    return fmax(0, 1 - fabs(place - s));
}

Test(yuv, a_scaled_picture_is_the_planes_mean)
{
    static const unsigned cases[][4] = {{60, 40, 20, 13}, {64, 64, 64, 64}, {37, 23, 36, 9}, {299, 8, 7, 8},
                                        {9, 9, 30, 21},   {299, 5, 298, 3}, {40, 40, 1, 1}};
    static struct planes p;
    static uint8_t rgb[MAX_SIDE * MAX_SIDE * 3];
    struct yuv_matrix m = yuv_matrix_make(0.2126, 0.0722, false);

    for (unsigned i = 0; i < 7; i++) {
        const unsigned *k = cases[i], n[2][2] = {{k[0], k[1]}, {(k[0] + 1) / 2, (k[1] + 1) / 2}};

        fill_planes(&p, k[0], k[1], 1, 1);
        cr_assert(yuv_to_small_rgb(&p.picture, &m, rgb, k[2], k[3]));
        for (unsigned y = 0; y < k[3]; y++) {
            for (unsigned x = 0; x < k[2]; x++) {
                double values[3] = {0, 0, 0}, want[3];

                for (unsigned c = 0; c < 3; c++) {
                    for (unsigned v = 0; v < n[c > 0][1]; v++) {
                        double down = weight(n[c > 0][1], k[3], y, v);

                        for (unsigned u = 0; down > 0 && u < n[c > 0][0]; u++)
                            values[c] += down * weight(n[c > 0][0], k[2], x, u) * p.bytes[c][v * MAX_SIDE + u];
                    }
                }
                rgb_of(0.2126, 0.0722, false, nearbyint(values[0]), values[1], values[2], want);
                for (unsigned c = 0; c < 3; c++)
                    cr_assert(fabs(rgb[3 * (y * k[2] + x) + c] - want[c]) < 1.8, "%u to %u at %u, %u: %u, want %g",
                              k[0], k[2], x, y, rgb[3 * (y * k[2] + x) + c], want[c]);
            }
        }
    }
}

/* Fields from two moments, as of a scene that moves: what comes out is one moment. */
Test(deinterlace, a_field_becomes_a_whole_picture_of_its_moment)
{
    static uint8_t before[64 * 64], after[64 * 64], woven[64 * 64], out[64 * 64];

    for (unsigned y = 0; y < 64; y++) {
        for (unsigned x = 0; x < 64; x++) {
            before[64 * y + x] = (uint8_t)(128 + 90 * sin(x * 0.2 + y * 0.15));
            after[64 * y + x] = (uint8_t)(128 + 90 * sin((x + 12) * 0.2 + y * 0.15));
        }
    }
    for (unsigned bottom = 0; bottom < 2; bottom++) {
        double off = 0, off_woven = 0;

        for (unsigned y = 0; y < 64; y++)
            memcpy(woven + 64 * y, (y % 2 == bottom ? before : after) + 64 * y, 64);
        deinterlace_plane(woven, 64, out, 64, &(struct deinterlace_shape){64, 64, 1, 255, bottom});
        for (unsigned i = 0; i < 64 * 64; i++) {
            off += abs(out[i] - before[i]);
            off_woven += abs(woven[i] - before[i]);
        }
        cr_assert(off_woven / 4096 > 20);
        cr_assert(off / 4096 < 0.5, "%g off", off / 4096);
    }
}

Test(deinterlace, lines_follow_bwdifs_spatial_filter)
{
    enum { WIDTH = 5 };
    uint32_t state = 9;

    for (unsigned height = 1; height < 20; height++) {
        for (unsigned k = 0; k < 4; k++) {
            bool bottom = k & 1, wide = k & 2;
            uint16_t in16[20 * WIDTH], out16[20 * WIDTH];
            uint8_t in8[20 * WIDTH], out8[20 * WIDTH];
            unsigned kept = bottom && height > 1;

            for (unsigned i = 0; i < height * WIDTH; i++) {
                in16[i] = (uint16_t)(next_random(&state) % 1024);
                in8[i] = (uint8_t)in16[i];
            }
            if (wide)
                deinterlace_plane((uint8_t *)in16, 2 * WIDTH, (uint8_t *)out16, 2 * WIDTH,
                                  &(struct deinterlace_shape){WIDTH, height, 2, 1023, bottom});
            else
                deinterlace_plane(in8, WIDTH, out8, WIDTH, &(struct deinterlace_shape){WIDTH, height, 1, 255, bottom});
            for (unsigned i = 0; i < height * WIDTH; i++) {
                int y = (int)i / WIDTH, h = (int)height, most = wide ? 1023 : 255, want;

#define LINE(l) (wide ? in16[(l)*WIDTH + (int)i % WIDTH] : in8[(l)*WIDTH + (int)i % WIDTH])
                if (y % 2 == (int)kept) {
                    want = LINE(y);
                } else if (y >= 3 && y + 3 < h) {
                    want = (5077 * (LINE(y - 1) + LINE(y + 1)) - 981 * (LINE(y - 3) + LINE(y + 3))) >> 13;
                    want = want < 0 ? 0 : want > most ? most : want;
                } else {
                    int above = y > 0 ? y - 1 : y + 1, below = y + 1 < h ? y + 1 : y - 1;

                    want = (LINE(above) + LINE(below)) / 2;
                }
#undef LINE
                cr_assert_eq(wide ? out16[i] : out8[i], want, "height %u, line %d", height, y);
            }
        }
    }
}

Test(tone_map, agrees_with_the_formulas_in_double_precision)
{
    /* By tests/golden/make_tone.py. */
    static const struct {
        enum tone_curve curve;
        bool bt2020;
        uint16_t in[3];
        uint8_t want[3];
    } cases[] = {
        {TONE_PQ, 1, {0, 0, 0}, {0, 0, 0}},
        {TONE_PQ, 1, {20000, 20000, 20000}, {75, 75, 75}},
        {TONE_PQ, 1, {33000, 33000, 33000}, {186, 186, 186}},
        {TONE_PQ, 1, {38000, 38000, 38000}, {230, 230, 230}},
        {TONE_PQ, 1, {49200, 49200, 49200}, {255, 255, 255}},
        {TONE_PQ, 1, {65535, 65535, 65535}, {255, 255, 255}},
        {TONE_PQ, 1, {40000, 20000, 10000}, {255, 0, 0}},
        {TONE_PQ, 1, {30000, 45000, 20000}, {0, 255, 0}},
        {TONE_PQ, 1, {15000, 16000, 47000}, {0, 0, 255}},
        {TONE_PQ, 1, {65535, 1000, 1000}, {255, 0, 0}},
        {TONE_PQ, 0, {0, 0, 0}, {0, 0, 0}},
        {TONE_PQ, 0, {20000, 20000, 20000}, {75, 75, 75}},
        {TONE_PQ, 0, {33000, 33000, 33000}, {186, 186, 186}},
        {TONE_PQ, 0, {38000, 38000, 38000}, {230, 230, 230}},
        {TONE_PQ, 0, {49200, 49200, 49200}, {255, 255, 255}},
        {TONE_PQ, 0, {65535, 65535, 65535}, {255, 255, 255}},
        {TONE_PQ, 0, {40000, 20000, 10000}, {241, 63, 24}},
        {TONE_PQ, 0, {30000, 45000, 20000}, {101, 254, 49}},
        {TONE_PQ, 0, {15000, 16000, 47000}, {29, 31, 255}},
        {TONE_PQ, 0, {65535, 1000, 1000}, {255, 2, 2}},
        {TONE_HLG, 1, {0, 0, 0}, {0, 0, 0}},
        {TONE_HLG, 1, {20000, 20000, 20000}, {87, 87, 87}},
        {TONE_HLG, 1, {33000, 33000, 33000}, {144, 144, 144}},
        {TONE_HLG, 1, {38000, 38000, 38000}, {169, 169, 169}},
        {TONE_HLG, 1, {49200, 49200, 49200}, {231, 231, 231}},
        {TONE_HLG, 1, {65535, 65535, 65535}, {255, 255, 255}},
        {TONE_HLG, 1, {40000, 20000, 10000}, {201, 74, 35}},
        {TONE_HLG, 1, {30000, 45000, 20000}, {14, 215, 70}},
        {TONE_HLG, 1, {15000, 16000, 47000}, {20, 70, 206}},
        {TONE_HLG, 1, {65535, 1000, 1000}, {255, 0, 0}},
        {TONE_HLG, 0, {0, 0, 0}, {0, 0, 0}},
        {TONE_HLG, 0, {20000, 20000, 20000}, {87, 87, 87}},
        {TONE_HLG, 0, {33000, 33000, 33000}, {144, 144, 144}},
        {TONE_HLG, 0, {38000, 38000, 38000}, {169, 169, 169}},
        {TONE_HLG, 0, {49200, 49200, 49200}, {231, 231, 231}},
        {TONE_HLG, 0, {65535, 65535, 65535}, {255, 255, 255}},
        {TONE_HLG, 0, {40000, 20000, 10000}, {168, 91, 51}},
        {TONE_HLG, 0, {30000, 45000, 20000}, {136, 208, 97}},
        {TONE_HLG, 0, {15000, 16000, 47000}, {69, 72, 199}},
        {TONE_HLG, 0, {65535, 1000, 1000}, {255, 5, 5}},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tone_map *t = NULL;
        uint8_t out[3];

        cr_assert_eq(tone_map_open(cases[i].curve, &t), STATUS_OK);
        tone_map_row(t, cases[i].bt2020, cases[i].in, out, 1);
        for (unsigned c = 0; c < 3; c++)
            cr_assert(abs(out[c] - cases[i].want[c]) <= 1, "case %zu: %u %u %u, want %u %u %u", i, out[0], out[1],
                      out[2], cases[i].want[0], cases[i].want[1], cases[i].want[2]);
        tone_map_close(&t);
        cr_assert_null(t);
    }
}
