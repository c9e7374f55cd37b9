/* score_pass: which detectors share what, and one sampling of the video with all that look at its frames.
 *
 *     decoder -> pass (detectors that want the same frames) -> gaze (and search and follow faces alike)
 *             -> lens (and cut them alike) -> member (its networks)
 *
 * In: detectors. Out: passes; then frame by frame, clip scores of the members. Passes share the decoder alone: they are taken
 * forward together, the one that is behind first, so that no frame is decoded twice. Each pass does what it would do alone,
 * step by step, so a member's score is what a run with it alone gives, bit for bit. Internal to nodes/score*.c; one thread. */
#ifndef FAKESIFT_NODES_SCORE_PASS_H
#define FAKESIFT_NODES_SCORE_PASS_H

#include "nodes/decoder.h"
#include "nodes/face_follow.h"
#include "nodes/fingerprint.h"
#include "nodes/sampler.h"
#include "nodes/score_lens.h"
#include "nodes/upright.h"

struct gaze {
    const struct card *card;   /* its face settings are the members' */
    struct follower *follower; /* NULL: whole frames */
    struct lens *lenses[DETECTORS_MAX];
    size_t n_lenses;
    unsigned n_kept; /* frames of a clip that can wait for their faces; what they would be with this gaze alone */
    uint32_t n_frames_with_face;
};

struct pass {
    const struct card *card; /* its sampling is the members', but for min_frames */
    struct gaze gazes[DETECTORS_MAX];
    size_t n_gazes;
    struct score_member *members[DETECTORS_MAX];
    struct gaze *gaze_of[DETECTORS_MAX]; /* of each member */
    size_t n_members;
    /* The video in work. */
    struct sample_plan plan;
    uint32_t first_clip, n_clips;     /* of the part */
    uint32_t clip;                    /* in work, counted from the video's first */
    unsigned at;                      /* of the clip's wanted frames, the next */
    unsigned clip_frames;             /* read so far */
    int64_t last_us;                  /* of the clip's last frame, -1 before it */
    int64_t read_us[CARD_MAX_FRAMES]; /* the wanted times of the clip's frames that were read */
    uint32_t n_frames_wanted, n_frames_decoded;
};

/* A finder for each way in which faces are searched. */
struct pass_finder {
    const struct card *card;
    struct face_finder *finder;
    struct face_near *near; /* NULL but for BETWEEN_SEARCH */
    double face_s;
};

struct passes {
    struct pass *list; /* DETECTORS_MAX of them */
    size_t n;
    struct lens *lenses; /* DETECTORS_MAX of them */
    size_t n_lenses;
    struct pass_finder finders[DETECTORS_MAX];
    size_t n_finders;
};

/* members[i] runs detectors[i], opened; both outlive the passes. Takes the order of the detectors, so that the first pass is
 * the first one's. *ret_p is closed by passes_close also after a failure; zeroed before. */
enum status passes_open(const struct detector *const *detectors, struct score_member *members, size_t n,
                        struct passes *ret_p, struct error *e);
void passes_close(struct passes *p);
/* Seconds for the face search in a frame of each pass, by its frames, over the frames of the first. */
double passes_face_s(const struct passes *p);
void passes_reset(struct passes *p);

/* Plans every pass and tells the decoder what will be asked for. */
enum status passes_begin(struct passes *p, struct decoder *decoder, uint32_t index, uint32_t count, struct error *e);
/* Which pass is to go on: the one whose next frame is the earliest; NULL: all are at their end. */
struct pass *passes_next(const struct passes *p);
/* What some frames of one pass are looked at for besides, into the video's result. */
struct pass_audit {
    struct fingerprinter *prints;
    struct upright *upright;
    struct result *result;
};

/* Takes the pass's next frame. Frames that cannot be had are counted by their absence. audit: NULL, none. */
enum status pass_step(struct pass *p, struct score_work *w, struct decoder *decoder, const struct pass_audit *audit,
                      struct error *e);
/* What searches faces for the first detector; NULL: nothing does. */
struct face_finder *passes_first_finder(const struct passes *p);
/* The counts of each pass into its members' results. */
void passes_count(const struct passes *p);

#endif
