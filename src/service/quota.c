/* Knows users and their limits, but no methods: the caller says what a call counts in. */
#include "service/quota.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "base/mem.h"
#include "service/identity.h"
#include "service/status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct quota {
    atomic_uint_fast32_t calls; /* in flight, of those that are counted */
    atomic_uint_fast64_t hits[QUOTA_LIMITS];
    struct log_limit lines[QUOTA_LIMITS];
};

struct quota *quota_new(void)
{
    return mem_alloc_zero(sizeof(struct quota));
}

void quota_free(struct quota *quota)
{
    CHECK(quota == NULL || atomic_load(&quota->calls) == 0);
    free(quota);
}

uint64_t quota_hits(const struct quota *quota, enum quota_limit limit)
{
    return atomic_load_explicit(&quota->hits[limit], memory_order_relaxed);
}

const char *quota_name(enum quota_limit limit)
{
    static const char *const names[] = {[QUOTA_CALLS] = "max-calls",
                                        [QUOTA_USER_CALLS] = "max-calls-per-user",
                                        [QUOTA_USER_RATE] = "calls-per-second-per-user"};
    return names[limit];
}

/* ---- which limits there are ---- */

static const struct access_user *quota_user(const struct grpc_principal *principal)
{
    return principal != NULL ? ((const struct identity *)principal)->user : NULL;
}

static uint32_t quota_user_calls(const struct quota_share *share, const struct access_user *user)
{
    return user->limits.has_calls ? user->limits.calls : share->settings.most[QUOTA_USER_CALLS];
}

static uint32_t quota_user_rate(const struct quota_share *share, const struct access_user *user)
{
    return user->limits.has_rate ? user->limits.rate : share->settings.most[QUOTA_USER_RATE];
}

bool quota_has_limits(const struct quota_share *share, const struct access *access)
{
    bool has_limits = access != NULL && access->has_limits;
    for (enum quota_limit limit = 0; limit < QUOTA_LIMITS; limit++)
        has_limits |= share->settings.most[limit] != 0;
    return share->quota != NULL && has_limits;
}

/* ---- refusals ---- */

static void quota_log(struct quota *quota, enum quota_limit limit, const char *why)
{
    uint64_t count;
    if (log_limit_note(&quota->lines[limit], 1, clock_monotonic_ms(), 1, &count))
        log_warning("%" PRIu64 " calls were refused because of --%s or a limit in the users file; "
                    "the latest: %s",
                    count, quota_name(limit), why);
}

/* Refuses a call; it may be made again after that time, or if it is 0 after one that is usual. */
static void quota_refuse(struct quota *quota, enum quota_limit limit, int64_t retry_ms,
                         const char *why, struct grpc_status *status)
{
    atomic_fetch_add_explicit(&quota->hits[limit], 1, memory_order_relaxed);
    quota_log(quota, limit, why);
    *status = status_of(ERR_TOO_MANY_CALLS, why);
    status->subject = slice_from_string(quota_name(limit));
    if (retry_ms > 0)
        status->retry_ms = retry_ms;
}

/* Who the limit of a user is given by. */
static const char *quota_source(bool is_own, enum quota_limit limit)
{
    if (is_own)
        return "`limit` in the users file";
    return limit == QUOTA_USER_CALLS ? "--max-calls-per-user" : "--calls-per-second-per-user";
}

/* ---- calls ---- */

static int64_t quota_take(const struct quota_share *share, const struct access_user *user,
                          uint64_t count, int64_t now_ns)
{
    uint32_t rate = quota_user_rate(share, user);
    if (rate == 0)
        return 0;
    int64_t wait_ns = access_take_calls(user->usage, rate, user->limits.burst, count, now_ns);
    return (wait_ns + 999999) / 1000000;
}

