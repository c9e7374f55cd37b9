/* wire: what travels between coordinator, agents and lanes, and what a journal keeps; protobuf under a C
 * face. The only module that sees the generated protobuf-c of shard/wire.proto.
 *
 * Every unpack checks lengths, enums and ranges: bytes that do not parse are STATUS_CORRUPT, never a crash.
 * Every pack checks the same rules first and gives STATUS_INVALID, so nothing is sent or kept that could not
 * be read back.
 *
 * Rules of a message: its kind is known; unit, lease and attempt stand where the kind names them; lease and
 * attempt count from 1; an outcome is decided; wall_us >= 0; a LEASE's path is not empty, its
 * archive a part of it before a slash, its bytes end within 63 bits; text is at most
 * WIRE_MAX_TEXT_BYTES. Rules of a result: the path is not empty; the outcome is decided; p_fake is in 0..1
 * exactly when outcome_has_score(outcome), else NaN, and a result without a score has no clips; frames with a
 * face <= frames decoded; clips are in strictly ascending order of (track, clip), each track < n_tracks,
 * start_us <= end_us, p_fake in 0..1; facts and timings are not negative, rotation_deg is 0, 90, 180 or 270,
 * fps_den is not 0 where fps_num is not; strings end inside their arrays; a segment is segment_valid;
 * prints are picture_prints_valid (a journal of before they were has none); members are members_valid. */
#ifndef FAKESIFT_SHARD_WIRE_H
#define FAKESIFT_SHARD_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "shard/hash.h"
#include "shard/result.h"
#include "shard/status.h"

enum {
    WIRE_MAX_BYTES = 192 * 1024, /* of one packed message; a larger one is refused before it is sent */
    WIRE_MAX_TEXT_BYTES = 4095,  /* of a path or another text, zero byte apart: Linux opens no longer path */
};

enum message_kind {
    MESSAGE_HELLO = 1, /* agent -> coordinator: here I am */
    MESSAGE_LEASE,     /* coordinator -> agent: work on this unit */
    MESSAGE_RESULT,    /* agent -> coordinator: a unit's record is durable in my journal */
    MESSAGE_FAILED,    /* agent -> coordinator: the attempt failed, may be repeated, and left no record */
    MESSAGE_HEARTBEAT, /* both ways */
    MESSAGE_STOP,      /* coordinator -> agent: take no more, finish; agent -> coordinator: cannot go on */
    MESSAGE_BYE,       /* agent -> coordinator: the last message; coordinator -> agent: all is over */
    MESSAGE_WELCOME,   /* coordinator -> agent: the corpus, in answer to HELLO */
    MESSAGE_ABANDON,   /* coordinator -> agent: all is over but a rank is lost, so nobody can finalise MPI */
    MESSAGE_KIND_COUNT
};

/* One flat message; fields beyond those named for a kind stay zero. Strings are owned by the message. */
struct message {
    enum message_kind kind;
    uint32_t n_lanes; /* HELLO */
    char *text; /* HELLO: host name; WELCOME: the corpus' root; STOP, FAILED: the reason; LEASE: the video's path */
    char fingerprint[SHA256_HEX_BYTES]; /* HELLO: of what decides scores, as this rank sees it; may be "" */
    uint64_t unit;                      /* LEASE, RESULT, FAILED: index in the manifest */
    uint64_t lease;               /* LEASE, RESULT, FAILED: number of the lease, from 1, never used twice in a run */
    uint32_t attempt;             /* LEASE: 1-based */
    bool last_attempt;            /* LEASE: a failure is this unit's outcome, so record it */
    uint64_t size_bytes;          /* LEASE: identity to be recorded */
    int64_t mtime_ns;             /* LEASE */
    uint32_t archive_bytes;       /* LEASE: how much of the path is the archive's own (shard/manifest.h); 0: none */
    uint64_t offset_bytes;        /* LEASE */
    char *content;                /* LEASE: as the manifest has it, or NULL */
    enum outcome outcome;         /* RESULT; FAILED: what the attempt would be */
    int64_t wall_us;              /* RESULT */
    uint64_t n_frames;            /* RESULT: decoded frames, for progress */
    uint32_t segment, n_segments; /* LEASE: which part of the video (shard/segment.h); 0 and 0: the whole */
    uint32_t segment_state;       /* RESULT of a part: enum segment_state; 0: of the whole */
    bool drain; /* STOP to an agent: drop what is in flight at once; from an agent: no leased unit was begun */
};

/* Frees what m owns and zeroes it. */
void message_clear(struct message *m);
/* Fields that m's kind does not carry are left out. *ret_data is the caller's to free. */
enum status message_pack(const struct message *m, uint8_t **ret_data, size_t *ret_len_bytes);
/* *ret_m is the caller's to message_clear; its text is never NULL where the kind carries one, and NULL
 * elsewhere. */
enum status message_unpack(const uint8_t *data, size_t len_bytes, struct message *ret_m);

/* STATUS_INVALID when the packed form would pass WIRE_MAX_BYTES, which a result within the rules never does.
 * *ret_data is the caller's to free. */
enum status result_pack(const struct result *r, uint8_t **ret_data, size_t *ret_len_bytes);
/* *ret_r is the caller's to result_clear. Doubles come back bit by bit; control bytes in the message (a lane
 * is not trusted) become blanks. */
enum status result_unpack(const uint8_t *data, size_t len_bytes, struct result *ret_r);

/* Where result_unpack_plain puts texts and clips. */
struct wire_room {
    char *text;
    size_t text_bytes;
    struct clip_score *clips;
    size_t n_clips;
};

/* result_unpack for who reads very many records of whole videos and looks at no prints: those and the extras beside them are
 * checked and left out. What ret_r points to lies in room, which is made smaller by it; there is nothing to clear.
 * STATUS_AGAIN: room is too small, or the bytes are not as result_pack writes them for a whole video, and result_unpack
 * says what they are; ret_r is then undefined and room as it was. */
enum status result_unpack_plain(const uint8_t *data, size_t len_bytes, struct wire_room *room, struct result *ret_r);

#endif
