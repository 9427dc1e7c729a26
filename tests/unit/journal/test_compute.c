/* Tests of journal/compute.c and what replay.c leaves out: redis-server 7.0 logs random commands,
 * and our replay of its log must hold what it holds. */
#include "journal/compute.h"

#include "base/arena.h"
#include "journal/replay.h"
#include "store/restore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/folder.h"
#include "journal/fs/posix.h"
#include "store/keyspace_fixture.h"
#include "store/seeded.h"

#include "journal/redis_peer.h"
#include "journal/replay_fixture.h"

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

/* Whatever the reply is. */
static void pass_reply(struct peer *peer)
{
    struct peer_reply reply = peer_reply(peer);
    for (int64_t i = 0; reply.type == '*' && i < reply.number; i++)
        pass_reply(peer);
}

static void send_random(struct peer *peer, const char *form, uint64_t *random)
{
    char words[200] = "", copy[100], *rest = copy, *word;
    snprintf(copy, sizeof copy, "%s", form);
    while ((word = strsep(&rest, " ")) != NULL)
        append_word(words, sizeof words, word, random);
    peer_send_words(peer, words);
    pass_reply(peer);
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

static void compare_entries(struct peer *peer, struct store *store)
{
    for (uint32_t db = 0; db < KEYSPACE_DATABASES; db++) {
        char words[32];
        snprintf(words, sizeof words, "SELECT %u", db);
        peer_do(peer, words);
        for (size_t i = 0; i < store->shard_count; i++) {
            uint64_t cursor = 0;
            do
                cursor = dict_scan(&store->shards[i].databases[db].dict, cursor, peer_compare_entry,
                                   peer);
            while (cursor != 0);
        }
    }
}

/* Every key of Redis that the store does not have must have been left out. */
static void compare_missing(struct peer *peer, struct store *store, struct loading *loading)
{
    size_t missing = 0;
    for (uint32_t db = 0; db < KEYSPACE_DATABASES; db++) {
        char words[32];
        snprintf(words, sizeof words, "SELECT %u", db);
        peer_do(peer, words);
        peer_send_words(peer, "DBSIZE");
        missing += (size_t)peer_reply(peer).number - store_count(store, db);
    }
    assert_true(missing <= loading->left_out.count);
}

static void run(bool with_foreign)
{
    uint64_t random = seeded_start();
    struct folder folder;
    struct peer peer;
    struct store *store = store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
    struct loading loading = {.store = store};
    folder_make(&folder);
    peer_start(&peer, &folder);
    for (int i = 0; i < COMMANDS; i++) {
        bool is_foreign = with_foreign && seeded_below(&random, 4) == 0;
        send_random(&peer,
                    is_foreign ? foreign[seeded_below(&random, sizeof foreign / sizeof *foreign)]
                               : known[seeded_below(&random, sizeof known / sizeof *known)],
                    &random);
    }
    load_log(&folder, &loading);
    compare_entries(&peer, store);
    if (with_foreign)
        compare_missing(&peer, store, &loading);
    else
        peer_compare(&peer, store);
    peer_stop(&peer);
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

static void restore_is_read(void **state)
{
    (void)state;
    static const char *const keys[] = {"text", "number", "list"};
    struct folder folder;
    struct peer peer;
    struct store *store = store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
    struct loading loading = {.store = store};
    folder_make(&folder);
    peer_start(&peer, &folder);
    peer_do(&peer, "SET text aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    peer_do(&peer, "SET number 12345");
    peer_do(&peer, "RPUSH list a 1 -70000 b");
    peer_do(&peer, "SADD set a");
    peer_do(&peer, "SET over was");
    for (size_t i = 0; i < 3; i++) {
        struct peer_reply dump = peer_ask(&peer, "DUMP", slice_from_string(keys[i]));
        struct buf copy;
        char name[20];
        buf_init(&copy, SIZE_MAX);
        assert_true(buf_append(&copy, dump.bytes));
        snprintf(name, sizeof name, "%s2", keys[i]);
        struct slice args[] = {SLICE_LITERAL("RESTORE"), slice_from_string(name),
                               SLICE_LITERAL("100000000"), buf_slice(&copy)};
        peer_send_args(&peer, args, 4);
        assert_true(peer_skip_reply(&peer));
        struct slice over[] = {SLICE_LITERAL("RESTORE"), SLICE_LITERAL("over"), SLICE_LITERAL("0"),
                               buf_slice(&copy), SLICE_LITERAL("REPLACE")};
        peer_send_args(&peer, over, 5);
        assert_true(peer_skip_reply(&peer));
        buf_deinit(&copy);
    }
    peer_do(&peer, "DEL set");
    load_log(&folder, &loading);
    peer_compare(&peer, store);
    peer_stop(&peer);
    loading_deinit(&loading);
    store_free(store);
    folder_remove(&folder);
}

/* ---- what Redis 7.0 does not have ---- */

/* All words of SET and of deletions on a value; what the condition is not true of stays. */
static void conditions_on_values_are_checked(void **state)
{
    struct replay_fixture *fixture = *state;
    static const char *const commands[] = {"SET a 1",
                                           "SET a 2 IFEQ 1",
                                           "SET a 3 IFEQ 1",
                                           "SET none 1 IFEQ 1",
                                           "SET b 1",
                                           "SET b 2 IFNE 2",
                                           "SET b 3 IFNE 2",
                                           "SET c 1 IFNE 1",
                                           "SET d 1 PXAT 9000",
                                           "SET d 2 IFEQ 1 KEEPTTL",
                                           "SET d 3 IFEQ 1 GET",
                                           "SET e 1",
                                           "DELIFEQ e 2",
                                           "SET f 1",
                                           "DELIFEQ f 1",
                                           "SET g 1",
                                           "DELEX g IFEQ 1",
                                           "SET h 1",
                                           "DELEX h IFEQ 2",
                                           "SET i 1",
                                           "DELEX i IFNE 2",
                                           "SET j 1",
                                           "DELEX j",
                                           "SET k 1",
                                           "DELEX k IFNE 1"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        replay_add(fixture, commands[i]);
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"a\" @0 v2 = \"2\"\n"
                                      "0 \"b\" @0 v6 = \"2\"\n"
                                      "0 \"c\" @0 v8 = \"1\"\n"
                                      "0 \"d\" @9000 v10 = \"2\"\n"
                                      "0 \"e\" @0 v12 = \"1\"\n"
                                      "0 \"h\" @0 v18 = \"1\"\n"
                                      "0 \"k\" @0 v24 = \"1\"\n");
}

/* Whatever is read or kept of a key that was left out is not known. */
static void what_was_left_out_decides_nothing(void **state)
{
    struct replay_fixture *fixture = *state;
    static const char *const commands[] = {
        "SADD a 1",       "SET a x IFEQ 1", "SADD b 1",
        "DELEX b IFNE x", "SADD c 1",       "MSETEX 2 d 1 c 2 KEEPTTL",
        "SADD e 1",       "MSETEX 1 e 2",   "SADD s 1",
        "SET t 1",        "BITOP ONE t t s"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        replay_add(fixture, commands[i]);
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"e\" @0 v8 = \"2\"\n");
}

static void several_keys_are_set_with_one_deadline(void **state)
{
    struct replay_fixture *fixture = *state;
    static const char *const bad[] = {"MSETEX 2 a 1",       "MSETEX 0 a 1",
                                      "MSETEX -1 a 1",      "MSETEX x a 1",
                                      "MSETEX 1 a 1 LATER", "MSETEX 4611686018427387905 a 1",
                                      "MSETEX 1 a 1 PXAT"};
    replay_add(fixture, "SET kept 0 PXAT 7000");
    replay_add(fixture, "SET lost 0 PXAT 7000");
    replay_add(fixture, "MSETEX 2 a 1 b 2 PXAT 9000");
    replay_add(fixture, "MSETEX 2 c 1 c 2 NX EXAT 8");
    replay_add(fixture, "MSETEX 1 kept 1 XX KEEPTTL");
    replay_add(fixture, "MSETEX 1 lost 1");
    assert_true(replay_run(fixture));
    store_text_expect(fixture->store, "0 \"a\" @9000 v3 = \"1\"\n"
                                      "0 \"b\" @9000 v3 = \"2\"\n"
                                      "0 \"c\" @8000 v4 = \"2\"\n"
                                      "0 \"kept\" @7000 v5 = \"1\"\n"
                                      "0 \"lost\" @0 v6 = \"1\"\n");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        buf_clear(&fixture->log, SIZE_MAX);
        fixture->loading.verdict = LOADING_DONE;
        replay_add(fixture, bad[i]);
        replay_expect_end(fixture, LOADING_DAMAGED, 0, "MSETEX");
    }
}

/* a = 0110 0001, b = 0110 0010, c = 0110 0011, in the second byte only a and b. */
static void bits_are_combined_as_in_redis_8(void **state)
{
    struct replay_fixture *fixture = *state;
    static const struct {
        const char *command;
        const char *result; /* of two bytes; NULL: no key */
    } cases[] = {
        {"BITOP DIFF r a b", "\x01\x01"},    {"BITOP DIFF1 r a b", "\x02\x02"},
        {"BITOP ANDOR r a b", "\x60\x60"},   {"BITOP ONE r a b", "\x03\x03"},
        {"BITOP DIFF r a b c", "\x00\x01"},  {"BITOP DIFF1 r c a b", "\x00\x63"},
        {"BITOP ANDOR r c a b", "\x63\x00"}, {"BITOP ONE r a b c", "\x00\x03"},
        {"BITOP diff r c b", "\x01\x00"},    {"BITOP ONE r none none", NULL},
    };
    replay_add(fixture, "SET a aa");
    replay_add(fixture, "SET b bb");
    replay_add(fixture, "SET c c");
    replay_add(fixture, "SET r old PXAT 5");
    assert_true(replay_run(fixture));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&fixture->log, SIZE_MAX);
        replay_add(fixture, cases[i].command);
        assert_true(replay_run(fixture));
        const struct entry *entry = keyspace_look(fixture->store, 0, SLICE_LITERAL("r")).entry;
        assert_int_equal(entry != NULL, cases[i].result != NULL);
        if (entry == NULL)
            continue;
        if (!slice_equal(entry_string(entry), slice_make(cases[i].result, 2)))
            fail_msg("%s", cases[i].command);
        assert_int_equal(entry_expire_at_ms(entry), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_redis_logs_is_computed),
        cmocka_unit_test(nothing_wrong_is_loaded),
        cmocka_unit_test(restore_is_read),
        REPLAY_TEST(conditions_on_values_are_checked),
        REPLAY_TEST(what_was_left_out_decides_nothing),
        REPLAY_TEST(several_keys_are_set_with_one_deadline),
        REPLAY_TEST(bits_are_combined_as_in_redis_8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
