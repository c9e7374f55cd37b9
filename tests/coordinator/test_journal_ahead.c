#include "coordinator/journal_ahead.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char fingerprint[SHA256_HEX_BYTES] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/* More than the ring holds, and no multiple of a batch. */
enum { N = 20000 + 7 };

static char folder[] = "/tmp/fakesift-journal-ahead-XXXXXX";

static void make_folder(void)
{
    cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void)
{
    struct dirent *d;
    DIR *dir = opendir(folder);

    while (dir && (d = readdir(dir)))
        unlinkat(dirfd(dir), d->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(folder);
}

TestSuite(journal_ahead, .init = make_folder, .fini = remove_folder);

static void write_records(unsigned n, const char *of_fingerprint)
{
    struct journal_writer *w = NULL;
    struct error e;

    cr_assert_eq(journal_writer_open(folder, of_fingerprint, 0, 1, &w, &e), STATUS_OK, "%s", e.text);
    for (unsigned i = 0; i < n; i++) {
        struct result r = {.outcome = OUTCOME_NO_FACE, .p_fake = NAN, .size_bytes = i, .attempt = 1};

        cr_assert_eq(result_set_path(&r, "a.mp4"), STATUS_OK);
        cr_assert_eq(journal_writer_append(w, &r, &e), STATUS_OK);
        result_clear(&r);
    }
    cr_assert_eq(journal_writer_flush(w, &e), STATUS_OK, "%s", e.text);
    journal_writer_close(&w);
}

struct taken {
    uint64_t n, stop_after;
};

static enum status take(void *context, struct result *batch, size_t n, struct error *e)
{
    struct taken *t = context;

    cr_assert(n > 0 && n <= JOURNAL_BATCH);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(batch[i].size_bytes, t->n++);
    return t->n < t->stop_after ? STATUS_OK : error_set(e, STATUS_NO_SPACE, "enough");
}

Test(journal_ahead, every_record_is_taken_once_in_the_order_of_the_journal)
{
    struct taken t = {.stop_after = UINT64_MAX};
    struct journal_summary summary;
    struct error e;

    write_records(N, fingerprint);
    cr_assert_eq(journal_read_ahead(folder, fingerprint, take, &t, &summary, &e), STATUS_OK, "%s", e.text);
    cr_assert_eq(t.n, N);
    cr_assert_eq(summary.n_records, N);
}

Test(journal_ahead, a_taker_that_fails_ends_the_reading_with_its_error)
{
    struct taken t = {.stop_after = 100};
    struct journal_summary summary = {.n_records = 5};
    struct error e;

    write_records(N, fingerprint);
    cr_assert_eq(journal_read_ahead(folder, fingerprint, take, &t, &summary, &e), STATUS_NO_SPACE);
    cr_assert_str_eq(e.text, "enough");
    cr_assert_eq(t.n, 2 * JOURNAL_BATCH);
    cr_assert_eq(summary.n_records, 5, "left as it was");
}

Test(journal_ahead, a_reader_that_fails_gives_its_error)
{
    static const char other[SHA256_HEX_BYTES] = "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    struct taken t = {.stop_after = UINT64_MAX};
    struct journal_summary summary;
    struct error e;

    write_records(3, other);
    cr_assert_eq(journal_read_ahead(folder, fingerprint, take, &t, &summary, &e), STATUS_MISMATCH);
    cr_assert_not_null(strstr(e.text, "another fingerprint"));
    cr_assert_eq(t.n, 0);
}

Test(journal_ahead, a_folder_that_is_not_there_has_no_records)
{
    struct taken t = {.stop_after = UINT64_MAX};
    struct journal_summary summary;
    struct error e;

    cr_assert_eq(journal_read_ahead("/tmp/fakesift-none", fingerprint, take, &t, &summary, &e), STATUS_OK);
    cr_assert_eq(t.n, 0);
}
