#include "nodes/decoder.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nodes/key_frame.h"
#include "shard/hash.h"

/* Damaged copies of the clips of tests/media/make_media.sh: whatever the bytes, the decoder ends with a
 * frame, an end or an error, and the same bytes give the same result again. Meant for the asan preset. */

static const char *const clips[] = {
    "h264.mp4",    "h264.mkv",  "h264.ts",       "h264.flv",  "h264.264",   "fragmented.mp4", "hevc_open.mkv",
    "hevc.mp4",    "vp9.webm",  "vp8.webm",      "av1.mp4",   "mpeg4.mp4",  "mpeg4_b.avi",    "mpeg2.ts",
    "mpeg1.mpg",   "mpeg1.m1v", "mjpeg.avi",     "mjpeg.mov", "wmv2.wmv",   "theora.ogv",     "moving.gif",
    "moving.apng", "mpeg2.mxf", "edit_list.mp4", "vp9.ivf",   "resized.ts",
};
enum { N_CLIPS = sizeof(clips) / sizeof(clips[0]), MUTATIONS = 16, MAX_BYTES = 4 << 20 };

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static size_t load(const char *name, uint8_t *bytes)
{
    char path[512];
    size_t n;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", TEST_MEDIA_DIR, name);
    f = fopen(path, "rb");
    cr_assert_not_null(f, "cannot open %s", path);
    n = fread(bytes, 1, MAX_BYTES, f);
    fclose(f);
    cr_assert(n > 100);
    return n;
}

/* Returns the new length. */
static size_t damage(uint8_t *bytes, size_t n, unsigned kind, uint32_t seed)
{
    uint32_t state = seed * 2654435761u + 1;
    size_t head = n < 4096 ? n : 4096, at, len;

    switch (kind % 8) {
    case 0: /* cut */
        return 1 + next_random(&state) % n;
    case 1: /* a few bits */
        for (unsigned i = 0; i < 8; i++)
            bytes[next_random(&state) % n] ^= (uint8_t)(1u << next_random(&state) % 8);
        return n;
    case 2: /* many bytes */
        for (size_t i = 0; i < n / 200 + 1; i++)
            bytes[next_random(&state) % n] = (uint8_t)next_random(&state);
        return n;
    case 3: /* the front, where containers keep their tables */
        for (unsigned i = 0; i < 12; i++)
            bytes[next_random(&state) % head] = (uint8_t)next_random(&state);
        return n;
    case 4: /* the back, where others do */
        for (unsigned i = 0; i < 12; i++)
            bytes[n - 1 - next_random(&state) % head] = (uint8_t)next_random(&state);
        return n;
    case 5: /* a hole of zeros */
        at = next_random(&state) % n;
        len = next_random(&state) % 5000;
        memset(bytes + at, 0, len < n - at ? len : n - at);
        return n;
    case 6: /* a piece missing */
        at = next_random(&state) % n;
        len = next_random(&state) % 3000;
        len = len < n - at ? len : n - at;
        memmove(bytes + at, bytes + at + len, n - at - len);
        return n - len > 0 ? n - len : 1;
    default: /* extreme numbers */
        for (unsigned i = 0; i < 4; i++) {
            at = next_random(&state) % n;
            memset(bytes + at, next_random(&state) % 2 ? 0xff : 0x7f, n - at < 4 ? n - at : 4);
        }
        return n;
    }
}

/* A digest of all that can be observed. */
static uint32_t watch(const uint8_t *bytes, size_t n, uint32_t seed)
{
    uint32_t state = seed, digest = 0;
    int fd = memfd_create("damaged", MFD_CLOEXEC);
    struct decoder_settings settings = {.max_side_px = 2048};
    struct decoder *d = NULL;
    struct video_facts facts;
    enum outcome outcome = OUTCOME_UNDECIDED;
    struct error e = {0};
    enum status status;
    int64_t wanted_us = 0;

    cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
    status = decoder_open(fd, &settings, &d, &facts, &outcome, &e);
    if (status != STATUS_OK) {
        cr_assert(outcome == OUTCOME_NO_VIDEO || outcome == OUTCOME_DECODE_ERROR || outcome == OUTCOME_UNSUPPORTED);
        cr_assert(e.text[0] != '\0' && !strchr(e.text, '\n'));
        cr_assert_null(d);
        close(fd);
        return hash_crc32c(e.text, strlen(e.text));
    }
    cr_assert(facts.duration_us > 0);
    cr_assert(facts.width_px >= 1 && facts.width_px <= 2048 && facts.height_px >= 1 && facts.height_px <= 2048);
    for (unsigned i = 0; i < 24; i++) {
        struct decoder_frame f;

        status = decoder_frame_at(d, wanted_us, &f, &e);
        digest = digest * 31 + status;
        if (status != STATUS_OK) {
            cr_assert(status == STATUS_END || status == STATUS_CORRUPT, "%s", status_name(status));
            break;
        }
        cr_assert(f.pts_us + 1 >= wanted_us);
        cr_assert(f.image.width_px == facts.width_px && f.image.height_px == facts.height_px);
        for (unsigned y = 0; y < f.image.height_px; y++)
            digest =
                digest * 31 + hash_crc32c(f.image.rgb_hwc_u8 + y * f.image.stride_bytes, 3 * (size_t)f.image.width_px);
        digest = digest * 31 + (uint32_t)f.pts_us;
        wanted_us += next_random(&state) % 500000;
    }
    digest = digest * 31 + decoder_error_count(d);
    digest = digest * 31 + hash_crc32c(decoder_last_words(d), strlen(decoder_last_words(d)));
    decoder_close(&d);
    close(fd);
    return digest;
}

