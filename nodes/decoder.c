/* Longer than other files: libav has one door, and packets, frames and pictures all pass through it. In
 * order: time stamps, packets, frames, seeking, pictures, the interface. */
#include "nodes/decoder.h"

#include <iconv.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <libavutil/cpu.h>
#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

#include "nodes/key_frame.h"
#include "nodes/media.h"

enum {
    DEFAULT_MAX_SIDE_PX = 8192,
    MIN_MAX_SIDE_PX = 64,
    MAX_MAX_SIDE_PX = 16384,
    MAX_REFUSED_READS = 64, /* in a row; then the rest of the file is given up */
    TOLERANCE_US = 1,       /* time stamps are rounded to microseconds on either side */
    MIN_JUMP_STEPS = 5,     /* frames; less is a muxer's slip */
    SEEK_MIN_GAIN_US = 60 * 1000,
    SEEK_BLIND_GAIN_US = 2 * 1000 * 1000, /* when the index does not yet reach as far */
    SEEK_ATTEMPTS = 3,
    TURN_TILE_PX = 32,
};

/* What the scaler was made for. */
struct conversion {
    int width, height, format, space, range;
};

static enum bitstream bitstream_of(enum AVCodecID id)
{
    const AVCodecDescriptor *about = avcodec_descriptor_get(id);

    switch (id) {
    case AV_CODEC_ID_H264:
        return BITSTREAM_H264;
    case AV_CODEC_ID_HEVC:
        return BITSTREAM_HEVC;
    case AV_CODEC_ID_VP8:
        return BITSTREAM_VP8;
    case AV_CODEC_ID_VP9:
        return BITSTREAM_VP9;
    case AV_CODEC_ID_AV1:
        return BITSTREAM_AV1;
    case AV_CODEC_ID_MPEG4:
        return BITSTREAM_MPEG4;
    case AV_CODEC_ID_MPEG1VIDEO:
    case AV_CODEC_ID_MPEG2VIDEO:
        return BITSTREAM_MPEG12;
    default:
        return about && (about->props & AV_CODEC_PROP_INTRA_ONLY) ? BITSTREAM_INTRA : BITSTREAM_OTHER;
    }
}

/* Time stamps: ts is in the stream's time base, us in microseconds from the first frame.
 *
 * Why a seek cannot change a frame: it is only taken where the packet that it lands on (a) is one after which
 * nothing needs what came before (key_frame_is_clean), (b) has a time stamp at or before the wanted time, and
 * every frame that is shown before that packet's is dropped. Otherwise everything is opened anew and decoded
 * from the start. */
struct decoder {
    int fd;
    unsigned max_side_px;
    struct media media;
    struct video_facts facts;
    struct media_words words;
    unsigned n_errors;
    uint64_t n_packets;

    AVCodecContext *codec;
    enum bitstream bitstream;
    AVPacket *packet;
    bool packet_waits; /* read, not yet taken by the codec */
    bool draining;
    bool ended;
    AVFrame *decoded, *current;

    bool has_origin;
    int64_t origin_ts, last_ts;
    int64_t n_frames; /* decoded since the start; the clock of a stream without time stamps */
    bool has_current;
    int64_t current_us, wanted_us;

    bool may_skip; /* the codec drops the frames that no other needs, and only those */
    bool may_seek, index_is_known;
    int64_t jump_ts;        /* added to the time stamps of packets */
    int64_t position_ts;    /* of the last packet read, as the index counts */
    int64_t reorder_ts;     /* most that a packet was shown after it was to be decoded */
    int64_t drop_before_ts; /* frames that a key frame leads with, after a seek; INT64_MIN when none */

    struct conversion converted_from;
    struct SwsContext *sws;
    unsigned stored_width_px, stored_height_px; /* square pixels, before turning; fixed by the first frame */
    size_t stride_bytes;
    uint8_t *rgb, *turned; /* turned is NULL when the picture is stored upright */
    bool is_converted;     /* rgb holds current */
};

const char *decoder_version(void)
{
    return AV_STRINGIFY(LIBAVCODEC_VERSION) "/" AV_STRINGIFY(LIBAVFORMAT_VERSION);
}

