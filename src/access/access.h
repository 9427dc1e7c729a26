/*
 * The users of a server, as of one version of the users file: immutable, and shared by all threads
 * while somebody holds it.
 */
#ifndef KEYSTORE_ACCESS_ACCESS_H
#define KEYSTORE_ACCESS_ACCESS_H

#include "access/rules.h"
#include "access/tokens.h"
#include "access/usage.h"

#include <stdatomic.h>

/* Bytes of the longest name of a user, and of the id of a token. */
#define ACCESS_MOST_NAME ((size_t)64)

struct access_user {
    struct access_rules rules;         /* rules.user is the name */
    struct access_rule *own;           /* those of `rules` */
    struct access_shortcut *shortcuts; /* the same */
    struct access_limits limits;
    struct access_usage *usage; /* with a holder */
    size_t number;              /* of the user in the file */
    int line;                   /* of its section */
    const char *password;       /* passwords.h's hash of it; NULL: the user has none */
    int password_line;
    uint8_t password_hash[TOKEN_HASH_BYTES]; /* of the text above, to tell whether it has changed */
};

struct access_token {
    const char *id;
    size_t user; /* its number */
    uint8_t hash[TOKEN_HASH_BYTES];
    int64_t created_ms, expires_ms; /* Unix time; INT64_MAX: never */
    int line;                       /* of the file */
};

/* What identifies a user besides tokens. */
enum access_sign { ACCESS_DNS, ACCESS_URI, ACCESS_SUBJECT, ACCESS_UNIX };
struct access_mapping {
    enum access_sign sign;
    struct slice name; /* of a certificate */
    unsigned uid;      /* ACCESS_UNIX: of the system's user */
    size_t user;
    int line; /* of the file */
};

struct access {
    atomic_size_t holders;
    char *text; /* in which names and globs lie */
    struct access_user *users;
    size_t user_count;
    const struct access_user **by_name; /* the users, sorted */
    bool has_limits;                    /* a user has some of its own */
    struct access_token *tokens;        /* by hash */
    size_t token_count;
    struct access_mapping *mappings; /* as access_compare_mappings() orders them */
    size_t mapping_count;
};

struct access *access_retain(struct access *access);
/* The last one frees it. NULL is allowed. */
void access_release(struct access *access);

/* The users of the former version who are still there go on with their usage. Before others get to
 * see `access`. */
void access_inherit(struct access *access, const struct access *former);

/* The user of that name; NULL: there is none. */
const struct access_user *access_find_user(const struct access *access, struct slice name);

/* Orders what identifies users, without regard to who they are. */
int access_compare_mappings(const struct access_mapping *one, const struct access_mapping *other);

/* The token with that hash; NULL: there is none. */
const struct access_token *access_find_token(const struct access *access,
                                             const uint8_t hash[TOKEN_HASH_BYTES]);

/* A name of a client certificate, whose kind is not ACCESS_UNIX. */
struct access_certificate_name {
    enum access_sign sign;
    struct slice name;
};

/* The user of a client certificate with those names, of which the first that is known decides: the
 * caller lists those of its subjectAltName first, then the subject. NULL: there is none. */
const struct access_user *access_user_by_certificate(const struct access *access,
                                                     const struct access_certificate_name *names,
                                                     size_t count);

/* The user of a peer of a unix socket, by its user number in the system. NULL: there is none. */
const struct access_user *access_user_by_uid(const struct access *access, unsigned uid);

#endif
