#include "shard/outcome.h"

#include <string.h>

static const char *const names[OUTCOME_COUNT] = {
    [OUTCOME_UNDECIDED] = "undecided",
    [OUTCOME_SCORED] = "scored",
    [OUTCOME_PARTIAL_DECODE] = "partial_decode",
    [OUTCOME_NO_FACE] = "no_face",
    [OUTCOME_TOO_SHORT] = "too_short",
    [OUTCOME_NO_VIDEO] = "no_video",
    [OUTCOME_DECODE_ERROR] = "decode_error",
    [OUTCOME_TIMEOUT] = "timeout",
    [OUTCOME_CRASHED] = "crashed",
    [OUTCOME_MISSING] = "missing",
    [OUTCOME_UNSUPPORTED] = "unsupported",
};

const char *outcome_name(enum outcome o)
{
    return (unsigned)o < OUTCOME_COUNT ? names[o] : names[OUTCOME_UNDECIDED];
}

enum outcome outcome_from_name(const char *name)
{
    for (unsigned o = 1; o < OUTCOME_COUNT; o++) {
        if (strcmp(names[o], name) == 0)
            return (enum outcome)o;
    }
    return OUTCOME_UNDECIDED;
}
