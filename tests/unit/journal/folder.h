/* A folder of its own for a test, below $TMPDIR or /tmp. Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_JOURNAL_FOLDER_H
#define KEYSTORE_TESTS_JOURNAL_FOLDER_H

#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct folder {
    char path[PATH_MAX / 2];
};

static inline void folder_make(struct folder *folder)
{
    const char *above = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%s/keystore-test-XXXXXX",
             above != NULL ? above : "/tmp");
    assert_non_null(mkdtemp(folder->path));
}

static inline int folder_remove_one(const char *path, const struct stat *status, int kind,
                                    struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static inline void folder_remove(const struct folder *folder)
{
    assert_int_equal(nftw(folder->path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

#endif
