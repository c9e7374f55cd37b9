#include "nodes/score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/ensemble.h"
#include "nodes/decoder.h"
#include "nodes/fingerprint.h"
#include "nodes/landmarks.h"
#include "nodes/score_finds.h"
#include "nodes/score_lists.h"
#include "nodes/score_pass.h"
#include "nodes/score_speed.h"
#include "nodes/upright.h"
#include "shard/clock.h"
#include "shard/members.h"
#include "shard/segment.h"

struct scorer {
    const struct detector_set *set; /* NULL: one detector */
    struct score_member members[DETECTORS_MAX];
    size_t n_members;
    struct passes passes; /* none for landmarks */
    struct finds finds;   /* of the first member */
    struct finds_settings keeps;
    double clip_s;
    struct fingerprinter *fingerprinter;
    struct upright *upright;
};

/* What one run gathers. */
struct work {
    struct scorer *scorer;
    struct result *result; /* the first column's, with what is known of the video */
    struct score_work shared;
};

static double clips_of(const struct card *card)
{
    return card->sampling.clips;
}

static enum status open_member(struct scorer *x, const struct detector *detector, struct error *e)
{
    struct score_member *m = &x->members[x->n_members++];
    enum status s = inference_open(detector, &m->inference, e);

    m->card = detector->card;
    if (s == STATUS_OK)
        s = score_speed_clip(m->inference, m->card, &m->clip_s, e);
    x->clip_s += m->clip_s * (clips_of(m->card) / clips_of(x->members[0].card));
    return s;
}

static enum status open_members(const struct detector *const *detectors, size_t n, struct scorer **ret_s,
                                struct error *e)
{
    enum status s = STATUS_OK;
    struct scorer *x = calloc(1, sizeof(*x));

    if (!x)
        return error_no_memory(e);
    if (fingerprinter_open(&x->fingerprinter) != STATUS_OK || upright_open(&x->upright) != STATUS_OK) {
        scorer_close(&x);
        return error_no_memory(e);
    }
    for (size_t i = 0; s == STATUS_OK && i < n; i++)
        s = open_member(x, detectors[i], e);
    if (s == STATUS_OK && detectors[0]->card->input != INPUT_LANDMARKS)
        s = passes_open(detectors, x->members, n, &x->passes, e);
    if (s != STATUS_OK) {
        scorer_close(&x);
        return s;
    }
    *ret_s = x;
    return STATUS_OK;
}

enum status scorer_open(const struct detector *detector, struct scorer **ret_s, struct error *e)
{
    return open_members(&detector, 1, ret_s, e);
}

enum status scorer_open_set(const struct detector_set *set, struct scorer **ret_s, struct error *e)
{
    const struct detector *detectors[DETECTORS_MAX];
    enum status s;

    for (size_t i = 0; i < set->n_leaves; i++)
        detectors[i] = set->leaves[i].detector;
    s = open_members(detectors, set->n_leaves, ret_s, e);
    if (s == STATUS_OK)
        (*ret_s)->set = set;
    return s;
}

void scorer_speed(const struct scorer *s, double *ret_clip_s, double *ret_face_s)
{
    *ret_clip_s = s->clip_s;
    *ret_face_s = passes_face_s(&s->passes);
}

void scorer_close(struct scorer **s)
{
    struct scorer *x = *s;

    if (!x)
        return;
    passes_close(&x->passes);
    finds_clear(&x->finds);
    for (size_t i = 0; i < x->n_members; i++) {
        inference_close(&x->members[i].inference);
        segment_free(&x->members[i].segment);
    }
    fingerprinter_close(&x->fingerprinter);
    upright_close(&x->upright);
    free(x);
    *s = NULL;
}

void scorer_keep_finds(struct scorer *s, const struct finds_settings *settings)
{
    s->keeps = *settings;
}

const struct finds *scorer_finds(const struct scorer *s)
{
    return &s->finds;
}

