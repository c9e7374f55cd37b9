#include "nodes/score_member.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "nodes/score_finds.h"
#include "nodes/score_lists.h"
#include "shard/clock.h"

void score_note_stage(const struct score_work *w, const char *stage)
{
    if (w->notes)
        snprintf(w->notes->stage, sizeof(w->notes->stage), "%s", stage);
}

static enum status take(struct score_member *m, struct score_work *w, const struct score_clip *c, struct error *e)
{
    struct clip_score clip = c->clip;
    int64_t start = clock_monotonic_us();
    enum status s = score_add_track(m->segment, &m->room_tracks, &c->track, e);

    if (c->n_faces > m->segment->longest_track)
        m->segment->longest_track = c->n_faces;
    if (s != STATUS_OK || c->n_faces < m->card->sampling.min_frames)
        return s;
    score_note_stage(w, "network");
    s = inference_patches(m->inference, c->patches, clip.n_frames, &clip.p_fake, e);
    w->network_us += clock_monotonic_us() - start;
    if (s == STATUS_OK)
        s = score_add_clip(m->result, &m->room_clips, &clip, e);
    if (s != STATUS_OK || m->segment->count > 1 || m != w->finder)
        return s;
    return score_keep_finds(w->finds, w->keeps, m->card, m->inference,
                            &(struct finds_patches){(uint32_t)m->result->n_clips - 1, c->patches,
                                                    m->card->crop.width_px, m->card->crop.height_px, clip.n_frames,
                                                    c->times_us},
                            e);
}

enum status score_member_take(struct score_member *m, struct score_work *w, const struct score_clip *c, struct error *e)
{
    enum status s;

    if (m->failed != OUTCOME_UNDECIDED)
        return STATUS_OK;
    s = take(m, w, c, e);
    if (s == STATUS_OK || s == STATUS_NO_MEMORY || !w->contains)
        return s;
    /* Alone it would be the video's outcome; here the others go on. What kills a lane, kills it for all. */
    score_member_fail(m, s == STATUS_UNSUPPORTED ? OUTCOME_UNSUPPORTED : OUTCOME_CRASHED, e->text);
    return STATUS_OK;
}

enum status score_member_begin(struct score_member *m, struct result *result, uint32_t index, uint32_t count)
{
    segment_free(&m->segment);
    m->result = result;
    m->room_clips = m->room_tracks = 0;
    m->failed = OUTCOME_UNDECIDED;
    m->segment = calloc(1, sizeof(*m->segment));
    if (!m->segment)
        return STATUS_NO_MEMORY;
    *m->segment = (struct segment){.index = index, .count = count, .rule = score_rule(m->card)};
    return STATUS_OK;
}

void score_member_begin_clip(struct score_member *m)
{
    m->n_tracks_before = m->segment->n_tracks;
}

void score_member_end_clip(struct score_member *m, uint32_t clip, uint32_t n_frames)
{
    struct segment *g = m->segment;

    g->clip_frames[clip - g->first_clip] = n_frames;
    for (size_t i = m->n_tracks_before; i < g->n_tracks; i++)
        g->tracks[i].n_missed = n_frames - 1 - g->tracks[i].n_missed;
}

enum status score_member_conclude(struct score_member *m, unsigned n_errors, const char *words, struct error *e)
{
    struct segment *g = m->segment;

    if (m->failed != OUTCOME_UNDECIDED)
        return STATUS_OK;
    score_sort_tracks(g);
    return segment_conclude(m->result, g, n_errors, words, e);
}

void score_member_fail(struct score_member *m, enum outcome outcome, const char *message)
{
    m->failed = outcome;
    m->result->outcome = outcome;
    m->result->p_fake = NAN;
    segment_drop_finds(m->result, m->segment, SEGMENT_TROUBLED);
    result_set_message(m->result, "%s", message);
}