void decoder_prepare(void)
{
    /* libav converts the programme names of MPEG transport streams, by default from this character set, and
     * libc loads a converter from a file for as long as somebody has it open. Never closed: it serves the
     * whole process. */
    static iconv_t names = (iconv_t)-1;

    if (names == (iconv_t)-1)
        names = iconv_open("UTF-8", "ISO6937");
    tzset();            /* container dates: reads the time zone once */
    av_get_cpu_flags(); /* asks the processor once */
}

static int64_t frame_step_us(const struct decoder *d)
{
    return av_rescale(1000000, d->facts.fps_den, d->facts.fps_num > 0 ? d->facts.fps_num : 25);
}

/* Time stamps beyond this are taken for missing, so that no sum of a few overflows. */
static bool is_time(int64_t ts)
{
    return ts < INT64_MAX / 8 && ts > INT64_MIN / 8; /* AV_NOPTS_VALUE is below */
}

/* av_rescale_q gives INT64_MIN for what does not fit. */
static int64_t bounded(int64_t time)
{
    return is_time(time) ? time : INT64_MAX / 8;
}

static int64_t to_us(const struct decoder *d, int64_t ts)
{
    return bounded(av_rescale_q(ts - d->origin_ts, d->media.stream->time_base, AV_TIME_BASE_Q));
}

static int64_t to_ts(const struct decoder *d, int64_t us)
{
    return d->origin_ts + bounded(av_rescale_q_rnd(us, AV_TIME_BASE_Q, d->media.stream->time_base, AV_ROUND_DOWN));
}

/* One frame at the stated rate, in the stream's time base. */
static int64_t frame_step_ts(const struct decoder *d, int64_t n_frames)
{
    return bounded(
        av_rescale_q(n_frames, (AVRational){(int)d->facts.fps_den, (int)d->facts.fps_num}, d->media.stream->time_base));
}

static enum status codec_open(struct decoder *d, struct error *e)
{
    const AVCodecParameters *par = d->media.stream->codecpar;
    AVCodecContext *c;
    int code;

    avcodec_free_context(&d->codec);
    c = d->codec = avcodec_alloc_context3(d->media.codec);
    if (!c)
        return error_no_memory(e);
    code = avcodec_parameters_to_context(c, par);
    if (code < 0)
        return media_error(e, STATUS_CORRUPT, code, &d->words, "bad stream parameters");
    d->bitstream = bitstream_of(par->codec_id);
    c->thread_count = 1;
    c->pkt_timebase = d->media.stream->time_base;
    c->max_pixels = (int64_t)d->max_side_px * d->max_side_px;
    /* The H.264 decoder otherwise guesses how long to hold frames back from what it has seen so far, which
     * would make the output order depend on where decoding began; strict, it derives it from the stream's
     * level. */
    if (par->codec_id == AV_CODEC_ID_H264)
        c->strict_std_compliance = FF_COMPLIANCE_STRICT;
    code = avcodec_open2(c, d->media.codec, NULL);
    if (code < 0)
        return media_error(e, STATUS_CORRUPT, code, &d->words, "the decoder cannot be opened");
    d->may_skip = d->media.has_times && key_frame_may_skip(d->bitstream, par->extradata, (size_t)par->extradata_size) &&
                  (d->media.whole_frames || par->field_order == AV_FIELD_PROGRESSIVE);
    return STATUS_OK;
}

/* Forgets everything that came from the file, except the frame that was given out last. */
static void reset_position(struct decoder *d)
{
    av_packet_unref(d->packet);
    av_frame_unref(d->decoded);
    d->packet_waits = d->draining = d->ended = false;
    d->last_ts = d->drop_before_ts = d->position_ts = INT64_MIN;
    d->n_frames = d->jump_ts = 0;
}

/* Opens the file anew and stands before its first packet. */
static enum status restart(struct decoder *d, struct video_facts *facts, enum outcome *ret_outcome, struct error *e)
{
    struct media fresh;
    enum status status = media_open(d->fd, d->max_side_px, &fresh, facts, ret_outcome, e);

    if (status != STATUS_OK)
        return status;
    media_close(&d->media);
    d->media = fresh;
    reset_position(d);
    status = codec_open(d, e);
    if (status != STATUS_OK)
        *ret_outcome = OUTCOME_DECODE_ERROR;
    return status;
}

/* Joins what follows a jump back of the decoding times (programmes written one after the other) to what came
 * before, and keeps what seeking needs to know. */
