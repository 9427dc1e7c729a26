/*
 * Who makes a call, and what that user may do. A server without a users file has no identities:
 * then all principals are NULL, and everything is allowed. With one, only calls of methods that
 * need nothing (route.h) are without an identity.
 */
#ifndef KEYSTORE_SERVICE_IDENTITY_H
#define KEYSTORE_SERVICE_IDENTITY_H

#include "access/sessions.h"
#include "base/err.h"
#include "grpc/principal.h"

struct arena;

/* By what a caller is known. */
enum identity_means { IDENTITY_TOKEN, IDENTITY_SESSION, IDENTITY_CERTIFICATE, IDENTITY_UNIX };

struct identity {
    struct grpc_principal principal; /* first: it is found by it */
    struct access *access;           /* with a holder; has: */
    const struct access_user *user;
    const struct access_token *token; /* NULL: another means */
    enum identity_means means;
    unsigned generation;            /* of the access */
    unsigned uid;                   /* with IDENTITY_UNIX */
    int64_t expires_ms;             /* Unix time; INT64_MAX: never */
    uint8_t hash[TOKEN_HASH_BYTES]; /* of the token, in the users file or of a session */
    struct session_info session;    /* with IDENTITY_SESSION */
    unsigned sessions_generation;   /* the same */
};

/* What the principal may do; NULL: anything. */
static inline const struct access_rules *identity_rules(const struct grpc_principal *principal)
{
    return principal != NULL ? &((const struct identity *)principal)->user->rules : NULL;
}

/* The same with an error message in the arena for what is not allowed; `what` is the method. */
enum err identity_refuse(const struct access_rules *rules, const struct access_need *missing,
                         const char *what, struct arena *arena, const char **why);
enum err identity_judge(const struct access_rules *rules, const struct op *op, struct arena *arena,
                        const char **why);
enum err identity_judge_need(const struct access_rules *rules, const struct access_need *need,
                             const char *what, struct arena *arena, const char **why);

/* ERR_NONE if the principal may carry out the operation, else ERR_FORBIDDEN with its message. */
static inline enum err identity_permit(const struct grpc_principal *principal, const struct op *op,
                                       struct arena *arena, const char **why)
{
    return principal == NULL ? ERR_NONE : identity_judge(identity_rules(principal), op, arena, why);
}

/* The same for what is no operation. */
static inline enum err identity_permit_need(const struct grpc_principal *principal,
                                            const struct access_need *need, const char *what,
                                            struct arena *arena, const char **why)
{
    return principal == NULL
               ? ERR_NONE
               : identity_judge_need(identity_rules(principal), need, what, arena, why);
}

#endif
