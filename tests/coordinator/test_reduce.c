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