static void damage_clips(unsigned first, unsigned step)
{
    uint8_t *whole = malloc(MAX_BYTES), *bytes = malloc(MAX_BYTES);

    cr_assert(whole && bytes);
    for (unsigned c = first; c < N_CLIPS; c += step) {
        size_t whole_bytes = load(clips[c], whole);

        for (unsigned m = 0; m < MUTATIONS; m++) {
            uint32_t seed = c * 1000 + m;
            size_t n;

            memcpy(bytes, whole, whole_bytes);
            n = damage(bytes, whole_bytes, m, seed);
            cr_assert_eq(watch(bytes, n, seed), watch(bytes, n, seed), "%s, mutation %u: two runs differ", clips[c], m);
        }
    }
    free(whole);
    free(bytes);
}

Test(decoder_damage, damaged_clips_end_well_and_alike_1)
{
    damage_clips(0, 4);
}

Test(decoder_damage, damaged_clips_end_well_and_alike_2)
{
    damage_clips(1, 4);
}

Test(decoder_damage, damaged_clips_end_well_and_alike_3)
{
    damage_clips(2, 4);
}

Test(decoder_damage, damaged_clips_end_well_and_alike_4)
{
    damage_clips(3, 4);
}

Test(decoder_damage, flipped_bits_in_the_pictures_are_counted_and_playing_goes_on)
{
    uint8_t *bytes = malloc(MAX_BYTES);
    size_t n = load("mpeg4.mp4", bytes);
    int fd = memfd_create("damaged", MFD_CLOEXEC);
    struct decoder *d = NULL;
    struct decoder_frame f;
    enum outcome outcome;
    struct error e = {0};

    /* The middle of the file is pictures alone. */
    for (size_t i = n * 2 / 5; i < n * 3 / 5; i += 97)
        bytes[i] ^= 0x5a;
    cr_assert_eq(write(fd, bytes, n), (ssize_t)n);
    cr_assert_eq(decoder_open(fd, NULL, &d, NULL, &outcome, &e), STATUS_OK, "%s", e.text);
    for (int64_t us = 0; us < 3960000; us += 40000)
        cr_assert_eq(decoder_frame_at(d, us, &f, &e), STATUS_OK, "at %lld us: %s", (long long)us, e.text);
    cr_assert(decoder_error_count(d) >= 5, "%u", decoder_error_count(d));
    cr_assert(decoder_last_words(d)[0] != '\0');
    cr_assert_null(strstr(decoder_last_words(d), "0x"), "%s", decoder_last_words(d));
    decoder_close(&d);
    close(fd);
    free(bytes);
}

Test(key_frame, reads_only_what_it_is_given)
{
    /* Exactly as long as needed, so that the sanitizer sees a read beyond. */
    for (unsigned kind = BITSTREAM_OTHER; kind <= BITSTREAM_MPEG12; kind++) {
        uint32_t state = kind + 1;

        for (unsigned i = 0; i < 20000; i++) {
            size_t config_bytes = next_random(&state) % 40, packet_bytes = next_random(&state) % 40;
            uint8_t *config = malloc(config_bytes + 1), *packet = malloc(packet_bytes + 1);

            for (size_t k = 0; k < config_bytes; k++)
                config[k + 1] = (uint8_t)(next_random(&state) % 3 ? next_random(&state) % 4 : next_random(&state));
            for (size_t k = 0; k < packet_bytes; k++)
                packet[k + 1] = (uint8_t)(next_random(&state) % 3 ? next_random(&state) % 4 : next_random(&state));
            if (config_bytes >= 23 && i % 2)
                config[1] = 1;
            (void)key_frame_is_clean((enum bitstream)kind, config + 1, config_bytes, packet + 1, packet_bytes);
            (void)key_frame_may_skip((enum bitstream)kind, config + 1, config_bytes);
            free(config);
            free(packet);
        }
    }
}

