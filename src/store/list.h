/*
 * A list of byte strings. Both ends and any index are constant time (amortised when it grows); the
 * elements are copies owned by the list.
 */
#ifndef KEYSTORE_STORE_LIST_H
#define KEYSTORE_STORE_LIST_H

#include "base/slice.h"

struct blob;
struct list;

struct list *list_new(void);

/* NULL is allowed. */
void list_free(struct list *list);

size_t list_length(const struct list *list);

/* A copy of `value` (at most UINT32_MAX bytes) becomes the head. */
void list_push_head(struct list *list, struct slice value);

/* The element at `index`, below list_length(); borrowed until the list changes. */
struct slice list_at(const struct list *list, size_t index);

/* The blob that holds that element, borrowed; NULL if it is too short for one (ENTRY_MIN_BLOB). */
struct blob *list_blob_at(const struct list *list, size_t index);

/* Removes the head, or the tail, of a list that is not empty. */
void list_drop_head(struct list *list);
void list_drop_tail(struct list *list);

#endif
