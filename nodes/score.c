#include "nodes/score.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/crop.h"
#include "nodes/decoder.h"
#include "nodes/face_follow.h"
#include "nodes/faces.h"
#include "nodes/fingerprint.h"
#include "nodes/inference.h"
#include "nodes/landmarks.h"
#include "nodes/score_finds.h"
#include "nodes/score_lists.h"
#include "nodes/score_plan.h"
#include "nodes/score_speed.h"
#include "shard/clock.h"
#include "shard/segment.h"

enum { MAX_ALIVE = 2 * CARD_MAX_FACES };

/* The crops of one track in the current clip. */
struct slot {
    bool used;
    uint32_t track;
    unsigned n_patches;
    unsigned n_until_face;            /* patches up to the last one that shows the face, and not where it was before */
    unsigned n_faces;                 /* patches that show it */
    unsigned first_frame, last_frame; /* of the clip, the ones that show it */
    float first_box[4], last_box[4];
    int64_t start_us, end_us;
    int64_t times_us[CARD_MAX_FRAMES]; /* of patches; below 0: a held one */
    uint8_t *patches;                  /* card's frames * patch bytes; allocated at first use, then kept */
};

struct scorer {
    const struct card *card;
    struct inference *inference;
    struct face_finder *finder; /* NULL for INPUT_FRAMES and INPUT_LANDMARKS */
    struct face_near *near;     /* NULL but for BETWEEN_SEARCH */
    struct follower *follower;  /* as finder */
    struct finds finds;
    struct finds_settings keeps;
    size_t patch_bytes;
    double clip_s, face_s;
    struct fingerprinter *fingerprinter;
    struct slot slots[MAX_ALIVE];
};

/* What one run gathers. */
struct work {
    struct scorer *scorer;
    struct result *result;
    struct lane_notes *notes;
    uint32_t clip;
    uint32_t n_planned; /* frames of the whole video's plan */
    size_t room_clips;
    unsigned clip_frames; /* of the current clip, read so far */
    unsigned at;          /* of them, the one whose patches are taken */
    struct decoder *decoder;
    int64_t read_us[CARD_MAX_FRAMES]; /* the wanted times of those that were read */
    struct segment *segment;          /* what the clips gave besides scores; of the whole video or of a part */
    size_t room_tracks;
};

static void note_stage(struct work *w, const char *stage)
{
    if (w->notes)
        snprintf(w->notes->stage, sizeof(w->notes->stage), "%s", stage);
}

static void note_message(struct work *w, const char *message)
{
    if (w->notes)
        snprintf(w->notes->message, sizeof(w->notes->message), "%s", message);
}

enum status scorer_open(const struct detector *detector, struct scorer **ret_s, struct error *e)
{
    const struct card *card = detector->card;
    enum status s;
    struct scorer *x = calloc(1, sizeof(*x));

    if (!x)
        return error_no_memory(e);
    x->card = card;
    x->patch_bytes = (size_t)card->crop.width_px * card->crop.height_px * 3;
    if (fingerprinter_open(&x->fingerprinter) != STATUS_OK) {
        scorer_close(&x);
        return error_no_memory(e);
    }
    s = inference_open(detector, &x->inference, e);
    if (s == STATUS_OK && detector->face_card)
        s = face_finder_open(detector->face_card, (const struct network *const *)detector->face_networks, &card->face,
                             &x->finder, e);
    if (s == STATUS_OK && x->finder && card->face.between == BETWEEN_SEARCH)
        s = face_near_open(detector->face_card, (const struct network *const *)detector->face_networks, &card->face,
                           &x->near, e);
    if (s == STATUS_OK && x->finder)
        s = follower_open(&card->face, x->finder, x->near, &x->follower, e);
    if (s == STATUS_OK && x->finder)
        s = score_speed_faces(x->finder, card, &x->face_s, e);
    if (s == STATUS_OK)
        s = score_speed_clip(x->inference, card, &x->clip_s, e);
    if (s != STATUS_OK) {
        scorer_close(&x);
        return s;
    }
    *ret_s = x;
    return STATUS_OK;
}

void scorer_speed(const struct scorer *s, double *ret_clip_s, double *ret_face_s)
{
    *ret_clip_s = s->clip_s;
    *ret_face_s = s->face_s;
}

