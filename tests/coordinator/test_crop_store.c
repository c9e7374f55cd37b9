#include "coordinator/crop_store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "shard/file.h"

static char folder[64];
static struct error e;

static void set_up(void)
{
    snprintf(folder, sizeof(folder), "/tmp/fakesift-crops.XXXXXX");
    cr_assert(mkdtemp(folder));
}

static void tear_down(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(crop_store, .init = set_up, .fini = tear_down);

static struct clip_score scores[] = {{.track = 0, .clip = 0, .p_fake = 0.5}, {.track = 1, .clip = 0, .p_fake = 0.5}};

static struct result result_of(const char *path, uint64_t size)
{
    return (struct result){.path = (char *)(uintptr_t)path,
                           .size_bytes = size,
                           .mtime_ns = -3,
                           .outcome = OUTCOME_SCORED,
                           .p_fake = 0.5,
                           .n_tracks = 2,
                           .clips = scores,
                           .n_clips = 2};
}

/* n crops of track 0, then of track 1. */
static void write_crops(const struct result *r, unsigned n)
{
    struct stored_crop crops[8];

    for (unsigned i = 0; i < n; i++)
        crops[i] = (struct stored_crop){i / 2, 0, i % 2, 1000 * (int64_t)i, (const uint8_t *)"\xff\xd8 jpeg", 7};
    cr_assert_eq(crop_store_write(folder, 5, r, crops, n, &e), STATUS_OK, "%s", e.text);
}

/* crops.csv of these results; the caller frees it. */
static char *make_index(const struct result *r, size_t n, size_t *ret_rows)
{
    struct manifest *m = NULL;
    struct results *t = NULL;
    char *text = NULL, *path = file_join(folder, "crops.csv");
    size_t len;

    cr_assert_eq(manifest_create("/corpus", "dir", &m, &e), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        const struct manifest_entry entry = {.path = r[i].path,
                                             .content = r[i].content,
                                             .exists = true,
                                             .size_bytes = r[i].size_bytes,
                                             .mtime_ns = r[i].mtime_ns};

        cr_assert_eq(manifest_add(m, &entry, &e), STATUS_OK, "%s", e.text);
    }
    cr_assert_eq(manifest_sort(m, &e), STATUS_OK);
    cr_assert_eq(results_open(n, &t), STATUS_OK);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(results_put(t, manifest_find(m, r[i].path), &r[i]), STATUS_OK);
    cr_assert_eq(crop_store_index(folder, m, t, ret_rows, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(file_read(path, 1 << 20, &text, &len, &e), STATUS_OK, "%s", e.text);
    free(path);
    results_close(&t);
    manifest_close(&m);
    return text;
}

static unsigned count_files(void)
{
    char command[128];
    unsigned n = 0;
    FILE *f;

    snprintf(command, sizeof(command), "find %s -name '*.jpg' | wc -l", folder);
    f = popen(command, "r");
    cr_assert(f);
    cr_assert_eq(fscanf(f, "%u", &n), 1);
    pclose(f);
    return n;
}

Test(crop_store, hostile_names_are_quoted_in_the_index_and_stay_out_of_file_names)
{
    struct result r[] = {result_of("..x/etc/a\"b,\nc<script>.mp4", 9), result_of("/x", 9),
                         result_of("\xff\xfe.mp4", 9)};
    size_t n_rows = 0, n_lines = 0;
    char *text;

    for (size_t i = 0; i < 2; i++)
        write_crops(&r[i == 1 ? 2 : 0], 2);
    text = make_index((struct result[]){r[0], r[2]}, 2, &n_rows);
    cr_assert_eq(n_rows, 4);
    cr_assert_eq(strncmp(text, "path,track,clip,time_us,file\n", 29), 0);
    cr_assert(strstr(text, "\"..x/etc/a\"\"b,\nc<script>.mp4\",0,0,1000,"), "%s", text);
    for (char *at = text; (at = strstr(at, ".jpg\n")) != NULL; at++, n_lines++) {
        char *begin = at;
        struct stat st;
        char path[256];

        while (begin[-1] != ',')
            begin--;
        cr_assert_eq(strspn(begin, "0123456789abcdeftcjpg-./"), (size_t)(at + 4 - begin));
        snprintf(path, sizeof(path), "%s/%.*s", folder, (int)(at + 4 - begin), begin);
        cr_assert_eq(stat(path, &st), 0, "%s", path);
        cr_assert_eq(st.st_size, 7);
    }
    cr_assert_eq(n_lines, 4);
    free(text);
}

Test(crop_store, a_video_that_is_done_again_replaces_what_it_had)
{
    struct result r = result_of("a.mp4", 9);
    size_t n_rows;

    write_crops(&r, 4);
    cr_assert_eq(count_files(), 4);
    write_crops(&r, 4);
    cr_assert_eq(count_files(), 4);
    write_crops(&r, 1);
    cr_assert_eq(count_files(), 1);
    free(make_index(&r, 1, &n_rows));
    cr_assert_eq(n_rows, 1);
    write_crops(&r, 0);
    cr_assert_eq(count_files(), 0);
    free(make_index(&r, 1, &n_rows));
    cr_assert_eq(n_rows, 0);
}

Test(crop_store, crops_of_a_file_that_changed_are_not_listed)
{
    struct result r = result_of("a.mp4", 9), changed = result_of("a.mp4", 10), touched = result_of("a.mp4", 9);
    size_t n_rows;

    touched.mtime_ns = 4;
    write_crops(&r, 2);
    free(make_index(&r, 1, &n_rows));
    cr_assert_eq(n_rows, 2);
    free(make_index(&changed, 1, &n_rows));
    cr_assert_eq(n_rows, 0);
    free(make_index(&touched, 1, &n_rows));
    cr_assert_eq(n_rows, 0);
}

Test(crop_store, with_contents_a_file_that_moved_in_time_keeps_its_crops)
{
    struct result r = result_of("a.mp4", 9);
    size_t n_rows;

    r.content = (char *)(uintptr_t) "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    write_crops(&r, 2);
    r.mtime_ns = 77;
    free(make_index(&r, 1, &n_rows));
    cr_assert_eq(n_rows, 2);
}

Test(crop_store, tracks_that_the_result_has_not_are_not_listed)
{
    struct result r = result_of("a.mp4", 9), one = result_of("a.mp4", 9);
    size_t n_rows;

    write_crops(&r, 4);
    one.n_clips = one.n_tracks = 1;
    free(make_index(&one, 1, &n_rows));
    cr_assert_eq(n_rows, 2);
}

Test(crop_store, a_damaged_list_or_a_lost_file_is_left_out)
{
    struct result r = result_of("a.mp4", 9);
    char command[160];
    size_t n_rows;

    write_crops(&r, 4);
    snprintf(command, sizeof(command), "for f in %s/*/*-t0-c0-1.jpg; do : >$f; done", folder);
    cr_assert_eq(system(command), 0);
    free(make_index(&r, 1, &n_rows));
    cr_assert_eq(n_rows, 3);
    snprintf(command, sizeof(command), "for f in %s/*/*.crops; do truncate -s -2 $f; done", folder);
    cr_assert_eq(system(command), 0);
    free(make_index(&r, 1, &n_rows));
    cr_assert_eq(n_rows, 0);
    write_crops(&r, 2);
    free(make_index(&r, 1, &n_rows));
    cr_assert_eq(n_rows, 2);
}
