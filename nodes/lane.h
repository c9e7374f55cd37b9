/* lane: a sandboxed process that works on one unit at a time.
 *
 * In: jobs on its socket, each with the open descriptors of one video or several attached. Out: a packed struct result for
 * each video, on the same socket. It has no other way in or out. The first message is its greeting with the layers of its sandbox. */
#ifndef FAKESIFT_NODES_LANE_H
#define FAKESIFT_NODES_LANE_H

#include <stdint.h>

#include "nodes/notes.h"
#include "nodes/score.h"

enum lane_work { LANE_SCORE = 1, LANE_PROBE };

enum { LANE_MAX_BATCH = 32 };

struct lane_job {
    uint32_t work;                /* enum lane_work */
    uint32_t n_units;             /* descriptors attached, 1..LANE_MAX_BATCH; worked on and answered in their order */
    uint32_t segment, n_segments; /* LANE_SCORE: the part of the video; n_segments 0 or 1: the whole */
    struct window windows[LANE_MAX_BATCH]; /* of each descriptor */
    uint64_t serial; /* of the first unit; the others count on. An answer has its unit's as size_bytes */
};

enum { LANE_GREETING_MAGIC = 0x4c414e45 };

struct lane_greeting {
    uint32_t magic;
    uint32_t sandbox_layers;
};

struct lane_settings {
    uint64_t memory_bytes, cpu_s;
    bool require_sandbox;
    int socket_fd;
    struct lane_notes *notes;
    struct scorer *scorer; /* NULL: probes only */
};

/* Exit statuses of a lane. */
enum { LANE_EXIT_END = 0, LANE_EXIT_SANDBOX = 3, LANE_EXIT_INTERNAL = 4 };

/* Enters the sandbox and works until the socket's other end closes. Returns the process's exit status. */
int lane_main(const struct lane_settings *settings);

#endif
