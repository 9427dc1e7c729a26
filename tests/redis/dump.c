/* Writes dumps for a real Redis, reads those that it saves, and lists what it holds. */
#include "redis/dump.h"

#include "support/redis_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "journal/rdb_recorder.h"

void dump_init(struct dump *dump)
{
    *dump = (struct dump){0};
    folder_make(&dump->folder);
}

void dump_start(struct dump *dump)
{
    redis_start(&dump->redis, dump->folder.path, "--appendonly", "no");
}

void dump_deinit(struct dump *dump)
{
    redis_stop(&dump->redis);
    folder_remove(&dump->folder);
}

/* ---- the file ---- */

static FILE *open_file(const struct dump *dump, const char *mode)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/dump.rdb", dump->folder.path);
    FILE *file = fopen(path, mode);
    assert_non_null(file);
    return file;
}

void dump_write(const struct dump *dump, struct slice bytes)
{
    FILE *file = open_file(dump, "w");
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

bool dump_is_accepted(const struct dump *dump)
{
    return redis_process_check(dump->folder.path, "redis-check-rdb", "dump.rdb", false) == 0;
}

void dump_read(struct dump *dump, struct buf *bytes)
{
    struct stat stat_of;
    redis_do(&dump->redis, "SAVE");
    FILE *file = open_file(dump, "r");
    assert_int_equal(fstat(fileno(file), &stat_of), 0);
    size_t size = (size_t)stat_of.st_size;
    assert_int_equal(fread(buf_reserve(bytes, size), 1, size, file), size);
    bytes->len += size;
    fclose(file);
}

/* ---- what Redis holds ---- */

static void add_string(struct dump *dump, struct buf *text, struct slice name)
{
    struct redis_reply value;
    redis_ask_args(&dump->redis, &value, (struct slice[]){SLICE_LITERAL("GET"), name}, 2);
    recorder_print(text, "= ");
    recorder_quote(text, value.bytes);
    redis_reply_free(&value);
}

static void add_list(struct dump *dump, struct buf *text, struct slice name)
{
    struct redis_reply value;
    struct slice words[] = {SLICE_LITERAL("LRANGE"), name, SLICE_LITERAL("0"), SLICE_LITERAL("-1")};
    redis_ask_args(&dump->redis, &value, words, 4);
    recorder_print(text, "= [");
    for (size_t i = 0; i < value.count; i++) {
        recorder_print(text, " ");
        recorder_quote(text, value.items[i].bytes);
    }
    recorder_print(text, " ]");
    redis_reply_free(&value);
}

/* The value's part of a recorder's line. */
static void add_value(struct dump *dump, struct buf *text, struct slice name, struct slice type)
{
    if (slice_equal(type, SLICE_LITERAL("string")))
        add_string(dump, text, name);
    else if (slice_equal(type, SLICE_LITERAL("list")))
        add_list(dump, text, name);
    else
        recorder_print(text, "! %.*s", (int)type.len, (const char *)type.data);
    recorder_print(text, "\n");
}

static void add_key(struct dump *dump, struct buf *text, uint64_t db, struct slice name)
{
    struct redis_reply type, expiry;
    redis_ask_args(&dump->redis, &type, (struct slice[]){SLICE_LITERAL("TYPE"), name}, 2);
    redis_ask_args(&dump->redis, &expiry, (struct slice[]){SLICE_LITERAL("PEXPIRETIME"), name}, 2);
    struct rdb_key key = {.name = name, .expire_at_ms = expiry.number < 0 ? 0 : expiry.number};
    recorder_key(text, db, &key);
    add_value(dump, text, name, type.bytes);
    redis_reply_free(&type);
    redis_reply_free(&expiry);
}

void dump_contents(struct dump *dump, struct buf *text)
{
    for (uint64_t db = 0; db < 16; db++) {
        char select[16];
        struct redis_reply keys;
        snprintf(select, sizeof select, "SELECT %d", (int)db);
        redis_do(&dump->redis, select);
        redis_ask(&dump->redis, &keys, "KEYS *");
        for (size_t i = 0; i < keys.count; i++)
            add_key(dump, text, db, keys.items[i].bytes);
        redis_reply_free(&keys);
    }
    redis_do(&dump->redis, "SELECT 0");
}
