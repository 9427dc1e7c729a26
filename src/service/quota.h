/*
 * Limits on calls: in flight of all callers together, in flight of each user, and per second of
 * each user. Those in flight are counted only where there is a limit, which then costs a few
 * instructions; without any, a call pays one branch (grpc_service.counts_calls).
 *
 * The threads share the counts, so that a limit holds whatever connections a user's calls come by.
 * What lasts is looked at once a second, and is counted when a limit appears while it is under way.
 */
#ifndef KEYSTORE_SERVICE_QUOTA_H
#define KEYSTORE_SERVICE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

struct access;
struct grpc_principal;
struct grpc_status;

enum quota_limit {
    QUOTA_CALLS,      /* in flight; not for administrators, who may have to intervene */
    QUOTA_USER_CALLS, /* of a user */
    QUOTA_USER_RATE,  /* the same, per second */
    QUOTA_LIMITS,
};

/* By enum quota_limit; 0: there is none. Those of users hold unless the users file gives others. */
struct quota_settings {
    uint32_t most[QUOTA_LIMITS];
};

/* The counts that all workers share. */
struct quota;
struct quota *quota_new(void);
/* No call is counted any longer. NULL is allowed. */
void quota_free(struct quota *quota);

/* Calls that were refused so far. Any thread. */
uint64_t quota_hits(const struct quota *quota, enum quota_limit limit);
/* The setting, such as "max-calls"; static memory. */
const char *quota_name(enum quota_limit limit);

/* Of one worker: what its calls are subject to. */
struct quota_share {
    struct quota *quota; /* NULL: there are no limits */
    struct quota_settings settings;
};

/* In what a call can be counted; bits. */
enum quota_holds { QUOTA_HOLDS_ALL = 1, QUOTA_HOLDS_USER = 2 };

/* True if there is any limit, for these users (NULL: there are none, or not yet). */
bool quota_has_limits(const struct quota_share *share, const struct access *access);

/*
 * A call that counts in `scope` begins, of the principal or NULL, at that monotonic time. True: it
 * may, and *holds is what it is counted in, for quota_leave(). Else it has to fail with *status,
 * whose message is valid until the next call of this, and is not counted.
 */
bool quota_enter(const struct quota_share *share, unsigned scope,
                 const struct grpc_principal *principal, int64_t now_ns, uint8_t *holds,
                 struct grpc_status *status);

/* Counts one that has begun in what it is not counted in yet. */
void quota_count(const struct quota_share *share, unsigned scope,
                 const struct grpc_principal *principal, uint8_t *holds);

/* It is over. */
void quota_leave(const struct quota_share *share, const struct grpc_principal *principal,
                 uint8_t holds);

/*
 * The principal, or NULL, carries out that many further calls within one that streams. 0: it may;
 * else it may after that many ms, and nothing is counted.
 */
int64_t quota_delay_ms(const struct quota_share *share, const struct grpc_principal *principal,
                       uint64_t count);

#endif
