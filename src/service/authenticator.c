/* A list of attempts under a lock, and the thread that takes them from it. */
#include "service/authenticator.h"

#include "access/passwords.h"
#include "access/sessions.h"
#include "access/source.h"
#include "access/throttle.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* When to try again after too many have waited: when they have been computed. */
#define CROWDED_RETRY_MS 500

struct authenticator {
    struct authenticator_options options;
    struct throttle *throttle;
    pthread_t thread;
    bool started;
    atomic_uint_fast64_t accepted, denied, throttled, crowded, dropped;
    pthread_mutex_t lock; /* of: */
    pthread_cond_t wake;  /* there is an attempt, or it is time to stop */
    struct attempt *first, **last;
    unsigned waiting;
    bool stopping;
};

static void authenticator_count(atomic_uint_fast64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void attempt_forget_password(struct attempt *attempt)
{
    if (attempt->password != NULL)
        explicit_bzero(attempt->password, attempt->password_size);
    free(attempt->password);
    attempt->password = NULL;
}

/* ---- verifying ---- */

/* The user, if it has a password, and in any case a hash to compute. For a name that nobody has it
 * is that of a user whom the name chooses, so that the time tells nothing even if users have hashes
 * with different parameters. */
static const char *authenticator_find_hash(const struct access *access, const char *name,
                                           const struct access_user **user)
{
    uint8_t digest[TOKEN_HASH_BYTES];
    uint64_t number, count = 0;
    const char *hash = password_decoy();
    token_hash(slice_from_string(name), digest);
    memcpy(&number, digest, sizeof number);
    *user = NULL;
    for (size_t i = 0; i < access->user_count; i++)
        count += access->users[i].password != NULL;
    number = count > 0 ? number % count : 0;
    for (size_t i = 0; i < access->user_count; i++) {
        const struct access_user *at = &access->users[i];
        if (at->password == NULL)
            continue;
        if (number-- == 0)
            hash = at->password;
        if (strcmp(at->rules.user, name) == 0)
            *user = at;
    }
    return *user != NULL ? (*user)->password : hash;
}

static void authenticator_begin_session(const struct authenticator *authenticator,
                                        const struct access_user *user, struct attempt *attempt)
{
    int64_t now_ms = clock_unix_ms(), lifetime_ms = authenticator->options.lifetime_ms;
    if (attempt->lifetime_ms > 0 && attempt->lifetime_ms < lifetime_ms)
        lifetime_ms = attempt->lifetime_ms;
    attempt->expires_ms = now_ms + lifetime_ms;
    sessions_begin(authenticator->options.sessions, user, now_ms, attempt->expires_ms,
                   attempt->token);
}

static enum attempt_result authenticator_judge(const struct authenticator *authenticator,
                                               struct attempt *attempt)
{
    const struct access_user *user;
    unsigned generation;
    struct access *access = access_source_take(authenticator->options.access, &generation);
    const char *hash = authenticator_find_hash(access, attempt->user, &user);
    enum password_verdict verdict =
        password_verify(hash, slice_make(attempt->password, attempt->password_size));
    bool is_right = verdict == PASSWORD_RIGHT && user != NULL;
    if (is_right)
        authenticator_begin_session(authenticator, user, attempt);
    access_release(access);
    if (verdict == PASSWORD_NO_MEMORY)
        return ATTEMPT_NO_MEMORY;
    return is_right ? ATTEMPT_ACCEPTED : ATTEMPT_DENIED;
}

static void authenticator_forgive(const struct authenticator *authenticator,
                                  const struct attempt *attempt)
{
    throttle_forgive(authenticator->throttle, attempt->address, clock_monotonic_ms());
}

/* Brings it back to its worker. */
static void authenticator_finish(struct authenticator *authenticator, struct attempt *attempt,
                                 enum attempt_result result)
{
    attempt->result = result;
    attempt_forget_password(attempt);
    if (result != ATTEMPT_DENIED)
        authenticator_forgive(authenticator, attempt);
    authenticator_count(result == ATTEMPT_ACCEPTED ? &authenticator->accepted
                        : result == ATTEMPT_DENIED ? &authenticator->denied
                                                   : &authenticator->dropped);
    offload_hand(authenticator->options.offload, &attempt->job);
}

/* ---- the list ---- */

static void authenticator_unlink(struct authenticator *authenticator, struct attempt **link)
{
    struct attempt *attempt = *link;
    *link = attempt->next;
    if (authenticator->last == &attempt->next)
        authenticator->last = link;
    attempt->is_waiting = false;
    authenticator->waiting--;
}

/* The next one; NULL: it is time to stop. */
static struct attempt *authenticator_next(struct authenticator *authenticator)
{
    struct attempt *attempt = NULL;
    pthread_mutex_lock(&authenticator->lock);
    while (!authenticator->stopping && authenticator->first == NULL)
        pthread_cond_wait(&authenticator->wake, &authenticator->lock);
    if (!authenticator->stopping) {
        attempt = authenticator->first;
        authenticator_unlink(authenticator, &authenticator->first);
    }
    pthread_mutex_unlock(&authenticator->lock);
    return attempt;
}

static void *authenticator_run(void *user)
{
    struct authenticator *authenticator = user;
    struct attempt *attempt;
    while ((attempt = authenticator_next(authenticator)) != NULL) {
        bool is_late = clock_monotonic_ms() >= attempt->deadline_ms;
        authenticator_finish(authenticator, attempt,
                             is_late ? ATTEMPT_LATE : authenticator_judge(authenticator, attempt));
    }
    return NULL;
}

struct authenticator *authenticator_new(const struct authenticator_options *options)
{
    struct authenticator *authenticator = mem_alloc_zero(sizeof *authenticator);
    authenticator->options = *options;
    authenticator->throttle = throttle_new();
    authenticator->last = &authenticator->first;
    pthread_mutex_init(&authenticator->lock, NULL);
    pthread_cond_init(&authenticator->wake, NULL);
    int error = pthread_create(&authenticator->thread, NULL, authenticator_run, authenticator);
    if (error != 0) {
        authenticator_free(authenticator);
        errno = error;
        return NULL;
    }
    authenticator->started = true;
    pthread_setname_np(authenticator->thread, "passwords");
    return authenticator;
}

void authenticator_stop(struct authenticator *authenticator)
{
    if (authenticator == NULL || !authenticator->started)
        return;
    pthread_mutex_lock(&authenticator->lock);
    authenticator->stopping = true;
    pthread_cond_signal(&authenticator->wake);
    pthread_mutex_unlock(&authenticator->lock);
    pthread_join(authenticator->thread, NULL);
    authenticator->started = false;
    while (authenticator->first != NULL) {
        struct attempt *attempt = authenticator->first;
        authenticator_unlink(authenticator, &authenticator->first);
        authenticator_finish(authenticator, attempt, ATTEMPT_STOPPED);
    }
}

void authenticator_free(struct authenticator *authenticator)
{
    if (authenticator == NULL)
        return;
    CHECK(!authenticator->started && authenticator->first == NULL);
    throttle_free(authenticator->throttle);
    pthread_mutex_destroy(&authenticator->lock);
    pthread_cond_destroy(&authenticator->wake);
    free(authenticator);
}

/* False: too many wait. */
static bool authenticator_push(struct authenticator *authenticator, struct attempt *attempt)
{
    pthread_mutex_lock(&authenticator->lock);
    bool has_room = authenticator->waiting < AUTHENTICATOR_MOST;
    if (has_room) {
        attempt->next = NULL;
        attempt->is_waiting = true;
        *authenticator->last = attempt;
        authenticator->last = &attempt->next;
        authenticator->waiting++;
        pthread_cond_signal(&authenticator->wake);
    }
    pthread_mutex_unlock(&authenticator->lock);
    return has_room;
}

enum attempt_refusal authenticator_add(struct authenticator *authenticator, struct attempt *attempt,
                                       int64_t *retry_ms)
{
    CHECK(attempt->password != NULL && attempt->job.finish != NULL);
    *retry_ms = throttle_enter(authenticator->throttle, attempt->address, clock_monotonic_ms());
    if (*retry_ms > 0) {
        authenticator_count(&authenticator->throttled);
        return ATTEMPT_THROTTLED;
    }
    if (authenticator_push(authenticator, attempt))
        return ATTEMPT_ADDED;
    authenticator_forgive(authenticator, attempt);
    authenticator_count(&authenticator->crowded);
    *retry_ms = CROWDED_RETRY_MS;
    return ATTEMPT_CROWDED;
}

bool authenticator_take_back(struct authenticator *authenticator, struct attempt *attempt)
{
    pthread_mutex_lock(&authenticator->lock);
    bool was_waiting = attempt->is_waiting;
    struct attempt **link = &authenticator->first;
    while (was_waiting && *link != attempt)
        link = &(*link)->next;
    if (was_waiting)
        authenticator_unlink(authenticator, link);
    pthread_mutex_unlock(&authenticator->lock);
    if (was_waiting) {
        authenticator_forgive(authenticator, attempt);
        authenticator_count(&authenticator->dropped);
    }
    return was_waiting;
}

/* ---- counters ---- */

struct authenticator_counts authenticator_counts(const struct authenticator *authenticator)
{
    if (authenticator == NULL)
        return (struct authenticator_counts){0};
    return (struct authenticator_counts){
        .accepted = atomic_load_explicit(&authenticator->accepted, memory_order_relaxed),
        .denied = atomic_load_explicit(&authenticator->denied, memory_order_relaxed),
        .throttled = atomic_load_explicit(&authenticator->throttled, memory_order_relaxed),
        .crowded = atomic_load_explicit(&authenticator->crowded, memory_order_relaxed),
        .dropped = atomic_load_explicit(&authenticator->dropped, memory_order_relaxed),
    };
}

size_t authenticator_sessions(const struct authenticator *authenticator)
{
    return authenticator != NULL ? sessions_count(authenticator->options.sessions) : 0;
}