static void note_packet(struct decoder *d, AVPacket *p)
{
    int64_t step = frame_step_ts(d, 1), at;

    if (!d->media.can_seek && is_time(p->dts) && d->position_ts != INT64_MIN &&
        p->dts + d->jump_ts < d->position_ts - (step < INT64_MAX / 64 ? MIN_JUMP_STEPS * step : step))
        d->jump_ts = d->position_ts + step - p->dts;
    if (is_time(p->dts))
        p->dts += d->jump_ts;
    if (is_time(p->pts))
        p->pts += d->jump_ts;
    at = is_time(p->dts) ? p->dts : p->pts;
    if (is_time(at) && at > d->position_ts)
        d->position_ts = at;
    if (is_time(p->pts) && is_time(p->dts) && p->pts - p->dts > d->reorder_ts)
        d->reorder_ts = p->pts - p->dts;
}

/* The next packet of the stream into d->packet; false at the end of what can be read. */
static bool read_packet(struct decoder *d)
{
    for (unsigned refused = 0; refused < MAX_REFUSED_READS;) {
        unsigned lines = d->words.n_errors;
        int code = av_read_frame(d->media.format, d->packet);

        if (code == AVERROR_EOF) {
            d->n_errors += d->words.n_errors > lines; /* a file that was cut */
            return false;
        }
        if (code < 0) {
            d->n_errors++;
            if (code == AVERROR(ENOMEM) || code == AVERROR(EIO))
                return false;
            refused++;
            continue;
        }
        if (d->packet->stream_index == d->media.stream->index && d->packet->size > 0) {
            note_packet(d, d->packet);
            return true;
        }
        av_packet_unref(d->packet);
    }
    return false;
}

/* Gives the codec a packet, or the end. */
static void feed(struct decoder *d)
{
    unsigned lines = d->words.n_errors;
    int code;

    if (!d->packet_waits && !read_packet(d)) {
        d->draining = true;
        if (avcodec_send_packet(d->codec, NULL) < 0)
            d->ended = true;
        return;
    }
    d->packet_waits = false;
    d->n_packets++;
    /* A frame that no other needs and that is before the wanted time is never asked for: times do not go
     * back. */
    d->codec->skip_frame = AVDISCARD_DEFAULT;
    if (d->may_skip && d->has_origin && is_time(d->packet->pts) &&
        to_us(d, d->packet->pts) < d->wanted_us - 2 * TOLERANCE_US)
        d->codec->skip_frame = AVDISCARD_NONREF;
    code = avcodec_send_packet(d->codec, d->packet);
    if (code == AVERROR(EAGAIN)) {
        d->packet_waits = true;
        d->n_packets--;
        return;
    }
    if (code < 0 || d->words.n_errors > lines || (d->packet->flags & AV_PKT_FLAG_CORRUPT))
        d->n_errors++;
    av_packet_unref(d->packet);
}

/* The time of a frame that the codec just gave; never earlier than the one before. */
static int64_t stamp_frame(const struct decoder *d, const AVFrame *f)
{
    int64_t ts;

    if (!d->media.has_times)
        ts = frame_step_ts(d, d->n_frames);
    else if (is_time(f->pts))
        ts = f->pts;
    else if (is_time(f->pkt_dts))
        ts = f->pkt_dts;
    else if (d->last_ts == INT64_MIN)
        ts = 0;
    else
        ts = d->last_ts + (f->pkt_duration > 0 && is_time(f->pkt_duration) ? f->pkt_duration : frame_step_ts(d, 1));
    return is_time(ts) && ts > d->last_ts ? ts : d->last_ts;
}

/* The next frame in presentation order into d->decoded, its time into *ret_ts; false at the end. */
static bool next_frame(struct decoder *d, int64_t *ret_ts)
{
    while (!d->ended) {
        unsigned lines = d->words.n_errors;
        int code = avcodec_receive_frame(d->codec, d->decoded);
        int64_t ts;

        if (code == AVERROR(EAGAIN) && !d->draining) {
            feed(d);
            continue;
        }
        if (code == AVERROR_EOF || code == AVERROR(EAGAIN)) {
            d->ended = true;
            break;
        }
        if (code < 0) {
            d->n_errors++;
            if (code == AVERROR(ENOMEM))
                d->ended = true;
            continue;
        }
        if (d->words.n_errors > lines || d->decoded->decode_error_flags || (d->decoded->flags & AV_FRAME_FLAG_CORRUPT))
            d->n_errors++;
        ts = stamp_frame(d, d->decoded);
        d->n_frames++;
        if (ts < d->drop_before_ts) {
            av_frame_unref(d->decoded);
            continue;
        }
        d->last_ts = ts;
        *ret_ts = ts;
        return true;
    }
    return false;
}

