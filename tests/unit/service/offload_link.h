/*
 * Links (link.h) whose service has an offload with a thread of its own, and waiting for that
 * thread. Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_OFFLOAD_LINK_H
#define KEYSTORE_TESTS_OFFLOAD_LINK_H

#include "service/link.h"
#include "service/offload.h"

#include <semaphore.h>

static sem_t offload_link_done; /* jobs that can be taken back and were not waited for */

static inline void offload_link_wake(void *user)
{
    (void)user;
    sem_post(&offload_link_done);
}

/* The links that are made from now on have an offload. */
static inline void offload_link_start(void)
{
    sem_init(&offload_link_done, 0, 0);
    link_offload = offload_new(1, 1);
    offload_set_waker(link_offload, 0, (struct waker){.wake = offload_link_wake});
}

/* Returns when the next job has been done. */
static inline void offload_link_wait(void)
{
    sem_wait(&offload_link_done);
}

/* Frees the link, and the offload if there is one. */
static inline void offload_link_free(struct link *link)
{
    offload_stop(link_offload);
    link_free(link);
    offload_free(link_offload);
    link_offload = NULL;
}

#endif
