/* Every frame that a sampling wants is the one that a full decode gives, byte for byte: for every mode, on every kind of
 * clip. The clips come from tests/media/make_media.sh. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes/decoder.h"
#include "nodes/sampler.h"
#include "shard/hash.h"

enum { MAX_FRAMES = 256 };

struct film {
    unsigned n;
    int64_t pts_us[MAX_FRAMES];
    uint32_t hashes[MAX_FRAMES];
    int64_t duration_us;
};

static int open_file(const char *name)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", TEST_MEDIA_DIR, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0, "cannot open %s", path);
    return fd;
}

static struct decoder *open_decoder(int fd, const char *name, bool lazy)
{
    const struct decoder_settings settings = {.lazy_pixels = lazy};
    struct decoder *d = NULL;
    enum outcome outcome;
    struct error e = {0};

    cr_assert_eq(decoder_open(fd, &settings, &d, NULL, &outcome, &e), STATUS_OK, "%s: %s", name, e.text);
    return d;
}

static uint32_t hash_part(const struct image *i, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
    uint32_t hash = i->width_px * 31 + i->height_px;

    for (unsigned y = y0; y < y1; y++)
        hash =
            hash * 16777619u + hash_crc32c(i->rgb_hwc_u8 + y * i->stride_bytes + 3 * (size_t)x0, 3 * (size_t)(x1 - x0));
    return hash;
}

static uint32_t hash_image(const struct image *i)
{
    return hash_part(i, 0, 0, i->width_px, i->height_px);
}

/* From the first packet to the last one, without a seek. */
static void read_film(const char *name, struct film *ret_film)
{
    int fd = open_file(name);
    struct decoder *d = open_decoder(fd, name, false);
    struct decoder_frame f;
    int64_t at_us = 0;

    ret_film->n = 0;
    ret_film->duration_us = decoder_facts(d)->duration_us;
    while (decoder_frame_at(d, at_us, &f, NULL) == STATUS_OK) {
        cr_assert(ret_film->n < MAX_FRAMES);
        ret_film->pts_us[ret_film->n] = f.pts_us;
        ret_film->hashes[ret_film->n++] = hash_image(&f.image);
        at_us = f.pts_us + 2;
    }
    decoder_close(&d);
    close(fd);
}

/* Asks for the plan's frames as nodes/score.c does. */
static void expect_plan(const char *name, const struct film *film, const struct card_sampling *s)
{
    int fd = open_file(name);
    struct decoder *d = open_decoder(fd, name, true);
    const struct video_facts *facts = decoder_facts(d);
    struct sample_video v = {.duration_us = facts->duration_us, .fps_num = facts->fps_num, .fps_den = facts->fps_den};
    struct sample_plan p = {0};

    if (sampling_wants_key_frames(s))
        cr_assert_eq(decoder_key_frames(d, &v.key_us, &v.n_keys, NULL), STATUS_OK, "%s", name);
    cr_assert_eq(sample_plan_make(s, &v, &p), STATUS_OK);
    cr_assert_eq(decoder_keep(d, p.n_shared, NULL), STATUS_OK);
    cr_assert_eq(decoder_expect(d, p.wanted_us, (size_t)p.n_clips * p.n_frames, NULL), STATUS_OK);
    for (size_t i = 0; i < (size_t)p.n_clips * p.n_frames; i++) {
        struct decoder_frame f;
        enum status status = decoder_frame_at(d, p.wanted_us[i], &f, NULL);
        unsigned k = 0;

        while (k < film->n && film->pts_us[k] + 1 < p.wanted_us[i])
            k++;
        if (k == film->n) {
            cr_assert_eq(status, STATUS_END, "%s at %lld us: %s", name, (long long)p.wanted_us[i], status_name(status));
            continue;
        }
        cr_assert_eq(status, STATUS_OK, "%s at %lld us: %s", name, (long long)p.wanted_us[i], status_name(status));
        cr_assert_eq(f.pts_us, film->pts_us[k], "%s at %lld us: %lld, want %lld", name, (long long)p.wanted_us[i],
                     (long long)f.pts_us, (long long)film->pts_us[k]);
        image_need_all(&f.image);
        cr_assert_eq(hash_image(&f.image), film->hashes[k], "%s: frame %u has other pixels (mode %d)", name, k,
                     s->mode);
        if (s->mode == SAMPLING_KEYFRAME && i % p.n_frames == 0 && v.n_keys > 0)
            cr_assert_eq(f.pts_us, p.wanted_us[i], "%s: a clip begins at %lld us, its key frame is at %lld us", name,
                         (long long)f.pts_us, (long long)p.wanted_us[i]);
    }
    sample_plan_clear(&p);
    decoder_close(&d);
    close(fd);
}

