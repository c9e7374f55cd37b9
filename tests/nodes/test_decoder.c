#include "nodes/decoder.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "nodes/probe.h"
#include "shard/hash.h"

/* The clips come from tests/media/make_media.sh. */

/* Everything that plays to its end, in every kind of order, time stamp and container. */
static const char *const clips[] = {
    "h264.mp4",          "h264.mkv",       "h264.ts",
    "h264.flv",          "h264.264",       "fragmented.mp4",
    "dash.mp4",          "faststart.mp4",  "live.mkv",
    "edit_list.mp4",     "offset.mp4",     "offset.mkv",
    "offset.ts",         "open_gop.mp4",   "open_gop.mkv",
    "intra_refresh.mp4", "pyramid.mp4",    "high10.mp4",
    "interlaced.ts",     "interlaced.mp4", "hevc.mp4",
    "hevc_open.mkv",     "hevc_open.mp4",  "hevc_layers.mp4",
    "hevc.hevc",         "vp9.webm",       "vp8.webm",
    "vp9.mp4",           "vp9.ivf",        "av1.mp4",
    "av1.mkv",           "mpeg4.mp4",      "mpeg4_b.mp4",
    "mpeg4_b.avi",       "mpeg4_b.mkv",    "xvid_packed.avi",
    "mpeg4.m4v",         "mpeg2.ts",       "mpeg2_interlaced.ts",
    "mpeg2.mxf",         "mpeg1.mpg",      "mpeg1.m1v",
    "mjpeg.avi",         "mjpeg.mov",      "wmv2.wmv",
    "theora.ogv",        "moving.gif",     "moving.apng",
    "vfr.mp4",           "vfr.mkv",        "odd.mp4",
    "rotate90.mp4",      "sar.mp4",        "resized.ts",
    "long_sound.mp4",    "long_sound.mkv",
};
enum { N_CLIPS = sizeof(clips) / sizeof(clips[0]), MAX_FRAMES = 128 };

static int open_file(const char *name)
{
    char path[512];
    int fd;

    snprintf(path, sizeof(path), "%s/%s", TEST_MEDIA_DIR, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0, "cannot open %s", path);
    return fd;
}

static struct decoder *open_fd(int fd, const char *name)
{
    struct decoder *d = NULL;
    enum outcome outcome;
    struct error e = {0};

    cr_assert_eq(decoder_open(fd, NULL, &d, NULL, &outcome, &e), STATUS_OK, "%s: %s", name, e.text);
    return d;
}

struct seen {
    int64_t pts_us;
    uint32_t hash;
};

/* A whole clip, decoded from its first packet to its last one without a seek. */
struct film {
    struct seen frames[MAX_FRAMES];
    unsigned n;
    int64_t duration_us;
};

static uint32_t hash_image(const struct image *i)
{
    uint32_t hash = i->width_px * 31 + i->height_px;

    for (unsigned y = 0; y < i->height_px; y++)
        hash = hash * 16777619u + hash_crc32c(i->rgb_hwc_u8 + y * i->stride_bytes, 3 * (size_t)i->width_px);
    return hash;
}

static enum status read_film(struct decoder *d, struct film *film)
{
    struct decoder_frame f;
    enum status status;
    int64_t wanted_us = 0;

    film->n = 0;
    film->duration_us = decoder_facts(d)->duration_us;
    while ((status = decoder_frame_at(d, wanted_us, &f, NULL)) == STATUS_OK) {
        cr_assert(film->n < MAX_FRAMES);
        cr_assert(film->n == 0 || f.pts_us > film->frames[film->n - 1].pts_us);
        film->frames[film->n++] = (struct seen){f.pts_us, hash_image(&f.image)};
        wanted_us = f.pts_us + 2; /* the frame's own time has a tolerance of one */
    }
    return status;
}

static struct film film_of(const char *name)
{
    int fd = open_file(name);
    struct decoder *d = open_fd(fd, name);
    struct film film;

