/* journal/compute.c and what replay.c leaves out: redis-server 7.0 logs random commands, and our
 * replay of its log must hold what it holds. */
#include "journal/compute.h"

#include "base/arena.h"
#include "journal/replay.h"
#include "store/restore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/fs/posix.h"
#include "redis/compare.h"
#include "store/keyspace_fixture.h"
#include "store/seeded.h"
#include "support/folder.h"

#define COMMANDS 6000

/* 'k' is one of a few keys, 'd' a database, 'o' an offset, 'n' a number, 't' the type of a field,
 * 'v' OVERFLOW's word; other words stand for themselves. Each BITFIELD has a part that succeeds:
 * else Redis may create a key without logging that. */
static const char *const known[] = {
    "SETBIT k o 1",
    "SETBIT k o 0",
    "BITFIELD k SET t o n",
    "BITFIELD k INCRBY t #1 n GET u4 0 SET t o n",
    "BITFIELD k OVERFLOW v INCRBY t o n OVERFLOW v SET t o n SET u1 o 1",
    "BITFIELD k OVERFLOW FAIL SET u8 o 300 SET u1 o 1",
    "BITOP AND k k k",
    "BITOP OR k k k k",
    "BITOP XOR k k k",
    "BITOP NOT k k",
    "SORT k STORE k",
    "SORT k DESC LIMIT 1 3 STORE k",
    "SORT k ALPHA STORE k",
    "SORT k ALPHA DESC LIMIT 0 2 STORE k",
    "SORT k BY nosort DESC STORE k",
    "SORT k BY w* GET # GET w* STORE k",
    "SORT k BY w* DESC LIMIT 0 -1 STORE k",
    "SORT k BY w*->x STORE k",
    "SORT k BY nosort GET x STORE k",
    "SWAPDB d d",
    "SET k n",
    "SET k n",
    "SET k abc EX 100000",
    "SET k n KEEPTTL",
    "SET k n NX",
    "SET w3 n",
    "APPEND k n",
    "INCRBYFLOAT k 1.5",
    "RPUSH k n n n n 3",
    "RPUSH k n 3 n",
    "RPUSH k b a c",
    "LPUSH k n",
    "LMOVE k k LEFT RIGHT",
    "LPOP k",
    "COPY k k REPLACE",
    "COPY k k",
    "COPY k k DB d REPLACE",
    "MOVE k d",
    "RENAME k k",
    "RENAMENX k k",
    "DEL k",
    "DEL k k",
    "GETDEL k",
    "PEXPIREAT k 99999999999999",
    "PERSIST k",
    "SELECT d",
};

static const char *const foreign[] = {
    "SADD k n",          "SMOVE k k 3",    "HSET k f n",     "ZADD k n m",
    "PFADD k n",         "PFMERGE k k k",  "PFCOUNT k",      "SUNIONSTORE k k k",
    "ZUNIONSTORE k 1 k", "XADD k * f v",   "GEOADD k 1 2 m", "GEORADIUS k 1 2 9 km STORE k",
    "MSET k n k n",      "MSETNX k n k n", "FLUSHDB",
};

static void append_word(char *out, size_t size, const char *word, uint64_t *random)
{
    static const char *const types[] = {"u1", "i5", "u8", "i16", "u63", "i64", "i33"};
    static const char *const overflows[] = {"WRAP", "SAT", "FAIL"};
    size_t len = strlen(out);
    if (strcmp(word, "k") == 0)
        snprintf(out + len, size - len, " k%u", seeded_below(random, 12));
    else if (strcmp(word, "d") == 0)
        snprintf(out + len, size - len, " %u", seeded_below(random, KEYSPACE_DATABASES));
    else if (strcmp(word, "o") == 0)
        snprintf(out + len, size - len, " %u", seeded_below(random, 100));
    else if (strcmp(word, "n") == 0)
        snprintf(out + len, size - len, " %d",
                 (int)seeded_below(random, seeded_below(random, 2) == 0 ? 20 : 1000000) - 9);
    else if (strcmp(word, "t") == 0)
        snprintf(out + len, size - len, " %s", types[seeded_below(random, 7)]);
    else if (strcmp(word, "v") == 0)
        snprintf(out + len, size - len, " %s", overflows[seeded_below(random, 3)]);
    else
        snprintf(out + len, size - len, "%s%s", len > 0 ? " " : "", word);
}

