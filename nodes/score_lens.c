#include "nodes/score_lens.h"

#include <stdlib.h>
#include <string.h>

#include "nodes/crop.h"

void lens_open(struct lens *l, const struct card *card)
{
    l->card = card;
    l->patch_bytes = (size_t)card->crop.width_px * card->crop.height_px * 3;
}

void lens_close(struct lens *l)
{
    for (size_t i = 0; i < LENS_MAX_ALIVE; i++)
        free(l->slots[i].patches);
    *l = (struct lens){0};
}

void lens_reset(struct lens *l)
{
    for (size_t i = 0; i < LENS_MAX_ALIVE; i++)
        l->slots[i].used = false;
}

/* Gives the members what a track has gathered in the clip and frees its slot. */
static enum status finish_slot(struct lens *l, struct score_work *w, uint32_t clip, struct lens_slot *slot,
                               struct error *e)
{
    struct score_clip c = {
        .clip = {.track = slot->track,
                 .clip = clip,
                 .start_us = slot->start_us,
                 .end_us = slot->end_us,
                 .n_frames = slot->n_until_face},
        .track = {.clip = clip, .number = slot->track, .first_frame = slot->first_frame, .n_missed = slot->last_frame},
        .patches = slot->patches,
        .times_us = slot->times_us,
        .n_faces = slot->n_faces,
    };
    enum status s = STATUS_OK;

    memcpy(c.track.first_box, slot->first_box, sizeof(c.track.first_box));
    memcpy(c.track.last_box, slot->last_box, sizeof(c.track.last_box));
    slot->used = false;
    for (size_t i = 0; s == STATUS_OK && i < l->n_members; i++)
        s = score_member_take(l->members[i], w, &c, e);
    return s;
}

static bool has_slot(const struct lens *l, uint32_t track)
{
    for (size_t i = 0; i < LENS_MAX_ALIVE; i++) {
        if (l->slots[i].used && l->slots[i].track == track)
            return true;
    }
    return false;
}

static struct lens_slot *slot_of(struct lens *l, uint32_t track)
{
    struct lens_slot *unused = NULL;

    for (size_t i = 0; i < LENS_MAX_ALIVE; i++) {
        if (l->slots[i].used && l->slots[i].track == track)
            return &l->slots[i];
        if (!l->slots[i].used && !unused)
            unused = &l->slots[i];
    }
    if (!unused)
        return NULL;
    if (!unused->patches)
        unused->patches = malloc(l->patch_bytes * l->card->sampling.frames);
    if (!unused->patches)
        return NULL;
    unused->used = true;
    unused->track = track;
    unused->n_patches = unused->n_until_face = unused->n_faces = 0;
    return unused;
}

/* Room for the next patch of a track; NULL when out of memory. A held one shows where the face was, and counts only when
 * the face comes back. */
static uint8_t *next_patch(struct lens *l, const struct lens_frame *f, const struct tracked_face *face)
{
    struct lens_slot *slot = slot_of(l, face->track);
    const float box[4] = {face->face.x0, face->face.y0, face->face.x1, face->face.y1};

    if (!slot || slot->n_patches == l->card->sampling.frames)
        return NULL;
    if (slot->n_patches == 0) {
        slot->start_us = f->pts_us;
        slot->first_frame = f->at;
        memcpy(slot->first_box, box, sizeof(box));
    }
    if (!face->held) {
        slot->end_us = f->pts_us;
        slot->last_frame = f->at;
        memcpy(slot->last_box, box, sizeof(box));
        slot->n_until_face = slot->n_patches + 1;
        slot->n_faces++;
    }
    slot->times_us[slot->n_patches] = face->held ? -1 : f->pts_us;
    return slot->patches + l->patch_bytes * slot->n_patches++;
}

static enum status finish_ended(struct lens *l, struct score_work *w, uint32_t clip, const struct tracked_face *alive,
                                size_t n_alive, struct error *e)
{
    for (size_t i = 0; i < LENS_MAX_ALIVE; i++) {
        struct lens_slot *slot = &l->slots[i];
        bool lives = false;
        enum status s;

        for (size_t k = 0; slot->used && k < n_alive; k++)
            lives = lives || alive[k].track == slot->track;
        if (!slot->used || lives)
            continue;
        s = finish_slot(l, w, clip, slot, e);
        if (s != STATUS_OK)
            return s;
    }
    return STATUS_OK;
}

enum status lens_take_faces(struct lens *l, struct score_work *w, const struct lens_frame *f,
                            const struct tracked_face *faces, size_t n_faces, struct error *e)
{
    enum status s = finish_ended(l, w, f->clip, faces, n_faces, e);

    for (size_t i = 0; s == STATUS_OK && i < n_faces; i++) {
        uint8_t *patch;

        if (faces[i].held && !has_slot(l, faces[i].track))
            continue;
        patch = next_patch(l, f, &faces[i]);
        if (!patch)
            return error_no_memory(e);
        crop_face(&l->card->crop, &faces[i].face, f->image, patch);
    }
    return s;
}

enum status lens_take_whole(struct lens *l, const struct lens_frame *f, struct error *e)
{
    const struct tracked_face whole = {0};
    uint8_t *patch = next_patch(l, f, &whole);

    if (!patch)
        return error_no_memory(e);
    image_resize(f->image, patch, l->card->crop.width_px, l->card->crop.height_px);
    return STATUS_OK;
}

enum status lens_end_clip(struct lens *l, struct score_work *w, uint32_t clip, struct error *e)
{
    return finish_ended(l, w, clip, NULL, 0, e);
}
