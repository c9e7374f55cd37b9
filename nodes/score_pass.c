#include "nodes/score_pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/score_plan.h"
#include "nodes/score_speed.h"
#include "shard/clock.h"
#include "shard/segment.h"

static enum status find_finder(struct passes *p, const struct detector *d, struct face_finder **ret_f, struct error *e)
{
    struct pass_finder *f = &p->finders[p->n_finders];
    enum status s;

    for (size_t i = 0; i < p->n_finders; i++) {
        if (card_finds_same_faces(p->finders[i].card, d->card)) {
            *ret_f = p->finders[i].finder;
            return STATUS_OK;
        }
    }
    s = face_finder_open(d->face_card, (const struct network *const *)d->face_networks, &d->card->face, &f->finder, e);
    if (s != STATUS_OK)
        return s;
    f->card = d->card;
    p->n_finders++;
    *ret_f = f->finder;
    return score_speed_faces(f->finder, d->card, &f->face_s, e);
}

static enum status find_gaze(struct passes *p, struct pass *pass, const struct detector *d, struct gaze **ret_g,
                             struct error *e)
{
    struct gaze *g = &pass->gazes[pass->n_gazes];
    struct face_finder *finder = NULL;
    enum status s = STATUS_OK;

    for (size_t i = 0; i < pass->n_gazes; i++) {
        if (card_finds_same_faces(pass->gazes[i].card, d->card)) {
            *ret_g = &pass->gazes[i];
            return STATUS_OK;
        }
    }
    if (d->face_card) {
        s = find_finder(p, d, &finder, e);
        if (s == STATUS_OK)
            s = follower_open(&d->card->face, finder, &g->follower, e);
    }
    if (s != STATUS_OK)
        return s;
    g->card = d->card;
    pass->n_gazes++;
    *ret_g = g;
    return STATUS_OK;
}

static struct lens *find_lens(struct passes *p, struct gaze *g, const struct card *card)
{
    for (size_t i = 0; i < g->n_lenses; i++) {
        if (card_cuts_same_crops(g->lenses[i]->card, card))
            return g->lenses[i];
    }
    lens_open(&p->lenses[p->n_lenses], card);
    g->lenses[g->n_lenses++] = &p->lenses[p->n_lenses];
    return &p->lenses[p->n_lenses++];
}

static struct pass *find_pass(struct passes *p, const struct card *card)
{
    for (size_t i = 0; i < p->n; i++) {
        if (card_wants_same_frames(p->list[i].card, card))
            return &p->list[i];
    }
    p->list[p->n].card = card;
    return &p->list[p->n++];
}

enum status passes_open(const struct detector *const *detectors, struct score_member *members, size_t n,
                        struct passes *ret_p, struct error *e)
{
    enum status s = STATUS_OK;

    ret_p->list = calloc(n, sizeof(*ret_p->list));
    ret_p->lenses = calloc(n, sizeof(*ret_p->lenses));
    if (!ret_p->list || !ret_p->lenses)
        return error_no_memory(e);
    for (size_t i = 0; s == STATUS_OK && i < n; i++) {
        struct pass *pass = find_pass(ret_p, detectors[i]->card);
        struct gaze *gaze = NULL;
        struct lens *lens;

        s = find_gaze(ret_p, pass, detectors[i], &gaze, e);
        if (s != STATUS_OK)
            break;
        lens = find_lens(ret_p, gaze, detectors[i]->card);
        lens->members[lens->n_members++] = &members[i];
        pass->gaze_of[pass->n_members] = gaze;
        pass->members[pass->n_members++] = &members[i];
    }
    return s;
}

void passes_close(struct passes *p)
{
    for (size_t i = 0; i < p->n; i++) {
        for (size_t k = 0; k < p->list[i].n_gazes; k++)
            follower_close(&p->list[i].gazes[k].follower);
        sample_plan_clear(&p->list[i].plan);
    }
    for (size_t i = 0; i < p->n_lenses; i++)
        lens_close(&p->lenses[i]);
    for (size_t i = 0; i < p->n_finders; i++)
        face_finder_close(&p->finders[i].finder);
    free(p->list);
    free(p->lenses);
    *p = (struct passes){0};
}

static double frames_of(const struct card *card)
{
    return (double)card->sampling.clips * card->sampling.frames;
}

