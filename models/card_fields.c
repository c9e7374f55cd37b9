#include "models/card_fields.h"

#include "models/card.h"

/* clang-format off */

static const struct choice kinds[] = {{"detector", CARD_DETECTOR}, {"face_detector", CARD_FACE_DETECTOR},
    {"ensemble", CARD_ENSEMBLE}, {"features", CARD_FEATURES}, {0}};
static const struct choice inputs[] = {
    {"faces", INPUT_FACES}, {"frames", INPUT_FRAMES}, {"landmarks", INPUT_LANDMARKS}, {0}};
static const struct choice modes[] = {
    {"uniform", SAMPLING_UNIFORM}, {"keyframe", SAMPLING_KEYFRAME}, {"all", SAMPLING_ALL}, {0}};
static const struct choice alignments[] = {
    {"box", CROP_BOX}, {"similarity", CROP_SIMILARITY}, {"eyes", CROP_EYES}, {0}};
static const struct choice regions[] = {
    {"between_eyes", REGION_BETWEEN_EYES}, {"right_eye", REGION_RIGHT_EYE}, {"left_eye", REGION_LEFT_EYE},
    {"mouth", REGION_MOUTH}, {0}};
static const struct choice followings[] = {{"overlap", FOLLOW_OVERLAP}, {"motion", FOLLOW_MOTION}, {0}};
static const struct choice betweens[] = {{"line", BETWEEN_LINE}, {"search", BETWEEN_SEARCH}, {0}};
static const struct choice layouts[] = {
    {"nchw", TENSOR_NCHW}, {"nhwc", TENSOR_NHWC}, {"ntchw", TENSOR_NTCHW}, {"ncthw", TENSOR_NCTHW}, {0}};
static const struct choice orders[] = {{"rgb", CHANNELS_RGB}, {"bgr", CHANNELS_BGR}, {"grey", CHANNELS_GREY}, {0}};
static const struct choice features[] = {{"absolute", FEATURES_ABSOLUTE}, {"difference", FEATURES_DIFFERENCE}, {0}};
static const struct choice meanings[] = {
    {"probability", OUTPUT_PROBABILITY}, {"logit", OUTPUT_LOGIT}, {"softmax", OUTPUT_SOFTMAX}, {0}};
static const struct choice rules[] = {
    {"mean", AGGREGATE_MEAN}, {"mean_logit", AGGREGATE_MEAN_LOGIT}, {"max", AGGREGATE_MAX},
    {"median", AGGREGATE_MEDIAN}, {"top_k", AGGREGATE_TOP_K}, {"confident", AGGREGATE_CONFIDENT},
    {"share", AGGREGATE_SHARE}, {0}};
static const struct choice architectures[] = {
    {"mtcnn", FACE_MTCNN}, {"yunet", FACE_YUNET}, {"ultraface", FACE_ULTRAFACE}, {"blazeface", FACE_BLAZEFACE}, {0}};

#define AT(type, member) .offset = offsetof(struct type, member)
#define TEXT(type, member) AT(type, member), .size = sizeof(((struct type *)0)->member)
#define RANGE(low, high, otherwise) .min = (low), .max = (high), .fallback = (otherwise)

static const struct field sampling_fields[] = {
    {"mode", FIELD_CHOICE, CARD_OF_DETECTOR, 0, AT(card_sampling, mode), .choices = modes,
     .fallback = SAMPLING_UNIFORM},
    {"clips", FIELD_COUNT, CARD_OF_VIDEOS, 0, AT(card_sampling, clips), RANGE(1, CARD_MAX_CLIPS, 1)},
    {"frames", FIELD_COUNT, CARD_OF_DETECTOR, CARD_OF_DETECTOR, AT(card_sampling, frames), RANGE(1,
     CARD_MAX_FRAMES, 0)},
    {"stride_s", FIELD_NUMBER, CARD_OF_VIDEOS, 0, AT(card_sampling, stride_s), RANGE(0, 60, 0)},
    {"stride_frames", FIELD_COUNT, CARD_OF_VIDEOS, 0, AT(card_sampling, stride_frames), RANGE(0, 3600, 0)},
    {"overlap", FIELD_NUMBER, CARD_OF_VIDEOS, 0, AT(card_sampling, overlap), RANGE(0, 0.99, 0.5)},
    {"min_frames", FIELD_COUNT, CARD_OF_DETECTOR, 0, AT(card_sampling, min_frames), RANGE(1, CARD_MAX_FRAMES, 1)},
    {"ends", FIELD_BOOL, CARD_OF_VIDEOS, 0, AT(card_sampling, ends), .late = true},
    {0}};

