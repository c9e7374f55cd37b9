/* yuv: 8-bit planar Y'CbCr to RGB, any part of a picture, and a whole picture scaled down on the way. Plain C in integers:
 * the same bytes whatever part is asked for, whatever the compiler and the machine. No state, no allocation.
 *
 * In: planes as libavcodec gives them. Out: 8-bit RGB, within 1 of what swscale gives with exact rounding, on which the world's
 * frames are extracted. So chroma is interpolated linearly with its samples where swscale has them: in the middle of two
 * columns, and on the lower one of two rows. */
#ifndef FAKESIFT_NODES_YUV_H
#define FAKESIFT_NODES_YUV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nodes/image.h"

struct yuv_picture {
    const uint8_t *planes[3]; /* Y, Cb, Cr */
    ptrdiff_t strides_bytes[3];
    unsigned width_px, height_px;
    unsigned shift_x, shift_y; /* 0 or 1: chroma planes have ceil(side / 2^shift) samples */
};

/* Fixed point, 14 bits of fraction; see yuv_matrix_make. */
struct yuv_matrix {
    int32_t black, y, r_v, g_u, g_v, b_u;
};

/* kr, kb: luma's shares of red and blue (ITU-T H.273 table 4). full_range: 0..255, else 16..235 and 16..240. */
struct yuv_matrix yuv_matrix_make(double kr, double kb, bool full_range);

/* The pixels [x0, x1) x [y0, y1), inside the picture, to their places in rgb, which is where pixel (0, 0) goes. */
void yuv_to_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, const unsigned from_xy[2],
                const unsigned to_xy[2], uint8_t *rgb, size_t stride_bytes);

/* The whole picture at another size, packed: each plane averaged over the area that a pixel covers (linear between samples
 * where it grows), then turned into RGB. False: it shrinks by more than 2,000. */
bool yuv_to_small_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, uint8_t *out_rgb, unsigned width_px,
                      unsigned height_px);
/* The same of a rectangle, averaged; black outside the picture. */
bool yuv_crop_to_rgb(const struct yuv_picture *p, const struct yuv_matrix *m, const struct image_crop *crop,
                     uint8_t *out_rgb);

#endif
