#include "coordinator/journal.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/file.h"

static const char fingerprint[SHA256_HEX_BYTES] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

static char *folder;

static void make_folder(void)
{
    char pattern[] = "/tmp/fakesift-journal-XXXXXX";

    folder = strdup(mkdtemp(pattern));
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
    free(folder);
}

TestSuite(journal, .init = make_folder, .fini = remove_folder);

static struct result result_of(const char *path)
{
    struct result r = {.outcome = OUTCOME_NO_FACE, .p_fake = NAN, .size_bytes = 7, .attempt = 1};

    cr_assert_eq(result_set_path(&r, path), STATUS_OK);
    return r;
}

static void write_records(int64_t time, unsigned n, const char *name)
{
    struct journal_writer *w = NULL;
    struct error e;

    cr_assert_eq(journal_writer_open(folder, fingerprint, 3, time, &w, &e), STATUS_OK, "%s", e.text);
    for (unsigned i = 0; i < n; i++) {
        char path[64];
        struct result r;

        snprintf(path, sizeof(path), "%s%u.mp4", name, i);
        r = result_of(path);
        cr_assert_eq(journal_writer_append(w, &r, &e), STATUS_OK);
        result_clear(&r);
    }
    cr_assert_eq(journal_writer_flush(w, &e), STATUS_OK);
    journal_writer_close(&w);
}

static enum status count(void *context, struct result *r, struct error *e)
{
    (void)e;
    cr_assert_not_null(r->path);
    ++*(unsigned *)context;
    return STATUS_OK;
}

static unsigned read_all(struct journal_summary *ret_summary)
{
    unsigned n = 0;
    struct error e;

    cr_assert_eq(journal_read(folder, fingerprint, count, &n, ret_summary, &e), STATUS_OK, "%s", e.text);
    return n;
}

static char *only_segment(void)
{
    struct dirent *d;
    char *path = NULL;
    DIR *dir = opendir(folder);

    while ((d = readdir(dir))) {
        if (d->d_name[0] != '.')
            path = file_join(folder, d->d_name);
    }
    closedir(dir);
    return path;
}

Test(journal, records_come_back_from_several_segments)
{
    struct journal_summary summary;

    write_records(1, 3, "a");
    write_records(2, 2, "b");
    cr_assert_eq(read_all(&summary), 5);
    cr_assert_eq(summary.n_segments, 2);
    cr_assert_eq(summary.n_torn + summary.n_corrupt, 0);
}

Test(journal, a_folder_that_does_not_exist_has_no_records)
{
    unsigned n = 0;
    struct journal_summary summary;
    struct error e;

    cr_assert_eq(journal_read("/nonexistent/journal", fingerprint, count, &n, &summary, &e), STATUS_OK);
    cr_assert_eq(n, 0);
}

Test(journal, a_tail_torn_at_any_byte_costs_only_the_records_in_it)
{
    char *path, *bytes;
    size_t len, n_before = 0;
    struct error e;

    write_records(1, 4, "video");
    path = only_segment();
    cr_assert_eq(file_read(path, 1 << 20, &bytes, &len, &e), STATUS_OK);
    for (size_t cut = 0; cut <= len; cut++) {
        struct journal_summary summary;
        unsigned n;

        cr_assert_eq(truncate(path, 0), 0);
        cr_assert_eq(file_write(path, bytes, cut, &e), STATUS_OK);
        n = read_all(&summary);
        cr_assert_geq(n, n_before, "cut at %zu", cut);
        cr_assert_leq(n, n_before + 1);
        cr_assert_eq(summary.n_corrupt, 0, "cut at %zu", cut);
        n_before = n;
    }
    cr_assert_eq(n_before, 4);
    free(bytes);
    free(path);
}

Test(journal, a_damaged_byte_costs_one_record_and_is_named)
{
    char *path, *bytes;
    size_t len;
    struct error e;

    write_records(1, 3, "video");
    path = only_segment();
    cr_assert_eq(file_read(path, 1 << 20, &bytes, &len, &e), STATUS_OK);
    for (size_t at = 72; at < len; at++) {
        struct journal_summary summary;
        unsigned n;

        bytes[at] ^= 0x20;
        cr_assert_eq(file_write(path, bytes, len, &e), STATUS_OK);
        bytes[at] ^= 0x20;
        n = read_all(&summary);
        cr_assert_lt(n, 3, "byte %zu", at);
        cr_assert_geq(summary.n_corrupt + summary.n_torn, 1, "byte %zu", at);
        if (summary.n_corrupt > 0)
            cr_assert(strstr(summary.corrupt_example, "at byte"));
    }
    free(bytes);
    free(path);
}

Test(journal, a_segment_of_another_run_is_refused)
{
    static const char other[SHA256_HEX_BYTES] = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
    unsigned n = 0;
    struct journal_summary summary;
    struct error e;

    write_records(1, 1, "video");
    cr_assert_eq(journal_read(folder, other, count, &n, &summary, &e), STATUS_MISMATCH);
    cr_assert(strstr(e.text, "fingerprint"));
}

Test(journal, records_before_a_flush_that_fails_stay_and_nothing_is_claimed_after_it)
{
    struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};
    struct journal_writer *w = NULL;
    struct journal_summary summary;
    struct error e;
    unsigned n_durable = 0;
    enum status s = STATUS_OK;

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_assert_eq(journal_writer_open(folder, fingerprint, 0, 1, &w, &e), STATUS_OK);
    for (unsigned i = 0; s == STATUS_OK && i < 1000; i++) {
        struct result r = result_of("some/video.mp4");

        cr_assert_eq(journal_writer_append(w, &r, &e), STATUS_OK);
        result_clear(&r);
        s = journal_writer_flush(w, &e);
        n_durable += s == STATUS_OK;
    }
    cr_assert(status_failed(s), "4096 bytes cannot hold 1000 records");
    cr_assert(strstr(e.text, "cannot append"), "%s", e.text);
    cr_assert(status_failed(journal_writer_flush(w, &e)));
    journal_writer_close(&w);
    cr_assert_eq(read_all(&summary), n_durable);
    cr_assert_gt(n_durable, 10);
}
