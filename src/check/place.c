/*
 * Paths and the lock. A reader must not write its process id into the lock file as journal/fs/fs.h
 * does, nor create one, so here the lock is taken directly; it is of the same kind.
 */
#include "check/place.h"

#include "journal/fs/posix.h"
#include "journal/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* The arguments after `problem` are those of printf; always false. */
#define refuse(problem, ...) (snprintf(problem, PLACE_PROBLEM_SIZE, __VA_ARGS__), false)

/* True if "<folder>/<name>" exists. */
static bool place_has(const char *folder, const char *name)
{
    char path[PATH_MAX];
    int len = snprintf(path, sizeof path, "%s/%s", folder, name);
    return len > 0 && (size_t)len < sizeof path && access(path, F_OK) == 0;
}

static bool place_refuse_locked(const char *folder, long holder,
                                char problem[static PLACE_PROBLEM_SIZE])
{
    if (holder > 0)
        return refuse(problem, "a server, process %ld, uses %s; stop it first, or check a copy",
                      holder, folder);
    return refuse(problem, "a server uses %s; stop it first, or check a copy", folder);
}

static long place_read_holder(int descriptor)
{
    char text[32] = {0};
    return pread(descriptor, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

/* Locks the lock file, if there ever was one. */
static bool place_lock_file(struct place *place, const char *folder,
                            char problem[static PLACE_PROBLEM_SIZE])
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/" LAYOUT_LOCK, folder) >= (int)sizeof path)
        return refuse(problem, "the path of %s is too long", folder);
    place->lock = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (place->lock < 0)
        return errno == ENOENT || refuse(problem, "%s: %s", path, strerror(errno));
    if (flock(place->lock, LOCK_SH | LOCK_NB) == 0)
        return true;
    if (errno == EWOULDBLOCK)
        return place_refuse_locked(folder, place_read_holder(place->lock), problem);
    return refuse(problem, "%s: %s", path, strerror(errno));
}

/* Takes the locks of the data directory without writing. */
static bool place_lock_read_only(struct place *place, const char *folder,
                                 char problem[static PLACE_PROBLEM_SIZE])
{
    if (!place_lock_file(place, folder, problem))
        return false;
    place->folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place->folder < 0)
        return refuse(problem, "%s: %s", folder, strerror(errno));
    if (flock(place->folder, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK)
        return true; /* some file systems have no locks on directories */
    return place_refuse_locked(folder, 0, problem);
}

static bool place_lock(struct place *place, const char *folder, bool change,
                       char problem[static PLACE_PROBLEM_SIZE])
{
    long holder = 0;
    if (!change)
        return place_lock_read_only(place, folder, problem);
    int error = fs_lock(place->fs, LAYOUT_LOCK, &holder);
    if (error == -EWOULDBLOCK)
        return place_refuse_locked(folder, holder, problem);
    return error == 0 || refuse(problem, "%s/" LAYOUT_LOCK ": %s", folder, strerror(-error));
}

static bool place_open_folder(struct place *place, const char *folder,
                              char problem[static PLACE_PROBLEM_SIZE])
{
    int error = fs_posix_open(folder, &place->fs);
    return error == 0 || refuse(problem, "%s: %s", folder, strerror(-error));
}

static bool place_open_directory(const char *path, bool change, struct place *place,
                                 char problem[static PLACE_PROBLEM_SIZE])
{
    if (place_has(path, LAYOUT_MANIFEST))
        return refuse(problem,
                      "%s is the folder of the logs; give the data directory, which is "
                      "the folder above it",
                      path);
    return place_open_folder(place, path, problem) && place_lock(place, path, change, problem);
}

/* The file's data directory, if a manifest or lock shows that it has one; else NULL. */
static const char *place_owner_of(const char *folder, char above[static PATH_MAX])
{
    if (place_has(folder, LAYOUT_LOCK) || place_has(folder, LAYOUT_FOLDER))
        return folder;
    if (!place_has(folder, LAYOUT_MANIFEST))
        return NULL;
    snprintf(above, PATH_MAX, "%.*s/..", PATH_MAX - 4, folder);
    return above;
}

static bool place_open_file(const char *path, bool change, struct place *place,
                            char problem[static PLACE_PROBLEM_SIZE])
{
    char copy[PATH_MAX];
    char above[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(place->file, sizeof place->file, "%s", slash != NULL ? slash + 1 : path);
    snprintf(copy, sizeof copy, "%s", path);
    const char *folder = dirname(copy);
    const char *owner = place_owner_of(folder, above);
    place->is_file = true;
    if (owner != NULL && change)
        return refuse(problem,
                      "%s belongs to a data directory; repair that as a whole: "
                      "keystore-check --repair %s",
                      path, owner);
    return place_open_folder(place, folder, problem) &&
           (owner == NULL || place_lock_read_only(place, owner, problem));
}

bool place_open(const char *path, bool change, struct place *place,
                char problem[static PLACE_PROBLEM_SIZE])
{
    struct stat status;
    bool good;
    *place = (struct place){.lock = -1, .folder = -1};
    if (strlen(path) >= PATH_MAX)
        return refuse(problem, "the path is too long");
    if (stat(path, &status) < 0)
        return refuse(problem, "%s: %s", path, strerror(errno));
    if (S_ISDIR(status.st_mode))
        good = place_open_directory(path, change, place, problem);
    else if (S_ISREG(status.st_mode))
        good = place_open_file(path, change, place, problem);
    else
        good = refuse(problem, "%s is neither a directory nor a file", path);
    if (!good)
        place_close(place);
    return good;
}

void place_close(struct place *place)
{
    fs_close_directory(place->fs);
    if (place->lock >= 0)
        close(place->lock);
    if (place->folder >= 0)
        close(place->folder);
    *place = (struct place){.lock = -1, .folder = -1};
}
