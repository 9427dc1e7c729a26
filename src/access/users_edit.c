/* The new text is parsed before it takes the place of the former one. */
#include "access/users_edit.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the line of that number starts; the end of the text if it has fewer. */
static size_t users_edit_line(struct slice text, int number)
{
    size_t at = 0;
    for (int line = 1; line < number && at < text.len; line++) {
        const uint8_t *newline = memchr(text.data + at, '\n', text.len - at);
        at = newline != NULL ? (size_t)(newline - text.data) + 1 : text.len;
    }
    return at;
}

char *users_edit_replace(struct slice text, int from, int to, const char *replacement)
{
    size_t start = users_edit_line(text, from), end = users_edit_line(text, to);
    size_t more = strlen(replacement);
    char *edited = mem_alloc(text.len + more + 3), *at = edited;
    at = (char *)slice_write((uint8_t *)at, slice_make(text.data, start));
    if (start > 0 && at[-1] != '\n')
        *at++ = '\n';
    at = (char *)slice_write((uint8_t *)at, slice_make(replacement, more));
    at = (char *)slice_write((uint8_t *)at, slice_skip(text, end));
    if (at > edited && at[-1] != '\n')
        *at++ = '\n';
    *at = '\0';
    return edited;
}

int users_edit_section_end(const struct access *access, const struct access_user *user)
{
    return user->number + 1 < access->user_count ? access->users[user->number + 1].line : INT_MAX;
}

static bool users_edit_fail(const char *path, char *why)
{
    snprintf(why, USERS_FILE_WHY, "cannot write %.200s: %s", path, strerror(errno));
    return false;
}

static bool users_edit_write_all(int descriptor, const char *text)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t written = write(descriptor, text, left);
        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            text += written;
            left -= (size_t)written;
        }
    }
    return fsync(descriptor) == 0;
}

/* The name is durable, too. */
static bool users_edit_sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int len = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
    snprintf(folder, sizeof folder, "%.*s", len, slash == NULL ? "." : path);
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return false;
    bool synced = fsync(descriptor) == 0;
    close(descriptor);
    return synced;
}

/* Keeps who may read the file that there is, for a server that is another user of the system. */
static bool users_edit_keep_owner(const char *path, int descriptor)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return errno == ENOENT;
    if (status.st_uid == geteuid() && (status.st_mode & S_IRGRP) == 0)
        return true;
    return fchown(descriptor, status.st_uid, status.st_gid) == 0 &&
           fchmod(descriptor, status.st_mode & (S_IRUSR | S_IWUSR | S_IRGRP)) == 0;
}

bool users_edit_write(const char *path, const char *text, char why[USERS_FILE_WHY])
{
    char temporary[PATH_MAX];
    struct access *access = users_file_parse(slice_from_string(text), why);
    if (access == NULL)
        return false;
    access_release(access);
    int len = snprintf(temporary, sizeof temporary, "%s.XXXXXX", path);
    if (len < 0 || (size_t)len >= sizeof temporary) {
        errno = ENAMETOOLONG;
        return users_edit_fail(path, why);
    }
    int descriptor = mkostemp(temporary, O_CLOEXEC); /* with mode 0600 */
    if (descriptor < 0)
        return users_edit_fail(temporary, why);
    bool good = users_edit_keep_owner(path, descriptor) && users_edit_write_all(descriptor, text);
    good = close(descriptor) == 0 && good;
    good = good && rename(temporary, path) == 0 && users_edit_sync_folder(path);
    if (!good) {
        users_edit_fail(path, why);
        unlink(temporary);
    }
    return good;
}
