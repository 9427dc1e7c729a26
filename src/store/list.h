/*
 * A list of byte strings: chunks of packed elements (chunk.h) in the order of a counted tree
 * (spine.h). Pushing and dropping at either end touches the chunk there and nothing else; any index
 * is some tens of steps away, however long the list. No operation moves more than a few chunks, so
 * none pauses while the list grows.
 *
 *   struct list --> head chunk                        a short list: two allocations
 *
 *   struct list --> head chunk, body --> tail chunk   a longer one
 *                               `------> spine -----> every chunk, head and tail too
 *
 * Invariants:
 *  1. No chunk is empty; a list of one chunk or none has no body.
 *  2. A chunk weighs its count in the spine, but the head and the tail weigh 0: so a push or drop
 *     there need not climb it.
 *  3. Of two neighbouring chunks that are neither head nor tail, one at least is so full that both
 *     together have more than CHUNK_MAX / 2 bytes.
 *  4. A chunk between the ends is fitted when it becomes one or when an element leaves it: at most
 * a quarter of it, or 32 bytes, are free.
 *
 * Elements from ENTRY_MIN_BLOB on are blobs, which answers and copies of the list share; shorter
 * ones are copied into the chunks. A `value` that is given must not lie in the same list.
 */
#ifndef KEYSTORE_STORE_LIST_H
#define KEYSTORE_STORE_LIST_H

#include "store/chunk.h"
#include "store/spine.h"

struct list;

/* An empty list. */
struct list *list_new(void);

/* Gives the blobs back. NULL is allowed. */
void list_free(struct list *list);

/* A list of the same elements; blobs are shared. */
struct list *list_copy(const struct list *list);

size_t list_length(const struct list *list);

/* Heap bytes that the list holds, its own structures and blobs included: a blob that others share
 * counts in full. Constant time. */
size_t list_memory(const struct list *list);

/* A copy of `value` (at most UINT32_MAX bytes) becomes the first or last element. */
void list_push(struct list *list, enum list_end end, struct slice value);

/* The same for a blob of at least ENTRY_MIN_BLOB bytes; the list keeps a reference of its own. */
void list_push_blob(struct list *list, enum list_end end, struct blob *blob);

/* Removes `count` elements, at most all, at that end. */
void list_drop(struct list *list, enum list_end end, size_t count);

/* The element at `index`, below list_length(); borrowed until the list changes. */
struct slice list_at(const struct list *list, size_t index);

/* The blob that holds that element, borrowed; NULL if it is too short for one (ENTRY_MIN_BLOB). */
struct blob *list_blob_at(const struct list *list, size_t index);

/* A copy of `value` comes to be the element at `index`, at most list_length(). */
void list_insert(struct list *list, size_t index, struct slice value);

/* Removes the element at `index`, below list_length(). */
void list_remove(struct list *list, size_t index);

/* A copy of `value` takes the place of the element at `index`, below list_length(). */
void list_replace(struct list *list, size_t index, struct slice value);

/* Keeps the `count` elements from `first` on, all of which exist, and removes the others. */
void list_trim(struct list *list, size_t first, size_t count);

/*
 * Walks a list:
 *     for (bool on = list_seek(list, &cursor, first); on; on = list_next(&cursor))
 * The first three members may be read while it stands on an element; they are borrowed until the
 * list changes, which ends the walk unless list_remove_here() did it.
 */
struct list_cursor {
    size_t index;
    struct slice value;
    struct blob *blob; /* holds the value; NULL for a short one */
    const struct list *list;
    const struct chunk *chunk;
    size_t base;     /* index of the chunk's first element */
    size_t position; /* of the element in the chunk */
    size_t behind;   /* where it ends */
    struct spine_path path;
};

/* Places the cursor on the element at `index`; false if there is none. */
bool list_seek(const struct list *list, struct list_cursor *cursor, size_t index);

/* Moves to the neighbour; false if there is none, then the cursor stays. */
bool list_next(struct list_cursor *cursor);
bool list_previous(struct list_cursor *cursor);

/* Removes the cursor's element from `list`, which is the cursor's, and moves on to the neighbour in
 * the direction of that end; false if there is none: then the walk has ended. */
bool list_remove_here(struct list *list, struct list_cursor *cursor, enum list_end towards);

/* For tests: true if the invariants hold throughout. Walks all elements. */
bool list_is_sound(const struct list *list);

#endif
