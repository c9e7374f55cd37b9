#include "coordinator/reduce.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char fingerprint[SHA256_HEX_BYTES] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

struct record {
    const char *path;
    uint64_t size_bytes;
    enum outcome outcome;
};

static char folder[64];

static void make_folder(void)
{
    snprintf(folder, sizeof(folder), "/tmp/fakesift-reduce-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
}

static void remove_folder(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(reduce, .init = make_folder, .fini = remove_folder);

static void write_segment(int64_t time, const struct record *records, size_t n)
{
    struct journal_writer *w = NULL;
    struct error e;

    cr_assert_eq(journal_writer_open(folder, fingerprint, 0, time, &w, &e), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        struct result r = {.outcome = records[i].outcome, .size_bytes = records[i].size_bytes, .mtime_ns = 1};

        r.p_fake = outcome_has_score(r.outcome) ? 0.25 : NAN;
        cr_assert_eq(result_set_path(&r, records[i].path), STATUS_OK);
        cr_assert_eq(journal_writer_append(w, &r, &e), STATUS_OK);
        result_clear(&r);
    }
    cr_assert_eq(journal_writer_flush(w, &e), STATUS_OK);
    journal_writer_close(&w);
}

static struct manifest *manifest_of(const char *const *paths, size_t n)
{
    struct manifest *m = NULL;
    struct error e;

    cr_assert_eq(manifest_create("/corpus", "dir", &m, &e), STATUS_OK);
    for (size_t i = 0; i < n; i++) {
        struct manifest_entry entry = {.path = paths[i], .exists = true, .size_bytes = 10, .mtime_ns = 1};

        cr_assert_eq(manifest_add(m, &entry, &e), STATUS_OK);
    }
    cr_assert_eq(manifest_sort(m, &e), STATUS_OK);
    return m;
}

Test(reduce, each_entry_gets_one_result_and_counts_add_up)
{
    static const char *const paths[] = {"a", "b", "c", "d"};
    static const struct record records[] = {
        {"b", 10, OUTCOME_SCORED}, {"a", 10, OUTCOME_NO_FACE}, {"c", 11, OUTCOME_SCORED}, {"gone", 10, OUTCOME_SCORED}};
    struct manifest *m = manifest_of(paths, 4);
    struct reduction r;
    struct error e;
    uint64_t sum = 0;

    write_segment(1, records, 4);
    cr_assert_eq(reduce(folder, fingerprint, m, &r, &e), STATUS_OK);
    cr_assert_eq(r.n_decided, 2);
    cr_assert_eq(r.n_foreign, 2, "a changed file and one that left");
    cr_assert_eq(results_outcome(r.results, 0), OUTCOME_NO_FACE);
    cr_assert_eq(results_p_fake(r.results, 1), 0.25);
    cr_assert_eq(results_outcome(r.results, 2), OUTCOME_UNDECIDED);
    for (unsigned o = 0; o < OUTCOME_COUNT; o++)
        sum += r.outcomes[o];
    cr_assert_eq(sum, 4);
    reduction_clear(&r);
    manifest_close(&m);
}

Test(reduce, of_two_records_the_same_one_wins_in_either_order)
{
    static const char *const paths[] = {"a"};
    static const struct record crashed = {"a", 10, OUTCOME_CRASHED}, scored = {"a", 10, OUTCOME_SCORED},
                               missing = {"a", 10, OUTCOME_MISSING};
    struct manifest *m = manifest_of(paths, 1);
    struct record orders[][3] = {{crashed, scored, missing}, {missing, crashed, scored}, {scored, missing, crashed}};

    for (size_t i = 0; i < 3; i++) {
        struct reduction r;
        struct error e;

        write_segment(1, orders[i], 3);
        cr_assert_eq(reduce(folder, fingerprint, m, &r, &e), STATUS_OK);
        cr_assert_eq(results_outcome(r.results, 0), OUTCOME_SCORED);
        cr_assert_eq(r.n_duplicates, 2);
        cr_assert_eq(r.outcomes[OUTCOME_SCORED], 1);
        cr_assert_eq(r.outcomes[OUTCOME_CRASHED] + r.outcomes[OUTCOME_MISSING], 0);
        reduction_clear(&r);
        remove_folder();
        make_folder();
    }
    manifest_close(&m);
}

/* A record and an entry, each with a size, a time and perhaps a content. */
struct identity {
    uint64_t size_bytes;
    int64_t mtime_ns;
    const char *content;
};

static size_t decided(struct identity record, struct identity entry)
{
    struct manifest *m = NULL;
    struct journal_writer *w = NULL;
    struct reduction r;
    struct error e;
    size_t n;
    struct result x = {
        .outcome = OUTCOME_NO_FACE, .p_fake = NAN, .size_bytes = record.size_bytes, .mtime_ns = record.mtime_ns};
    const struct manifest_entry y = {.path = "a",
                                     .exists = true,
                                     .size_bytes = entry.size_bytes,
                                     .mtime_ns = entry.mtime_ns,
                                     .content = entry.content};

    cr_assert_eq(result_set_path(&x, "a"), STATUS_OK);
    cr_assert_eq(result_set_content(&x, record.content), STATUS_OK);
    cr_assert_eq(journal_writer_open(folder, fingerprint, 0, 1, &w, &e), STATUS_OK);
    cr_assert_eq(journal_writer_append(w, &x, &e), STATUS_OK);
    cr_assert_eq(journal_writer_flush(w, &e), STATUS_OK);
    journal_writer_close(&w);
    result_clear(&x);
    cr_assert_eq(manifest_create("/corpus", "dir", &m, &e), STATUS_OK);
    cr_assert_eq(manifest_add(m, &y, &e), STATUS_OK);
    cr_assert_eq(reduce(folder, fingerprint, m, &r, &e), STATUS_OK);
    n = r.n_decided;
    reduction_clear(&r);
    manifest_close(&m);
    remove_folder();
    make_folder();
    return n;
}

Test(reduce, a_record_counts_by_content_where_both_have_one_and_else_by_size_and_time)
{
#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

    cr_assert_eq(decided((struct identity){10, 1, A}, (struct identity){10, 2, A}), 1, "touched");
    cr_assert_eq(decided((struct identity){10, 1, A}, (struct identity){10, 1, B}), 0, "other bytes");
    cr_assert_eq(decided((struct identity){10, 1, A}, (struct identity){10, 1, NULL}), 1);
    cr_assert_eq(decided((struct identity){10, 1, A}, (struct identity){10, 2, NULL}), 0);
    cr_assert_eq(decided((struct identity){10, 1, NULL}, (struct identity){10, 1, B}), 1);
    cr_assert_eq(decided((struct identity){10, 1, NULL}, (struct identity){11, 1, B}), 0);
}
