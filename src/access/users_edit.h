/* Changes a users file: its text line by line, so that comments and order stay, and the file so
 * that a crash leaves the former text or the new one. */
#ifndef KEYSTORE_ACCESS_USERS_EDIT_H
#define KEYSTORE_ACCESS_USERS_EDIT_H

#include "access/users_file.h"

/* The text with the lines from number `from` up to `to`, exclusive, replaced; lines are numbered
 * from 1. Ends with a newline. Free with free(). */
char *users_edit_replace(struct slice text, int from, int to, const char *replacement);

/* The first line that belongs to a later section than the user; INT_MAX: there is none. */
int users_edit_section_end(const struct access *access, const struct access_user *user);

/* Replaces the file, if the text is that of one. A new one only its owner may access; the owner of
 * one that there is, its group and that this may read it are kept. False, with the error message in
 * `why`. */
bool users_edit_write(const char *path, const char *text, char why[USERS_FILE_WHY]);

#endif
