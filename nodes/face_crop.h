/* face_crop: the crops that MTCNN's later networks look at. Internal to nodes/. No state, no allocation. */
#ifndef FAKESIFT_NODES_FACE_CROP_H
#define FAKESIFT_NODES_FACE_CROP_H

#include "nodes/image.h"

/* Pixels x0..x0 + width_px - 1, y0..y0 + height_px - 1 of a picture; may reach outside. Sides 1..65535. */
struct face_crop_box {
    int x0, y0;
    unsigned width_px, height_px;
};

/* Brings the box to side_px * side_px (1..255): each pixel is the average over the area that it covers, both
 * when shrinking and when enlarging, which is what cv2's INTER_AREA gives and what users of these networks
 * feed them (image_resize enlarges bilinearly). Outside the picture is black. sums: room for 3 *
 * in->width_px. */
void face_crop_area(const struct image *in, const struct face_crop_box *box, uint32_t *sums, uint8_t *out_rgb,
                    unsigned side_px);

#endif
