/* image: 8-bit RGB pictures in memory and the two ways that they are resampled. Plain C, no state, no allocation. */
#ifndef FAKESIFT_NODES_IMAGE_H
#define FAKESIFT_NODES_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Output pixel (u, v) averages [start + u * step, start + (u + 1) * step) along x, with v along y; in units, units_per_px
 * in a source pixel. Outside the source is black. */
struct image_crop {
    int64_t start[2], step[2], units_per_px;
    unsigned width_px, height_px;
};

/* Whoever makes pixels only where they are needed. */
struct image_source {
    /* Makes [x0, x1) x [y0, y1), inside the image, valid. */
    void (*fill)(struct image_source *s, unsigned x0, unsigned y0, unsigned x1, unsigned y1);
    /* The whole image at another size, packed, without making its pixels. False: it cannot. */
    bool (*scale)(struct image_source *s, uint8_t *out_rgb, unsigned width_px, unsigned height_px);
    bool (*crop)(struct image_source *s, const struct image_crop *crop, uint8_t *out_rgb); /* the same of a rectangle */
};

/* Rows of 3-byte R, G, B pixels; pixels belong to whoever made the image. With a source, a pixel that was not needed
 * before is not there: image_resize and image_warp see to that themselves, whoever reads pixels calls image_need. */
struct image {
    const uint8_t *rgb_hwc_u8;
    unsigned width_px, height_px;
    size_t stride_bytes;         /* from a row to the next, >= 3 * width_px */
    struct image_source *source; /* NULL: every pixel is there */
};

/* Makes [x0, x1) x [y0, y1), clipped to the image, readable. */
void image_need(const struct image *in, int64_t x0, int64_t y0, int64_t x1, int64_t y1);
void image_need_all(const struct image *in);

/* Maps output pixel centres to source coordinates: x = m[0]*u + m[1]*v + m[2], y = m[3]*u + m[4]*v + m[5],
 * where pixel i covers [i, i+1) and its centre is i + 0.5. */
struct image_transform {
    double m[6];
};

/* Area average when shrinking, bilinear when growing; out holds out_width * out_height * 3 bytes, tightly packed. */
void image_resize(const struct image *in, uint8_t *out_rgb, unsigned out_width_px, unsigned out_height_px);

/* Resamples through t; outside the source is black. Shrinking by more than 2 averages over the covered area, so that a
 * crop of a large face has no aliasing. out as above. */
void image_warp(const struct image *in, const struct image_transform *t, uint8_t *out_rgb, unsigned out_width_px,
                unsigned out_height_px);

#endif
