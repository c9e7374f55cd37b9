/* lane_fds: the descriptors between an agent and one lane: a socket for jobs and answers, a page of notes, and the pipe that
 * takes what the lane prints. Both sides are made here, close-on-exec; theirs are for zygote_spawn. */
#ifndef FAKESIFT_NODES_LANE_FDS_H
#define FAKESIFT_NODES_LANE_FDS_H

#include <stddef.h>

#include "nodes/notes.h"
#include "nodes/zygote.h"
#include "shard/status.h"

struct lane_fds {
    int socket_fd; /* non-blocking */
    int words_fd;  /* see nodes/last_words.h */
    struct lane_notes *notes;
};

/* Both are the caller's on success, untouched on failure. */
enum status lane_fds_open(struct lane_fds *ret_ours, struct zygote_lane_fds *ret_theirs, struct error *e);
/* NULL-safe content; all is closed and set to -1 or NULL. */
void lane_fds_close(struct lane_fds *ours);
void lane_fds_close_theirs(struct zygote_lane_fds *theirs);

/* Asks for as many descriptors as n_lanes may need here: many machines have more cores than half of the usual 1,024. */
void lane_fds_make_room(unsigned n_lanes);

#endif
