/* Longer than other files: libav has one door, and packets, frames and pictures all pass through it. In
 * order: time stamps, packets, frames, seeking, key frames, the interface. */
#include "nodes/decoder.h"

#include <iconv.h>
#include <limits.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
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

#include "nodes/decoder_picture.h"
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
    SEEK_ATTEMPTS = 4,
    MAX_KEPT = 300,
    SEEN_PACKETS = 32,
    MAX_KEPT_BYTES = 192 << 20,
    MAPPED_BYTES = 32 << 20, /* the most that mallopt takes */
    KEPT_FREE_BYTES = 128 << 20,
    MAX_SCANNED_KEYS = 512, /* whose exact times are read; of more the index's are taken */
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

/* A frame that was given out: the answer to any wanted time from from_us to its own. */
struct kept {
    AVFrame *frame;
    bool is_set;
    int64_t from_us, pts_us;
};

/* Time stamps: ts is in the stream's time base, us in microseconds from the first frame.
 *
 * Why a seek cannot change a frame: it is only taken where the packet that it lands on (a) is one after which
 * nothing needs what came before (key_frame_is_clean), (b) has a time stamp at or before the wanted time, and
 * every frame that is shown before that packet's is dropped. Otherwise everything is opened anew and decoded
 * from the start. */
struct decoder {
    int fd;
    struct window window;
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
    AVFrame *decoded;
    struct kept kept[MAX_KEPT + 1]; /* answers, in a ring; those without a frame are empty */
    unsigned n_room, newest, shown;

    bool has_origin;
    int64_t origin_ts, last_ts;
    int64_t n_frames;     /* decoded since the start; the clock of a stream without time stamps */
    int64_t wanted_us;    /* latest since decoding began where it did: what nobody needs before it may be lost */
    int64_t *expected_us; /* ascending; NULL: any time may be asked for */
    size_t n_expected;
    int64_t seen_us[SEEN_PACKETS]; /* when the last packets are shown, in a ring; INT64_MIN: none */
    unsigned n_seen;
    int64_t *key_us; /* NULL until asked for */
    size_t n_keys;

    bool may_drain;  /* with them: the codec may be emptied as soon as it has the picture that is looked for */
    bool is_drained; /* it was, before the end: what comes next takes a seek */
    bool may_skip;   /* the codec drops the frames that no other needs, and only those */
    bool may_seek, index_is_known;
    int64_t jump_ts;        /* added to the time stamps of packets */
    int64_t position_ts;    /* of the last packet read, as the index counts */
    int64_t reorder_ts;     /* most that a packet was shown after it was to be decoded */
    int64_t key_delay_ts;   /* the same of the last key frame */
    int64_t drop_before_ts; /* frames that a key frame leads with, after a seek; INT64_MIN when none */

    struct picture *picture;
    bool lazy;
    unsigned whole_below_px;
    struct image image; /* of kept[shown]; width 0: not made */
};

const char *decoder_version(void)
{
    return AV_STRINGIFY(LIBAVCODEC_VERSION) "/" AV_STRINGIFY(LIBAVFORMAT_VERSION);
}

static int by_time(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

void decoder_prepare(void)
{
    /* libav converts the programme names of MPEG transport streams, by default from this character set, and
     * libc loads a converter from a file for as long as somebody has it open. Never closed: it serves the
     * whole process. */
    static iconv_t names = (iconv_t)-1;
    int64_t times_us[512] = {0};

    if (names == (iconv_t)-1)
        names = iconv_open("UTF-8", "ISO6937");
    tzset();            /* container dates: reads the time zone once */
    av_get_cpu_flags(); /* asks the processor once */
    /* Beyond a kibibyte glibc's qsort asks how much memory there is, once in a process. */
    qsort(times_us, sizeof(times_us) / sizeof(times_us[0]), sizeof(times_us[0]), by_time);
#ifdef __GLIBC__
    /* A video's pictures are freed at its end and the next one's are as large: they stay in the process, where glibc would
     * give them back to the system, which then clears each page anew. */
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES);
#endif
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
    d->packet_waits = d->draining = d->ended = d->is_drained = false;
    d->last_ts = d->drop_before_ts = d->position_ts = INT64_MIN;
    d->n_frames = d->jump_ts = d->wanted_us = 0;
    d->n_seen = 0;
}

