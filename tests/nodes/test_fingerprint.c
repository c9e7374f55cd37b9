/* Prints of pictures against another implementation's (tests/golden/make_fingerprints.py), and what hashes are for. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/fingerprint.h"

struct picture {
    uint8_t *rgb;
    struct image image;
};

static int64_t wave(int64_t t)
{
    t %= 512;
    return t < 256 ? t : 511 - t;
}

/* make_fingerprints.py has the same formulas. */
static struct picture picture_make(unsigned width, unsigned height, int64_t kind)
{
    struct picture p = {.rgb = malloc((size_t)width * height * 3)};

    cr_assert(p.rgb);
    for (unsigned y = 0; y < height; y++) {
        for (unsigned x = 0; x < width; x++) {
            int64_t u = (int64_t)x * 1024 / width, v = (int64_t)y * 1024 / height;

            for (int64_t c = 0; c < 3; c++) {
                int64_t a = wave(u * (kind + 1) + v * (c + 1) + 97 * kind);
                int64_t b = wave(v * (2 * kind + 3) - u * (c + 2) + 31 * c + 100000);
                int64_t k = wave((u * v >> 7) + 53 * kind);

                p.rgb[((size_t)y * width + x) * 3 + (size_t)c] =
                    (uint8_t)((3 * a + 2 * b + 3 * k) / (kind != 3 ? 8 : 80));
            }
        }
    }
    p.image =
        (struct image){.rgb_hwc_u8 = p.rgb, .width_px = width, .height_px = height, .stride_bytes = 3 * (size_t)width};
    return p;
}

static struct picture_print print_of(const struct image *image)
{
    struct fingerprinter *f = NULL;
    struct result r = {0};

    cr_assert_eq(fingerprinter_open(&f), STATUS_OK);
    fingerprinter_take(f, image, 0, &r);
    fingerprinter_close(&f);
    cr_assert_eq(r.n_prints, 1);
    return r.prints[0];
}

static struct picture_print print_of_kind(unsigned width, unsigned height, int64_t kind)
{
    struct picture p = picture_make(width, height, kind);
    struct picture_print print = print_of(&p.image);

    free(p.rgb);
    return print;
}

static unsigned distance(const struct picture_print *a, const struct picture_print *b)
{
    unsigned d = 0;

    for (unsigned k = 0; k < PRINT_HASH_WORDS; k++)
        d += (unsigned)__builtin_popcountll(a->hash[k] ^ b->hash[k]);
    return d;
}

static unsigned bit_of(const char *digits, unsigned k)
{
    char digit[2] = {digits[k / 4], '\0'};

    return (unsigned)strtoul(digit, NULL, 16) >> k % 4 & 1;
}

Test(fingerprint, agrees_with_another_implementation)
{
    FILE *f = fopen(TEST_DATA_DIR "/fingerprints.txt", "r");
    char hash[65], sure[65];
    unsigned width, height, quality, n = 0;
    int kind;
    double brightness, black, sharpness;

    cr_assert(f);
    while (fscanf(f, "%u %u %d %64s %64s %u %lf %lf %lf", &width, &height, &kind, hash, sure, &quality, &brightness,
                  &black, &sharpness) == 9) {
        struct picture_print p = print_of_kind(width, height, kind);
        unsigned n_sure = 0;

        for (unsigned k = 0; k < 256; k++) {
            if (!bit_of(sure, k))
                continue;
            n_sure++;
            cr_assert_eq((p.hash[k / 64] >> k % 64 & 1), bit_of(hash, k), "%u x %u, kind %d: bit %u", width, height,
                         kind, k);
        }
        cr_assert_gt(n_sure, kind == 3 ? 100 : 200, "%u x %u, kind %d: %u", width, height, kind, n_sure);
        cr_assert_leq(abs((int)p.quality - (int)quality), 3, "%u x %u, kind %d: quality %u, not %u", width, height,
                      kind, p.quality, quality);
        cr_assert_leq(fabs(p.brightness - brightness), 1.6, "%u, not %f", p.brightness, brightness);
        cr_assert_leq(fabs(p.black_percent - black), 4, "%u x %u, kind %d: black %u, not %f", width, height, kind,
                      p.black_percent, black);
        cr_assert_leq(fabs(p.sharpness - sharpness), 3 + 0.05 * sharpness, "%u x %u, kind %d: %u, not %f", width,
                      height, kind, p.sharpness, sharpness);
        n++;
    }
    fclose(f);
    cr_assert_gt(n, 20);
}