static bool quota_enter_user(const struct quota_share *share, const struct access_user *user,
                             int64_t now_ns, uint8_t *holds, struct grpc_status *status)
{
    static _Thread_local char why[240];
    const char *name = user->rules.user;
    uint32_t most = quota_user_calls(share, user);
    if (most != 0 && !access_count_call(&user->usage->calls, most)) {
        snprintf(why, sizeof why,
                 "the user %s has %" PRIu32 " calls in flight, as many as it may (%s); wait until "
                 "some have ended",
                 name, most, quota_source(user->limits.has_calls, QUOTA_USER_CALLS));
        quota_refuse(share->quota, QUOTA_USER_CALLS, 0, why, status);
        return false;
    }
    *holds |= most != 0 ? QUOTA_HOLDS_USER : 0;
    int64_t wait_ms = quota_take(share, user, 1, now_ns);
    if (wait_ms == 0)
        return true;
    snprintf(why, sizeof why,
             "the user %s makes more than %" PRIu32 " calls per second (%s); the next one may come "
             "in %" PRId64 " ms",
             name, quota_user_rate(share, user),
             quota_source(user->limits.has_rate, QUOTA_USER_RATE), wait_ms);
    quota_refuse(share->quota, QUOTA_USER_RATE, wait_ms, why, status);
    return false;
}

bool quota_enter(const struct quota_share *share, unsigned scope,
                 const struct grpc_principal *principal, int64_t now_ns, uint8_t *holds,
                 struct grpc_status *status)
{
    const struct access_user *user = (scope & QUOTA_HOLDS_USER) != 0 ? quota_user(principal) : NULL;
    uint32_t most = (scope & QUOTA_HOLDS_ALL) != 0 ? share->settings.most[QUOTA_CALLS] : 0;
    if (most != 0 && !access_count_call(&share->quota->calls, most)) {
        static const char why[] = "the server has as many calls in flight as it takes "
                                  "(--max-calls); try again later";
        quota_refuse(share->quota, QUOTA_CALLS, 0, why, status);
        return false;
    }
    *holds = most != 0 ? QUOTA_HOLDS_ALL : 0;
    if (user == NULL || quota_enter_user(share, user, now_ns, holds, status))
        return true;
    quota_leave(share, principal, *holds);
    *holds = 0;
    return false;
}

void quota_count(const struct quota_share *share, unsigned scope,
                 const struct grpc_principal *principal, uint8_t *holds)
{
    const struct access_user *user = quota_user(principal);
    unsigned missing = scope & ~(unsigned)*holds;
    if ((missing & QUOTA_HOLDS_ALL) != 0 && share->settings.most[QUOTA_CALLS] != 0) {
        atomic_fetch_add_explicit(&share->quota->calls, 1, memory_order_relaxed);
        *holds |= QUOTA_HOLDS_ALL;
    }
    if ((missing & QUOTA_HOLDS_USER) != 0 && user != NULL && quota_user_calls(share, user) != 0) {
        atomic_fetch_add_explicit(&user->usage->calls, 1, memory_order_relaxed);
        *holds |= QUOTA_HOLDS_USER;
    }
}

static void quota_give_back(atomic_uint_fast32_t *calls)
{
    uint_fast32_t before = atomic_fetch_sub_explicit(calls, 1, memory_order_relaxed);
    CHECK(before > 0);
}

void quota_leave(const struct quota_share *share, const struct grpc_principal *principal,
                 uint8_t holds)
{
    if ((holds & QUOTA_HOLDS_ALL) != 0)
        quota_give_back(&share->quota->calls);
    if ((holds & QUOTA_HOLDS_USER) != 0)
        quota_give_back(&quota_user(principal)->usage->calls);
}

int64_t quota_delay_ms(const struct quota_share *share, const struct grpc_principal *principal,
                       uint64_t count)
{
    const struct access_user *user = quota_user(principal);
    if (user == NULL || quota_user_rate(share, user) == 0)
        return 0;
    return quota_take(share, user, count, clock_monotonic_ns());
}
