#include "coordinator/path_index.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct manifest *manifest_of(size_t n)
{
    struct manifest *m = NULL;
    struct error e;

    cr_assert_eq(manifest_create("/corpus", "dir", &m, &e), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        char path[32];
        struct manifest_entry entry = {.path = path};

        snprintf(path, sizeof(path), "f/%zu.mp4", i);
        cr_assert_eq(manifest_add(m, &entry, &e), STATUS_OK);
    }
    cr_assert_eq(manifest_sort(m, &e), STATUS_OK);
    return m;
}

Test(path_index, finds_what_a_search_finds_and_nothing_else)
{
    static const size_t sizes[] = {0, 1, 31, 32, 33, 5000};

    for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
        struct manifest *m = manifest_of(sizes[k]);
        struct path_index *x = NULL;
        struct error e;

        cr_assert_eq(path_index_open(m, PATH_WHOLE, false, &x, &e), STATUS_OK);
        for (size_t i = 0; i < sizes[k]; i++)
            cr_assert_eq(path_index_find(x, manifest_entry(m, i)->path), i);
        cr_expect_eq(path_index_find(x, ""), SIZE_MAX);
        cr_expect_eq(path_index_find(x, "f/0.mp"), SIZE_MAX);
        cr_expect_eq(path_index_find(x, "f/5000.mp4"), SIZE_MAX);
        path_index_close(&x);
        manifest_close(&m);
    }
}

Test(path_index, bases_and_stems_that_stand_twice_name_nothing)
{
    static const struct manifest_entry entries[] = {
        {.path = "a/one.mp4"},  {.path = "b/.two"},     {.path = "b/two.mp4", .label = LABEL_FAKE},
        {.path = "c/one.mkv"},  {.path = "d/two.mp4"},  {.path = "e/three.tar.gz"},
        {.path = "f/four.mp4"}, {.path = "g/four.mp4"},
    };
    struct manifest *m = NULL;
    struct path_index *base = NULL, *stem = NULL;
    struct error e;

    cr_assert_eq(manifest_create("/corpus", "dir", &m, &e), STATUS_OK);
    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        cr_assert_eq(manifest_add(m, &entries[i], &e), STATUS_OK);
    cr_assert_eq(path_index_open(m, PATH_BASE, true, &base, &e), STATUS_OK);
    cr_assert_eq(path_index_open(m, PATH_STEM, true, &stem, &e), STATUS_OK);
    cr_expect_eq(path_index_find(base, "one.mp4"), 0);
    cr_expect_eq(path_index_find(stem, "one"), SIZE_MAX, "one.mp4 and one.mkv");
    cr_expect_eq(path_index_find(base, "two.mp4"), 4, "the fake is not asked");
    cr_expect_eq(path_index_find(stem, "two"), 4);
    cr_expect_eq(path_index_find(stem, ".two"), 1, "a leading dot is no extension");
    cr_expect_eq(path_index_find(stem, "three.tar"), 5);
    cr_expect_eq(path_index_find(base, "four.mp4"), SIZE_MAX);
    cr_expect_eq(path_index_find(base, "f/four.mp4"), SIZE_MAX);
    path_index_close(&base);
    path_index_close(&stem);
    manifest_close(&m);
}
