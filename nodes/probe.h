/* probe: a video's facts from its container, without decoding more than libav needs to know the stream. */
#ifndef FAKESIFT_NODES_PROBE_H
#define FAKESIFT_NODES_PROBE_H

#include "nodes/window.h"
#include "shard/outcome.h"
#include "shard/result.h"
#include "shard/status.h"

/* fd stays the caller's, its position unchanged. Outcomes and errors as decoder_open's (nodes/decoder.h), but
 * nothing is decoded: a video that opens may still prove to hold no usable frame. *ret_facts gets what is
 * known either way; duration_us is 0 where only reading the whole file would tell. *ret_outcome is set on
 * failure only. */
enum status probe_video(int fd, struct video_facts *ret_facts, enum outcome *ret_outcome, struct error *e);
/* The same for a video that lies in an archive. */
enum status probe_window(int fd, const struct window *window, struct video_facts *ret_facts, enum outcome *ret_outcome,
                         struct error *e);

#endif
