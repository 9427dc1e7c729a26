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
 *     a quarter of it, or 32 bytes, are free.
 *  5. A list of two chunks or more may share nodes of the spine and chunks with others (chunk.h,
 *     spine.h), but not the head, the tail, and the nodes on the way to them: so a push or drop
 *     there need not ask. Every other edit goes through own_place().
 *  6. What is shared counts in full for each list: list_memory() is what a list would take alone.
 *     So an edit that has to copy a shared chunk needs no memory that was not counted before.
 *
 * Sharing makes a copy as quick for a long list as for a short one, and lets a list be read while
 * its original is edited: a copy may be read and freed on another thread, without a lock.
 *
 * Elements from BLOB_LEAST on are blobs, which answers and copies of the list share; shorter
 * ones are copied into the chunks, numbers in canonical form (base/decimal.h) as a few bytes, whose
 * text is made anew when it is read. A `value` that is given must not lie in the same list.
 */
#ifndef KEYSTORE_STORE_LIST_LIST_H
#define KEYSTORE_STORE_LIST_LIST_H

#include "store/list/chunk.h"
#include "store/list/spine.h"

struct list;

/* An empty list. */
struct list *list_new(void);

/* Frees the list; what a long one has becomes garbage (list_garbage.h). NULL is allowed. */
void list_free(struct list *list);

/* A list of the same elements, for which blobs, and of long lists chunks, are shared. Takes some
 * microseconds. */
struct list *list_copy(const struct list *list);

/* Each list gets what the other one has. */
void list_swap(struct list *a, struct list *b);

/* Moves parts of the list that nobody shares from sparse pages, as heap_move() does: of a long list
 * some more each time. Adds how many to `*moved`; returns where the list is now. No cursor may be
 * on it. */
struct list *list_move(struct list *list, size_t *moved);

size_t list_length(const struct list *list);

/* Bytes that the list holds: its own structures, as the heap rounds them, and blobs, with what
 * malloc() adds; what others share counts in full. As malloc() now and then gives a few bytes
 * more, equal lists may differ by those. Constant time. */
size_t list_memory(const struct list *list);

/* A copy of `value` (at most UINT32_MAX bytes) becomes the first or last element. */
void list_push(struct list *list, enum list_end end, struct slice value);

/* The same for a blob of at least BLOB_LEAST bytes; the list keeps a reference of its own. */
void list_push_blob(struct list *list, enum list_end end, struct blob *blob);

/* Removes `count` elements, at most all, at that end. */
void list_drop(struct list *list, enum list_end end, size_t count);

/* A copy of `value`, or the blob as above, comes to be the element at `index`, at most
 * list_length(). */
void list_insert(struct list *list, size_t index, struct slice value);
void list_insert_blob(struct list *list, size_t index, struct blob *blob);

/* Removes the element at `index`, below list_length(). */
void list_remove(struct list *list, size_t index);

/* A copy of `value`, or the blob as above, takes the place of the element at `index`, below
 * list_length(). */
void list_replace(struct list *list, size_t index, struct slice value);
void list_replace_blob(struct list *list, size_t index, struct blob *blob);

/*
 * Walks a list:
 *     for (bool on = list_seek(list, &cursor, first); on; on = list_next(&cursor))
 * While it stands on an element, the first two members may be read, and what the functions below
 * tell of it; the value is borrowed until the cursor moves or the list changes. A change ends the
 * walk unless list_remove_here() did it.
 */
struct list_cursor {
    size_t index;
    struct blob *blob; /* holds the value; NULL for a short one */
    struct element element;
    uint8_t digits[DECIMAL_MAX]; /* for the text of a number, once it is asked for */
    const struct list *list;
    const struct chunk *chunk;
    size_t base;     /* index of the chunk's first element */
    size_t position; /* of the element in the chunk */
    size_t behind;   /* where it ends */
    struct spine_path path;
};

/* The element's bytes. */
static inline struct slice list_cursor_value(struct list_cursor *cursor)
{
    return element_value(&cursor->element, cursor->digits);
}

/* How many they are: for a number less work than the bytes. */
static inline size_t list_cursor_length(const struct list_cursor *cursor)
{
    return element_length(&cursor->element);
}

/* True if they are the needle's, from element_of(): made once, it is compared without making text
 * of numbers. */
static inline bool list_cursor_equal(const struct list_cursor *cursor, const struct element *needle)
{
    return element_equal(&cursor->element, needle);
}

/* Places the cursor on the element at `index`; false if there is none. */
bool list_seek(const struct list *list, struct list_cursor *cursor, size_t index);

/* Moves to the neighbour; false if there is none, then the cursor stays. */
bool list_next(struct list_cursor *cursor);
bool list_previous(struct list_cursor *cursor);

/* Moves towards that end, as the above. */
static inline bool list_step(struct list_cursor *cursor, enum list_end towards)
{
    return towards == LIST_TAIL ? list_next(cursor) : list_previous(cursor);
}

/* Removes the cursor's element from `list`, which is the cursor's, and moves on to the neighbour in
 * the direction of that end; false if there is none: then the walk has ended. */
bool list_remove_here(struct list *list, struct list_cursor *cursor, enum list_end towards);

/* For tests: true if the invariants hold throughout. Walks all elements. */
bool list_is_sound(const struct list *list);

#endif
