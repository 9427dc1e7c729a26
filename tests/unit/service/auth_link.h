/*
 * Links (link.h) whose service has users, sessions and an authenticator. `u` has the password
 * "correct horse", `t` only a token, "abc". Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_AUTH_LINK_H
#define KEYSTORE_TESTS_AUTH_LINK_H

#include "access/sessions.h"
#include "access/source.h"
#include "engine/embedded.h"
#include "service/authenticator.h"
#include "service/offload_link.h"
#include "store/store.h"
#include "support/folder.h"

#include <sys/stat.h>

/* The SHA-256 of "abc"; and a hash that takes almost no time. */
#define AUTH_TOKEN                                                                                 \
    "token = t ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad "                  \
    "created=2026-01-01T00:00:00Z\n"
#define AUTH_PASSWORD "correct horse"
#define AUTH_LIFETIME 60000

static struct folder auth_folder;

static inline void auth_write_users(const char *hash)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/users", auth_folder.path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "[user u]\nallow = read keys=app:*\npassword = %s\n[user t]\n" AUTH_TOKEN, hash);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

/* `hash` is that of u's password. */
static inline void auth_start(const char *hash)
{
    char path[PATH_MAX], why[USERS_FILE_WHY];
    folder_make(&auth_folder);
    auth_write_users(hash);
    snprintf(path, sizeof path, "%s/users", auth_folder.path);
    offload_link_start();
    link_access = access_source_new(path, why);
    assert_non_null(link_access);
    link_sessions = sessions_new();
    link_authenticator =
        authenticator_new(&(struct authenticator_options){.access = link_access,
                                                          .sessions = link_sessions,
                                                          .offload = link_offload,
                                                          .lifetime_ms = AUTH_LIFETIME});
    assert_non_null(link_authenticator);
}

static inline void auth_stop(void)
{
    authenticator_free(link_authenticator);
    sessions_free(link_sessions);
    access_source_free(link_access);
    link_authenticator = NULL;
    link_sessions = NULL;
    link_access = NULL;
    folder_remove(&auth_folder);
}

#endif