static const char *const clips[] = {
    "h264.mp4",          "h264.mkv",
    "h264.ts",           "h264.flv",
    "h264.264",          "fragmented.mp4",
    "dash.mp4",          "live.mkv",
    "edit_list.mp4",     "offset.mp4",
    "offset.mkv",        "offset.ts",
    "open_gop.mp4",      "open_gop.mkv",
    "intra_refresh.mp4", "pyramid.mp4",
    "high10.mp4",        "interlaced.ts",
    "interlaced.mp4",    "hevc.mp4",
    "hevc_open.mkv",     "hevc_open.mp4",
    "hevc_layers.mp4",   "hevc.hevc",
    "vp9.webm",          "vp8.webm",
    "vp9_hidden.webm",   "av1.mp4",
    "av1.mkv",           "mpeg4_b.mp4",
    "mpeg4_b.avi",       "xvid_packed.avi",
    "mpeg2.ts",          "mpeg2_interlaced.ts",
    "mpeg1.mpg",         "mjpeg.avi",
    "mjpeg.mov",         "wmv2.wmv",
    "theora.ogv",        "moving.gif",
    "moving.apng",       "vfr.mp4",
    "vfr.mkv",           "odd.mp4",
    "rotate90.mp4",      "rotate180.mp4",
    "rotate270.mp4",     "sar.mp4",
    "resized.ts",        "joined.ts",
    "prores.mov",        "prores_alpha.mov",
    "repeated.mkv",      "hdr_pq.mp4",
    "hdr_hlg.mkv",       "h422.mp4",
    "hevc_444_10.mkv",
};

Test(decoder_sampling, wanted_frames_are_those_of_a_full_decode_in_every_mode)
{
    static const struct card_sampling samplings[] = {
        {.mode = SAMPLING_UNIFORM, .clips = 1, .frames = 7},
        {.mode = SAMPLING_UNIFORM, .clips = 3, .frames = 5, .stride_s = 0.07},
        {.mode = SAMPLING_UNIFORM, .clips = 2, .frames = 8, .stride_frames = 3},
        {.mode = SAMPLING_KEYFRAME, .clips = 3, .frames = 6},
        {.mode = SAMPLING_KEYFRAME, .clips = 64, .frames = 1},
        {.mode = SAMPLING_KEYFRAME, .clips = 2, .frames = 4, .stride_frames = 5},
        {.mode = SAMPLING_ALL, .clips = 1, .frames = 8, .overlap = 0.5},
        {.mode = SAMPLING_ALL, .clips = 1, .frames = 5, .stride_s = 0.1, .overlap = 0.8},
    };

    for (size_t i = 0; i < sizeof(clips) / sizeof(clips[0]); i++) {
        struct film film;

        read_film(clips[i], &film);
        cr_assert(film.n >= 10, "%s: %u frames", clips[i], film.n);
        for (size_t k = 0; k < sizeof(samplings) / sizeof(samplings[0]); k++)
            expect_plan(clips[i], &film, &samplings[k]);
    }
}

