#include <string.h>

#include "shard/wire_internal.h"
#include "wire.pb-c.h"

static ProtobufCBinaryData bytes_of(const char *string)
{
    return (ProtobufCBinaryData){.len = strlen(string),
                                 .data = (uint8_t *)(uintptr_t)string}; /* the generated code never writes there */
}

#define SET(message, field, value) ((message)->has_##field = 1, (message)->field = (value))

void wire_facts_fill(const struct video_facts *f, struct Fakesift__Wire__Facts *w)
{
    SET(w, container, bytes_of(f->container));
    SET(w, codec, bytes_of(f->codec));
    SET(w, pixel_format, bytes_of(f->pixel_format));
    SET(w, encoder, bytes_of(f->encoder));
    SET(w, width_px, f->width_px);
    SET(w, height_px, f->height_px);
    SET(w, rotation_deg, (uint32_t)f->rotation_deg);
    SET(w, fps_num, f->fps_num);
    SET(w, fps_den, f->fps_den);
    SET(w, duration_us, (uint64_t)f->duration_us);
    SET(w, n_frames, (uint64_t)f->n_frames);
    SET(w, bit_rate_bps, (uint64_t)f->bit_rate_bps);
    SET(w, n_video_streams, f->n_video_streams);
    SET(w, n_audio_streams, f->n_audio_streams);
}

/* An absent field reads as 0 or "", which is unknown. */
bool wire_facts_take(const struct Fakesift__Wire__Facts *w, struct video_facts *f)
{
    if (!wire_bytes_into(&w->container, f->container, sizeof(f->container)) ||
        !wire_bytes_into(&w->codec, f->codec, sizeof(f->codec)) ||
        !wire_bytes_into(&w->pixel_format, f->pixel_format, sizeof(f->pixel_format)) ||
        !wire_bytes_into(&w->encoder, f->encoder, sizeof(f->encoder)) || w->rotation_deg > 270 ||
        w->duration_us > INT64_MAX || w->n_frames > INT64_MAX || w->bit_rate_bps > INT64_MAX)
        return false;
    f->width_px = w->width_px;
    f->height_px = w->height_px;
    f->rotation_deg = (int32_t)w->rotation_deg;
    f->fps_num = w->fps_num;
    f->fps_den = w->fps_den;
    f->duration_us = (int64_t)w->duration_us;
    f->n_frames = (int64_t)w->n_frames;
    f->bit_rate_bps = (int64_t)w->bit_rate_bps;
    f->n_video_streams = w->n_video_streams;
    f->n_audio_streams = w->n_audio_streams;
    return true;
}
