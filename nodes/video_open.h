/* video_open: from a name in the corpus to a descriptor that a lane may have. In: the corpus' folder, a lease. Out: a regular
 * file, the same as when the corpus was listed; or why not. */
#ifndef FAKESIFT_NODES_VIDEO_OPEN_H
#define FAKESIFT_NODES_VIDEO_OPEN_H

#include <stdbool.h>
#include <sys/stat.h>

#include "nodes/lane_pool.h"
#include "shard/wire.h"

/* What an open that failed says: of the file, of this machine, or nothing certain. */
enum open_fault { OPEN_FAULT_FILE, OPEN_FAULT_MACHINE, OPEN_FAULT_UNCERTAIN };

/* Opens path, or the archive that holds it: as many bytes of path as archive_bytes says, all of it where that is 0.
 * -1: errno says why. */
int video_open_file(int root_fd, const char *path, size_t archive_bytes);
/* Which bytes of that file are the video. */
struct window video_window(size_t archive_bytes, uint64_t offset, uint64_t size_bytes);

/* -1: cannot, as *ret_event (outcome and message) and *ret_fault say. A name cannot leave the corpus: manifests have no
 * "..". The descriptor is the caller's. */
int video_open(int root_fd, const struct message *lease, enum open_fault *ret_fault, struct lane_pool_event *ret_event);

/* Whether what was opened is a regular file of a real file system: nothing of /proc is a video. *ret_st: what fstat says
 * of it. */
bool video_is_plain_file(int fd, struct stat *ret_st);

#endif
