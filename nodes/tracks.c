#include "nodes/tracks.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_ALIVE = 2 * CARD_MAX_FACES };

/* FOLLOW_MOTION. A face may lie this share of a side from where it is expected, and so much more for each frame that was
 * missed; the smaller of two sides is at least this share of the larger; no motion leads further than this many sides. */
static const double REACH = 0.75, REACH_A_MISS = 0.25, LEAST_LIKENESS = 0.6, LONGEST_LEAD = 1.5;

struct track {
    uint32_t number;
    unsigned missed;           /* frames since its last face */
    bool moves;                /* joined at least once, so its motion is known */
    double motion_x, motion_y; /* of the centre, pixels a frame */
    struct face last;
};

/* alive is in ascending order of number; every entry has missed <= hold_frames. */
struct tracker {
    unsigned hold_frames;
    double min_overlap;
    enum face_following follow;
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
    t->follow = settings->follow;
    return t;
}

void tracker_close(struct tracker **t)
{
    if (!t)
        return;
    free(*t);
    *t = NULL;
}

static double side_of(const struct face *f)
{
    return sqrt(fmax(((double)f->x1 - f->x0) * ((double)f->y1 - f->y0), 0));
}

/* How well a face fits a track that is expected n_frames after its last face; 0: not at all. */
static double fit(const struct tracker *t, const struct track *track, const struct face *face, unsigned n_frames)
{
    struct face expected = track->last;
    double side = side_of(&track->last), other = side_of(face), lead, likeness, distance, overlap;
    double dx = track->motion_x * n_frames, dy = track->motion_y * n_frames;

    if (t->follow != FOLLOW_MOTION) {
        overlap = face_overlap(&track->last, face);
        return overlap >= t->min_overlap ? overlap : 0;
    }
    lead = hypot(dx, dy);
    if (lead > LONGEST_LEAD * side) {
        dx *= LONGEST_LEAD * side / lead;
        dy *= LONGEST_LEAD * side / lead;
    }
    expected.x0 += (float)dx;
    expected.x1 += (float)dx;
    expected.y0 += (float)dy;
    expected.y1 += (float)dy;
    overlap = face_overlap(&expected, face);
    likeness = fmin(side, other) / fmax(side, other);
    distance = hypot(((double)expected.x0 + expected.x1 - face->x0 - face->x1) / 2,
                     ((double)expected.y0 + expected.y1 - face->y0 - face->y1) / 2) /
               sqrt(side * other);
    /* NaN, of a box without a size, fails the comparisons. */
    if (overlap >= t->min_overlap && overlap > 0)
        return 1 + overlap; /* before every one that is only near */
    if (likeness >= LEAST_LIKENESS && distance <= REACH + REACH_A_MISS * (n_frames - 1))
        return likeness / (1 + distance);
    return 0;
}

static void take_face(struct track *track, const struct face *face, unsigned n_frames)
{
    double x = ((double)face->x0 + face->x1 - track->last.x0 - track->last.x1) / 2 / n_frames;
    double y = ((double)face->y0 + face->y1 - track->last.y0 - track->last.y1) / 2 / n_frames;

    track->motion_x = track->moves ? (track->motion_x + x) / 2 : x;
    track->motion_y = track->moves ? (track->motion_y + y) / 2 : y;
    track->moves = true;
    track->last = *face;
    track->missed = 0;
}

/* Joins the faces to the tracks, the best fit first. Both lists are short (32 and 16), so each round
 * looks at all pairs that are still free; the strict comparison leaves ties to the lower track, then to the
 * earlier face. */
static void join(struct tracker *t, unsigned n_frames, const struct face *faces, size_t n_faces, bool *face_taken,
                 bool *track_taken)
{
    double fits[MAX_ALIVE][CARD_MAX_FACES];

    for (size_t i = 0; i < t->n_alive; i++) {
        for (size_t k = 0; k < n_faces; k++)
            fits[i][k] = fit(t, &t->alive[i], &faces[k], t->alive[i].missed + n_frames);
    }
    for (;;) {
        double best = 0;
        size_t best_track = 0, best_face = 0;

        for (size_t i = 0; i < t->n_alive; i++) {
            for (size_t k = 0; k < n_faces && !track_taken[i]; k++) {
                if (!face_taken[k] && fits[i][k] > best) {
                    best = fits[i][k];
                    best_track = i;
                    best_face = k;
                }
            }
        }
        if (best <= 0)
            return;
        take_face(&t->alive[best_track], &faces[best_face], t->alive[best_track].missed + n_frames);
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
    return tracker_push_after(t, 1, faces, n_faces, ret_tracked);
}

size_t tracker_push_after(struct tracker *t, unsigned n_frames, const struct face *faces, size_t n_faces,
                          struct tracked_face ret_tracked[2 * CARD_MAX_FACES])
{
    bool face_taken[CARD_MAX_FACES] = {false};
    bool track_taken[MAX_ALIVE] = {false};
    size_t n_kept = 0;

    if (n_faces > CARD_MAX_FACES)
        n_faces = CARD_MAX_FACES;
    join(t, n_frames, faces, n_faces, face_taken, track_taken);
    for (size_t i = 0; i < t->n_alive; i++) {
        if (!track_taken[i])
            t->alive[i].missed += n_frames;
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