double passes_face_s(const struct passes *p)
{
    double sum = 0;

    for (size_t i = 0; i < p->n; i++) {
        for (size_t k = 0; k < p->list[i].n_gazes; k++) {
            const struct card *card = p->list[i].gazes[k].card;

            for (size_t f = 0; f < p->n_finders; f++) {
                if (card_finds_same_faces(p->finders[f].card, card))
                    sum += p->finders[f].face_s * (frames_of(card) / frames_of(p->list[0].card));
            }
        }
    }
    return sum;
}

void passes_reset(struct passes *p)
{
    for (size_t i = 0; i < p->n_lenses; i++)
        lens_reset(&p->lenses[i]);
    for (size_t i = 0; i < p->n; i++) {
        p->list[i].n_frames_wanted = p->list[i].n_frames_decoded = 0;
        for (size_t k = 0; k < p->list[i].n_gazes; k++)
            p->list[i].gazes[k].n_frames_with_face = 0;
    }
}

static enum status begin_pass(struct pass *p, struct decoder *decoder, uint32_t index, uint32_t count, struct error *e)
{
    enum status s;

    sample_plan_clear(&p->plan);
    s = score_make_plan(&p->card->sampling, decoder, &p->plan, e);
    if (s != STATUS_OK)
        return s;
    segment_range(p->plan.n_clips, index, count, &p->first_clip, &p->n_clips);
    p->clip = p->first_clip;
    p->at = 0;
    p->n_frames_wanted = p->n_clips * p->plan.n_frames;
    for (size_t i = 0; i < p->n_members; i++) {
        struct segment *g = p->members[i]->segment;

        g->first_clip = p->first_clip;
        g->n_clips = p->n_clips;
        g->clip_frames = calloc(p->n_clips + 1, sizeof(*g->clip_frames));
        if (!g->clip_frames)
            return error_no_memory(e);
    }
    return STATUS_OK;
}

enum status passes_begin(struct passes *p, struct decoder *decoder, uint32_t index, uint32_t count, struct error *e)
{
    struct plan_range ranges[DETECTORS_MAX];
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < p->n; i++) {
        s = begin_pass(&p->list[i], decoder, index, count, e);
        ranges[i] = (struct plan_range){&p->list[i].plan, p->list[i].first_clip, p->list[i].n_clips};
    }
    return s == STATUS_OK ? score_announce_plans(ranges, p->n, decoder, e) : s;
}

static const int64_t *wanted(const struct pass *p)
{
    return p->plan.wanted_us + (size_t)p->clip * p->plan.n_frames;
}

struct pass *passes_next(const struct passes *p)
{
    struct pass *first = NULL;

    for (size_t i = 0; i < p->n; i++) {
        struct pass *x = &p->list[i];

        if (x->clip < x->first_clip + x->n_clips && (!first || wanted(x)[x->at] < wanted(first)[first->at]))
            first = x;
    }
    return first;
}

/* What the follower's sink gets. */
struct view {
    struct gaze *gaze;
    struct score_work *work;
    uint32_t clip;
};

/* The follower's sink: a frame with its faces, maybe some frames after it was read. */
static enum status take_followed(void *context, const struct followed_frame *frame, struct error *e)
{
    const struct view *v = context;
    const struct lens_frame f = {v->clip, frame->index, frame->pts_us, &frame->image};
    bool shows_face = false;
    enum status s = STATUS_OK;

    for (size_t i = 0; i < frame->n_faces; i++)
        shows_face = shows_face || !frame->faces[i].held;
    for (size_t i = 0; s == STATUS_OK && i < v->gaze->n_lenses; i++)
        s = lens_take_faces(v->gaze->lenses[i], v->work, &f, frame->faces, frame->n_faces, e);
    v->gaze->n_frames_with_face += shows_face;
    return s;
}

/* frame NULL: the clip ends. */
static enum status take_faces(struct gaze *g, struct score_work *w, uint32_t clip, const struct decoder_frame *frame,
                              struct error *e)
{
    struct view view = {g, w, clip};
    const struct follower_sink sink = {.take = take_followed, .context = &view};
    int64_t start = clock_monotonic_us(), network_us = w->network_us;
    enum status s;

