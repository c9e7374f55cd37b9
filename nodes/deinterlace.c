#include "nodes/deinterlace.h"

#include <string.h>

enum { NEAR = 5077, FAR = 981, ONE_BITS = 13 };

/* The kept line that is `steps` kept lines away from the missing line y, or the nearest one inside. */
static unsigned kept_line(unsigned y, int steps, unsigned height, unsigned parity)
{
    int64_t at = (int64_t)y + (steps > 0 ? 2 * steps - 1 : 2 * steps + 1), last = (int64_t)height - 1;

    if (last % 2 != (int64_t)parity)
        last--;
    if (at < (int64_t)parity)
        at = parity;
    return (unsigned)(at > last ? last : at);
}

static int32_t between(int32_t near, int32_t far, int32_t most)
{
    int32_t v = (NEAR * near - FAR * far) >> ONE_BITS;

    return v < 0 ? 0 : v > most ? most : v;
}

static void mix_8(const uint8_t *const lines[4], uint8_t *restrict out, unsigned n, bool edge)
{
    for (unsigned x = 0; x < n; x++) {
        int32_t near = lines[1][x] + lines[2][x], far = lines[0][x] + lines[3][x];

        out[x] = (uint8_t)(edge ? near >> 1 : between(near, far, 255));
    }
}

static void mix_16(const uint8_t *const lines[4], uint8_t *restrict out, unsigned n, int32_t most, bool edge)
{
    const uint16_t *const l[4] = {(const uint16_t *)(const void *)lines[0], (const uint16_t *)(const void *)lines[1],
                                  (const uint16_t *)(const void *)lines[2], (const uint16_t *)(const void *)lines[3]};
    uint16_t *to = (uint16_t *)(void *)out;

    for (unsigned x = 0; x < n; x++) {
        int32_t near = l[1][x] + l[2][x], far = l[0][x] + l[3][x];

        to[x] = (uint16_t)(edge ? near >> 1 : between(near, far, most));
    }
}

void deinterlace_plane(const uint8_t *in, ptrdiff_t in_stride_bytes, uint8_t *out, ptrdiff_t out_stride_bytes,
                       const struct deinterlace_shape *shape)
{
    unsigned height = shape->height, parity = shape->keep_bottom && height > 1 ? 1 : 0;

    for (unsigned y = 0; y < height; y++, out += out_stride_bytes) {
        const uint8_t *lines[4];
        bool edge = y < 3 || y + 3 >= height;

        if (y % 2 == parity) {
            memcpy(out, in + (ptrdiff_t)y * in_stride_bytes, (size_t)shape->width * shape->sample_bytes);
            continue;
        }
        for (int i = 0; i < 4; i++)
            lines[i] = in + (ptrdiff_t)kept_line(y, i < 2 ? i - 2 : i - 1, height, parity) * in_stride_bytes;
        if (shape->sample_bytes == 1)
            mix_8(lines, out, shape->width, edge);
        else
            mix_16(lines, out, shape->width, (int32_t)shape->most, edge);
    }
}
