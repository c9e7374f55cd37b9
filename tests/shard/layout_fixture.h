/* layout_fixture: miniature corpora for the tests of layouts. In: paths and contents. Out: a scan as one line of text. */
#ifndef FAKESIFT_TESTS_LAYOUT_FIXTURE_H
#define FAKESIFT_TESTS_LAYOUT_FIXTURE_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/file.h"
#include "shard/layout.h"
#include "shard/text.h"

/* A corpus of this test; Criterion runs each in a process of its own. */
static char root[] = "/tmp/fakesift-layout-XXXXXX";

static inline void make_root(void)
{
    cr_assert_not_null(mkdtemp(root));
}

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static inline void remove_root(void)
{
    nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Valid until the next but three. */
static inline const char *at(const char *path)
{
    static char made[4][8192];
    static unsigned turn;
    char *out = made[turn++ % 4];

    snprintf(out, sizeof(made[0]), "%s%s%s", root, path[0] ? "/" : "", path);
    return out;
}

static inline void put(const char *path, const char *content)
{
    char folder[8192];

    snprintf(folder, sizeof(folder), "%s", at(path));
    *strrchr(folder, '/') = '\0';
    cr_assert_eq(file_make_folder(folder, NULL), STATUS_OK);
    cr_assert_eq(file_write(at(path), content, strlen(content), NULL), STATUS_OK, "%s", path);
}

static inline void put_all(const char *const *paths, size_t n)
{
    for (size_t i = 0; i < n; i++)
        put(paths[i], "video");
}

/* LAYOUT{PATH LABEL split=.. family=.. ...|...} of the corpus at path, or the error without the root's name.
 */
static inline char *scan(const char *path, const char *layout, struct layout_summary *ret_summary)
{
    struct layout_settings settings = {.layout = layout};
    struct layout_summary summary = {0};
    struct manifest *m = NULL;
    struct error e = {0};
    struct text t = {0};
    enum status s = layout_scan(at(path), &settings, &m, &summary, &e);

    if (s != STATUS_OK) {
        size_t len = strlen(root);
        const char *p = e.text;

        cr_assert_null(m);
        text_append_format(&t, "%s: ", status_name(s));
        for (const char *hit; (hit = strstr(p, root)); p = hit + len) {
            text_append(&t, p, (size_t)(hit - p));
            text_append_string(&t, "ROOT");
        }
        text_append_string(&t, p);
        return text_take(&t);
    }
    text_append_format(&t, "%s{", summary.layout);
    for (size_t i = 0; i < manifest_count(m); i++) {
        const struct manifest_entry *entry = manifest_entry(m, i);
        const char *const extra[][2] = {{"split", entry->split},           {"family", entry->family},
                                        {"original", entry->original},     {"identity", entry->identity},
                                        {"group", entry->group},           {"method", entry->method},
                                        {"segments", entry->fake_segments}};

        text_append_format(&t, "%s%s", i ? "|" : "", entry->path);
        if (entry->label != LABEL_UNKNOWN)
            text_append_format(&t, " %s", label_name(entry->label));
        for (size_t k = 0; k < sizeof(extra) / sizeof(extra[0]); k++) {
            if (extra[k][1][0] != '\0')
                text_append_format(&t, " %s=%s", extra[k][0], extra[k][1]);
        }
        if (!entry->exists)
            text_append_string(&t, " gone");
        if (i > 0)
            cr_assert_lt(strcmp(manifest_entry(m, i - 1)->path, entry->path), 0);
    }
    text_append_string(&t, "}");
    cr_assert_eq(summary.n_files, manifest_count(m));
    cr_assert_eq(summary.n_files, summary.n_real + summary.n_fake + summary.n_unlabelled);
    if (ret_summary)
        *ret_summary = summary;
    manifest_close(&m);
    return text_take(&t);
}

static inline void expect(const char *path, const char *layout, const char *want)
{
    char *got = scan(path, layout, NULL);

    cr_assert_str_eq(got, want);
    free(got);
}

static inline void expect_noting(const char *layout, const char *want, const char *want_notes)
{
    struct layout_summary summary;
    char *got = scan("", layout, &summary);

    cr_assert_str_eq(got, want);
    cr_assert_str_eq(summary.notes, want_notes);
    free(got);
}

#define PUT(...)                                                                                                       \
    put_all((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

#endif
