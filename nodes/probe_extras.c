#include <libavformat/avformat.h>
#include <stdio.h>
#include <string.h>

#include "nodes/media.h"

static const AVStream *first_audio(const AVFormatContext *format)
{
    for (unsigned i = 0; i < format->nb_streams; i++) {
        if (format->streams[i]->codecpar->codec_type == AVMEDIA_TYPE_AUDIO)
            return format->streams[i];
    }
    return NULL;
}

void media_extras(const struct media *m, struct stream_extras *ret_x)
{
    struct stream_extras x = {.audio_codec = ""};
    const AVStream *audio = first_audio(m->format);
    AVRational base = m->stream->r_frame_rate;

    if (base.num > 0 && base.den > 0) {
        x.base_fps_num = (uint32_t)base.num;
        x.base_fps_den = (uint32_t)base.den;
    }
    if (audio) {
        const int64_t from = m->stream->start_time, to = audio->start_time;

        snprintf(x.audio_codec, sizeof(x.audio_codec), "%s", avcodec_get_name(audio->codecpar->codec_id));
        if (audio->codecpar->sample_rate > 0)
            x.audio_rate_hz = (uint32_t)audio->codecpar->sample_rate;
        /* A start beyond a day is not believed. */
        if (from != AV_NOPTS_VALUE && to != AV_NOPTS_VALUE) {
            double us = (double)to * av_q2d(audio->time_base) - (double)from * av_q2d(m->stream->time_base);

            if (us > -86400 && us < 86400)
                x.audio_start_us = (int64_t)(us * 1e6 + (us < 0 ? -0.5 : 0.5));
        }
    }
    *ret_x = x;
}
