/*
 * Lists that clients read in pieces, each as it was at one moment, while the original is edited or
 * deleted: a copy that shares its chunks. How much memory only the copy still keeps is not known:
 * at most all of it. So the limit counts each pinned list in full. Thread-safe.
 */
#ifndef KEYSTORE_STORE_LIST_PINNED_H
#define KEYSTORE_STORE_LIST_PINNED_H

#include <stdbool.h>
#include <stddef.h>

struct list;

/* All zero is no list. */
struct pinned {
    struct list *list; /* may be read without a lock (list.h) */
    size_t bytes;      /* its memory, as counted */
};

/* Pins the list. False, with nothing changed, if all pinned lists would then take more than clients
 * may (account_limit()); one alone may take any amount. */
bool pinned_take(struct pinned *pinned, const struct list *list)
    __attribute__((warn_unused_result));

/* Releases the list, if any: a long one is freed incrementally (list_garbage.h). */
void pinned_release(struct pinned *pinned);

/* Bytes of all pinned lists. */
size_t pinned_bytes(void);

#endif
