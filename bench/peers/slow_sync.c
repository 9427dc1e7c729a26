/*
 * A slower disk: with LD_PRELOAD, each fdatasync() and fsync() of a program takes at least as many
 * microseconds as the environment's SLOW_SYNC_US says. The thread sleeps for the rest of the time,
 * as it does while a disk is busy. The sync itself is unchanged.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int sync_slowly(const char *name, int file)
{
    int (*real)(int) = (int (*)(int))(intptr_t)dlsym(RTLD_NEXT, name);
    const char *least_us = getenv("SLOW_SYNC_US");
    int64_t until_ns = now_ns() + (least_us != NULL ? atoll(least_us) * 1000 : 0);
    int result = real(file), error = errno;
    struct timespec until = {.tv_sec = until_ns / NS_PER_S, .tv_nsec = until_ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        continue;
    errno = error;
    return result;
}

int fdatasync(int file)
{
    return sync_slowly("fdatasync", file);
}

int fsync(int file)
{
    return sync_slowly("fsync", file);
}
