/* The monotonic clock in nanoseconds, inline because it is read several times per batch. */
#ifndef KEYSTORE_BENCH_NOW_H
#define KEYSTORE_BENCH_NOW_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

static inline uint64_t now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
}

#endif