static void send_random(struct redis *redis, const char *form, uint64_t *random)
{
    struct redis_reply reply;
    char words[200] = "", copy[100], *rest = copy, *word;
    snprintf(copy, sizeof copy, "%s", form);
    while ((word = strsep(&rest, " ")) != NULL)
        append_word(words, sizeof words, word, random);
    redis_ask(redis, &reply, words); /* which may be an error */
    redis_reply_free(&reply);
}

static void load_log(const struct folder *folder, struct loading *loading)
{
    struct fs *fs;
    struct fs_file *file;
    struct slice log;
    struct replay_end end;
    assert_int_equal(fs_posix_open(folder->path, &fs), 0);
    assert_int_equal(fs_open(fs, "appendonlydir/appendonly.aof.1.incr.aof", FS_READ, &file), 0);
    assert_int_equal(fs_map(file, &log), 0);
    if (!replay_log(loading, log, 0, &end))
        fail_msg("%s", loading->why);
    fs_unmap(fs, log);
    fs_close(file);
    fs_close_directory(fs);
}

/* Every key of Redis that the store does not have must have been left out. */
static void compare_missing(struct redis *redis, struct store *store, struct loading *loading)
{
    size_t missing = 0;
    for (uint32_t db = 0; db < KEYSPACE_DATABASES; db++) {
        char words[32];
        snprintf(words, sizeof words, "SELECT %u", db);
        redis_do(redis, words);
        missing += (size_t)redis_ask_number(redis, "DBSIZE") - store_count(store, db);
    }
    assert_true(missing <= loading->left_out.count);
}

static void run(bool with_foreign)
{
    uint64_t random = seeded_start();
    struct folder folder;
    struct redis redis;
    struct store *store = store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
    struct loading loading = {.store = store};
    folder_make(&folder);
    redis_start(&redis, folder.path, NULL, NULL);
    for (int i = 0; i < COMMANDS; i++) {
        bool is_foreign = with_foreign && seeded_below(&random, 4) == 0;
        send_random(&redis,
                    is_foreign ? foreign[seeded_below(&random, sizeof foreign / sizeof *foreign)]
                               : known[seeded_below(&random, sizeof known / sizeof *known)],
                    &random);
    }
    load_log(&folder, &loading);
    compare_within(&redis, store);
    if (with_foreign)
        compare_missing(&redis, store, &loading);
    else
        compare_stores(&redis, store);
    redis_stop(&redis);
    loading_deinit(&loading);
    store_free(store);
    folder_remove(&folder);
}

static void what_redis_logs_is_computed(void **state)
{
    (void)state;
    run(false);
}

static void nothing_wrong_is_loaded(void **state)
{
    (void)state;
    run(true);
}

/* ---- RESTORE, with what DUMP gave ---- */

/* Restores the key's value under a new name, and over what "over" holds. */
static void dump_and_restore(struct redis *redis, const char *key)
{
    struct redis_reply dump;
    char name[20];
    struct slice dump_args[] = {SLICE_LITERAL("DUMP"), slice_from_string(key)};
    redis_ask_args(redis, &dump, dump_args, 2);
    snprintf(name, sizeof name, "%s2", key);
    struct slice args[] = {SLICE_LITERAL("RESTORE"), slice_from_string(name),
                           SLICE_LITERAL("100000000"), dump.bytes};
    redis_do_args(redis, args, 4);
    struct slice over[] = {SLICE_LITERAL("RESTORE"), SLICE_LITERAL("over"), SLICE_LITERAL("0"),
                           dump.bytes, SLICE_LITERAL("REPLACE")};
    redis_do_args(redis, over, 5);
    redis_reply_free(&dump);
}

static void restore_is_read(void **state)
{
    (void)state;
    static const char *const keys[] = {"text", "number", "list"};
    struct folder folder;
    struct redis redis;
    struct store *store = store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
    struct loading loading = {.store = store};
    folder_make(&folder);
    redis_start(&redis, folder.path, NULL, NULL);
    redis_do(&redis, "SET text aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    redis_do(&redis, "SET number 12345");
    redis_do(&redis, "RPUSH list a 1 -70000 b");
    redis_do(&redis, "SADD set a");
    redis_do(&redis, "SET over was");
    for (size_t i = 0; i < 3; i++)
        dump_and_restore(&redis, keys[i]);
    redis_do(&redis, "DEL set");
    load_log(&folder, &loading);
    compare_stores(&redis, store);
    redis_stop(&redis);
    loading_deinit(&loading);
    store_free(store);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_redis_logs_is_computed),
        cmocka_unit_test(nothing_wrong_is_loaded),
        cmocka_unit_test(restore_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
