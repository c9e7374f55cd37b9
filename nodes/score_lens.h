/* score_lens: the patches of each face of a clip, cut once for all detectors that want them alike.
 *
 * In: a frame with its followed faces. Out: to each member, every track of a clip with its patches, when the track or the clip
 * ends. Internal to nodes/score*.c; one thread. Rooms for patches are allocated at first use, then kept. */
#ifndef FAKESIFT_NODES_SCORE_LENS_H
#define FAKESIFT_NODES_SCORE_LENS_H

#include "models/detector_set.h"
#include "nodes/image.h"
#include "nodes/score_member.h"
#include "nodes/tracks.h"

enum { LENS_MAX_ALIVE = 2 * CARD_MAX_FACES };

/* The crops of one track in the current clip. */
struct lens_slot {
    bool used;
    uint32_t track;
    unsigned n_patches;
    unsigned n_until_face;            /* patches up to the last one that shows the face, and not where it was before */
    unsigned n_faces;                 /* patches that show it */
    unsigned first_frame, last_frame; /* of the clip, the ones that show it */
    float first_box[4], last_box[4];
    int64_t start_us, end_us;
    int64_t times_us[CARD_MAX_FRAMES]; /* of patches; below 0: a held one */
    uint8_t *patches;                  /* card's frames * patch bytes */
};

struct lens {
    const struct card *card; /* its crop and number of frames are the members' */
    size_t patch_bytes;
    struct lens_slot slots[LENS_MAX_ALIVE];
    struct score_member *members[DETECTORS_MAX];
    size_t n_members;
};

/* Of a frame of a clip. */
struct lens_frame {
    uint32_t clip;
    unsigned at; /* of the clip's frames */
    int64_t pts_us;
    const struct image *image;
};

/* Zeroed before. */
void lens_open(struct lens *l, const struct card *card);
void lens_close(struct lens *l);
/* Forgets what an earlier video left. */
void lens_reset(struct lens *l);

/* Ends the tracks that are not among the alive ones, then adds these faces. */
enum status lens_take_faces(struct lens *l, struct score_work *w, const struct lens_frame *f,
                            const struct tracked_face *faces, size_t n_faces, struct error *e);
/* The whole frame, as one face. */
enum status lens_take_whole(struct lens *l, const struct lens_frame *f, struct error *e);
enum status lens_end_clip(struct lens *l, struct score_work *w, uint32_t clip, struct error *e);

#endif