Test(decoder_sampling, times_may_go_back_by_any_way)
{
    for (size_t i = 0; i < sizeof(clips) / sizeof(clips[0]); i++) {
        int fd = open_file(clips[i]);
        struct decoder *d = open_decoder(fd, clips[i], false);
        struct film film;
        uint32_t state = 5;

        read_film(clips[i], &film);
        cr_assert_eq(decoder_keep(d, 3, NULL), STATUS_OK);
        for (unsigned n = 0; n < 24; n++) {
            struct decoder_frame f;
            unsigned k;

            state = state * 1664525u + 1013904223u;
            k = (state >> 8) % film.n;
            cr_assert_eq(decoder_frame_at(d, film.pts_us[k], &f, NULL), STATUS_OK, "%s: frame %u", clips[i], k);
            cr_assert_eq(f.pts_us, film.pts_us[k], "%s: frame %u", clips[i], k);
            cr_assert_eq(hash_image(&f.image), film.hashes[k], "%s: frame %u has other pixels", clips[i], k);
        }
        decoder_close(&d);
        close(fd);
    }
}

Test(decoder_sampling, a_time_that_was_not_expected_is_right_all_the_same)
{
    static const char *const names[] = {"h264.mp4", "pyramid.mp4", "hevc.mp4", "hevc_open.mkv", "vfr.mp4"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct film film;
        int64_t expected_us[8];

        read_film(names[i], &film);
        for (unsigned k = 0; k < 8; k++)
            expected_us[k] = 450000 * (int64_t)k + 7000;
        for (unsigned n = 0; n < film.n; n++) {
            int fd = open_file(names[i]);
            struct decoder *d = open_decoder(fd, names[i], false);
            struct decoder_frame f;

            cr_assert_eq(decoder_expect(d, expected_us, 8, NULL), STATUS_OK);
            cr_assert_eq(decoder_frame_at(d, expected_us[3], &f, NULL), STATUS_OK);
            cr_assert_eq(decoder_frame_at(d, film.pts_us[n], &f, NULL), STATUS_OK, "%s: frame %u", names[i], n);
            cr_assert_eq(f.pts_us, film.pts_us[n], "%s: frame %u", names[i], n);
            cr_assert_eq(hash_image(&f.image), film.hashes[n], "%s: frame %u", names[i], n);
            decoder_close(&d);
            close(fd);
        }
    }
}

Test(decoder_sampling, overlapping_clips_are_decoded_once)
{
    const struct card_sampling s = {.mode = SAMPLING_ALL, .clips = 1, .frames = 8, .overlap = 0.5};
    int fd = open_file("h264.mp4");
    struct decoder *d = open_decoder(fd, "h264.mp4", true);
    const struct video_facts *facts = decoder_facts(d);
    const struct sample_video v = {
        .duration_us = facts->duration_us - 40000, .fps_num = facts->fps_num, .fps_den = facts->fps_den};
    struct sample_plan p = {0};
    struct decoder_frame f;

    cr_assert_eq(sample_plan_make(&s, &v, &p), STATUS_OK);
    cr_assert_eq(p.n_clips, 24);
    cr_assert_eq(decoder_keep(d, p.n_shared, NULL), STATUS_OK);
    for (size_t i = 0; i < (size_t)p.n_clips * p.n_frames; i++)
        cr_assert_eq(decoder_frame_at(d, p.wanted_us[i], &f, NULL), STATUS_OK);
    cr_assert(decoder_packet_count(d) <= 100, "%llu packets", (unsigned long long)decoder_packet_count(d));
    sample_plan_clear(&p);
    decoder_close(&d);
    close(fd);
}

