#include <stdlib.h>

#include "shard/wire_internal.h"
#include "wire.pb-c.h"

/* The clips' columns, in one allocation. */
struct columns {
    double *p_fake;
    int64_t *start_us, *end_us;
    uint32_t *track, *number, *n_frames;
};

static struct columns columns_of(void *block, size_t n)
{
    struct columns c;

    /* Widest first, so that each column is aligned. */
    c.p_fake = block;
    c.start_us = (void *)(c.p_fake + n);
    c.end_us = c.start_us + n;
    c.track = (void *)(c.end_us + n);
    c.number = c.track + n;
    c.n_frames = c.number + n;
    return c;
}

void *wire_clips_fill(const struct result *r, struct Fakesift__Wire__Result *w)
{
    void *block = malloc(r->n_clips * (3 * sizeof(double) + 3 * sizeof(uint32_t)));
    struct columns c;

    if (!block)
        return NULL;
    c = columns_of(block, r->n_clips);
    for (size_t i = 0; i < r->n_clips; i++) {
        c.track[i] = r->clips[i].track;
        c.number[i] = r->clips[i].clip;
        c.start_us[i] = r->clips[i].start_us;
        c.end_us[i] = r->clips[i].end_us;
        c.n_frames[i] = r->clips[i].n_frames;
        c.p_fake[i] = r->clips[i].p_fake;
    }
    w->clip_track = c.track;
    w->clip_number = c.number;
    w->clip_start_us = c.start_us;
    w->clip_end_us = c.end_us;
    w->clip_n_frames = c.n_frames;
    w->clip_p_fake = c.p_fake;
    w->n_clip_track = w->n_clip_number = w->n_clip_start_us = r->n_clips;
    w->n_clip_end_us = w->n_clip_n_frames = w->n_clip_p_fake = r->n_clips;
    return block;
}

enum status wire_clips_take(const struct Fakesift__Wire__Result *w, struct result *r)
{
    size_t n = w->n_clip_track;

    if (n > RESULT_MAX_CLIPS || w->n_clip_number != n || w->n_clip_start_us != n || w->n_clip_end_us != n ||
        w->n_clip_n_frames != n || w->n_clip_p_fake != n)
        return STATUS_CORRUPT;
    if (n == 0)
        return STATUS_OK;
    r->clips = calloc(n, sizeof(*r->clips));
    if (!r->clips)
        return STATUS_NO_MEMORY;
    r->n_clips = n;
    for (size_t i = 0; i < n; i++) {
        r->clips[i] = (struct clip_score){
            .track = w->clip_track[i],
            .clip = w->clip_number[i],
            .start_us = w->clip_start_us[i],
            .end_us = w->clip_end_us[i],
            .n_frames = w->clip_n_frames[i],
            .p_fake = w->clip_p_fake[i],
        };
    }
    return STATUS_OK;
}
