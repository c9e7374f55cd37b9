#include "nodes/inference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "nodes/crop.h"
#include "shard/aggregate.h"

enum { FRAME_BATCH_MAX = 16 };

struct inference {
    const struct card *card;
    struct session *frame, *joint;
    struct session *temporal[CARD_MAX_NETWORKS];
    unsigned frame_batch;
    size_t frame_values; /* that the frame network gives for one frame */
    float *features;     /* frames x frame_values */
    double *scores;      /* of frames, rows or networks */
};

static struct tensor_shape picture_shape(const struct card *card, unsigned n)
{
    int64_t w = card->crop.width_px, h = card->crop.height_px, t = card->sampling.frames;
    int64_t c = card_channels(&card->tensor);

    switch (card->tensor.layout) {
    case TENSOR_NHWC:
        return (struct tensor_shape){.rank = 4, .dims = {n, h, w, c}};
    case TENSOR_NTCHW:
        return (struct tensor_shape){.rank = 5, .dims = {n, t, c, h, w}};
    case TENSOR_NCTHW:
        return (struct tensor_shape){.rank = 5, .dims = {n, c, t, h, w}};
    case TENSOR_NCHW:
        break;
    }
    return (struct tensor_shape){.rank = 4, .dims = {n, c, h, w}};
}

static size_t output_count(const struct session *s)
{
    struct tensor_shape shape;

    session_output_shape(s, 0, &shape);
    return (size_t)tensor_shape_count(&shape);
}

/* Opens a session, checks its first input and output, and runs it once on zeros. */
static enum status prepare(const struct network *n, const struct tensor_shape *shape, const char *key,
                           const struct detector *d, struct session **ret_s, struct error *e)
{
    const struct card *card = d->card;
    const struct session_settings settings = {.backend = d->backend, .precision = d->precision, .input_shapes = shape};
    enum status s;

    if (network_input_count(n) != 1 || network_output_count(n) < 1)
        return error_set(e, STATUS_INVALID,
                         "%s: networks.%s has %zu inputs and %zu outputs; 1 and at least 1 are needed", card->name, key,
                         network_input_count(n), network_output_count(n));
    s = session_open(n, &settings, ret_s, e);
    if (s != STATUS_OK)
        return s;
    if (session_output_type(*ret_s, 0) != TENSOR_F32)
        return error_set(e, STATUS_INVALID, "%s: networks.%s gives %s, not float32", card->name, key,
                         tensor_type_name(session_output_type(*ret_s, 0)));
    memset(session_input(*ret_s, 0), 0, (size_t)tensor_shape_count(shape) * sizeof(float));
    return session_run(*ret_s, e);
}

static enum status check_classes(const struct card *card, const struct session *s, const char *key, struct error *e)
{
    size_t n = output_count(s);

    if (n > 0 && n % card->output.classes == 0)
        return STATUS_OK;
    return error_set(e, STATUS_INVALID, "%s: networks.%s gives %zu values, not a multiple of output.classes = %u",
                     card->name, key, n, card->output.classes);
}

static enum status open_temporal(struct inference *x, const struct detector *d, struct error *e)
{
    const struct card *card = d->card;
    enum status s = STATUS_OK;

    for (unsigned i = 0; s == STATUS_OK && i < card->networks.n_temporal; i++) {
        bool difference = card->networks.temporal[i].features == FEATURES_DIFFERENCE;
        struct tensor_shape shape = {.rank = 3, .dims = {1, card->sampling.frames, (int64_t)x->frame_values}};

        if (card->input == INPUT_LANDMARKS)
            shape.dims[2] = 2 * (int64_t)card->landmark_points;
        if (difference && card->sampling.frames < 2)
            return error_set(e, STATUS_INVALID, "%s: differences need sampling.frames of at least 2", card->name);
        shape.dims[1] -= difference;
        s = prepare(d->temporal[i], &shape, "temporal", d, &x->temporal[i], e);
        if (s == STATUS_OK)
            s = check_classes(card, x->temporal[i], "temporal", e);
    }
    return s;
}

static enum status open_frame(struct inference *x, const struct detector *d, struct error *e)
{
    const struct card *card = d->card;
    struct tensor_shape shape;
    int64_t fixed = network_input_count(d->frame) == 1 ? network_input(d->frame, 0)->shape.dims[0] : 0;
    enum status s;

