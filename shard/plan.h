/* plan: what a video will cost, in seconds of one lane, before anybody has opened it; how measured times correct that;
 * and into how many segments a costly one is cut. Pure arithmetic: no clock, no file.
 *
 * In: facts of the manifest (or only the file's size), what the detector wants of a video, then measured times.
 * Out: seconds. An estimate decides who works on what when, never a score.
 *
 *     cost = open + decode + faces + networks
 *     decode   = share of the stream that is decoded x (pixels x a + bits x b of the codec) + wanted frames x conversion
 *     faces    = wanted frames x one search        networks = clips x one clip
 *
 * The share of the stream follows from the sampling: a seek goes to the key frame before a wanted frame, so with g frames
 * from key to key and a gap of s frames between wanted ones, s - s^2 / 2g frames are decoded for each (s < g), else g / 2.
 * The constants were measured (docs/PERFORMANCE.md); what they miss on a machine, the correction finds: one factor for
 * each class of codec and picture size, moved by each result in the logarithm, by a bounded step, within bounds. */
#ifndef FAKESIFT_SHARD_PLAN_H
#define FAKESIFT_SHARD_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard/result.h"

/* What a detector does with each video. */
struct plan_work {
    bool reads_video; /* false: small text files, whose cost is their size; never cut */
    unsigned clips, frames;
    enum plan_sampling { PLAN_UNIFORM = 0, PLAN_KEYFRAME, PLAN_ALL } sampling; /* as nodes/sampler.h */
    double stride_s;
    unsigned stride_frames;
    double overlap; /* all */
    double clip_s;  /* the networks' time for one clip */
    double face_s;  /* the face search's time for one frame, 0 without one */
};

enum { PLAN_N_CLASSES = 53 }; /* codecs x sizes, and one for what is not known */

/* Seconds. facts: NULL where not probed. key_frame_s: time from key frame to key frame, 0: not known. */
double plan_cost(const struct plan_work *work, const struct video_facts *facts, uint64_t size_bytes,
                 double key_frame_s);
unsigned plan_class(const struct video_facts *facts); /* < PLAN_N_CLASSES */

/* How many segments: 1 when it costs no more than the bound, or the bound is 0, or it cannot be cut. A clip is not cut, so
 * a sampling of one clip cannot be. */
unsigned plan_segments(const struct plan_work *work, double cost_s, double bound_s);

/* Zeroed, it corrects nothing. */
struct plan_correction {
    struct {
        double log_factor;
        uint32_t n;
    } classes[PLAN_N_CLASSES], all;
};

/* predicted_s as plan_cost gave it, uncorrected. Values that are not positive are ignored. */
void plan_learn(struct plan_correction *c, unsigned class_number, double predicted_s, double measured_s);
/* In 1/PLAN_MAX_FACTOR..PLAN_MAX_FACTOR; a class that was not measured yet has that of all. */
double plan_factor(const struct plan_correction *c, unsigned class_number);

enum { PLAN_MAX_FACTOR = 64 };

#endif