Test(fingerprint, survives_scaling_and_brightness_and_tells_pictures_apart)
{
    for (int64_t kind = 0; kind < 3; kind++) {
        struct picture p = picture_make(640, 360, kind);
        struct picture_print first = print_of(&p.image), small = print_of_kind(320, 180, kind), brighter, other;

        for (size_t k = 0; k < (size_t)640 * 360 * 3; k++)
            p.rgb[k] = (uint8_t)(p.rgb[k] * 7 / 8 + 30);
        brighter = print_of(&p.image);
        other = print_of_kind(640, 360, (kind + 1) % 3);
        cr_assert_leq(distance(&first, &small), 10, "scaled: %u", distance(&first, &small));
        cr_assert_leq(distance(&first, &brighter), 10, "brighter: %u", distance(&first, &brighter));
        cr_assert_gt(distance(&first, &other), 50, "another: %u", distance(&first, &other));
        free(p.rgb);
    }
}

Test(fingerprint, of_a_mirrored_picture_has_the_odd_frequencies_turned_over)
{
    for (int64_t kind = 0; kind < 3; kind++) {
        struct picture p = picture_make(320, 200, kind);
        struct picture_print first = print_of(&p.image), mirrored;

        for (size_t y = 0; y < 200; y++) {
            for (size_t x = 0; x < 160; x++) {
                uint8_t *a = p.rgb + (y * 320 + x) * 3, *b = p.rgb + (y * 320 + 319 - x) * 3, t[3];

                memcpy(t, a, 3);
                memcpy(a, b, 3);
                memcpy(b, t, 3);
            }
        }
        mirrored = print_of(&p.image);
        cr_assert_gt(distance(&first, &mirrored), 60);
        for (unsigned k = 0; k < PRINT_HASH_WORDS; k++)
            mirrored.hash[k] ^= UINT64_C(0x5555555555555555);
        cr_assert_leq(distance(&first, &mirrored), 20, "%u", distance(&first, &mirrored));
        free(p.rgb);
    }
}

Test(fingerprint, sees_what_moved_since_the_print_before)
{
    struct fingerprinter *f = NULL;
    struct picture a = picture_make(320, 180, 0), b = picture_make(320, 180, 1);
    struct result r = {0};

    cr_assert_eq(fingerprinter_open(&f), STATUS_OK);
    fingerprinter_take(f, &a.image, 0, &r);
    fingerprinter_take(f, &a.image, 10, &r);
    fingerprinter_take(f, &b.image, 20, &r);
    fingerprinter_take(f, &b.image, 20, &r); /* no later: not taken */
    cr_assert_eq(r.n_prints, 3);
    cr_assert_eq(r.prints[0].change, 0);
    cr_assert_eq(r.prints[1].change, 1, "%u", r.prints[1].change);
    cr_assert_gt(r.prints[2].change, 256 * 20);
    for (int64_t k = 30; r.n_prints < RESULT_MAX_PRINTS; k++)
        fingerprinter_take(f, &a.image, k, &r);
    fingerprinter_take(f, &a.image, 1000, &r);
    cr_assert_eq(r.n_prints, RESULT_MAX_PRINTS);
    cr_assert(picture_prints_valid(r.prints, r.n_prints));
    r = (struct result){0};
    fingerprinter_begin(f);
    fingerprinter_take(f, &a.image, 0, &r);
    cr_assert_eq(r.prints[0].change, 0, "a new record has no picture before");
    fingerprinter_close(&f);
    free(a.rgb);
    free(b.rgb);
}

Test(fingerprint, of_flat_and_tiny_pictures_is_sound_and_worth_nothing)
{
    static const unsigned sizes[][2] = {{1, 1}, {2, 1}, {3, 3}, {1, 300}, {300, 2}, {63, 65}};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        unsigned width = sizes[i][0], height = sizes[i][1];
        uint8_t *rgb = calloc((size_t)width * height, 3);
        const struct image image = {rgb, width, height, 3 * (size_t)width, NULL};
        struct picture_print p;

        cr_assert(rgb);
        p = print_of(&image);
        cr_assert_eq(p.quality, 0);
        cr_assert_eq(p.black_percent, 100);
        cr_assert_eq(p.brightness, 0);
        cr_assert_eq(p.sharpness, 0);
        free(rgb);
    }
}

Test(fingerprint, is_of_up_to_eight_frames_spread_over_the_plan)
{
    for (uint32_t n = 1; n < 300; n++) {
        uint32_t n_wanted = 0, last = 0, widest = 0;

        for (uint32_t i = 0; i < n; i++) {
            if (!fingerprint_wants(i, n))
                continue;
            if (n_wanted > 0 && i - last > widest)
                widest = i - last;
            last = i;
            n_wanted++;
        }
        cr_assert_eq(n_wanted, n < RESULT_MAX_PRINTS ? n : RESULT_MAX_PRINTS, "%u frames: %u prints", n, n_wanted);
        cr_assert_leq(widest, n / RESULT_MAX_PRINTS + 1);
    }
}
