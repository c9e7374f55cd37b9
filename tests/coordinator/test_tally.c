#include "coordinator/tally.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct result made(unsigned i)
{
    struct result r = {.outcome = i % 3 ? OUTCOME_SCORED : OUTCOME_NO_FACE,
                       .p_fake = i % 3 ? 1.0 / (i + 1) : NAN,
                       .n_frames_decoded = i,
                       .n_tracks = i % 2,
                       .wall_us = 1000 * i};
    return r;
}

Test(tally, ranks_add_up_to_the_journals_in_any_order)
{
    struct record_tally ranks[4] = {{0}}, journals = {0}, sum = {0};
    struct error e = {0};

    for (unsigned i = 0; i < 1000; i++) {
        struct result r = made(i), other = made(999 - i);

        record_tally_add(&ranks[i % 4], &r);
        record_tally_add(&journals, &other);
    }
    for (unsigned k = 0; k < 4; k++) {
        uint8_t bytes[RECORD_TALLY_BYTES];
        struct record_tally t = {0};

        record_tally_pack(&ranks[k], bytes);
        record_tally_unpack(bytes, &t);
        record_tally_merge(&sum, &t);
    }
    cr_expect_eq(sum.n_records, 1000);
    cr_expect_eq(sum.outcomes[OUTCOME_NO_FACE], 334);
    cr_expect_eq(record_tally_check(&sum, &journals, "run/journal", &e), STATUS_OK, "%s", e.text);
}

Test(tally, earlier_starts_are_taken_off)
{
    struct record_tally before = {0}, after = {0}, start = {0};
    struct error e = {0};

    for (unsigned i = 0; i < 100; i++) {
        struct result r = made(i);

        record_tally_add(i < 40 ? &before : &start, &r);
        record_tally_add(&after, &r);
    }
    record_tally_subtract(&after, &before);
    cr_expect_eq(record_tally_check(&start, &after, "run/journal", &e), STATUS_OK, "%s", e.text);
}

Test(tally, any_count_that_differs_is_named_with_both_numbers)
{
    struct record_tally a = {.n_records = 28}, b = {.n_records = 27};
    struct error e = {0};

    cr_expect_eq(record_tally_check(&a, &b, "run/journal", &e), STATUS_MISMATCH);
    cr_expect(strstr(e.text, "run/journal") && strstr(e.text, "28 results") && strstr(e.text, "hold 27"), "%s", e.text);
    b = a;
    b.outcomes[OUTCOME_CRASHED]++;
    cr_expect_eq(record_tally_check(&a, &b, "run/journal", &e), STATUS_MISMATCH);
    cr_expect(strstr(e.text, "0 results crashed"), "%s", e.text);
    b = a;
    b.score_sum = 1;
    cr_expect_eq(record_tally_check(&a, &b, "run/journal", &e), STATUS_MISMATCH);
    cr_expect(strstr(e.text, "sum of scores"), "%s", e.text);
}
