/* outcome: what became of a video. Every video of a manifest ends with exactly one. */
#ifndef FAKESIFT_SHARD_OUTCOME_H
#define FAKESIFT_SHARD_OUTCOME_H

#include <stdbool.h>

enum outcome {
    OUTCOME_UNDECIDED = 0,  /* never in a journal */
    OUTCOME_SCORED,         /* every wanted frame was read */
    OUTCOME_PARTIAL_DECODE, /* scored, but some wanted frames were lost; the message says what */
    OUTCOME_NO_FACE,        /* decoded, no face found in any wanted frame */
    OUTCOME_TOO_SHORT,      /* fewer frames than the detector needs */
    OUTCOME_NO_VIDEO,       /* no video stream, or not a media file */
    OUTCOME_DECODE_ERROR,   /* recognised, but nothing usable could be decoded */
    OUTCOME_TIMEOUT,        /* past the deadline, on every attempt */
    OUTCOME_CRASHED,        /* the lane died, on every attempt */
    OUTCOME_MISSING,        /* the file could not be opened */
    OUTCOME_UNSUPPORTED,    /* a codec, container or size that this build does not read */
    OUTCOME_COUNT
};

/* "scored", "no_face", ... as in the reports; "undecided" for anything else. */
const char *outcome_name(enum outcome o);
/* OUTCOME_UNDECIDED for an unknown name. */
enum outcome outcome_from_name(const char *name);

static inline bool outcome_has_score(enum outcome o)
{
    return o == OUTCOME_SCORED || o == OUTCOME_PARTIAL_DECODE;
}

#endif
