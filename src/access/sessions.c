/*
 * A hash table of chains under one lock, which is held for some hundred instructions. Those of a
 * user are in a list of their own, by the name, and all are in the order in which they began.
 * Whether a session's user and password are still what they were is judged when it is looked up: so
 * a reload of the users file need not know of sessions.
 */
#include "access/sessions.h"

#include "base/check.h"
#include "base/hex.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS ((size_t)4096)

/* A list in which the oldest comes first. */
struct session_list {
    struct session *first, *last;
};

struct session {
    uint8_t hash[TOKEN_HASH_BYTES];          /* of the token */
    uint8_t password_hash[TOKEN_HASH_BYTES]; /* as of struct access_user */
    int64_t expires_ms;
    size_t number; /* of the user in the file as it was */
    struct session *next_of_bucket;
    struct session *next, *previous;                 /* of all */
    struct session *next_of_name, *previous_of_name; /* of those whose names share a list */
    char user[ACCESS_MOST_NAME + 1];
};

struct sessions {
    pthread_mutex_t lock;
    size_t count;
    atomic_uint generation;
    struct session_list all;
    struct session_list names[BUCKETS];
    struct session *buckets[BUCKETS];
};

struct sessions *sessions_new(void)
{
    struct sessions *sessions = mem_alloc_zero(sizeof *sessions);
    pthread_mutex_init(&sessions->lock, NULL);
    return sessions;
}

/* The hashes are random, and those of made-up tokens find chains as short as others. */
static struct session **sessions_bucket(struct sessions *sessions,
                                        const uint8_t hash[TOKEN_HASH_BYTES])
{
    uint32_t number;
    memcpy(&number, hash, sizeof number);
    return &sessions->buckets[number % BUCKETS];
}

