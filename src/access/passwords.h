/*
 * Passwords, for people: what is stored of one is its argon2id hash as text in the PHC string
 * format, `$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH`, from which it is expensive to guess. That
 * takes about 20 ms and PASSWORD_KIB of memory each time, so it is nothing for an event loop.
 */
#ifndef KEYSTORE_ACCESS_PASSWORDS_H
#define KEYSTORE_ACCESS_PASSWORDS_H

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes of a password. With fewer it is guessed too soon, also from its hash. */
#define PASSWORD_LEAST ((size_t)8)
#define PASSWORD_MOST  ((size_t)1024)

/* How new hashes are made: OWASP's recommendation for argon2id. */
#define PASSWORD_KIB        19456
#define PASSWORD_PASSES     2
#define PASSWORD_LANES      1
#define PASSWORD_SALT_BYTES ((size_t)16)
#define PASSWORD_HASH_BYTES ((size_t)32)

/* The most that a hash made elsewhere may ask for, so that a mistake in the users file does not
 * cost the server its memory or its time; and the longest text of one. */
#define PASSWORD_MOST_KIB    (256 * 1024)
#define PASSWORD_MOST_PASSES 16
#define PASSWORD_MOST_LANES  8
#define PASSWORD_MOST_TEXT   ((size_t)256)

/* The hash of the password with random salt, to be freed with free(). NULL: there is no memory. */
char *password_hash(struct slice password);

/* NULL if the text is a hash that password_verify() can compute within these bounds; else what is
 * wrong with it; static memory. */
const char *password_hash_fault(const char *text);

enum password_verdict { PASSWORD_RIGHT, PASSWORD_WRONG, PASSWORD_NO_MEMORY };

/* Whether the password is that of a hash without faults. How long it takes depends only on the
 * hash's parameters. */
enum password_verdict password_verify(const char *hash, struct slice password);

/* A hash of no password, with the parameters of new ones, to spend the time on; static memory. */
const char *password_decoy(void);

#endif
