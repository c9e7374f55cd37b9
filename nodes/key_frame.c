#include "nodes/key_frame.h"

enum {
    H264_SLICE = 1,
    H264_SLICE_PARTITION_A = 2,
    H264_IDR = 5,
    HEVC_LAST_VCL = 31,
    HEVC_FIRST_IRAP = 16,
    HEVC_LAST_IRAP = 21,
    HEVC_VPS = 32,
    HEVC_SPS = 33,
    AV1_OBU_SEQUENCE = 1,
    AV1_OBU_FRAME_HEADER = 3,
    AV1_OBU_FRAME = 6,
    MPEG4_VOP = 0xB6,
};

/* Steps through NAL units that are either preceded by their length (length_bytes 1..4) or by start codes (0).
 */
struct nal_reader {
    const uint8_t *at, *end;
    unsigned length_bytes;
};

static const uint8_t *find_start_code(const uint8_t *at, const uint8_t *end)
{
    for (; end - at >= 3; at++) {
        if (at[0] == 0 && at[1] == 0 && at[2] == 1)
            return at;
    }
    return end;
}

static bool next_nal(struct nal_reader *r, const uint8_t **ret_nal, size_t *ret_bytes)
{
    if (r->length_bytes > 0) {
        size_t len = 0;

        if ((size_t)(r->end - r->at) <= r->length_bytes)
            return false;
        for (unsigned i = 0; i < r->length_bytes; i++)
            len = len << 8 | *r->at++;
        if (len > (size_t)(r->end - r->at))
            return false;
        *ret_nal = r->at;
        *ret_bytes = len;
        r->at += len;
        return true;
    }
    r->at = find_start_code(r->at, r->end);
    if (r->end - r->at < 4)
        return false;
    r->at += 3;
    *ret_nal = r->at;
    r->at = find_start_code(r->at, r->end);
    *ret_bytes = (size_t)(r->at - *ret_nal);
    return true;
}

static bool h264_is_clean(const uint8_t *config, size_t config_bytes, struct nal_reader r)
{
    const uint8_t *nal;
    size_t bytes;
    bool found = false;

    r.length_bytes = config_bytes >= 7 && config[0] == 1 ? (config[4] & 3) + 1u : 0;
    while (next_nal(&r, &nal, &bytes)) {
        unsigned type = bytes > 0 ? nal[0] & 0x1f : 0;

        if (type == H264_SLICE || type == H264_SLICE_PARTITION_A)
            return false;
        found |= type == H264_IDR;
    }
    return found;
}

/* As libavcodec tells hvcC from start codes. */
static bool is_hvcc(const uint8_t *config, size_t config_bytes)
{
    return config_bytes >= 23 && (config[0] || config[1] || config[2] > 1);
}

/* IDR, BLA and CRA: what follows one in display order needs nothing before it (H.265 8.1.3); what precedes a
 * CRA in display order does, and the caller drops that. */
static bool hevc_is_clean(const uint8_t *config, size_t config_bytes, struct nal_reader r)
{
    const uint8_t *nal;
    size_t bytes;
    bool found = false;

    r.length_bytes = is_hvcc(config, config_bytes) ? (config[21] & 3) + 1u : 0;
    while (next_nal(&r, &nal, &bytes)) {
        unsigned type = bytes > 1 ? nal[0] >> 1 & 0x3f : 63;

        if (type > HEVC_LAST_VCL)
            continue;
        if (type < HEVC_FIRST_IRAP || type > HEVC_LAST_IRAP)
            return false;
        found = true;
    }
    return found;
}

static bool hevc_parameter_set_has_one_layer(const uint8_t *nal, size_t bytes)
{
    unsigned type = nal[0] >> 1 & 0x3f;

    if (type == HEVC_VPS) /* 4 + 2 + 6 bits, then vps_max_sub_layers_minus1 */
        return bytes > 3 && (nal[3] >> 1 & 7) == 0;
    if (type == HEVC_SPS) /* 4 bits, then sps_max_sub_layers_minus1 */
        return bytes > 2 && (nal[2] >> 1 & 7) == 0;
    return true;
}

