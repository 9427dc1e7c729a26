/* How other threads have a worker's loop look for what they have done for it. */
#ifndef KEYSTORE_BASE_WAKER_H
#define KEYSTORE_BASE_WAKER_H

struct waker {
    void (*wake)(void *user); /* from any thread; the worker acts on it soon, not within the call */
    void *user;
};

static inline void waker_wake(struct waker waker)
{
    waker.wake(waker.user);
}

#endif