/* Whether a seek to the key frame at or before target_ts would pass over what would otherwise be decoded. */
static bool seek_pays(struct decoder *d, int64_t target_ts, int64_t wanted_us)
{
    const AVIndexEntry *key, *last;
    int n = avformat_index_get_entries_count(d->media.stream);

    if (d->position_ts == INT64_MIN)
        return false;
    last = n > 0 ? avformat_index_get_entry(d->media.stream, n - 1) : NULL;
    if ((!d->index_is_known || d->media.index_grows) && (!last || last->timestamp < target_ts)) {
        /* Matroska reads its index at the first seek, fragmented MP4 a fragment's when it gets there. */
        return wanted_us - to_us(d, d->position_ts) > SEEK_BLIND_GAIN_US;
    }
    key = avformat_index_get_entry_from_timestamp(d->media.stream, target_ts, AVSEEK_FLAG_BACKWARD);
    return key && is_time(key->timestamp) && to_us(d, key->timestamp) - to_us(d, d->position_ts) > SEEK_MIN_GAIN_US;
}

/* Moves to a clean key frame at or before wanted_us when that saves work. After a failure decoding stands at
 * the start of the file, with no more seeks. */
static enum status seek_toward(struct decoder *d, int64_t wanted_us, struct error *e)
{
    int64_t target = to_ts(d, wanted_us) - d->reorder_ts, before = d->position_ts;
    struct video_facts facts;
    enum outcome outcome;

    if (!d->may_seek || !seek_pays(d, target, wanted_us))
        return STATUS_OK;
    for (unsigned attempt = 0; attempt < SEEK_ATTEMPTS; attempt++) {
        const AVCodecParameters *par = d->media.stream->codecpar;

        reset_position(d);
        avcodec_flush_buffers(d->codec);
        if (av_seek_frame(d->media.format, d->media.stream->index, target, AVSEEK_FLAG_BACKWARD) < 0)
            break;
        d->index_is_known = true;
        if (!read_packet(d) || !is_time(d->packet->pts) || !(d->packet->flags & AV_PKT_FLAG_KEY) ||
            !key_frame_is_clean(d->bitstream, par->extradata, (size_t)par->extradata_size, d->packet->data,
                                (size_t)d->packet->size))
            break;
        if (to_us(d, d->packet->pts) <= wanted_us + TOLERANCE_US) {
            d->packet_waits = true;
            d->drop_before_ts = d->packet->pts;
            d->may_seek = d->position_ts > before; /* an index that does not help once will not help again */
            return STATUS_OK;
        }
        target -= d->packet->pts - to_ts(d, wanted_us) + 1;
    }
    d->may_seek = false;
    return restart(d, &facts, &outcome, e);
}

/* Matrix and range of a frame; where it does not say, BT.709 for high definition and BT.601 below, as players
 * do. */
static struct conversion conversion_of(const AVFrame *f)
{
    struct conversion c = {f->width, f->height, f->format, SWS_CS_ITU601, f->color_range == AVCOL_RANGE_JPEG};

    switch (f->colorspace) {
    case AVCOL_SPC_BT709:
        c.space = SWS_CS_ITU709;
        break;
    case AVCOL_SPC_FCC:
        c.space = SWS_CS_FCC;
        break;
    case AVCOL_SPC_SMPTE240M:
        c.space = SWS_CS_SMPTE240M;
        break;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        c.space = SWS_CS_BT2020;
        break;
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
        break;
    default:
        c.space = f->width >= 1280 || f->height > 576 ? SWS_CS_ITU709 : SWS_CS_ITU601;
    }
    switch (f->format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ411P:
        c.range = 1;
        break;
    default:
        break;
    }
    return c;
}

static bool same_conversion(const struct conversion *a, const struct conversion *b)
{
    return a->width == b->width && a->height == b->height && a->format == b->format && a->space == b->space &&
           a->range == b->range;
}

