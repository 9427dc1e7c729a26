/*
 * How the operations reach the data; private to the store. One function per row of operations.def.
 * Each runs under the lock of its key's shard, fills a zeroed result, and on error changes nothing.
 */
#ifndef KEYSTORE_STORE_APPLY_H
#define KEYSTORE_STORE_APPLY_H

#include "store/dict.h"
#include "store/op.h"

struct arena;
struct entry;

/* Where one operation works: the keys of its database in its shard. */
struct keyspace {
    struct dict *dict;   /* its entries come from dict->slab */
    uint64_t *revision;  /* of the shard's last write */
    struct arena *arena; /* for what the result points to */
    int64_t now_ms;
};

typedef void apply_function(struct keyspace *space, const struct op *op, struct op_result *result);

#define OPERATION(kind, method, request, reply, access, category, apply) apply_function apply;
#include "store/operations.def"
#undef OPERATION

/* The revision of a write that takes place now. */
static inline uint64_t apply_next_revision(struct keyspace *space)
{
    return ++*space->revision;
}

/* The entry of the operation's key, or NULL. */
struct entry *apply_find(const struct keyspace *space, const struct op *op);

/* Puts bytes into the result's value: shared if a blob (borrowed) holds them, else copied. */
void apply_return_bytes(struct keyspace *space, struct slice bytes, struct blob *blob,
                        struct op_result *result);

/* Puts an entry's string into the result's value. */
void apply_return_string(struct keyspace *space, const struct entry *entry,
                         struct op_result *result);

/* Fails the operation with ERR_WRONG_TYPE; `entry` holds the type that it did not want. */
void apply_wrong_type(const struct entry *entry, struct op_result *result);

/*
 * True if the operation's condition holds for the entry (NULL = no such key). Else the result says
 * so: ok = false with the current version and string, or ERR_WRONG_TYPE when a value is to match a
 * list.
 */
bool apply_condition(struct keyspace *space, const struct op *op, const struct entry *entry,
                     struct op_result *result);

#endif
