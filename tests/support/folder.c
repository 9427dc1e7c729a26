/* Making a folder and removing it with all that is in it. */
#include "support/folder.h"

#include "base/check.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void folder_make(struct folder *folder)
{
    const char *above = getenv("TMPDIR");
    snprintf(folder->path, sizeof folder->path, "%s/keystore-test-XXXXXX",
             above != NULL ? above : "/tmp");
    if (mkdtemp(folder->path) == NULL)
        check_system_failed("mkdtemp", errno);
}

static int folder_remove_one(const char *path, const struct stat *status, int kind,
                             struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void folder_remove(const struct folder *folder)
{
    if (nftw(folder->path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0)
        check_system_failed("nftw", errno);
}
