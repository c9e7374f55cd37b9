/* faces: faces in one picture, by the networks of a face detector's card (MTCNN, YuNet, UltraFace, BlazeFace).
 * In: an upright RGB frame. Out: boxes with confidence and, from MTCNN and YuNet, five landmarks, best first. One thread owns a
 * finder. */
#ifndef FAKESIFT_NODES_FACES_H
#define FAKESIFT_NODES_FACES_H

#include "models/card.h"
#include "models/network.h"
#include "nodes/image.h"
#include "shard/status.h"

/* Coordinates in pixels of the given frame, pixel i covering [i, i+1). */
struct face {
    float x0, y0, x1, y1;
    float confidence;      /* 0..1 */
    float points_xy[5][2]; /* right eye, left eye, nose, right and left mouth corner, as seen: "right" is the
                            * person's, so the first point is at the picture's left for an upright face. UltraFace gives
                            * none (zeros), BlazeFace the mouth's centre for both corners (card_face_has_points) */
};

struct face_finder;

/* networks: as the card lists them; they outlive the finder. card gives the architecture, face the search's
 * settings. */
enum status face_finder_open(const struct card *face_card, const struct network *const networks[3],
                             const struct card_face *face, struct face_finder **ret_f, struct error *e);
void face_finder_close(struct face_finder **f); /* NULL-safe; sets *f = NULL */

/* Makes the sessions for frames of this size now, with kernels that are generated where that is faster: for whoever has no
 * sandbox yet, and only frames of one size. */
enum status face_finder_prepare(struct face_finder *f, unsigned width_px, unsigned height_px, struct error *e);

/* Finds at most room (and at most max_faces) faces of at least min_face_px. A box may reach outside the
 * frame; it and the points are finite. Sessions are prepared once for each picture size and kept for the
 * last; the same size again allocates nothing. Fails only when sessions cannot be made or run; a later call
 * may succeed. */
enum status face_finder_run(struct face_finder *f, const struct image *frame, struct face *ret_faces, size_t room,
                            size_t *ret_count, struct error *e);

/* Intersection over union of two boxes. */
double face_overlap(const struct face *a, const struct face *b);

#endif
