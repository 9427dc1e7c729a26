/* A flag that threads wait for, with a timeout on the monotonic clock. */
#include "server/opening.h"

#include "base/check.h"

#include <errno.h>
#include <time.h>

void opening_init(struct opening *opening)
{
    pthread_condattr_t attributes;
    opening->is_open = false;
    pthread_mutex_init(&opening->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&opening->opened, &attributes);
    pthread_condattr_destroy(&attributes);
}

void opening_deinit(struct opening *opening)
{
    pthread_cond_destroy(&opening->opened);
    pthread_mutex_destroy(&opening->mutex);
}

void opening_open(struct opening *opening)
{
    pthread_mutex_lock(&opening->mutex);
    opening->is_open = true;
    pthread_cond_broadcast(&opening->opened);
    pthread_mutex_unlock(&opening->mutex);
}

bool opening_wait(struct opening *opening, int64_t most_ms)
{
    struct timespec until;
    int error = 0;
    CHECK(most_ms >= 0);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += most_ms / 1000;
    until.tv_nsec += (long)(most_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&opening->mutex);
    while (!opening->is_open && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&opening->opened, &opening->mutex, &until);
    bool is_open = opening->is_open;
    pthread_mutex_unlock(&opening->mutex);
    return is_open;
}
