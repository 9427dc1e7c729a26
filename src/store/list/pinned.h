/*
 * Lists that clients read in pieces, each as it was at one moment, while the original is edited or
 * deleted: a copy that shares its chunks. All who read the same version share one copy.
 *
 * How much memory only the copies still keep is not known: at most all of it. So the limit counts
 * each copy in full. A list of less than PINNED_LEAST bytes is not counted, as its reader holds
 * more than that anyway. Thread-safe.
 */
#ifndef KEYSTORE_STORE_LIST_PINNED_H
#define KEYSTORE_STORE_LIST_PINNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PINNED_LEAST ((size_t)64 * 1024)

struct list;
struct pinned_copy;

/* What a list is known by: it never stands for two contents (data/shard.h). */
struct pinned_id {
    uint64_t hash; /* of the key, */
    uint32_t db;   /* which is in this database, */
    uint64_t version;
};

/* All zero is no list. */
struct pinned {
    struct list *list; /* may be read, but not changed, without a lock (list.h) */
    struct pinned_copy *copy;
};

/* Pins the list. False, with nothing changed, if all copies would then take more than clients may
 * (account_limit()); one alone may take any amount. */
bool pinned_take(struct pinned *pinned, const struct list *list, struct pinned_id id)
    __attribute__((warn_unused_result));

/* Releases the list, if any: a long one is freed incrementally (list_garbage.h). */
void pinned_release(struct pinned *pinned);

/* Bytes of all copies that are counted, and the number of pinned lists. */
size_t pinned_bytes(void);
size_t pinned_count(void);

#endif
