/*
 * The users that are in effect: those of the newest version of the users file that was good. Any
 * thread may ask; one thread reloads.
 */
#ifndef KEYSTORE_ACCESS_SOURCE_H
#define KEYSTORE_ACCESS_SOURCE_H

#include "access/users_file.h"

struct access_source;

/* Reads the file, whose path is copied. NULL, with an error message, if it is refused. */
struct access_source *access_source_new(const char *path, char why[USERS_FILE_WHY]);
/* NULL is allowed. */
void access_source_free(struct access_source *source);

/* Reads the file again. False, with an error message, if it is refused: then the former users stay.
 */
bool access_source_reload(struct access_source *source, char why[USERS_FILE_WHY]);

/* Changes with each reload that was good. */
unsigned access_source_generation(const struct access_source *source);

/* The users now, with a holder more, and their generation. */
struct access *access_source_take(struct access_source *source, unsigned *generation);

#endif
