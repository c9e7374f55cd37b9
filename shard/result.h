/* result: everything that is known of one video after its unit was worked on.
 *
 * Made by a lane (nodes/score.c) or, for a video that a lane cannot answer for, by the agent; packed by
 * shard/wire.h; kept in a journal; reduced to the report. Fields under "timings" describe one execution and
 * are never part of scores.csv or of report.json's results. */
#ifndef FAKESIFT_SHARD_RESULT_H
#define FAKESIFT_SHARD_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shard/outcome.h"
#include "shard/status.h"

enum {
    RESULT_MESSAGE_BYTES = 256,
    RESULT_MAX_CLIPS = 4096, /* clip scores in one result, over all tracks */
    RESULT_MAX_PRINTS = 8,
    RESULT_MAX_MEMBERS = 15, /* further detectors of a run */
    PRINT_HASH_WORDS = 4,
    PRINT_MAX_QUALITY = 100,
};

/* Facts of the chosen video stream, as the container and the decoder state them. 0 or "" where unknown. */
struct video_facts {
    char container[32];    /* libavformat's short name, "mov,mp4,m4a,3gp,3g2,mj2" cut at the first comma: "mov" */
    char codec[32];        /* libavcodec's name: "h264" */
    char pixel_format[32]; /* "yuv420p" */
    char encoder[64];      /* the container's or stream's encoder tag */
    uint32_t width_px, height_px; /* as shown: after rotation */
    int32_t rotation_deg;         /* clockwise, one of 0, 90, 180, 270, that was applied */
    uint32_t fps_num, fps_den;    /* average frame rate */
    int64_t duration_us;
    int64_t n_frames; /* as the container states it */
    int64_t bit_rate_bps;
    uint32_t n_video_streams, n_audio_streams;
};

/* Strings end inside their arrays, nothing is negative, rotation_deg is 0, 90, 180 or 270, a frame rate has
 * its denominator. */
bool video_facts_valid(const struct video_facts *f);

/* One clip of one track through the detector. */
struct clip_score {
    uint32_t track;           /* 0-based; a track keeps its number through the video */
    uint32_t clip;            /* 0-based position in the sampling plan */
    int64_t start_us, end_us; /* time stamps of the first and the last frame that was used */
    uint32_t n_frames;        /* frames of the track in the clip, held boxes included */
    double p_fake;            /* 0..1 */
    uint32_t source;          /* in a lane: how many clip scores were found before it; neither sent nor kept */
};

/* What the container says beyond video_facts; kept in journals, for audits alone. 0 or "" where unknown. */
struct stream_extras {
    char audio_codec[16]; /* of the first audio stream, libavcodec's name */
    uint32_t audio_rate_hz;
    int64_t audio_start_us;   /* its first time stamp less the video's; 0 without audio */
    uint32_t lead_silence_ms; /* of silence at the audio's begin, + 1, at most 10001; 0: not known */
    uint32_t
        quarter_turns; /* where no face is in any frame: faces are in one that is turned so often clockwise; 0: none */
    uint32_t base_fps_num, base_fps_den; /* the rate that all time stamps fit, libavformat's r_frame_rate */
};

/* What audits compare and measure of one decoded frame; nodes/fingerprint.h says how. */
struct picture_print {
    int64_t pts_us;
    uint64_t hash[PRINT_HASH_WORDS]; /* bit k of the 256 is bit k % 64 of word k / 64 */
    uint32_t quality;                /* 0..PRINT_MAX_QUALITY: how much there is to compare */
    uint32_t brightness;             /* mean luma, 0..255 */
    uint32_t black_percent;          /* of the picture, 0..100 */
    uint32_t sharpness;              /* variance of the Laplacian at 256 pixels along the longer side, at most 65535 */
    uint32_t change; /* mean difference to the print before in 1/256 of a level, + 1; 0: there is none before */
};

bool picture_prints_valid(const struct picture_print *prints, size_t n);

struct segment; /* shard/segment.h */

struct result {
    /* Identity: the manifest's entry. path is owned. */
    char *path; /* relative to the corpus root */
    uint64_t size_bytes;
    int64_t mtime_ns;
    uint64_t offset_bytes; /* of a video in an archive */
    char *content;         /* SHA-256 in hex as the manifest has it, owned; NULL where it has none */

    enum outcome outcome;
    double p_fake;                      /* 0..1; NaN unless outcome_has_score(outcome) */
    char message[RESULT_MESSAGE_BYTES]; /* why, in one line; "" when scored without remark */
    struct video_facts facts;
    uint32_t n_frames_wanted, n_frames_decoded, n_frames_with_face;
    uint32_t n_tracks;
    struct clip_score *clips; /* owned; ordered by (track, clip) */
    size_t n_clips;
    /* Owned; NULL: the result is of the whole video. Else of a part: its clips' tracks are numbered within their clip. */
    struct segment *segment;
    struct stream_extras extras;
    /* Of up to eight frames spread over the video, ascending by time; a part has those of the whole that fall into it. */
    struct picture_print prints[RESULT_MAX_PRINTS];
    uint32_t n_prints;

    /* What the run's further detectors made of the video, in the run's order; owned. Each has outcome, p_fake, message, counts,
     * clips and, of a part, its segment, and nothing else: no members either. None where no lane answered; then what happened
     * to the video happened to each of them (shard/members.h). */
    struct result *members;
    size_t n_members;

    /* Timings. */
    uint32_t attempt; /* 1-based */
    uint32_t rank;
    int64_t wall_us;
    int64_t decode_us, face_us, network_us; /* the lane's time in each stage */
};

/* Frees what r owns and zeroes it. NULL-safe content. */
void result_clear(struct result *r);
/* Replaces r->path with a copy. */
enum status result_set_path(struct result *r, const char *path);
/* Replaces r->content with a copy; NULL and "" are none. */
enum status result_set_content(struct result *r, const char *content);
void result_set_message(struct result *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
