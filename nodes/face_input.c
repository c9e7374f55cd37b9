#include "nodes/face_search.h"

void face_input_fill(const struct face_input *in, const struct image *picture, float *out_chw)
{
    size_t plane = (size_t)in->width_px * in->height_px;
    float value_of[256];

    for (unsigned v = 0; v < 256; v++)
        value_of[v] = ((float)v - in->mean) / in->deviation;
    for (size_t i = 0; i < 3 * plane; i++)
        out_chw[i] = value_of[0];
    for (unsigned y = 0; y < picture->height_px; y++) {
        const uint8_t *p = picture->rgb_hwc_u8 + y * picture->stride_bytes;
        float *out = out_chw + (size_t)(in->top_px + y) * in->width_px + in->left_px;

        for (unsigned x = 0; x < picture->width_px; x++) {
            out[x] = value_of[p[3 * x]];
            out[x + plane] = value_of[p[3 * x + 1]];
            out[x + 2 * plane] = value_of[p[3 * x + 2]];
        }
    }
}