    cr_assert_eq(read_film(d, &film), STATUS_END, "%s", name);
    cr_assert_eq(decoder_error_count(d), 0, "%s: %s", name, decoder_last_words(d));
    decoder_close(&d);
    cr_assert_null(d);
    close(fd);
    return film;
}

static bool is_raw(const char *name)
{
    const char *end = strrchr(name, '.');

    return strcmp(end, ".264") == 0 || strcmp(end, ".hevc") == 0 || strcmp(end, ".m1v") == 0 ||
           strcmp(end, ".m4v") == 0;
}

Test(decoder, gives_every_frame_at_the_times_that_ffprobe_states)
{
    for (unsigned i = 0; i < N_CLIPS; i++) {
        struct film film = film_of(clips[i]);
        char path[512], line[64];
        double first = 0, time;
        unsigned n = 0;
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s.times", TEST_MEDIA_DIR, clips[i]);
        f = fopen(path, "r");
        cr_assert_not_null(f, "%s", path);
        for (; fgets(line, sizeof(line), f); n++) {
            cr_assert(n < film.n, "%s: %u frames, ffprobe has more", clips[i], film.n);
            /* Raw streams have no times of their own; joined programmes begin again. */
            if (sscanf(line, "%lf", &time) != 1 || is_raw(clips[i]) || strcmp(clips[i], "resized.ts") == 0)
                continue;
            if (n == 0)
                first = time;
            cr_assert_float_eq((double)film.frames[n].pts_us, (time - first) * 1e6, 2.5, "%s: frame %u at %lld us",
                               clips[i], n, (long long)film.frames[n].pts_us);
        }
        fclose(f);
        cr_assert_eq(n, film.n, "%s: %u frames, ffprobe has %u", clips[i], film.n, n);
        cr_assert_eq(film.frames[0].pts_us, 0);
    }
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Asks for some times, ascending, and compares with what the whole film has there. */
static void expect_same_frames(const char *name, const struct film *film, const int64_t *wanted_us, unsigned n)
{
    int fd = open_file(name);
    struct decoder *d = open_fd(fd, name);

    for (unsigned i = 0; i < n; i++) {
        struct decoder_frame f;
        enum status status = decoder_frame_at(d, wanted_us[i], &f, NULL);
        unsigned k = 0;

        while (k < film->n && film->frames[k].pts_us + 1 < wanted_us[i])
            k++;
        if (k == film->n) {
            cr_assert_eq(status, STATUS_END, "%s at %lld us: %s", name, (long long)wanted_us[i], status_name(status));
            continue;
        }
        cr_assert_eq(status, STATUS_OK, "%s at %lld us: %s", name, (long long)wanted_us[i], status_name(status));
        cr_assert_eq(f.pts_us, film->frames[k].pts_us, "%s at %lld us: frame of %lld us, want %lld us", name,
                     (long long)wanted_us[i], (long long)f.pts_us, (long long)film->frames[k].pts_us);
        cr_assert_eq(hash_image(&f.image), film->frames[k].hash, "%s at %lld us: frame %u has other pixels", name,
                     (long long)wanted_us[i], k);
    }
    cr_assert_eq(decoder_error_count(d), 0, "%s: %s", name, decoder_last_words(d));
    decoder_close(&d);
    close(fd);
}

static void expect_any_subset_is_the_same(const char *name)
{
    struct film film = film_of(name);
    int64_t wanted_us[64], span_us = film.frames[film.n - 1].pts_us + 50000;

    for (unsigned n = 1; n <= 33; n += n < 4 ? 1 : 7) {
        for (unsigned i = 0; i < n; i++)
            wanted_us[i] = (2 * (int64_t)i + 1) * span_us / (2 * (int64_t)n);
        expect_same_frames(name, &film, wanted_us, n);
    }
    for (uint32_t seed = 1; seed <= 6; seed++) {
        uint32_t state = seed;
        unsigned n = 0;
        int64_t at = 0;

        /* Runs of near frames and long leaps, as clips with a stride have them. */
        while (n < 64 && at <= span_us) {
            wanted_us[n++] = at;
            at += next_random(&state) % 4 == 0 ? next_random(&state) % 1500000 : next_random(&state) % 60000;
        }
        expect_same_frames(name, &film, wanted_us, n);
    }
    /* Each frame alone, by its exact time and just after it. */
    for (unsigned k = 0; k < film.n; k += 7) {
        wanted_us[0] = film.frames[k].pts_us + (k % 2);
        expect_same_frames(name, &film, wanted_us, 1);
    }
}

Test(decoder, a_frame_is_the_one_of_a_full_decode_whichever_others_are_asked_for)
{
    for (unsigned i = 0; i < N_CLIPS; i++)
        expect_any_subset_is_the_same(clips[i]);
}

/* Work to reach one late frame. */
static uint64_t packets_for(const char *name, int64_t wanted_us)
{
    int fd = open_file(name);
    struct decoder *d = open_fd(fd, name);
    struct decoder_frame f;
    uint64_t n;

    cr_assert_eq(decoder_frame_at(d, wanted_us, &f, NULL), STATUS_OK);
    n = decoder_packet_count(d);
    decoder_close(&d);
    close(fd);
    return n;
}

Test(decoder, seeks_where_a_key_frame_makes_it_cheaper)
{
    static const char *const seeking[] = {
        "h264.mp4",  "h264.mkv", "faststart.mp4", "offset.mp4", "pyramid.mp4",   "edit_list.mp4", "vp9.webm",
        "vp8.webm",  "vp9.mp4",  "av1.mp4",       "hevc.mp4",   "hevc_open.mkv", "mpeg4.mp4",     "mpeg4_b.mp4",
        "mjpeg.mov", "vfr.mp4",  "rotate90.mp4",  "live.mkv",   "dash.mp4",      "fragmented.mp4"};

    for (unsigned i = 0; i < sizeof(seeking) / sizeof(seeking[0]); i++) {
        uint64_t n = packets_for(seeking[i], 3000000);

        cr_assert(n < 50, "%s: %llu packets", seeking[i], (unsigned long long)n);
    }
}

Test(decoder, does_not_seek_to_a_key_frame_that_needs_what_came_before)
{
    /* All frames up to the wanted one have to be decoded. */
    cr_assert(packets_for("open_gop.mp4", 3000000) >= 75);
    cr_assert(packets_for("intra_refresh.mp4", 3000000) >= 75);
}

/* Mean distance of an image from packed RGB. */
static double distance(const struct image *i, const uint8_t *rgb)
{
    double sum = 0;

    for (unsigned y = 0; y < i->height_px; y++) {
        for (unsigned x = 0; x < 3 * i->width_px; x++)
            sum += abs((int)i->rgb_hwc_u8[y * i->stride_bytes + x] - (int)*rgb++);
    }
    return sum / (3.0 * i->width_px * i->height_px);
}

Test(decoder, pictures_are_those_of_the_ffmpeg_program)
{
    static const char *const names[] = {"h264.mp4",   "h264.ts",       "mpeg4_b.avi",   "hevc_open.mkv",
                                        "vp9.webm",   "rotate90.mp4",  "rotate180.mp4", "rotate270.mp4",
                                        "moving.gif", "edit_list.mp4", "mpeg2.ts"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int fd = open_file(names[i]);
        struct decoder *d = open_fd(fd, names[i]);
        struct decoder_frame f;
        char path[512];
        uint8_t rgb[160 * 120 * 3];
        /* ffmpeg turns before it enlarges the chroma planes, which shifts colours at edges; a wrong turn is
         * 40 off and more. */
        double limit = strncmp(names[i], "rotate", 6) == 0 ? 6 : 1;
        int64_t wanted_us = 0;
        FILE *file;
        unsigned n = 0;

        snprintf(path, sizeof(path), "%s/%s.rgb", TEST_MEDIA_DIR, names[i]);
        file = fopen(path, "rb");
        cr_assert_not_null(file, "%s", path);
        for (; fread(rgb, sizeof(rgb), 1, file) == 1; n++) {
            cr_assert_eq(decoder_frame_at(d, wanted_us, &f, NULL), STATUS_OK, "%s: frame %u", names[i], n);
            cr_assert(distance(&f.image, rgb) < limit, "%s: frame %u is %f off", names[i], n, distance(&f.image, rgb));
            wanted_us = f.pts_us + 2;
        }
        cr_assert(n > 80);
        fclose(file);
        decoder_close(&d);
        close(fd);
    }
}

Test(decoder, colour_matrix_and_range_are_honoured)
{
    static const char *const names[] = {"bt601.mp4", "bt709.mp4", "bt709_full.mp4", "bt2020.mp4"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        int fd = open_file(names[i]);
        struct decoder *d = open_fd(fd, names[i]);
        struct decoder_frame f;
        const uint8_t *p;

        cr_assert_eq(decoder_frame_at(d, 200000, &f, NULL), STATUS_OK);
        p = f.image.rgb_hwc_u8 + 30 * f.image.stride_bytes + 90;
        cr_assert(abs(p[0] - 0xC0) <= 3 && abs(p[1] - 0x40) <= 3 && abs(p[2] - 0x20) <= 3, "%s: %u %u %u", names[i],
                  p[0], p[1], p[2]);
        decoder_close(&d);
        close(fd);
    }
}

static struct video_facts facts_of(const char *name)
{
    int fd = open_file(name);
    struct decoder *d = open_fd(fd, name);
    struct video_facts facts = *decoder_facts(d), probed;
    enum outcome outcome;
    struct error e = {0};

    decoder_close(&d);
    cr_assert_eq(probe_video(fd, &probed, &outcome, &e), STATUS_OK, "%s: %s", name, e.text);
    cr_assert_str_eq(probed.container, facts.container);
    cr_assert_str_eq(probed.codec, facts.codec);
    cr_assert_eq(probed.width_px, facts.width_px);
    cr_assert_eq(probed.height_px, facts.height_px);
    cr_assert_eq(probed.rotation_deg, facts.rotation_deg);
    close(fd);
    return facts;
}

Test(decoder, states_the_facts)
{
    struct video_facts f = facts_of("long_sound.mp4");

    cr_assert_str_eq(f.container, "mov");
    cr_assert_str_eq(f.codec, "h264");
    cr_assert_str_eq(f.pixel_format, "yuv420p");
    cr_assert(strncmp(f.encoder, "Lavf", 4) == 0, "%s", f.encoder);
    cr_assert_eq(f.width_px, 160);
    cr_assert_eq(f.height_px, 120);
    cr_assert_eq(f.rotation_deg, 0);
    cr_assert_eq(f.fps_num, 25 * f.fps_den);
    cr_assert_eq(f.duration_us, 2000000);
    cr_assert_eq(f.n_frames, 50);
    cr_assert(f.bit_rate_bps > 20000);
    cr_assert_eq(f.n_video_streams, 1);
    cr_assert_eq(f.n_audio_streams, 1);
}

Test(decoder, size_is_stated_after_rotation_and_with_square_pixels)
{
    struct video_facts f = facts_of("rotate90.mp4");

    cr_assert(f.width_px == 120 && f.height_px == 160 && (f.rotation_deg == 90 || f.rotation_deg == 270));
    cr_assert_neq(f.rotation_deg, facts_of("rotate270.mp4").rotation_deg);
    f = facts_of("rotate180.mp4");
    cr_assert(f.width_px == 160 && f.height_px == 120 && f.rotation_deg == 180);
    f = facts_of("sar.mp4");
    cr_assert(f.width_px == 213 && f.height_px == 120);
}

Test(decoder, every_video_has_a_duration_from_its_first_frame)
{
    for (unsigned i = 0; i < N_CLIPS; i++) {
        struct film film = film_of(clips[i]);
        int64_t end_us = film.frames[film.n - 1].pts_us + 40000;

        if (strcmp(clips[i], "resized.ts") == 0) /* the container's own view: two programmes at the same time */
            continue;
        cr_assert(llabs(film.duration_us - end_us) <= (strncmp(clips[i], "vfr", 3) == 0 ? 250000 : 45000),
                  "%s: %lld us, the last frame ends at %lld us", clips[i], (long long)film.duration_us,
                  (long long)end_us);
    }
}

static void expect_refusal(const char *name, enum outcome want, const char *words)
{
    int fd = open_file(name);
    struct decoder *d = NULL;
    struct video_facts facts;
    enum outcome outcome = OUTCOME_SCORED, probed = OUTCOME_SCORED;
    struct error e = {0};

    cr_assert(status_failed(decoder_open(fd, NULL, &d, &facts, &outcome, &e)), "%s", name);
    cr_assert_null(d);
    cr_assert_eq(outcome, want, "%s: %s, %s", name, outcome_name(outcome), e.text);
    cr_assert(strstr(e.text, words), "%s: %s", name, e.text);
    cr_assert_eq(e.status == STATUS_OK, false);
    cr_assert(status_failed(probe_video(fd, &facts, &probed, &e)));
    cr_assert_eq(probed, want);
    close(fd);
}

Test(decoder, says_what_a_file_is_that_is_no_video)
{
    expect_refusal("empty.mp4", OUTCOME_NO_VIDEO, "empty");
    expect_refusal("text.mp4", OUTCOME_NO_VIDEO, "not a media file");
    expect_refusal("sound.m4a", OUTCOME_NO_VIDEO, "no video stream (1 audio)");
    expect_refusal("sound.wav", OUTCOME_NO_VIDEO, "no video stream");
    expect_refusal("cover.m4a", OUTCOME_NO_VIDEO, "no video stream");
    expect_refusal("cover.png", OUTCOME_NO_VIDEO, "png_pipe");
    expect_refusal("playlist.mp4", OUTCOME_NO_VIDEO, "hls");
    expect_refusal("concat.mp4", OUTCOME_NO_VIDEO, "concat");
    expect_refusal("no_moov.mp4", OUTCOME_DECODE_ERROR, "moov atom not found");
}

Test(decoder, refuses_a_codec_it_does_not_know_and_frames_that_are_too_large)
{
    struct decoder_settings small = {.max_side_px = 128};
    struct decoder *d = NULL;
    enum outcome outcome;
    struct error e = {0};
    static char bytes[1 << 20];
    /* The size is known from the container, from the stream's head, only from its pictures. */
    static const char *const large[] = {"h264.mp4", "h264.ts", "h264.264", "mpeg4.mp4"};
    int fd, copy;
    ssize_t n;
    char *name;

    for (unsigned i = 0; i < 4; i++) {
        fd = open_file(large[i]);
        cr_assert_eq(decoder_open(fd, &small, &d, NULL, &outcome, &e), STATUS_UNSUPPORTED, "%s", large[i]);
        cr_assert_eq(outcome, OUTCOME_UNSUPPORTED);
        cr_assert(strstr(e.text, "160"), "%s", e.text);
        close(fd);
    }
    fd = open_file("mpeg4_b.mkv");
    n = read(fd, bytes, sizeof(bytes));
    name = memmem(bytes, (size_t)n, "V_MPEG4", 7);
    cr_assert_not_null(name);
    memcpy(name, "V_NOSUC", 7);
    copy = memfd_create("copy", MFD_CLOEXEC);
    cr_assert_eq(write(copy, bytes, (size_t)n), n);
    cr_assert_eq(decoder_open(copy, NULL, &d, NULL, &outcome, &e), STATUS_UNSUPPORTED);
    cr_assert_eq(outcome, OUTCOME_UNSUPPORTED);
    cr_assert(strstr(e.text, "no decoder"), "%s", e.text);
    close(fd);
    close(copy);
}

Test(decoder, a_cut_file_plays_as_far_as_it_goes_and_then_says_so)
{
    static const char *const names[] = {"half.mp4", "half.mkv"};

    for (unsigned i = 0; i < 2; i++) {
        int fd = open_file(names[i]);
        struct decoder *d = open_fd(fd, names[i]);
        struct decoder_frame f;
        struct film film;
        struct error e = {0};

        cr_assert_eq(read_film(d, &film), STATUS_CORRUPT, "%s", names[i]);
        cr_assert(film.n > 30 && film.n < 70, "%s: %u", names[i], film.n);
        cr_assert(decoder_error_count(d) > 0);
        cr_assert_eq(decoder_frame_at(d, 3500000, &f, &e), STATUS_CORRUPT);
        cr_assert(strstr(e.text, "of 4.000 s"), "%s", e.text);
        cr_assert_eq(decoder_frame_at(d, 5000000, &f, &e), STATUS_END); /* beyond what it ever had */
        decoder_close(&d);
        close(fd);
    }
}

Test(decoder, the_same_time_gives_the_same_frame_and_times_may_go_back)
{
    int fd = open_file("h264.mp4");
    struct decoder *d = open_fd(fd, "h264.mp4");
    struct decoder_frame a, b;
    uint32_t hash;

    cr_assert_eq(decoder_frame_at(d, 2010000, &a, NULL), STATUS_OK);
    cr_assert_eq(a.pts_us, 2040000);
    hash = hash_image(&a.image);
    cr_assert_eq(decoder_frame_at(d, 2010000, &b, NULL), STATUS_OK);
    cr_assert_eq(decoder_frame_at(d, 2040001, &b, NULL), STATUS_OK); /* within the tolerance */
    cr_assert_eq(b.pts_us, 2040000);
    cr_assert_eq(hash_image(&b.image), hash);
    cr_assert_eq(decoder_frame_at(d, 2000000, &b, NULL), STATUS_OK);
    cr_assert_eq(b.pts_us, 2000000);
    cr_assert_eq(decoder_frame_at(d, -5, &b, NULL), STATUS_OK);
    cr_assert_eq(b.pts_us, 0);
    cr_assert_eq(decoder_frame_at(d, 9000000, &b, NULL), STATUS_END);
    cr_assert_eq(decoder_frame_at(d, INT64_MAX, &b, NULL), STATUS_END);
    cr_assert_eq(decoder_frame_at(d, 2010000, &b, NULL), STATUS_OK);
    cr_assert_eq(hash_image(&b.image), hash);
    decoder_close(&d);
    decoder_close(&d);
    close(fd);
}

Test(decoder, frames_keep_the_first_size_when_the_stream_changes_it)
{
    int fd = open_file("resized.ts");
    struct decoder *d = open_fd(fd, "resized.ts");
    struct decoder_frame f;

    cr_assert_eq(decoder_frame_at(d, 1600000, &f, NULL), STATUS_OK);
    cr_assert_eq(f.image.width_px, 160);
    cr_assert_eq(f.image.height_px, 120);
    decoder_close(&d);
    close(fd);
}

Test(decoder, leaves_the_descriptor_where_it_was_and_opens_again)
{
    int fd = open_file("h264.mkv");

    cr_assert_eq(lseek(fd, 1234, SEEK_SET), 1234);
    for (unsigned i = 0; i < 20; i++) {
        struct decoder *d = open_fd(fd, "h264.mkv");
        struct decoder_frame f;

        cr_assert_eq(decoder_frame_at(d, 100000 * (int64_t)i, &f, NULL), STATUS_OK);
        decoder_close(&d);
    }
    cr_assert_eq(lseek(fd, 0, SEEK_CUR), 1234);
    close(fd);
}

Test(decoder, a_pipe_is_an_error_of_the_system)
{
    struct decoder *d = NULL;
    enum outcome outcome;
    struct error e = {0};
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(decoder_open(ends[0], NULL, &d, NULL, &outcome, &e), STATUS_IO);
    cr_assert(strstr(e.text, "cannot seek"), "%s", e.text);
    close(ends[0]);
    close(ends[1]);
}

/* Decodes each clip with death for any system call that is not on the list. */
static void decode_confined(const int *fds)
{
    static const int calls[] = {SCMP_SYS(pread64), SCMP_SYS(lseek),     SCMP_SYS(brk),     SCMP_SYS(mmap),
                                SCMP_SYS(munmap),  SCMP_SYS(mprotect),  SCMP_SYS(madvise), SCMP_SYS(mremap),
                                SCMP_SYS(futex),   SCMP_SYS(exit_group)};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        if (!filter || seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0) != 0)
            _exit(2);
    }
    if (seccomp_load(filter) != 0)
        _exit(3);
    /* From here on _Exit: _exit of a coverage build writes files. */
    for (unsigned i = 0; i < N_CLIPS; i++) {
        struct decoder *d = NULL;
        struct decoder_frame f;
        enum outcome outcome;
        int64_t step_us;

        if (decoder_open(fds[i], NULL, &d, NULL, &outcome, NULL) != STATUS_OK)
            _Exit(4);
        step_us = decoder_facts(d)->duration_us / 6;
        for (unsigned k = 0; k < 5; k++) {
            if (decoder_frame_at(d, k * step_us, &f, NULL) != STATUS_OK)
                _Exit(5);
        }
        decoder_close(&d);
    }
    _Exit(0);
}

