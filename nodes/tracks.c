#include "nodes/tracks.h"

#include <stdlib.h>

enum { MAX_ALIVE = 2 * CARD_MAX_FACES };

struct track {
    uint32_t number;
    unsigned missed; /* frames since its last face */
    struct face last;
};

/* alive is in ascending order of number; every entry has missed <= hold_frames. */
struct tracker {
    unsigned hold_frames;
    double min_overlap;
    uint32_t n_begun;
    size_t n_alive;
    struct track alive[MAX_ALIVE];
};

struct tracker *tracker_open(const struct card_face *settings)
{
    struct tracker *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->hold_frames = settings->hold_frames;
    t->min_overlap = settings->min_overlap;
    return t;
}

void tracker_close(struct tracker **t)
{
    if (!t)
        return;
    free(*t);
    *t = NULL;
}

/* Joins the faces to the tracks, the largest overlap first. Both lists are short (32 and 16), so each round
 * looks at all pairs that are still free; the strict comparison leaves ties to the lower track, then to the
 * earlier face. */
static void join(struct tracker *t, const struct face *faces, size_t n_faces, bool *face_taken, bool *track_taken)
{
    double overlap[MAX_ALIVE][CARD_MAX_FACES];

    for (size_t i = 0; i < t->n_alive; i++) {
        for (size_t k = 0; k < n_faces; k++)
            overlap[i][k] = face_overlap(&t->alive[i].last, &faces[k]);
    }
    for (;;) {
        double best = 0;
        size_t best_track = 0, best_face = 0;

        for (size_t i = 0; i < t->n_alive; i++) {
            for (size_t k = 0; k < n_faces && !track_taken[i]; k++) {
                if (!face_taken[k] && overlap[i][k] >= t->min_overlap && overlap[i][k] > best) {
                    best = overlap[i][k];
                    best_track = i;
                    best_face = k;
                }
            }
        }
        if (best <= 0)
            return;
        t->alive[best_track].last = faces[best_face];
        t->alive[best_track].missed = 0;
        track_taken[best_track] = true;
        face_taken[best_face] = true;
    }
}

/* Ends the track that has waited longest for a face, the lower number of two: a track must make room only
 * when more than 2 * CARD_MAX_FACES are alive, and at most CARD_MAX_FACES of them have a face in this frame.
 */
static void drop_stalest(struct tracker *t)
{
    size_t stalest = 0;

    for (size_t i = 1; i < t->n_alive; i++) {
        if (t->alive[i].missed > t->alive[stalest].missed)
            stalest = i;
    }
    for (size_t i = stalest + 1; i < t->n_alive; i++)
        t->alive[i - 1] = t->alive[i];
    t->n_alive--;
}

/* Begins a track for each face that joined none, the most confident first. */
static void begin_tracks(struct tracker *t, const struct face *faces, size_t n_faces, bool *face_taken)
{
    for (;;) {
        size_t best = n_faces;

        for (size_t k = 0; k < n_faces; k++) {
            if (!face_taken[k] && (best == n_faces || faces[k].confidence > faces[best].confidence))
                best = k;
        }
        if (best == n_faces)
            return;
        face_taken[best] = true;
        if (t->n_alive == MAX_ALIVE)
            drop_stalest(t);
        t->alive[t->n_alive++] = (struct track){.number = t->n_begun++, .last = faces[best]};
    }
}

size_t tracker_push(struct tracker *t, const struct face *faces, size_t n_faces,
                    struct tracked_face ret_tracked[2 * CARD_MAX_FACES])
{
    bool face_taken[CARD_MAX_FACES] = {false};
    bool track_taken[MAX_ALIVE] = {false};
    size_t n_kept = 0;

    if (n_faces > CARD_MAX_FACES)
        n_faces = CARD_MAX_FACES;
    join(t, faces, n_faces, face_taken, track_taken);
    for (size_t i = 0; i < t->n_alive; i++) {
        if (!track_taken[i])
            t->alive[i].missed++;
        if (t->alive[i].missed <= t->hold_frames)
            t->alive[n_kept++] = t->alive[i];
    }
    t->n_alive = n_kept;
    begin_tracks(t, faces, n_faces, face_taken);
    for (size_t i = 0; i < t->n_alive; i++) {
        ret_tracked[i] = (struct tracked_face){
            .track = t->alive[i].number,
            .held = t->alive[i].missed > 0,
            .face = t->alive[i].last,
        };
    }
    return t->n_alive;
}

uint32_t tracker_track_count(const struct tracker *t)
{
    return t->n_begun;
}
