/* card: a detector (or a face detector) described in JSON beside its ONNX files: sampling, face search, crop,
 * tensor, networks, meaning of the output, aggregation, calibration, provenance. Anything that can change a
 * score is here.
 *
 * An unknown key, a missing key or a value out of its range is an error that names the card's file, the key's
 * path
 * ("sampling.frames") and the rule. docs/DETECTORS.md documents each key; models/cards holds the cards of the
 * zoo. */
#ifndef FAKESIFT_MODELS_CARD_H
#define FAKESIFT_MODELS_CARD_H

#include <stddef.h>
#include <stdint.h>

#include "models/card_notes.h"
#include "shard/aggregate.h"
#include "shard/status.h"

struct hasher;
struct text;

enum {
    CARD_MAX_BYTES = 1 << 20, /* of the file */
    CARD_MAX_FRAMES = 300,    /* of a clip */
    CARD_MAX_CLIPS = 64,      /* of a video */
    CARD_MAX_FACES = 16,      /* in a frame */
    CARD_MAX_NETWORKS = 4,    /* of one stage */
    CARD_MAX_SIDE_PX = 1024,  /* of a crop */
    CARD_MAX_MEMBERS = 15     /* of an ensemble */
};

/* CARD_FEATURES: a network over single pictures that gives features, no score: a backbone to train on, not to run. */
enum card_kind { CARD_DETECTOR = 1, CARD_FACE_DETECTOR, CARD_ENSEMBLE, CARD_FEATURES };

/* What a detector takes: face crops of a video's frames, whole frames, or landmark sequences from a text file
 * (one frame a line, 2 * points numbers). */
enum input_kind { INPUT_FACES = 1, INPUT_FRAMES, INPUT_LANDMARKS };

enum sampling_mode { SAMPLING_UNIFORM = 1, SAMPLING_KEYFRAME, SAMPLING_ALL };

/* uniform: `clips` clips of `frames` frames each. With a stride: frames of a clip are that far apart and the
 * clips' starts are spread evenly over the video; without: clips * frames time stamps spread evenly.
 * keyframe: clips begin at key frames. all: clips overlap and cover the video, as many as it takes.
 * keyframe and all without a stride go from frame to frame. nodes/sampler.h has the rules. */
struct card_sampling {
    enum sampling_mode mode;
    unsigned clips;         /* 1..CARD_MAX_CLIPS, default 1; all: 1 */
    unsigned frames;        /* 1..CARD_MAX_FRAMES; landmarks: length of a block */
    double stride_s;        /* 0..60, default 0 */
    unsigned stride_frames; /* 0..3600, default 0: of the video's mean rate; not both strides */
    double overlap;         /* all: share of a clip that the next one has too; 0..0.99, default 0.5 */
    bool ends;              /* uniform without a stride: frame floor(i * (video's frames - 1) / (n - 1)) of the video */
    unsigned min_frames;    /* fewer frames with the face: too_short; default 1 */
};

enum face_architecture { FACE_NONE = 0, FACE_MTCNN, FACE_YUNET, FACE_ULTRAFACE, FACE_BLAZEFACE };

/* motion: a track's box is expected where its motion leads, and a face of like size whose centre lies near that joins it
 * too. */
enum face_following { FOLLOW_OVERLAP = 0, FOLLOW_MOTION };

/* Boxes on the line between two searches; or a search of the place where each face was. */
enum face_between { BETWEEN_LINE = 0, BETWEEN_SEARCH };

struct card_face {
    char detector[64];          /* name of a face detector's card, "none" for INPUT_FRAMES */
    unsigned min_face_px;       /* shorter side of a face in the full-size frame; default 40 */
    unsigned max_faces;         /* a frame; default 4 */
    double threshold;           /* least confidence, 0..1; default 0.9 */
    unsigned search_side_px;    /* frames are scaled so that the longer side is at most this; default 640 */
    unsigned hold_frames;       /* a track survives this many sampled frames without a face; default 2 */
    double min_overlap;         /* IoU that joins a face to a track; default 0.3 */
    unsigned detect_every;      /* faces are searched in every such frame of a clip, and in its last; default 1 */
    enum face_between between;  /* how faces are followed between them; default BETWEEN_LINE */
    enum face_following follow; /* what joins a face to a track besides overlap; default FOLLOW_OVERLAP */
    double smooth;              /* share of the box before in a smoothed box, 0..0.95; default 0: not smoothed */
};

/* eyes: turned so that the line through the eyes is level, centred on crop.region, measured in the distance between the
 * eyes. */
enum crop_alignment { CROP_BOX = 0, CROP_SIMILARITY, CROP_EYES };

/* Which of the five points is in the centre; right and left are the person's. */
enum crop_region { REGION_BETWEEN_EYES = 0, REGION_RIGHT_EYE, REGION_LEFT_EYE, REGION_MOUTH };

/* Where the five points go, in pixels of the network's picture; all zero: ArcFace's template. */
struct card_template {
    double right_eye[2], left_eye[2], nose[2], right_mouth[2], left_mouth[2];
};

struct card_crop {
    enum crop_alignment alignment;
    double margin;                /* the side is multiplied by this; 0.5..4, default 1.3 */
    bool square;                  /* default true: the box's longer side both ways */
    unsigned width_px, height_px; /* of the crop */
    struct card_template points;  /* similarity */
    enum crop_region region;      /* eyes */
    double reach_x, reach_y;      /* eyes: sides in distances between the eyes, times margin; 0.1..10, default 1 */
};

