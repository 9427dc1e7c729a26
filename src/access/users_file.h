/*
 * The users file: sections `[user NAME]` with lines `name = value`; empty lines, and lines that
 * start with # are comments. There is no other way to write a comment, and no continuation of a
 * line. A NAME is 1 to 64 letters, digits, '-', '_', '.' or '@'. The lines of a user, each of which
 * may be repeated unless stated otherwise:
 *
 *     allow = GRANTS [keys=GLOB,...] [db=RANGES]     a rule (rules.h). GRANTS are separated by
 *             commas; RANGES are numbers or ranges, as in 0-3,7. In a glob, a backslash before a
 *             comma, a space or another special character makes it an ordinary one.
 *             Administration is of no key: `admin` is granted without keys= and db=.
 *     token = ID SHA256 created=TIME [expires=TIME]  of tokens.h; the ID, like a NAME, is unique in
 *             the file
 *     password = HASH                                of passwords.h; at most once
 *     certificate = dns:NAME, uri:URI or subject:NAME
 *     unix = NAME or NUMBER                          a user of the system, at a unix socket
 *     limit = [calls=N] [rate=N/s [burst=N]]         once: of calls in flight, and per second
 *             calls=none and rate=none: none, whatever the server's settings are
 */
#ifndef KEYSTORE_ACCESS_USERS_FILE_H
#define KEYSTORE_ACCESS_USERS_FILE_H

#include "access/access.h"

/* Bytes of an error message, with its terminating zero, and of a users file. */
#define USERS_FILE_WHY  ((size_t)400)
#define USERS_FILE_MOST ((size_t)2 * 1024 * 1024)
/* The longest glob in bytes, so that one key takes little (base/glob.h). */
#define USERS_FILE_GLOB ((size_t)1024)

/* The users of the file's text, with one holder. NULL: it is malformed; `why` begins with the
 * number of the line. */
struct access *users_file_parse(struct slice text, char why[USERS_FILE_WHY]);

/*
 * The bytes of the file, to be freed. NULL, with `why`, if it cannot be read, if others than its
 * owner may access it, or if it belongs to another user of the system than this process (or root).
 * A file of root's may be readable for a group other than root's.
 */
uint8_t *users_file_load(const char *path, size_t *size, char why[USERS_FILE_WHY]);

/* The users of the file; NULL, with `why`, if it cannot be loaded or is malformed. */
struct access *users_file_read(const char *path, char why[USERS_FILE_WHY]);

/* True if the text may be the name of a user or the id of a token. */
bool users_file_is_name(struct slice text);

#endif
