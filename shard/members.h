/* members: what the further detectors of a run made of a video, beside the first one's result (struct result's members).
 *
 * In: a lane's result of a video or of a part. Out: one score, outcome and reason for each detector. The video's outcome is the
 * first detector's; a member has its own, and a video that no lane answered for (missing, crashed, timed out) has the same for
 * all of them. */
#ifndef FAKESIFT_SHARD_MEMBERS_H
#define FAKESIFT_SHARD_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "shard/result.h"
#include "shard/status.h"

/* Room for n members, undecided and without a score, of path "-". STATUS_NO_MEMORY. */
enum status members_make(struct result *r, size_t n);

/* At most RESULT_MAX_MEMBERS, each without members and of the same part of the video as r. */
bool members_valid(const struct result *r);

/* So that the record of r fits what a record may be (shard/wire.h): clips of members are dropped, the last first, and their
 * scores stay. Of a part, which is joined by its clips, nothing can be dropped: false. */
bool members_fit(struct result *r);

/* segment_copy_head's and segment_join's part: ret_r's members from the parts' members. *ret_r has none before; what it has
 * after a failure is its own to clear. STATUS_AGAIN: the video must be worked on whole. */
enum status members_copy_heads(const struct result *part, struct result *ret_r);
enum status members_join(const struct result *const *parts, size_t n_parts, struct result *ret_r, struct error *e);

#endif
