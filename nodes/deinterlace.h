/* deinterlace: a whole picture from one field of an interlaced frame: the other field's lines are interpolated. Plain C, no
 * state: a frame's pixels depend on that frame alone, so a wanted frame is the same whichever others were decoded. */
#ifndef FAKESIFT_NODES_DEINTERLACE_H
#define FAKESIFT_NODES_DEINTERLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deinterlace_shape {
    unsigned width, height;
    unsigned sample_bytes; /* 1 or 2 (native order) */
    unsigned most;         /* largest sample */
    bool keep_bottom;      /* the odd lines stay, else the even ones */
};

/* One plane; in and out are different memory. The lines between the kept ones follow from the two nearest kept ones and
 * the two next to those (bwdif's filter for lines without motion data: 5077 and -981 of 8192; the two alone at the upper
 * and lower edge). */
void deinterlace_plane(const uint8_t *in, ptrdiff_t in_stride_bytes, uint8_t *out, ptrdiff_t out_stride_bytes,
                       const struct deinterlace_shape *shape);

#endif
