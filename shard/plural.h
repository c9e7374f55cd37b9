/* plural: "1 video", "2 videos". */
#ifndef FAKESIFT_SHARD_PLURAL_H
#define FAKESIFT_SHARD_PLURAL_H

#include <stddef.h>

/* "s" but for 1: "%zu video%s" */
static inline const char *plural_s(size_t n)
{
    return n == 1 ? "" : "s";
}

#endif