Test(decoder_sampling, clips_from_key_frames_decode_little_more_than_themselves)
{
    static const char *const names[] = {"h264.mp4", "h264.mkv", "fragmented.mp4", "vp9.webm", "hevc.mp4", "av1.mp4"};
    const struct card_sampling s = {.mode = SAMPLING_KEYFRAME, .clips = 3, .frames = 4};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int fd = open_file(names[i]);
        struct decoder *d = open_decoder(fd, names[i], true);
        const struct video_facts *facts = decoder_facts(d);
        struct sample_video v = {
            .duration_us = facts->duration_us - 40000, .fps_num = facts->fps_num, .fps_den = facts->fps_den};
        struct sample_plan p = {0};
        struct decoder_frame f;

        cr_assert_eq(decoder_key_frames(d, &v.key_us, &v.n_keys, NULL), STATUS_OK);
        cr_assert(v.n_keys >= 4 && v.key_us[0] == 0 && v.key_us[v.n_keys - 1] > 3700000, "%s: %zu key frames", names[i],
                  v.n_keys);
        cr_assert_eq(sample_plan_make(&s, &v, &p), STATUS_OK);
        cr_assert_eq(p.n_clips, 3);
        for (size_t k = 0; k < 12; k++)
            cr_assert_eq(decoder_frame_at(d, p.wanted_us[k], &f, NULL), STATUS_OK);
        cr_assert(decoder_packet_count(d) <= 3 * (4 + 6), "%s: %llu packets", names[i],
                  (unsigned long long)decoder_packet_count(d));
        sample_plan_clear(&p);
        decoder_close(&d);
        close(fd);
    }
}

Test(decoder_sampling, a_part_of_a_lazy_picture_is_that_of_the_whole)
{
    static const char *const names[] = {"h264.mp4",      "odd.mp4", "h422.mp4",  "rotate90.mp4",   "rotate180.mp4",
                                        "rotate270.mp4", "sar.mp4", "mjpeg.avi", "interlaced.mp4", "high10.mp4"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int fd = open_file(names[i]);
        struct decoder *eager = open_decoder(fd, names[i], false), *lazy = open_decoder(fd, names[i], true);
        uint32_t state = 1;

        for (unsigned n = 0; n < 20; n++) {
            struct decoder_frame a, b;
            unsigned at[4];

            cr_assert_eq(decoder_frame_at(eager, 100000 * (int64_t)n, &a, NULL), STATUS_OK);
            cr_assert_eq(decoder_frame_at(lazy, 100000 * (int64_t)n, &b, NULL), STATUS_OK);
            cr_assert_null(a.image.source);
            cr_assert_eq(a.image.width_px, b.image.width_px);
            for (unsigned k = 0; k < 4; k++) {
                unsigned side = k % 2 ? b.image.height_px : b.image.width_px;

                state = state * 1664525u + 1013904223u;
                at[k] = (state >> 8) % (side + 1);
            }
            for (unsigned k = 0; k < 2; k++) {
                unsigned low = at[k] < at[k + 2] ? at[k] : at[k + 2];

                at[k + 2] = at[k] < at[k + 2] ? at[k + 2] : at[k];
                at[k] = low;
            }
            image_need(&b.image, at[0], at[1], at[2], at[3]);
            cr_assert_eq(hash_part(&a.image, at[0], at[1], at[2], at[3]),
                         hash_part(&b.image, at[0], at[1], at[2], at[3]), "%s: frame %u, %u %u to %u %u", names[i], n,
                         at[0], at[1], at[2], at[3]);
        }
        decoder_close(&eager);
        decoder_close(&lazy);
        close(fd);
    }
}

/* Scaled from the planes, or from the RGB that was made of them: these soft colours are hardly clipped on the way; chroma is
 * interpolated in the second case only, which blurs it. (test_picture.c holds the scaling itself against the formula.) */
