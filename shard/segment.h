/* segment: a part of a video, cut at clip boundaries, as a unit of work of its own; and how what lanes found in clips
 * becomes a video's result, whole or in parts.
 *
 * In: the clips' scores and tracks, each clip on its own. Out: tracks through the video, its score, its outcome.
 * Tracks live in a clip; from clip to clip they are linked here, by the tracker's own rule: a track of the new clip goes
 * on with the track whose last box it overlaps most (greedy, ties by lower number), if that one has missed no more than
 * hold_frames sampled frames by then. This is a pure function of the clips, so it does not matter which process worked
 * on which of them, and a whole video is the case of one segment.
 *
 * Segment i of n has the clips [i * c / n, (i + 1) * c / n) of the c that the sampling plan gives; every lane computes
 * the same c from the file's bytes, so nobody else needs to know it. */
#ifndef FAKESIFT_SHARD_SEGMENT_H
#define FAKESIFT_SHARD_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard/aggregate.h"
#include "shard/result.h"
#include "shard/status.h"

enum {
    SEGMENT_MAX_COUNT = 64,   /* segments of a video */
    SEGMENT_MAX_CLIPS = 512,  /* of a video's sampling plan */
    SEGMENT_MAX_TRACKS = 1024 /* in a segment's record, over its clips */
};

enum segment_state {
    SEGMENT_CLEAN = 1, /* every wanted frame was read without a remark: may be joined */
    SEGMENT_TROUBLED,  /* damage was met, which may tell on other clips: the video is worked on whole instead */
    SEGMENT_FAILED, /* the file does not open, or the lane died: so it would for the whole, the outcome is the video's */
};

/* What the card says about joining; from it a record can be joined without the card. */
struct segment_rule {
    bool has_faces; /* false: whole frames, which are all one track */
    enum aggregation clips, tracks;
    unsigned top_k, min_frames, hold_frames, min_face_px;
    double min_overlap;
};

/* One track within one clip. */
struct clip_track {
    uint32_t clip;        /* of the plan */
    uint32_t number;      /* within the clip */
    uint32_t first_frame; /* of the clip's frames, the one in which it begins */
    uint32_t n_missed;    /* frames at the clip's end without it */
    float first_box[4], last_box[4];
};

struct segment {
    uint32_t index, count; /* count 1: the whole video */
    enum segment_state state;
    struct segment_rule rule;
    uint32_t first_clip, n_clips;
    uint32_t *clip_frames;     /* frames read of each clip; owned */
    uint32_t longest_track;    /* frames; for the message of a video without a long enough one */
    struct clip_track *tracks; /* ascending by (clip, number); owned */
    size_t n_tracks;
};

/* NULL-safe; sets *s = NULL. */
void segment_free(struct segment **s);

/* The range of clips of segment index of count. */
void segment_range(uint32_t n_clips, uint32_t index, uint32_t count, uint32_t *ret_first, uint32_t *ret_n);

/* Whether r->segment keeps the rules: sizes within their bounds, tracks ordered and inside the range, boxes finite, and
 * every clip score of a track that is listed. Lanes are not trusted. */
bool segment_valid(const struct result *r);

/* r's clips carry track numbers within their clip, as s->tracks does. Links tracks, renumbers those that have a score
 * without gaps, and sets n_tracks and p_fake (NaN without clips). STATUS_CORRUPT: a clip score of a track that is not
 * listed. */
enum status segment_link(struct result *r, const struct segment *s, struct error *e);

/* Outcome and message by what was counted in r. n_errors and words: the decoder's. */
void segment_decide(struct result *r, const struct segment_rule *rule, unsigned longest_track, unsigned n_errors,
                    const char *words);

/* The end of a lane's work on s. The whole video (count 1): links and decides. A part: is clean or troubled, and says of
 * itself what fits its own clips. */
enum status segment_conclude(struct result *r, struct segment *s, unsigned n_errors, const char *words,
                             struct error *e);
/* Empties r and s of what was found in clips: it is not joined with others. */
void segment_drop_finds(struct result *r, struct segment *s, enum segment_state state);

/* A result of the whole video with what a part says of the file: its identity, facts, outcome, message, counts and timings;
 * without clips. *ret_r is the caller's. STATUS_NO_MEMORY. */
enum status segment_copy_head(const struct result *part, struct result *ret_r);

/* The results of all segments of one video, by index -> the video's result. They keep what they own.
 * STATUS_OK: *ret_result is the caller's. STATUS_AGAIN: one is troubled, the video must be worked on whole. */
enum status segment_join(const struct result *const *parts, size_t n_parts, struct result *ret_result, struct error *e);

#endif