static bool conversion_open(struct decoder *d, const struct conversion *c)
{
    /* The same bytes on every machine; chroma interpolated both ways. */
    const int flags = SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP | SWS_BITEXACT;

    sws_freeContext(d->sws);
    d->sws = sws_getContext(c->width, c->height, (enum AVPixelFormat)c->format, (int)d->stored_width_px,
                            (int)d->stored_height_px, AV_PIX_FMT_RGB24, flags, NULL, NULL, NULL);
    if (!d->sws)
        return false;
    /* Fails for sources that are RGB already, which need none. */
    (void)sws_setColorspaceDetails(d->sws, sws_getCoefficients(c->space), c->range, sws_getCoefficients(SWS_CS_DEFAULT),
                                   1, 0, 1 << 16, 1 << 16);
    d->converted_from = *c;
    return true;
}

/* rgb, as stored, into turned, as shown; by tiles, since one of the two is walked across its rows. */
static void turn(const struct decoder *d)
{
    const struct media_orientation *o = &d->media.orientation;
    size_t width = d->facts.width_px, height = d->facts.height_px;
    ptrdiff_t step_x = o->mirror_x ? -3 : 3, step_y = (ptrdiff_t)d->stride_bytes;
    const uint8_t *origin = d->rgb;

    if (o->mirror_x)
        origin += 3 * ((size_t)d->stored_width_px - 1);
    if (o->mirror_y) {
        origin += ((size_t)d->stored_height_px - 1) * d->stride_bytes;
        step_y = -step_y;
    }
    if (o->swap_axes) {
        ptrdiff_t swapped = step_x;

        step_x = step_y;
        step_y = swapped;
    }
    for (size_t y0 = 0; y0 < height; y0 += TURN_TILE_PX) {
        for (size_t x0 = 0; x0 < width; x0 += TURN_TILE_PX) {
            size_t y1 = y0 + TURN_TILE_PX < height ? y0 + TURN_TILE_PX : height;
            size_t x1 = x0 + TURN_TILE_PX < width ? x0 + TURN_TILE_PX : width;

            for (size_t y = y0; y < y1; y++) {
                uint8_t *to = d->turned + 3 * (y * width + x0);
                const uint8_t *from = origin + (ptrdiff_t)y * step_y + (ptrdiff_t)x0 * step_x;

                for (size_t x = x0; x < x1; x++, to += 3, from += step_x) {
                    to[0] = from[0];
                    to[1] = from[1];
                    to[2] = from[2];
                }
            }
        }
    }
}

static enum status convert_current(struct decoder *d, struct error *e)
{
    struct conversion c = conversion_of(d->current);
    uint8_t *planes[4] = {d->rgb};
    int strides[4] = {(int)d->stride_bytes};

    if (d->is_converted)
        return STATUS_OK;
    if ((!d->sws || !same_conversion(&c, &d->converted_from)) && !conversion_open(d, &c))
        return error_set(e, STATUS_CORRUPT, "no conversion from pixel format %s, %d x %d",
                         av_get_pix_fmt_name((enum AVPixelFormat)c.format), c.width, c.height);
    if (sws_scale(d->sws, (const uint8_t *const *)d->current->data, d->current->linesize, 0, c.height, planes,
                  strides) <= 0)
        return error_set(e, STATUS_CORRUPT, "the frame cannot be converted to RGB");
    if (d->turned)
        turn(d);
    d->is_converted = true;
    return STATUS_OK;
}

/* Fixes size and orientation by the first frame and makes the room for pictures. */
static enum status adopt_first_frame(struct decoder *d, enum outcome *ret_outcome, struct error *e)
{
    const AVFrame *f = d->current;
    const char *name = av_get_pix_fmt_name((enum AVPixelFormat)f->format);
    AVRational sar = av_guess_sample_aspect_ratio(d->media.format, d->media.stream, d->current);
    const AVFrameSideData *matrix = av_frame_get_side_data(f, AV_FRAME_DATA_DISPLAYMATRIX);