/* Where a member's score goes: the result of the column that gives it. */
static struct result *result_of(struct work *w, size_t member)
{
    const struct detector_set *set = w->scorer->set;

    for (size_t i = 1; set && i < set->n_columns; i++) {
        if (!set->columns[i].ensemble && set->columns[i].leaves[0] == member)
            return &w->result->members[i - 1];
    }
    return w->result;
}

/* Nothing can be had of the video: the same outcome for every column. */
static void fail_all(struct work *w, enum outcome outcome, const char *message, enum segment_state state)
{
    for (size_t i = 0; i < w->scorer->n_members; i++) {
        struct score_member *m = &w->scorer->members[i];

        score_member_fail(m, outcome, message);
        m->segment->state = state;
    }
}

static enum status run_passes(struct work *w, struct decoder *decoder, const struct scorer_part *part, struct error *e)
{
    struct scorer *s = w->scorer;
    const struct pass_audit audit = {s->fingerprinter, s->upright, w->result};
    struct pass *next;
    enum status st = passes_begin(&s->passes, decoder, part->index, part->count, e);

    fingerprinter_begin(s->fingerprinter);
    upright_begin(s->upright, part->count > 1 ? NULL : passes_first_finder(&s->passes));
    while (st == STATUS_OK && (next = passes_next(&s->passes)) != NULL)
        st = pass_step(next, &w->shared, decoder, next == s->passes.list ? &audit : NULL, e);
    passes_count(&s->passes);
    if (st == STATUS_OK)
        st = upright_settle(s->upright, w->result, e);
    for (size_t i = 0; st == STATUS_OK && i < s->n_members; i++)
        st = score_member_conclude(&s->members[i], decoder_error_count(decoder), decoder_last_words(decoder), e);
    return st;
}

static enum status score_video(struct work *w, int fd, const struct scorer_part *part, struct error *e)
{
    const struct decoder_settings settings = {.window = part->window, .lazy_pixels = true, .whole_below_px = 640 * 480};
    struct result *r = w->result;
    struct decoder *decoder = NULL;
    struct error open_error = {0};
    enum outcome outcome = OUTCOME_UNDECIDED;
    int64_t start = clock_monotonic_us();
    enum status s;

    score_note_stage(&w->shared, "open");
    s = decoder_open(fd, &settings, &decoder, &r->facts, &outcome, &open_error);
    w->shared.decode_us += clock_monotonic_us() - start;
    if (s == STATUS_NO_MEMORY)
        return error_no_memory(e);
    if (s != STATUS_OK) {
        fail_all(w, outcome == OUTCOME_UNDECIDED ? OUTCOME_DECODE_ERROR : outcome, open_error.text, SEGMENT_FAILED);
        return STATUS_OK;
    }
    r->facts = *decoder_facts(decoder);
    decoder_extras(decoder, &r->extras);
    s = run_passes(w, decoder, part, e);
    decoder_close(&decoder);
    return s;
}

/* The blocks of one sequence are one track. */
static enum status link_blocks(struct score_member *m, struct error *e)
{
    enum status s = STATUS_OK;

    m->segment->n_clips = (uint32_t)m->result->n_clips;
    m->segment->clip_frames = calloc(m->result->n_clips + 1, sizeof(*m->segment->clip_frames));
    if (!m->segment->clip_frames)
        return error_no_memory(e);
    for (uint32_t clip = 0; s == STATUS_OK && clip < m->segment->n_clips; clip++)
        s = score_add_track(m->segment, &m->room_tracks, &(struct clip_track){.clip = clip}, e);
    return s == STATUS_OK ? segment_link(m->result, m->segment, e) : s;
}

static enum status score_blocks(struct work *w, struct score_member *m, const float *rows, size_t n_rows,
                                struct error *e)
{
    const unsigned frames = m->card->sampling.frames;
    size_t width = 2 * (size_t)m->card->landmark_points;
    enum status s = STATUS_OK;

