#include "coordinator/feature_store.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/file.h"

#define FINGERPRINT "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

enum { STEPS = 3, VALUES = 2, HEAD = 128, ROW = STEPS * VALUES * 4 };

static char folder[64];
static struct error e;

static void set_up(void)
{
    snprintf(folder, sizeof(folder), "/tmp/fakesift-features.XXXXXX");
    cr_assert(mkdtemp(folder));
}

static void tear_down(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(feature_store, .init = set_up, .fini = tear_down);

static struct clip_score scores[] = {{.track = 0, .clip = 0, .start_us = 5, .end_us = 9, .p_fake = 0.5},
                                     {.track = 0, .clip = 1, .start_us = 15, .end_us = 19, .p_fake = 0.5}};

static struct result result_of(const char *path)
{
    return (struct result){.path = (char *)(uintptr_t)path,
                           .size_bytes = 7,
                           .mtime_ns = 8,
                           .outcome = OUTCOME_SCORED,
                           .p_fake = 0.5,
                           .n_tracks = 1,
                           .clips = scores,
                           .n_clips = 2};
}

static struct feature_writer *open_writer(unsigned rank)
{
    struct feature_writer *w = NULL;

    cr_assert_eq(feature_writer_open(folder, FINGERPRINT, rank, 1000 + rank, &w, &e), STATUS_OK);
    return w;
}

static void add(struct feature_writer *w, const char *path, uint32_t clip, float first)
{
    const struct result r = result_of(path);
    const float data[STEPS * VALUES] = {first, first + 1, first + 2, first + 3, first + 4, first + 5};
    const struct stored_features x = {
        .clip = clip, .start_us = 5, .end_us = 9, .steps = STEPS, .values = VALUES, .data = data};

    cr_assert_eq(feature_writer_add(w, &r, &x, &e), STATUS_OK, "%s", e.text);
}

/* index.csv where these videos are recorded. */
static char *make_index(const char *const *paths, size_t n, size_t *ret_rows)
{
    struct manifest *m = NULL;
    struct results *t = NULL;
    char *text = NULL, *path = file_join(folder, "index.csv");
    size_t len;

    cr_assert_eq(manifest_create("/corpus", "dir", &m, &e), STATUS_OK);
    cr_assert_eq(results_open(n, &t), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        const struct manifest_entry entry = {.path = paths[i], .exists = true, .size_bytes = 7, .mtime_ns = 8};

        cr_assert_eq(manifest_add(m, &entry, &e), STATUS_OK);
    }
    cr_assert_eq(manifest_sort(m, &e), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        const struct result r = result_of(paths[i]);

        cr_assert_eq(results_put(t, manifest_find(m, paths[i]), &r), STATUS_OK);
    }
    cr_assert_eq(feature_store_index(folder, FINGERPRINT, m, t, ret_rows, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(file_read(path, 1 << 20, &text, &len, &e), STATUS_OK);
    free(path);
    results_close(&t);
    manifest_close(&m);
    return text;
}

static char *read_shard(const char *name, size_t *ret_len)
{
    char *path = file_join(folder, name), *data = NULL;

    cr_assert_eq(file_read(path, 1 << 20, &data, ret_len, &e), STATUS_OK, "%s", e.text);
    free(path);
    return data;
}

#define SHARD_1 "features-00001-00000000000000001001"
#define SHARD_2 "features-00002-00000000000000001002"

Test(feature_store, a_shard_is_a_numpy_array_and_the_index_names_its_rows)
{
    struct feature_writer *w = open_writer(1);
    const char *const paths[] = {"a.mp4", "b, \"q\".mp4"};
    static const char head[] = "\x93NUMPY\1\0\x76\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3, 2), }  ";
    size_t n_rows, len;
    float value;
    char *data, *text;

    add(w, paths[1], 0, 10);
    add(w, paths[0], 1, 20);
    cr_assert_eq(feature_writer_sync(w, &e), STATUS_OK);
    feature_writer_close(&w);
    text = make_index(paths, 2, &n_rows);
    cr_assert_eq(n_rows, 2);
    cr_assert_str_eq(text, "path,track,clip,start_us,end_us,shard,row\n"
                           "a.mp4,0,1,15,19," SHARD_1 ".npy,1\n"
                           "\"b, \"\"q\"\".mp4\",0,0,5,9," SHARD_1 ".npy,0\n");
    free(text);
    data = read_shard(SHARD_1 ".npy", &len);
    cr_assert_eq(len, HEAD + 2 * ROW);
    cr_assert_eq(memcmp(data, head, sizeof(head) - 1), 0);
    cr_assert_eq(data[HEAD - 1], '\n');
    memcpy(&value, data + HEAD + ROW, sizeof(value));
    cr_assert_eq(value, 20);
    free(data);
}

Test(feature_store, rows_of_videos_that_were_never_recorded_are_named_by_nobody)
{
    struct feature_writer *w = open_writer(1);
    const char *const paths[] = {"a.mp4"};
    size_t n_rows;

    add(w, "a.mp4", 0, 1);
    add(w, "killed.mp4", 0, 2);
    add(w, "a.mp4", 7, 3); /* a clip that its result does not have */
    feature_writer_close(&w);
    free(make_index(paths, 1, &n_rows));
    cr_assert_eq(n_rows, 1);
}

Test(feature_store, a_row_that_stands_twice_is_named_once)
{
    struct feature_writer *a = open_writer(2), *b = open_writer(1);
    const char *const paths[] = {"a.mp4"};
    size_t n_rows;
    char *text;

    add(a, "a.mp4", 0, 1);
    add(b, "other.mp4", 0, 5);
    add(b, "a.mp4", 0, 1);
    feature_writer_close(&a);
    feature_writer_close(&b);
    text = make_index(paths, 1, &n_rows);
    cr_assert_eq(n_rows, 1);
    cr_assert(strstr(text, "a.mp4,0,0,5,9," SHARD_1 ".npy,1\n"), "%s", text);
    free(text);
}

/* Cut anywhere: the writer was killed, or the machine's end took what was not synced. */
Test(feature_store, a_torn_shard_gives_its_whole_rows)
{
    struct feature_writer *w = open_writer(2);
    const char *const paths[] = {"a.mp4", "b.mp4"};
    char *rows_path = file_join(folder, SHARD_2 ".rows"), *data_path = file_join(folder, SHARD_2 ".npy");
    struct stat rows_st, data_st;
    size_t n_rows, len, before = 99;
    char *data;

    add(w, "a.mp4", 0, 1);
    add(w, "a.mp4", 1, 2);
    add(w, "b.mp4", 0, 3);
    feature_writer_close(&w); /* without a sync: the head says 0 rows */
    free(make_index(paths, 2, &n_rows));
    cr_assert_eq(n_rows, 3);
    data = read_shard(SHARD_2 ".npy", &len);
    cr_assert(strstr(data + 10, "'shape': (3, 3, 2)"), "the head was not mended");
    free(data);
    cr_assert_eq(stat(rows_path, &rows_st), 0);
    cr_assert_eq(stat(data_path, &data_st), 0);
    cr_assert_eq(truncate(data_path, data_st.st_size - 1), 0);
    free(make_index(paths, 2, &n_rows));
    cr_assert_eq(n_rows, 2);
    for (off_t size = rows_st.st_size; size >= 0; size--) {
        cr_assert_eq(truncate(rows_path, size), 0);
        free(make_index(paths, 2, &n_rows));
        cr_assert_leq(n_rows, before < 2 ? before : 2);
        before = n_rows;
    }
    cr_assert_eq(n_rows, 0);
    free(rows_path);
    free(data_path);
}

Test(feature_store, a_folder_of_another_run_is_refused)
{
    struct feature_writer *w = open_writer(1);
    const char *other = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    cr_assert_eq(feature_store_begin(folder, other, &e), STATUS_OK);
    add(w, "a.mp4", 0, 1);
    feature_writer_close(&w);
    cr_assert_eq(feature_store_begin(folder, FINGERPRINT, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(feature_store_begin(folder, other, &e), STATUS_MISMATCH);
    cr_assert(strstr(e.text, "holds features of another run"), "%s", e.text);
}

Test(feature_store, other_sizes_than_the_first_are_an_error)
{
    struct feature_writer *w = open_writer(1);
    const struct result r = result_of("a.mp4");
    const float data[2] = {0, 0};
    const struct stored_features x = {.steps = 1, .values = 2, .data = data};

    add(w, "a.mp4", 0, 1);
    cr_assert_eq(feature_writer_add(w, &r, &x, &e), STATUS_INVALID);
    feature_writer_close(&w);
    cr_assert_null(w);
    feature_writer_close(&w);
}
