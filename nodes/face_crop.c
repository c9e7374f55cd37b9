#include "nodes/face_crop.h"

#include <string.h>

/* Along one axis a pixel of the box is side_px units long and a pixel of the crop is as many units as the box
 * has pixels, so every overlap is a whole number. */
static uint32_t overlap(unsigned source, unsigned output, unsigned box_px, unsigned side_px)
{
    uint32_t source_begin = source * side_px, source_end = source_begin + side_px;
    uint32_t begin = output * box_px, end = begin + box_px;

    begin = begin > source_begin ? begin : source_begin;
    end = end < source_end ? end : source_end;
    return end - begin;
}

/* The first and last pixel of the box that a pixel of the crop covers, clipped to those inside the picture:
 * from..until - 1. */
static void covered(unsigned output, unsigned box_px, unsigned side_px, int from, int until, int *ret_first,
                    int *ret_last)
{
    int first = (int)(output * box_px / side_px), last = (int)((output * box_px + box_px - 1) / side_px);

    *ret_first = first > from ? first : from;
    *ret_last = last < until ? last : until - 1;
}

/* Where an axis of the box lies inside the picture, in pixels of the box. */
static void inside(int box_begin, unsigned box_px, unsigned picture_px, int *ret_from, int *ret_until)
{
    int64_t until = (int64_t)picture_px - box_begin;

    *ret_from = box_begin < 0 ? -box_begin : 0;
    *ret_until = (int)(until < (int64_t)box_px ? until : (int64_t)box_px);
}

void face_crop_area(const struct image *in, const struct face_crop_box *box, uint32_t *sums, uint8_t *out_rgb,
                    unsigned side_px)
{
    uint64_t area = (uint64_t)box->width_px * box->height_px;
    int left, right, top, bottom;

    inside(box->x0, box->width_px, in->width_px, &left, &right);
    inside(box->y0, box->height_px, in->height_px, &top, &bottom);
    memset(out_rgb, 0, (size_t)side_px * side_px * 3);
    if (left >= right || top >= bottom)
        return;
    for (unsigned v = 0; v < side_px; v++) {
        size_t n = 3 * (size_t)(right - left);
        int first, last;

        covered(v, box->height_px, side_px, top, bottom, &first, &last);
        memset(sums, 0, n * sizeof(*sums));
        for (int y = first; y <= last; y++) {
            const uint8_t *row =
                in->rgb_hwc_u8 + (size_t)(box->y0 + y) * in->stride_bytes + 3 * (size_t)(box->x0 + left);
            uint32_t weight = overlap((unsigned)y, v, box->height_px, side_px);

            for (size_t i = 0; i < n; i++)
                sums[i] += weight * row[i];
        }
        for (unsigned u = 0; u < side_px; u++) {
            uint8_t *out = out_rgb + 3 * ((size_t)v * side_px + u);
            uint64_t sum[3] = {0, 0, 0};

            covered(u, box->width_px, side_px, left, right, &first, &last);
            for (int x = first; x <= last; x++) {
                uint32_t weight = overlap((unsigned)x, u, box->width_px, side_px);

                for (unsigned c = 0; c < 3; c++)
                    sum[c] += (uint64_t)weight * sums[3 * (size_t)(x - left) + c];
            }
            for (unsigned c = 0; c < 3; c++)
                out[c] = (uint8_t)((sum[c] + area / 2) / area);
        }
    }
}