    score_note_stage(&w->shared, "network");
    for (size_t i = 0; s == STATUS_OK && (i + 1) * frames <= n_rows; i++) {
        struct clip_score clip = {.clip = (uint32_t)i, .n_frames = frames};

        s = inference_landmarks(m->inference, rows + i * frames * width, &clip.p_fake, e);
        if (s == STATUS_OK)
            s = score_add_clip(m->result, &m->room_clips, &clip, e);
        if (s == STATUS_OK && m->segment->count < 2 && m == w->shared.finder)
            s = score_keep_points(&w->scorer->finds, &w->scorer->keeps, (uint32_t)i, rows + i * frames * width, frames,
                                  (unsigned)width, e);
    }
    return s == STATUS_OK ? link_blocks(m, e) : s;
}

static enum status score_landmarks(struct work *w, struct score_member *m, int fd, const struct window *window,
                                   struct error *e)
{
    struct result *r = m->result;
    size_t n_rows = 0;
    float *rows = NULL;
    struct error read_error = {0};
    enum status s = landmarks_read(fd, window, m->card->landmark_points, &rows, &n_rows, &read_error);

    if (s == STATUS_NO_MEMORY)
        return error_no_memory(e);
    if (s != STATUS_OK) {
        r->outcome = s == STATUS_UNSUPPORTED ? OUTCOME_UNSUPPORTED : OUTCOME_DECODE_ERROR;
        result_set_message(r, "%s", read_error.text);
        return STATUS_OK;
    }
    snprintf(w->result->facts.container, sizeof(w->result->facts.container), "landmarks");
    w->result->facts.n_frames = (int64_t)n_rows;
    r->n_frames_decoded = r->n_frames_with_face = r->n_frames_wanted = (uint32_t)n_rows;
    s = score_blocks(w, m, rows, n_rows, e);
    free(rows);
    if (s != STATUS_OK && s != STATUS_NO_MEMORY && w->shared.contains) {
        score_member_fail(m, s == STATUS_UNSUPPORTED ? OUTCOME_UNSUPPORTED : OUTCOME_CRASHED, e->text);
        return STATUS_OK;
    }
    if (s != STATUS_OK)
        return s;
    r->outcome = r->n_clips > 0 ? OUTCOME_SCORED : OUTCOME_TOO_SHORT;
    if (r->n_clips == 0)
        result_set_message(r, "%zu frames, the detector needs %u", n_rows, m->card->sampling.frames);
    return STATUS_OK;
}

/* An ensemble's column out of its members' results. */
static void combine(struct work *w, const struct detector_column *c, struct result *r)
{
    const struct card_ensemble *x = &c->ensemble->ensemble;
    const struct result *missing = NULL;
    const char *missing_name = "";
    bool is_partial = false, is_alike = true;
    double p_fake[CARD_MAX_MEMBERS];

    for (unsigned i = 0; i < x->n_members; i++) {
        const struct result *m = w->scorer->members[c->leaves[i]].result;

        p_fake[i] = m->p_fake;
        is_partial = is_partial || m->outcome == OUTCOME_PARTIAL_DECODE;
        if (!outcome_has_score(m->outcome) && !missing) {
            missing = m;
            missing_name = w->scorer->members[c->leaves[i]].card->name;
        }
        is_alike = is_alike && strcmp(m->message, w->scorer->members[c->leaves[0]].result->message) == 0;
        if (i == 0) {
            r->n_frames_wanted = m->n_frames_wanted;
            r->n_frames_decoded = m->n_frames_decoded;
            r->n_frames_with_face = m->n_frames_with_face;
        }
    }
    if (ensemble_combine(c->ensemble, p_fake, &r->p_fake)) {
        r->outcome = is_partial ? OUTCOME_PARTIAL_DECODE : OUTCOME_SCORED;
        if (missing)
            result_set_message(r, "without %s: %s: %s", missing_name, outcome_name(missing->outcome), missing->message);
        return;
    }
    r->p_fake = NAN;
    r->outcome = missing->outcome;
    /* What is the matter with the file is not one member's matter. */
    if (is_alike)
        result_set_message(r, "%s", missing->message);
    else
        result_set_message(r, "%s: %s", missing_name, missing->message);
}

