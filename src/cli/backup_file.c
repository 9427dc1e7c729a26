/* Writes a file under a temporary name and renames it at the end. Knows nothing of its content. */
#include "cli/backup_file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".XXXXXX"

/* The words after `file` are those of printf; always false. */
#define backup_file_refuse(file, ...)                                                              \
    (snprintf((file)->problem, BACKUP_PROBLEM_SIZE, __VA_ARGS__), false)

/* The same for a call that set errno: what it could not do, and to which path. */
static bool backup_file_fail(struct backup_file *file, const char *what, const char *path)
{
    return backup_file_refuse(file, "cannot %s %.400s: %s", what, path, strerror(errno));
}

static bool backup_file_may_replace(struct backup_file *file)
{
    struct stat status;
    if (lstat(file->path, &status) != 0)
        return errno == ENOENT || backup_file_fail(file, "look at", file->path);
    if (!S_ISREG(status.st_mode))
        return backup_file_refuse(
            file, "%.400s is not a regular file: name a new one, or - for standard output",
            file->path);
    return file->force ||
           backup_file_refuse(file, "%.400s exists: --force replaces it", file->path);
}

bool backup_file_open(struct backup_file *file, const char *path, bool force, char *problem)
{
    *file = (struct backup_file){.path = path, .force = force, .problem = problem};
    if (strcmp(path, "-") == 0) {
        file->fd = STDOUT_FILENO;
        return !isatty(STDOUT_FILENO) ||
               backup_file_refuse(file,
                                  "standard output is a terminal: redirect it, or name a file");
    }
    if (!backup_file_may_replace(file))
        return false;
    size_t size = strlen(path) + sizeof SUFFIX;
    file->temporary = mem_alloc(size);
    snprintf(file->temporary, size, "%s" SUFFIX, path);
    file->fd = mkostemp(file->temporary, O_CLOEXEC);
    if (file->fd != -1)
        return true;
    (void)backup_file_fail(file, "create", file->temporary);
    free(file->temporary);
    return false;
}

static const char *backup_file_name(const struct backup_file *file)
{
    return file->temporary != NULL ? file->temporary : "to standard output";
}

bool backup_file_write(struct backup_file *file, const void *data, size_t size)
{
    const char *from = data;
    while (size > 0) {
        ssize_t written = write(file->fd, from, size);
        if (written < 0 && errno != EINTR)
            return backup_file_fail(file, "write", backup_file_name(file));
        if (written > 0) {
            from += written;
            size -= (size_t)written;
        }
    }
    return true;
}

/* Pipes and some devices cannot be synced. */
static bool backup_file_sync(const struct backup_file *file)
{
    return fsync(file->fd) == 0 || (file->temporary == NULL && (errno == EINVAL || errno == EROFS));
}

/* Gives the file its name, which nothing else may have got meanwhile without `force`. A file system
 * that cannot check that in a rename has links. */
static bool backup_file_rename(const struct backup_file *file)
{
    if (file->force)
        return rename(file->temporary, file->path) == 0;
    if (renameat2(AT_FDCWD, file->temporary, AT_FDCWD, file->path, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    return link(file->temporary, file->path) == 0 && unlink(file->temporary) == 0;
}

static bool backup_file_sync_name(struct backup_file *file)
{
    const char *slash = strrchr(file->path, '/');
    char folder[PATH_MAX] = ".";
    if (slash != NULL)
        snprintf(folder, sizeof folder, "%.*s", slash > file->path ? (int)(slash - file->path) : 1,
                 file->path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd != -1 && (fsync(fd) == 0 || errno == EINVAL);
    int error = errno;
    if (fd != -1)
        close(fd);
    return synced || backup_file_refuse(file,
                                        "%.400s is complete, but a crash may still undo its name: "
                                        "cannot sync its folder: %s",
                                        file->path, strerror(error));
}

bool backup_file_commit(struct backup_file *file)
{
    if (!backup_file_sync(file)) {
        (void)backup_file_fail(file, "sync", backup_file_name(file));
    } else if (file->temporary == NULL) {
        return true;
    } else if (backup_file_rename(file)) {
        close(file->fd);
        free(file->temporary);
        return backup_file_sync_name(file);
    } else if (errno == EEXIST) {
        (void)backup_file_refuse(file, "%.400s was created meanwhile: --force replaces it",
                                 file->path);
    } else {
        (void)backup_file_fail(file, "rename the backup to", file->path);
    }
    backup_file_discard(file);
    return false;
}

void backup_file_discard(struct backup_file *file)
{
    if (file->temporary == NULL)
        return;
    close(file->fd);
    unlink(file->temporary);
    free(file->temporary);
    file->temporary = NULL;
}
