/* decoder: one video file -> RGB frames at wanted times, in presentation order.
 *
 * In: an open read-only descriptor (never a name: the lane has no filesystem). Out: frames, upright (rotation
 * applied), full size, with square pixels. One thread owns a decoder. Only this module and nodes/probe.c see
 * libav*. Time 0 is the first frame's time stamp. All frames have the first one's size: where the stream
 * changes it, later ones are scaled to it. */
#ifndef FAKESIFT_NODES_DECODER_H
#define FAKESIFT_NODES_DECODER_H

#include "nodes/image.h"
#include "nodes/window.h"
#include "shard/outcome.h"
#include "shard/result.h"
#include "shard/status.h"

struct decoder;

/* What the libraries do once in a process and need the file system for: call it before a sandbox is entered,
 * before a second thread exists; again is harmless. After it, decoding needs only pread, lseek, the memory
 * calls (brk, mmap, munmap, mprotect, madvise) and futex. A sandbox should let open fail rather than kill: a
 * transport stream whose programme name is in a rare character set makes libc look for a converter, and do
 * without. */
void decoder_prepare(void);

/* libavcodec's and libavformat's versions, "59.37.100/59.27.100": another one may decode to other pixels. */
const char *decoder_version(void);

struct decoder_settings {
    unsigned max_side_px;    /* larger frames are refused as unsupported, 64..16384; default (0) 8192 */
    unsigned whole_below_px; /* frames of fewer pixels are converted whole, by swscale, to its very bytes; default 0 */
    bool lazy_pixels;        /* images may have a source: pixels are made where they are needed; default no */
    struct window window;    /* default: the whole file */
};

struct decoder_frame {
    struct image image; /* valid until the next decoder call */
    int64_t pts_us;     /* from the first frame */
};

/* *ret_d is the caller's on success, untouched on failure. On failure *ret_outcome says what the video is
 * (no_video: no video stream or not a media file; decode_error: recognised but broken; unsupported: no
 * decoder for the codec, or too large) and e the decoder's words. ret_facts, which may be NULL, gets what is
 * known either way. fd stays the caller's. */
enum status decoder_open(int fd, const struct decoder_settings *settings, struct decoder **ret_d,
                         struct video_facts *ret_facts, enum outcome *ret_outcome, struct error *e);
void decoder_close(struct decoder **d); /* NULL-safe; sets *d = NULL */

const struct video_facts *decoder_facts(const struct decoder *d);
/* What the container says beyond them. */
void decoder_extras(const struct decoder *d, struct stream_extras *ret_x);

/* The first frame whose time is at or after wanted_us (less a microsecond for rounding). Times may go back: the last
 * frame, and those that decoder_keep asks for, are there at once, others are decoded anew. Seeks when a later key frame
 * makes that cheaper; the frame is the one that a full decode gives, with the same bytes. Frames with the same time stamp count as one,
 * the first. STATUS_END: no such frame; so ends every video, also for a time within the last frame's own
 * duration, which is part of facts' duration_us. STATUS_CORRUPT: the file was cut or damaged, and nothing
 * more can be decoded although its container promises it (the error has the decoder's words). */
enum status decoder_frame_at(struct decoder *d, int64_t wanted_us, struct decoder_frame *ret_frame, struct error *e);

/* Holds the last n_frames frames that were given out besides the newest, so that their wanted times can be asked for
 * again without decoding; fewer where they would take more than 192 MiB. For plans whose clips share frames, and for whoever
 * looks at a frame again. */
enum status decoder_keep(struct decoder *d, unsigned n_frames, struct error *e);

/* How many of n_frames it would hold. */
unsigned decoder_may_keep(const struct decoder *d, unsigned n_frames);

/* The times that will be asked for, in that order or not: with them, pictures between wanted ones that no other needs are
 * not decoded even where wanted ones are still on their way. wanted_us is copied. Any other time costs a seek. */
enum status decoder_expect(struct decoder *d, const int64_t *wanted_us, size_t n, struct error *e);

/* The times of the packets that the container calls key frames, ascending, from the first frame on: exact where they are
 * read (an mp4's up to 512 key frames; every packet of other containers), else as the index has them. Raw streams have no times: one, 0. *ret_us is the decoder's. */
enum status decoder_key_frames(struct decoder *d, const int64_t **ret_us, size_t *ret_n, struct error *e);

/* Packets or frames that the decoder refused or concealed so far, and its last words about them ("" when
 * none). */
unsigned decoder_error_count(const struct decoder *d);
const char *decoder_last_words(const struct decoder *d);
/* Packets that were given to the codec so far: the work done, and what a seek saves. */
uint64_t decoder_packet_count(const struct decoder *d);

#endif