static enum status begin(struct work *w, const struct scorer_part *part, struct error *e)
{
    struct scorer *s = w->scorer;
    size_t n_columns = s->set ? s->set->n_columns : 1;
    enum status st = members_make(w->result, n_columns - 1);

    for (size_t i = 0; s->set && part->count > 1 && i < n_columns; i++) {
        if (s->set->columns[i].ensemble)
            return error_set(e, STATUS_BUG, "%s: an ensemble's video is not cut into parts", s->set->columns[i].name);
    }
    for (size_t i = 0; st == STATUS_OK && i < s->n_members; i++)
        st = score_member_begin(&s->members[i], result_of(w, i), part->index, part->count);
    passes_reset(&s->passes);
    finds_clear(&s->finds);
    return st == STATUS_OK ? st : error_no_memory(e);
}

static enum status run(struct work *w, int fd, const struct scorer_part *part, struct error *e)
{
    struct scorer *s = w->scorer;
    enum status st = STATUS_OK;

    if (s->members[0].card->input != INPUT_LANDMARKS)
        return score_video(w, fd, part, e);
    for (size_t i = 0; st == STATUS_OK && i < s->n_members; i++)
        st = score_landmarks(w, &s->members[i], fd, &part->window, e);
    return st;
}

/* Ensembles, timings, and of a part what is needed to join it with the others. */
static void settle(struct work *w, const struct scorer_part *part)
{
    struct scorer *s = w->scorer;
    struct result *r = w->result;
    bool is_troubled = false;

    r->decode_us += w->shared.decode_us;
    r->face_us += w->shared.face_us;
    r->network_us += w->shared.network_us;
    for (size_t i = 0; s->set && i < s->set->n_columns; i++) {
        if (s->set->columns[i].ensemble)
            combine(w, &s->set->columns[i], i == 0 ? r : &r->members[i - 1]);
    }
    for (size_t i = 0; i < s->n_members; i++) {
        struct score_member *m = &s->members[i];

        if (part->count > 1) {
            is_troubled = is_troubled || m->segment->state == SEGMENT_TROUBLED;
            m->result->segment = m->segment;
            m->segment = NULL;
        }
        segment_free(&m->segment);
    }
    /* One that cannot be joined sends the video back whole, for all. */
    if (!members_fit(r) || (is_troubled && s->n_members > 1)) {
        for (size_t i = 0; i < s->n_members; i++) {
            struct result *m = s->members[i].result;

            segment_drop_finds(m, m->segment, SEGMENT_TROUBLED);
            if (outcome_has_score(m->outcome))
                m->outcome = OUTCOME_UNSUPPORTED;
            m->p_fake = NAN;
        }
    }
}

enum status scorer_run(struct scorer *s, int fd, const struct scorer_part *part, struct lane_notes *notes,
                       struct result *ret_result, struct error *e)
{
    struct result result = {.p_fake = NAN};
    struct work w = {
        .scorer = s,
        .result = &result,
        .shared = {.notes = notes,
                   .contains = s->n_members > 1,
                   .finds = &s->finds,
                   .keeps = &s->keeps,
                   .finder = &s->members[0]},
    };
    enum status st = begin(&w, part, e);

    if (notes)
        *notes = (struct lane_notes){0};
    if (st == STATUS_OK)
        st = run(&w, fd, part, e);
    if (st == STATUS_UNSUPPORTED) {
        fail_all(&w, OUTCOME_UNSUPPORTED, e->text, SEGMENT_TROUBLED);
        st = STATUS_OK;
    }
    if (st != STATUS_OK) {
        result_clear(&result);
        return st;
    }
    settle(&w, part);
    finds_settle(&s->finds, &result);
    *ret_result = result;
    return STATUS_OK;
}
