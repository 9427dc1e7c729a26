/*
 * Verifies passwords on a thread of its own, one after the other, since each takes about 20 ms and
 * 19 MiB: that is too long for an event loop, and must not delay the long calls of offload.h.
 * An address that fails too often is refused without the work (access/throttle.h), and few
 * attempts wait, so that one which is accepted is answered within half a second.
 */
#ifndef KEYSTORE_SERVICE_AUTHENTICATOR_H
#define KEYSTORE_SERVICE_AUTHENTICATOR_H

#include "access/access.h"
#include "service/offload.h"

struct access_source;
struct authenticator;
struct sessions;

/* Attempts that wait, besides the one that is computed. */
#define AUTHENTICATOR_MOST 16

/* How an attempt ends. */
enum attempt_result {
    ATTEMPT_ACCEPTED,
    ATTEMPT_DENIED,    /* whatever was wrong */
    ATTEMPT_LATE,      /* its deadline passed while it waited */
    ATTEMPT_NO_MEMORY, /* there is none to compute it */
    ATTEMPT_STOPPED,   /* the server stops */
};

/* Owned by the worker, which must not touch it between authenticator_add() and finish(), unless it
 * takes it back. */
struct attempt {
    struct offload_job job; /* first; its finish() is called with it on the worker's thread */
    char user[ACCESS_MOST_NAME + 1];
    char *password; /* from malloc(), wiped and freed when it is not needed any longer */
    size_t password_size;
    uint8_t address[16];  /* of the peer, as throttle.h has it */
    int64_t deadline_ms;  /* monotonic */
    int64_t lifetime_ms;  /* of the session; 0: the longest */
    bool is_waiting;      /* of the authenticator */
    struct attempt *next; /* the same */
    enum attempt_result result;
    char token[TOKEN_CHARS + 1]; /* with ATTEMPT_ACCEPTED, and: */
    int64_t expires_ms;          /* Unix time */
};

/* All borrowed; `offload` brings attempts back to their workers. */
struct authenticator_options {
    struct access_source *access;
    struct sessions *sessions;
    struct offload *offload;
    int64_t lifetime_ms; /* the longest of a session */
};

/* Starts the thread. NULL, with errno, if the system gives none. */
struct authenticator *authenticator_new(const struct authenticator_options *options);

/* Ends the thread; attempts that wait are finished with ATTEMPT_STOPPED, as are those that come. To
 * be called before offload_stop(). NULL is allowed. */
void authenticator_stop(struct authenticator *authenticator);

/* It must have been stopped. NULL is allowed. */
void authenticator_free(struct authenticator *authenticator);

enum attempt_refusal {
    ATTEMPT_ADDED, /* it is finished later */
    ATTEMPT_THROTTLED,
    ATTEMPT_CROWDED, /* too many wait */
};

/* Adds an attempt, with job.worker and job.finish. If it is refused, *retry_ms is how long to
 * wait. */
enum attempt_refusal authenticator_add(struct authenticator *authenticator, struct attempt *attempt,
                                       int64_t *retry_ms);

/* Takes an attempt back that waits: it is not computed, finished nor counted. False: finish() will
 * be called, or has been. */
bool authenticator_take_back(struct authenticator *authenticator, struct attempt *attempt);

/* Wipes and frees the password of an attempt; of one that was refused or taken back, too. */
void attempt_forget_password(struct attempt *attempt);

/* How attempts ended so far; any thread may ask. NULL, which has none, is allowed, here and
 * below. */
struct authenticator_counts {
    uint64_t accepted, denied, throttled;
    uint64_t crowded; /* refused because too many waited */
    uint64_t dropped; /* not computed: cancelled, late, or without memory */
};
struct authenticator_counts authenticator_counts(const struct authenticator *authenticator);

/* Sessions now, some of which may have expired. */
size_t authenticator_sessions(const struct authenticator *authenticator);

#endif
