/*
 * What rdb_read() reports, as text, one line per key:
 *
 *    3 "key" @1700000000000 v17 = "value"           database, key, expiry, version, string
 *    3 "key" @0 v0 = [ "one" "two" ]                a list
 *    3 "key" @0 v0 ! hash                           passed over; without a key: ! what
 *    aux "name" "value"      sizes 5 2
 *
 * Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_RDB_RECORDER_H
#define KEYSTORE_TESTS_RDB_RECORDER_H

#include "base/buf.h"
#include "journal/rdb/read.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct recorder {
    struct buf text;
    uint64_t db;
    size_t elements; /* of the current list */
    size_t stop_at;  /* the call of this number returns false; 0: none */
    size_t calls;
    bool no_versions; /* all are shown as v0 */
    bool keys_only;   /* neither fields nor sizes */
};

__attribute__((format(printf, 2, 3))) static inline void recorder_print(struct buf *text,
                                                                        const char *format, ...)
{
    char line[300];
    va_list arguments;
    va_start(arguments, format);
    int len = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    assert_in_range(len, 0, sizeof line - 1);
    assert_true(buf_append(text, slice_make(line, (size_t)len)));
}

/* Between quotes, with what is not printable as \xNN. */
static inline void recorder_quote(struct buf *text, struct slice bytes)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t *out = buf_reserve(text, bytes.len * 4 + 2);
    size_t len = 0;
    out[len++] = '"';
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t byte = bytes.data[i];
        if (byte >= ' ' && byte < 127 && byte != '"' && byte != '\\') {
            out[len++] = byte;
        } else {
            out[len++] = '\\';
            out[len++] = 'x';
            out[len++] = (uint8_t)digits[byte >> 4];
            out[len++] = (uint8_t)digits[byte & 15];
        }
    }
    out[len++] = '"';
    text->len += len;
}

static inline bool recorder_goes_on(struct recorder *recorder)
{
    return ++recorder->calls != recorder->stop_at;
}

static inline bool recorder_aux(void *context, struct slice name, struct slice value)
{
    struct recorder *recorder = context;
    if (!recorder->keys_only) {
        recorder_print(&recorder->text, "aux ");
        recorder_quote(&recorder->text, name);
        recorder_print(&recorder->text, " ");
        recorder_quote(&recorder->text, value);
        recorder_print(&recorder->text, "\n");
    }
    return recorder_goes_on(recorder);
}

static inline bool recorder_db(void *context, uint64_t db)
{
    struct recorder *recorder = context;
    recorder->db = db;
    return recorder_goes_on(recorder);
}

static inline bool recorder_sizes(void *context, uint64_t keys, uint64_t expiring)
{
    struct recorder *recorder = context;
    if (!recorder->keys_only)
        recorder_print(&recorder->text, "sizes %llu %llu\n", (unsigned long long)keys,
                       (unsigned long long)expiring);
    return recorder_goes_on(recorder);
}

/* A line up to the value. */
static inline void recorder_key(struct buf *text, uint64_t db, const struct rdb_key *key)
{
    recorder_print(text, "%llu ", (unsigned long long)db);
    recorder_quote(text, key->name);
    recorder_print(text, " @%lld v%llu ", (long long)key->expire_at_ms,
                   (unsigned long long)key->version);
}

static inline void recorder_begin(struct recorder *recorder, const struct rdb_key *key)
{
    struct rdb_key shown = *key;
    if (recorder->no_versions)
        shown.version = 0;
    recorder_key(&recorder->text, recorder->db, &shown);
}

static inline bool recorder_string(void *context, const struct rdb_key *key, struct slice value)
{
    struct recorder *recorder = context;
    recorder_begin(recorder, key);
    recorder_print(&recorder->text, "= ");
    recorder_quote(&recorder->text, value);
    recorder_print(&recorder->text, "\n");
    return recorder_goes_on(recorder);
}

static inline bool recorder_list_begin(void *context, const struct rdb_key *key)
{
    struct recorder *recorder = context;
    recorder_begin(recorder, key);
    recorder_print(&recorder->text, "= [");
    recorder->elements = 0;
    return recorder_goes_on(recorder);
}

