/* score_member: one detector in work on one video. In: its card and networks; patches of clips. Out: clip scores in its result,
 * tracks in its segment. Internal to nodes/score*.c; one thread. */
#ifndef FAKESIFT_NODES_SCORE_MEMBER_H
#define FAKESIFT_NODES_SCORE_MEMBER_H

#include "models/detector.h"
#include "nodes/finds.h"
#include "nodes/inference.h"
#include "nodes/notes.h"
#include "shard/result.h"
#include "shard/segment.h"

struct score_member {
    const struct card *card;
    struct inference *inference;
    double clip_s;
    /* Of the video in work. */
    struct result *result;
    struct segment *segment; /* what the clips gave besides scores; of the whole video or of a part; owned */
    size_t room_clips, room_tracks;
    size_t n_tracks_before; /* the clip in work */
    enum outcome failed;    /* decided: it gives nothing more of this video, and the result's message says why */
};

/* What the members have in common while they work on a video. */
struct score_work {
    struct lane_notes *notes; /* may be NULL */
    bool contains;            /* a member that cannot go on fails alone, since others can */
    struct finds *finds;      /* of `finder`, the one member whose finds are kept */
    const struct finds_settings *keeps;
    const struct score_member *finder;
    int64_t decode_us, face_us, network_us;
};

void score_note_stage(const struct score_work *w, const char *stage);

/* The patches of one track in one clip. */
struct score_clip {
    struct clip_score clip;  /* without the score; n_frames: patches up to the last one with the face */
    struct clip_track track; /* n_missed: the last frame of the clip that shows it; score_member_end_clip turns it */
    const uint8_t *patches;
    const int64_t *times_us;
    unsigned n_faces; /* patches that show the face */
};

/* Takes the track, and scores it when it is long enough. A failure that is this member's alone is none here. */
enum status score_member_take(struct score_member *m, struct score_work *w, const struct score_clip *c,
                              struct error *e);

/* Begins on a video, or on part index of count. STATUS_NO_MEMORY. */
enum status score_member_begin(struct score_member *m, struct result *result, uint32_t index, uint32_t count);
void score_member_begin_clip(struct score_member *m);
void score_member_end_clip(struct score_member *m, uint32_t clip, uint32_t n_frames);
/* Outcome and score. The segment goes to the result of a part, else away. n_errors and words: the decoder's. */
enum status score_member_conclude(struct score_member *m, unsigned n_errors, const char *words, struct error *e);
/* It ends here with this outcome. */
void score_member_fail(struct score_member *m, enum outcome outcome, const char *message);

#endif
