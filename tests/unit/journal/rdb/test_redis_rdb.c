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
#include "journal/redis_server.h"

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
static void assert_holds(struct server *server, struct slice file)
{
    struct recorder recorder;
    struct buf contents;
    buf_init(&contents, SIZE_MAX);
    server_contents(server, &contents);
    read_file(file, &recorder);
    recorder_assert_same_keys(&contents, &recorder.text);
    recorder_deinit(&recorder);
    buf_deinit(&contents);
}

/* Redis saves, and we read the same out of that as it holds. */
static void assert_saves(struct server *server)
{
    struct buf saved;
    buf_init(&saved, SIZE_MAX);
    server_read_dump(server, &saved);
    assert_holds(server, buf_slice(&saved));
    buf_deinit(&saved);
}

/* ---- it loads what we write ---- */

static void loads_ours(bool compress)
{
    uint64_t random = seeded_start();
    struct server server;
    struct sample sample;
    server_init(&server);
    sample_begin(&sample, compress, 0);
    assert_true(rdb_write_aux(&sample.file, SLICE_LITERAL("aof-base"), SLICE_LITERAL("1")));
    assert_true(rdb_write_sizes(&sample.file, 0, 100, 20));
    assert_true(sample_fill(&sample, &random, 3000));
    assert_true(sample_end(&sample));
    server_write_dump(&server, buf_slice(&sample.bytes));
    assert_true(server_check_rdb_accepts(&server));
    server_start(&server);
    assert_holds(&server, buf_slice(&sample.bytes));
    assert_saves(&server);
    sample_free(&sample);
    server_deinit(&server);
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
    struct server server;
    struct sample sample;
    struct rdb_key key = {.name = SLICE_LITERAL("key")};
    server_init(&server);
    sample_begin(&sample, false, 0);
    assert_true(sample_string(&sample, 0, &key, SLICE_LITERAL("some value")));
    assert_true(sample_end(&sample));
    server_write_dump(&server, buf_slice(&sample.bytes));
    assert_true(server_check_rdb_accepts(&server));
    sample.bytes.data[sample.bytes.len - 12] ^= 1; /* in the value */
    server_write_dump(&server, buf_slice(&sample.bytes));
    assert_false(server_check_rdb_accepts(&server));
    sample_free(&sample);
    server_deinit(&server);
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
static void change_both(struct server *server, uint64_t *random)
{
    static uint8_t bytes[SAMPLE_MOST + 24];
    static const char *const verbs[] = {"LPUSH", "RPUSH", "LPOP", "RPOP", "LSET", "LREM"};
    const char *verb = verbs[seeded_below(random, 6)];
    struct slice value = sample_bytes(random, bytes, SAMPLE_MOST);
    char index[16];
    sprintf(index, "%u", seeded_below(random, 60));
    for (int i = 0; i < 2; i++) {
        struct server_reply reply;
        struct slice words[] = {
            slice_from_string(verb), i == 0 ? SLICE_LITERAL("loaded") : SLICE_LITERAL("pushed"),
            verb[1] == 'S' || verb[1] == 'R' ? slice_from_string(index) : value, value};
        size_t count = strstr(verb, "POP") != NULL ? 2 : strstr(verb, "PUSH") != NULL ? 3 : 4;
        server_ask(server, &reply, words, count);
        server_reply_free(&reply);
    }
}

static void assert_both_equal(struct server *server)
{
    struct server_reply replies[2];
    server_call(server, &replies[0], "LRANGE loaded 0 -1");
    server_call(server, &replies[1], "LRANGE pushed 0 -1");
    assert_int_equal(replies[0].count, replies[1].count);
    for (size_t i = 0; i < replies[0].count; i++)
        assert_true(slice_equal(replies[0].items[i].bytes, replies[1].items[i].bytes));
    server_reply_free(&replies[0]);
    server_reply_free(&replies[1]);
}

/* Loaded nodes are good for more than being read. */
static void test_redis_works_on_loaded_lists(void **state)
{
    (void)state;
    enum { COUNT = 120 };
    uint64_t random = seeded_start();
    struct server server;
    struct sample sample;
    struct slice elements[COUNT];
    struct rdb_key key = {.name = SLICE_LITERAL("loaded")};
    server_init(&server);
    sample_begin(&sample, false, 0);
    assert_true(sample_list(&sample, 0, &key, elements, mixed_elements(&random, elements, COUNT)));
    assert_true(sample_end(&sample));
    server_write_dump(&server, buf_slice(&sample.bytes));
    server_start(&server);
    for (size_t i = 0; i < COUNT; i++) {
        struct slice words[] = {SLICE_LITERAL("RPUSH"), SLICE_LITERAL("pushed"), elements[i]};
        server_do_words(&server, words, 3);
        free((void *)(uintptr_t)elements[i].data);
    }
    assert_both_equal(&server);
    for (int i = 0; i < 400; i++)
        change_both(&server, &random);
    assert_both_equal(&server);
    assert_saves(&server);
    sample_free(&sample);
    server_deinit(&server);
}

/* ---- we read what it saves ---- */

static void push_random(struct server *server, uint64_t *random, struct slice key, uint32_t count)
{
    static uint8_t bytes[SAMPLE_MOST + 24];
    for (uint32_t i = 0; i < count; i++) {
        uint32_t most = seeded_below(random, 30) == 0 ? SAMPLE_MOST : 99;
        struct slice words[] = {SLICE_LITERAL("RPUSH"), key, sample_bytes(random, bytes, most)};
        server_do_words(server, words, 3);
    }
}

static void set_random(struct server *server, uint64_t *random, struct slice key)
{
    static uint8_t bytes[SAMPLE_MOST + 24];
    struct slice words[] = {SLICE_LITERAL("SET"), key, sample_bytes(random, bytes, SAMPLE_MOST),
                            SLICE_LITERAL("PXAT"), SLICE_LITERAL("4102444800123")};
    server_do_words(server, words, seeded_below(random, 3) == 0 ? 5 : 3);
}

/* Fills two databases with strings and lists. */
static void fill(struct server *server, uint64_t *random)
{
    for (int i = 0; i < 120; i++) {
        char name[32];
        sprintf(name, i % 10 == 0 ? "%d" : "name:%d", i);
        server_do(server, i < 60 ? "SELECT 0" : "SELECT 9");
        if (i % 4 == 0)
            push_random(server, random, slice_from_string(name), 1 + seeded_below(random, 80));
        else
            set_random(server, random, slice_from_string(name));
    }
    server_do(server, "SELECT 0");
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
    struct server server;
    server_init(&server);
    server_start(&server);
    server_do(&server, "CONFIG SET maxmemory-policy allkeys-lru");
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct server_reply reply;
        server_call(&server, &reply, settings[i]); /* rdbchecksum cannot be set while it runs */
        server_reply_free(&reply);
        server_do(&server, "FLUSHALL");
        fill(&server, &random);
        assert_saves(&server);
    }
    server_deinit(&server);
}