static bool hevc_has_one_layer(const uint8_t *config, size_t config_bytes)
{
    const uint8_t *end = config + config_bytes, *nal;
    struct nal_reader r = {config, end, 0};
    bool found = false;
    size_t bytes;

    if (!is_hvcc(config, config_bytes)) {
        while (next_nal(&r, &nal, &bytes)) {
            if (bytes < 2 || !hevc_parameter_set_has_one_layer(nal, bytes))
                return false;
            found |= (nal[0] >> 1 & 0x3f) == HEVC_SPS;
        }
        return found;
    }
    config += 22;
    for (unsigned n_arrays = *config++; n_arrays > 0; n_arrays--) {
        unsigned n_nals;

        if (end - config < 3)
            return false;
        n_nals = (unsigned)config[1] << 8 | config[2];
        config += 3;
        for (; n_nals > 0; n_nals--) {
            if (end - config < 2)
                return false;
            bytes = (size_t)config[0] << 8 | config[1];
            config += 2;
            if (bytes < 2 || bytes > (size_t)(end - config) || !hevc_parameter_set_has_one_layer(config, bytes))
                return false;
            found |= (config[0] >> 1 & 0x3f) == HEVC_SPS;
            config += bytes;
        }
    }
    return found;
}

/* frame_marker, profile, (reserved), show_existing_frame, frame_type: VP9 bitstream specification 6.2. */
static bool vp9_is_clean(uint8_t b)
{
    unsigned profile_3 = (b & 0x30) == 0x30, shift = profile_3 ? 2 : 3;

    return b >> 6 == 2 && (b >> shift & 1) == 0 && (b >> (shift - 1) & 1) == 0;
}

/* The first frame header of the temporal unit must be a key frame that is shown at once (AV1 5.9.2). */
static bool av1_is_clean(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 2) {
        unsigned type = at[0] >> 3 & 15, has_extension = at[0] >> 2 & 1, has_size = at[0] >> 1 & 1;
        size_t size = 0;

        at += 1 + has_extension;
        if (has_size) {
            unsigned shift = 0;

            for (;;) {
                if (at >= end || shift > 28)
                    return false;
                size |= (size_t)(*at & 0x7f) << shift;
                shift += 7;
                if (!(*at++ & 0x80))
                    break;
            }
        } else if (at < end) {
            size = (size_t)(end - at);
        }
        if (at > end || size > (size_t)(end - at))
            return false;
        if (type == AV1_OBU_SEQUENCE && size > 0 && (at[0] >> 3 & 1)) /* reduced_still_picture_header */
            return false;
        if (type == AV1_OBU_FRAME || type == AV1_OBU_FRAME_HEADER) /* show_existing 0, type 00, shown 1 */
            return size > 0 && at[0] >> 4 == 1;
        at += size;
    }
    return false;
}

static bool mpeg4_is_clean(const uint8_t *at, const uint8_t *end)
{
    for (at = find_start_code(at, end); end - at > 4; at = find_start_code(at + 3, end)) {
        if (at[3] == MPEG4_VOP)
            return at[4] >> 6 == 0; /* an I-VOP */
    }
    return false;
}

bool key_frame_is_clean(enum bitstream kind, const uint8_t *config, size_t config_bytes, const uint8_t *packet,
                        size_t packet_bytes)
{
    const struct nal_reader nals = {packet, packet + packet_bytes, 0};

    if (packet_bytes == 0)
        return false;
    switch (kind) {
    case BITSTREAM_INTRA:
        return true;
    case BITSTREAM_H264:
        return h264_is_clean(config, config_bytes, nals);
    case BITSTREAM_HEVC:
        return hevc_is_clean(config, config_bytes, nals);
    case BITSTREAM_VP8:
        return (packet[0] & 1) == 0;
    case BITSTREAM_VP9:
        return vp9_is_clean(packet[0]);
    case BITSTREAM_AV1:
        return av1_is_clean(packet, packet + packet_bytes);
    case BITSTREAM_MPEG4:
        return mpeg4_is_clean(packet, packet + packet_bytes);
    case BITSTREAM_MPEG12:
    case BITSTREAM_OTHER:
        break;
    }
    return false;
}

bool key_frame_may_skip(enum bitstream kind, const uint8_t *config, size_t config_bytes)
{
    switch (kind) {
    case BITSTREAM_H264:
    case BITSTREAM_MPEG4:
    case BITSTREAM_MPEG12:
        return true;
    case BITSTREAM_HEVC:
        return config_bytes > 0 && hevc_has_one_layer(config, config_bytes);
    default:
        return false;
    }
}
