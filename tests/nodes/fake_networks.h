/* fake_networks: stands in for models/network.h in tests of the face search, so that what the networks say is
 * known. Linked before the library, it takes the place of the engine.
 *
 * A painted face is a square whose red and green say where in the face a pixel is, and whose blue is 255.
 * Every fake network of MTCNN reads these colours, so it knows the face's exact box from any crop, as a
 * perfectly trained one would: an error of geometry anywhere in the cascade moves the result. */
#ifndef FAKESIFT_TESTS_NODES_FAKE_NETWORKS_H
#define FAKESIFT_TESTS_NODES_FAKE_NETWORKS_H

#include <stdbool.h>
#include <stdint.h>

#include "models/network.h"

enum fake_role { FAKE_PNET = 1, FAKE_RNET, FAKE_ONET, FAKE_YUNET };

enum fake_mood {
    FAKE_TRUE = 0,   /* what is painted */
    FAKE_EVERYWHERE, /* a face at each cell, boxes shifted at random */
    FAKE_NAN,
    FAKE_INFINITE,
    FAKE_SURE_BUT_NAN, /* certain faces with NaN boxes */
    FAKE_HUGE          /* certain faces with huge boxes and points */
};

struct network {
    enum fake_role role;
    enum fake_mood mood;
    const char *rename_output; /* this output has another name */
    bool wrong_shape;          /* of the output called reg or bbox_16 */
    bool fail_open, fail_run;
    /* What was asked of it. */
    unsigned n_sessions_open, n_runs;
    int64_t batch; /* of the last session */
    /* FAKE_YUNET, FAKE_TRUE: what each planted cell says. */
    struct fake_cell {
        unsigned stride, column, row;
        float cls, obj, bbox[4], kps[10];
    } cells[8];
    unsigned n_cells;
    float yunet_corner[3]; /* input of the last run at the last row and column, and at pixel (0, 0) */
    float yunet_first[3];
};

/* Where the five points of a painted face lie in its box. */
extern const float FAKE_POINTS[5][2];

/* Paints a face over rgb (may reach outside). */
void fake_paint(uint8_t *rgb, unsigned width, unsigned height, float x0, float y0, float side);

#endif
