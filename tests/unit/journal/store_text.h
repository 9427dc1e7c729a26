/*
 * What a store holds, as text, one line a key, sorted:
 *
 *    3 "key" @1700000000000 v17 = "value"           database, key, expiry, version, string
 *    3 "key" @0 v18 = [ "one" "two" ]               a list
 *
 * Included after <cmocka.h>.
 */
#ifndef KEYSTORE_TESTS_STORE_TEXT_H
#define KEYSTORE_TESTS_STORE_TEXT_H

#include "journal/rdb_recorder.h"
#include "store/data/entry.h"
#include "store/data/shard.h"
#include "store/list/list.h"
#include "store/store.h"

struct store_text_place {
    struct buf *text;
    uint32_t db;
    const struct database *database;
};

static inline void store_text_add(void *context, struct entry *entry)
{
    struct store_text_place *place = context;
    struct rdb_key key = {.name = entry_key(entry),
                          .expire_at_ms = entry_expire_at_ms(entry),
                          .version = database_version(place->database, entry)};
    struct list_cursor cursor;
    recorder_key(place->text, place->db, &key);
    if (entry_type(entry) == ENTRY_STRING) {
        recorder_print(place->text, "= ");
        recorder_quote(place->text, entry_string(entry));
    } else {
        recorder_print(place->text, "= [");
        for (bool on = list_seek(entry_list(entry), &cursor, 0); on; on = list_next(&cursor)) {
            recorder_print(place->text, " ");
            recorder_quote(place->text, list_cursor_value(&cursor));
        }
        recorder_print(place->text, " ]");
    }
    recorder_print(place->text, "\n");
}

/* The caller frees it. Nobody else uses the store, or all its shards are locked. */
static inline char *store_text(struct store *store)
{
    struct buf text;
    buf_init(&text, SIZE_MAX);
    for (size_t i = 0; i < store->shard_count; i++) {
        for (uint32_t db = 0; db < store_databases(store); db++) {
            const struct database *database = &store->shards[i].databases[db];
            struct store_text_place place = {.text = &text, .db = db, .database = database};
            uint64_t cursor = 0;
            do
                cursor = dict_scan(&database->dict, cursor, store_text_add, &place);
            while (cursor != 0);
        }
    }
    char *sorted = recorder_sorted(&text);
    buf_deinit(&text);
    return sorted;
}

static inline void store_text_expect(struct store *store, const char *expected)
{
    char *text = store_text(store);
    assert_string_equal(text, expected);
    free(text);
}

/* Both hold the same, with deadlines and versions. */
static inline void store_text_same(struct store *one, struct store *other)
{
    char *text = store_text(one);
    store_text_expect(other, text);
    free(text);
}

#endif
