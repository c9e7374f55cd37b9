/* frame_reader: the scores of single frames that a run kept (fakesift run --save-frame-scores).
 *
 * In: RUN/frames, a feature store (feature_store.h) whose rows are a clip of a face: frames x 2 values, the seconds since the
 * clip's start_us and P(fake), NaN where there is none. Out: a video's frames by time. Read along index.csv, which has the
 * manifest's order, so that nothing is kept of ten million videos. One thread owns a reader. */
#ifndef FAKESIFT_COORDINATOR_FRAME_READER_H
#define FAKESIFT_COORDINATOR_FRAME_READER_H

#include <stddef.h>
#include <stdint.h>

#include "shard/status.h"

struct frame_score {
    int64_t time_us;
    double p_fake; /* of several faces in a frame, or clips that share it: the highest */
};

struct frame_reader;

/* *ret_r is NULL where the run kept none. */
enum status frame_reader_open(const char *run_folder, struct frame_reader **ret_r, struct error *e);
void frame_reader_close(struct frame_reader **r); /* NULL-safe; sets *r = NULL */
/* Of the video path, which comes behind that of the call before in byte order; ascending by time, none twice. *ret_frames is
 * valid until the next call; *ret_n 0: none were kept. STATUS_CORRUPT: the index or a shard is not what a run writes. */
enum status frame_reader_next(struct frame_reader *r, const char *path, const struct frame_score **ret_frames,
                              size_t *ret_n, struct error *e);

#endif
