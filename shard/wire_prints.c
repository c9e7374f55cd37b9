#include <endian.h>
#include <string.h>

#include "shard/wire_internal.h"
#include "wire.pb-c.h"

static uint8_t *put(uint8_t *p, uint64_t value, size_t n_bytes)
{
    uint64_t little = htole64(value);

    memcpy(p, &little, n_bytes);
    return p + n_bytes;
}

static const uint8_t *get(const uint8_t *p, uint64_t *ret_value, size_t n_bytes)
{
    uint64_t little = 0;

    memcpy(&little, p, n_bytes);
    *ret_value = le64toh(little);
    return p + n_bytes;
}

static uint8_t *put_print(uint8_t *at, const struct picture_print *p)
{
    at = put(at, (uint64_t)p->pts_us, 8);
    for (size_t k = 0; k < PRINT_HASH_WORDS; k++)
        at = put(at, p->hash[k], 8);
    at = put(at, p->quality, 1);
    at = put(at, p->brightness, 1);
    at = put(at, p->black_percent, 1);
    at = put(at, 0, 1);
    at = put(at, p->sharpness, 2);
    return put(at, p->change, 2);
}

static const uint8_t *get_print(const uint8_t *at, struct picture_print *p, uint64_t *ret_zero)
{
    uint64_t pts, numbers[5];

    at = get(at, &pts, 8);
    p->pts_us = (int64_t)pts;
    for (size_t k = 0; k < PRINT_HASH_WORDS; k++)
        at = get(at, &p->hash[k], 8);
    for (size_t k = 0; k < 3; k++)
        at = get(at, &numbers[k], 1);
    at = get(at, ret_zero, 1);
    for (size_t k = 3; k < 5; k++)
        at = get(at, &numbers[k], 2);
    p->quality = (uint32_t)numbers[0];
    p->brightness = (uint32_t)numbers[1];
    p->black_percent = (uint32_t)numbers[2];
    p->sharpness = (uint32_t)numbers[3];
    p->change = (uint32_t)numbers[4];
    return at;
}

void wire_prints_fill(const struct result *r, uint8_t frames[RESULT_MAX_PRINTS * WIRE_PRINT_BYTES],
                      struct Fakesift__Wire__Prints *w)
{
    const struct stream_extras *x = &r->extras;
    uint8_t *at = frames;

    for (size_t i = 0; i < r->n_prints; i++)
        at = put_print(at, &r->prints[i]);
    /* The generated code never writes through data. */
    w->audio_codec = (ProtobufCBinaryData){.len = strlen(x->audio_codec), .data = (uint8_t *)(uintptr_t)x->audio_codec};
    w->frames = (ProtobufCBinaryData){.len = (size_t)(at - frames), .data = frames};
    w->audio_rate_hz = x->audio_rate_hz;
    w->audio_start_us = x->audio_start_us;
    w->base_fps_num = x->base_fps_num;
    w->base_fps_den = x->base_fps_den;
    w->lead_silence_ms = x->lead_silence_ms;
    w->has_lead_silence_ms = x->lead_silence_ms > 0;
    w->quarter_turns = x->quarter_turns;
    w->has_quarter_turns = x->quarter_turns > 0;
    w->has_audio_codec = w->has_audio_rate_hz = w->has_audio_start_us = 1;
    w->has_base_fps_num = w->has_base_fps_den = w->has_frames = 1;
}

bool wire_turned_and_silent(uint32_t quarter_turns, uint32_t lead_silence_ms)
{
    return quarter_turns <= 3 && lead_silence_ms <= 10001;
}

bool wire_prints_sound(const uint8_t *frames, size_t len_bytes)
{
    size_t n = len_bytes / WIRE_PRINT_BYTES;
    int64_t last_us = INT64_MIN;

    if (n > RESULT_MAX_PRINTS || len_bytes % WIRE_PRINT_BYTES != 0)
        return false;
    for (size_t i = 0; i < n; i++, frames += WIRE_PRINT_BYTES) {
        uint64_t pts;

        get(frames, &pts, 8);
        /* After the hash: quality, brightness, black_percent, zero; what follows fits whatever it is. */
        if (frames[40] > PRINT_MAX_QUALITY || frames[42] > 100 || frames[43] != 0 || (i > 0 && (int64_t)pts <= last_us))
            return false;
        last_us = (int64_t)pts;
    }
    return true;
}

enum status wire_prints_take(const struct Fakesift__Wire__Prints *w, struct result *r)
{
    struct stream_extras *x = &r->extras;
    size_t n = w->frames.len / WIRE_PRINT_BYTES;
    const uint8_t *at = w->frames.data;

    if (n > RESULT_MAX_PRINTS || w->frames.len % WIRE_PRINT_BYTES != 0 ||
        w->audio_codec.len >= sizeof(x->audio_codec) || !wire_turned_and_silent(w->quarter_turns, w->lead_silence_ms) ||
        (w->audio_codec.len > 0 && memchr(w->audio_codec.data, '\0', w->audio_codec.len)))
        return STATUS_CORRUPT;
    if (w->audio_codec.len > 0)
        memcpy(x->audio_codec, w->audio_codec.data, w->audio_codec.len);
    x->audio_codec[w->audio_codec.len] = '\0';
    x->audio_rate_hz = w->audio_rate_hz;
    x->audio_start_us = w->audio_start_us;
    x->lead_silence_ms = w->lead_silence_ms;
    x->quarter_turns = w->quarter_turns;
    x->base_fps_num = w->base_fps_num;
    x->base_fps_den = w->base_fps_den;
    r->n_prints = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        uint64_t zero;

        at = get_print(at, &r->prints[i], &zero);
        if (zero != 0)
            return STATUS_CORRUPT;
    }
    return STATUS_OK;
}
