#include <stdlib.h>
#include <string.h>

#include "shard/wire_internal.h"
#include "wire.pb-c.h"

enum { BOX_FLOATS = 8 };

/* The message and its columns, in one allocation. */
struct packed_segment {
    Fakesift__Wire__Segment message;
    uint32_t numbers[];
};

static void fill_tracks(const struct segment *s, Fakesift__Wire__Segment *w, uint32_t *numbers, float *boxes)
{
    size_t n = s->n_tracks;

    w->track_clip = numbers;
    w->track_number = numbers + n;
    w->track_first_frame = numbers + 2 * n;
    w->track_missed = numbers + 3 * n;
    w->track_boxes = boxes;
    w->n_track_clip = w->n_track_number = w->n_track_first_frame = w->n_track_missed = n;
    w->n_track_boxes = BOX_FLOATS * n;
    for (size_t i = 0; i < n; i++) {
        const struct clip_track *t = &s->tracks[i];

        w->track_clip[i] = t->clip;
        w->track_number[i] = t->number;
        w->track_first_frame[i] = t->first_frame;
        w->track_missed[i] = t->n_missed;
        memcpy(boxes + BOX_FLOATS * i, t->first_box, sizeof(t->first_box));
        memcpy(boxes + BOX_FLOATS * i + BOX_FLOATS / 2, t->last_box, sizeof(t->last_box));
    }
}

#define SET(message, field, value) ((message)->has_##field = 1, (message)->field = (value))

enum status wire_segment_fill(const struct segment *s, struct Fakesift__Wire__Result *result)
{
    size_t n_numbers = s->n_clips + 4 * s->n_tracks, n_floats = BOX_FLOATS * s->n_tracks;
    struct packed_segment *p = malloc(sizeof(*p) + n_numbers * sizeof(uint32_t) + n_floats * sizeof(float));
    Fakesift__Wire__Segment *w;

    if (!p)
        return STATUS_NO_MEMORY;
    w = &p->message;
    fakesift__wire__segment__init(w);
    w->index = s->index;
    w->count = s->count;
    w->state = s->state;
    SET(w, has_faces, s->rule.has_faces);
    SET(w, clips_rule, s->rule.clips);
    SET(w, tracks_rule, s->rule.tracks);
    SET(w, top_k, s->rule.top_k);
    SET(w, min_frames, s->rule.min_frames);
    SET(w, hold_frames, s->rule.hold_frames);
    SET(w, min_face_px, s->rule.min_face_px);
    SET(w, min_overlap, s->rule.min_overlap);
    SET(w, first_clip, s->first_clip);
    SET(w, longest_track, s->longest_track);
    w->n_clip_frames = s->n_clips;
    w->clip_frames = p->numbers;
    if (s->n_clips > 0)
        memcpy(p->numbers, s->clip_frames, s->n_clips * sizeof(*s->clip_frames));
    fill_tracks(s, w, p->numbers + s->n_clips, (void *)(p->numbers + n_numbers));
    result->segment = w;
    result->n_segments = s->count;
    return STATUS_OK;
}

void wire_segment_free(struct Fakesift__Wire__Result *result)
{
    free(result->segment);
    result->segment = NULL;
}

static bool sizes_fit(const Fakesift__Wire__Segment *w)
{
    size_t n = w->n_track_clip;

    return n <= SEGMENT_MAX_TRACKS && w->n_track_number == n && w->n_track_first_frame == n && w->n_track_missed == n &&
           w->n_track_boxes == BOX_FLOATS * n && w->n_clip_frames <= SEGMENT_MAX_CLIPS && w->state <= SEGMENT_FAILED &&
           w->clips_rule <= AGGREGATE_SHARE && w->tracks_rule <= AGGREGATE_SHARE;
}

enum status wire_segment_take(const struct Fakesift__Wire__Segment *w, struct segment **ret_s)
{
    struct segment *s;

    if (!sizes_fit(w))
        return STATUS_CORRUPT;
    s = calloc(1, sizeof(*s));
    if (!s)
        return STATUS_NO_MEMORY;
    *s = (struct segment){
        .index = w->index,
        .count = w->count,
        .state = (enum segment_state)w->state,
        .rule = {.has_faces = w->has_faces != 0,
                 .clips = (enum aggregation)w->clips_rule,
                 .tracks = (enum aggregation)w->tracks_rule,
                 .top_k = w->top_k,
                 .min_frames = w->min_frames,
                 .hold_frames = w->hold_frames,
                 .min_face_px = w->min_face_px,
                 .min_overlap = w->min_overlap},
        .first_clip = w->first_clip,
        .n_clips = (uint32_t)w->n_clip_frames,
        .longest_track = w->longest_track,
        .n_tracks = w->n_track_clip,
    };
    s->clip_frames = calloc(w->n_clip_frames + 1, sizeof(*s->clip_frames));
    s->tracks = calloc(w->n_track_clip + 1, sizeof(*s->tracks));
    if (!s->clip_frames || !s->tracks) {
        segment_free(&s);
        return STATUS_NO_MEMORY;
    }
    for (size_t i = 0; i < w->n_clip_frames; i++)
        s->clip_frames[i] = w->clip_frames[i];
    for (size_t i = 0; i < w->n_track_clip; i++) {
        struct clip_track *t = &s->tracks[i];

        t->clip = w->track_clip[i];
        t->number = w->track_number[i];
        t->first_frame = w->track_first_frame[i];
        t->n_missed = w->track_missed[i];
        memcpy(t->first_box, w->track_boxes + BOX_FLOATS * i, sizeof(t->first_box));
        memcpy(t->last_box, w->track_boxes + BOX_FLOATS * i + BOX_FLOATS / 2, sizeof(t->last_box));
    }
    *ret_s = s;
    return STATUS_OK;
}