static inline bool recorder_list_elements(void *context, const struct slice *elements, size_t count)
{
    struct recorder *recorder = context;
    assert_in_range(count, 1, RDB_READ_ELEMENTS);
    for (size_t i = 0; i < count; i++) {
        recorder_print(&recorder->text, " ");
        recorder_quote(&recorder->text, elements[i]);
    }
    recorder->elements += count;
    return recorder_goes_on(recorder);
}

static inline bool recorder_list_end(void *context)
{
    struct recorder *recorder = context;
    assert_true(recorder->elements > 0);
    recorder_print(&recorder->text, " ]\n");
    return recorder_goes_on(recorder);
}

static inline bool recorder_unsupported(void *context, const struct rdb_key *key, const char *type)
{
    struct recorder *recorder = context;
    if (key != NULL)
        recorder_begin(recorder, key);
    recorder_print(&recorder->text, "! %s\n", type);
    return recorder_goes_on(recorder);
}

static inline struct rdb_receiver recorder_receiver(struct recorder *recorder)
{
    return (struct rdb_receiver){.on_aux = recorder_aux,
                                 .on_db = recorder_db,
                                 .on_sizes = recorder_sizes,
                                 .on_string = recorder_string,
                                 .on_list_begin = recorder_list_begin,
                                 .on_list_elements = recorder_list_elements,
                                 .on_list_end = recorder_list_end,
                                 .on_unsupported = recorder_unsupported,
                                 .context = recorder};
}

static inline void recorder_init(struct recorder *recorder)
{
    *recorder = (struct recorder){0};
    buf_init(&recorder->text, SIZE_MAX);
}

static inline void recorder_deinit(struct recorder *recorder)
{
    buf_deinit(&recorder->text);
}

/* Reads the file, which lies where a byte before or behind it belongs to nobody. True only if it
 * was sound and ended where the bytes end. */
static inline bool recorder_read(struct recorder *recorder, struct slice file,
                                 struct rdb_error *error)
{
    struct rdb_receiver receiver = recorder_receiver(recorder);
    size_t size;
    uint8_t *copy = malloc(file.len > 0 ? file.len : 1);
    assert_non_null(copy);
    if (file.len > 0)
        memcpy(copy, file.data, file.len);
    bool sound = rdb_read(slice_make(copy, file.len), &receiver, &size, error);
    assert_in_range(size, 0, file.len);
    if (!sound) {
        assert_in_range(error->offset, 0, file.len);
        assert_in_range(strlen(error->reason), 1, sizeof error->reason - 1);
    }
    free(copy);
    return sound && size == file.len;
}

/* The text, zero-terminated, owned by the buffer. */
static inline const char *recorder_text(struct buf *text)
{
    *buf_reserve(text, 1) = '\0';
    return (const char *)text->data;
}

static inline int recorder_compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines in the order of their bytes; freed by the caller. */
static inline char *recorder_sorted(struct buf *text)
{
    char *copy = strdup(recorder_text(text)), *rest = copy, *line;
    char *sorted = malloc(text->len + 1), *out = sorted;
    size_t count = 0;
    char **lines = malloc((text->len + 1) * sizeof *lines);
    while ((line = strsep(&rest, "\n")) != NULL)
        lines[count++] = line;
    qsort(lines, count, sizeof *lines, recorder_compare_lines);
    for (size_t i = 0; i < count; i++) {
        if (lines[i][0] != '\0')
            out += sprintf(out, "%s\n", lines[i]);
    }
    *out = '\0';
    free(lines);
    free(copy);
    return sorted;
}

/* Fails with the first lines that differ, cut short. */
static inline void recorder_assert_same_keys(struct buf *one, struct buf *other)
{
    char *left = recorder_sorted(one), *right = recorder_sorted(other);
    size_t same = 0, line = 0;
    while (left[same] != '\0' && left[same] == right[same]) {
        if (left[same++] == '\n')
            line = same;
    }
    if (left[same] != right[same]) {
        fail_msg("byte %zu of the lines\n  %.300s\n  %.300s", same - line, left + line,
                 right + line);
    }
    free(left);
    free(right);
}

#endif
