#include "shard/plan.h"

#include <math.h>
#include <string.h>

#include "shard/segment.h"

/* Nanoseconds of one core a pixel and a bit of the stream. */
static const struct codec_cost {
    const char *name;
    double pixel_ns, bit_ns;
} codecs[] = {
    {"h264", 1.0, 12},  {"hevc", 1.6, 16},       {"vp9", 1.4, 12},       {"av1", 1.6, 16},  {"vp8", 1.2, 14},
    {"mpeg4", 0.9, 10}, {"mpeg2video", 0.7, 8},  {"mpeg1video", 0.7, 8}, {"h263", 0.9, 10}, {"mjpeg", 2.0, 4},
    {"prores", 3.0, 3}, {"rawvideo", 0.3, 0.01}, {"", 1.5, 12}, /* others */
};

enum { N_CODECS = sizeof(codecs) / sizeof(codecs[0]), N_SIZES = 4, UNKNOWN_CLASS = N_CODECS * N_SIZES };

_Static_assert(UNKNOWN_CLASS + 1 == PLAN_N_CLASSES, "the classes are counted in the header");

static const double size_limits_px[N_SIZES - 1] = {0.35e6, 1.0e6, 2.5e6};

static const double OPEN_S = 0.004, CONVERT_NS_PX = 3.0;
/* Where a fact is unknown: a usual web video's. */
static const double DEFAULT_FPS = 25, DEFAULT_PIXELS = 1280 * 720, DEFAULT_BITS_PER_PIXEL = 0.08,
                    DEFAULT_KEY_FRAME_S = 5;

static unsigned codec_index(const char *name)
{
    for (unsigned i = 0; i + 1 < N_CODECS; i++) {
        if (strcmp(codecs[i].name, name) == 0)
            return i;
    }
    return N_CODECS - 1;
}

static bool is_known(const struct video_facts *facts)
{
    return facts && facts->width_px > 0 && facts->height_px > 0;
}

unsigned plan_class(const struct video_facts *facts)
{
    unsigned size = 0;

    if (!is_known(facts))
        return UNKNOWN_CLASS;
    while (size < N_SIZES - 1 && (double)facts->width_px * facts->height_px > size_limits_px[size])
        size++;
    return codec_index(facts->codec) * N_SIZES + size;
}

struct stream {
    double pixels, bits, fps, n_frames;
};

static struct stream stream_of(const struct video_facts *facts, uint64_t size_bytes)
{
    struct stream s = {.pixels = DEFAULT_PIXELS, .bits = 8.0 * (double)size_bytes, .fps = DEFAULT_FPS};

    if (is_known(facts))
        s.pixels = (double)facts->width_px * facts->height_px;
    if (facts && facts->fps_num > 0 && facts->fps_den > 0)
        s.fps = (double)facts->fps_num / facts->fps_den;
    if (facts && facts->duration_us > 0)
        s.n_frames = (double)facts->duration_us / 1e6 * s.fps;
    else if (facts && facts->n_frames > 0)
        s.n_frames = (double)facts->n_frames;
    else
        s.n_frames = s.bits / (s.pixels * DEFAULT_BITS_PER_PIXEL);
    if (s.n_frames < 1)
        s.n_frames = 1;
    return s;
}

/* Frames decoded for one wanted frame that comes gap frames after the last one. */
static double frames_for_gap(double gap, double key_frames)
{
    return gap < key_frames ? gap - gap * gap / (2 * key_frames) : key_frames / 2;
}

/* From a wanted frame to the next one of its clip; 0: spread over the video. */
static double stride_frames(const struct plan_work *work, const struct stream *s)
{
    if (work->stride_s > 0)
        return work->stride_s * s->fps;
    return work->stride_frames > 0 || work->sampling == PLAN_UNIFORM ? work->stride_frames : 1;
}

static double clips_of(const struct plan_work *work, const struct stream *s)
{
    enum { MOST = 512 }; /* nodes/sampler.h */
    double stride = stride_frames(work, s), hop, beyond;

    if (work->sampling != PLAN_ALL)
        return work->clips;
    hop = stride * fmax(1, nearbyint(work->frames * (1 - work->overlap)));
    beyond = s->n_frames - stride * work->frames;
    return beyond > 0 ? fmin(MOST, 1 + ceil(beyond / hop)) : 1;
}