enum tensor_layout { TENSOR_NCHW = 1, TENSOR_NHWC, TENSOR_NTCHW, TENSOR_NCTHW };
/* grey: one channel, ITU-R 601's luma as Pillow's mode L has it: (19595 R + 38470 G + 7471 B + 32768) / 65536. */
enum channel_order { CHANNELS_RGB = 1, CHANNELS_BGR, CHANNELS_GREY };

/* value = (pixel * scale - mean[c]) / deviation[c], pixel 0..255, c in the order of the tensor's channels */
struct card_tensor {
    enum tensor_layout layout;
    enum channel_order order;
    double scale;        /* default 1/255 */
    double mean[3];      /* default 0; grey: the first */
    double deviation[3]; /* > 0, default 1 */
};

enum feature_kind { FEATURES_ABSOLUTE = 0, FEATURES_DIFFERENCE };

struct card_network {
    char file[128];             /* relative to the detector's folder, inside it */
    char sha256[65];            /* of the file; "" = not stated */
    enum feature_kind features; /* landmark networks: the values, or their first differences in time */
};

/* joint: one network over N x T x C x H x W. frame: per frame, to a score or to features. temporal: over N x
 * T x D. */
struct card_networks {
    struct card_network joint, frame;                /* file "" = absent */
    struct card_network temporal[CARD_MAX_NETWORKS]; /* their scores are averaged */
    unsigned n_temporal;
};

enum output_meaning { OUTPUT_PROBABILITY = 1, OUTPUT_LOGIT, OUTPUT_SOFTMAX };

struct card_output {
    enum output_meaning meaning; /* softmax: logits of `classes` classes */
    unsigned classes;            /* values a row; 1 for probability and logit of one class */
    unsigned fake_index;         /* < classes: the value that rises with a fake */
    bool positive_is_real;       /* one value that is P(real) or its logit */
};

struct card_aggregation {
    enum aggregation frames; /* frame scores of a track -> clip score; default mean */
    enum aggregation clips;  /* clip scores of a track -> track score; default mean */
    enum aggregation tracks; /* track scores -> video score; default max */
    unsigned top_k;          /* default 3 */
};

struct card_calibration {
    double temperature; /* logit(p) / temperature; > 0, default 1 */
    double bias;        /* added to the logit before the division; default 0 */
};

struct card_member {
    char detector[128]; /* a detector's name, or its card (.json) inside the ensemble card's folder */
    double weight;      /* > 0, default 1; other than 1 for mean and mean_logit alone */
};

/* needs: of which members a video must have a score for the ensemble to have one. */
enum ensemble_needs { ENSEMBLE_NEEDS_ALL = 0, ENSEMBLE_NEEDS_ANY };

/* The members' scores of a video -> one score, calibrated as the card says. */
struct card_ensemble {
    struct card_member members[CARD_MAX_MEMBERS]; /* 2 at least */
    unsigned n_members;
    enum aggregation combine; /* mean, mean_logit, max, median, top_k; default mean */
    unsigned top_k;           /* default 3 */
    enum ensemble_needs needs;
};

struct card {
    enum card_kind kind;
    char name[64];
    char title[256];
    char licence[128];
    char provenance[512];
    char worth[512]; /* what it was measured at, and what it is not good for */
    struct card_notes notes;
    /* CARD_DETECTOR */
    enum input_kind input;
    unsigned landmark_points; /* INPUT_LANDMARKS: points a frame */
    struct card_sampling sampling;
    struct card_face face;
    struct card_crop crop;
    struct card_tensor tensor;
    struct card_networks networks;
    struct card_output output;
    struct card_aggregation aggregation;
    struct card_calibration calibration;
    /* CARD_FACE_DETECTOR */
    enum face_architecture architecture;
    struct card_network face_networks[3]; /* mtcnn: P-, R-, O-Net; the others: one */
    unsigned n_face_networks;
    /* CARD_ENSEMBLE; it has calibration, too */
    struct card_ensemble ensemble;
};

/* *ret_card is the caller's. STATUS_CORRUPT: not JSON (with the position). STATUS_INVALID: a key or value. */
enum status card_load(const char *path, struct card **ret_card, struct error *e);
void card_close(struct card **card); /* NULL-safe; sets *card = NULL */

/* Whether the architecture gives the five landmarks that CROP_SIMILARITY needs. */
bool card_face_has_points(enum face_architecture architecture);

/* Whether the crop needs those landmarks. */
bool card_wants_points(const struct card *card);
/* Whether the card says where the five points go; else they go where ArcFace's template has them. */
bool card_has_template(const struct card_crop *crop);
/* Channels of the network's picture: 3, or 1 for grey. */
unsigned card_channels(const struct card_tensor *tensor);
/* Whether two detectors of pictures can share frames (min_frames apart), faces of the same frames, crops of the same faces. Out
 * of memory counts as a difference. */
bool card_wants_same_frames(const struct card *a, const struct card *b);
bool card_finds_same_faces(const struct card *a, const struct card *b);
bool card_cuts_same_crops(const struct card *a, const struct card *b);

/* Whether s may be a card's name: a-z, 0-9, '.', '_', '-', no dot first. */
bool card_name_is_plain(const char *s);

/* Every network that the card names, in the order joint, frame, temporal, face networks; NULL beyond the
 * last. */
const struct card_network *card_network_at(const struct card *card, size_t index);

/* Everything of the card that can change a score, in a fixed order with its keys: not its texts (title,
 * licence, provenance, worth), nor the names and sha256 of its files, whose bytes the caller hashes. */
void card_hash(const struct card *card, struct hasher *h);
/* What a detector hashes, and its networks' files and sha256, as one flat JSON object of strings:
 * {"sampling.frames":"10", ...}. */
void card_describe(const struct card *card, struct text *t);

#endif
