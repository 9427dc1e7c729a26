/*
 * Visits bucket after bucket of a shard's dictionary, then the next shard. The entries of a bucket
 * go into the page together, in whatever order, and the cursor moves to the next bucket; only if
 * they are too large for an empty page are they taken in the order of their positions, and the
 * cursor stays between two of them. Knows no messages.
 */
#include "store/scan.h"

#include "base/arena.h"
#include "base/blob.h"
#include "base/check.h"
#include "base/glob.h"
#include "base/hex.h"
#include "base/mem.h"
#include "store/data/entry.h"
#include "store/data/shard.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

/* What is done while a shard is locked, and in a step; 1 is about 100 ns, a key. */
#define LOCK_COST 200
#define STEP_COST 1000
/* Keys, patterns and values cost more when they are long. */
#define MATCH_PER_COST ((size_t)128)
#define BYTES_PER_COST ((size_t)1024)
/* Bytes of an entry in a message beside its key, and those of a value beside its string. */
#define ENTRY_BYTES ((size_t)6)
#define VALUE_BYTES ((size_t)20)
/* Entries of a bucket for which there is room without the heap; more are hardly ever in one. */
#define BUCKET_ENTRIES 64
/* Entries of the first array of a page; each further one is twice as long. */
#define FIRST_ENTRIES ((size_t)128)

static const char foreign[] =
    "cursor: it is not one that this server has returned since it started; leave it empty to scan "
    "from the beginning";

/* A position in the order of a scan. */
struct place {
    uint64_t position; /* in the shard, as in dict_scan() */
    uint8_t shard;
    bool at_end;
};

/* The entries of a bucket that belong into the page. */
struct bucket_entry {
    uint64_t position; /* if they are sorted */
    struct entry *entry;
};
struct bucket {
    struct bucket_entry *entries; /* `own`, or an array on the heap */
    size_t count, capacity;
    size_t bytes; /* in a message */
    struct bucket_entry own[BUCKET_ENTRIES];
};

/* The state of a step. */
struct scanning {
    struct store *store;
    struct scan *scan;
    struct op_result *result;
    struct place place;
    bool shard_done; /* all of it is in the page, or in former ones */
    size_t cost;
};

/* ---- cursors ---- */

/*
 * The bytes of a cursor: a check over the rest under the store's secret, the position, the database
 * and the shard. Positions are parts of hashes of keys, which nobody may learn, or keys could be
 * made to collide; so they are masked.
 */
#define CHECK_AT    0
#define POSITION_AT 8
#define DB_AT       16
#define SHARD_AT    20
#define CURSOR_SIZE ((size_t)21)

_Static_assert(2 * CURSOR_SIZE == SCAN_CURSOR, "two digits a byte");

static void scan_mask(const struct store *store, uint8_t cursor[CURSOR_SIZE])
{
    uint64_t position, mask = XXH3_64bits_withSeed(cursor, POSITION_AT, store->cursor_seed + 1);
    memcpy(&position, cursor + POSITION_AT, sizeof position);
    position ^= mask;
    memcpy(cursor + POSITION_AT, &position, sizeof position);
}

static uint64_t scan_check_of(const struct store *store, const uint8_t cursor[CURSOR_SIZE])
{
    return XXH3_64bits_withSeed(cursor + POSITION_AT, CURSOR_SIZE - POSITION_AT,
                                store->cursor_seed);
}

static void scan_write_cursor(const struct store *store, struct scan *scan, struct place place)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t cursor[CURSOR_SIZE];
    memcpy(cursor + POSITION_AT, &place.position, sizeof place.position);
    memcpy(cursor + DB_AT, &scan->db, sizeof scan->db);
    cursor[SHARD_AT] = place.shard;
    uint64_t check = scan_check_of(store, cursor);
    memcpy(cursor + CHECK_AT, &check, sizeof check);
    scan_mask(store, cursor);
    scan->cursor_len = place.at_end ? 0 : SCAN_CURSOR;
    for (size_t i = 0; i < CURSOR_SIZE; i++) {
        scan->cursor[2 * i] = (uint8_t)digits[cursor[i] >> 4];
        scan->cursor[2 * i + 1] = (uint8_t)digits[cursor[i] & 0xf];
    }
}