static const struct field face_fields[] = {
    {"detector", FIELD_NAME, CARD_OF_VIDEOS, CARD_OF_FACES, TEXT(card_face, detector)},
    {"min_face_px", FIELD_COUNT, CARD_OF_FACES, 0, AT(card_face, min_face_px), RANGE(8, 4096, 40)},
    {"max_faces", FIELD_COUNT, CARD_OF_FACES, 0, AT(card_face, max_faces), RANGE(1, CARD_MAX_FACES, 4)},
    {"threshold", FIELD_NUMBER, CARD_OF_FACES, 0, AT(card_face, threshold), RANGE(0, 1, 0.9)},
    {"search_side_px", FIELD_COUNT, CARD_OF_FACES, 0, AT(card_face, search_side_px), RANGE(64, 4096, 640)},
    {"hold_frames", FIELD_COUNT, CARD_OF_FACES, 0, AT(card_face, hold_frames), RANGE(0, CARD_MAX_FRAMES, 2)},
    {"min_overlap", FIELD_NUMBER, CARD_OF_FACES, 0, AT(card_face, min_overlap), RANGE(0, 1, 0.3)},
    {"detect_every", FIELD_COUNT, CARD_OF_FACES, 0, AT(card_face, detect_every), RANGE(1, 32, 1), .late = true},
    {"between", FIELD_CHOICE, CARD_OF_FACES, 0, AT(card_face, between), .choices = betweens, .fallback = BETWEEN_LINE,
     .late = true},
    {"follow", FIELD_CHOICE, CARD_OF_FACES, 0, AT(card_face, follow), .choices = followings,
     .fallback = FOLLOW_OVERLAP, .late = true},
    {"smooth", FIELD_NUMBER, CARD_OF_FACES, 0, AT(card_face, smooth), RANGE(0, 0.95, 0), .late = true},
    {0}};

