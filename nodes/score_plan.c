#include "nodes/score_plan.h"

int64_t score_last_frame_us(const struct video_facts *facts)
{
    int64_t step_us = facts->fps_num > 0 ? INT64_C(1000000) * facts->fps_den / facts->fps_num : 0;

    return facts->duration_us > step_us ? facts->duration_us - step_us : 1;
}

enum status score_make_plan(const struct card *card, struct decoder *decoder, struct sample_plan *ret_plan,
                            struct error *e)
{
    const struct card_sampling *sampling = &card->sampling;
    bool faces_wait = card->input == INPUT_FACES && card->face.between == BETWEEN_LINE;
    unsigned n_waiting = faces_wait && card->face.detect_every > 1 ? card->face.detect_every - 1 : 0;
    const struct video_facts *facts = decoder_facts(decoder);
    struct sample_video video = {
        .duration_us = score_last_frame_us(facts), .fps_num = facts->fps_num, .fps_den = facts->fps_den};
    enum status s = STATUS_OK;

    if (sampling_wants_key_frames(sampling))
        s = decoder_key_frames(decoder, &video.key_us, &video.n_keys, e);
    if (s != STATUS_OK)
        return s;
    s = sample_plan_make(sampling, &video, ret_plan);
    if (s != STATUS_OK)
        return error_set(e, s, "the sampling plan: %s", status_name(s));
    s = decoder_keep(decoder, ret_plan->n_shared > n_waiting ? ret_plan->n_shared : n_waiting, e);
    if (s != STATUS_OK)
        sample_plan_clear(ret_plan);
    return s;
}
