/*
 * A caller is found by its token, else by its connection, in the users that are in effect. An
 * identity remembers which those were: when they have been replaced, or its token has expired, it
 * is not current any longer, and calls that are under way get another one, or end.
 */
#include "service/admit.h"

#include "access/source.h"
#include "base/mem.h"
#include "service/blocked.h"
#include "service/identity.h"
#include "service/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

static const char no_credentials[] =
    "the call has no credentials, and this server has users (--users-file); send the metadata "
    "`authorization: Bearer TOKEN`";
static const char bad_scheme[] =
    "the metadata `authorization` is malformed; it is `Bearer`, a space and a token";
static const char unknown_token[] =
    "the token is unknown: it is wrong, was revoked, or is one of Authenticate that has ended; "
    "authenticate again, or ask an administrator for another one";
static const char expired_token[] = "the token has expired; ask an administrator for another one";
static const char unknown_peer[] = "the user of this call was removed from the users file";
static const char not_admin[] = "the user may not administrate this server; the users file gives "
                                "that by a line `allow = admin`";
static const char undecided[] = "nobody may call this method";

/* ---- identities ---- */

static void admit_free(struct grpc_principal *principal)
{
    struct identity *identity = (struct identity *)principal;
    access_release(identity->access);
    free(identity);
}

static struct identity *admit_new(const struct identity *found)
{
    struct identity *identity = mem_alloc(sizeof *identity);
    *identity = *found;
    identity->principal = (struct grpc_principal){.holders = 1, .free = admit_free};
    access_retain(identity->access);
    return identity;
}

/* The token in the field `authorization`; empty: it is malformed. */
static struct slice admit_read_token(struct slice authorization)
{
    static const char scheme[] = "Bearer ";
    size_t length = sizeof scheme - 1;
    if (authorization.len <= length ||
        strncasecmp((const char *)authorization.data, scheme, length) != 0)
        return (struct slice){0};
    struct slice token = slice_skip(authorization, length);
    while (token.len > 0 && token.data[0] == ' ')
        token = slice_skip(token, 1);
    return token;
}

/* Takes over newer users. */
static void admit_refresh(struct service *service)
{
    struct access_source *source = service->options.access;
    if (service->access != NULL && access_source_generation(source) == service->access_generation)
        return;
    access_release(service->access);
    service->access = access_source_take(source, &service->access_generation);
    service_settle_quota(service);
}

/* The same for one of a session. */
static enum err admit_find_session(struct sessions *sessions, int64_t now_ms,
                                   struct identity *found, const char **why)
{
    *why = unknown_token;
    if (sessions == NULL)
        return ERR_UNAUTHENTICATED;
    found->sessions_generation = sessions_generation(sessions);
    found->user = sessions_find(sessions, found->access, found->hash, now_ms, &found->session);
    found->means = IDENTITY_SESSION;
    found->expires_ms = found->session.expires_ms;
    return found->user != NULL ? ERR_NONE : ERR_UNAUTHENTICATED;
}

/* Fills in the user of the token whose hash is there; else why there is none. The time this takes
 * does not depend on which tokens there are. */
static enum err admit_find_token(const struct service *service, struct identity *found,
                                 const char **why)
{
    int64_t now_ms = service->host.now_ms;
    found->token = access_find_token(found->access, found->hash);
    if (found->token == NULL)
        return admit_find_session(service->options.sessions, now_ms, found, why);
    found->means = IDENTITY_TOKEN;
    found->user = &found->access->users[found->token->user];
    found->expires_ms = found->token->expires_ms;
    if (now_ms < found->expires_ms)
        return ERR_NONE;
    *why = expired_token;
    return ERR_UNAUTHENTICATED;
}

/* The same by the connection of the call. */
static enum err admit_find_peer(const struct service *service, const struct grpc_call *call,
                                struct identity *found, const char **why)
{
    const struct service_options *options = &service->options;
    const void *connection = grpc_call_connection_user(call);
    found->expires_ms = INT64_MAX;
    found->means = IDENTITY_CERTIFICATE;
    if (options->find_certified != NULL)
        found->user = options->find_certified(connection, found->access);
    if (found->user == NULL && options->find_uid != NULL &&
        options->find_uid(connection, &found->uid)) {
        found->means = IDENTITY_UNIX;
        found->user = access_user_by_uid(found->access, found->uid);
    }
    *why = no_credentials;
    return found->user != NULL ? ERR_NONE : ERR_UNAUTHENTICATED;
}

static enum err admit_find(const struct service *service, const struct grpc_call *call,
                           struct slice authorization, struct identity *found, const char **why)
{
    if (authorization.len == 0)
        return admit_find_peer(service, call, found, why);
    struct slice token = admit_read_token(authorization);
    if (token.len == 0) {
        *why = bad_scheme;
        return ERR_UNAUTHENTICATED;
    }
    token_hash(token, found->hash);
    return admit_find_token(service, found, why);
}