static double frames_to_decode(const struct plan_work *work, const struct stream *s, double key_frame_s)
{
    double key_frames = fmax(1, (key_frame_s > 0 ? key_frame_s : DEFAULT_KEY_FRAME_S) * s->fps);
    double wanted = (double)work->clips * work->frames, within = stride_frames(work, s) * work->frames, clips, gap;

    if (work->sampling == PLAN_ALL)
        return s->n_frames;
    if (!(within > 0))
        return fmin(s->n_frames, fmax(wanted, 1) * frames_for_gap(s->n_frames / fmax(wanted, 1), key_frames));
    if (work->sampling == PLAN_KEYFRAME) {
        clips = fmax(1, fmin(work->clips, ceil(s->n_frames / fmax(within, key_frames))));
        return fmin(s->n_frames, clips * within);
    }
    clips = fmax(1, fmin(work->clips, floor(s->n_frames / fmax(within, 1))));
    gap = fmax(0, s->n_frames / clips - within);
    return fmin(s->n_frames, clips * (within + frames_for_gap(gap, key_frames)));
}

double plan_cost(const struct plan_work *work, const struct video_facts *facts, uint64_t size_bytes, double key_frame_s)
{
    const struct codec_cost *codec = &codecs[facts ? codec_index(facts->codec) : 0];
    struct stream s = stream_of(facts, size_bytes);
    double n_clips = clips_of(work, &s), wanted = n_clips * work->frames, decoded, decode_ns;

    if (!work->reads_video) /* about 8 bytes a number, 136 numbers a frame */
        return OPEN_S + (double)size_bytes * 50e-9 +
               (double)size_bytes / (1088.0 * fmax(work->frames, 1)) * work->clip_s;
    if (work->sampling != PLAN_ALL) /* whose clips share frames */
        wanted = fmin(wanted, s.n_frames);
    if (work->frames > 0)
        n_clips = fmin(n_clips, ceil(wanted / work->frames));
    decoded = frames_to_decode(work, &s, key_frame_s);
    decode_ns = decoded * s.pixels * codec->pixel_ns + decoded / s.n_frames * s.bits * codec->bit_ns;
    return OPEN_S + decode_ns * 1e-9 + wanted * (s.pixels * CONVERT_NS_PX * 1e-9 + work->face_s) +
           n_clips * work->clip_s;
}

unsigned plan_segments(const struct plan_work *work, double cost_s, double bound_s)
{
    double n;
    unsigned most = work->sampling != PLAN_ALL && work->clips < SEGMENT_MAX_COUNT ? work->clips : SEGMENT_MAX_COUNT;

    if (!(bound_s > 0) || !(cost_s > bound_s) || !work->reads_video || most < 2)
        return 1;
    n = ceil(cost_s / bound_s);
    return n < most ? (unsigned)n : most;
}

static double clamp(double x, double limit)
{
    return fmin(fmax(x, -limit), limit);
}

static void move(double *log_factor, uint32_t *n, double ratio_log)
{
    enum { MEMORY = 64 };

    /* A mean whose steps are bounded: one video that hung for ten minutes moves it no more than one that took twice as
     * long. */
    *n += *n < MEMORY;
    *log_factor = clamp(*log_factor + clamp(ratio_log - *log_factor, 1) / *n, log(PLAN_MAX_FACTOR));
}

void plan_learn(struct plan_correction *c, unsigned class_number, double predicted_s, double measured_s)
{
    double ratio_log;

    if (class_number >= PLAN_N_CLASSES || !(predicted_s > 0) || !(measured_s > 0) || !isfinite(predicted_s) ||
        !isfinite(measured_s))
        return;
    ratio_log = log(measured_s / predicted_s);
    move(&c->classes[class_number].log_factor, &c->classes[class_number].n, ratio_log);
    move(&c->all.log_factor, &c->all.n, ratio_log);
}

double plan_factor(const struct plan_correction *c, unsigned class_number)
{
    enum { TRUSTED = 4 };
    double own;

    if (class_number >= PLAN_N_CLASSES)
        return 1;
    own = (double)c->classes[class_number].n / (c->classes[class_number].n + TRUSTED);
    return exp(own * c->classes[class_number].log_factor + (1 - own) * c->all.log_factor);
}
