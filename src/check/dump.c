/*
 * Gathers the entries of the store, sorts them and prints them. It gets them by a snapshot of the
 * store; as nobody writes, the entries stay where they are.
 */
#include "check/dump.h"

#include "base/mem.h"
#include "base/quote.h"
#include "store/data/entry.h"
#include "store/list/list.h"
#include "store/snapshot.h"

#include <inttypes.h>
#include <stdlib.h>

#define FIRST_ENTRIES 1024
/* Elements, or bytes of elements, after which an RPUSH ends. */
#define MOST_ELEMENTS 64
#define MOST_BYTES    ((size_t)64 * 1024)

struct found {
    uint32_t db;
    const struct entry *entry;
};

struct gathering {
    struct snapshot snapshot; /* first member: callbacks find the rest by it */
    struct found *items;
    size_t count;
    size_t capacity;
};

static void dump_gather(struct snapshot *snapshot, const struct snapshot_entry *saved, bool early)
{
    struct gathering *gathering = (struct gathering *)snapshot;
    (void)early;
    if (gathering->count == gathering->capacity) {
        gathering->capacity = gathering->capacity > 0 ? gathering->capacity * 2 : FIRST_ENTRIES;
        gathering->items =
            mem_realloc(gathering->items, gathering->capacity * sizeof *gathering->items);
    }
    gathering->items[gathering->count++] = (struct found){.db = saved->db, .entry = saved->entry};
}

/* Nothing to prepare. */
static void dump_on_begin(struct snapshot *snapshot)
{
    (void)snapshot;
}

static int dump_compare_slices(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int dump_compare(const void *a, const void *b)
{
    const struct found *left = a;
    const struct found *right = b;
    if (left->db != right->db)
        return left->db < right->db ? -1 : 1;
    return dump_compare_slices(entry_key(left->entry), entry_key(right->entry));
}

static void dump_print_word(FILE *out, struct slice word)
{
    putc(' ', out);
    quote_word(out, word);
}

static void dump_print_string(FILE *out, const struct entry *entry)
{
    int64_t expire_at_ms = entry_expire_at_ms(entry);
    fputs("SET", out);
    dump_print_word(out, entry_key(entry));
    dump_print_word(out, entry_string(entry));
    if (expire_at_ms != 0)
        fprintf(out, " PXAT %" PRId64, expire_at_ms);
    putc('\n', out);
}

static void dump_print_list(FILE *out, const struct entry *entry)
{
    struct list_cursor cursor;
    size_t elements = 0, bytes = 0;
    /* Idempotent, also if the key already exists. */
    fputs("DEL", out);
    dump_print_word(out, entry_key(entry));
    putc('\n', out);
    for (bool on = list_seek(entry_list(entry), &cursor, 0); on; on = list_next(&cursor)) {
        if (elements == MOST_ELEMENTS || bytes >= MOST_BYTES) {
            putc('\n', out);
            elements = bytes = 0;
        }
        if (elements == 0) {
            fputs("RPUSH", out);
            dump_print_word(out, entry_key(entry));
        }
        dump_print_word(out, list_cursor_value(&cursor));
        elements++;
        bytes += list_cursor_length(&cursor);
    }
    putc('\n', out);
    int64_t expire_at_ms = entry_expire_at_ms(entry);
    if (expire_at_ms == 0)
        return;
    fputs("PEXPIREAT", out);
    dump_print_word(out, entry_key(entry));
    fprintf(out, " %" PRId64 "\n", expire_at_ms);
}

static uint64_t dump_print_all(FILE *out, const struct gathering *gathering, int64_t now_ms)
{
    uint64_t printed = 0;
    uint32_t db = UINT32_MAX;
    for (size_t i = 0; i < gathering->count; i++) {
        const struct found *found = &gathering->items[i];
        int64_t expire_at_ms = entry_expire_at_ms(found->entry);
        if (expire_at_ms != 0 && expire_at_ms <= now_ms)
            continue;
        if (found->db != db)
            fprintf(out, "SELECT %" PRIu32 "\n", db = found->db);
        if (entry_type(found->entry) == ENTRY_LIST)
            dump_print_list(out, found->entry);
        else
            dump_print_string(out, found->entry);
        printed++;
    }
    return printed;
}

uint64_t dump_store(FILE *out, struct store *store, int64_t now_ms)
{
    struct gathering gathering = {.snapshot = {.save = dump_gather, .on_begin = dump_on_begin}};
    store_snapshot_begin(store, &gathering.snapshot);
    while (store_snapshot_step(store, &gathering.snapshot))
        ;
    store_snapshot_end(store);
    if (gathering.count > 0)
        qsort(gathering.items, gathering.count, sizeof *gathering.items, dump_compare);
    uint64_t printed = dump_print_all(out, &gathering, now_ms);
    free(gathering.items);
    return printed;
}
