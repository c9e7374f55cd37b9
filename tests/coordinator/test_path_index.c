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

        cr_assert_eq(path_index_open(m, &x, &e), STATUS_OK);
        for (size_t i = 0; i < sizes[k]; i++)
            cr_assert_eq(path_index_find(x, manifest_entry(m, i)->path), i);
        cr_expect_eq(path_index_find(x, ""), SIZE_MAX);
        cr_expect_eq(path_index_find(x, "f/0.mp"), SIZE_MAX);
        cr_expect_eq(path_index_find(x, "f/5000.mp4"), SIZE_MAX);
        path_index_close(&x);
        manifest_close(&m);
    }
}
