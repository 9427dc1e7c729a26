/*
 * The RDB codec against a real redis-server: it loads what we write, we read what it saves, and
 * both read the same out of files in the formats of old versions.
 */
#include "journal/rdb/read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "journal/rdb_bytes.h"
#include "journal/rdb_sample.h"
#include "redis/dump.h"

/* What our reader makes of the file, without versions. */
static void read_file(struct slice file, struct recorder *recorder)
{
    struct rdb_error error = {0};
    recorder_init(recorder);
    recorder->no_versions = true;
    recorder->keys_only = true;
    if (!recorder_read(recorder, file, &error))
        fail_msg("offset %zu: %s", error.offset, error.reason);
}

/* Redis holds what our reader finds in the file. */
static void assert_holds(struct dump *dump, struct slice file)
{
    struct recorder recorder;
    struct buf contents;
    buf_init(&contents, SIZE_MAX);
    dump_contents(dump, &contents);
    read_file(file, &recorder);
    recorder_assert_same_keys(&contents, &recorder.text);
    recorder_deinit(&recorder);
    buf_deinit(&contents);
}

/* Redis saves, and we read the same out of that as it holds. */
static void assert_saves(struct dump *dump)
{
    struct buf saved;
    buf_init(&saved, SIZE_MAX);
    dump_read(dump, &saved);
    assert_holds(dump, buf_slice(&saved));
    buf_deinit(&saved);
}

/* ---- it loads what we write ---- */

static void loads_ours(bool compress)
{
    uint64_t random = seeded_start();
    struct dump dump;
    struct sample sample;
    dump_init(&dump);
    sample_begin(&sample, compress, 0);
    assert_true(rdb_write_aux(&sample.file, SLICE_LITERAL("aof-base"), SLICE_LITERAL("1")));
    assert_true(rdb_write_sizes(&sample.file, 0, 100, 20));
    assert_true(sample_fill(&sample, &random, 3000));
    assert_true(sample_end(&sample));
    dump_write(&dump, buf_slice(&sample.bytes));
    assert_true(dump_is_accepted(&dump));
    dump_start(&dump);
    assert_holds(&dump, buf_slice(&sample.bytes));
    assert_saves(&dump);
    sample_free(&sample);
    dump_deinit(&dump);
}

static void test_redis_loads_what_we_write(void **state)
{
    (void)state;
    loads_ours(false);
}

static void test_redis_loads_what_we_compress(void **state)
{
    (void)state;
    loads_ours(true);
}

static void test_redis_finds_our_checksum_in_damaged_files(void **state)
{
    (void)state;
    struct dump dump;
    struct sample sample;
    struct rdb_key key = {.name = SLICE_LITERAL("key")};
    dump_init(&dump);
    sample_begin(&sample, false, 0);
    assert_true(sample_string(&sample, 0, &key, SLICE_LITERAL("some value")));
    assert_true(sample_end(&sample));
    dump_write(&dump, buf_slice(&sample.bytes));
    assert_true(dump_is_accepted(&dump));
    sample.bytes.data[sample.bytes.len - 12] ^= 1; /* in the value */
    dump_write(&dump, buf_slice(&sample.bytes));
    assert_false(dump_is_accepted(&dump));
    sample_free(&sample);
    dump_deinit(&dump);
}

/* Elements of a list whose nodes are of all kinds: plain, packed, integers. */
static size_t mixed_elements(uint64_t *random, struct slice *elements, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *bytes = malloc(SAMPLE_MOST + 24);
        elements[i] = sample_bytes(random, bytes, seeded_below(random, 8) == 0 ? SAMPLE_MOST : 999);
    }
    return count;
}

/* One random command, for both lists the same. */
static void change_both(struct dump *dump, uint64_t *random)
{
    static uint8_t bytes[SAMPLE_MOST + 24];
    static const char *const verbs[] = {"LPUSH", "RPUSH", "LPOP", "RPOP", "LSET", "LREM"};
    const char *verb = verbs[seeded_below(random, 6)];
    struct slice value = sample_bytes(random, bytes, SAMPLE_MOST);
    char index[16];
    sprintf(index, "%u", seeded_below(random, 60));
    for (int i = 0; i < 2; i++) {
        struct redis_reply reply;
        struct slice words[] = {
            slice_from_string(verb), i == 0 ? SLICE_LITERAL("loaded") : SLICE_LITERAL("pushed"),
            verb[1] == 'S' || verb[1] == 'R' ? slice_from_string(index) : value, value};
        size_t count = strstr(verb, "POP") != NULL ? 2 : strstr(verb, "PUSH") != NULL ? 3 : 4;
        redis_ask_args(&dump->redis, &reply, words, count);
        redis_reply_free(&reply);
    }
}

