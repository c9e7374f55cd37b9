/* decoder_picture: a decoded frame -> an upright RGB image of a fixed size. Part of the decoder; nobody else includes this.
 *
 * In: libav's frame. Out: struct image whose pixels are made where they are first needed (nodes/image.h: image_source), if
 * the frame is plain 8-bit planar Y'CbCr of the stream's own size; all at once otherwise (swscale).
 * An interlaced frame becomes a whole picture first, from the field that is shown first (nodes/deinterlace.h); one with PQ
 * or HLG light is mapped to a standard screen's (nodes/tone_map.h). */
#ifndef FAKESIFT_NODES_DECODER_PICTURE_H
#define FAKESIFT_NODES_DECODER_PICTURE_H

#include <stdbool.h>

#include "nodes/image.h"
#include "nodes/media.h"
#include "shard/status.h"

struct AVFrame;
struct picture;

struct picture_shape {
    unsigned stored_width_px, stored_height_px; /* square pixels, before turning */
    struct media_orientation orientation;
    unsigned whole_below_px; /* nodes/decoder.h */
};

enum status picture_open(const struct picture_shape *shape, struct picture **ret_p, struct error *e);
void picture_close(struct picture **p); /* NULL-safe; sets *p = NULL */

/* *ret_image is valid until the next call, and as long as f is. lazy: its pixels need image_need before they are read
 * directly. STATUS_CORRUPT: a pixel format without a conversion. */
enum status picture_show(struct picture *p, const struct AVFrame *f, bool lazy, struct image *ret_image,
                         struct error *e);

#endif