Test(decoder_sampling, a_scaled_lazy_picture_is_close_to_the_scaled_whole)
{
    static const char *const names[] = {"soft.mp4", "soft_422.mp4", "soft_90.mp4", "soft_full.avi"};
    static const unsigned sizes[][2] = {{80, 60}, {53, 41}, {160, 120}, {200, 133}, {1, 1}, {100, 120}};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int fd = open_file(names[i]);
        struct decoder *eager = open_decoder(fd, names[i], false), *lazy = open_decoder(fd, names[i], true);
        struct decoder_frame a, b;

        cr_assert_eq(decoder_frame_at(eager, 1000000, &a, NULL), STATUS_OK);
        cr_assert_eq(decoder_frame_at(lazy, 1000000, &b, NULL), STATUS_OK);
        cr_assert_not_null(b.image.source, "%s", names[i]);
        for (unsigned k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
            size_t bytes = 3 * (size_t)sizes[k][0] * sizes[k][1];
            uint8_t *from_rgb = malloc(bytes), *from_planes = malloc(bytes);
            double sum = 0;

            image_resize(&a.image, from_rgb, sizes[k][0], sizes[k][1]);
            image_resize(&b.image, from_planes, sizes[k][0], sizes[k][1]);
            for (size_t x = 0; x < bytes; x++)
                sum += abs((int)from_rgb[x] - (int)from_planes[x]);
            cr_assert(sum / (double)bytes < 2, "%s to %u x %u: %g off", names[i], sizes[k][0], sizes[k][1],
                      sum / (double)bytes);
            free(from_rgb);
            free(from_planes);
        }
        for (unsigned k = 0; k < 6; k++) { /* beside, inside and around the picture */
            const struct image_transform t = {{2.3 + k, 0, -40.5 + 20 * k, 0, 2.1 + k, 10.25 - 9.0 * k}};
            uint8_t from_rgb[40 * 30 * 3], from_planes[40 * 30 * 3];
            double sum = 0;

            image_warp(&a.image, &t, from_rgb, 40, 30);
            image_warp(&b.image, &t, from_planes, 40, 30);
            for (size_t x = 0; x < sizeof(from_rgb); x++)
                sum += abs((int)from_rgb[x] - (int)from_planes[x]);
            cr_assert(sum / sizeof(from_rgb) < 2, "%s, crop %u: %g off", names[i], k, sum / sizeof(from_rgb));
        }
        decoder_close(&eager);
        decoder_close(&lazy);
        close(fd);
    }
}

/* A ramp from black to white, left to right, stays one and reaches both ends (the values are test_picture.c's matter). */
Test(decoder_sampling, light_beyond_a_standard_screens_is_mapped_to_it)
{
    static const char *const names[] = {"hdr_pq.mp4", "hdr_hlg.mkv"};

    for (unsigned i = 0; i < 2; i++) {
        int fd = open_file(names[i]);
        struct decoder *d = open_decoder(fd, names[i], false);
        struct decoder_frame f;
        uint8_t before = 0;

        cr_assert_eq(decoder_frame_at(d, 0, &f, NULL), STATUS_OK);
        for (unsigned x = 8; x < f.image.width_px; x += 16) {
            const uint8_t *p = f.image.rgb_hwc_u8 + 30 * f.image.stride_bytes + 3 * (size_t)x;

            cr_assert(p[1] + 2 >= before, "%s: %u then %u at %u", names[i], before, p[1], x);
            cr_assert(abs(p[0] - p[1]) <= 3 && abs(p[2] - p[1]) <= 3, "%s: %u %u %u", names[i], p[0], p[1], p[2]);
            before = p[1];
        }
        cr_assert(before >= 250, "%s: white is %u", names[i], before);
        decoder_close(&d);
        close(fd);
    }
}

Test(decoder_sampling, an_animated_webp_is_unsupported_in_clear_words)
{
    int fd = open_file("moving.webp");
    struct decoder *d = NULL;
    enum outcome outcome = OUTCOME_SCORED;
    struct error e = {0};

    cr_assert_neq(decoder_open(fd, NULL, &d, NULL, &outcome, &e), STATUS_OK);
    cr_assert_eq(outcome, OUTCOME_UNSUPPORTED);
    cr_assert(strstr(e.text, "webp"), "%s", e.text);
    close(fd);
}