static void assert_both_equal(struct dump *dump)
{
    struct redis_reply replies[2];
    redis_ask(&dump->redis, &replies[0], "LRANGE loaded 0 -1");
    redis_ask(&dump->redis, &replies[1], "LRANGE pushed 0 -1");
    assert_int_equal(replies[0].count, replies[1].count);
    for (size_t i = 0; i < replies[0].count; i++)
        assert_true(slice_equal(replies[0].items[i].bytes, replies[1].items[i].bytes));
    redis_reply_free(&replies[0]);
    redis_reply_free(&replies[1]);
}

/* Loaded nodes are good for more than being read. */
static void test_redis_works_on_loaded_lists(void **state)
{
    (void)state;
    enum { COUNT = 120 };
    uint64_t random = seeded_start();
    struct dump dump;
    struct sample sample;
    struct slice elements[COUNT];
    struct rdb_key key = {.name = SLICE_LITERAL("loaded")};
    dump_init(&dump);
    sample_begin(&sample, false, 0);
    assert_true(sample_list(&sample, 0, &key, elements, mixed_elements(&random, elements, COUNT)));
    assert_true(sample_end(&sample));
    dump_write(&dump, buf_slice(&sample.bytes));
    dump_start(&dump);
    for (size_t i = 0; i < COUNT; i++) {
        struct slice words[] = {SLICE_LITERAL("RPUSH"), SLICE_LITERAL("pushed"), elements[i]};
        redis_do_args(&dump.redis, words, 3);
        free((void *)(uintptr_t)elements[i].data);
    }
    assert_both_equal(&dump);
    for (int i = 0; i < 400; i++)
        change_both(&dump, &random);
    assert_both_equal(&dump);
    assert_saves(&dump);
    sample_free(&sample);
    dump_deinit(&dump);
}

/* ---- we read what it saves ---- */

static void push_random(struct dump *dump, uint64_t *random, struct slice key, uint32_t count)
{
    static uint8_t bytes[SAMPLE_MOST + 24];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t most = seeded_below(random, 30) == 0 ? SAMPLE_MOST : 99;
        struct slice words[] = {SLICE_LITERAL("RPUSH"), key, sample_bytes(random, bytes, most)};
        redis_do_args(&dump->redis, words, 3);
    }
}

static void set_random(struct dump *dump, uint64_t *random, struct slice key)
{
    static uint8_t bytes[SAMPLE_MOST + 24];
    struct slice words[] = {SLICE_LITERAL("SET"), key, sample_bytes(random, bytes, SAMPLE_MOST),
                            SLICE_LITERAL("PXAT"), SLICE_LITERAL("4102444800123")};
    redis_do_args(&dump->redis, words, seeded_below(random, 3) == 0 ? 5 : 3);
}

/* Fills two databases with strings and lists. */
static void fill(struct dump *dump, uint64_t *random)
{
    for (int i = 0; i < 120; i++) {
        char name[32];
        sprintf(name, i % 10 == 0 ? "%d" : "name:%d", i);
        redis_do(&dump->redis, i < 60 ? "SELECT 0" : "SELECT 9");
        if (i % 4 == 0)
            push_random(dump, random, slice_from_string(name), 1 + seeded_below(random, 80));
        else
            set_random(dump, random, slice_from_string(name));
    }
    redis_do(&dump->redis, "SELECT 0");
}

static void test_we_read_what_redis_saves(void **state)
{
    (void)state;
    static const char *const settings[] = {"CONFIG SET list-max-listpack-size -2",
                                           "CONFIG SET list-max-listpack-size -1",
                                           "CONFIG SET list-max-listpack-size -5",
                                           "CONFIG SET list-max-listpack-size 1",
                                           "CONFIG SET list-max-listpack-size 7",
                                           "CONFIG SET list-compress-depth 1",
                                           "CONFIG SET rdbcompression no",
                                           "CONFIG SET rdbchecksum no",
                                           "CONFIG SET maxmemory-policy allkeys-lfu",
                                           "DEBUG QUICKLIST-PACKED-THRESHOLD 100B"};
    uint64_t random = seeded_start();
    struct dump dump;
    dump_init(&dump);
    dump_start(&dump);
    redis_do(&dump.redis, "CONFIG SET maxmemory-policy allkeys-lru");
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct redis_reply reply;
        redis_ask(&dump.redis, &reply, settings[i]); /* rdbchecksum cannot be set while it runs */
        redis_reply_free(&reply);
        redis_do(&dump.redis, "FLUSHALL");
        fill(&dump, &random);
        assert_saves(&dump);
    }
    dump_deinit(&dump);
}

