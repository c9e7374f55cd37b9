#include "models/card.h"

#include <stdlib.h>
#include <string.h>

#include "models/card_fields.h"
#include "shard/text.h"
#include "shard/hash.h"

static const char *card_of_name(unsigned of)
{
    switch (of) {
    case CARD_OF_FACES:
        return "input \"faces\"";
    case CARD_OF_FRAMES:
        return "input \"frames\"";
    case CARD_OF_LANDMARKS:
        return "input \"landmarks\"";
    case CARD_OF_ENSEMBLE:
        return "kind \"ensemble\"";
    case CARD_OF_FEATURES:
        return "kind \"features\"";
    default:
        return "kind \"face_detector\"";
    }
}

/* Reads kind and input, on which everything else depends. */
static enum status read_what_it_is(struct fields_reader *r, const cJSON *root, struct card *card)
{
    const struct field *const fields[2] = {&card_fields[0], &card_fields[1]};
    unsigned values[2] = {0, 0};

    for (int i = 0; i < 2; i++) {
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(root, fields[i]->key);
        enum status s;

        if (i == 1 && values[0] != CARD_DETECTOR)
            break;
        if (!v)
            return error_set(r->e, STATUS_INVALID, "%s: %s: missing", r->path, fields[i]->key);
        s = fields_read_choice(r, fields[i], fields[i]->key, v, &values[i]);
        if (s != STATUS_OK)
            return s;
    }
    card->kind = (enum card_kind)values[0];
    r->of = values[0] == CARD_FACE_DETECTOR ? CARD_OF_FINDER
            : values[0] == CARD_ENSEMBLE    ? CARD_OF_ENSEMBLE
            : values[0] == CARD_FEATURES    ? CARD_OF_FEATURES
            : values[1] == INPUT_FACES      ? CARD_OF_FACES
            : values[1] == INPUT_FRAMES     ? CARD_OF_FRAMES
                                            : CARD_OF_LANDMARKS;
    r->of_text = card_of_name(r->of);
    return STATUS_OK;
}

static enum status broken(const struct fields_reader *r, const char *key, const char *rule)
{
    return error_set(r->e, STATUS_INVALID, "%s: %s: %s", r->path, key, rule);
}

static enum status check_ensemble(const struct fields_reader *r, const struct card *c)
{
    const struct card_ensemble *x = &c->ensemble;

    for (unsigned i = 0; i < x->n_members; i++) {
        if (x->members[i].weight != 1 && x->combine != AGGREGATE_MEAN && x->combine != AGGREGATE_MEAN_LOGIT)
            return error_set(r->e, STATUS_INVALID,
                             "%s: ensemble.members[%u].weight: has a meaning with combine mean and mean_logit alone",
                             r->path, i);
        for (unsigned k = 0; k < i; k++) {
            if (strcmp(x->members[i].detector, x->members[k].detector) == 0)
                return error_set(r->e, STATUS_INVALID, "%s: ensemble.members[%u].detector: %s is a member already",
                                 r->path, i, x->members[i].detector);
        }
    }
    return STATUS_OK;
}

static enum status check_networks(const struct fields_reader *r, const struct card *c)
{
    const struct card_networks *n = &c->networks;
    bool joint = n->joint.file[0] != '\0', frame = n->frame.file[0] != '\0';
    bool clip_layout = c->tensor.layout == TENSOR_NTCHW || c->tensor.layout == TENSOR_NCTHW;

    if (r->of == CARD_OF_LANDMARKS) {
        for (unsigned i = 0; i < n->n_temporal; i++) {
            if (n->temporal[i].features == FEATURES_DIFFERENCE && c->sampling.frames < 2)
                return broken(r, "sampling.frames", "at least 2 are wanted for features \"difference\"");
        }
        return STATUS_OK;
    }
    if (joint == frame)
        return broken(r, "networks", "exactly one of joint and frame is wanted");
    if (joint && n->n_temporal > 0)
        return broken(r, "networks.temporal", "stands behind a frame network, not behind a joint one");
    if (joint && !clip_layout)
        return broken(r, "tensor.layout", "a joint network takes ntchw or ncthw");
    if (frame && clip_layout)
        return broken(r, "tensor.layout", "a frame network takes nchw or nhwc");
    return STATUS_OK;
}

