/* A folder of its own for a test, below $TMPDIR or /tmp. */
#ifndef KEYSTORE_TESTS_SUPPORT_FOLDER_H
#define KEYSTORE_TESTS_SUPPORT_FOLDER_H

#include <limits.h>

struct folder {
    char path[PATH_MAX / 2];
};

/* Makes an empty folder under a name that no other has; it aborts the program if that fails. */
void folder_make(struct folder *folder);

/* Removes it with all that is in it; it aborts the program if that fails. */
void folder_remove(const struct folder *folder);

#endif