/* Names are those of the users file, which nobody chooses to make lists long. */
static struct session_list *sessions_of_name(struct sessions *sessions, const char *name)
{
    uint32_t hash = 2166136261u;
    for (; *name != '\0'; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return &sessions->names[hash % BUCKETS];
}

static void sessions_remove(struct sessions *sessions, struct session *session)
{
    struct session_list *list = sessions_of_name(sessions, session->user);
    struct session **link = sessions_bucket(sessions, session->hash);
    while (*link != session)
        link = &(*link)->next_of_bucket;
    *link = session->next_of_bucket;
    *(session->previous != NULL ? &session->previous->next : &sessions->all.first) = session->next;
    *(session->next != NULL ? &session->next->previous : &sessions->all.last) = session->previous;
    *(session->previous_of_name != NULL ? &session->previous_of_name->next_of_name : &list->first) =
        session->next_of_name;
    *(session->next_of_name != NULL ? &session->next_of_name->previous_of_name : &list->last) =
        session->previous_of_name;
    sessions->count--;
    free(session);
}

void sessions_free(struct sessions *sessions)
{
    if (sessions == NULL)
        return;
    while (sessions->all.first != NULL)
        sessions_remove(sessions, sessions->all.first);
    DCHECK(sessions->count == 0);
    pthread_mutex_destroy(&sessions->lock);
    free(sessions);
}

static void sessions_add(struct sessions *sessions, struct session *session)
{
    struct session **bucket = sessions_bucket(sessions, session->hash);
    struct session_list *all = &sessions->all;
    struct session_list *list = sessions_of_name(sessions, session->user);
    session->next_of_bucket = *bucket;
    *bucket = session;
    session->previous = all->last;
    *(all->last != NULL ? &all->last->next : &all->first) = session;
    all->last = session;
    session->previous_of_name = list->last;
    *(list->last != NULL ? &list->last->next_of_name : &list->first) = session;
    list->last = session;
    sessions->count++;
}

/* Removes one that may not have expired, so that callers who are known by it are asked again. */
static void sessions_end(struct sessions *sessions, struct session *session)
{
    sessions_remove(sessions, session);
    atomic_fetch_add_explicit(&sessions->generation, 1, memory_order_release);
}

/* Makes room for one more of the user. */
static void sessions_make_room(struct sessions *sessions, const char *name, int64_t now_ms)
{
    struct session *oldest = NULL, *next;
    size_t count = 0;
    /* Most last equally long, so what has expired is at the beginning. */
    while (sessions->all.first != NULL && sessions->all.first->expires_ms <= now_ms)
        sessions_remove(sessions, sessions->all.first);
    for (struct session *at = sessions_of_name(sessions, name)->first; at != NULL; at = next) {
        next = at->next_of_name;
        if (at->expires_ms <= now_ms) {
            sessions_remove(sessions, at);
        } else if (strcmp(at->user, name) == 0) {
            oldest = oldest != NULL ? oldest : at;
            count++;
        }
    }
    if (count >= SESSIONS_PER_USER)
        sessions_end(sessions, oldest);
    if (sessions->count >= SESSIONS_IN_ALL)
        sessions_end(sessions, sessions->all.first);
}

void sessions_begin(struct sessions *sessions, const struct access_user *user, int64_t now_ms,
                    int64_t expires_ms, char token[TOKEN_CHARS + 1])
{
    CHECK(user->password != NULL);
    struct session *session = mem_alloc_zero(sizeof *session);
    token_hash(slice_from_string(token_new(token)), session->hash);
    memcpy(session->password_hash, user->password_hash, TOKEN_HASH_BYTES);
    session->expires_ms = expires_ms;
    session->number = user->number;
    memcpy(session->user, user->rules.user,
           strlen(user->rules.user)); /* at most ACCESS_MOST_NAME */
    pthread_mutex_lock(&sessions->lock);
    sessions_make_room(sessions, session->user, now_ms);
    sessions_add(sessions, session);
    pthread_mutex_unlock(&sessions->lock);
}

/* The session's user now, most often where it was. */
static const struct access_user *sessions_user(const struct session *session,
                                               const struct access *access)
{
    size_t number = session->number;
    if (number < access->user_count && strcmp(access->users[number].rules.user, session->user) == 0)
        return &access->users[number];
    return access_find_user(access, slice_from_string(session->user));
}

/* Within the lock. */
static const struct access_user *sessions_judge(struct sessions *sessions,
                                                const struct access *access,
                                                const uint8_t hash[TOKEN_HASH_BYTES],
                                                int64_t now_ms, struct session_info *info)
{
    struct session *session = *sessions_bucket(sessions, hash);
    while (session != NULL && !token_hash_equal(session->hash, hash))
        session = session->next_of_bucket;
    if (session == NULL)
        return NULL;
    if (session->expires_ms <= now_ms) {
        sessions_remove(sessions, session);
        return NULL;
    }
    const struct access_user *user = sessions_user(session, access);
    if (user == NULL || user->password == NULL ||
        !token_hash_equal(user->password_hash, session->password_hash)) {
        sessions_end(sessions, session);
        return NULL;
    }
    hex_print(info->id, session->hash, SESSION_ID_CHARS / 2);
    info->expires_ms = session->expires_ms;
    return user;
}

const struct access_user *sessions_find(struct sessions *sessions, const struct access *access,
                                        const uint8_t hash[TOKEN_HASH_BYTES], int64_t now_ms,
                                        struct session_info *info)
{
    pthread_mutex_lock(&sessions->lock);
    const struct access_user *user = sessions_judge(sessions, access, hash, now_ms, info);
    pthread_mutex_unlock(&sessions->lock);
    return user;
}

unsigned sessions_generation(const struct sessions *sessions)
{
    return atomic_load_explicit(&sessions->generation, memory_order_acquire);
}

size_t sessions_count(struct sessions *sessions)
{
    pthread_mutex_lock(&sessions->lock);
    size_t count = sessions->count;
    pthread_mutex_unlock(&sessions->lock);
    return count;
}
