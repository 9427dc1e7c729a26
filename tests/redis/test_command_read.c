/* All commands that a real Redis logs are read by journal/log/command_read.c, and make a store hold
 * what Redis holds. */
#include "journal/log/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/fs/posix.h"
#include "redis/compare.h"
#include "store/keyspace_fixture.h"
#include "support/folder.h"

/* All commands of Redis 7.0 that write strings, lists and keys, but for those that UNSUPPORTED
 * lists; so that the log has all that Redis turns them into. */
static const char *const redis_writes[] = {
    "SET a 1",
    "SET a 2 NX",
    "SET b 2 NX",
    "SET b 3 XX GET",
    "SET c 3 EX 100000",
    "SET c 4 KEEPTTL",
    "SET d 4 PX 100000000",
    "SET e 5 EXAT 4000000000",
    "SET f 6 PXAT 4000000000001",
    "SET g 7 NX EX 1000000",
    "SET g 8 XX GET PX 100000000",
    "SET gone 8 PXAT 1",
    "GET gone",
    "SETNX h 8",
    "SETNX h 9",
    "SETEX i 100000 9",
    "PSETEX j 100000000 10",
    "GETSET i 11",
    "GETEX j PERSIST",
    "GETEX i EX 100000",
    "GETEX h EXAT 4000000000",
    "GETEX g PXAT 4000000000000",
    "GETDEL g",
    "MSET m1 1 m2 2 m1 3",
    "MSETNX m3 1 m4 2",
    "MSETNX m4 1 m5 2",
    "APPEND a tail",
    "APPEND new tail",
    "SETRANGE a 10 x",
    "SETRANGE range 3 y",
    "INCR n",
    "DECR n",
    "INCRBY n 10",
    "DECRBY n -7",
    "INCRBYFLOAT n 1.1",
    "INCRBYFLOAT fresh 0.30000001",
    "EXPIRE m1 100000",
    "EXPIRE m1 200000 GT",
    "EXPIRE m1 100 GT",
    "EXPIRE m2 100000 NX",
    "PEXPIRE m2 200000000 XX",
    "EXPIREAT m3 4000000000 NX",
    "PEXPIREAT m3 3999999999999 LT",
    "EXPIREAT m4 1",
    "MSET x1 1 x2 2 x3 3 x4 4",
    "EXPIRE x1 100000",
    "EXPIRE x1 200000 GT",
    "EXPIRE x1 150000 GT",
    "EXPIRE x2 200000 NX",
    "EXPIRE x2 100000 LT",
    "EXPIRE x3 100000 LT",
    "EXPIRE x3 50000 XX",
    "EXPIREAT x4 4000000000",
    "PEXPIREAT x4 4000000000001 XX",
    "PERSIST m1",
    "RENAME m1 m6",
    "RENAMENX m6 m7",
    "RENAMENX m7 m2",
    "COPY m7 m8",
    "COPY m7 m2 REPLACE",
    "COPY m7 m9 DB 2 REPLACE",
    "COPY m7 m9 DB 3",
    "MOVE m7 1",
    "DEL m2 nothing",
    "DEL m3 m8 a",
    "UNLINK b",
    "LPUSH l a b c",
    "RPUSH l d e f g h",
    "LPUSHX l 0 1",
    "RPUSHX none x",
    "RPUSHX l y",
    "LPOP l",
    "RPOP l",
    "LPOP l 2",
    "RPOP l 1",
    "LPOP l 0",
    "LINSERT l BEFORE d cc",
    "LINSERT l AFTER d dd",
    "LINSERT l AFTER none dd",
    "LSET l 0 zero",
    "LSET l -1 last",
    "RPUSH l x y x y x",
    "LREM l 1 x",
    "LREM l -1 x",
    "LREM l 0 none",
    "LTRIM l 1 -2",
    "RPOPLPUSH l l2",
    "RPOPLPUSH l l",
    "LMOVE l l2 LEFT RIGHT",
    "LMOVE l2 l3 RIGHT LEFT",
    "BLPOP none l 0",
    "BRPOP l2 0",
    "BRPOPLPUSH l l2 0",
    "BLMOVE l l2 LEFT LEFT 0",
    "RPUSH pop 1 2 3 4 5 6 7",
    "LMPOP 2 none pop LEFT COUNT 2",
    "BLMPOP 0 1 pop RIGHT COUNT 2",
    "LMPOP 1 pop RIGHT COUNT 100",
    "MULTI",
    "SET t1 1",
    "LPUSH t2 1 2",
    "GETEX t1 EX 100000",
    "EXPIRE t2 -1",
    "EXEC",
    "EVAL redis.call('set','s1',1)redis.call('expire','s1',100000)redis.call('rpush','s2',3) 0",
    "SELECT 2",
    "SET two 2",
    "SPUBLISH channel message",
    "PUBLISH channel message",
    "SELECT 3",
    "SET three 3",
    "FLUSHDB ASYNC",
    "SET three 4",
    "FLUSHDB",
    "SET three 5",
    "set lower 1 px 100000000 nx",
};

