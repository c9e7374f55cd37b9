/* How long a video's sound is silent at its begin: a shortcut that fakes of lip-syncing tools are known for. In: the file, opened
 * a second time, since its sound is not read with its pictures. Out: milliseconds. */
#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <math.h>
#include <string.h>

#include "nodes/media.h"

enum {
    LONGEST_MS = 10000,  /* beyond, it is silent for so long */
    MAX_PACKETS = 20000, /* of all streams, before that much sound came */
    MAX_RATE_HZ = 768000,
    MAX_CHANNELS = 64,
    MAX_SIDE_PX = 16384
};

/* -60 dB of full scale, ffmpeg's silencedetect's own. */
static const double quiet = 0.001;

/* Plain decoders of common sound; what else there is stays unread. */
static bool is_plain(enum AVCodecID id)
{
    static const enum AVCodecID known[] = {AV_CODEC_ID_AAC,  AV_CODEC_ID_MP3,    AV_CODEC_ID_MP2,
                                           AV_CODEC_ID_AC3,  AV_CODEC_ID_EAC3,   AV_CODEC_ID_OPUS,
                                           AV_CODEC_ID_FLAC, AV_CODEC_ID_VORBIS, AV_CODEC_ID_ALAC};

    if (id >= AV_CODEC_ID_PCM_S16LE && id <= AV_CODEC_ID_PCM_F64LE)
        return true;
    for (size_t k = 0; k < sizeof(known) / sizeof(known[0]); k++) {
        if (known[k] == id)
            return true;
    }
    return false;
}

static double sample_at(const uint8_t *data, enum AVSampleFormat format, size_t i)
{
    switch (av_get_packed_sample_fmt(format)) {
    case AV_SAMPLE_FMT_U8:
        return (data[i] - 128) / 128.0;
    case AV_SAMPLE_FMT_S16:
        return ((const int16_t *)(const void *)data)[i] / 32768.0;
    case AV_SAMPLE_FMT_S32:
        return ((const int32_t *)(const void *)data)[i] / 2147483648.0;
    case AV_SAMPLE_FMT_FLT:
        return (double)((const float *)(const void *)data)[i];
    case AV_SAMPLE_FMT_DBL:
        return ((const double *)(const void *)data)[i];
    default:
        return 1; /* unknown: loud */
    }
}

/* The first sample that is not quiet in some channel; frame->nb_samples: none. */
static int first_loud(const AVFrame *frame)
{
    enum AVSampleFormat format = (enum AVSampleFormat)frame->format;
    int n_channels = frame->ch_layout.nb_channels;
    bool planar = av_sample_fmt_is_planar(format) != 0;

    for (int i = 0; i < frame->nb_samples; i++) {
        for (int c = 0; c < n_channels; c++) {
            const uint8_t *data = planar ? frame->extended_data[c] : frame->extended_data[0];

            if (!(fabs(sample_at(data, format, planar ? (size_t)i : (size_t)i * (size_t)n_channels + (size_t)c)) <=
                  quiet))
                return i;
        }
    }
    return frame->nb_samples;
}

/* Takes what the decoder has. True: it is known how long the silence is. */
static bool listen_on(AVCodecContext *c, AVFrame *frame, double *silent_ms)
{
    while (avcodec_receive_frame(c, frame) >= 0) {
        int rate = frame->sample_rate, n = frame->nb_samples, loud;

        if (rate <= 0 || rate > MAX_RATE_HZ || frame->ch_layout.nb_channels <= 0 ||
            frame->ch_layout.nb_channels > MAX_CHANNELS) {
            av_frame_unref(frame);
            continue;
        }
        loud = first_loud(frame);
        *silent_ms += 1000.0 * loud / rate;
        av_frame_unref(frame);
        if (loud < n || *silent_ms >= LONGEST_MS)
            return true;
    }
    return false;
}

static int find_audio(AVFormatContext *format)
{
    int found = -1;

    for (unsigned i = 0; i < format->nb_streams; i++) {
        bool is_first = found < 0 && format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO;

        if (is_first)
            found = (int)i;
        format->streams[i]->discard = is_first ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    return found;
}

static uint32_t listen_to(AVFormatContext *format)
{
    int index = find_audio(format), n_packets = 0;
    const AVCodec *codec = index >= 0 && is_plain(format->streams[index]->codecpar->codec_id)
                               ? avcodec_find_decoder(format->streams[index]->codecpar->codec_id)
                               : NULL;
    AVCodecContext *c = codec ? avcodec_alloc_context3(codec) : NULL;
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    double silent_ms = 0;
    bool any = false, known = false;

    if (!c || !packet || !frame || avcodec_parameters_to_context(c, format->streams[index]->codecpar) < 0)
        goto end;
    c->thread_count = 1;
    c->pkt_timebase = format->streams[index]->time_base;
    if (avcodec_open2(c, codec, NULL) < 0)
        goto end;
    while (!known && n_packets++ < MAX_PACKETS && av_read_frame(format, packet) >= 0) {
        if (packet->stream_index == index && avcodec_send_packet(c, packet) >= 0) {
            any = true;
            known = listen_on(c, frame, &silent_ms);
        }
        av_packet_unref(packet);
    }
    if (any && !known && avcodec_send_packet(c, NULL) >= 0)
        listen_on(c, frame, &silent_ms);
end:
    avcodec_free_context(&c);
    av_packet_free(&packet);
    av_frame_free(&frame);
    /* + 1: see struct stream_extras. */
    return any ? (uint32_t)(fmin(silent_ms, LONGEST_MS) + 0.5) + 1 : 0;
}

uint32_t media_leading_silence(int fd, const struct window *window)
{
    struct media m = {0};
    struct video_facts facts;
    enum outcome outcome;
    struct error ignored = {0};
    uint32_t found;

    if (media_open(fd, window, MAX_SIDE_PX, &m, &facts, &outcome, &ignored) != STATUS_OK)
        return 0;
    found = listen_to(m.format);
    media_close(&m);
    return found;
}
