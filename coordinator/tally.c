#include "coordinator/tally.h"

#include <stdio.h>

enum { N_FIELDS = RECORD_TALLY_BYTES / 8, FIRST_OUTCOME = 5 };

void record_tally_add(struct record_tally *t, const struct result *r)
{
    t->n_records++;
    t->outcomes[r->outcome]++;
    t->n_frames += r->n_frames_decoded;
    t->n_tracks += r->n_tracks;
    if (outcome_has_score(r->outcome))
        t->score_sum += (uint64_t)(r->p_fake * 0x1p40);
    t->wall_us += (uint64_t)r->wall_us;
}

static uint64_t *field(struct record_tally *t, size_t i)
{
    uint64_t *const fields[] = {&t->n_records, &t->n_frames, &t->n_tracks, &t->score_sum, &t->wall_us};

    return i < FIRST_OUTCOME ? fields[i] : &t->outcomes[i - FIRST_OUTCOME];
}

void record_tally_merge(struct record_tally *t, const struct record_tally *other)
{
    struct record_tally copy = *other;

    for (size_t i = 0; i < N_FIELDS; i++)
        *field(t, i) += *field(&copy, i);
}

void record_tally_subtract(struct record_tally *t, const struct record_tally *other)
{
    struct record_tally copy = *other;

    for (size_t i = 0; i < N_FIELDS; i++)
        *field(t, i) -= *field(&copy, i);
}

void record_tally_pack(const struct record_tally *t, uint8_t ret_bytes[RECORD_TALLY_BYTES])
{
    struct record_tally copy = *t;

    for (size_t i = 0; i < N_FIELDS; i++) {
        for (unsigned k = 0; k < 8; k++)
            ret_bytes[8 * i + k] = (uint8_t)(*field(&copy, i) >> (8 * k));
    }
}

void record_tally_unpack(const uint8_t bytes[RECORD_TALLY_BYTES], struct record_tally *ret_t)
{
    for (size_t i = 0; i < N_FIELDS; i++) {
        uint64_t v = 0;

        for (unsigned k = 0; k < 8; k++)
            v |= (uint64_t)bytes[8 * i + k] << (8 * k);
        *field(ret_t, i) = v;
    }
}

static void name_field(size_t i, char *ret_name, size_t room)
{
    static const char *const names[] = {"results", "frames", "tracks", "the sum of scores in units of 2^-40",
                                        "microseconds of lanes"};

    if (i < FIRST_OUTCOME)
        snprintf(ret_name, room, "%s", names[i]);
    else
        snprintf(ret_name, room, "results %s", outcome_name((enum outcome)(i - FIRST_OUTCOME)));
}

bool record_tally_covers(const struct record_tally *t, const struct record_tally *other)
{
    struct record_tally a = *t, b = *other;

    for (size_t i = 0; i < N_FIELDS; i++) {
        if (*field(&a, i) < *field(&b, i))
            return false;
    }
    return true;
}

enum status record_tally_check(const struct record_tally *counted, const struct record_tally *in_journals,
                               const char *journal_folder, struct error *e)
{
    struct record_tally a = *counted, b = *in_journals;

    for (size_t i = 0; i < N_FIELDS; i++) {
        char name[64];

        if (*field(&a, i) == *field(&b, i))
            continue;
        name_field(i, name, sizeof(name));
        return error_set(
            e, STATUS_MISMATCH,
            "%s: the ranks counted %llu %s in this start and the journals hold %llu: a segment was lost, damaged or "
            "added "
            "while the job ran. Look for what else writes there and at the disk; then the same command does again what "
            "the journals lack, and `fakesift report` makes a report of what they hold",
            journal_folder, (unsigned long long)*field(&a, i), name, (unsigned long long)*field(&b, i));
    }
    return STATUS_OK;
}
