/* What all file systems have in common: complete writes and reads, lists of names. No system calls.
 */
#include "journal/fs/fs.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>

/* Pieces of one write; some kernels accept no more than 1,024. */
#define MOST_PIECES 256
#define FIRST_NAMES 16

void fs_names_deinit(struct fs_names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct fs_names){0};
}

void fs_names_add(struct fs_names *names, const char *name)
{
    if (names->count == names->capacity) {
        names->capacity = names->capacity > 0 ? names->capacity * 2 : FIRST_NAMES;
        names->items = mem_realloc(names->items, names->capacity * sizeof *names->items);
    }
    size_t size = strlen(name) + 1;
    names->items[names->count++] = memcpy(mem_alloc(size), name, size);
}

const char *fs_error_text(int error)
{
    return error == -EMEDIUMTYPE ? "it is not a regular file" : strerror(-error);
}

static int fs_compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int fs_list(struct fs *fs, const char *path, struct fs_names *names)
{
    int error = fs->calls->list(fs, path, names);
    if (error == 0 && names->count > 1)
        qsort(names->items, names->count, sizeof *names->items, fs_compare_names);
    return error;
}

/* One call for some of the pieces, without the first `within` bytes of the first one. */
static ssize_t fs_write_some(struct fs_file *file, const struct iovec *pieces, size_t count,
                             size_t within)
{
    struct iovec some[MOST_PIECES];
    if (count > MOST_PIECES)
        count = MOST_PIECES;
    memcpy(some, pieces, count * sizeof *some);
    some[0].iov_base = (uint8_t *)some[0].iov_base + within;
    some[0].iov_len -= within;
    return file->calls->write(file, some, (int)count);
}

int fs_write(struct fs_file *file, const struct iovec *pieces, size_t count)
{
    size_t within = 0;
    for (;;) {
        while (count > 0 && within >= pieces->iov_len) {
            within -= pieces->iov_len;
            pieces++;
            count--;
        }
        if (count == 0)
            return 0;
        ssize_t written = fs_write_some(file, pieces, count, within);
        if (written < 0)
            return (int)written;
        if (written == 0)
            return -EIO; /* no progress and no error */
        within += (size_t)written;
    }
}

int fs_write_slice(struct fs_file *file, struct slice bytes)
{
    struct iovec piece = {.iov_base = (void *)bytes.data, .iov_len = bytes.len};
    return fs_write(file, &piece, 1);
}

ssize_t fs_read(struct fs_file *file, uint64_t offset, void *out, size_t size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = file->calls->read(file, offset + done, (uint8_t *)out + done, size - done);
        if (got < 0)
            return got;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}
