/* The password comes from --password-file, from the environment, or from the terminal. */
#include "cli/login.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void login_init(struct login *login, const struct options *options)
{
    memset(login, 0, sizeof *login);
    if (options->user != NULL) {
        snprintf(login->user, sizeof login->user, "%s", options->user); /* options_parse() */
        login->password_file = options->password_file;
        login->may_ask = options->password_file == NULL && getenv("KEYSTORE_PASSWORD") == NULL;
    } else if (options->token != NULL) {
        snprintf(login->token, sizeof login->token, "%s", options->token);
    }
}

void login_deinit(struct login *login)
{
    explicit_bzero(login, sizeof *login);
}

const char *login_token(const struct login *login)
{
    return login->token[0] != '\0' ? login->token : NULL;
}

/* ---- who it is ---- */

/* Copies a text without zero bytes; false if it has some, or is too long or empty. */
static bool login_copy(char *to, size_t size, struct keystore_slice from)
{
    if (from.len == 0 || from.len >= size || memchr(from.data, '\0', from.len) != NULL)
        return false;
    memcpy(to, from.data, from.len);
    to[from.len] = '\0';
    return true;
}

bool login_set_user(struct login *login, struct keystore_slice user,
                    const struct keystore_slice *password, const char **why)
{
    struct login next = {.may_ask = password == NULL, .has_password = password != NULL};
    *why = "the name of a user has 1 to 64 bytes";
    bool is_good = login_copy(next.user, sizeof next.user, user);
    if (is_good && password != NULL) {
        *why = "a password has 1 to 1,024 bytes";
        is_good = login_copy(next.password.text, SECRET_SIZE, *password);
    }
    if (is_good)
        *login = next;
    login_deinit(&next);
    return is_good;
}

bool login_set_token(struct login *login, struct keystore_slice token, const char **why)
{
    struct login next = {0};
    *why = "a token has 1 to 4,095 bytes";
    bool is_good = login_copy(next.token, sizeof next.token, token);
    if (is_good)
        *login = next;
    login_deinit(&next);
    return is_good;
}

/* ---- the password ---- */

static bool login_find_password(struct login *login, const char **why)
{
    const char *environment = getenv("KEYSTORE_PASSWORD");
    char prompt[LOGIN_USER + 32];
    if (login->has_password)
        return true;
    if (login->may_ask) {
        snprintf(prompt, sizeof prompt, "Password of %s: ", login->user);
        login->has_password = secret_ask(prompt, &login->password, why);
    } else if (login->password_file != NULL) {
        login->has_password = secret_read_file(login->password_file, &login->password, why);
    } else if (environment != NULL) {
        *why = "KEYSTORE_PASSWORD is empty or longer than 1,024 bytes";
        login->has_password =
            login_copy(login->password.text, SECRET_SIZE, keystore_text(environment));
    }
    return login->has_password;
}

/* ---- authenticating ---- */

bool login_can_renew(const struct login *login)
{
    return login->user[0] != '\0';
}

bool login_is_due(const struct login *login)
{
    return login_can_renew(login) &&
           (login->renew_ms == 0 || clock_monotonic_ms() >= login->renew_ms);
}

enum login_result login_renew(struct login *login, struct keystore_client *client, const char **why)
{
    if (!login_find_password(login, why))
        return LOGIN_NO_PASSWORD;
    struct keystore_authenticate_request request = {.user = login->user,
                                                    .password = login->password.text};
    struct keystore_authenticate_reply reply;
    enum keystore_code code = keystore_authenticate(client, &request, &reply);
    if (code != KEYSTORE_OK) {
        login->renew_ms = 0;
        /* It is wrong, so it is asked for again. */
        if (code == KEYSTORE_UNAUTHENTICATED && login->may_ask) {
            secret_wipe(&login->password);
            login->has_password = false;
        }
        return LOGIN_REFUSED;
    }
    /* Long before it expires, since the clocks may differ; if they differ more, a call fails, which
     * is repeated. */
    int64_t lifetime_ms = reply.expires_at_ms - clock_unix_ms();
    login->renew_ms = clock_monotonic_ms() + (lifetime_ms > 0 ? lifetime_ms - lifetime_ms / 4 : 0);
    snprintf(login->token, sizeof login->token, "%s", reply.token);
    *why = "there is no memory for the token";
    return keystore_set_token(client, login->token) ? LOGIN_DONE : LOGIN_NO_PASSWORD;
}
