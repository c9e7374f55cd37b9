#include "models/input_guess.h"

/* What an open dimension is shown with: a picture of this size where nobody says more. Multiples of 32, as
 * YuNet and others with strides up to 32 want them. */
enum { SHOWN_WIDTH_PX = 640, SHOWN_HEIGHT_PX = 384 };

void input_guess(const struct card *card, const struct card_network *cn, struct tensor_shape *s)
{
    bool temporal = card && cn != &card->networks.frame && cn != &card->networks.joint && s->rank == 3;
    int64_t frames = card ? (int64_t)card->sampling.frames - (cn->features == FEATURES_DIFFERENCE) : 1;
    int64_t height = card && card->crop.height_px ? card->crop.height_px : SHOWN_HEIGHT_PX;
    int64_t width = card && card->crop.width_px ? card->crop.width_px : SHOWN_WIDTH_PX;
    bool last = card && card->kind == CARD_DETECTOR && card->tensor.layout == TENSOR_NHWC;

    for (unsigned i = 0; i < s->rank; i++) {
        if (s->dims[i] >= 0)
            continue;
        s->dims[i] = 1;
        if (temporal && i == 1)
            s->dims[i] = frames;
        else if (s->rank == 4 && i > 0)
            s->dims[i] = last ? (i == 1 ? height : i == 2 ? width : 3) : (i == 1 ? 3 : i == 2 ? height : width);
        else if (s->rank == 5 && i >= 3)
            s->dims[i] = i == 3 ? height : width;
        else if (s->rank == 5 && card && i > 0)
            s->dims[i] = (card->tensor.layout == TENSOR_NTCHW) == (i == 1) ? frames : 3;
    }
}