static void replay(struct store *store, struct slice log, bool flushes)
{
    struct scan scan;
    struct scan_record unit;
    struct arena arena;
    enum scan_verdict verdict;
    size_t flushed = 0;
    arena_init(&arena);
    scan_init(&scan, log, 0);
    while ((verdict = scan_next(&scan, &unit)) == SCAN_RECORD) {
        for (size_t i = 0; i < unit.count; i++) {
            struct op op;
            const char *why;
            enum command_verdict read = command_read(&unit.commands[i], &arena, &op, &why);
            if (read != COMMAND_OP && read != COMMAND_FLUSH_ALL)
                fail_msg("%.*s: %s", (int)unit.size, (const char *)log.data + unit.offset, why);
            flushed += read == COMMAND_FLUSH_ALL;
            op.db = read == COMMAND_FLUSH_ALL ? 0 : op.db;
            do
                keyspace_carry_out(store, &arena, &op);
            while (read == COMMAND_FLUSH_ALL && ++op.db < KEYSPACE_DATABASES);
        }
        arena_reset(&arena);
    }
    assert_int_equal(verdict, SCAN_CLEAN);
    assert_int_equal(flushed, flushes);
    scan_deinit(&scan);
    arena_deinit(&arena);
}

/* Stops Redis, after a comparison with what its log gives. */
static void compare_with_log(struct redis *redis, const struct folder *folder, bool flushes)
{
    struct store *store = store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
    struct fs *fs;
    struct fs_file *file;
    struct slice log;
    assert_int_equal(fs_posix_open(folder->path, &fs), 0);
    assert_int_equal(fs_open(fs, "appendonlydir/appendonly.aof.1.incr.aof", FS_READ, &file), 0);
    assert_int_equal(fs_map(file, &log), 0);
    replay(store, log, flushes);
    compare_stores(redis, store);
    fs_unmap(fs, log);
    fs_close(file);
    fs_close_directory(fs);
    redis_stop(redis);
    store_free(store);
}

static void all_that_redis_logs_is_read(void **state)
{
    (void)state;
    struct folder folder;
    struct redis redis;
    folder_make(&folder);
    redis_start(&redis, folder.path, NULL, NULL);
    for (size_t i = 0; i < sizeof redis_writes / sizeof *redis_writes; i++)
        redis_do(&redis, redis_writes[i]);
    compare_with_log(&redis, &folder, false);
    folder_remove(&folder);
}

static void all_databases_are_flushed(void **state)
{
    (void)state;
    struct folder folder;
    struct redis redis;
    folder_make(&folder);
    redis_start(&redis, folder.path, NULL, NULL);
    redis_do(&redis, "SET a 1");
    redis_do(&redis, "SELECT 3");
    redis_do(&redis, "SET b 1");
    redis_do(&redis, "FLUSHALL");
    redis_do(&redis, "SET c 1");
    compare_with_log(&redis, &folder, true);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_redis_logs_is_read),
        cmocka_unit_test(all_databases_are_flushed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