/* Small ones are packed, large ones are not: both encodings of each type, in each format. */
static void fill_other_types(struct server *server, const char *prefix, int count)
{
    char command[300];
    for (int i = 0; i < count; i++) {
        const char *const commands[] = {"SADD %sset member:%d", "SADD %sintset %d",
                                        "HSET %shash field:%d v", "ZADD %szset %d.5 member:%d",
                                        "XADD %sstream * f%d v"};
        for (size_t c = 0; c < 5; c++) {
            snprintf(command, sizeof command, commands[c], prefix, i, i);
            server_do(server, command);
        }
    }
    snprintf(command, sizeof command, "ZADD %szset inf a -inf b", prefix);
    server_do(server, command);
    snprintf(command, sizeof command, "XGROUP CREATE %sstream group 0", prefix);
    server_do(server, command);
    snprintf(command, sizeof command, "XREADGROUP GROUP group one COUNT 3 STREAMS %sstream >",
             prefix);
    server_do(server, command);
    snprintf(command, sizeof command, "XREADGROUP GROUP group two COUNT 300 STREAMS %sstream >",
             prefix);
    server_do(server, command);
    snprintf(command, sizeof command, "EXPIREAT %shash 4102444800", prefix);
    server_do(server, command);
}

static void test_we_pass_over_other_types(void **state)
{
    (void)state;
    static const char library[] = "#!lua name=lib\n"
                                  "redis.register_function('f', function() return 1 end)";
    struct server server;
    struct buf saved;
    struct recorder recorder;
    server_init(&server);
    server_start(&server);
    server_do(&server, "SET first string");
    fill_other_types(&server, "small:", 3);
    fill_other_types(&server, "large:", 700);
    server_do(&server, "RPUSH last list");
    assert_saves(&server);
    struct slice words[] = {SLICE_LITERAL("FUNCTION"), SLICE_LITERAL("LOAD"),
                            SLICE_LITERAL(library)};
    server_do_words(&server, words, 3);
    buf_init(&saved, SIZE_MAX);
    server_read_dump(&server, &saved);
    read_file(buf_slice(&saved), &recorder);
    const char *text = recorder_text(&recorder.text);
    assert_non_null(strstr(text, "! function library\n"));
    assert_non_null(strstr(text, "0 \"small:hash\" @4102444800000 v0 ! hash\n"));
    assert_non_null(strstr(text, "0 \"large:stream\" @0 v0 ! stream\n"));
    recorder_deinit(&recorder);
    buf_deinit(&saved);
    server_deinit(&server);
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
    struct server server;
    struct buf file;
    server_init(&server);
    buf_init(&file, SIZE_MAX);
    build_old_file(&file);
    server_write_dump(&server, buf_slice(&file));
    server_start(&server);
    assert_holds(&server, buf_slice(&file));
    struct server_reply elements;
    server_call(&server, &elements, "LRANGE ziplist 0 -1");
    assert_int_equal(elements.count, RDB_ZIPLIST_ELEMENTS);
    for (size_t i = 0; i < elements.count; i++)
        assert_true(rdb_ziplist_matches(i, elements.items[i].bytes));
    server_reply_free(&elements);
    buf_deinit(&file);
    server_deinit(&server);
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
