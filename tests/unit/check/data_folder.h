/* A data directory on the disk for tests: files with given bytes, logs and snapshots to put there.
 * Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_CHECK_DATA_FOLDER_H
#define KEYSTORE_TESTS_CHECK_DATA_FOLDER_H

#include "journal/fs/posix.h"
#include "journal/layout.h"
#include "journal/log/batch.h"
#include "journal/rdb/crc64.h"
#include "support/folder.h"
#include "support/resp_append.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DATA_LIMIT ((size_t)1024 * 1024)

struct data_folder {
    struct folder folder;
    struct fs *fs;
};

static inline void data_path(const struct data_folder *data, const char *path, char out[PATH_MAX])
{
    snprintf(out, PATH_MAX, "%s/%s", data->folder.path, path);
}

static inline void data_open(struct data_folder *data)
{
    char path[PATH_MAX];
    folder_make(&data->folder);
    data_path(data, LAYOUT_FOLDER, path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(fs_posix_open(data->folder.path, &data->fs), 0);
}

static inline void data_close(struct data_folder *data)
{
    fs_close_directory(data->fs);
    folder_remove(&data->folder);
}

static inline void data_write(const struct data_folder *data, const char *path, struct slice bytes)
{
    char full[PATH_MAX];
    data_path(data, path, full);
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

/* Bytes of the file, -1 if there is none. */
static inline long data_size(const struct data_folder *data, const char *path)
{
    struct stat status;
    char full[PATH_MAX];
    data_path(data, path, full);
    return stat(full, &status) == 0 ? (long)status.st_size : -1;
}

/* A manifest of a base, if wanted, and logs 1 to `logs`. */
static inline void data_write_manifest(const struct data_folder *data, bool base, unsigned logs)
{
    char text[1000];
    size_t len = 0;
    text[0] = 0;
    if (base)
        len += (size_t)snprintf(text, sizeof text, "file appendonly.aof.1.base.rdb seq 1 type b\n");
    for (unsigned i = 1; i <= logs; i++)
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "file appendonly.aof.%u.incr.aof seq %u type i\n", i, i);
    data_write(data, LAYOUT_FOLDER "/" LAYOUT_MANIFEST, slice_from_string(text));
}

#define DATA_BASE   LAYOUT_FOLDER "/appendonly.aof.1.base.rdb"
#define DATA_LOG(n) LAYOUT_FOLDER "/appendonly.aof." #n ".incr.aof"

/* A command of words without spaces. */
static inline void data_command(struct buf *out, const char *words)
{
    struct slice args[16];
    size_t count = 0;
    while (*words != 0) {
        size_t len = strcspn(words, " ");
        args[count++] = slice_make(words, len);
        words += len + (words[len] == ' ');
    }
    assert_true(resp_append(out, args, count));
}

/* A batch of one record, a single command, behind what is there; all before it is durable. */
static inline void data_batch(struct buf *log, uint64_t revision, const char *words)
{
    uint8_t line[BATCH_MOST_LINE];
    struct buf payload;
    buf_init(&payload, DATA_LIMIT);
    data_command(&payload, words);
    struct batch batch = {.seq = revision, .ops = 1, .synced = revision - 1};
    struct iovec piece = {.iov_base = payload.data, .iov_len = payload.len};
    size_t size = batch_format(&batch, log->len, &piece, 1, line);
    assert_true(buf_append(log, slice_make(line, size)));
    assert_true(buf_append(log, buf_slice(&payload)));
    buf_deinit(&payload);
}

/* Batches "SET k <revision>" of these revisions. */
static inline void data_log(struct buf *log, uint64_t first, uint64_t last)
{
    buf_init(log, DATA_LIMIT);
    for (uint64_t revision = first; revision <= last; revision++) {
        char words[64];
        snprintf(words, sizeof words, "SET k %llu", (unsigned long long)revision);
        data_batch(log, revision, words);
    }
}

static inline void data_string(struct buf *out, const char *text)
{
    uint8_t len = (uint8_t)strlen(text);
    assert_true(buf_append(out, slice_make(&len, 1)));
    assert_true(buf_append(out, slice_from_string(text)));
}

/* A snapshot with the string s = "v" that has a deadline, the list l = a b and the set g = m;
 * without the set if `own`. */
static inline void data_snapshot(struct buf *out, const char *revision, bool own)
{
    buf_init(out, DATA_LIMIT);
    assert_true(buf_append(out, SLICE_LITERAL("REDIS0010\xfa")));
    data_string(out, "ks-revision");
    data_string(out, revision);
    assert_true(buf_append(out, SLICE_LITERAL("\xfe\0\xfc\0\0\0\0\0\1\0\0\0")));
    data_string(out, "s");
    data_string(out, "v");
    assert_true(buf_append(out, SLICE_LITERAL("\1")));
    data_string(out, "l");
    assert_true(buf_append(out, SLICE_LITERAL("\2\1a\1b")));
    if (!own)
        assert_true(buf_append(out, SLICE_LITERAL("\2\1g\1\1m")));
    assert_true(buf_append(out, SLICE_LITERAL("\xff")));
    uint64_t crc = crc64_update(0, buf_slice(out));
    assert_true(buf_append(out, slice_make(&crc, sizeof crc)));
}

/* The text printed to a stream so far; the caller frees it after closing the stream. */
struct data_output {
    FILE *stream;
    char *text;
    size_t size;
};

static inline void data_output_open(struct data_output *output)
{
    output->stream = open_memstream(&output->text, &output->size);
    assert_non_null(output->stream);
}

static inline void assert_says(struct data_output *output, const char *part)
{
    fflush(output->stream);
    if (strstr(output->text, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, output->text);
}

static inline void data_output_close(struct data_output *output)
{
    fclose(output->stream);
    free(output->text);
}

#endif
