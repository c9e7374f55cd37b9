/* lane_pool: a zygote and its lanes, seen as places where a unit can be worked on.
 *
 * In: open descriptors with a token each. Out: events, exactly one for each start: a result, or a failure with what the
 * lane's death says (signal, decoder's last words, deadline). A lane that died is replaced at the next start; a lane is
 * also replaced after LANE_POOL_UNITS units, so that what libraries leak stays small. One thread owns a pool. */
#ifndef FAKESIFT_NODES_LANE_POOL_H
#define FAKESIFT_NODES_LANE_POOL_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#include "nodes/finds.h"
#include "nodes/lane.h"
#include "nodes/zygote.h"
#include "shard/result.h"

enum { LANE_POOL_MAX_LANES = 1024, LANE_POOL_UNITS = 64 };

struct lane_pool;

struct lane_pool_settings {
    unsigned n_lanes; /* 1..LANE_POOL_MAX_LANES */
    enum lane_work work;
    int64_t timeout_us; /* a unit that takes longer is killed; > 0 */
    bool takes_finds;   /* lanes give them (struct zygote_settings); otherwise one that does is not trusted */
    unsigned n_units;   /* after which a lane is replaced; 0: LANE_POOL_UNITS */
};

enum lane_pool_event_kind {
    LANE_POOL_RESULT = 1,
    LANE_POOL_FAILED,   /* outcome: OUTCOME_TIMEOUT or OUTCOME_CRASHED */
    LANE_POOL_NOT_BEGUN /* the lane died before it could look at the unit, which bears no blame */
};

struct lane_pool_event {
    enum lane_pool_event_kind kind;
    uint64_t token;
    int64_t wall_us;
    struct finds finds;   /* RESULT: what came with it, of the result's clips; the taker clears it */
    struct result result; /* RESULT: the taker clears it. Its path and timings of the agent are not set. */
    enum outcome outcome; /* FAILED */
    char message[RESULT_MESSAGE_BYTES]; /* FAILED, NOT_BEGUN */
};

/* Takes over *z on success (and sets it NULL). Non-blocking from here on. */
enum status lane_pool_open(const struct lane_pool_settings *settings, struct zygote **z, struct lane_pool **ret_p,
                           struct error *e);
/* Kills what runs. NULL-safe; sets *p = NULL. */
void lane_pool_close(struct lane_pool **p);

/* The zygote has loaded everything. */
bool lane_pool_is_ready(const struct lane_pool *p);
/* Units that could be started now. */
unsigned lane_pool_free(const struct lane_pool *p);
unsigned lane_pool_busy(const struct lane_pool *p);
/* Of those that are busy, the ones whose lane has surely begun to live: they may have to do with what breaks a pool. */
unsigned lane_pool_begun(const struct lane_pool *p);
/* The layers that the sandbox of every lane so far had (nodes/sandbox.h), 0 before the first lane greeted; also logged. */
unsigned lane_pool_sandbox_layers(const struct lane_pool *p);

/* What a lane is given of a video. */
struct lane_video {
    int fd;
    struct window window;         /* all zero: the whole file */
    uint32_t segment, n_segments; /* the part of the video; 0 and 0: the whole */
};

/* Takes over video_fd (closes it in every case). lane_pool_free() must be > 0. Not STATUS_OK: no lane
 * could be had. */
enum status lane_pool_start(struct lane_pool *p, uint64_t token, int video_fd, int64_t now_us, struct error *e);
/* The same with n units, 1..LANE_MAX_BATCH, in one message: the lane works on them one after the other, each with its own
 * event and its own deadline. Where it dies, those after the one in work are NOT_BEGUN. Whole videos alone. */
enum status lane_pool_start_batch(struct lane_pool *p, const uint64_t *tokens, const struct lane_video *videos,
                                  size_t n, int64_t now_us, struct error *e);
/* The same for a video that may lie in an archive, or a part of one. */
enum status lane_pool_start_video(struct lane_pool *p, uint64_t token, const struct lane_video *video, int64_t now_us,
                                  struct error *e);
/* Kills every unit in work; each still gives its event. */
void lane_pool_kill_all(struct lane_pool *p);

/* Fills up to room entries to poll for reading; returns how many. Deadlines need a look at least each second as well. */
size_t lane_pool_poll_set(const struct lane_pool *p, struct pollfd *fds, size_t room);

/* The next thing that happened. STATUS_AGAIN: nothing now. Anything else: the pool is broken (the detector does not
 * load, the zygote died, lanes cannot start), said in e. */
enum status lane_pool_next(struct lane_pool *p, int64_t now_us, struct lane_pool_event *ret_event, struct error *e);

#endif
