#include "nodes/upright.h"

#include <stdlib.h>

#include "shard/clock.h"

enum { MAX_KEPT = 2, MAX_SIDE_PX = 640 };

struct kept {
    uint8_t *rgb; /* MAX_SIDE_PX squared */
    unsigned width_px, height_px;
};

struct upright {
    struct kept kept[MAX_KEPT];
    unsigned n;
    uint8_t *turned;
    struct face_finder *finder;
};

enum status upright_open(struct upright **ret_u)
{
    struct upright *u = calloc(1, sizeof(*u));

    if (!u)
        return STATUS_NO_MEMORY;
    *ret_u = u;
    return STATUS_OK;
}

void upright_close(struct upright **u)
{
    if (!*u)
        return;
    for (unsigned i = 0; i < MAX_KEPT; i++)
        free((*u)->kept[i].rgb);
    free((*u)->turned);
    free(*u);
    *u = NULL;
}

void upright_begin(struct upright *u, struct face_finder *finder)
{
    u->n = 0;
    u->finder = finder;
}

enum status upright_look(struct upright *u, const struct image *frame, struct error *e)
{
    unsigned longer = frame->width_px > frame->height_px ? frame->width_px : frame->height_px;
    unsigned side = longer < MAX_SIDE_PX ? longer : MAX_SIDE_PX;
    struct kept *k;

    if (!u->finder || u->n == MAX_KEPT || longer == 0)
        return STATUS_OK;
    k = &u->kept[u->n];
    if (!k->rgb)
        k->rgb = malloc((size_t)MAX_SIDE_PX * MAX_SIDE_PX * 3);
    if (!k->rgb)
        return error_no_memory(e);
    k->width_px = (unsigned)((uint64_t)frame->width_px * side / longer);
    k->height_px = (unsigned)((uint64_t)frame->height_px * side / longer);
    k->width_px += k->width_px == 0;
    k->height_px += k->height_px == 0;
    image_resize(frame, k->rgb, k->width_px, k->height_px);
    u->n++;
    return STATUS_OK;
}

/* Clockwise: the picture's left side becomes its top. */
static struct image turn(const struct kept *k, unsigned quarters, uint8_t *out)
{
    unsigned w = quarters % 2 ? k->height_px : k->width_px, h = quarters % 2 ? k->width_px : k->height_px;

    for (unsigned y = 0; y < h; y++) {
        for (unsigned x = 0; x < w; x++) {
            unsigned from_x = quarters == 1 ? y : quarters == 2 ? k->width_px - 1 - x : k->width_px - 1 - y;
            unsigned from_y = quarters == 1 ? k->height_px - 1 - x : quarters == 2 ? k->height_px - 1 - y : x;
            const uint8_t *from = k->rgb + 3 * ((size_t)from_y * k->width_px + from_x);
            uint8_t *to = out + 3 * ((size_t)y * w + x);

            to[0] = from[0];
            to[1] = from[1];
            to[2] = from[2];
        }
    }
    return (struct image){out, w, h, 3 * (size_t)w, NULL};
}

enum status upright_settle(struct upright *u, struct result *r, struct error *e)
{
    unsigned found = 0;
    float best = 0;
    int64_t start = clock_monotonic_us();

    if (!u->finder || r->n_frames_with_face > 0 || u->n == 0)
        return STATUS_OK;
    if (!u->turned)
        u->turned = malloc((size_t)MAX_SIDE_PX * MAX_SIDE_PX * 3);
    if (!u->turned)
        return error_no_memory(e);
    for (unsigned i = 0; i < u->n; i++) {
        for (unsigned quarters = 1; quarters <= 3; quarters++) {
            const struct image picture = turn(&u->kept[i], quarters, u->turned);
            struct face face;
            size_t n = 0;
            enum status s = face_finder_run(u->finder, &picture, &face, 1, &n, e);

            if (s != STATUS_OK)
                return s;
            if (n > 0 && face.confidence > best) {
                best = face.confidence;
                found = quarters;
            }
        }
    }
    r->extras.quarter_turns = found;
    r->face_us += clock_monotonic_us() - start;
    return STATUS_OK;
}