#define POINT(name)                                                                                                \
    {#name, FIELD_PAIR, CARD_OF_FACES, CARD_OF_FACES, AT(card_template, name), RANGE(-4096, 4096, 0), .late = true}

static const struct field template_fields[] = {
    POINT(right_eye), POINT(left_eye), POINT(nose), POINT(right_mouth), POINT(left_mouth), {0}};

static const struct field crop_fields[] = {
    {"alignment", FIELD_CHOICE, CARD_OF_FACES, 0, AT(card_crop, alignment), .choices = alignments,
     .fallback = CROP_BOX},
    {"margin", FIELD_NUMBER, CARD_OF_FACES, 0, AT(card_crop, margin), RANGE(0.5, 4, 1.3)},
    {"square", FIELD_BOOL, CARD_OF_FACES, 0, AT(card_crop, square), .fallback = 1},
    {"width_px", FIELD_COUNT, CARD_OF_PICTURES, CARD_OF_PICTURES, AT(card_crop, width_px), RANGE(8,
     CARD_MAX_SIDE_PX, 0)},
    {"height_px", FIELD_COUNT, CARD_OF_PICTURES, CARD_OF_PICTURES, AT(card_crop, height_px),
     RANGE(8, CARD_MAX_SIDE_PX, 0)},
    {"template", FIELD_SECTION, CARD_OF_FACES, 0, AT(card_crop, points), .fields = template_fields, .late = true},
    {"region", FIELD_CHOICE, CARD_OF_FACES, 0, AT(card_crop, region), .choices = regions,
     .fallback = REGION_BETWEEN_EYES, .late = true},
    {"reach_x", FIELD_NUMBER, CARD_OF_FACES, 0, AT(card_crop, reach_x), RANGE(0.1, 10, 1), .late = true},
    {"reach_y", FIELD_NUMBER, CARD_OF_FACES, 0, AT(card_crop, reach_y), RANGE(0.1, 10, 1), .late = true},
    {0}};

static const struct field tensor_fields[] = {
    {"layout", FIELD_CHOICE, CARD_OF_PICTURES, CARD_OF_PICTURES, AT(card_tensor, layout), .choices = layouts},
    {"order", FIELD_CHOICE, CARD_OF_PICTURES, CARD_OF_PICTURES, AT(card_tensor, order), .choices = orders},
    {"scale", FIELD_NUMBER, CARD_OF_PICTURES, 0, AT(card_tensor, scale), RANGE(1e-6, 1000, 1.0 / 255)},
    {"mean", FIELD_TRIPLE, CARD_OF_PICTURES, 0, AT(card_tensor, mean), RANGE(-10000, 10000, 0)},
    {"deviation", FIELD_TRIPLE, CARD_OF_PICTURES, 0, AT(card_tensor, deviation), RANGE(1e-6, 10000, 1)},
    {0}};

static const struct field network_fields[] = {
    {"file", FIELD_FILE, CARD_OF_ANY, CARD_OF_ANY, TEXT(card_network, file), .silent = true},
    {"sha256", FIELD_SHA256, CARD_OF_ANY, 0, TEXT(card_network, sha256), .silent = true},
    {"features", FIELD_CHOICE, CARD_OF_LANDMARKS, 0, AT(card_network, features), .choices = features,
     .fallback = FEATURES_ABSOLUTE},
    {0}};

static const struct field networks_fields[] = {
    {"joint", FIELD_SECTION, CARD_OF_VIDEOS, 0, AT(card_networks, joint), .fields = network_fields},
    {"frame", FIELD_SECTION, CARD_OF_PICTURES, 0, AT(card_networks, frame), .fields = network_fields},
    {"temporal", FIELD_LIST, CARD_OF_DETECTOR, CARD_OF_LANDMARKS, AT(card_networks, temporal),
     .size = sizeof(struct card_network), RANGE(1, CARD_MAX_NETWORKS, 0),
     .count_offset = offsetof(struct card_networks, n_temporal), .fields = network_fields},
    {0}};

static const struct field output_fields[] = {
    {"meaning", FIELD_CHOICE, CARD_OF_DETECTOR, CARD_OF_DETECTOR, AT(card_output, meaning), .choices = meanings},
    {"classes", FIELD_COUNT, CARD_OF_DETECTOR, 0, AT(card_output, classes), RANGE(1, 1000, 1)},
    {"fake_index", FIELD_COUNT, CARD_OF_DETECTOR, 0, AT(card_output, fake_index), RANGE(0, 999, 0)},
    {"positive_is_real", FIELD_BOOL, CARD_OF_DETECTOR, 0, AT(card_output, positive_is_real)},
    {0}};

static const struct field aggregation_fields[] = {
    {"frames", FIELD_CHOICE, CARD_OF_DETECTOR, 0, AT(card_aggregation, frames), .choices = rules,
     .fallback = AGGREGATE_MEAN},
    {"clips", FIELD_CHOICE, CARD_OF_DETECTOR, 0, AT(card_aggregation, clips), .choices = rules,
     .fallback = AGGREGATE_MEAN},
    {"tracks", FIELD_CHOICE, CARD_OF_DETECTOR, 0, AT(card_aggregation, tracks), .choices = rules,
     .fallback = AGGREGATE_MAX},
    {"top_k", FIELD_COUNT, CARD_OF_DETECTOR, 0, AT(card_aggregation, top_k), RANGE(1, CARD_MAX_FRAMES, 3)},
    {0}};

static const struct field calibration_fields[] = {
    {"temperature", FIELD_NUMBER, CARD_OF_DETECTOR, 0, AT(card_calibration, temperature), RANGE(0.001, 1000, 1)},
    {"bias", FIELD_NUMBER, CARD_OF_DETECTOR, 0, AT(card_calibration, bias), RANGE(-100, 100, 0)},
    {0}};

const struct field card_fields[] = {
    {"kind", FIELD_CHOICE, CARD_OF_ANY, CARD_OF_ANY, AT(card, kind), .choices = kinds},
    {"input", FIELD_CHOICE, CARD_OF_DETECTOR, CARD_OF_DETECTOR, AT(card, input), .choices = inputs},
    {"name", FIELD_NAME, CARD_OF_ANY, CARD_OF_ANY, TEXT(card, name)},
    {"title", FIELD_TEXT, CARD_OF_ANY, CARD_OF_ANY, TEXT(card, title), .silent = true},
    {"licence", FIELD_TEXT, CARD_OF_ANY, CARD_OF_ANY, TEXT(card, licence), .silent = true},
    {"provenance", FIELD_TEXT, CARD_OF_ANY, CARD_OF_ANY, TEXT(card, provenance), .silent = true},
    {"worth", FIELD_TEXT, CARD_OF_ANY, CARD_OF_DETECTOR, TEXT(card, worth), .silent = true},
    {"notes", FIELD_SECTION, CARD_OF_ANY, 0, AT(card, notes), .fields = card_notes_fields, .silent = true},
    {"landmark_points", FIELD_COUNT, CARD_OF_LANDMARKS, CARD_OF_LANDMARKS, AT(card, landmark_points),
     RANGE(1, 1024, 0)},
    {"sampling", FIELD_SECTION, CARD_OF_DETECTOR, CARD_OF_DETECTOR, AT(card, sampling), .fields = sampling_fields},
    {"face", FIELD_SECTION, CARD_OF_VIDEOS, CARD_OF_FACES, AT(card, face), .fields = face_fields},
    {"crop", FIELD_SECTION, CARD_OF_PICTURES, CARD_OF_PICTURES, AT(card, crop), .fields = crop_fields},
    {"tensor", FIELD_SECTION, CARD_OF_PICTURES, CARD_OF_PICTURES, AT(card, tensor), .fields = tensor_fields},
    {"networks", FIELD_SECTION, CARD_OF_DETECTOR | CARD_OF_FEATURES,
     CARD_OF_DETECTOR | CARD_OF_FEATURES, AT(card, networks), .fields = networks_fields},
    {"output", FIELD_SECTION, CARD_OF_DETECTOR, CARD_OF_DETECTOR, AT(card, output), .fields = output_fields},
    {"aggregation", FIELD_SECTION, CARD_OF_DETECTOR, 0, AT(card, aggregation), .fields = aggregation_fields},
    {"calibration", FIELD_SECTION, CARD_OF_DETECTOR, 0, AT(card, calibration), .fields = calibration_fields},
    {"architecture", FIELD_CHOICE, CARD_OF_FINDER, CARD_OF_FINDER, AT(card, architecture), .choices = architectures},
    {"face_networks", FIELD_LIST, CARD_OF_FINDER, CARD_OF_FINDER, AT(card, face_networks),
     .size = sizeof(struct card_network), RANGE(1, 3, 0), .count_offset = offsetof(struct card, n_face_networks),
     .fields = network_fields},
    {0}};
