/* face_boxes: arithmetic on face boxes that the face detectors share. Internal to nodes/. No state, no
 * allocation. */
#ifndef FAKESIFT_NODES_FACE_BOXES_H
#define FAKESIFT_NODES_FACE_BOXES_H

#include <stdbool.h>
#include <stddef.h>

#include "nodes/faces.h"

/* A box on its way through a detector's stages. */
struct face_candidate {
    struct face face;
    float shift[4]; /* calibration: what is added to x0, y0, x1, y1 in units of the box's width and height */
    unsigned order; /* where it was found, unique within a list: breaks ties of confidence */
};

enum face_suppression {
    FACE_SUPPRESS_UNION = 1, /* intersection / union */
    FACE_SUPPRESS_MINIMUM    /* intersection / the smaller area: also drops a box inside another */
};

/* Best first; ties by ascending order. In place: the C library's qsort may allocate. */
void face_sort(struct face_candidate *list, size_t count);

/* Sorts, keeps the best of every group that overlaps by more than limit, and returns how many are left, best
 * first. */
size_t face_suppress(struct face_candidate *list, size_t count, enum face_suppression kind, double limit);

/* Adds with bound: where the list is full, the worst one gives way. list is a heap with its worst on top
 * until it is sorted. Returns the new count. */
size_t face_keep_best(struct face_candidate *list, size_t count, size_t room, const struct face_candidate *c);

/* Moves the box by its shift. */
void face_calibrate(struct face_candidate *c);

/* Finite, with an area, no more than twice the picture's longer side, and touching the picture: what later
 * stages may rely on. Networks give NaN, infinities and huge values for hostile weights. */
bool face_is_sane(const struct face *f, double width_px, double height_px);

#endif
