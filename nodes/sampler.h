/* sampler: which time stamps of a video are wanted. Pure arithmetic on the card's sampling, the video's length and its key
 * frames. */
#ifndef FAKESIFT_NODES_SAMPLER_H
#define FAKESIFT_NODES_SAMPLER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "models/card.h"
#include "shard/status.h"

enum { SAMPLE_MAX_CLIPS = 512 }; /* of mode all */

struct sample_video {
    int64_t duration_us;       /* > 0; up to the last frame */
    uint32_t fps_num, fps_den; /* mean frames a second; 0: 25 are assumed */
    const int64_t *key_us;     /* keyframe: times of its key frames, ascending; none: its first frame is the only one */
    size_t n_keys;
};

struct sample_plan {
    unsigned n_clips, n_frames; /* frames a clip */
    int64_t *wanted_us;         /* n_clips * n_frames, nondecreasing within a clip; owned */
    unsigned n_shared;          /* frames that a clip shares with the one before: whose times go back by as many */
};

/* uniform with stride 0: n = clips * frames times at (i + 0.5) * duration / n, dealt to the clips in order. With a
 * stride: clip c starts at (c + 0.5) * duration / clips - half of a clip's length, kept inside [0, duration]; its length is
 * frames * stride. Clips never overlap: a video shorter than clips * length gets fewer clips, at least one (spread by the
 * same formula); the times of a single clip that is longer than the video run past its end.
 * uniform with ends: frame floor(i * (F - 1) / (n - 1)) for each of the n times, F the video's frames at its mean rate; n of 1
 * is the first frame.
 * keyframe: of the key frames from which a clip fits before the video's end and which are a clip's length after the one
 * before them (the first always counts), number floor((c + 0.5) * n / clips) begins clip c; fewer key frames, fewer clips.
 * all: clip c starts at c * hop strides, hop = round(frames * (1 - overlap)), at least 1, the last where it still has a frame
 * that no other has; beyond SAMPLE_MAX_CLIPS the hop is widened until they suffice.
 * A stride in frames is that many mean frame times, and a clip then starts at a whole number of them. Its times lie half a
 * frame before where frames are expected, so that rounded time stamps do not matter, but for the key frame that begins a
 * clip. The times that clips of all share are the same to the microsecond.
 * STATUS_INVALID: a setting out of its range, or a duration that is not positive. */
enum status sample_plan_make(const struct card_sampling *sampling, const struct sample_video *video,
                             struct sample_plan *ret_plan);
void sample_plan_clear(struct sample_plan *p);

/* Whether the plan needs the video's key frames. */
bool sampling_wants_key_frames(const struct card_sampling *sampling);

#endif