/* Opens the file anew and stands before its first packet. */
static enum status restart(struct decoder *d, struct video_facts *facts, enum outcome *ret_outcome, struct error *e)
{
    struct media fresh;
    enum status status = media_open(d->fd, &d->window, d->max_side_px, &fresh, facts, ret_outcome, e);

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
    if (!is_time(p->pts) || !is_time(p->dts))
        return;
    if (p->pts - p->dts > d->reorder_ts)
        d->reorder_ts = p->pts - p->dts;
    if (p->flags & AV_PKT_FLAG_KEY)
        d->key_delay_ts = p->pts - p->dts;
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
        /* It would decode, to noise, and the noise would have a score. */
        if (d->packet->stream_index == d->media.stream->index &&
            av_packet_get_side_data(d->packet, AV_PKT_DATA_ENCRYPTION_INFO, NULL)) {
            snprintf(d->words.last, sizeof(d->words.last), "the video is encrypted");
            av_packet_unref(d->packet);
            d->n_errors++;
            return false;
        }
        if (d->packet->stream_index == d->media.stream->index && d->packet->size > 0) {
            note_packet(d, d->packet);
            return true;
        }
        av_packet_unref(d->packet);
    }
    return false;
}

/* The first expected time at or after us; n_expected when none. */
static size_t expected_from(const struct decoder *d, int64_t us)
{
    size_t low = 0, high = d->n_expected;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (d->expected_us[middle] < us)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether a picture that no other needs, shown at at_us, is certainly the answer to no wanted time: it is earlier than the
 * one that is looked for, or for each expected time from then up to it another picture, seen before, comes first. After
 * damage a picture that was seen may not come. */
static bool nobody_wants(const struct decoder *d, int64_t at_us)
{
    if (at_us < d->wanted_us - 2 * TOLERANCE_US)
        return true;
    if (!d->expected_us || d->n_errors > 0 || (d->bitstream != BITSTREAM_H264 && d->bitstream != BITSTREAM_HEVC))
        return false;
    for (size_t i = expected_from(d, d->wanted_us); i < d->n_expected; i++) {
        int64_t wanted_us = d->expected_us[i];
        bool has_earlier = false;

        if (wanted_us > at_us + 2 * TOLERANCE_US)
            break;
        for (unsigned k = 0; k < SEEN_PACKETS && k < d->n_seen; k++)
            has_earlier |= d->seen_us[k] > wanted_us && d->seen_us[k] < at_us - 2 * TOLERANCE_US;
        if (!has_earlier)
            return false;
    }
    return true;
}

/* What to ask the index for, which counts as packets are decoded: the key frame at or before wanted_us is shown as much later
 * as the ones before it were, or at the most as any packet. */
static int64_t seek_target(struct decoder *d, int64_t wanted_us)
{
    int64_t wanted_ts = to_ts(d, wanted_us < INT64_MAX / 2 ? wanted_us + TOLERANCE_US : wanted_us);
    const AVIndexEntry *key = avformat_index_get_entry_from_timestamp(d->media.stream, wanted_ts, AVSEEK_FLAG_BACKWARD);

    if (key && is_time(key->timestamp) && key->timestamp + d->key_delay_ts <= wanted_ts)
        return wanted_ts;
    return wanted_ts - d->reorder_ts;
}

/* Whether a seek to the key frame at or before target_ts would pass over what would otherwise be decoded. */
static bool seek_pays(struct decoder *d, int64_t target_ts, int64_t wanted_us)
{
    const AVIndexEntry *key, *last;
    int n = avformat_index_get_entries_count(d->media.stream);

    if (d->position_ts == INT64_MIN)
        return false;
    for (size_t i = d->n_keys; i-- > 0;) {
        if (d->key_us[i] <= wanted_us + TOLERANCE_US)
            return d->key_us[i] - to_us(d, d->position_ts) > SEEK_MIN_GAIN_US;
    }
    last = n > 0 ? avformat_index_get_entry(d->media.stream, n - 1) : NULL;
    if ((!d->index_is_known || d->media.index_grows) && (!last || last->timestamp < target_ts)) {
        /* Matroska reads its index at the first seek, fragmented MP4 a fragment's when it gets there. */
        return wanted_us - to_us(d, d->position_ts) > SEEK_BLIND_GAIN_US;
    }
    key = avformat_index_get_entry_from_timestamp(d->media.stream, target_ts, AVSEEK_FLAG_BACKWARD);
    return key && is_time(key->timestamp) && to_us(d, key->timestamp) - to_us(d, d->position_ts) > SEEK_MIN_GAIN_US;
}

/* Whether the codec has the picture that is looked for, and what comes after it will be had by a seek, or not at all: so it
 * need not hold that picture back until later ones have come. d->packet is the next one. No picture is shown before it is
 * decoded, so when the time stamp at which that is to be decoded is not before the best picture seen, no better one comes. (In an mp4 that
 * has its whole index libavformat shifts time stamps so that this holds for all of the file.) */
static bool has_answer(struct decoder *d)
{
    int64_t best_us = INT64_MAX, after_us;
    size_t next;

    if (!d->may_drain || !d->may_skip || !d->media.index_is_whole || !d->expected_us || d->n_errors > 0 ||
        !is_time(d->packet->dts) || !is_time(d->packet->pts) || d->packet->pts < d->packet->dts ||
        (d->bitstream != BITSTREAM_H264 && d->bitstream != BITSTREAM_HEVC))
        return false;
    for (unsigned k = 0; k < SEEN_PACKETS && k < d->n_seen; k++) {
        if (d->seen_us[k] + TOLERANCE_US >= d->wanted_us && d->seen_us[k] < best_us)
            best_us = d->seen_us[k];
    }
    if (best_us == INT64_MAX || to_us(d, d->packet->dts) < best_us)
        return false;
    next = expected_from(d, best_us + TOLERANCE_US + 1);
    if (next == d->n_expected)
        return true;
    after_us = d->expected_us[next];
    return d->may_seek && seek_pays(d, seek_target(d, after_us), after_us);
}

/* Gives the codec a packet, or the end. */
static void feed(struct decoder *d)
{
    unsigned lines = d->words.n_errors;
    int code;

    if (!d->packet_waits)
        d->packet_waits = read_packet(d);
    if (d->packet_waits && has_answer(d)) {
        d->draining = d->is_drained = true;
        if (avcodec_send_packet(d->codec, NULL) < 0)
            d->ended = true;
        return;
    }
    if (!d->packet_waits) {
        d->draining = true;
        if (avcodec_send_packet(d->codec, NULL) < 0)
            d->ended = true;
        return;
    }
    d->packet_waits = false;
    d->n_packets++;
    d->codec->skip_frame = AVDISCARD_DEFAULT;
    if (d->may_skip && d->has_origin && is_time(d->packet->pts)) {
        int64_t at_us = to_us(d, d->packet->pts);

        if (nobody_wants(d, at_us))
            d->codec->skip_frame = AVDISCARD_NONREF;
        if (d->packet->pts >= d->drop_before_ts)
            d->seen_us[d->n_seen++ % SEEN_PACKETS] = at_us;
    }
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

/* Moves to a clean key frame at or before wanted_us; back: also where that is behind. After a failure decoding stands at
 * the start of the file, with no more seeks. */
static enum status seek_to(struct decoder *d, int64_t wanted_us, bool back, struct error *e)
{
    int64_t target = seek_target(d, wanted_us), before = d->position_ts, slack_us = 3 * TOLERANCE_US;
    struct video_facts facts;
    enum outcome outcome;

    for (unsigned attempt = 0; d->may_seek && attempt < SEEK_ATTEMPTS; attempt++) {
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
        /* A frame of the same time may come before a picture that stands alone; only the first of them counts. */
        if (to_us(d, d->packet->pts) <= wanted_us + TOLERANCE_US - (d->bitstream == BITSTREAM_INTRA ? slack_us : 0)) {
            d->packet_waits = true;
            d->drop_before_ts = d->packet->pts;
            /* An index that does not help once will not help again. */
            d->may_seek = back || attempt > 0 || d->position_ts > before;
            return STATUS_OK;
        }
        target = (target < to_ts(d, wanted_us) - d->reorder_ts ? target : to_ts(d, wanted_us) - d->reorder_ts) -
                 (attempt > 0 ? d->packet->pts - to_ts(d, wanted_us) + 1 : 0);
    }
    d->may_seek = false;
    return restart(d, &facts, &outcome, e);
}

static enum status add_key(struct decoder *d, int64_t at_us, size_t *room, struct error *e)
{
    /* A key frame before the first frame that came out is not shown. */
    if (at_us < 0 || (d->n_keys > 0 && at_us <= d->key_us[d->n_keys - 1]))
        return STATUS_OK;
    if (d->n_keys == *room) {
        int64_t *bigger = realloc(d->key_us, (*room * 2 + 64) * sizeof(*bigger));

        if (!bigger)
            return error_no_memory(e);
        d->key_us = bigger;
        *room = *room * 2 + 64;
    }
    d->key_us[d->n_keys++] = at_us;
    return STATUS_OK;
}

static int64_t before_next_key(struct decoder *scan, int entry)
{
    const AVIndexEntry *at, *last = avformat_index_get_entry(scan->media.stream, entry - 1);

    for (; (at = avformat_index_get_entry(scan->media.stream, entry)); entry++) {
        if (at->flags & AVINDEX_KEYFRAME && is_time(at->timestamp))
            return at->timestamp - 1;
        last = at;
    }
    return last->timestamp + frame_step_ts(scan, 64);
}

/* The next key packet's time into *ret_us; false at the end. by_index: that of the index' entries from *entry on. */
static bool next_key(struct decoder *scan, bool by_index, int *entry, int64_t *ret_us)
{
    const AVPacket *p = scan->packet;

    for (;;) {
        bool is_key;
        int64_t ts;

        if (by_index) {
            const AVIndexEntry *at = avformat_index_get_entry(scan->media.stream, *entry);

            if (!at)
                return false;
            ++*entry;
            if (!(at->flags & AVINDEX_KEYFRAME) || !is_time(at->timestamp))
                continue;
            /* A seek may count as packets are decoded or as they are shown: just before the next key frame is right for both. */
            ts = before_next_key(scan, *entry);
            if (av_seek_frame(scan->media.format, scan->media.stream->index, ts, AVSEEK_FLAG_BACKWARD) < 0)
                return false;
        }
        if (!read_packet(scan))
            return false;
        ts = is_time(p->pts) ? p->pts : p->dts;
        is_key = p->flags & AV_PKT_FLAG_KEY && is_time(ts);
        av_packet_unref(scan->packet);
        if (!is_key)
            continue;
        *ret_us = to_us(scan, ts);
        return true;
    }
}

/* The times of the packets that the container calls key frames: by the index' places, or by reading all. */
static enum status scan_key_frames(struct decoder *d, bool by_index, struct error *e)
{
    struct decoder *scan = calloc(1, sizeof(*scan));
    struct video_facts facts;
    enum outcome outcome;
    size_t room = 0;
    int64_t at_us;
    int entry = 0;
    enum status s;

    if (!scan)
        return error_no_memory(e);
    scan->facts = d->facts;
    scan->origin_ts = d->origin_ts;
    scan->packet = av_packet_alloc();
    if (!scan->packet)
        s = error_no_memory(e);
    else if (by_index)
        s = media_open_packets(d->fd, &d->window, d->media.stream->index, &scan->media, e);
    else
        s = media_open(d->fd, &d->window, d->max_side_px, &scan->media, &facts, &outcome, e);
    if (s == STATUS_OK)
        reset_position(scan);
    while (s == STATUS_OK && next_key(scan, by_index, &entry, &at_us))
        s = add_key(d, at_us, &room, e);
    av_packet_free(&scan->packet);
    media_close(&scan->media);
    free(scan);
    return s;
}

/* From a long index: its times count as decoding does, so they are moved by what the first one is off. */
static enum status take_index_keys(struct decoder *d, int n_entries, struct error *e)
{
    int64_t shift = 0;
    bool first = true;

    d->key_us = calloc((size_t)n_entries + 1, sizeof(*d->key_us));
    if (!d->key_us)
        return error_no_memory(e);
    for (int i = 0; i < n_entries; i++) {
        const AVIndexEntry *entry = avformat_index_get_entry(d->media.stream, i);
        int64_t at_us;

        if (!(entry->flags & AVINDEX_KEYFRAME) || !is_time(entry->timestamp))
            continue;
        if (first)
            shift = to_us(d, entry->timestamp) < 0 ? -to_us(d, entry->timestamp) : 0;
        first = false;
        at_us = to_us(d, entry->timestamp) + shift;
        if (at_us >= 0 && (d->n_keys == 0 || at_us > d->key_us[d->n_keys - 1]))
            d->key_us[d->n_keys++] = at_us;
    }
    return STATUS_OK;
}

static enum status find_key_frames(struct decoder *d, struct error *e)
{
    int n_entries = avformat_index_get_entries_count(d->media.stream), n_keys = 0;

    for (int i = 0; i < n_entries; i++)
        n_keys += (avformat_index_get_entry(d->media.stream, i)->flags & AVINDEX_KEYFRAME) != 0;
    if (!d->media.has_times) { /* nothing says when a packet is shown */
        d->key_us = calloc(1, sizeof(*d->key_us));
        d->n_keys = d->key_us ? 1 : 0;
        return d->key_us ? STATUS_OK : error_no_memory(e);
    }
    if (!d->media.index_is_whole)
        return scan_key_frames(d, false, e);
    return n_keys > MAX_SCANNED_KEYS ? take_index_keys(d, n_entries, e) : scan_key_frames(d, true, e);
}

enum status decoder_key_frames(struct decoder *d, const int64_t **ret_us, size_t *ret_n, struct error *e)
{
    struct media_words *before = media_listen(NULL); /* what damage does to frames is met when they are decoded */
    enum status s = d->key_us ? STATUS_OK : find_key_frames(d, e);

    media_listen(before);
    if (s != STATUS_OK) {
        free(d->key_us);
        d->key_us = NULL;
        d->n_keys = 0;
        return s;
    }
    *ret_us = d->key_us;
    *ret_n = d->n_keys;
    return STATUS_OK;
}

/* Fixes size and orientation by the first frame and makes the room for pictures. */
static enum status adopt_first_frame(struct decoder *d, enum outcome *ret_outcome, struct error *e)
{
    const AVFrame *f = d->kept[0].frame;
    const char *name = av_get_pix_fmt_name((enum AVPixelFormat)f->format);
    AVRational sar = av_guess_sample_aspect_ratio(d->media.format, d->media.stream, d->kept[0].frame);
    const AVFrameSideData *matrix = av_frame_get_side_data(f, AV_FRAME_DATA_DISPLAYMATRIX);
    struct picture_shape shape;
    enum status status;

    if (!d->media.has_orientation && matrix && matrix->size >= 9 * sizeof(int32_t)) {
        int32_t values[9];

        memcpy(values, matrix->data, sizeof(values));
        d->media.orientation = media_orientation_from_matrix(values, &d->facts.rotation_deg);
    }
    shape.orientation = d->media.orientation;
    shape.whole_below_px = d->whole_below_px;
    shape.stored_width_px = media_square_width((unsigned)f->width, sar.num, sar.den);
    shape.stored_height_px = (unsigned)f->height;
    if (shape.stored_width_px == 0 || shape.stored_width_px > d->max_side_px ||
        shape.stored_height_px > d->max_side_px) {
        *ret_outcome = OUTCOME_UNSUPPORTED;
        return error_set(e, STATUS_UNSUPPORTED, "frames of %u x %u, more than %u pixels a side", shape.stored_width_px,
                         shape.stored_height_px, d->max_side_px);
    }
    d->facts.width_px = shape.orientation.swap_axes ? shape.stored_height_px : shape.stored_width_px;
    d->facts.height_px = shape.orientation.swap_axes ? shape.stored_width_px : shape.stored_height_px;
    snprintf(d->facts.pixel_format, sizeof(d->facts.pixel_format), "%s", name ? name : "");
    status = picture_open(&shape, &d->picture, e);
    return status == STATUS_OK ? picture_show(d->picture, f, true, &d->image, e) : status;
}

static enum status settle_duration(struct decoder *d, struct error *e)
{
    if (d->facts.duration_us > 0 && d->media.duration_is_absolute)
        d->facts.duration_us -= to_us(d, 0) < 0 ? -to_us(d, 0) : 0;
    if (d->facts.duration_us <= 0) {
        struct video_facts facts;
        enum outcome outcome;
        struct media scanned;
        enum status status = media_open(d->fd, &d->window, d->max_side_px, &scanned, &facts, &outcome, e);

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
    av_frame_move_ref(d->kept[0].frame, d->decoded);
    d->kept[0].is_set = true;
    d->origin_ts = ts;
    d->has_origin = true;
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
    if (settings)
        d->window = settings->window;
    d->max_side_px = settings && settings->max_side_px > 0 ? settings->max_side_px : DEFAULT_MAX_SIDE_PX;
    if (d->max_side_px < MIN_MAX_SIDE_PX || d->max_side_px > MAX_MAX_SIDE_PX) {
        status = error_set(e, STATUS_INVALID, "max_side_px %u: must be %u to %u", d->max_side_px, MIN_MAX_SIDE_PX,
                           MAX_MAX_SIDE_PX);
        goto end;
    }
    d->packet = av_packet_alloc();
    d->decoded = av_frame_alloc();
    d->kept[0].frame = av_frame_alloc();
    d->n_room = 1;
    d->may_drain = true;
    d->lazy = settings && settings->lazy_pixels;
    d->whole_below_px = settings ? settings->whole_below_px : 0;
    status = d->packet && d->decoded && d->kept[0].frame ? decode_first_frame(d, &outcome, e) : error_no_memory(e);
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
    for (unsigned i = 0; i < p->n_room; i++)
        av_frame_free(&p->kept[i].frame);
    media_close(&p->media);
    picture_close(&p->picture);
    free(p->key_us);
    free(p->expected_us);
    free(p);
    *d = NULL;
}

void decoder_extras(const struct decoder *d, struct stream_extras *ret_x)
{
    struct media_words *before = media_listen(NULL);

    media_extras(&d->media, ret_x);
    if (ret_x->audio_codec[0] != '\0')
        ret_x->lead_silence_ms = media_leading_silence(d->fd, &d->window);
    media_listen(before);
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

enum status decoder_expect(struct decoder *d, const int64_t *wanted_us, size_t n, struct error *e)
{
    int64_t *copy = malloc((n + 1) * sizeof(*copy));

    if (!copy)
        return error_no_memory(e);
    for (size_t i = 0; i < n; i++)
        copy[i] = wanted_us[i] > 0 ? wanted_us[i] : 0;
    qsort(copy, n, sizeof(*copy), by_time);
    free(d->expected_us);
    d->expected_us = copy;
    d->n_expected = n;
    return STATUS_OK;
}

unsigned decoder_may_keep(const struct decoder *d, unsigned n_frames)
{
    const AVFrame *f = d->kept[d->newest].frame;
    int bytes = av_image_get_buffer_size((enum AVPixelFormat)f->format, f->width, f->height, 1);
    unsigned most = bytes > 0 ? (unsigned)(MAX_KEPT_BYTES / bytes) : 0;

    n_frames = n_frames < most ? n_frames : most;
    return n_frames < MAX_KEPT ? n_frames : MAX_KEPT;
}

enum status decoder_keep(struct decoder *d, unsigned n_frames, struct error *e)
{
    n_frames = decoder_may_keep(d, n_frames);
    while (d->n_room < n_frames + 1) {
        d->kept[d->n_room].frame = av_frame_alloc();
        if (!d->kept[d->n_room].frame)
            return error_no_memory(e);
        d->n_room++;
    }
    return STATUS_OK;
}

static void keep_decoded(struct decoder *d, int64_t wanted_us, int64_t pts_us)
{
    struct kept *k;

    d->newest = (d->newest + 1) % d->n_room;
    k = &d->kept[d->newest];
    av_frame_unref(k->frame);
    av_frame_move_ref(k->frame, d->decoded);
    k->is_set = true;
    k->from_us = wanted_us;
    k->pts_us = pts_us;
    d->shown = d->newest;
    d->image.width_px = 0;
}

static bool find_kept(struct decoder *d, int64_t wanted_us)
{
    for (unsigned i = 0; i < d->n_room; i++) {
        const struct kept *k = &d->kept[i];

        if (!k->is_set || wanted_us < k->from_us || wanted_us > k->pts_us + TOLERANCE_US)
            continue;
        if (d->shown != i)
            d->image.width_px = 0;
        d->shown = i;
        return true;
    }
    return false;
}

static enum status advance_to(struct decoder *d, int64_t wanted_us, struct error *e)
{
    enum status status = STATUS_OK;

    if (find_kept(d, wanted_us))
        return STATUS_OK;
    if (d->expected_us &&
        (expected_from(d, wanted_us) == d->n_expected || d->expected_us[expected_from(d, wanted_us)] != wanted_us)) {
        free(d->expected_us);
        d->expected_us = NULL;
        d->n_expected = 0;
        status = seek_to(d, wanted_us, true, e);
    } else if (wanted_us < d->wanted_us || d->is_drained)
        status = seek_to(d, wanted_us, true, e);
    else if (!d->ended && d->may_seek && seek_pays(d, seek_target(d, wanted_us), wanted_us))
        status = seek_to(d, wanted_us, false, e);
    if (status != STATUS_OK) {
        d->ended = true;
        return status == STATUS_NO_MEMORY ? status : STATUS_CORRUPT;
    }
    d->wanted_us = wanted_us;
    for (;;) {
        int64_t ts;

        if (!next_frame(d, &ts)) {
            if (!d->is_drained)
                return report_end(d, wanted_us, e);
            /* A packet that gave no picture: decoded anew, to the end. */
            d->may_drain = false;
            status = seek_to(d, wanted_us, true, e);
            if (status != STATUS_OK) {
                d->ended = true;
                return status == STATUS_NO_MEMORY ? status : STATUS_CORRUPT;
            }
            d->wanted_us = wanted_us;
            continue;
        }
        if (to_us(d, ts) + TOLERANCE_US >= wanted_us) {
            keep_decoded(d, wanted_us, to_us(d, ts));
            return STATUS_OK;
        }
        av_frame_unref(d->decoded);
    }
}

enum status decoder_frame_at(struct decoder *d, int64_t wanted_us, struct decoder_frame *ret_frame, struct error *e)
{
    struct media_words *before = media_listen(&d->words);
    enum status status = advance_to(d, wanted_us > 0 ? wanted_us : 0, e);

    if (status == STATUS_OK && (d->image.width_px == 0 || (d->image.source && !d->lazy)))
        status = picture_show(d->picture, d->kept[d->shown].frame, d->lazy, &d->image, e);
    media_listen(before);
    if (status != STATUS_OK)
        return status;
    ret_frame->image = d->image;
    ret_frame->pts_us = d->kept[d->shown].pts_us;
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
