#include "nodes/finds.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "nodes/passing.h"

enum { PATCH = 16, N_PATCHES = 10 };

static uint8_t patches[N_PATCHES * PATCH * PATCH * 3];

static struct finds_patches patches_of(uint32_t source, const int64_t times_us[N_PATCHES])
{
    for (unsigned i = 0; i < N_PATCHES; i++)
        memset(patches + i * PATCH * PATCH * 3, (int)(20 * i), PATCH * PATCH * 3);
    return (struct finds_patches){source, patches, PATCH, PATCH, N_PATCHES, times_us};
}

static const int64_t ALL_SHOWN[N_PATCHES] = {0, 10, 20, 30, 40, 50, 60, 70, 80, 90};

Test(finds, crops_are_spread_over_the_frames_that_show_the_face)
{
    static const int64_t some[N_PATCHES] = {-1, 10, -1, -1, 40, 50, -1, 70, -1, -1};
    static const struct {
        const int64_t *times_us;
        unsigned n, n_crops;
        int64_t want_us[5];
    } cases[] = {
        {ALL_SHOWN, 1, 1, {50}},         {ALL_SHOWN, 3, 3, {10, 50, 80}}, {ALL_SHOWN, 5, 5, {10, 30, 50, 70, 90}},
        {some, 16, 4, {10, 40, 50, 70}}, {some, 2, 2, {40, 70}},          {some, 1, 1, {50}}};

    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        struct finds f = {0};
        struct finds_patches p = patches_of(7, cases[c].times_us);

        cr_assert_eq(finds_add_crops(&f, &p, cases[c].n), STATUS_OK);
        cr_assert_eq(f.n, cases[c].n_crops, "case %zu: %zu crops", c, f.n);
        for (size_t i = 0; i < f.n; i++) {
            cr_assert_eq(f.list[i].start_us, cases[c].want_us[i], "case %zu, crop %zu: %lld", c, i,
                         (long long)f.list[i].start_us);
            cr_assert_eq(f.list[i].number, i);
            cr_assert_eq(f.list[i].data[0], 2 * f.list[i].start_us, "the pixels are of another frame");
            cr_assert_eq(f.list[i].len_bytes, PATCH * PATCH * 3);
        }
        finds_clear(&f);
        cr_assert_null(f.list);
    }
}

Test(finds, a_face_that_was_never_shown_gives_no_crop_and_a_video_only_so_many)
{
    static const int64_t none[N_PATCHES] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    struct finds f = {0};
    struct finds_patches p = patches_of(0, none);

    cr_assert_eq(finds_add_crops(&f, &p, 3), STATUS_OK);
    cr_assert_eq(f.n, 0);
    p = patches_of(0, ALL_SHOWN);
    for (unsigned i = 0; i < 20; i++)
        cr_assert_eq(finds_add_crops(&f, &p, 10), STATUS_OK);
    cr_assert_eq(f.n, FINDS_MAX_CROPS);
    finds_clear(&f);
}

Test(finds, a_large_crop_is_shrunk)
{
    struct finds f = {0};
    uint8_t *large = calloc(1024 * 256, 3);
    const int64_t time_us = 5;
    const struct finds_patches p = {0, large, 1024, 256, 1, &time_us};

    cr_assert_eq(finds_add_crops(&f, &p, 1), STATUS_OK);
    cr_assert_eq(f.list[0].width, 512);
    cr_assert_eq(f.list[0].height, 128);
    finds_clear(&f);
    free(large);
}

/* Two clip scores that a result lists the other way round, and one that it does not list. */
static struct clip_score scores[] = {
    {.track = 0, .clip = 1, .start_us = 500, .end_us = 600, .source = 2},
    {.track = 1, .clip = 0, .start_us = 100, .end_us = 200, .source = 0},
};
static const struct result RESULT = {.clips = scores, .n_clips = 2};

static void fill(struct finds *f)
{
    for (uint32_t source = 0; source < 3; source++) {
        struct finds_patches p = patches_of(source, ALL_SHOWN);
        float *values;

        cr_assert_eq(finds_add_crops(f, &p, 2), STATUS_OK);
        cr_assert_eq(finds_add_values(f, FIND_FEATURES, source, 300, 200, &values),
                     STATUS_OK); /* 240,000 bytes: two packets */
        for (unsigned i = 0; i < 300 * 200; i++)
            values[i] = (float)(source + i);
    }
}

Test(finds, they_get_the_tracks_of_their_clip_scores)
{
    struct finds f = {0};

    fill(&f);
    finds_settle(&f, &RESULT);
    cr_assert_eq(f.n, 6);
    for (size_t i = 0; i < 6; i++) {
        cr_assert_eq(f.list[i].track, i / 3);
        cr_assert_eq(f.list[i].clip, 1 - i / 3);
        cr_assert_eq(f.list[i].kind, i % 3 < 2 ? FIND_CROP : FIND_FEATURES);
    }
    cr_assert_eq(f.list[2].start_us, 500);
    cr_assert_eq(f.list[2].end_us, 600);
    cr_assert_eq(((float *)(void *)f.list[2].data)[7], 9);
    finds_clear(&f);
}

struct wire {
    uint8_t packets[32][FINDS_PACKET_BYTES];
    size_t len[32];
    unsigned n;
};

/* All packets of f. */
static struct wire *send_all(const struct finds *f)
{
    struct wire *w = calloc(1, sizeof(*w));
    int fds[2], room = 4 << 20;
    size_t len;

    cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, fds), 0);
    setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    for (size_t i = 0; i < f->n; i++) {
        struct finds one = {.list = &f->list[i], .n = 1};

        cr_assert_eq(finds_send(&one, fds[0]), STATUS_OK);
        while (passing_receive(fds[1], w->packets[w->n], FINDS_PACKET_BYTES, &len, NULL) == STATUS_OK)
            w->len[w->n++] = len;
    }
    close(fds[0]);
    close(fds[1]);
    return w;
}

Test(finds, what_is_sent_is_taken)
{
    struct finds f = {0}, got = {0};
    struct wire *w;

    fill(&f);
    finds_settle(&f, &RESULT);
    w = send_all(&f);
    cr_assert_eq(w->n, 8);
    for (unsigned i = 0; i < w->n; i++) {
        cr_assert(finds_is_packet(w->packets[i], w->len[i]));
        cr_assert_eq(finds_take(&got, w->packets[i], w->len[i]), STATUS_OK, "packet %u", i);
    }
    finds_match(&got, &RESULT);
    cr_assert_eq(got.n, f.n);
    for (size_t i = 0; i < f.n; i++) {
        cr_assert_eq(got.list[i].kind, f.list[i].kind);
        cr_assert_eq(got.list[i].track, f.list[i].track);
        cr_assert_eq(got.list[i].start_us, f.list[i].start_us);
        cr_assert_eq(got.list[i].len_bytes, f.list[i].len_bytes);
        cr_assert_eq(memcmp(got.list[i].data, f.list[i].data, f.list[i].len_bytes), 0);
    }
    finds_clear(&f);
    finds_clear(&got);
    free(w);
}

Test(finds, what_a_lane_made_up_is_refused_or_dropped)
{
    struct finds f = {0}, got = {0};
    struct wire *w;
    uint8_t *bent = malloc(FINDS_PACKET_BYTES);
    struct result empty = {0};

    fill(&f);
    finds_settle(&f, &RESULT);
    w = send_all(&f);
    /* Every byte of a packet's head, bent: it is refused or taken, and nothing is written outside (ASan looks). */
    for (unsigned at = 0; at < 64; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct finds x = {0};

            memcpy(bent, w->packets[2], w->len[2]);
            bent[at] ^= (uint8_t)(1u << bit);
            (void)finds_take(&x, bent, w->len[2]);
            (void)finds_take(&x, w->packets[3], w->len[3]);
            finds_match(&x, &RESULT);
            finds_clear(&x);
        }
    }
    for (size_t len = 0; len < 80; len++) {
        struct finds x = {0};

        cr_assert_eq(finds_take(&x, w->packets[2], len) == STATUS_OK, len > 64, "%zu bytes", len);
        finds_match(&x, &RESULT);
        cr_assert_eq(x.n, 0, "a part of one was kept");
        finds_clear(&x);
    }
    /* The second packet without the first; the first twice; another before it is whole. */
    cr_assert_eq(finds_take(&got, w->packets[3], w->len[3]), STATUS_CORRUPT);
    cr_assert_eq(finds_take(&got, w->packets[2], w->len[2]), STATUS_OK);
    cr_assert_eq(finds_take(&got, w->packets[2], w->len[2]), STATUS_CORRUPT);
    cr_assert_eq(finds_take(&got, w->packets[0], w->len[0]), STATUS_CORRUPT);
    finds_clear(&got);
    /* Of tracks that the result does not have; and one twice. */
    for (unsigned i = 0; i < 2; i++)
        cr_assert_eq(finds_take(&got, w->packets[0], w->len[0]), STATUS_OK);
    finds_match(&got, &RESULT);
    cr_assert_eq(got.n, 1);
    finds_match(&got, &empty);
    cr_assert_eq(got.n, 0);
    /* More crops than there may be. */
    for (unsigned i = 0; i < FINDS_MAX_CROPS; i++)
        cr_assert_eq(finds_take(&got, w->packets[0], w->len[0]), STATUS_OK);
    cr_assert_eq(finds_take(&got, w->packets[0], w->len[0]), STATUS_CORRUPT);
    finds_clear(&got);
    finds_clear(&f);
    free(bent);
    free(w);
}

Test(finds, what_would_be_too_much_is_counted)
{
    struct finds f = {0};
    float *values;
    unsigned n = 0;

    do {
        cr_assert_eq(finds_add_values(&f, FIND_FEATURES, n++, 300, 65536, &values), STATUS_OK);
    } while (values && n < 10);
    cr_assert_eq(n, 4);
    cr_assert_eq(f.n, 3);
    cr_assert_eq(f.n_dropped, 1);
    finds_clear(&f);
}

Test(finds, crops_become_jpegs_of_the_same_bytes_each_time)
{
    struct finds a = {0}, b = {0};
    struct finds_patches p = patches_of(0, ALL_SHOWN);
    struct error e = {0};

    finds_add_crops(&a, &p, 3);
    finds_add_crops(&b, &p, 3);
    cr_assert_eq(finds_encode(&a, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(finds_encode(&b, &e), STATUS_OK);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_gt(a.list[i].len_bytes, 100);
        cr_assert_eq(memcmp(a.list[i].data, "\xff\xd8\xff", 3), 0);
        cr_assert_eq(a.list[i].len_bytes, b.list[i].len_bytes);
        cr_assert_eq(memcmp(a.list[i].data, b.list[i].data, a.list[i].len_bytes), 0);
    }
    finds_clear(&a);
    finds_clear(&b);
}
