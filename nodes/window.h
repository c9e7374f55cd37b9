/* window: which bytes of a descriptor are the video. In: a manifest's entry. Out: what every reader of a video keeps to. */
#ifndef FAKESIFT_NODES_WINDOW_H
#define FAKESIFT_NODES_WINDOW_H

#include <stdint.h>

/* All zero: the whole file. Else a video that lies in an archive: size_bytes from offset on, and nothing else of the file is
 * read. Both at most INT64_MAX, also together. */
struct window {
    uint64_t offset, size_bytes;
};

#endif
