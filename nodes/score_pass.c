#include "nodes/score_pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/score_plan.h"
#include "nodes/score_speed.h"
#include "shard/clock.h"
#include "shard/segment.h"

static enum status find_finder(struct passes *p, const struct detector *d, struct pass_finder **ret_f, struct error *e)
{
    const struct network *const *networks = (const struct network *const *)d->face_networks;
    struct pass_finder *f = &p->finders[p->n_finders];
    enum status s;

    for (size_t i = 0; i < p->n_finders; i++) {
        if (card_finds_same_faces(p->finders[i].card, d->card)) {
            *ret_f = &p->finders[i];
            return STATUS_OK;
        }
    }
    f->card = d->card;
    p->n_finders++;
    *ret_f = f;
    s = face_finder_open(d->face_card, networks, &d->card->face, &f->finder, e);
    if (s == STATUS_OK && d->card->face.between == BETWEEN_SEARCH)
        s = face_near_open(d->face_card, networks, &d->card->face, &f->near, e);
    return s == STATUS_OK ? score_speed_faces(f->finder, d->card, &f->face_s, e) : s;
}

static enum status find_gaze(struct passes *p, struct pass *pass, const struct detector *d, struct gaze **ret_g,
                             struct error *e)
{
    struct gaze *g = &pass->gazes[pass->n_gazes];
    struct pass_finder *finder = NULL;
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
            s = follower_open(&d->card->face, finder->finder, finder->near, &g->follower, e);
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
    for (size_t i = 0; i < p->n_finders; i++) {
        face_finder_close(&p->finders[i].finder);
        face_near_close(&p->finders[i].near);
    }
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

/* Frames that wait for the next search, at the most. */
static unsigned n_waiting(const struct gaze *g)
{
    const struct card_face *face = &g->card->face;

    return g->follower && face->between == BETWEEN_LINE && face->detect_every > 1 ? face->detect_every - 1 : 0;
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
    for (size_t i = 0; i < p->n_gazes; i++) {
        unsigned waiting = n_waiting(&p->gazes[i]);

        p->gazes[i].n_kept = decoder_may_keep(decoder, waiting > p->plan.n_shared ? waiting : p->plan.n_shared);
    }
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
        const struct pass *x = &p->list[i];

        s = begin_pass(&p->list[i], decoder, index, count, e);
        ranges[i] = (struct plan_range){&x->plan, x->first_clip, x->n_clips, 0};
        for (size_t k = 0; k < x->n_gazes; k++)
            ranges[i].n_waiting =
                n_waiting(&x->gazes[k]) > ranges[i].n_waiting ? n_waiting(&x->gazes[k]) : ranges[i].n_waiting;
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
    const struct pass *pass;
    struct gaze *gaze;
    struct score_work *work;
    struct decoder *decoder;
};

/* The follower's sink: a frame with its faces, maybe some frames after it was read. */
static enum status take_followed(void *context, const struct followed_frame *frame, struct error *e)
{
    const struct view *v = context;
    const struct lens_frame f = {v->pass->clip, frame->index, frame->pts_us, &frame->image};
    bool shows_face = false;
    enum status s = STATUS_OK;

    for (size_t i = 0; i < frame->n_faces; i++)
        shows_face = shows_face || !frame->faces[i].held;
    for (size_t i = 0; s == STATUS_OK && i < v->gaze->n_lenses; i++)
        s = lens_take_faces(v->gaze->lenses[i], v->work, &f, frame->faces, frame->n_faces, e);
    v->gaze->n_frames_with_face += shows_face;
    return s;
}

/* The follower's, and ours: a frame of the clip again, which the decoder has kept. */
static enum status fetch_frame(void *context, unsigned index, struct image *ret_image, struct error *e)
{
    const struct view *v = context;
    struct decoder_frame frame;
    int64_t start = clock_monotonic_us();
    enum status s = decoder_frame_at(v->decoder, v->pass->read_us[index], &frame, e);

    v->work->decode_us += clock_monotonic_us() - start;
    if (s == STATUS_OK)
        *ret_image = frame.image;
    return s;
}

/* image NULL: the clip ends. */
static enum status take_faces(struct view *v, const struct image *image, int64_t pts_us, struct error *e)
{
    const struct follower_sink sink = {.take = take_followed, .fetch = fetch_frame, .context = v};
    struct score_work *w = v->work;
    int64_t start = clock_monotonic_us(), others_us = w->network_us + w->decode_us;
    enum status s;

    score_note_stage(w, "faces");
    s = image ? follower_push(v->gaze->follower, image, pts_us, &sink, e) : follower_end(v->gaze->follower, &sink, e);
    w->face_us += clock_monotonic_us() - start - (w->network_us + w->decode_us - others_us);
    return s;
}

/* A follower may have asked for earlier frames, which ends what the image was: whoever comes after it asks for it again. */
static enum status take_frame(struct pass *p, struct score_work *w, struct decoder *decoder,
                              const struct decoder_frame *frame, struct error *e)
{
    struct image image = frame->image;
    const struct lens_frame f = {p->clip, p->clip_frames, frame->pts_us, &image};
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < p->n_gazes; i++) {
        struct gaze *g = &p->gazes[i];
        struct view view = {p, g, w, decoder};

        if (i > 0)
            s = fetch_frame(&view, p->clip_frames, &image, e);
        if (s == STATUS_OK && g->follower)
            s = take_faces(&view, &image, frame->pts_us, e);
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
            s = follower_begin(p->gazes[i].follower, p->gazes[i].n_kept, e);
    }
    return s;
}

/* A clip stands for itself, so that it does not matter who works on the one before; shard/segment.h links its tracks. */
static enum status end_clip(struct pass *p, struct score_work *w, struct decoder *decoder, struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < p->n_gazes; i++) {
        struct gaze *g = &p->gazes[i];
        struct view view = {p, g, w, decoder};

        if (g->follower)
            s = take_faces(&view, NULL, 0, e);
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

struct face_finder *passes_first_finder(const struct passes *p)
{
    return p->list[0].gazes[0].follower ? p->finders[0].finder : NULL;
}

enum status pass_step(struct pass *p, struct score_work *w, struct decoder *decoder, const struct pass_audit *audit,
                      struct error *e)
{
    bool is_audited =
        audit && fingerprint_wants(p->clip * p->plan.n_frames + p->at, p->plan.n_clips * p->plan.n_frames);
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
        return end_clip(p, w, decoder, e);
    if (w->notes)
        snprintf(w->notes->message, sizeof(w->notes->message), "%s", decoder_last_words(decoder));
    if (frame.pts_us == p->last_us) {
        /* A clip with fewer frames than times: each frame counts once. */
        p->n_frames_wanted--;
    } else {
        p->last_us = frame.pts_us;
        p->n_frames_decoded++;
        if (is_audited)
            fingerprinter_take(audit->prints, &frame.image, frame.pts_us, audit->result);
        p->read_us[p->clip_frames] = wanted(p)[p->at];
        s = take_frame(p, w, decoder, &frame, e);
        if (s == STATUS_OK && is_audited && p->gazes[0].n_frames_with_face == 0) {
            struct view view = {p, &p->gazes[0], w, decoder};

            s = fetch_frame(&view, p->clip_frames, &frame.image, e);
            if (s == STATUS_OK)
                s = upright_look(audit->upright, &frame.image, e);
        }
        p->clip_frames++;
    }
    p->at++;
    return s == STATUS_OK && p->at == p->plan.n_frames ? end_clip(p, w, decoder, e) : s;
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
