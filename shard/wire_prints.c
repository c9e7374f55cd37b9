#include <endian.h>
#include <string.h>

#include "shard/wire_internal.h"
#include "wire.pb-c.h"

enum { HASH_BYTES = PRINT_HASH_WORDS * 8 };

void wire_prints_fill(const struct result *r, struct wire_prints *columns, struct Fakesift__Wire__Prints *w)
{
    const struct stream_extras *x = &r->extras;
    size_t n = r->n_prints;

    for (size_t i = 0; i < n; i++) {
        const struct picture_print *p = &r->prints[i];

        columns->pts_us[i] = p->pts_us;
        columns->quality[i] = p->quality;
        columns->brightness[i] = p->brightness;
        columns->black_percent[i] = p->black_percent;
        columns->sharpness[i] = p->sharpness;
        columns->change[i] = p->change;
        for (size_t k = 0; k < PRINT_HASH_WORDS; k++) {
            uint64_t word = htole64(p->hash[k]);

            memcpy(columns->hashes + i * HASH_BYTES + k * sizeof(word), &word, sizeof(word));
        }
    }
    /* The generated code never writes through data. */
    w->audio_codec = (ProtobufCBinaryData){.len = strlen(x->audio_codec), .data = (uint8_t *)(uintptr_t)x->audio_codec};
    w->hashes = (ProtobufCBinaryData){.len = n * HASH_BYTES, .data = columns->hashes};
    w->audio_rate_hz = x->audio_rate_hz;
    w->audio_start_us = x->audio_start_us;
    w->base_fps_num = x->base_fps_num;
    w->base_fps_den = x->base_fps_den;
    w->has_audio_codec = w->has_audio_rate_hz = w->has_audio_start_us = 1;
    w->has_base_fps_num = w->has_base_fps_den = w->has_hashes = 1;
    w->n_pts_us = w->n_quality = w->n_brightness = w->n_black_percent = w->n_sharpness = w->n_change = n;
    w->pts_us = columns->pts_us;
    w->quality = columns->quality;
    w->brightness = columns->brightness;
    w->black_percent = columns->black_percent;
    w->sharpness = columns->sharpness;
    w->change = columns->change;
}

enum status wire_prints_take(const struct Fakesift__Wire__Prints *w, struct result *r)
{
    struct stream_extras *x = &r->extras;
    size_t n = w->n_pts_us;

    if (n > RESULT_MAX_PRINTS || w->hashes.len != n * HASH_BYTES || w->n_quality != n || w->n_brightness != n ||
        w->n_black_percent != n || w->n_sharpness != n || w->n_change != n ||
        w->audio_codec.len >= sizeof(x->audio_codec) ||
        (w->audio_codec.len > 0 && memchr(w->audio_codec.data, '\0', w->audio_codec.len)))
        return STATUS_CORRUPT;
    if (w->audio_codec.len > 0)
        memcpy(x->audio_codec, w->audio_codec.data, w->audio_codec.len);
    x->audio_codec[w->audio_codec.len] = '\0';
    x->audio_rate_hz = w->audio_rate_hz;
    x->audio_start_us = w->audio_start_us;
    x->base_fps_num = w->base_fps_num;
    x->base_fps_den = w->base_fps_den;
    r->n_prints = (uint32_t)n;
    for (size_t i = 0; i < n; i++) {
        r->prints[i] = (struct picture_print){
            .pts_us = w->pts_us[i],
            .quality = w->quality[i],
            .brightness = w->brightness[i],
            .black_percent = w->black_percent[i],
            .sharpness = w->sharpness[i],
            .change = w->change[i],
        };
        for (size_t k = 0; k < PRINT_HASH_WORDS; k++) {
            uint64_t word;

            memcpy(&word, w->hashes.data + i * HASH_BYTES + k * sizeof(word), sizeof(word));
            r->prints[i].hash[k] = le64toh(word);
        }
    }
    return STATUS_OK;
}
