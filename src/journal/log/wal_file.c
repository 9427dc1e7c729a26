/* Appends batches to a file, with space for them preallocated. Decides nothing about failures. */
#include "journal/log/wal_file.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static int wal_file_create_durably(struct fs *fs, const char *folder, const char *path,
                                   struct fs_file **handle)
{
    int error = fs_open(fs, path, FS_CREATE, handle);
    if (error != 0)
        return error;
    error = fs_sync(*handle);
    if (error == 0)
        error = fs_sync_directory(fs, folder);
    if (error != 0) {
        fs_close(*handle);
        *handle = NULL;
        fs_unlink(fs, path); /* so that another attempt can create it */
    }
    return error;
}

int wal_file_create(struct fs *fs, const char *folder, const char *name, struct fs_file **handle)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = mem_alloc(size);
    snprintf(path, size, "%s/%s", folder, name);
    int error = wal_file_create_durably(fs, folder, path, handle);
    free(path);
    return error;
}

int wal_file_init(struct wal_file *file, struct fs_file *handle)
{
    int64_t size = fs_size(handle);
    if (size < 0)
        return (int)size;
    *file =
        (struct wal_file){.handle = handle, .size = (uint64_t)size, .allocated = (uint64_t)size};
    return 0;
}

void wal_file_deinit(struct wal_file *file)
{
    if (file->handle != NULL && file->allocated > file->size)
        fs_release(file->handle);
    fs_close(file->handle);
    *file = (struct wal_file){0};
}

/* Best effort: the write itself reports whether there is space. */
static void wal_file_reserve(struct wal_file *file, uint64_t more)
{
    if (file->size + more <= file->allocated)
        return;
    int ignored = fs_allocate(file->handle, file->size, more + WAL_FILE_STEP);
    (void)ignored;
    file->allocated = file->size + more + WAL_FILE_STEP;
    DCHECK(file->allocated >= file->size + more);
}

int wal_file_append(struct wal_file *file, struct batch *batch, struct slice payload)
{
    CHECK(file->handle != NULL && file->allocated >= file->size);
    uint8_t line[BATCH_MOST_LINE];
    struct iovec pieces[] = {{.iov_base = line},
                             {.iov_base = (void *)payload.data, .iov_len = payload.len}};
    pieces[0].iov_len = batch_format(batch, file->size, &pieces[1], payload.len > 0, line);
    DCHECK(batch->len == payload.len);
    wal_file_reserve(file, pieces[0].iov_len + payload.len);
    int error = fs_write(file->handle, pieces, 2);
    if (error != 0)
        return error;
    file->size += pieces[0].iov_len + payload.len;
    file->unsynced = true;
    return 0;
}

int wal_file_sync(struct wal_file *file)
{
    int error = fs_sync_data(file->handle);
    if (error == 0)
        file->unsynced = false;
    return error;
}

int wal_file_cut(struct wal_file *file)
{
    CHECK(file->handle != NULL);
    int error = fs_truncate(file->handle, file->size);
    if (error != 0)
        return error;
    file->allocated = file->size; /* the preallocated space is released, too */
    return wal_file_sync(file);
}
