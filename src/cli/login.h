/*
 * Who the session is: a token that was given, or a user and a password, which is exchanged for a
 * token before the first command and again before that expires. The password is kept for that, and
 * wiped at the end.
 */
#ifndef KEYSTORE_CLI_LOGIN_H
#define KEYSTORE_CLI_LOGIN_H

#include "cli/options.h"
#include "cli/secret.h"

/* Bytes of a user's name, and of a token, with their terminating zeros. */
#define LOGIN_USER  ((size_t)65)
#define LOGIN_TOKEN ((size_t)4096)

struct login {
    char user[LOGIN_USER]; /* empty: there is only the token, if any */
    struct secret password;
    bool has_password;
    const char *password_file; /* borrowed; NULL: there is none */
    bool may_ask;              /* a wrong password is asked for again, the next time */
    int64_t renew_ms; /* monotonic: when the token is to be replaced; 0: there is none yet */
    char token[LOGIN_TOKEN];
};

/* Takes the token or the user of the options. */
void login_init(struct login *login, const struct options *options);
void login_deinit(struct login *login);

/* For keystore_options; NULL: none. */
const char *login_token(const struct login *login);

/* Replaces the former user; each false, with the error message in *why, if that is not possible. A
 * NULL password is asked for when it is needed. */
bool login_set_user(struct login *login, struct keystore_slice user,
                    const struct keystore_slice *password, const char **why);
bool login_set_token(struct login *login, struct keystore_slice token, const char **why);

/* Whether login_renew() has something to do, and whether it may help a call that has failed. */
bool login_is_due(const struct login *login);
bool login_can_renew(const struct login *login);

enum login_result {
    LOGIN_DONE,
    LOGIN_REFUSED,     /* by the server: keystore_last_error() */
    LOGIN_NO_PASSWORD, /* *why is the error message */
};

/* Authenticates, asking for the password if there is none, and gives the client the token. */
enum login_result login_renew(struct login *login, struct keystore_client *client,
                              const char **why);

#endif
