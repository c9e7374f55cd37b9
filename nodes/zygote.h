/* zygote: the process that lanes are forked from. It holds the detector, prepared once, and nothing else: no MPI, no
 * journal, no corpus.
 *
 * agent (rank) --fork, before MPI_Init--> zygote --fork on demand--> lanes
 * The agent and the zygote share a SOCK_SEQPACKET socket. agent -> zygote: spawn a lane (with its socket, its notes
 * page and its standard error attached), kill a lane. zygote -> agent: ready or failed, lane died (with its wait status).
 * Every child dies with its parent. One thread owns the agent's end. */
#ifndef FAKESIFT_NODES_ZYGOTE_H
#define FAKESIFT_NODES_ZYGOTE_H

#include <stdint.h>
#include <sys/types.h>

#include "models/network.h"
#include "nodes/finds.h"
#include "shard/status.h"

struct zygote;

struct zygote_settings {
    const char *detector;             /* names or paths, as models/detector_set.h takes them; NULL: lanes only probe */
    enum network_backend backend;     /* default NETWORK_BACKEND_AUTO */
    enum network_precision precision; /* default NETWORK_PRECISION_F32 */
    uint64_t lane_memory_bytes;       /* beyond the zygote's own; 0: no limit */
    uint64_t lane_cpu_s;              /* CPU seconds of one lane; 0: no limit */
    bool require_sandbox;             /* a lane without every layer refuses to work */
    struct finds_settings finds;      /* what lanes give besides results */
};

/* Of the detector on this machine, one lane; 0 where it has no such stage. */
struct zygote_speed {
    double clip_s; /* the networks over one clip */
    double face_s; /* the face search in one frame of the searched size */
};

enum zygote_event_kind { ZYGOTE_READY = 1, ZYGOTE_FAILED, ZYGOTE_LANE_DIED };

/* READY and FAILED come once; zygote_wait takes them when it is called before zygote_next_event. */

struct zygote_event {
    enum zygote_event_kind kind;
    uint32_t lane;               /* LANE_DIED */
    int wait_status;             /* LANE_DIED */
    struct zygote_speed speed;   /* READY */
    char text[ERROR_TEXT_BYTES]; /* FAILED; LANE_DIED: why there never was a process, else "" */
};

/* Forks. The zygote begins to load the detector at once; READY or FAILED comes when it has. */
enum status zygote_start(const struct zygote_settings *settings, struct zygote **ret_z, struct error *e);
/* Ends the zygote and with it every lane, and waits for it. NULL-safe; sets *z = NULL. */
void zygote_stop(struct zygote **z);

/* Waits until it is ready. STATUS_INVALID: the detector does not load (said in e). STATUS_IO: it died. */
enum status zygote_wait(struct zygote *z, struct error *e);
bool zygote_is_ready(const struct zygote *z);
/* Zeros before it is ready. */
struct zygote_speed zygote_speed(const struct zygote *z);

/* Readable when zygote_next_event has something. */
int zygote_fd(const struct zygote *z);
/* STATUS_AGAIN: nothing now. STATUS_END: the zygote is dead. */
enum status zygote_next_event(struct zygote *z, struct zygote_event *ret_event);

/* Whether an order would be taken now; a zygote that is busy forking may have a full socket for a while. */
bool zygote_has_room(const struct zygote *z);
struct zygote_lane_fds {
    int socket_fd, notes_fd, stderr_fd;
};
/* The descriptors are passed on and stay the caller's to close. STATUS_END: the zygote is dead. STATUS_AGAIN: it takes no
 * order now. */
enum status zygote_spawn(struct zygote *z, uint32_t lane, const struct zygote_lane_fds *fds);
enum status zygote_kill(struct zygote *z, uint32_t lane);

#endif