Test(key_frame, tells_clean_pictures_from_others)
{
    static const uint8_t idr[] = {0, 0, 0, 1, 0x67, 1, 0, 0, 1, 0x65, 0x88}, slice[] = {0, 0, 1, 0x41, 0x9a};
    static const uint8_t avcc[] = {1, 100, 0, 30, 0xff, 0xe1, 0}, idr_avcc[] = {0, 0, 0, 2, 0x65, 0x88};
    static const uint8_t cra[] = {0, 0, 1, 21 << 1, 1, 0xaf}, trail[] = {0, 0, 1, 1 << 1, 1, 0xaf};
    static const uint8_t one_layer[] = {0, 0, 1, 33 << 1, 1, 0x01, 0}, two_layers[] = {0, 0, 1, 33 << 1, 1, 0x03, 0};
    static const uint8_t vp9_key[] = {0x82}, vp9_inter[] = {0x86}, vp9_shown_again[] = {0x88}, vp9_3_key[] = {0xb0};
    static const uint8_t av1_key[] = {0x12, 0, 0x32, 1, 0x10}, av1_inter[] = {0x12, 0, 0x32, 1, 0x30};
    static const uint8_t av1_hidden[] = {0x12, 0, 0x32, 1, 0x00};
    static const uint8_t i_vop[] = {0, 0, 1, 0xb6, 0x10, 0}, p_vop[] = {0, 0, 1, 0xb6, 0x50, 0};

    cr_assert(key_frame_is_clean(BITSTREAM_H264, NULL, 0, idr, sizeof(idr)));
    cr_assert_not(key_frame_is_clean(BITSTREAM_H264, NULL, 0, slice, sizeof(slice)));
    cr_assert(key_frame_is_clean(BITSTREAM_H264, avcc, sizeof(avcc), idr_avcc, sizeof(idr_avcc)));
    cr_assert_not(key_frame_is_clean(BITSTREAM_H264, avcc, sizeof(avcc), idr_avcc, sizeof(idr_avcc) - 1));
    cr_assert(key_frame_is_clean(BITSTREAM_HEVC, NULL, 0, cra, sizeof(cra)));
    cr_assert_not(key_frame_is_clean(BITSTREAM_HEVC, NULL, 0, trail, sizeof(trail)));
    cr_assert(key_frame_may_skip(BITSTREAM_HEVC, one_layer, sizeof(one_layer)));
    cr_assert_not(key_frame_may_skip(BITSTREAM_HEVC, two_layers, sizeof(two_layers)));
    cr_assert_not(key_frame_may_skip(BITSTREAM_HEVC, NULL, 0));
    cr_assert(key_frame_is_clean(BITSTREAM_VP9, NULL, 0, vp9_key, 1));
    cr_assert_not(key_frame_is_clean(BITSTREAM_VP9, NULL, 0, vp9_inter, 1));
    cr_assert_not(key_frame_is_clean(BITSTREAM_VP9, NULL, 0, vp9_shown_again, 1));
    cr_assert(key_frame_is_clean(BITSTREAM_VP9, NULL, 0, vp9_3_key, 1));
    cr_assert(key_frame_is_clean(BITSTREAM_AV1, NULL, 0, av1_key, sizeof(av1_key)));
    cr_assert_not(key_frame_is_clean(BITSTREAM_AV1, NULL, 0, av1_inter, sizeof(av1_inter)));
    cr_assert_not(key_frame_is_clean(BITSTREAM_AV1, NULL, 0, av1_hidden, sizeof(av1_hidden)));
    cr_assert(key_frame_is_clean(BITSTREAM_MPEG4, NULL, 0, i_vop, sizeof(i_vop)));
    cr_assert_not(key_frame_is_clean(BITSTREAM_MPEG4, NULL, 0, p_vop, sizeof(p_vop)));
    cr_assert(key_frame_is_clean(BITSTREAM_INTRA, NULL, 0, p_vop, 1));
    cr_assert_not(key_frame_is_clean(BITSTREAM_INTRA, NULL, 0, NULL, 0));
    cr_assert_not(key_frame_is_clean(BITSTREAM_OTHER, NULL, 0, idr, sizeof(idr)));
}
