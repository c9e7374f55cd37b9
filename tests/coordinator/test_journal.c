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
        cr_assert_eq(summary.n_named, summary.n_torn);
        n_before = n;
    }
    cr_assert_eq(n_before, 4);
    free(bytes);
    free(path);
}

/* The segment with its bytes; what a test does to them is undone by writing them again. */
struct segment {
    char *path, *bytes;
    size_t len;
    size_t starts[8]; /* of its records, and its end */
};

static struct segment make_segment(unsigned n)
{
    struct segment x;
    struct error e;
    size_t at = 72;

    write_records(1, n, "video");
    x.path = only_segment();
    cr_assert_eq(file_read(x.path, 1 << 20, &x.bytes, &x.len, &e), STATUS_OK);
    for (unsigned i = 0; i < n; i++) {
        x.starts[i] = at;
        at += 8 + (uint8_t)x.bytes[at + 4] + 256u * (uint8_t)x.bytes[at + 5];
    }
    cr_assert_eq(at, x.len);
    x.starts[n] = at;
    return x;
}

static unsigned read_changed(const struct segment *x, size_t len, struct journal_summary *ret_summary)
{
    struct error e;

    cr_assert_eq(file_write(x->path, x->bytes, len, &e), STATUS_OK);
    return read_all(ret_summary);
}

static void segment_close(struct segment *x)
{
    free(x->path);
    free(x->bytes);
}

Test(journal, a_damaged_byte_costs_its_record_alone_and_is_named)
{
    static const unsigned char flips[] = {0x01, 0x20, 0x80, 0xff};
    struct segment x = make_segment(4);

    for (size_t at = 72; at < x.len; at++) {
        for (unsigned k = 0; k < sizeof(flips); k++) {
            struct journal_summary summary;
            unsigned n, record = 0;

            while (x.starts[record + 1] <= at)
                record++;
            x.bytes[at] = (char)(x.bytes[at] ^ flips[k]);
            n = read_changed(&x, x.len, &summary);
            x.bytes[at] = (char)(x.bytes[at] ^ flips[k]);
            cr_assert_eq(n, 3, "byte %zu ^ %x: %u records", at, flips[k], n);
            cr_assert_eq(summary.n_corrupt + summary.n_torn, 1, "byte %zu", at);
            cr_assert_eq(summary.n_named, 1);
            cr_assert_eq(summary.damages[0].at_byte, x.starts[record], "byte %zu", at);
            cr_assert_eq(summary.damages[0].len_bytes, x.starts[record + 1] - x.starts[record]);
            cr_assert_str_eq(summary.damages[0].segment, strrchr(x.path, '/') + 1);
            /* The last record with a length beyond the end looks as if its writer had been killed. */
            cr_assert(record == 3 || !summary.damages[0].torn, "byte %zu", at);
        }
    }
    segment_close(&x);
}

Test(journal, a_stretch_of_zeros_or_of_old_bytes_costs_the_records_that_it_touches)
{
    struct segment x = make_segment(5);
    struct journal_summary summary;
    char *saved = malloc(x.len);

    cr_assert(saved);
    memcpy(saved, x.bytes, x.len);
    memset(x.bytes + x.starts[1] + 5, 0, x.starts[3] - x.starts[1]);
    cr_assert_eq(read_changed(&x, x.len, &summary), 2);
    cr_assert_eq(summary.n_corrupt, 1);
    cr_assert_eq(summary.damages[0].at_byte, x.starts[1]);
    cr_assert_eq(summary.damages[0].len_bytes, x.starts[4] - x.starts[1]);
    /* A file system that gave the file its length and lost the last pages. */
    memcpy(x.bytes, saved, x.len);
    memset(x.bytes + x.starts[2], 0, x.len - x.starts[2]);
    cr_assert_eq(read_changed(&x, x.len, &summary), 2);
    cr_assert_eq(summary.n_corrupt, 1);
    /* A page of another segment in its place: its records are sound, and whole ones count. */
    memcpy(x.bytes, saved, x.len);
    memcpy(x.bytes + x.starts[1] + 3, saved + x.starts[3], x.starts[4] - x.starts[3]);
    cr_assert_eq(read_changed(&x, x.len, &summary), 4);
    cr_assert_eq(summary.n_corrupt, 2);
    free(saved);
    segment_close(&x);
}

Test(journal, damage_is_named_before_torn_tails_when_there_is_more_than_fits)
{
    struct journal_summary summary;
    struct error e;

    for (int i = 0; i < JOURNAL_NAMED_DAMAGES + 4; i++) {
        char *bytes, path[128];
        size_t len;

        write_records(i, 2, "video");
        snprintf(path, sizeof(path), "%s/%020d-%ld-rank3.journal", folder, i, (long)getpid());
        cr_assert_eq(file_read(path, 1 << 20, &bytes, &len, &e), STATUS_OK, "%s", e.text);
        if (i == JOURNAL_NAMED_DAMAGES + 2)
            bytes[100] ^= 1;
        else
            len--;
        cr_assert_eq(file_write(path, bytes, len, &e), STATUS_OK);
        free(bytes);
    }
    read_all(&summary);
    cr_assert_eq(summary.n_torn, JOURNAL_NAMED_DAMAGES + 3);
    cr_assert_eq(summary.n_corrupt, 1);
    cr_assert_eq(summary.n_named, JOURNAL_NAMED_DAMAGES);
    cr_assert_not(summary.damages[JOURNAL_NAMED_DAMAGES - 1].torn);
    cr_assert_eq(strncmp(summary.damages[JOURNAL_NAMED_DAMAGES - 1].segment, "00000000000000000018-", 21), 0);
}

Test(journal, a_segment_whose_head_is_damaged_is_skipped_and_named_and_one_of_another_version_is_refused)
{
    struct segment x = make_segment(2);
    struct journal_summary summary;
    unsigned n = 0;
    struct error e;

    memset(x.bytes, 0, 72);
    cr_assert_eq(read_changed(&x, x.len, &summary), 0);
    cr_assert_eq(summary.n_corrupt, 1);
    cr_assert_eq(summary.damages[0].at_byte, 0);
    cr_assert_eq(summary.damages[0].len_bytes, x.len);
    memcpy(x.bytes, "FSJRNL02", 8);
    cr_assert_eq(file_write(x.path, x.bytes, x.len, &e), STATUS_OK);
    cr_assert_eq(journal_read(folder, fingerprint, count, &n, &summary, &e), STATUS_UNSUPPORTED);
    cr_assert(strstr(e.text, "FSJRNL02"), "%s", e.text);
    segment_close(&x);
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
