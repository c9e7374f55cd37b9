#include "nodes/score_speed.h"

#include <stdlib.h>

#include "shard/clock.h"

enum status score_speed_faces(struct face_finder *finder, const struct card *card, double *ret_s, struct error *e)
{
    enum { SIDE_PX = 128 };
    static const uint8_t black[SIDE_PX * SIDE_PX * 3];
    const struct image picture = {
        .rgb_hwc_u8 = black, .width_px = SIDE_PX, .height_px = SIDE_PX, .stride_bytes = 3 * SIDE_PX};
    const double side = (double)card->face.search_side_px / SIDE_PX, usual_aspect = 9.0 / 16;
    struct face faces[CARD_MAX_FACES];
    size_t n_faces;
    int64_t start = 0;
    enum status s = STATUS_OK;

    for (unsigned i = 0; s == STATUS_OK && i < 2; i++) {
        start = clock_monotonic_us();
        s = face_finder_run(finder, &picture, faces, CARD_MAX_FACES, &n_faces, e);
    }
    if (s == STATUS_OK)
        *ret_s = (double)(clock_monotonic_us() - start) / 1e6 * side * side * usual_aspect / card->face.detect_every;
    return s;
}

enum status score_speed_clip(struct inference *inference, const struct card *card, double *ret_s, struct error *e)
{
    const double usual_flops_s = 2e10, longest_s = 0.5;
    double reckoned_s = (double)inference_clip_flops(inference) / usual_flops_s, p;
    uint8_t *patches;
    int64_t start;
    enum status s;

    if (card->input == INPUT_LANDMARKS || reckoned_s > longest_s) {
        *ret_s = reckoned_s;
        return STATUS_OK;
    }
    patches = calloc(card->sampling.frames, (size_t)card->crop.width_px * card->crop.height_px * 3);
    if (!patches)
        return error_no_memory(e);
    start = clock_monotonic_us();
    s = inference_patches(inference, patches, card->sampling.frames, &p, e);
    free(patches);
    if (s == STATUS_OK)
        *ret_s = (double)(clock_monotonic_us() - start) / 1e6;
    return s;
}
