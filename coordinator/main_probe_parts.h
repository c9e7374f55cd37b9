/* main_probe_parts: what the two halves of main_probe share: the letters, the worker that every rank is, and the lead that
 * rank 0 is besides. Only coordinator/main_probe*.c include this. In: letters. Out: letters, and on rank 0 facts. */
#ifndef FAKESIFT_COORDINATOR_MAIN_PROBE_PARTS_H
#define FAKESIFT_COORDINATOR_MAIN_PROBE_PARTS_H

#include "nodes/lane_pool.h"
#include "shard/channel.h"
#include "shard/manifest.h"
#include "shard/text.h"

/* Letters between ranks. The first byte says what it is; numbers are little-endian.
 *     HELLO    u32 lanes                       worker -> rank 0
 *     ROOT     the corpus' folder              rank 0 -> worker, first of all
 *     PATHS    (u32 index, u16 archive, u64 offset, u64 size, path, 0)...   rank 0 -> worker
 *     FACTS    (u32 index, u16 length, result) worker -> rank 0; length 0: it could not be read
 *     ALIVE                                    both ways
 *     CANNOT   why                             worker -> rank 0
 *     END                                      rank 0 -> worker; worker -> rank 0 in answer */
enum letter {
    LETTER_HELLO = 'h',
    LETTER_ROOT = 'r',
    LETTER_PATHS = 'p',
    LETTER_FACTS = 'f',
    LETTER_ALIVE = 'a',
    LETTER_CANNOT = 'c',
    LETTER_END = 'e',
};

enum {
    LETTER_BYTES = CHANNEL_MAX_BYTES,
    AHEAD = 4 * LANE_MAX_BATCH, /* files that a rank is sent beyond what its lanes have in work, for each lane */
    TIMEOUT_US = 60000000,
    UNITS_PER_LANE = 8192,
    ALIVE_US = 2000000,
    SILENCE_US = 60000000,
    SHOW_US = 500000,
    LOG_US = 60000000,
    MAX_WAIT_MS = 20,
    FDS_ON_THE_WAY = 512,
    PATH_HEAD_BYTES = 22, /* of an entry in PATHS */
};

struct file {
    struct file *next;
    uint32_t index;
    size_t archive_bytes; /* as the manifest has it */
    struct window window;
    char path[];
};

/* What every rank does. */
struct worker {
    struct lane_pool *pool;
    int root_fd;
    struct file *first, *last;
    struct text facts; /* the FACTS letter being filled */
    bool said_hello, ended;
    int64_t spoke_us, heard_us;
    unsigned n_lanes;
    size_t batch; /* files in a message to a lane */
};

struct peer {
    unsigned n_lanes; /* 0: not heard of yet */
    size_t n_sent;    /* and not answered */
    int64_t heard_us, told_us;
    bool lost, ended;
};

/* What rank 0 does besides. */
struct lead {
    struct manifest *m;
    struct peer *peers;
    uint16_t *owner; /* rank + 1 of whom an entry was sent to; 0: nobody */
    uint8_t *done;
    size_t next, n_done, n_unreadable;
    uint32_t *again; /* entries of a rank that was lost */
    size_t n_again;
    int64_t start_us, shown_us;
    bool live, told_end;
};

struct probing {
    struct channel *channel;
    struct worker worker;
    struct lead *lead; /* rank 0 */
    struct pollfd fds[LANE_POOL_MAX_LANES + 1];
};

void probe_send(struct channel *c, unsigned to, enum letter kind, const void *data, size_t len);

/* main_probe_lead.c */
enum status probe_lead_open(struct manifest *m, unsigned n_ranks, struct lead **ret_l, struct error *e);
void probe_lead_close(struct lead **l); /* NULL-safe; sets *l = NULL */
/* Sends what the ranks may have, and judges their silence. */
enum status probe_lead_direct(struct probing *p, int64_t now, struct error *e);
enum status probe_lead_take(struct probing *p, unsigned from, const uint8_t *letter, size_t len, int64_t now,
                            struct error *e);

#endif
