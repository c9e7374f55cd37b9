/* clock: the time that only goes forward, for deadlines and durations. Pure modules take the time as an argument. */
#ifndef FAKESIFT_SHARD_CLOCK_H
#define FAKESIFT_SHARD_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Microseconds since some moment in the past. */
static inline int64_t clock_monotonic_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

#endif