/* ---- methods ---- */

/* Whether the user may call the method at all. Those that need keys check them themselves. */
static enum err admit_judge_method(const struct access_rules *rules, const struct method *method,
                                   const char **why)
{
    switch (method->needs) {
    case METHOD_NEEDS_NOTHING:
    case METHOD_NEEDS_USER:
    case METHOD_NEEDS_KEYS:
        return ERR_NONE;
    case METHOD_NEEDS_ADMIN:
        if (access_is_admin(rules, NULL))
            return ERR_NONE;
        *why = not_admin;
        return ERR_FORBIDDEN;
    case METHOD_NEEDS_UNDECIDED:
        break;
    }
    *why = undecided;
    return ERR_FORBIDDEN;
}

/* Whether it is the same that was found before. */
static bool admit_is_same(const struct identity *newest, const struct identity *found)
{
    bool has_token = found->means == IDENTITY_TOKEN || found->means == IDENTITY_SESSION;
    return has_token && newest->means == found->means && newest->generation == found->generation &&
           newest->sessions_generation == found->sessions_generation &&
           memcmp(newest->hash, found->hash, TOKEN_HASH_BYTES) == 0;
}

/* An identity for what was found: the newest one if it is the same, as for a client whose calls
 * differ in their deadlines. */
static struct grpc_principal *admit_share(struct service *service, const struct identity *found)
{
    struct identity *newest = (struct identity *)service->newest;
    if (newest == NULL || !admit_is_same(newest, found)) {
        grpc_principal_release(service->newest);
        newest = admit_new(found);
        service->newest = &newest->principal;
    }
    return grpc_principal_retain(&newest->principal);
}

enum err admit_call(void *user, const struct grpc_call *call, const void *found_method,
                    struct slice authorization, struct grpc_principal **principal, const char **why)
{
    struct service *service = user;
    const struct method *method = found_method;
    *principal = NULL;
    if (method->needs == METHOD_NEEDS_NOTHING)
        return ERR_NONE;
    admit_refresh(service);
    struct identity found = {.access = service->access, .generation = service->access_generation};
    enum err err = admit_find(service, call, authorization, &found, why);
    if (err == ERR_NONE) {
        err = admit_judge_method(&found.user->rules, method, why);
        *principal = admit_share(service, &found); /* of a call that is denied, too */
    }
    return err;
}

bool admit_is_current(void *user, const struct grpc_principal *principal)
{
    const struct service *service = user;
    const struct identity *identity = (const struct identity *)principal;
    if (identity->means == IDENTITY_SESSION &&
        identity->sessions_generation != sessions_generation(service->options.sessions))
        return false;
    return identity->generation == access_source_generation(service->options.access) &&
           service->host.now_ms < identity->expires_ms;
}

/* ---- calls under way ---- */

/* The same caller among the users that are in effect now. */
static enum err admit_find_again(const struct service *service, const struct grpc_call *call,
                                 const struct identity *former, struct identity *found,
                                 const char **why)
{
    if (former->means == IDENTITY_TOKEN || former->means == IDENTITY_SESSION) {
        memcpy(found->hash, former->hash, TOKEN_HASH_BYTES);
        return admit_find_token(service, found, why);
    }
    enum err err = admit_find_peer(service, call, found, why);
    *why = unknown_peer;
    return err;
}

/* The call has another principal, who may do something else: true if it may go on. */
static bool admit_may_go_on(struct service *service, struct grpc_call *call,
                            const struct method *method)
{
    const char *why;
    const struct access_rules *rules = identity_rules(grpc_call_principal(call));
    if (admit_judge_method(rules, method, &why) != ERR_NONE)
        return false;
    if (method->stream == NULL)
        return blocked_may_go_on(grpc_call_user(call));
    return method->stream->may_go_on == NULL || method->stream->may_go_on(service, call);
}

enum err admit_review(void *user, struct grpc_call *call, const void *found_method,
                      const char **why)
{
    static _Thread_local char text[200];
    struct service *service = user;
    const struct identity *former = (struct identity *)grpc_call_principal(call);
    if (admit_is_current(service, &former->principal))
        return ERR_NONE;
    admit_refresh(service);
    struct identity found = {.access = service->access, .generation = service->access_generation};
    enum err err = admit_find_again(service, call, former, &found, why);
    if (err != ERR_NONE)
        return err;
    bool is_same = strcmp(former->user->rules.user, found.user->rules.user) == 0 &&
                   access_rules_equal(&former->user->rules, &found.user->rules, ACCESS_ANY_GRANT);
    grpc_call_set_principal(call, &admit_new(&found)->principal);
    if (is_same || admit_may_go_on(service, call, found_method))
        return ERR_NONE;
    snprintf(
        text, sizeof text,
        "the rules of the user %s have changed, so this call ends; if they still allow some of "
        "it, start it again",
        found.user->rules.user);
    *why = text;
    return ERR_FORBIDDEN;
}
