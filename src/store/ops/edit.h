/*
 * The mutators of lists; private to the store. An edit is all that one operation does to one list:
 *
 *     struct edit edit = edit_begin(ctx, &at);
 *     edit_push(&edit, LIST_HEAD, values, count);
 *     result->version = edit_end(&edit, 0);
 *
 * edit_end() stamps the entry, charges the list's memory to the shard's slab, and removes the key
 * if the list has become empty. If the context has an undo log, each step records its inverse
 * there, at a cost proportional to its own; a step that exceeds the undo log's limit does nothing,
 * and undo->is_full says that the operation has failed.
 *
 * Values passed in must not lie in the list.
 */
#ifndef KEYSTORE_STORE_OPS_EDIT_H
#define KEYSTORE_STORE_OPS_EDIT_H

#include "store/list/list.h"
#include "store/ops/apply.h"

/* Callers may read the members, but not write them. */
struct edit {
    struct op_context *ctx;
    struct lookup *at;
    struct list *list;
    size_t memory;   /* of the list as charged to the slab */
    bool is_dropped; /* all elements are dropped: the list stays as it is until edit_end() */
};

/* The entry is a list, or NULL: then an empty list is created. `at` is borrowed until edit_end(),
 * which must follow. */
struct edit edit_begin(struct op_context *ctx, struct lookup *at);

/* Pushes copies of the values, at least one, at that end, one after the other. */
void edit_push(struct edit *edit, enum list_end end, const struct slice *values, size_t count);

/* Pushes a value of an answer: shared if a blob owns it. */
void edit_push_value(struct edit *edit, enum list_end end, const struct op_value *value);

/* Removes `count` elements, at most all, at that end. After removing all, only edit_end() may
 * follow. */
void edit_drop(struct edit *edit, enum list_end end, size_t count);

/* Keeps the `count` elements from `first` on, all of which exist. If that is none, like
 * edit_drop(). */
void edit_trim(struct edit *edit, size_t first, size_t count);

/* Inserts a copy of the value at `index`, at most the length. */
void edit_insert(struct edit *edit, size_t index, struct slice value);

/* Replaces the element at `index`, below the length, with a copy of the value. */
void edit_replace(struct edit *edit, size_t index, struct slice value);

/* Removes the element at the cursor, which is one of this list, and advances the cursor; see
 * list_remove_here(). Also false if the undo log is full. */
bool edit_remove_here(struct edit *edit, struct list_cursor *cursor, enum list_end towards);

/* Sets the key's deadline, 0 = keep the present one, ends the edit and updates `at`. Returns the
 * key's version, 0 if it was removed. */
uint64_t edit_end(struct edit *edit, int64_t expire_at_ms);

#endif
