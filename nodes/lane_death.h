/* lane_death: why a lane is dead, in words for the result of the video that it had in work. */
#ifndef FAKESIFT_NODES_LANE_DEATH_H
#define FAKESIFT_NODES_LANE_DEATH_H

#include "nodes/notes.h"
#include "nodes/zygote.h"
#include "shard/result.h"

struct lane_death {
    const struct zygote_event *event;
    const struct lane_notes *notes; /* what it was at; read with mistrust */
    int64_t timeout_us;             /* killed since it took longer; 0: no */
    bool given_up;                  /* killed at a drain */
    const char *misdeed;            /* for which it was killed; NULL: none */
};

void lane_death_describe(const struct lane_death *d, enum outcome *ret_outcome, char ret_message[RESULT_MESSAGE_BYTES]);

#endif
