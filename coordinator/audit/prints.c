#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/audit/audit_parts.h"
#include "coordinator/journal.h"
#include "coordinator/path_index.h"
#include "coordinator/reduce.h"
#include "shard/segment.h"

enum {
    BLACK_PERCENT = 98, /* ffmpeg's blackframe calls a picture black from here on */
    STILL_CHANGE = 12,  /* in 1/256 of a level, about 0.05: what a codec's noise stays below where nothing moves */
};

struct reading {
    const struct manifest *manifest;
    const struct path_index *index;
    struct prints *prints;
};

static uint8_t number_of_codec(struct prints *p, const char *name)
{
    size_t i;

    if (name[0] == '\0')
        return 0;
    for (i = 0; i < p->n_audio_codecs; i++) {
        if (strcmp(p->audio_codecs[i], name) == 0)
            return (uint8_t)(i + 1);
    }
    if (i == AUDIO_CODECS_MAX)
        return AUDIO_CODECS_MAX; /* the last one stands for the rest */
    memcpy(p->audio_codecs[i], name, strlen(name) + 1);
    p->n_audio_codecs++;
    return (uint8_t)(i + 1);
}

static bool make_room(struct prints *p, size_t n)
{
    struct hamming_picture *bigger;
    size_t room = p->room_pictures ? p->room_pictures : 4096;

    while (room < p->n_pictures + n)
        room += room / 2;
    if (room == p->room_pictures)
        return true;
    bigger = reallocarray(p->pictures, room, sizeof(*bigger));
    if (!bigger)
        return false;
    p->pictures = bigger;
    p->room_pictures = room;
    return true;
}

/* Nobody's from now on: hamming_join lets pictures of one owner be. */
static void disown(struct prints *p, const struct entry_prints *x)
{
    for (size_t k = 0; k < x->n_pictures; k++)
        p->pictures[x->first + k].owner = AUDIT_NO_ENTRY;
}

/* A part's pictures come behind those of the parts before, all of them in one place. */
static bool add_pictures(struct prints *p, struct entry_prints *x, uint32_t entry, const struct result *r)
{
    size_t from = p->n_pictures;

    if (!make_room(p, 2 * RESULT_MAX_PRINTS))
        return false;
    if (x->n_pictures > 0) {
        memcpy(p->pictures + from, p->pictures + x->first, x->n_pictures * sizeof(*p->pictures));
        disown(p, x);
    }
    x->first = from;
    p->n_pictures += x->n_pictures;
    for (uint32_t k = 0; k < r->n_prints && x->n_pictures < RESULT_MAX_PRINTS; k++) {
        struct hamming_picture *new = &p->pictures[p->n_pictures];

        if (r->prints[k].quality < AUDIT_GOOD_QUALITY)
            continue;
        memcpy(new->hash, r->prints[k].hash, sizeof(new->hash));
        new->owner = entry;
        new->slot = x->n_pictures++;
        p->n_pictures++;
    }
    return true;
}

static void add_measures(struct entry_prints *x, const struct result *r)
{
    for (uint32_t k = 0; k < r->n_prints; k++) {
        const struct picture_print *print = &r->prints[k];

        x->n_prints++;
        x->n_black += print->black_percent >= BLACK_PERCENT;
        x->n_compared += print->change > 0;
        x->n_still += print->change > 0 && print->change - 1 <= STILL_CHANGE;
        if (print->brightness > x->brightest)
            x->brightest = (uint8_t)print->brightness;
        if (print->sharpness > x->sharpest)
            x->sharpest = (uint16_t)print->sharpness;
    }
}

/* Whether r is to be kept beside or instead of what x has: a whole record goes before parts, parts of one cut add up. */
static bool is_wanted(const struct entry_prints *x, const struct result *r, bool *ret_afresh)
{
    bool a, b;

    *ret_afresh = true;
    if (!x->has_record)
        return true;
    if (r->segment) {
        *ret_afresh = false;
        return x->n_segments == r->segment->count && !(x->parts >> r->segment->index & 1);
    }
    if (x->n_segments > 0)
        return true;
    a = outcome_has_score(r->outcome);
    b = outcome_has_score((enum outcome)x->outcome);
    return a != b ? a : r->outcome < x->outcome; /* as reduce has it */
}

static enum status take(void *context, struct result *r, struct error *e)
{
    struct reading *reading = context;
    struct prints *p = reading->prints;
    size_t i = path_index_find(reading->index, r->path);
    struct entry_prints *x;
    bool afresh;

    if (i == SIZE_MAX || !reduce_is_of(r, manifest_entry(reading->manifest, i)))
        return STATUS_OK;
    x = &p->entries[i];
    if (!is_wanted(x, r, &afresh))
        return STATUS_OK;
    if (afresh) {
        disown(p, x);
        *x = (struct entry_prints){.n_segments = r->segment ? (uint8_t)r->segment->count : 0};
    }
    x->has_record = true;
    x->outcome = (uint8_t)r->outcome;
    if (r->segment)
        x->parts |= UINT64_C(1) << r->segment->index;
    x->audio_codec = number_of_codec(p, r->extras.audio_codec);
    x->audio_rate_hz = r->extras.audio_rate_hz;
    x->audio_start_ms = (int32_t)fmin(fmax((double)r->extras.audio_start_us / 1000, -1e9), 1e9);
    x->lead_silence_ms = (uint16_t)r->extras.lead_silence_ms;
    x->quarter_turns = (uint8_t)r->extras.quarter_turns;
    x->base_fps =
        r->extras.base_fps_den > 0 ? (float)((double)r->extras.base_fps_num / (double)r->extras.base_fps_den) : 0;
    add_measures(x, r);
    return add_pictures(p, x, (uint32_t)i, r) ? STATUS_OK : error_no_memory(e);
}

enum status prints_read(const struct audit_input *in, struct prints *ret_p, struct error *e)
{
    struct prints p = {0};
    struct path_index *index = NULL;
    struct journal_summary summary;
    struct reading reading = {.manifest = in->manifest, .prints = &p};
    enum status s = path_index_open(in->manifest, PATH_WHOLE, false, &index, e);

    p.entries = calloc(manifest_count(in->manifest) + 1, sizeof(*p.entries));
    reading.index = index;
    if (s == STATUS_OK && !p.entries)
        s = error_no_memory(e);
    if (s == STATUS_OK)
        s = journal_read(in->journal_folder, in->fingerprint, take, &reading, &summary, e);
    path_index_close(&index);
    if (s != STATUS_OK) {
        prints_clear(&p);
        return s;
    }
    *ret_p = p;
    return STATUS_OK;
}

void prints_clear(struct prints *p)
{
    free(p->entries);
    free(p->pictures);
    *p = (struct prints){0};
}
