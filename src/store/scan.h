/*
 * A walk through the keys of a database, in pieces, without a lock in between and without any state
 * in the store. It is in the order of shards and, in each, of reversed hashes (data/dict.h), so it
 * is at one position of that order, whatever happens to the data: each key that exists throughout
 * is found exactly once, and no key twice, even if databases are flushed or swapped meanwhile.
 */
#ifndef KEYSTORE_STORE_SCAN_H
#define KEYSTORE_STORE_SCAN_H

#include "store/op.h"

struct arena;
struct store;

/* Bytes of a cursor: hexadecimal digits, good until the store is freed. */
#define SCAN_CURSOR ((size_t)42)
/* Longest pattern in bytes, so that one key takes less than a millisecond (base/glob.h). */
#define SCAN_MAX_PATTERN ((size_t)1024)

/* A key that was found; its bytes lie in the arena. */
struct scan_entry {
    struct slice key;
    struct op_value *value; /* with_values: of a string; else NULL */
    enum op_type type;
};

/* The caller sets what is wanted, and zeroes the rest for a new page. */
struct scan {
    uint32_t db;
    struct slice pattern; /* glob (base/glob.h), up to SCAN_MAX_PATTERN; empty: all keys */
    enum op_type type;    /* OP_TYPE_NONE: any */
    bool with_values;
    /* Whether a key may be shown, asked for keys that are; called under a lock. NULL: all may. */
    bool (*shows)(const void *viewer, uint32_t db, struct slice key);
    const void *viewer;
    int64_t now_ms;       /* expired keys are left out */
    size_t room;          /* bytes that the page may take, at least 1, */
    uint64_t max_visited; /* and about how many keys it may take to fill it */
    struct arena *arena;

    /* Where it is: continues there, and moves on. */
    uint8_t cursor[SCAN_CURSOR];
    size_t cursor_len; /* 0: at the start; afterwards, at the end */

    /* The page. */
    struct scan_entry *entries;
    size_t count, capacity;
    size_t bytes;     /* about what the entries take in a message */
    uint64_t visited; /* keys, matching or not */
    bool is_full;     /* the page is complete: full, after max_visited keys, or at the end */
};

/*
 * Continues the scan for some hundred microseconds, or until the page is full. Raises result->seen
 * to the newest revision that the page reflects. result->err is ERR_BAD_ARGUMENT if the cursor is
 * not one of this store and database, or ERR_NO_CLIENT_MEMORY; then the page is to be released.
 * STORE_HELD: an operation has locked the next keys for long, and nothing has happened.
 */
enum store_answer store_scan(struct store *store, struct scan *scan, struct op_result *result)
    __attribute__((warn_unused_result));

/* Releases the values of the page, which is empty afterwards. The arena may be reset then. */
void scan_release(struct scan *scan);

#endif