Test(decoder, needs_only_reads_and_memory_once_it_is_prepared)
{
    int fds[N_CLIPS], status;
    pid_t child;

#ifdef __SANITIZE_ADDRESS__
    cr_skip_test("the sanitizer makes system calls of its own");
#endif
    decoder_prepare();
    for (unsigned i = 0; i < N_CLIPS; i++)
        fds[i] = open_file(clips[i]);
    child = fork();
    if (child == 0)
        decode_confined(fds);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "killed by signal %d", WTERMSIG(status));
    cr_assert_eq(WEXITSTATUS(status), 0);
}

/* What lies before and behind in an archive changes no frame, also for containers with their index at the end or none. */
Test(decoder, window_of_a_file_gives_the_frames_of_the_file)
{
    for (unsigned i = 0; i < N_CLIPS; i++) {
        struct film alone = film_of(clips[i]), inside;
        int fd = open_file(clips[i]), archive = memfd_create("archive", MFD_CLOEXEC);
        off_t size = lseek(fd, 0, SEEK_END), at = 512;
        char *bytes = malloc((size_t)size);
        struct decoder_settings settings = {.window = {.offset = 512 + (uint64_t)size, .size_bytes = (uint64_t)size}};
        struct decoder *d = NULL;
        struct video_facts probed, facts;
        enum outcome outcome;
        struct error e = {0};

        cr_assert_eq(pread(fd, bytes, (size_t)size, 0), size);
        /* The same clip before and behind: what is read outside would decode. */
        for (unsigned k = 0; k < 3; k++, at += size)
            cr_assert_eq(pwrite(archive, bytes, (size_t)size, at), size);
        cr_assert_eq(decoder_open(archive, &settings, &d, &facts, &outcome, &e), STATUS_OK, "%s: %s", clips[i], e.text);
        cr_assert_eq(read_film(d, &inside), STATUS_END, "%s", clips[i]);
        cr_assert_eq(inside.n, alone.n, "%s", clips[i]);
        cr_assert_eq(inside.duration_us, alone.duration_us, "%s", clips[i]);
        for (unsigned k = 0; k < alone.n; k++) {
            cr_assert_eq(inside.frames[k].pts_us, alone.frames[k].pts_us, "%s", clips[i]);
            cr_assert_eq(inside.frames[k].hash, alone.frames[k].hash, "%s", clips[i]);
        }
        cr_assert_eq(probe_window(archive, &settings.window, &probed, &outcome, &e), STATUS_OK, "%s", clips[i]);
        cr_assert_eq(probed.bit_rate_bps, facts.bit_rate_bps, "%s", clips[i]);
        decoder_close(&d);
        free(bytes);
        close(archive);
        close(fd);
    }
}
