/* image: 8-bit RGB pictures in memory and the two ways that they are resampled. Plain C, no state, no allocation. */
#ifndef FAKESIFT_NODES_IMAGE_H
#define FAKESIFT_NODES_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/* Rows of 3-byte R, G, B pixels; pixels belong to whoever made the image. */
struct image {
    const uint8_t *rgb_hwc_u8;
    unsigned width_px, height_px;
    size_t stride_bytes; /* from a row to the next, >= 3 * width_px */
};

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