bool card_has_template(const struct card_crop *crop)
{
    const double *const points[5] = {crop->points.right_eye, crop->points.left_eye, crop->points.nose,
                                     crop->points.right_mouth, crop->points.left_mouth};
    bool has = false;

    for (unsigned k = 0; k < 5; k++)
        has = has || points[k][0] != 0 || points[k][1] != 0;
    return has;
}

/* Keys of one alignment are an error beside another, where they would do nothing. */
static bool check_crop(const struct fields_reader *r, const struct card *c, enum status *ret_s)
{
    const struct card_crop *crop = &c->crop;
    bool eyes = crop->alignment == CROP_EYES;

    if (crop->alignment != CROP_SIMILARITY && card_has_template(crop))
        *ret_s = broken(r, "crop.template", "only with crop.alignment \"similarity\"");
    else if (!eyes && crop->region != REGION_BETWEEN_EYES)
        *ret_s = broken(r, "crop.region", "only with crop.alignment \"eyes\"");
    else if (r->of == CARD_OF_FACES && !eyes && (crop->reach_x < 1 || crop->reach_x > 1))
        *ret_s = broken(r, "crop.reach_x", "only with crop.alignment \"eyes\"");
    else if (r->of == CARD_OF_FACES && !eyes && (crop->reach_y < 1 || crop->reach_y > 1))
        *ret_s = broken(r, "crop.reach_y", "only with crop.alignment \"eyes\"");
    return *ret_s == STATUS_OK;
}

/* Rules that join several keys. */
static enum status check_rules(const struct fields_reader *r, struct card *c)
{
    const struct card_output *o = &c->output;
    enum status s = STATUS_OK;

    if (r->of == CARD_OF_ENSEMBLE)
        return check_ensemble(r, c);
    if (r->of == CARD_OF_FINDER) {
        if (c->architecture == FACE_MTCNN && c->n_face_networks != 3)
            return broken(r, "face_networks", "mtcnn takes three: P-Net, R-Net, O-Net");
        if (c->architecture != FACE_MTCNN && c->n_face_networks != 1)
            return broken(r, "face_networks", "yunet, ultraface and blazeface take one");
        return STATUS_OK;
    }
    if (r->of == CARD_OF_FEATURES) {
        c->sampling.frames = 1;
        return check_networks(r, c);
    }
    if (r->of == CARD_OF_LANDMARKS)
        c->sampling.clips = 1; /* a block is what a clip is elsewhere */
    if (c->sampling.min_frames > c->sampling.frames)
        return broken(r, "sampling.min_frames", "more than sampling.frames");
    if (r->of == CARD_OF_LANDMARKS && c->sampling.mode != SAMPLING_UNIFORM)
        return broken(r, "sampling.mode", "landmarks have no video to choose frames of");
    if (c->sampling.stride_s > 0 && c->sampling.stride_frames > 0)
        return broken(r, "sampling.stride_frames", "one stride is wanted, in seconds or in frames");
    if (c->sampling.mode == SAMPLING_ALL && c->sampling.clips != 1)
        return broken(r, "sampling.clips", "not with mode \"all\": the video's length says how many");
    if (c->sampling.ends &&
        (c->sampling.mode != SAMPLING_UNIFORM || c->sampling.stride_s > 0 || c->sampling.stride_frames > 0))
        return broken(r, "sampling.ends", "only with mode \"uniform\" and without a stride");
    if (o->fake_index >= o->classes)
        return error_set(r->e, STATUS_INVALID, "%s: output.fake_index: %u is not below output.classes, %u", r->path,
                         o->fake_index, o->classes);
    if (o->meaning == OUTPUT_SOFTMAX && o->classes < 2)
        return broken(r, "output.classes", "softmax takes at least 2");
    if (o->meaning == OUTPUT_LOGIT && o->classes != 1)
        return broken(r, "output.classes", "logit takes 1; softmax takes logits of several classes");
    if (o->positive_is_real && o->classes != 1)
        return broken(r, "output.positive_is_real", "only for one class; give fake_index instead");
    if (r->of == CARD_OF_FRAMES) {
        if (c->face.detector[0] == '\0')
            strcpy(c->face.detector, "none");
        if (strcmp(c->face.detector, "none") != 0)
            return broken(r, "face.detector", "input \"frames\" takes \"none\"");
    } else if (strcmp(c->face.detector, "none") == 0) {
        return broken(r, "face.detector", "input \"faces\" needs a face detector");
    }
    if (!check_crop(r, c, &s))
        return s;
    return check_networks(r, c);
}