    /* An exporter that was not told otherwise fixes the batch, mostly at 1. */
    if (fixed > CARD_MAX_FRAMES)
        return error_set(e, STATUS_INVALID,
                         "%s: networks.frame takes batches of %lld frames; at most %d are run at once", card->name,
                         (long long)fixed, CARD_MAX_FRAMES);
    x->frame_batch = card->sampling.frames < FRAME_BATCH_MAX ? card->sampling.frames : FRAME_BATCH_MAX;
    if (fixed > 0)
        x->frame_batch = (unsigned)fixed;
    shape = picture_shape(card, x->frame_batch);
    s = prepare(d->frame, &shape, "frame", d, &x->frame, e);
    if (s != STATUS_OK)
        return s;
    if (output_count(x->frame) % x->frame_batch != 0)
        return error_set(e, STATUS_INVALID, "%s: networks.frame gives %zu values for %u frames", card->name,
                         output_count(x->frame), x->frame_batch);
    x->frame_values = output_count(x->frame) / x->frame_batch;
    if (card->networks.n_temporal == 0)
        s = check_classes(card, x->frame, "frame", e);
    return s;
}

static enum status open_joint(struct inference *x, const struct detector *d, struct error *e)
{
    const struct tensor_shape shape = picture_shape(d->card, 1);
    enum status s = prepare(d->joint, &shape, "joint", d, &x->joint, e);

    return s == STATUS_OK ? check_classes(d->card, x->joint, "joint", e) : s;
}

enum status inference_open(const struct detector *detector, struct inference **ret_i, struct error *e)
{
    const struct card *card = detector->card;
    enum status s = STATUS_OK;
    size_t most_scores = CARD_MAX_NETWORKS + card->sampling.frames;
    struct inference *x = calloc(1, sizeof(*x));

    if (!x)
        return error_no_memory(e);
    x->card = card;
    if (detector->joint)
        s = open_joint(x, detector, e);
    if (s == STATUS_OK && detector->frame)
        s = open_frame(x, detector, e);
    if (s == STATUS_OK)
        s = open_temporal(x, detector, e);
    if (s != STATUS_OK)
        goto error;
    if (x->frame && !x->temporal[0])
        most_scores *= x->frame_values / card->output.classes;
    if (x->joint)
        most_scores += output_count(x->joint);
    for (unsigned i = 0; i < card->networks.n_temporal; i++)
        most_scores += output_count(x->temporal[i]);
    x->features = calloc((size_t)card->sampling.frames * (x->frame_values ? x->frame_values : 1), sizeof(float));
    x->scores = calloc(most_scores, sizeof(double));
    if (!x->features || !x->scores) {
        s = error_no_memory(e);
        goto error;
    }
    *ret_i = x;
    return STATUS_OK;
error:
    inference_close(&x);
    return s;
}

