/*
 * Sessions: tokens that a password was exchanged for. They are valid for some minutes, and only the
 * memory of the server knows them, so a restart ends them. A session also ends when its user, or
 * the password, is not in the users file any longer; and when the user has begun so many others
 * since that it is the oldest one. Any thread may use them.
 */
#ifndef KEYSTORE_ACCESS_SESSIONS_H
#define KEYSTORE_ACCESS_SESSIONS_H

#include "access/access.h"

/* The most sessions of a user, so that a program that authenticates for each call does not fill the
 * memory; and of all. Beyond these the oldest one ends. */
#define SESSIONS_PER_USER 32
#define SESSIONS_IN_ALL   ((size_t)16384)

/* Characters of the id, which names a session without giving it away. */
#define SESSION_ID_CHARS 16

struct sessions;

struct sessions *sessions_new(void);
/* NULL is allowed. */
void sessions_free(struct sessions *sessions);

/* What sessions_find() says. */
struct session_info {
    char id[SESSION_ID_CHARS + 1];
    int64_t expires_ms;
};

/* Begins a session of the user, who has a password, and writes its token. Times are Unix times. */
void sessions_begin(struct sessions *sessions, const struct access_user *user, int64_t now_ms,
                    int64_t expires_ms, char token[TOKEN_CHARS + 1]);

/* The user of the session with that hash of its token, if the users are those in effect; NULL:
 * there is none, or it has expired. */
const struct access_user *sessions_find(struct sessions *sessions, const struct access *access,
                                        const uint8_t hash[TOKEN_HASH_BYTES], int64_t now_ms,
                                        struct session_info *info);

/* Changes whenever a session ends that had not expired. */
unsigned sessions_generation(const struct sessions *sessions);

/* Those that have not been removed; some may have expired. */
size_t sessions_count(struct sessions *sessions);

#endif
