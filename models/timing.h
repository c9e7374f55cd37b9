/* timing: nanoseconds of a clock, for what measures this engine itself. Internal to models. */
#ifndef FAKESIFT_MODELS_TIMING_H
#define FAKESIFT_MODELS_TIMING_H

#include <stdint.h>
#include <time.h>

static inline uint64_t timing_ns(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#endif
