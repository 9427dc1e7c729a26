/* Finds out what the path on the command line is, and keeps servers away from it. */
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
 * Opens a data directory, or the folder of a file. As long as it is open, no KeyStore server starts
 * there. With `change` the directory may be changed; a file that belongs to a data directory may
 * not. False with a sentence, without full stop, if it cannot be, or if a server is there. Without
 * `change` nothing is made or written.
 */
bool place_open(const char *path, bool change, struct place *place,
                char problem[static PLACE_PROBLEM_SIZE]) __attribute__((warn_unused_result));

void place_close(struct place *place);

#endif
