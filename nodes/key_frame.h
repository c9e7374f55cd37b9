/* key_frame: reads just enough of a coded picture's bytes to know whether decoding may begin with it,
 * exactly. Pure parsing of hostile bytes: no state, no libav.
 *
 * A container's key frame flag is not enough: encoders also set it on pictures after which the decoder only
 * recovers step by step (H.264 recovery points, intra refresh) or whose successors still refer to what came
 * before. */
#ifndef FAKESIFT_NODES_KEY_FRAME_H
#define FAKESIFT_NODES_KEY_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum bitstream {
    BITSTREAM_OTHER = 0, /* nothing is known: never clean */
    BITSTREAM_INTRA,     /* every picture stands alone */
    BITSTREAM_H264,
    BITSTREAM_HEVC,
    BITSTREAM_VP8,
    BITSTREAM_VP9,
    BITSTREAM_AV1,
    BITSTREAM_MPEG4, /* part 2 */
    BITSTREAM_MPEG12,
};

/* Whether no picture that is shown at or after this one needs anything from before it. config: the stream's
 * codec configuration (avcC, hvcC, Annex B parameter sets, ...), may be empty. packet: one coded picture. */
bool key_frame_is_clean(enum bitstream kind, const uint8_t *config, size_t config_bytes, const uint8_t *packet,
                        size_t packet_bytes);

/* Whether the pictures that the bitstream marks as needed by no other can be left out without a change to the
 * others. Not so for HEVC with temporal sub-layers: there the mark speaks of its own layer only
 * (H.265 3.134). */
bool key_frame_may_skip(enum bitstream kind, const uint8_t *config, size_t config_bytes);

#endif