    score_note_stage(w, "faces");
    s = frame ? follower_push(g->follower, &frame->image, frame->pts_us, &sink, e)
              : follower_end(g->follower, &sink, e);
    w->face_us += clock_monotonic_us() - start - (w->network_us - network_us);
    return s;
}

static enum status take_frame(struct pass *p, struct score_work *w, const struct decoder_frame *frame, struct error *e)
{
    const struct lens_frame f = {p->clip, p->clip_frames, frame->pts_us, &frame->image};
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < p->n_gazes; i++) {
        struct gaze *g = &p->gazes[i];

        if (g->follower)
            s = take_faces(g, w, p->clip, frame, e);
        for (size_t k = 0; s == STATUS_OK && !g->follower && k < g->n_lenses; k++)
            s = lens_take_whole(g->lenses[k], &f, e);
    }
    return s;
}

static enum status begin_clip(struct pass *p, struct error *e)
{
    enum status s = STATUS_OK;

    p->clip_frames = 0;
    p->last_us = -1;
    for (size_t i = 0; i < p->n_members; i++)
        score_member_begin_clip(p->members[i]);
    for (size_t i = 0; s == STATUS_OK && i < p->n_gazes; i++) {
        if (p->gazes[i].follower)
            s = follower_begin(p->gazes[i].follower, e);
    }
    return s;
}

/* A clip stands for itself, so that it does not matter who works on the one before; shard/segment.h links its tracks. */
static enum status end_clip(struct pass *p, struct score_work *w, struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < p->n_gazes; i++) {
        struct gaze *g = &p->gazes[i];

        if (g->follower)
            s = take_faces(g, w, p->clip, NULL, e);
        for (size_t k = 0; s == STATUS_OK && k < g->n_lenses; k++)
            s = lens_end_clip(g->lenses[k], w, p->clip, e);
    }
    for (size_t i = 0; s == STATUS_OK && i < p->n_members; i++) {
        if (p->members[i]->failed == OUTCOME_UNDECIDED)
            score_member_end_clip(p->members[i], p->clip, p->clip_frames);
    }
    p->clip++;
    p->at = 0;
    return s;
}

enum status pass_step(struct pass *p, struct score_work *w, struct decoder *decoder, struct fingerprinter *fp,
                      struct result *prints, struct error *e)
{
    struct decoder_frame frame;
    struct error decode_error = {0};
    int64_t start;
    enum status s = p->at == 0 ? begin_clip(p, e) : STATUS_OK, st;

    if (s != STATUS_OK)
        return s;
    score_note_stage(w, "decode");
    start = clock_monotonic_us();
    st = decoder_frame_at(decoder, wanted(p)[p->at], &frame, &decode_error);
    w->decode_us += clock_monotonic_us() - start;
    if (st == STATUS_NO_MEMORY)
        return error_no_memory(e);
    if (st == STATUS_END) {
        /* With a stride, a clip that is longer than the video asks past its end: nothing is lost there. */
        for (unsigned i = p->at; i < p->plan.n_frames; i++)
            p->n_frames_wanted -= wanted(p)[i] > score_last_frame_us(decoder_facts(decoder));
    }
    if (st != STATUS_OK)
        return end_clip(p, w, e);
    if (w->notes)
        snprintf(w->notes->message, sizeof(w->notes->message), "%s", decoder_last_words(decoder));
    if (frame.pts_us == p->last_us) {
        /* A clip with fewer frames than times: each frame counts once. */
        p->n_frames_wanted--;
    } else {
        p->last_us = frame.pts_us;
        p->n_frames_decoded++;
        if (prints && fingerprint_wants(p->clip * p->plan.n_frames + p->at, p->plan.n_clips * p->plan.n_frames))
            fingerprinter_take(fp, &frame.image, frame.pts_us, prints);
        s = take_frame(p, w, &frame, e);
        p->clip_frames++;
    }
    p->at++;
    return s == STATUS_OK && p->at == p->plan.n_frames ? end_clip(p, w, e) : s;
}

void passes_count(const struct passes *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct pass *x = &p->list[i];

        for (size_t k = 0; k < x->n_members; k++) {
            x->members[k]->result->n_frames_wanted = x->n_frames_wanted;
            x->members[k]->result->n_frames_decoded = x->n_frames_decoded;
            x->members[k]->result->n_frames_with_face = x->gaze_of[k]->n_frames_with_face;
        }
    }
}
