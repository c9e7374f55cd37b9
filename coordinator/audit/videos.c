/* Findings of single videos: what the lane said of them, what their frames look like, what their containers state. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/audit/audit_parts.h"

/* Where a video is called so. Luma is 0..255; sharpness is measured at 256 pixels a side (nodes/fingerprint.h). */
enum {
    DARK_BRIGHTNESS = 40, /* not even its brightest frame reaches it */
    BLURRY_SHARPNESS = 40,
    MIN_SIDE_PX = 128,
    MAX_ASPECT = 3,
    MIN_PRINTS = 3 /* fewer say nothing about a share of frames */
};

struct look {
    struct auditor *x;
    uint32_t entry;
    const struct result *r;
    const struct video_facts *facts;
    const struct entry_prints *prints;
};

static enum status tell(struct look *l, enum audit_kind kind, struct text *evidence, const char *before,
                        const char *after, struct error *e)
{
    struct text command = {0};

    text_append_string(&command, before);
    audit_append_file(&command, l->x, l->entry);
    text_append_string(&command, after);
    return audit_add(l->x, kind, l->entry, AUDIT_NO_ENTRY, evidence, &command, e);
}

static enum status tell_decoding(struct look *l, enum audit_kind kind, struct error *e)
{
    struct text evidence = {0};

    text_append_format(&evidence, "%s: ", outcome_name(l->r->outcome));
    text_append_string(&evidence, l->r->message[0] != '\0' ? l->r->message : "no word from the decoder");
    return tell(l, kind, &evidence, "ffmpeg -v error -i ", " -f null -", e);
}

static enum status check_outcome(struct look *l, struct error *e)
{
    const struct result *r = l->r;
    struct text evidence = {0};

    switch (r->outcome) {
    case OUTCOME_MISSING:
        text_append_string(&evidence, r->message[0] != '\0' ? r->message : "no such file");
        return tell(l, AUDIT_MISSING, &evidence, "ls -l ", "", e);
    case OUTCOME_DECODE_ERROR:
    case OUTCOME_NO_VIDEO:
        return tell_decoding(l, AUDIT_CORRUPT, e);
    case OUTCOME_UNSUPPORTED:
        return tell_decoding(l, AUDIT_UNSUPPORTED, e);
    case OUTCOME_TIMEOUT:
    case OUTCOME_CRASHED:
        return tell_decoding(l, AUDIT_FAILED, e);
    case OUTCOME_PARTIAL_DECODE:
        return tell_decoding(l, r->n_frames_decoded < r->n_frames_wanted ? AUDIT_TRUNCATED : AUDIT_CORRUPT, e);
    case OUTCOME_UNDECIDED:
        if (manifest_entry(l->x->m, l->entry)->exists)
            return STATUS_OK;
        text_append_string(&evidence, "listed, but no such file at the scan");
        return tell(l, AUDIT_MISSING, &evidence, "ls -l ", "", e);
    case OUTCOME_NO_FACE:
        text_append_format(&evidence, "no face in %u frames", r->n_frames_decoded);
        return tell(l, AUDIT_NO_FACE, &evidence, "ffmpeg -v error -y -i ", " -vf fps=1/2 -frames:v 4 frame%d.png", e);
    default:
        return STATUS_OK;
    }
}

/* Two tracks in one clip are two faces at a time; two tracks in two clips may be one that was lost. */
static enum status check_faces(struct look *l, struct error *e)
{
    const struct result *r = l->r;
    struct text evidence = {0};
    uint32_t seen[RESULT_MAX_CLIPS / 32] = {0}, twice[RESULT_MAX_CLIPS / 32] = {0};
    unsigned n_crowded = 0, n_clips = 0;

    for (size_t k = 0; k < r->n_clips; k++) {
        uint32_t c = r->clips[k].clip, bit = UINT32_C(1) << c % 32;

        if (c >= RESULT_MAX_CLIPS)
            continue;
        n_crowded += (seen[c / 32] & bit) && !(twice[c / 32] & bit);
        n_clips += !(seen[c / 32] & bit);
        twice[c / 32] |= seen[c / 32] & bit;
        seen[c / 32] |= bit;
    }
    if (n_crowded == 0)
        return STATUS_OK;
    text_append_format(&evidence, "several faces at a time in %u of %u clips, %u tracks in all", n_crowded, n_clips,
                       r->n_tracks);
    return tell(l, AUDIT_SEVERAL_FACES, &evidence, "ffmpeg -v error -y -i ", " -vf fps=1/2 -frames:v 4 frame%d.png", e);
}

static enum status check_pictures(struct look *l, struct error *e)
{
    static const char before[] = "ffmpeg -v error -y -i ", after[] = " -vf fps=1/2 -frames:v 4 frame%d.png";
    const struct entry_prints *p = l->prints;
    bool is_black = p->n_prints > 0 && 2 * p->n_black >= p->n_prints;
    struct text evidence = {0};
    enum status s = STATUS_OK;

