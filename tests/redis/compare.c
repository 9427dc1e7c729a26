/* Asks a real Redis for every key that a store holds. */
#include "redis/compare.h"

#include "store/data/dict.h"
#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/list/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void compare_list(struct redis *redis, const struct entry *entry)
{
    struct redis_reply reply;
    struct slice args[] = {SLICE_LITERAL("LRANGE"), entry_key(entry), SLICE_LITERAL("0"),
                           SLICE_LITERAL("-1")};
    struct list_cursor cursor;
    size_t at = 0;
    redis_ask_args(redis, &reply, args, 4);
    assert_int_equal(reply.count, list_length(entry_list(entry)));
    for (bool on = list_seek(entry_list(entry), &cursor, 0); on; on = list_next(&cursor))
        assert_true(slice_equal(reply.items[at++].bytes, list_cursor_value(&cursor)));
    redis_reply_free(&reply);
}

static void compare_string(struct redis *redis, const struct entry *entry)
{
    struct redis_reply reply;
    struct slice args[] = {SLICE_LITERAL("GET"), entry_key(entry)};
    redis_ask_args(redis, &reply, args, 2);
    assert_int_equal(reply.type, '$');
    assert_true(reply.number >= 0);
    assert_true(slice_equal(reply.bytes, entry_string(entry)));
    redis_reply_free(&reply);
}

static void compare_entry(void *context, struct entry *entry)
{
    struct redis *redis = context;
    struct redis_reply reply;
    struct slice args[] = {SLICE_LITERAL("PEXPIRETIME"), entry_key(entry)};
    int64_t expire_at_ms = entry_expire_at_ms(entry);
    redis_ask_args(redis, &reply, args, 2);
    assert_int_equal(reply.number, expire_at_ms != 0 ? expire_at_ms : -1);
    redis_reply_free(&reply);
    if (entry_type(entry) == ENTRY_LIST)
        compare_list(redis, entry);
    else
        compare_string(redis, entry);
}

static void compare_databases(struct redis *redis, struct store *store, bool same_count)
{
    for (uint32_t db = 0; db < COMPARE_DATABASES; db++) {
        char words[32];
        snprintf(words, sizeof words, "SELECT %u", db);
        redis_do(redis, words);
        if (same_count)
            assert_int_equal(redis_ask_number(redis, "DBSIZE"), store_count(store, db));
        for (size_t i = 0; i < store->shard_count; i++) {
            uint64_t cursor = 0;
            do
                cursor =
                    dict_scan(&store->shards[i].databases[db].dict, cursor, compare_entry, redis);
            while (cursor != 0);
        }
    }
}

void compare_stores(struct redis *redis, struct store *store)
{
    compare_databases(redis, store, true);
}

void compare_within(struct redis *redis, struct store *store)
{
    compare_databases(redis, store, false);
}