    if (!d->media.has_orientation && matrix && matrix->size >= 9 * sizeof(int32_t)) {
        int32_t values[9];

        memcpy(values, matrix->data, sizeof(values));
        d->media.orientation = media_orientation_from_matrix(values, &d->facts.rotation_deg);
    }
    d->stored_width_px = media_square_width((unsigned)f->width, sar.num, sar.den);
    d->stored_height_px = (unsigned)f->height;
    if (d->stored_width_px == 0 || d->stored_width_px > d->max_side_px || d->stored_height_px > d->max_side_px) {
        *ret_outcome = OUTCOME_UNSUPPORTED;
        return error_set(e, STATUS_UNSUPPORTED, "frames of %u x %u, more than %u pixels a side", d->stored_width_px,
                         d->stored_height_px, d->max_side_px);
    }
    d->facts.width_px = d->media.orientation.swap_axes ? d->stored_height_px : d->stored_width_px;
    d->facts.height_px = d->media.orientation.swap_axes ? d->stored_width_px : d->stored_height_px;
    snprintf(d->facts.pixel_format, sizeof(d->facts.pixel_format), "%s", name ? name : "");
    d->stride_bytes = ((size_t)d->stored_width_px * 3 + 63) / 64 * 64;
    /* The scaler's vector code may write a little beyond a row's end. */
    d->rgb = av_mallocz(d->stride_bytes * d->stored_height_px + 256);
    if (d->media.orientation.swap_axes || d->media.orientation.mirror_x || d->media.orientation.mirror_y)
        d->turned = av_malloc((size_t)d->stored_width_px * d->stored_height_px * 3);
    if (!d->rgb ||
        ((d->media.orientation.swap_axes || d->media.orientation.mirror_x || d->media.orientation.mirror_y) &&
         !d->turned))
        return error_no_memory(e);
    return convert_current(d, e);
}

static enum status settle_duration(struct decoder *d, struct error *e)
{
    if (d->facts.duration_us > 0 && d->media.duration_is_absolute)
        d->facts.duration_us -= to_us(d, 0) < 0 ? -to_us(d, 0) : 0;
    if (d->facts.duration_us <= 0) {
        struct video_facts facts;
        enum outcome outcome;
        struct media scanned;
        enum status status = media_open(d->fd, d->max_side_px, &scanned, &facts, &outcome, e);

        if (status != STATUS_OK)
            return status;
        d->facts.duration_us = media_scan_duration(&scanned);
        media_close(&scanned);
    }
    if (d->facts.duration_us <= 0)
        d->facts.duration_us = frame_step_us(d) > 0 ? frame_step_us(d) : 1;
    return STATUS_OK;
}

static enum status report_no_frame(const struct decoder *d, enum outcome *ret_outcome, struct error *e)
{
    /* What codec_open's max_pixels makes libavutil say where the container did not state the size. */
    if (strstr(d->words.last, "max pixel count")) {
        *ret_outcome = OUTCOME_UNSUPPORTED;
        return media_error(e, STATUS_UNSUPPORTED, 0, &d->words, "the frames are too large");
    }
    return media_error(e, STATUS_CORRUPT, 0, &d->words, "no frame could be decoded");
}

static enum status decode_first_frame(struct decoder *d, enum outcome *ret_outcome, struct error *e)
{
    enum status status = restart(d, &d->facts, ret_outcome, e);
    int64_t ts;

    if (status != STATUS_OK)
        return status;
    *ret_outcome = OUTCOME_DECODE_ERROR;
    if (!next_frame(d, &ts))
        return report_no_frame(d, ret_outcome, e);
    av_frame_move_ref(d->current, d->decoded);
    d->origin_ts = ts;
    d->has_origin = d->has_current = true;
    d->may_seek = d->media.can_seek;
    status = adopt_first_frame(d, ret_outcome, e);
    if (status == STATUS_OK)
        status = settle_duration(d, e);
    return status;
}

enum status decoder_open(int fd, const struct decoder_settings *settings, struct decoder **ret_d,
                         struct video_facts *ret_facts, enum outcome *ret_outcome, struct error *e)
{
    struct decoder *d = calloc(1, sizeof(*d));
    struct media_words *before;
    enum outcome outcome = OUTCOME_DECODE_ERROR;
    enum status status;

