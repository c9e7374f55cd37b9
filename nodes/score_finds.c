#include "nodes/score_finds.h"

#include <math.h>
#include <string.h>

/* Of a track in a clip: fewer where the plan's clips and faces would not all get one. */
static unsigned crops_each(const struct finds_settings *settings, const struct card *card)
{
    unsigned places = card->sampling.clips * (card->input == INPUT_FACES ? card->face.max_faces : 1);
    unsigned share = FINDS_MAX_CROPS / places;

    return settings->crops < share ? settings->crops : share > 0 ? share : 1;
}

/* A row a frame: seconds since the clip's first, and P(fake); NaN where the face was not found or the clip had ended. */
static enum status keep_frames(struct finds *f, unsigned frames, const struct inference *inference,
                               const struct finds_patches *p)
{
    float p_fake[CARD_MAX_FRAMES], *values = NULL;
    enum status s;

    if (!inference_frame_scores(inference, p->n, p_fake))
        return STATUS_OK;
    s = finds_add_values(f, FIND_FRAMES, p->source, frames, 2, &values);
    for (unsigned t = 0; values && t < frames; t++) {
        bool is_shown = t < p->n && p->times_us[t] >= 0;

        values[2 * t] = is_shown ? (float)((double)(p->times_us[t] - p->times_us[0]) / 1e6) : NAN;
        values[2 * t + 1] = is_shown ? p_fake[t] : NAN;
    }
    return s;
}

enum status score_keep_finds(struct finds *f, const struct finds_settings *settings, const struct card *card,
                             const struct inference *inference, const struct finds_patches *p, struct error *e)
{
    enum status s = STATUS_OK;
    unsigned rows, width;
    float *values;

    if (settings->crops > 0)
        s = finds_add_crops(f, p, crops_each(settings, card));
    if (s == STATUS_OK && settings->features && inference_feature_size(inference, &rows, &width)) {
        s = finds_add_values(f, FIND_FEATURES, p->source, rows, width, &values);
        if (s == STATUS_OK && values)
            inference_copy_features(inference, p->n, values);
    }
    if (s == STATUS_OK && settings->frames)
        s = keep_frames(f, card->sampling.frames, inference, p);
    return s == STATUS_OK ? s : error_no_memory(e);
}

enum status score_keep_points(struct finds *f, const struct finds_settings *settings, uint32_t source,
                              const float *points, unsigned rows, unsigned width, struct error *e)
{
    float *values = NULL;
    enum status s = STATUS_OK;

    if (settings->features)
        s = finds_add_values(f, FIND_FEATURES, source, rows, width, &values);
    if (s != STATUS_OK)
        return error_no_memory(e);
    if (values)
        memcpy(values, points, (size_t)rows * width * sizeof(*values));
    return s;
}
