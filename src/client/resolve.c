/*
 * Runs getaddrinfo() in a detached thread and waits for it until the deadline. Thread and caller
 * share the lookup, and the last one to use it frees it. Does not know what is done with the
 * addresses.
 */
#include "client/resolve.h"

#include "client/status.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Enough for any module of the name service; the default of a process may be far more. */
#define STACK_SIZE ((size_t)1 << 20)

struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool done;      /* the thread has set the results below */
    bool abandoned; /* the caller no longer waits */
    int failure;    /* of getaddrinfo() */
    int cause;      /* errno of EAI_SYSTEM */
    struct addrinfo *list;
    char host[256];
    char port[6];
};

static atomic_int unfinished; /* threads */

static int resolve_look_up(const char *host, const char *port, int flags, struct addrinfo **list)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    *list = NULL;
    return getaddrinfo(host, port, &hints, list);
}

static struct lookup *resolve_lookup_new(const char *host, const char *port)
{
    pthread_condattr_t monotonic;
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (lookup == NULL)
        return NULL;
    pthread_mutex_init(&lookup->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&lookup->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    strncpy(lookup->host, host, sizeof lookup->host - 1);
    strncpy(lookup->port, port, sizeof lookup->port - 1);
    return lookup;
}

static void resolve_lookup_free(struct lookup *lookup)
{
    if (lookup->list != NULL)
        freeaddrinfo(lookup->list);
    pthread_cond_destroy(&lookup->changed);
    pthread_mutex_destroy(&lookup->lock);
    free(lookup);
}

static void *resolve_lookup_main(void *argument)
{
    struct lookup *lookup = argument;
    struct addrinfo *list;
    int failure = resolve_look_up(lookup->host, lookup->port, 0, &list), cause = errno;
    pthread_mutex_lock(&lookup->lock);
    lookup->cause = cause;
    lookup->failure = failure;
    lookup->list = list;
    lookup->done = true;
    bool abandoned = lookup->abandoned;
    pthread_cond_signal(&lookup->changed);
    pthread_mutex_unlock(&lookup->lock);
    if (abandoned)
        resolve_lookup_free(lookup);
    atomic_fetch_sub(&unfinished, 1);
    return NULL;
}

/* Starts the thread, with all signals blocked, since they are meant for the program; 0 or an errno
 * value. */
static int resolve_start_thread(struct lookup *lookup)
{
    pthread_attr_t attributes;
    sigset_t all, former;
    pthread_t thread;
    int failure = pthread_attr_init(&attributes);
    if (failure != 0)
        return failure;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &former);
    failure = pthread_create(&thread, &attributes, resolve_lookup_main, lookup);
    pthread_sigmask(SIG_SETMASK, &former, NULL);
    pthread_attr_destroy(&attributes);
    return failure;
}

/* Waits for the thread. True if it is done, and the caller must free the lookup; else the thread
 * will. */
static bool resolve_lookup_wait(struct lookup *lookup, int64_t deadline_ms)
{
    struct timespec until = {.tv_sec = (time_t)(deadline_ms / 1000),
                             .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
    int failure = 0;
    pthread_mutex_lock(&lookup->lock);
    while (!lookup->done && failure == 0) {
        if (deadline_ms == INT64_MAX)
            failure = pthread_cond_wait(&lookup->changed, &lookup->lock);
        else
            failure = pthread_cond_timedwait(&lookup->changed, &lookup->lock, &until);
    }
    bool done = lookup->done;
    lookup->abandoned = !done;
    pthread_mutex_unlock(&lookup->lock);
    return done;
}

static struct addrinfo *resolve_fail(const char *host, int failure, int cause,
                                     struct keystore_error *error)
{
    if (failure == EAI_MEMORY || (failure == EAI_SYSTEM && cause == ENOMEM))
        status_out_of_memory(error, "the host name was not resolved");
    else
        status_set(error, KEYSTORE_UNAVAILABLE, "cannot resolve the host '%s': %s", host,
                   failure == EAI_SYSTEM ? strerror(cause) : gai_strerror(failure));
    return NULL;
}

static struct addrinfo *resolve_in_thread(const char *host, const char *port, int64_t deadline_ms,
                                          struct keystore_error *error)
{
    struct lookup *lookup = resolve_lookup_new(host, port);
    if (lookup == NULL)
        return resolve_fail(host, EAI_MEMORY, 0, error);
    int cause = resolve_start_thread(lookup);
    if (cause != 0) {
        resolve_lookup_free(lookup);
        atomic_fetch_sub(&unfinished, 1);
        status_set(error, KEYSTORE_RESOURCE_EXHAUSTED,
                   "cannot resolve the host '%s': cannot start a thread: %s", host,
                   strerror(cause));
        return NULL;
    }
    if (!resolve_lookup_wait(lookup, deadline_ms)) {
        status_set(error, KEYSTORE_DEADLINE_EXCEEDED,
                   "cannot resolve the host '%s': the name service did not answer in time", host);
        return NULL;
    }
    int failure = lookup->failure;
    cause = lookup->cause;
    struct addrinfo *list = lookup->list;
    lookup->list = NULL;
    resolve_lookup_free(lookup);
    return failure == 0 ? list : resolve_fail(host, failure, cause, error);
}

struct addrinfo *resolve(const char *host, const char *port, int64_t deadline_ms,
                         struct keystore_error *error)
{
    struct addrinfo *list;
    int failure = resolve_look_up(host, port, AI_NUMERICHOST, &list);
    if (failure == 0)
        return list;
    if (failure != EAI_NONAME)
        return resolve_fail(host, failure, errno, error);
    if (atomic_fetch_add(&unfinished, 1) >= RESOLVE_LIMIT) {
        atomic_fetch_sub(&unfinished, 1);
        status_set(error, KEYSTORE_RESOURCE_EXHAUSTED,
                   "cannot resolve the host '%s': %d lookups of this process are unanswered", host,
                   RESOLVE_LIMIT);
        return NULL;
    }
    return resolve_in_thread(host, port, deadline_ms, error);
}

void resolve_after_fork(void)
{
    atomic_store(&unfinished, 0);
}
