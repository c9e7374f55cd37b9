#include "nodes/score_lists.h"

#include <stdlib.h>

enum status score_add_clip(struct result *r, size_t *room, const struct clip_score *clip, struct error *e)
{
    if (r->n_clips == RESULT_MAX_CLIPS)
        return error_set(e, STATUS_UNSUPPORTED, "more than %d clip scores", RESULT_MAX_CLIPS);
    if (r->n_clips == *room) {
        size_t more = *room ? *room * 2 : 16;
        struct clip_score *bigger = realloc(r->clips, more * sizeof(*bigger));

        if (!bigger)
            return error_no_memory(e);
        r->clips = bigger;
        *room = more;
    }
    r->clips[r->n_clips] = *clip;
    r->clips[r->n_clips].source = (uint32_t)r->n_clips;
    r->n_clips++;
    return STATUS_OK;
}

enum status score_add_track(struct segment *g, size_t *room, const struct clip_track *track, struct error *e)
{
    if (g->n_tracks == *room) {
        size_t more = *room ? *room * 2 : 16;
        struct clip_track *bigger = realloc(g->tracks, more * sizeof(*bigger));

        if (!bigger)
            return error_no_memory(e);
        g->tracks = bigger;
        *room = more;
    }
    g->tracks[g->n_tracks++] = *track;
    return STATUS_OK;
}

static int by_clip_and_number(const void *a, const void *b)
{
    const struct clip_track *x = a, *y = b;

    if (x->clip != y->clip)
        return x->clip < y->clip ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

void score_sort_tracks(struct segment *g)
{
    if (g->n_tracks > 1)
        qsort(g->tracks, g->n_tracks, sizeof(*g->tracks), by_clip_and_number);
}

struct segment_rule score_rule(const struct card *card)
{
    return (struct segment_rule){
        .has_faces = card->input == INPUT_FACES,
        .clips = card->aggregation.clips,
        .tracks = card->aggregation.tracks,
        .top_k = card->aggregation.top_k,
        .min_frames = card->sampling.min_frames,
        .hold_frames = card->face.hold_frames,
        .min_face_px = card->face.min_face_px,
        .min_overlap = card->face.min_overlap,
    };
}
