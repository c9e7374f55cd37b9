/* landmarks: a text file of face landmarks, one frame a line, each 2 * points numbers (x y x y ...) between blanks.
 * In: an open descriptor. Out: rows of float32. Files larger than LANDMARKS_MAX_BYTES are refused. */
#ifndef FAKESIFT_NODES_LANDMARKS_H
#define FAKESIFT_NODES_LANDMARKS_H

#include <stddef.h>

#include "nodes/window.h"
#include "shard/status.h"

enum { LANDMARKS_MAX_BYTES = 64 << 20 };

/* *ret_rows (n_rows * 2 * points values) is the caller's to free. STATUS_CORRUPT names the line and what is wrong with
 * it; STATUS_UNSUPPORTED: the file is too large. An empty file has 0 rows. */
enum status landmarks_read(int fd, const struct window *window, unsigned points, float **ret_rows, size_t *ret_n_rows,
                           struct error *e);

#endif