/* Small ones are packed, large ones are not: both encodings of each type, in each format. */
static void fill_other_types(struct dump *dump, const char *prefix, int count)
{
    char command[300];
    for (int i = 0; i < count; i++) {
        const char *const commands[] = {"SADD %sset member:%d", "SADD %sintset %d",
                                        "HSET %shash field:%d v", "ZADD %szset %d.5 member:%d",
                                        "XADD %sstream * f%d v"};
        for (size_t c = 0; c < 5; c++) {
            snprintf(command, sizeof command, commands[c], prefix, i, i);
            redis_do(&dump->redis, command);
        }
    }
    snprintf(command, sizeof command, "ZADD %szset inf a -inf b", prefix);
    redis_do(&dump->redis, command);
    snprintf(command, sizeof command, "XGROUP CREATE %sstream group 0", prefix);
    redis_do(&dump->redis, command);
    snprintf(command, sizeof command, "XREADGROUP GROUP group one COUNT 3 STREAMS %sstream >",
             prefix);
    redis_do(&dump->redis, command);
    snprintf(command, sizeof command, "XREADGROUP GROUP group two COUNT 300 STREAMS %sstream >",
             prefix);
    redis_do(&dump->redis, command);
    snprintf(command, sizeof command, "EXPIREAT %shash 4102444800", prefix);
    redis_do(&dump->redis, command);
}

static void test_we_pass_over_other_types(void **state)
{
    (void)state;
    static const char library[] = "#!lua name=lib\n"
                                  "redis.register_function('f', function() return 1 end)";
    struct dump dump;
    struct buf saved;
    struct recorder recorder;
    dump_init(&dump);
    dump_start(&dump);
    redis_do(&dump.redis, "SET first string");
    fill_other_types(&dump, "small:", 3);
    fill_other_types(&dump, "large:", 700);
    redis_do(&dump.redis, "RPUSH last list");
    assert_saves(&dump);
    struct slice words[] = {SLICE_LITERAL("FUNCTION"), SLICE_LITERAL("LOAD"),
                            SLICE_LITERAL(library)};
    redis_do_args(&dump.redis, words, 3);
    buf_init(&saved, SIZE_MAX);
    dump_read(&dump, &saved);
    read_file(buf_slice(&saved), &recorder);
    const char *text = recorder_text(&recorder.text);
    assert_non_null(strstr(text, "! function library\n"));
    assert_non_null(strstr(text, "0 \"small:hash\" @4102444800000 v0 ! hash\n"));
    assert_non_null(strstr(text, "0 \"large:stream\" @0 v0 ! stream\n"));
    recorder_deinit(&recorder);
    buf_deinit(&saved);
    dump_deinit(&dump);
}

/* ---- both read old files ---- */

static void add_ziplist(struct buf *file)
{
    struct rdb_ziplist list;
    rdb_ziplist_fill(&list);
    rdb_bytes_string(file, rdb_ziplist_end(&list));
    buf_deinit(&list.bytes);
}

/* A hash of Redis 2.4 (zipmap), and types before their packed forms. */
static void add_other_types(struct buf *file)
{
    RDB_BYTES(file, "\x09\x06zipmap\x09\x01\x01\x61\x03\x00xyz\xff"
                    "\x02\x03set\x02\x01p\xc0\x07"
                    "\x04\x04hash\x01\x01n\x01v"
                    "\x03\x04zset\x03\x01m\x03"
                    "1.5\x01o\xfe\x01p\xff");
}

static void build_old_file(struct buf *file)
{
    RDB_BYTES(file, "REDIS0006\xfe\x00");
    RDB_BYTES(file, "\x01\x04list\x05\x01z\xc0\x85\xc1\x00\x80\xc2\x00\x00\x00\x80"
                    "\xc3\x05\x21\x00z\xe0\x17\x00");
    RDB_BYTES(file, "\xfd\x00\x00\x00\x7f\x0a\x07ziplist");
    add_ziplist(file);
    RDB_BYTES(file, "\xfc\x15\xcd\x5b\x07\x00\x04\x00\x00\x0e\x09quicklist\x02");
    add_ziplist(file);
    add_ziplist(file);
    RDB_BYTES(file, "\x01\x05"
                    "empty\x00");
    add_other_types(file);
    RDB_BYTES(file, "\xfe\x02\x00\xc0\x01\xc1\xe8\x03\xff");
    rdb_bytes_crc(file);
}

static void test_both_read_old_formats(void **state)
{
    (void)state;
    struct dump dump;
    struct buf file;
    dump_init(&dump);
    buf_init(&file, SIZE_MAX);
    build_old_file(&file);
    dump_write(&dump, buf_slice(&file));
    dump_start(&dump);
    assert_holds(&dump, buf_slice(&file));
    struct redis_reply elements;
    redis_ask(&dump.redis, &elements, "LRANGE ziplist 0 -1");
    assert_int_equal(elements.count, RDB_ZIPLIST_ELEMENTS);
    for (size_t i = 0; i < elements.count; i++)
        assert_true(rdb_ziplist_matches(i, elements.items[i].bytes));
    redis_reply_free(&elements);
    buf_deinit(&file);
    dump_deinit(&dump);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_redis_loads_what_we_write),
        cmocka_unit_test(test_redis_loads_what_we_compress),
        cmocka_unit_test(test_redis_finds_our_checksum_in_damaged_files),
        cmocka_unit_test(test_redis_works_on_loaded_lists),
        cmocka_unit_test(test_we_read_what_redis_saves),
        cmocka_unit_test(test_we_pass_over_other_types),
        cmocka_unit_test(test_both_read_old_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
