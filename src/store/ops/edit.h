/*
 * How the operations change lists; private to the store, and the only way for them. One edit is all
 * that one operation does to one list:
 *
 *     struct edit edit = edit_begin(space, &at);
 *     edit_push(&edit, LIST_HEAD, values, count);
 *     result->version = edit_end(&edit, 0);
 *
 * edit_end() does what each change owes: it stamps the entry, charges the list's memory to the
 * shard's slab, and removes the key if the list has become empty. If the keyspace has an undo, each
 * step notes its way back there, at a cost as of the step; a step for which the undo has no room
 * does nothing, and undo->is_full tells that the operation has failed.
 *
 * Values that are given must not lie in the list.
 */
#ifndef KEYSTORE_STORE_OPS_EDIT_H
#define KEYSTORE_STORE_OPS_EDIT_H

#include "store/list/list.h"
#include "store/ops/apply.h"

/* Its members may be read; only the functions below write them. */
struct edit {
    struct op_context *ctx;
    struct lookup *at;
    struct list *list;
    size_t memory;   /* of the list as charged to the slab */
    bool is_dropped; /* all elements are to go: the list is left as it is until the end */
};

/* What is there is a list, or nothing: then an empty list is created. `at` is borrowed until
 * edit_end(), which is to follow. */
struct edit edit_begin(struct op_context *ctx, struct lookup *at);

/* Copies of the values, one at least, become one after the other the element at that end. */
void edit_push(struct edit *edit, enum list_end end, const struct slice *values, size_t count);

/* Pushes an answer's value: what lies in a blob is shared. */
void edit_push_value(struct edit *edit, enum list_end end, const struct op_value *value);

/* Removes `count` elements, at most all, at that end. After all of them only edit_end() may
 * follow. */
void edit_drop(struct edit *edit, enum list_end end, size_t count);

/* Keeps the `count` elements from `first` on, all of which exist; as edit_drop(). */
void edit_trim(struct edit *edit, size_t first, size_t count);

/* A copy of the value comes to be the element at `index`, at most the length. */
void edit_insert(struct edit *edit, size_t index, struct slice value);

/* A copy of the value takes the place of the element at `index`, below the length. */
void edit_replace(struct edit *edit, size_t index, struct slice value);

/* Removes the element that the cursor of this list stands on, and moves on; see
 * list_remove_here(). Also false if the undo has no room. */
bool edit_remove_here(struct edit *edit, struct list_cursor *cursor, enum list_end towards);

/* Gives the key the deadline, 0 = the one it has, and ends the edit; afterwards `at` tells what is
 * there. Returns the key's version, 0 if it is gone. */
uint64_t edit_end(struct edit *edit, int64_t expire_at_ms);

#endif