    if (!d) {
        *ret_outcome = outcome;
        return error_no_memory(e);
    }
    before = media_listen(&d->words);
    d->fd = fd;
    d->max_side_px = settings && settings->max_side_px > 0 ? settings->max_side_px : DEFAULT_MAX_SIDE_PX;
    if (d->max_side_px < MIN_MAX_SIDE_PX || d->max_side_px > MAX_MAX_SIDE_PX) {
        status = error_set(e, STATUS_INVALID, "max_side_px %u: must be %u to %u", d->max_side_px, MIN_MAX_SIDE_PX,
                           MAX_MAX_SIDE_PX);
        goto end;
    }
    d->packet = av_packet_alloc();
    d->decoded = av_frame_alloc();
    d->current = av_frame_alloc();
    status = d->packet && d->decoded && d->current ? decode_first_frame(d, &outcome, e) : error_no_memory(e);
end:
    media_listen(before);
    if (ret_facts)
        *ret_facts = d->facts;
    if (status == STATUS_OK) {
        *ret_d = d;
    } else {
        *ret_outcome = outcome;
        decoder_close(&d);
    }
    return status;
}

void decoder_close(struct decoder **d)
{
    struct decoder *p = *d;

    if (!p)
        return;
    avcodec_free_context(&p->codec);
    av_packet_free(&p->packet);
    av_frame_free(&p->decoded);
    av_frame_free(&p->current);
    media_close(&p->media);
    sws_freeContext(p->sws);
    av_free(p->rgb);
    av_free(p->turned);
    free(p);
    *d = NULL;
}

void decoder_extras(const struct decoder *d, struct stream_extras *ret_x)
{
    media_extras(&d->media, ret_x);
}

const struct video_facts *decoder_facts(const struct decoder *d)
{
    return &d->facts;
}

/* Nothing at or after the wanted time came. */
static enum status report_end(const struct decoder *d, int64_t wanted_us, struct error *e)
{
    char what[128];

    /* A file whose container promises more, and that broke on the way, was cut or damaged. */
    if (d->n_errors == 0 || wanted_us > d->facts.duration_us - 2 * frame_step_us(d))
        return STATUS_END;
    snprintf(what, sizeof(what), "decoding ended at %.3f s of %.3f s",
             d->last_ts == INT64_MIN ? 0.0 : (double)to_us(d, d->last_ts) / 1e6, (double)d->facts.duration_us / 1e6);
    return media_error(e, STATUS_CORRUPT, 0, &d->words, what);
}

static enum status advance_to(struct decoder *d, int64_t wanted_us, struct error *e)
{
    enum status status;

    if (d->has_current && d->current_us + TOLERANCE_US >= wanted_us)
        return STATUS_OK;
    status = d->ended ? STATUS_OK : seek_toward(d, wanted_us, e);
    if (status != STATUS_OK) {
        d->ended = true;
        return status == STATUS_NO_MEMORY ? status : STATUS_CORRUPT;
    }
    for (;;) {
        int64_t ts;

        if (!next_frame(d, &ts))
            return report_end(d, wanted_us, e);
        if (to_us(d, ts) + TOLERANCE_US >= wanted_us) {
            av_frame_unref(d->current);
            av_frame_move_ref(d->current, d->decoded);
            d->current_us = to_us(d, ts);
            d->is_converted = false;
            return STATUS_OK;
        }
        av_frame_unref(d->decoded);
    }
}

enum status decoder_frame_at(struct decoder *d, int64_t wanted_us, struct decoder_frame *ret_frame, struct error *e)
{
    struct media_words *before;
    enum status status;

    if (wanted_us < d->wanted_us)
        return error_set(e, STATUS_INVALID, "frame at %lld us after one at %lld us: times must not go back",
                         (long long)wanted_us, (long long)d->wanted_us);
    before = media_listen(&d->words);
    d->wanted_us = wanted_us;
    status = advance_to(d, wanted_us, e);
    if (status == STATUS_OK)
        status = convert_current(d, e);
    media_listen(before);
    if (status != STATUS_OK)
        return status;
    ret_frame->image.rgb_hwc_u8 = d->turned ? d->turned : d->rgb;
    ret_frame->image.width_px = d->facts.width_px;
    ret_frame->image.height_px = d->facts.height_px;
    ret_frame->image.stride_bytes = d->turned ? (size_t)d->facts.width_px * 3 : d->stride_bytes;
    ret_frame->pts_us = d->current_us;
    return STATUS_OK;
}

unsigned decoder_error_count(const struct decoder *d)
{
    return d->n_errors;
}

const char *decoder_last_words(const struct decoder *d)
{
    return d->words.last;
}

uint64_t decoder_packet_count(const struct decoder *d)
{
    return d->n_packets;
}
