/* Determines what the path on the command line is, and locks servers out of it. */
#ifndef KEYSTORE_CHECK_PLACE_H
#define KEYSTORE_CHECK_PLACE_H

#include "journal/fs/fs.h"

#include <limits.h>

#define PLACE_PROBLEM_SIZE ((size_t)PATH_MAX + 400)

struct place {
    struct fs *fs;
    bool is_file;            /* else the folder of `fs` is a data directory */
    char file[NAME_MAX + 1]; /* in the folder of `fs` */
    int lock;                /* descriptors that hold locks: of the lock file... */
    int folder;              /* ...and of the data directory; -1 = none */
};

/*
 * Opens a data directory, or the folder of a file. While it is open, no KeyStore server can start
 * there. With `change` the directory may be changed; a file that belongs to a data directory may
 * not. False with an error message, without full stop, if it cannot be opened, or if a server is
 * there. Without `change` nothing is created or written.
 */
bool place_open(const char *path, bool change, struct place *place,
                char problem[static PLACE_PROBLEM_SIZE]) __attribute__((warn_unused_result));

void place_close(struct place *place);

#endif