    if (is_black) {
        text_append_format(&evidence, "%u of %u sampled frames are black", p->n_black, p->n_prints);
        s = tell(l, AUDIT_BLACK, &evidence, before, after, e);
    }
    if (s == STATUS_OK && !is_black && p->n_compared + 1 >= MIN_PRINTS && 2 * p->n_still >= p->n_compared) {
        text_append_format(&evidence, "nothing moved since the sampled frame before in %u of %u", p->n_still,
                           p->n_compared);
        s = tell(l, AUDIT_FROZEN, &evidence, "ffmpeg -hide_banner -i ", " -vf freezedetect -f null -", e);
    }
    if (s == STATUS_OK && !is_black && p->n_prints > 0 && p->brightest < DARK_BRIGHTNESS) {
        text_append_format(&evidence, "the brightest of %u sampled frames has a mean luma of %u of 255", p->n_prints,
                           p->brightest);
        s = tell(l, AUDIT_DARK, &evidence, before, after, e);
    }
    if (s == STATUS_OK && !is_black && p->n_prints > 0 && p->sharpest < BLURRY_SHARPNESS) {
        text_append_format(&evidence, "the sharpest of %u sampled frames has a Laplacian variance of %u at 256 pixels",
                           p->n_prints, p->sharpest);
        s = tell(l, AUDIT_BLURRY, &evidence, before, after, e);
    }
    return s;
}

static enum status check_size(struct look *l, struct error *e)
{
    const struct video_facts *f = l->facts;
    uint32_t shorter = f->width_px < f->height_px ? f->width_px : f->height_px;
    uint32_t longer = f->width_px < f->height_px ? f->height_px : f->width_px;
    /* The other side is widened to square pixels. */
    uint32_t stored_height = f->rotation_deg % 180 == 0 ? f->height_px : f->width_px;
    struct text evidence = {0};
    const char *why = NULL;

    if (shorter == 0)
        return STATUS_OK;
    if (shorter < MIN_SIDE_PX)
        why = "a side below 128 pixels";
    else if (longer > MAX_ASPECT * shorter)
        why = "a side more than three times the other";
    else if (stored_height % 2 != 0)
        why = "an odd number of lines, which most codecs cannot store";
    if (!why)
        return STATUS_OK;
    text_append_format(&evidence, "%u x %u: %s", f->width_px, f->height_px, why);
    return tell(l, AUDIT_ODD_SIZE, &evidence, "ffprobe -v error -show_streams ", "", e);
}

/* The rate that all time stamps fit is far from the average: frames come unevenly. Fields come at twice the rate. */
static enum status check_rate(struct look *l, struct error *e)
{
    double average = l->facts->fps_den > 0 ? (double)l->facts->fps_num / l->facts->fps_den : 0;
    double ratio = average > 0 ? l->prints->base_fps / average : 0;
    struct text evidence = {0};

    if (!(ratio > 0) || fabs(ratio - 1) < 0.02 || fabs(ratio - 2) < 0.02)
        return STATUS_OK;
    text_append_format(&evidence, "%.3f frames a second on average, time stamps in steps of 1/%.3f s", average,
                       (double)l->prints->base_fps);
    return tell(l, AUDIT_VARIABLE_RATE, &evidence, "ffmpeg -hide_banner -i ", " -vf vfrdet -an -f null -", e);
}

/* By the faces: where no frame has one, the lane looked for them in turned frames. Without a detector of faces, or where turned
 * frames show none either, a tag that turns a video is all that there is to go by. */
static enum status check_rotation(struct look *l, struct error *e)
{
    struct text evidence = {0};

    if (l->r->outcome != OUTCOME_NO_FACE)
        return STATUS_OK;
    if (l->prints->quarter_turns > 0) {
        text_append_string(&evidence, "no face as shown");
        if (l->facts->rotation_deg != 0)
            text_append_format(&evidence, ", turned by %d degrees by its tag", (int)l->facts->rotation_deg);
        text_append_format(&evidence, "; a face when turned by %u degrees clockwise", 90u * l->prints->quarter_turns);
        return tell(l, AUDIT_ROTATION, &evidence, "ffmpeg -v error -y -i ",
                    l->prints->quarter_turns == 1   ? " -vf transpose=clock -frames:v 1 turned.png"
                    : l->prints->quarter_turns == 2 ? " -vf hflip,vflip -frames:v 1 turned.png"
                                                    : " -vf transpose=cclock -frames:v 1 turned.png",
                    e);
    }
    if (l->facts->rotation_deg == 0)
        return STATUS_OK;
    text_append_format(&evidence, "turned by %d degrees as its container asks, and then without a face in %u frames",
                       (int)l->facts->rotation_deg, l->r->n_frames_decoded);
    return tell(l, AUDIT_ROTATION, &evidence, "ffmpeg -v error -y -noautorotate -i ", " -frames:v 1 stored.png", e);
}

enum status audit_videos(struct auditor *x, struct error *e)
{
    enum status s = STATUS_OK;

    for (size_t i = 0; s == STATUS_OK && i < x->n; i++) {
        struct look l = {
            .x = x, .entry = (uint32_t)i, .facts = audit_facts(x, (uint32_t)i), .prints = &x->prints.entries[i]};

        /* Of the same reader, so it is read after the facts, which stay. */
        l.r = results_get(x->reader, i);
        s = check_outcome(&l, e);
        if (s == STATUS_OK)
            s = check_faces(&l, e);
        if (s == STATUS_OK)
            s = check_pictures(&l, e);
        if (s == STATUS_OK)
            s = check_size(&l, e);
        if (s == STATUS_OK)
            s = check_rate(&l, e);
        if (s == STATUS_OK)
            s = check_rotation(&l, e);
    }
    return s;
}
