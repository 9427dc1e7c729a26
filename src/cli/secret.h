/* Passwords: read where nobody sees them, and wiped after use. They are never taken from the
 * command line, which every user of the system may read. */
#ifndef KEYSTORE_CLI_SECRET_H
#define KEYSTORE_CLI_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of a password with its terminating zero, as the server accepts them. */
#define SECRET_SIZE ((size_t)1025)

struct secret {
    char text[SECRET_SIZE];
};

/* Asks on the terminal of the process, without echo; Ctrl-C and Ctrl-D give up. False, with the
 * error message in *why, static memory. */
bool secret_ask(const char *prompt, struct secret *secret, const char **why);

/* The first line of a file, or of a descriptor, which is read up to its end; the same. */
bool secret_read_file(const char *path, struct secret *secret, const char **why);
bool secret_read_descriptor(int descriptor, struct secret *secret, const char **why);

void secret_wipe(struct secret *secret);

#endif