/* False if the store has not written it. */
static bool scan_parse_cursor(const struct store *store, const struct scan *scan,
                              uint8_t cursor[CURSOR_SIZE])
{
    uint64_t check;
    for (size_t i = 0; i < CURSOR_SIZE; i++) {
        int high = hex_digit(scan->cursor[2 * i]), low = hex_digit(scan->cursor[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        cursor[i] = (uint8_t)(high << 4 | low);
    }
    scan_mask(store, cursor);
    memcpy(&check, cursor + CHECK_AT, sizeof check);
    return check == scan_check_of(store, cursor) && cursor[SHARD_AT] < store->shard_count;
}

static bool scan_refuse(struct op_result *result, enum err err, const char *why)
{
    result->err = err;
    result->why = why;
    return false;
}

/* False if the scan has failed. */
static bool scan_read_cursor(struct scanning *scanning)
{
    const struct scan *scan = scanning->scan;
    uint8_t cursor[CURSOR_SIZE];
    uint32_t db;
    if (scan->cursor_len == 0)
        return true;
    if (scan->cursor_len != SCAN_CURSOR || !scan_parse_cursor(scanning->store, scan, cursor))
        return scan_refuse(scanning->result, ERR_BAD_ARGUMENT, foreign);
    memcpy(&scanning->place.position, cursor + POSITION_AT, sizeof scanning->place.position);
    scanning->place.shard = cursor[SHARD_AT];
    memcpy(&db, cursor + DB_AT, sizeof db);
    if (db == scan->db)
        return true;
    static const char format[] =
        "cursor: it is of database %u and db is %u; a scan stays in its database";
    size_t size = sizeof format + (size_t)2 * 10;
    char *why = arena_alloc(scan->arena, size);
    snprintf(why, size, format, db, scan->db);
    return scan_refuse(scanning->result, ERR_BAD_ARGUMENT, why);
}

/* ---- the page ---- */

/* A copy of the bytes in the page's memory; false if the scan has failed. */
static bool scan_copy(struct scanning *scanning, struct slice bytes, struct slice *copy)
{
    struct scan *scan = scanning->scan;
    uint8_t *memory = arena_try(scan->arena, bytes.len);
    if (memory == NULL)
        return scan_refuse(scanning->result, scan->arena->refusal, scan->arena->why);
    slice_write(memory, bytes);
    *copy = slice_make(memory, bytes.len);
    return true;
}

/* Makes room for one more entry; false if the scan has failed. */
static bool scan_grow(struct scanning *scanning)
{
    struct scan *scan = scanning->scan;
    if (scan->count < scan->capacity)
        return true;
    size_t capacity = scan->capacity > 0 ? 2 * scan->capacity : FIRST_ENTRIES;
    struct scan_entry *entries = arena_try(scan->arena, capacity * sizeof *entries);
    if (entries == NULL)
        return scan_refuse(scanning->result, scan->arena->refusal, scan->arena->why);
    if (scan->count > 0)
        memcpy(entries, scan->entries, scan->count * sizeof *entries);
    scan->entries = entries;
    scan->capacity = capacity;
    return true;
}

static bool scan_has_value(const struct scan *scan, const struct entry *entry)
{
    return scan->with_values && entry_type(entry) == ENTRY_STRING;
}

static size_t scan_entry_bytes(const struct scan *scan, const struct entry *entry)
{
    size_t bytes = entry_key_length(entry) + ENTRY_BYTES;
    return scan_has_value(scan, entry) ? bytes + VALUE_BYTES + entry_string(entry).len : bytes;
}

/* False if the scan has failed. */
static bool scan_add_value(struct scanning *scanning, const struct database *database,
                           const struct entry *entry, struct scan_entry *found)
{
    struct op_value *value = arena_alloc(scanning->scan->arena, sizeof *value);
    *value = (struct op_value){.bytes = entry_string(entry),
                               .found = true,
                               .version = database_version(database, entry),
                               .expire_at_ms = entry_expire_at_ms(entry)};
    struct blob *blob = entry_blob(entry);
    if (blob != NULL)
        value->blob = blob_retain(blob);
    else if (!scan_copy(scanning, value->bytes, &value->bytes))
        return false;
    found->value = value;
    return true;
}

/* False if the scan has failed. */
static bool scan_add(struct scanning *scanning, const struct database *database,
                     const struct entry *entry)
{
    struct scan *scan = scanning->scan;
    struct scan_entry found = {.type =
                                   entry_type(entry) == ENTRY_LIST ? OP_TYPE_LIST : OP_TYPE_STRING};
    if (!scan_grow(scanning) || !scan_copy(scanning, entry_key(entry), &found.key))
        return false;
    if (scan_has_value(scan, entry) && !scan_add_value(scanning, database, entry, &found))
        return false;
    scan->entries[scan->count++] = found;
    scan->bytes += scan_entry_bytes(scan, entry);
    return true;
}

void scan_release(struct scan *scan)
{
    for (size_t i = 0; i < scan->count && scan->with_values; i++)
        if (scan->entries[i].value != NULL)
            blob_release(scan->entries[i].value->blob);
    scan->entries = NULL;
    scan->count = scan->capacity = scan->bytes = 0;
}

/* ---- buckets ---- */

static void scan_note(void *context, struct entry *entry)
{
    struct bucket *bucket = context;
    if (bucket->count == bucket->capacity) {
        size_t size = bucket->capacity * sizeof *bucket->entries;
        struct bucket_entry *more = mem_alloc(2 * size);
        memcpy(more, bucket->entries, size);
        if (bucket->entries != bucket->own)
            free(bucket->entries);
        bucket->entries = more;
        bucket->capacity *= 2;
    }
    bucket->entries[bucket->count++].entry = entry;
}

static bool scan_is_wanted(struct scanning *scanning, const struct entry *entry)
{
    const struct scan *scan = scanning->scan;
    if (entry_is_due(entry, scan->now_ms))
        return false;
    if (scan->type != OP_TYPE_NONE &&
        (scan->type == OP_TYPE_LIST) != (entry_type(entry) == ENTRY_LIST))
        return false;
    if (scan->pattern.len > 0) {
        scanning->cost += scan->pattern.len * entry_key_length(entry) / MATCH_PER_COST;
        if (!glob_match(scan->pattern, entry_key(entry)))
            return false;
    }
    return scan->shows == NULL || scan->shows(scan->viewer, scan->db, entry_key(entry));
}

static void scan_observe(struct scanning *scanning, uint64_t revision)
{
    if (revision > scanning->result->seen)
        scanning->result->seen = revision;
}

/* Keeps those entries in the bucket that belong into the page. The answer also reflects why the
 * others do not belong there. */
static void scan_filter(struct scanning *scanning, struct bucket *bucket)
{
    size_t kept = 0;
    for (size_t i = 0; i < bucket->count; i++) {
        struct entry *entry = bucket->entries[i].entry;
        scan_observe(scanning, entry_version(entry));
        if (!scan_is_wanted(scanning, entry))
            continue;
        bucket->bytes += scan_entry_bytes(scanning->scan, entry);
        bucket->entries[kept++].entry = entry;
    }
    bucket->count = kept;
}

static int scan_compare(const void *one, const void *other)
{
    const struct bucket_entry *a = one, *b = other;
    return (a->position > b->position) - (a->position < b->position);
}

/* The cursor moves on. */
static void scan_move_to(struct scanning *scanning, uint64_t next)
{
    scanning->place.position = next;
    scanning->shard_done = next == 0;
}

/* Takes as many as the empty page has room for, at least one, in the order of their positions. */
static void scan_take_some(struct scanning *scanning, const struct database *database,
                           struct bucket *bucket, uint64_t next)
{
    struct scan *scan = scanning->scan;
    for (size_t i = 0; i < bucket->count; i++)
        bucket->entries[i].position =
            dict_scan_position(store_hash(scanning->store, entry_key(bucket->entries[i].entry)));
    qsort(bucket->entries, bucket->count, sizeof *bucket->entries, scan_compare);
    scan->is_full = true;
    for (size_t i = 0; i < bucket->count; i++) {
        const struct bucket_entry *at = &bucket->entries[i];
        bool fits = scan->bytes + scan_entry_bytes(scan, at->entry) <= scan->room;
        if (i > 0 && !fits && at->position != bucket->entries[i - 1].position) {
            scan_move_to(scanning, at->position);
            return;
        }
        if (!scan_add(scanning, database, at->entry))
            return;
    }
    scan_move_to(scanning, next); /* all have one position */
}

static void scan_take(struct scanning *scanning, const struct database *database,
                      struct bucket *bucket, uint64_t next, size_t visited)
{
    struct scan *scan = scanning->scan;
    bool fits = scan->bytes + bucket->bytes <= scan->room;
    if (!fits && scan->count > 0) {
        scan->is_full = true;
        return;
    }
    scan->visited += visited;
    scanning->cost += 1 + visited + bucket->bytes / BYTES_PER_COST;
    if (!fits && bucket->count > 1) {
        scan_take_some(scanning, database, bucket, next);
        return;
    }
    for (size_t i = 0; i < bucket->count; i++)
        if (!scan_add(scanning, database, bucket->entries[i].entry))
            return;
    scan_move_to(scanning, next);
    scan->is_full = scan->bytes >= scan->room || scan->visited >= scan->max_visited;
}

/* Visits a bucket; the next one's entries are prefetched meanwhile. */
static void scan_bucket(struct scanning *scanning, const struct database *database)
{
    struct bucket bucket;
    bucket.entries = bucket.own;
    bucket.count = bucket.bytes = 0;
    bucket.capacity = BUCKET_ENTRIES;
    uint64_t next = dict_scan(&database->dict, scanning->place.position, scan_note, &bucket);
    dict_scan_prefetch(&database->dict, next);
    size_t visited = bucket.count;
    scan_filter(scanning, &bucket);
    scan_take(scanning, database, &bucket, next, visited);
    if (bucket.entries != bucket.own)
        free(bucket.entries);
}

/* ---- steps ---- */

static void scan_next_shard(struct scanning *scanning)
{
    struct place *place = &scanning->place;
    scanning->shard_done = false;
    place->at_end = (size_t)place->shard + 1 == scanning->store->shard_count;
    if (place->at_end)
        scanning->scan->is_full = true;
    else
        place->shard++;
}

/* The shard is locked. */
static void scan_shard(struct scanning *scanning, const struct shard *shard)
{
    const struct scan *scan = scanning->scan;
    const struct database *database = &shard->databases[scan->db];
    size_t end = scanning->cost + LOCK_COST;
    scan_observe(scanning, shard->removed);
    scan_observe(scanning, database->swapped_at);
    scanning->cost++;
    do {
        scan_bucket(scanning, database);
        if (scanning->result->err != ERR_NONE)
            return;
        if (scanning->shard_done) {
            scan_next_shard(scanning);
            return;
        }
    } while (!scan->is_full && scanning->cost < end);
}

enum store_answer store_scan(struct store *store, struct scan *scan, struct op_result *result)
{
    DCHECK(scan->db < store->databases && scan->room > 0 && !scan->is_full);
    struct scanning scanning = {.store = store, .scan = scan, .result = result};
    if (!scan_read_cursor(&scanning))
        return STORE_DONE;
    while (!scan->is_full && scanning.cost < STEP_COST && result->err == ERR_NONE) {
        struct shard *shard = &store->shards[scanning.place.shard];
        if (!mutex_lock_brief(&shard->lock)) {
            if (scanning.cost == 0)
                return STORE_HELD;
            break;
        }
        scan_shard(&scanning, shard);
        mutex_unlock(&shard->lock);
    }
    scan_write_cursor(store, scan, scanning.place);
    return STORE_DONE;
}
