/* submission: what somebody hands in to a leaderboard, checked line by line against the truth.
 *
 * In: a truth (a manifest with labels) and a file in a board's form. Out: a score or none for each labelled video, and each
 * break of a rule as one line: file, line, value, rule. Files are other people's: everything is bounded, and a file that
 * cannot be read to its end is a submission with that error, not a failure of ours. One thread owns a submission. */
#ifndef FAKESIFT_COORDINATOR_EVALUATE_SUBMISSION_H
#define FAKESIFT_COORDINATOR_EVALUATE_SUBMISSION_H

#include "coordinator/evaluate/board.h"
#include "coordinator/evaluate/localise.h"

/* The labels that submissions are measured against; ids are a manifest's paths. */
struct truth;

/* path: a manifest (fakesift scan), a run folder, or a CSV with the columns path (or filename, video_name, file, id) and
 * label (or is_fake), and where they are known split (or usage), original, identity, group. STATUS_INVALID names the line:
 * an id that stands twice, a label that is none, nothing labelled. */
enum status truth_open(const char *path, struct truth **ret_t, struct error *e);
void truth_close(struct truth **t); /* NULL-safe; sets *t = NULL */
const struct manifest *truth_manifest(const struct truth *t);
size_t truth_count(const struct truth *t); /* of all, labelled or not */
/* The entry of an id: its path, or the last component of its path or that without extension where one entry alone has it.
 * SIZE_MAX: none. */
size_t truth_find(const struct truth *t, const char *id);

/* Which entries are held back: private_[i] != 0. */
/* The share (0..1) of each class whose hash with the seed is lowest: the same for the same ids, whatever their order. */
enum status truth_split_by_share(const struct truth *t, double share, uint64_t seed, uint8_t *private_,
                                 struct error *e);
/* By a list of ids, a line each (a first line "path", "filename" or "id" is a heading). STATUS_INVALID names the line. */
enum status truth_split_by_file(const struct truth *t, const char *path, uint8_t *private_, struct error *e);
/* By splits named "private" and "public" in the truth itself; *ret_is_there: whether it has both. */
void truth_split_by_itself(const struct truth *t, uint8_t *private_, bool *ret_is_there);

enum problem {
    PROBLEM_FORM,     /* a row, a heading or the file is not what the board takes */
    PROBLEM_NUMBER,   /* not a number */
    PROBLEM_RANGE,    /* outside 0..1 */
    PROBLEM_VALUE,    /* a word that is none of the board's */
    PROBLEM_REPEATED, /* an id for the second time; the first counts */
    PROBLEM_EXTRA,    /* an id that the truth does not have */
    PROBLEM_MISSING,  /* an id of the truth without a row */
    PROBLEM_COUNT
};

const char *problem_name(enum problem p);

enum { SUBMISSION_MAX_TOLD = 20 /* lines kept of each kind of problem */ };

enum answer { ANSWER_MISSING, ANSWER_GIVEN, ANSWER_DECLINED };

struct submission {
    char *path, *name; /* name: the path's end that tells it apart */
    char *detector;    /* of RUN:DETECTOR, whose columns of scores.csv count; NULL: the run's first */
    enum board board;
    double *p_fake;  /* by entry of the truth; 0.5 unless given */
    uint8_t *answer; /* by entry: enum answer */
    size_t n_rows, n_given, n_declined, n_half, n_unlabelled;
    size_t n_problems[PROBLEM_COUNT];
    /* 1mdf-2: each video's proposals, the most confident first, by entry; NULL where the file has no video. */
    struct proposal *proposals;
    size_t n_proposals, proposal_room, *first_proposal, *n_proposals_of;
    size_t n_beyond_end;        /* of them, those that end a second or more after their video */
    size_t first_unsorted_line; /* dfdc; 0: sorted */
    bool is_cut;                /* not read to its end, which has been told; what is missing is not */
    char **told;                /* one line each, in the order of finding */
    size_t n_told;
    size_t n_told_of[PROBLEM_COUNT];
};

/* path: a file, a run's folder, or RUN:DETECTOR, the run's scores by one of its further detectors.
 * board: BOARD_AUTO, or what it must be. STATUS_NO_MEMORY alone is a failure. */
enum status submission_open(const char *path, enum board board, const struct truth *t, struct submission **ret_s,
                            struct error *e);
void submission_close(struct submission **s); /* NULL-safe; sets *s = NULL */
/* A leaderboard takes it. Missing ids count where may_miss is false. */
bool submission_is_valid(const struct submission *s, bool may_miss);

#endif