void inference_close(struct inference **i)
{
    struct inference *x = *i;

    if (!x)
        return;
    session_close(&x->frame);
    session_close(&x->joint);
    for (unsigned k = 0; k < CARD_MAX_NETWORKS; k++)
        session_close(&x->temporal[k]);
    free(x->features);
    free(x->scores);
    free(x);
    *i = NULL;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* One row of the network's values -> P(fake); NaN when the values are not finite. */
static double probability(const struct card_output *o, const float *row)
{
    double top = row[0], sum = 0, p = row[o->fake_index];

    switch (o->meaning) {
    case OUTPUT_LOGIT:
        p = sigmoid(p);
        break;
    case OUTPUT_SOFTMAX:
        for (unsigned i = 1; i < o->classes; i++)
            top = fmax(top, row[i]);
        for (unsigned i = 0; i < o->classes; i++)
            sum += exp(row[i] - top);
        p = exp(p - top) / sum;
        break;
    case OUTPUT_PROBABILITY:
        break;
    }
    if (o->positive_is_real)
        p = 1 - p;
    /* A probability may leave 0..1 by rounding, and nothing else. */
    return p > -1e-3 && p < 1 + 1e-3 ? fmin(fmax(p, 0), 1) : NAN;
}

/* The rows of values -> one score by the card's rule for frames. */
static enum status score_rows(struct inference *x, const float *values, size_t n_values, double *ret_p, struct error *e)
{
    const struct card_output *o = &x->card->output;
    size_t n = n_values / o->classes;

    for (size_t i = 0; i < n; i++) {
        x->scores[i] = probability(o, values + i * o->classes);
        if (isnan(x->scores[i]))
            return error_set(e, STATUS_INVALID, "%s: the network gives %g, which output.meaning does not allow",
                             x->card->name, (double)values[i * o->classes + o->fake_index]);
    }
    *ret_p = aggregate(x->card->aggregation.frames, x->card->aggregation.top_k, x->scores, n);
    return STATUS_OK;
}

/* Which of n patches stands at place t of T. */
static unsigned stretched(unsigned t, unsigned frames, unsigned n_patches)
{
    return (unsigned)((uint64_t)t * n_patches / frames);
}

static const uint8_t *patch_at(const struct card *card, const uint8_t *patches, unsigned index)
{
    return patches + (size_t)index * card->crop.width_px * card->crop.height_px * 3;
}

static enum status run_joint(struct inference *x, const uint8_t *patches, unsigned n_patches, struct error *e)
{
    const struct card *card = x->card;
    unsigned w = card->crop.width_px, h = card->crop.height_px, frames = card->sampling.frames;
    size_t plane = (size_t)w * h, picture = card_channels(&card->tensor) * plane;
    float *in = session_input(x->joint, 0);
    bool time_first = card->tensor.layout == TENSOR_NTCHW;

    for (unsigned t = 0; t < frames; t++) {
        const uint8_t *patch = patch_at(card, patches, stretched(t, frames, n_patches));

        crop_to_tensor(&card->tensor, patch, w, h, in + t * (time_first ? picture : plane),
                       time_first ? plane : plane * frames);
    }
    return session_run(x->joint, e);
}

/* Features of n_patches frames into x->features. */
static enum status run_frames(struct inference *x, const uint8_t *patches, unsigned n_patches, struct error *e)
{
    const struct card *card = x->card;
    unsigned w = card->crop.width_px, h = card->crop.height_px;
    size_t plane = (size_t)w * h, picture = card_channels(&card->tensor) * plane;

    for (unsigned first = 0; first < n_patches; first += x->frame_batch) {
        unsigned n = n_patches - first < x->frame_batch ? n_patches - first : x->frame_batch;
        float *in = session_input(x->frame, 0);
        enum status s;

        for (unsigned i = 0; i < n; i++)
            crop_to_tensor(&card->tensor, patch_at(card, patches, first + i), w, h, in + i * picture, plane);
        memset(in + n * picture, 0, (x->frame_batch - n) * picture * sizeof(float));
        s = session_run(x->frame, e);
        if (s != STATUS_OK)
            return s;
        memcpy(x->features + first * x->frame_values, session_output(x->frame, 0), n * x->frame_values * sizeof(float));
    }
    return STATUS_OK;
}

/* Fills temporal network k's input from rows of width values; row t is source row map(t). */
static void fill_temporal(struct inference *x, unsigned k, const float *rows, size_t width, unsigned n_rows)
{
    unsigned frames = x->card->sampling.frames;
    bool difference = x->card->networks.temporal[k].features == FEATURES_DIFFERENCE;
    float *in = session_input(x->temporal[k], 0);

    for (unsigned t = difference; t < frames; t++) {
        const float *row = rows + stretched(t, frames, n_rows) * width;

        if (!difference) {
            memcpy(in + t * width, row, width * sizeof(float));
            continue;
        }
        for (size_t j = 0; j < width; j++)
            in[(t - 1) * width + j] = row[j] - rows[stretched(t - 1, frames, n_rows) * width + j];
    }
}

static enum status run_temporal(struct inference *x, const float *rows, size_t width, unsigned n_rows, double *ret_p,
                                struct error *e)
{
    double sum = 0;

    for (unsigned k = 0; k < x->card->networks.n_temporal; k++) {
        double p = NAN;
        enum status s;

        fill_temporal(x, k, rows, width, n_rows);
        s = session_run(x->temporal[k], e);
        if (s == STATUS_OK)
            s = score_rows(x, session_output(x->temporal[k], 0), output_count(x->temporal[k]), &p, e);
        if (s != STATUS_OK)
            return s;
        sum += p;
    }
    *ret_p = sum / x->card->networks.n_temporal;
    return STATUS_OK;
}

enum status inference_patches(struct inference *i, const uint8_t *patches_hwc_u8, unsigned n_patches,
                              double *ret_p_fake, struct error *e)
{
    double p = 0;
    enum status s;

    if (i->joint) {
        s = run_joint(i, patches_hwc_u8, n_patches, e);
        if (s == STATUS_OK)
            s = score_rows(i, session_output(i->joint, 0), output_count(i->joint), &p, e);
    } else {
        s = run_frames(i, patches_hwc_u8, n_patches, e);
        if (s == STATUS_OK && i->temporal[0])
            s = run_temporal(i, i->features, i->frame_values, n_patches, &p, e);
        else if (s == STATUS_OK)
            s = score_rows(i, i->features, n_patches * i->frame_values, &p, e);
    }
    if (s == STATUS_OK)
        *ret_p_fake = calibrate(i->card->calibration.temperature, i->card->calibration.bias, p);
    return s;
}

bool inference_feature_size(const struct inference *i, unsigned *ret_rows, unsigned *ret_width)
{
    bool temporal = i->temporal[0] != NULL;

    if (i->joint)
        return false;
    *ret_rows = i->card->sampling.frames;
    *ret_width = i->card->input == INPUT_LANDMARKS ? 2 * i->card->landmark_points
                 : temporal                        ? (unsigned)i->frame_values
                                                   : (unsigned)(i->frame_values / i->card->output.classes);
    return true;
}

void inference_copy_features(const struct inference *i, unsigned n_patches, float *ret_values)
{
    unsigned frames = i->card->sampling.frames, rows = 0, width = 0;

    inference_feature_size(i, &rows, &width);
    for (unsigned t = 0; t < rows; t++) {
        for (unsigned k = 0; k < width; k++) {
            size_t at = (size_t)t * width + k;

            if (i->temporal[0])
                ret_values[at] = i->features[stretched(t, frames, n_patches) * i->frame_values + k];
            else
                ret_values[at] = t < n_patches
                                     ? (float)probability(&i->card->output, i->features + at * i->card->output.classes)
                                     : NAN;
        }
    }
}

/* Adds a network's P(fake) at each step to sums, where it gives one for each: of row t - first for step t. */
static bool add_steps(const struct inference *i, const struct session *s, unsigned first, unsigned n_patches,
                      double *sums, unsigned *n_added)
{
    const struct card_output *o = &i->card->output;
    unsigned frames = i->card->sampling.frames;
    const float *values = session_output(s, 0);

    if (output_count(s) / o->classes != frames - first)
        return false;
    for (unsigned t = first; t < frames; t++) {
        unsigned patch = stretched(t, frames, n_patches);

        sums[patch] += probability(o, values + (size_t)(t - first) * o->classes);
        n_added[patch]++;
    }
    return true;
}

bool inference_frame_scores(const struct inference *i, unsigned n_patches, float *ret_p)
{
    const struct card *card = i->card;
    double sums[CARD_MAX_FRAMES] = {0};
    unsigned n_added[CARD_MAX_FRAMES] = {0};
    size_t rows = i->frame && !i->temporal[0] ? i->frame_values / card->output.classes : 0;
    bool by_frame = true;

    for (unsigned t = 0; t < n_patches && rows > 0; t++) {
        for (size_t k = 0; k < rows; k++, n_added[t]++)
            sums[t] += probability(&card->output, i->features + (t * rows + k) * card->output.classes);
    }
    if (i->joint)
        by_frame = add_steps(i, i->joint, 0, n_patches, sums, n_added);
    for (unsigned k = 0; by_frame && k < card->networks.n_temporal; k++)
        by_frame = add_steps(i, i->temporal[k], card->networks.temporal[k].features == FEATURES_DIFFERENCE, n_patches,
                             sums, n_added);
    for (unsigned t = 0; by_frame && t < n_patches; t++)
        ret_p[t] = n_added[t] > 0
                       ? (float)calibrate(card->calibration.temperature, card->calibration.bias, sums[t] / n_added[t])
                       : NAN;
    return by_frame;
}

enum status inference_landmarks(struct inference *i, const float *points, double *ret_p_fake, struct error *e)
{
    double p = 0;
    enum status s = run_temporal(i, points, 2 * (size_t)i->card->landmark_points, i->card->sampling.frames, &p, e);

    if (s == STATUS_OK)
        *ret_p_fake = calibrate(i->card->calibration.temperature, i->card->calibration.bias, p);
    return s;
}

uint64_t inference_clip_flops(const struct inference *i)
{
    uint64_t flops = i->joint ? session_flops(i->joint) : 0;

    if (i->frame)
        flops += session_flops(i->frame) * ((i->card->sampling.frames + i->frame_batch - 1) / i->frame_batch);
    for (unsigned k = 0; k < i->card->networks.n_temporal; k++)
        flops += session_flops(i->temporal[k]);
    return flops;
}