void scorer_close(struct scorer **s)
{
    struct scorer *x = *s;

    if (!x)
        return;
    follower_close(&x->follower);
    finds_clear(&x->finds);
    face_finder_close(&x->finder);
    face_near_close(&x->near);
    inference_close(&x->inference);
    fingerprinter_close(&x->fingerprinter);
    for (size_t i = 0; i < MAX_ALIVE; i++)
        free(x->slots[i].patches);
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

static enum status add_track(struct work *w, const struct slot *slot, struct error *e)
{
    struct clip_track t = {
        .clip = w->clip, .number = slot->track, .first_frame = slot->first_frame, .n_missed = slot->last_frame};

    memcpy(t.first_box, slot->first_box, sizeof(t.first_box));
    memcpy(t.last_box, slot->last_box, sizeof(t.last_box));
    return score_add_track(w->segment, &w->room_tracks, &t, e);
}

/* Scores what a track has gathered in the clip and frees its slot. */
static enum status finish_slot(struct work *w, struct slot *slot, struct error *e)
{
    struct scorer *s = w->scorer;
    struct clip_score clip = {
        .track = slot->track,
        .clip = w->clip,
        .start_us = slot->start_us,
        .end_us = slot->end_us,
        .n_frames = slot->n_until_face,
    };
    int64_t start = clock_monotonic_us();
    enum status st = add_track(w, slot, e);

    slot->used = false;
    if (slot->n_faces > w->segment->longest_track)
        w->segment->longest_track = slot->n_faces;
    if (st != STATUS_OK || slot->n_faces < s->card->sampling.min_frames)
        return st;
    note_stage(w, "network");
    st = inference_patches(s->inference, slot->patches, slot->n_until_face, &clip.p_fake, e);
    w->result->network_us += clock_monotonic_us() - start;
    if (st == STATUS_OK)
        st = score_add_clip(w->result, &w->room_clips, &clip, e);
    if (st != STATUS_OK || w->segment->count > 1)
        return st;
    return score_keep_finds(&s->finds, &s->keeps, s->card, s->inference,
                            &(struct finds_patches){(uint32_t)w->result->n_clips - 1, slot->patches,
                                                    s->card->crop.width_px, s->card->crop.height_px, slot->n_until_face,
                                                    slot->times_us},
                            e);
}

static bool has_slot(const struct scorer *s, uint32_t track)
{
    for (size_t i = 0; i < MAX_ALIVE; i++) {
        if (s->slots[i].used && s->slots[i].track == track)
            return true;
    }
    return false;
}

static struct slot *slot_of(struct scorer *s, uint32_t track)
{
    struct slot *unused = NULL;

    for (size_t i = 0; i < MAX_ALIVE; i++) {
        if (s->slots[i].used && s->slots[i].track == track)
            return &s->slots[i];
        if (!s->slots[i].used && !unused)
            unused = &s->slots[i];
    }
    if (!unused)
        return NULL;
    if (!unused->patches)
        unused->patches = malloc(s->patch_bytes * s->card->sampling.frames);
    if (!unused->patches)
        return NULL;
    unused->used = true;
    unused->track = track;
    unused->n_patches = unused->n_until_face = unused->n_faces = 0;
    return unused;
}

/* Room for the next patch of a track; NULL when out of memory. A held one shows where the face was, and counts only when
 * the face comes back. */
static uint8_t *next_patch(struct work *w, const struct tracked_face *face, int64_t pts_us)
{
    struct scorer *s = w->scorer;
    struct slot *slot = slot_of(s, face->track);
    const float box[4] = {face->face.x0, face->face.y0, face->face.x1, face->face.y1};

    if (!slot || slot->n_patches == s->card->sampling.frames)
        return NULL;
    if (slot->n_patches == 0) {
        slot->start_us = pts_us;
        slot->first_frame = w->at;
        memcpy(slot->first_box, box, sizeof(box));
    }
    if (!face->held) {
        slot->end_us = pts_us;
        slot->last_frame = w->at;
        memcpy(slot->last_box, box, sizeof(box));
        slot->n_until_face = slot->n_patches + 1;
        slot->n_faces++;
    }
    slot->times_us[slot->n_patches] = face->held ? -1 : pts_us;
    return slot->patches + s->patch_bytes * slot->n_patches++;
}

static enum status finish_ended_slots(struct work *w, const struct tracked_face *alive, size_t n_alive, struct error *e)
{
    for (size_t i = 0; i < MAX_ALIVE; i++) {
        struct slot *slot = &w->scorer->slots[i];
        bool lives = false;
        enum status s;

        for (size_t k = 0; slot->used && k < n_alive; k++)
            lives = lives || alive[k].track == slot->track;
        if (!slot->used || lives)
            continue;
        s = finish_slot(w, slot, e);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

/* The follower's sink: a frame with its faces, maybe some frames after it was read. */
static enum status take_followed(void *context, const struct followed_frame *frame, struct error *e)
{
    struct work *w = context;
    struct scorer *s = w->scorer;
    enum status st = finish_ended_slots(w, frame->faces, frame->n_faces, e);
    bool shows_face = false;

    w->at = frame->index;
    for (size_t i = 0; st == STATUS_OK && i < frame->n_faces; i++) {
        const struct tracked_face *face = &frame->faces[i];
        uint8_t *patch;

        shows_face = shows_face || !face->held;
        if (face->held && !has_slot(s, face->track))
            continue;
        patch = next_patch(w, face, frame->pts_us);
        if (!patch)
            return error_no_memory(e);
        crop_face(&s->card->crop, &face->face, &frame->image, patch);
    }
    w->result->n_frames_with_face += shows_face;
    return st;
}

/* The follower's: a frame of the clip again, which the decoder has kept (score_plan.c). */
static enum status fetch_frame(void *context, unsigned index, struct image *ret_image, struct error *e)
{
    struct work *w = context;
    struct decoder_frame frame;
    int64_t start = clock_monotonic_us();
    enum status s = decoder_frame_at(w->decoder, w->read_us[index], &frame, e);

    w->result->decode_us += clock_monotonic_us() - start;
    if (s == STATUS_OK)
        *ret_image = frame.image;
    return s;
}

/* frame NULL: the clip ends. */
static enum status take_faces(struct work *w, const struct decoder_frame *frame, struct error *e)
{
    const struct follower_sink sink = {.take = take_followed, .fetch = fetch_frame, .context = w};
    struct follower *f = w->scorer->follower;
    int64_t start = clock_monotonic_us(), network_us = w->result->network_us;
    enum status st;

    note_stage(w, "faces");
    st = frame ? follower_push(f, &frame->image, frame->pts_us, &sink, e) : follower_end(f, &sink, e);
    w->result->face_us += clock_monotonic_us() - start - (w->result->network_us - network_us);
    return st;
}

static enum status take_whole(struct work *w, const struct decoder_frame *frame, struct error *e)
{
    struct scorer *s = w->scorer;
    const struct tracked_face whole = {0};
    uint8_t *patch;

    w->at = w->clip_frames;
    patch = next_patch(w, &whole, frame->pts_us);
    if (!patch)
        return error_no_memory(e);
    image_resize(&frame->image, patch, s->card->crop.width_px, s->card->crop.height_px);
    return STATUS_OK;
}

/* Reads the frames of one clip. Frames that cannot be had are counted by their absence. */
static enum status read_clip(struct work *w, struct decoder *decoder, const int64_t *wanted_us, unsigned n_wanted,
                             struct error *e)
{
    struct result *r = w->result;
    int64_t last_us = -1;
    enum status s = STATUS_OK;

    for (unsigned i = 0; s == STATUS_OK && i < n_wanted; i++) {
        struct decoder_frame frame;
        struct error decode_error = {0};
        int64_t start = clock_monotonic_us();
        enum status st;

        note_stage(w, "decode");
        st = decoder_frame_at(decoder, wanted_us[i], &frame, &decode_error);
        r->decode_us += clock_monotonic_us() - start;
        if (st == STATUS_NO_MEMORY)
            return error_no_memory(e);
        if (st == STATUS_END) {
            /* With a stride, a clip that is longer than the video asks past its end: nothing is lost there. */
            for (; i < n_wanted; i++)
                r->n_frames_wanted -= wanted_us[i] > score_last_frame_us(decoder_facts(decoder));
        }
        if (st != STATUS_OK)
            break;
        note_message(w, decoder_last_words(decoder));
        /* A clip with fewer frames than times: each frame counts once. */
        if (frame.pts_us == last_us) {
            r->n_frames_wanted--;
            continue;
        }
        last_us = frame.pts_us;
        r->n_frames_decoded++;
        if (fingerprint_wants(w->clip * n_wanted + i, w->n_planned))
            fingerprinter_take(w->scorer->fingerprinter, &frame.image, frame.pts_us, r);
        w->read_us[w->clip_frames] = wanted_us[i];
        s = w->scorer->follower ? take_faces(w, &frame, e) : take_whole(w, &frame, e);
        w->clip_frames++;
    }
    if (s == STATUS_OK && w->scorer->follower)
        s = take_faces(w, NULL, e);
    return s == STATUS_OK ? finish_ended_slots(w, NULL, 0, e) : s;
}

/* A clip stands for itself, so that it does not matter who works on the one before; shard/segment.h links its tracks. */
static enum status run_clip(struct work *w, struct decoder *decoder, const int64_t *wanted_us, unsigned n_wanted,
                            struct error *e)
{
    struct segment *g = w->segment;
    size_t n_before = g->n_tracks;
    enum status s = STATUS_OK;

    w->clip_frames = 0;
    w->decoder = decoder;
    if (w->scorer->follower)
        s = follower_begin(w->scorer->follower, decoder_kept(decoder), e);
    if (s == STATUS_OK)
        s = read_clip(w, decoder, wanted_us, n_wanted, e);
    g->clip_frames[w->clip - g->first_clip] = w->clip_frames;
    for (size_t i = n_before; i < g->n_tracks; i++)
        g->tracks[i].n_missed = w->clip_frames - 1 - g->tracks[i].n_missed;
    return s;
}

static enum status run_clips(struct work *w, struct decoder *decoder, struct error *e)
{
    struct segment *g = w->segment;
    struct sample_plan plan = {0};
    enum status st = score_make_plan(w->scorer->card, decoder, &plan, e);

    if (st != STATUS_OK)
        return st;
    segment_range(plan.n_clips, g->index, g->count, &g->first_clip, &g->n_clips);
    w->result->n_frames_wanted = g->n_clips * plan.n_frames;
    w->n_planned = plan.n_clips * plan.n_frames;
    fingerprinter_begin(w->scorer->fingerprinter);
    g->clip_frames = calloc(g->n_clips + 1, sizeof(*g->clip_frames));
    st = g->clip_frames ? decoder_expect(decoder, plan.wanted_us + (size_t)g->first_clip * plan.n_frames,
                                         (size_t)g->n_clips * plan.n_frames, e)
                        : error_no_memory(e);
    for (w->clip = g->first_clip; st == STATUS_OK && w->clip < g->first_clip + g->n_clips; w->clip++)
        st = run_clip(w, decoder, plan.wanted_us + (size_t)w->clip * plan.n_frames, plan.n_frames, e);
    score_sort_tracks(g);
    sample_plan_clear(&plan);
    return st;
}

static enum status score_video(struct work *w, int fd, const struct window *window, struct error *e)
{
    const struct decoder_settings settings = {.window = *window, .lazy_pixels = true, .whole_below_px = 640 * 480};
    struct result *r = w->result;
    struct decoder *decoder = NULL;
    struct error open_error = {0};
    int64_t start = clock_monotonic_us();
    enum status s;

    note_stage(w, "open");
    s = decoder_open(fd, &settings, &decoder, &r->facts, &r->outcome, &open_error);
    r->decode_us += clock_monotonic_us() - start;
    if (s == STATUS_NO_MEMORY)
        return error_no_memory(e);
    if (s != STATUS_OK) {
        if (r->outcome == OUTCOME_UNDECIDED)
            r->outcome = OUTCOME_DECODE_ERROR;
        result_set_message(r, "%s", open_error.text);
        w->segment->state = SEGMENT_FAILED;
        return STATUS_OK;
    }
    r->facts = *decoder_facts(decoder);
    decoder_extras(decoder, &r->extras);
    s = run_clips(w, decoder, e);
    if (s == STATUS_OK)
        s = segment_conclude(r, w->segment, decoder_error_count(decoder), decoder_last_words(decoder), e);
    decoder_close(&decoder);
    return s;
}

/* The blocks of one sequence are one track. */
static enum status link_blocks(struct work *w, struct error *e)
{
    const struct slot none = {0};
    enum status s = STATUS_OK;

    w->segment->n_clips = (uint32_t)w->result->n_clips;
    w->segment->clip_frames = calloc(w->result->n_clips + 1, sizeof(*w->segment->clip_frames));
    if (!w->segment->clip_frames)
        return error_no_memory(e);
    for (w->clip = 0; s == STATUS_OK && w->clip < w->segment->n_clips; w->clip++)
        s = add_track(w, &none, e);
    return s == STATUS_OK ? segment_link(w->result, w->segment, e) : s;
}

static enum status score_landmarks(struct work *w, int fd, const struct window *window, struct error *e)
{
    const struct card *card = w->scorer->card;
    struct result *r = w->result;
    size_t n_rows = 0, width = 2 * (size_t)card->landmark_points;
    float *rows = NULL;
    struct error read_error = {0};
    enum status s = landmarks_read(fd, window, card->landmark_points, &rows, &n_rows, &read_error);

    if (s == STATUS_NO_MEMORY)
        return error_no_memory(e);
    if (s != STATUS_OK) {
        r->outcome = s == STATUS_UNSUPPORTED ? OUTCOME_UNSUPPORTED : OUTCOME_DECODE_ERROR;
        result_set_message(r, "%s", read_error.text);
        return STATUS_OK;
    }
    snprintf(r->facts.container, sizeof(r->facts.container), "landmarks");
    r->facts.n_frames = (int64_t)n_rows;
    r->n_frames_decoded = r->n_frames_with_face = (uint32_t)n_rows;
    r->n_frames_wanted = (uint32_t)n_rows;
    note_stage(w, "network");
    for (size_t i = 0; s == STATUS_OK && (i + 1) * card->sampling.frames <= n_rows; i++) {
        struct clip_score clip = {.clip = (uint32_t)i, .n_frames = card->sampling.frames};

        s = inference_landmarks(w->scorer->inference, rows + i * card->sampling.frames * width, &clip.p_fake, e);
        if (s == STATUS_OK)
            s = score_add_clip(w->result, &w->room_clips, &clip, e);
        if (s == STATUS_OK && w->segment->count < 2)
            s = score_keep_points(&w->scorer->finds, &w->scorer->keeps, (uint32_t)i,
                                  rows + i * card->sampling.frames * width, card->sampling.frames, (unsigned)width, e);
    }
    free(rows);
    if (s == STATUS_OK)
        s = link_blocks(w, e);
    if (s != STATUS_OK)
        return s;
    r->outcome = r->n_clips > 0 ? OUTCOME_SCORED : OUTCOME_TOO_SHORT;
    if (r->n_clips > 0)
        return STATUS_OK;
    result_set_message(r, "%zu frames, the detector needs %u", n_rows, card->sampling.frames);
    return STATUS_OK;
}

enum status scorer_run(struct scorer *s, int fd, const struct scorer_part *part, struct lane_notes *notes,
                       struct result *ret_result, struct error *e)
{
    struct result result = {.p_fake = NAN};
    struct work w = {.scorer = s, .result = &result, .notes = notes, .segment = calloc(1, sizeof(*w.segment))};
    enum status st;

    if (!w.segment)
        return error_no_memory(e);
    *w.segment = (struct segment){.index = part->index, .count = part->count, .rule = score_rule(s->card)};
    if (notes)
        *notes = (struct lane_notes){0};
    for (size_t i = 0; i < MAX_ALIVE; i++)
        s->slots[i].used = false;
    finds_clear(&s->finds);
    st = s->card->input == INPUT_LANDMARKS ? score_landmarks(&w, fd, &part->window, e)
                                           : score_video(&w, fd, &part->window, e);
    if (st == STATUS_UNSUPPORTED) {
        result.outcome = OUTCOME_UNSUPPORTED;
        result.p_fake = NAN;
        segment_drop_finds(&result, w.segment, SEGMENT_TROUBLED);
        result_set_message(&result, "%s", e->text);
        st = STATUS_OK;
    }
    if (part->count > 1)
        result.segment = w.segment;
    else
        segment_free(&w.segment);
    if (st != STATUS_OK) {
        result_clear(&result);
        return st;
    }
    finds_settle(&s->finds, &result);
    *ret_result = result;
    return STATUS_OK;
}