static const struct field *fields_of(enum card_kind kind)
{
    return kind == CARD_ENSEMBLE ? card_ensemble_fields : card_fields;
}

enum status card_load(const char *path, struct card **ret_card, struct error *e)
{
    struct fields_reader r = {.path = path, .e = e};
    cJSON *root = NULL;
    struct card *card = NULL;
    enum status s = json_read(path, CARD_MAX_BYTES, &root, e);

    if (s != STATUS_OK)
        return s;
    card = calloc(1, sizeof(*card));
    if (!card) {
        s = error_no_memory(e);
        goto end;
    }
    if (!cJSON_IsObject(root)) {
        s = fields_wrong_type(&r, "the card", "an object", root);
        goto end;
    }
    s = read_what_it_is(&r, root, card);
    if (s == STATUS_OK)
        s = fields_read(&r, root, "", fields_of(card->kind), card);
    if (s == STATUS_OK)
        s = check_rules(&r, card);
    if (s != STATUS_OK)
        goto end;
    *ret_card = card;
    card = NULL;
end:
    card_close(&card);
    cJSON_Delete(root);
    return s;
}

void card_close(struct card **card)
{
    free(*card);
    *card = NULL;
}

const struct card_network *card_network_at(const struct card *card, size_t index)
{
    const struct card_network *const single[2] = {&card->networks.joint, &card->networks.frame};

    for (int i = 0; i < 2; i++) {
        if (single[i]->file[0] != '\0' && index-- == 0)
            return single[i];
    }
    if (index < card->networks.n_temporal)
        return &card->networks.temporal[index];
    index -= card->networks.n_temporal;
    return index < card->n_face_networks ? &card->face_networks[index] : NULL;
}

bool card_face_has_points(enum face_architecture architecture)
{
    return architecture == FACE_MTCNN || architecture == FACE_YUNET;
}

bool card_wants_points(const struct card *card)
{
    return card->crop.alignment != CROP_BOX;
}

unsigned card_channels(const struct card_tensor *tensor)
{
    return tensor->order == CHANNELS_GREY ? 1 : 3;
}

bool card_name_is_plain(const char *s)
{
    return field_name_is_plain(s);
}

void card_describe(const struct card *card, struct text *t)
{
    unsigned of = card->kind == CARD_FACE_DETECTOR ? CARD_OF_FINDER
                  : card->kind == CARD_ENSEMBLE    ? CARD_OF_ENSEMBLE
                  : card->kind == CARD_FEATURES    ? CARD_OF_FEATURES
                  : card->input == INPUT_FACES     ? CARD_OF_FACES
                  : card->input == INPUT_LANDMARKS ? CARD_OF_LANDMARKS
                                                   : CARD_OF_FRAMES;

    text_append_string(t, "{");
    fields_describe(t, fields_of(card->kind), card, of, "");
    text_append_string(t, "}");
}

void card_hash(const struct card *card, struct hasher *h)
{
    fields_hash(h, fields_of(card->kind), card);
}
