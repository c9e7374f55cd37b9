/* Prints of frames in a record: they come back, are checked, and are absent in records of before they were. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "shard/wire.h"

static struct result with_prints(void)
{
    struct result r = {.outcome = OUTCOME_NO_FACE, .p_fake = NAN, .n_prints = RESULT_MAX_PRINTS};

    cr_assert_eq(result_set_path(&r, "a.mp4"), STATUS_OK);
    strcpy(r.extras.audio_codec, "aac");
    r.extras.audio_rate_hz = 44100;
    r.extras.audio_start_us = -21333;
    r.extras.base_fps_num = 30000;
    r.extras.base_fps_den = 1001;
    for (uint32_t i = 0; i < RESULT_MAX_PRINTS; i++) {
        struct picture_print *p = &r.prints[i];

        *p = (struct picture_print){.pts_us = -5 + 1000000 * (int64_t)i,
                                    .quality = i == 0 ? 0 : PRINT_MAX_QUALITY,
                                    .brightness = 255 - i,
                                    .black_percent = i * 14,
                                    .sharpness = UINT16_MAX - i,
                                    .change = i == 0 ? 0 : UINT16_MAX};
        for (uint32_t k = 0; k < PRINT_HASH_WORDS; k++)
            p->hash[k] = UINT64_C(0x0123456789abcdef) * (i + 1) + k;
    }
    return r;
}

Test(wire_prints, come_back)
{
    struct result r = with_prints(), back;
    uint8_t *data;
    size_t len;

    cr_assert_eq(result_pack(&r, &data, &len), STATUS_OK);
    cr_assert_eq(result_unpack(data, len, &back), STATUS_OK);
    cr_assert_eq(back.n_prints, r.n_prints);
    cr_assert_eq(memcmp(back.prints, r.prints, sizeof(r.prints)), 0);
    cr_assert_str_eq(back.extras.audio_codec, "aac");
    cr_assert_eq(back.extras.audio_rate_hz, 44100);
    cr_assert_eq(back.extras.audio_start_us, -21333);
    cr_assert_eq(back.extras.base_fps_num, 30000);
    cr_assert_eq(back.extras.base_fps_den, 1001);
    result_clear(&back);
    result_clear(&r);
    free(data);
}

Test(wire_prints, cut_anywhere_never_parse)
{
    struct result r = with_prints(), back;
    uint8_t *data;
    size_t len;

    cr_assert_eq(result_pack(&r, &data, &len), STATUS_OK);
    for (size_t cut = 0; cut < len; cut++)
        cr_assert_eq(result_unpack(data, cut, &back), STATUS_CORRUPT, "%zu of %zu bytes parse", cut, len);
    result_clear(&r);
    free(data);
}

static void expect_refused(struct result *r)
{
    uint8_t *data;
    size_t len;

    cr_assert_eq(result_pack(r, &data, &len), STATUS_INVALID);
    result_clear(r);
}

Test(wire_prints, outside_their_rules_are_refused)
{
    struct result r = with_prints();

    r.prints[1].quality = PRINT_MAX_QUALITY + 1;
    expect_refused(&r);
    r = with_prints();
    r.prints[3].pts_us = r.prints[2].pts_us;
    expect_refused(&r);
    r = with_prints();
    r.prints[3].black_percent = 101;
    expect_refused(&r);
    r = with_prints();
    r.prints[3].brightness = 256;
    expect_refused(&r);
    r = with_prints();
    r.prints[3].sharpness = UINT16_MAX + 1u;
    expect_refused(&r);
    r = with_prints();
    memset(r.extras.audio_codec, 'x', sizeof(r.extras.audio_codec));
    expect_refused(&r);
    r = with_prints();
    r.n_prints = RESULT_MAX_PRINTS + 1;
    expect_refused(&r);
}

/* Written by the build before this field was: path a.mp4, 1 byte, outcome scored, p_fake 0.5, facts with h264. */
Test(wire_prints, are_not_in_a_record_of_before_they_were)
{
    static const uint8_t old[] = {0x0a, 5,    'a', '.', 'm', 'p', '4',  0x10, 1,    0x18, 0,    0x20,
                                  1,    0x29, 0,   0,   0,   0,   0,    0,    0xe0, 0x3f, 0x3a, 6,
                                  0x12, 4,    'h', '2', '6', '4', 0xb8, 1,    0,    0xc8, 1,    0};
    struct result back;

    cr_assert_eq(result_unpack(old, sizeof(old), &back), STATUS_OK);
    cr_assert_eq(back.n_prints, 0);
    cr_assert_str_eq(back.facts.codec, "h264");
    cr_assert_str_eq(back.extras.audio_codec, "");
    cr_assert_float_eq(back.p_fake, 0.5, 0);
    result_clear(&back);
}

Test(wire_prints, with_a_byte_beside_them_or_out_of_range_are_corrupt)
{
    struct result r = with_prints(), back;
    uint8_t *data;
    size_t len, at = 0;
    /* Of the second frame: quality, brightness, black, the zero byte, sharpness. */
    static const uint8_t middle[] = {100, 254, 14, 0, 0xfe, 0xff};

    cr_assert_eq(result_pack(&r, &data, &len), STATUS_OK);
    for (size_t i = 0; i + sizeof(middle) < len && at == 0; i++)
        at = memcmp(data + i, middle, sizeof(middle)) == 0 ? i : 0;
    cr_assert_gt(at, 0);
    data[at + 3] = 1;
    cr_assert_eq(result_unpack(data, len, &back), STATUS_CORRUPT);
    data[at + 3] = 0;
    cr_assert_eq(result_unpack(data, len, &back), STATUS_OK);
    result_clear(&back);
    data[at] = 101;
    cr_assert_eq(result_unpack(data, len, &back), STATUS_CORRUPT);
    result_clear(&r);
    free(data);
}

/* A record whose prints are one byte: no frame is so short. */
Test(wire_prints, of_no_whole_frame_are_corrupt)
{
    static const uint8_t odd[] = {0x0a, 1, 'a',  0x10, 1, 0x18, 0, 0x20, 3,    0x3a, 6, 0xca,
                                  2,    3, 0x32, 1,    7, 0xb8, 1, 0,    0xc8, 1,    0};
    uint8_t even[sizeof(odd)];
    struct result back;

    cr_assert_eq(result_unpack(odd, sizeof(odd), &back), STATUS_CORRUPT);
    /* The same bytes under a field number that nobody has are skipped. */
    memcpy(even, odd, sizeof(odd));
    even[14] = 0x7a;
    cr_assert_eq(result_unpack(even, sizeof(even), &back), STATUS_OK);
    result_clear(&back);
}
