/* detector_names: the further detectors of a run by name. In: the run's identity, "b,c". Out: the names. */
#ifndef FAKESIFT_COORDINATOR_DETECTOR_NAMES_H
#define FAKESIFT_COORDINATOR_DETECTOR_NAMES_H

#include "shard/result.h"

enum { DETECTOR_NAME_BYTES = 64 };

struct detector_names {
    size_t n;
    char list[RESULT_MAX_MEMBERS][DETECTOR_NAME_BYTES];
};

/* NULL and "" are none. What is more or longer than it may be is cut off. */
void detector_names_split(const char *text, struct detector_names *ret_names);

#endif
