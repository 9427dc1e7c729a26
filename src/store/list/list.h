/*
 * A list of byte strings: chunks of packed elements (chunk.h) in the order of a counted tree
 * (spine.h). A push or drop at either end touches only the chunk there; any index is some tens of
 * steps away, however long the list. No operation moves more than a few chunks, so none pauses as
 * the list grows.
 *
 *   struct list --> head chunk                        a short list: two allocations
 *
 *   struct list --> head chunk, body --> tail chunk   a longer one
 *                               `------> spine -----> every chunk, head and tail too
 *
 * Invariants:
 *  1. No chunk is empty; a list with at most one chunk has no body.
 *  2. A chunk's weight in the spine is its count, but the head and the tail weigh 0, so that a push
 *     or drop there need not climb the spine.
 *  3. Of two neighbouring chunks that are neither head nor tail, at least one is so full that both
 *     together have more than CHUNK_MAX / 2 bytes.
 *  4. A chunk between the ends is fitted when it stops being an end or loses an element: at most a
 *     quarter of it, or 32 bytes, is free.
 *  5. A list of two chunks or more may share nodes of the spine and chunks with others (chunk.h,
 *     spine.h), but not the head, the tail or the nodes on the path to them, so that a push or drop
 *     there need not check. Every other edit goes through list_own_place().
 *  6. Shared parts count in full for each list: list_memory() is what the list would take alone. So
 *     an edit that has to copy a shared chunk needs no memory that was not counted before.
 *
 * Sharing makes a copy as quick for a long list as for a short one, and lets a list be read while
 * its original is edited: a copy may be read and freed on another thread, without a lock.
 *
 * Elements of BLOB_LEAST bytes or more are blobs, which answers and copies of the list share.
 * Shorter ones are copied into the chunks; a number in canonical form (base/decimal.h) takes a few
 * bytes there, and its text is generated when it is read. A `value` passed in must not lie in the
 * same list.
 */
#ifndef KEYSTORE_STORE_LIST_LIST_H
#define KEYSTORE_STORE_LIST_LIST_H

#include "store/list/chunk.h"
#include "store/list/spine.h"

struct list;

/* An empty list. */
struct list *list_new(void);

/* Frees the list; the contents of a long one become garbage (list_garbage.h). NULL is allowed. */
void list_free(struct list *list);

/* A list of the same elements, which shares blobs with the original, and chunks if that is long.
 * Takes some microseconds. */
struct list *list_copy(const struct list *list);

/* Exchanges the contents of the lists. */
void list_swap(struct list *a, struct list *b);

/* Moves unshared parts of the list out of sparse pages like heap_move(); of a long list some more
 * on each call. Adds their number to `*moved`; returns the list's new address. No cursor may be on
 * it. */
struct list *list_move(struct list *list, size_t *moved);

size_t list_length(const struct list *list);

/* Bytes that the list takes: its own structures as rounded by the heap, and its blobs including
 * malloc()'s overhead; shared parts count in full. As malloc() sometimes gives a few bytes more,
 * equal lists may differ by those. Constant time. */
size_t list_memory(const struct list *list);

/* Adds a copy of `value` (at most UINT32_MAX bytes) as the first or last element. */
void list_push(struct list *list, enum list_end end, struct slice value);

/* The same for a blob of at least BLOB_LEAST bytes; the list adds its own reference. */
void list_push_blob(struct list *list, enum list_end end, struct blob *blob);

/* Removes `count` elements, at most all, at that end. */
void list_drop(struct list *list, enum list_end end, size_t count);

/* Inserts a copy of `value`, or the blob as above, as the element at `index`, at most
 * list_length(). */
void list_insert(struct list *list, size_t index, struct slice value);
void list_insert_blob(struct list *list, size_t index, struct blob *blob);

/* Removes the element at `index`, below list_length(). */
void list_remove(struct list *list, size_t index);

/* Replaces the element at `index`, below list_length(), by a copy of `value`, or the blob as
 * above. */
void list_replace(struct list *list, size_t index, struct slice value);
void list_replace_blob(struct list *list, size_t index, struct blob *blob);

/*
 * Walks a list:
 *     for (bool on = list_seek(list, &cursor, first); on; on = list_next(&cursor))
 * While the cursor is on an element, its first two members may be read and the functions below
 * called; the value is borrowed until the cursor moves or the list changes. A change ends the walk
 * unless list_remove_here() made it.
 */
struct list_cursor {
    size_t index;
    struct blob *blob; /* holds the value; NULL for a short one */
    struct element element;
    uint8_t digits[DECIMAL_MAX]; /* for the text of a number, once it is requested */
    const struct list *list;
    const struct chunk *chunk;
    size_t base;          /* index of the chunk's first element */
    size_t position;      /* of the element in the chunk */
    size_t next_position; /* where it ends */
    struct spine_path path;
};

/* The element's bytes. */
static inline struct slice list_cursor_value(struct list_cursor *cursor)
{
    return element_value(&cursor->element, cursor->digits);
}

/* The length in bytes: for a number less work than the bytes. */
static inline size_t list_cursor_length(const struct list_cursor *cursor)
{
    return element_length(&cursor->element);
}

/* True if the element equals the needle, which element_of() made once: compares without generating
 * the text of numbers. */
static inline bool list_cursor_equal(const struct list_cursor *cursor, const struct element *needle)
{
    return element_equal(&cursor->element, needle);
}

/* Places the cursor on the element at `index`; false if there is none. */
bool list_seek(const struct list *list, struct list_cursor *cursor, size_t index);

/* Moves to the neighbour; if there is none, returns false and the cursor stays. */
bool list_next(struct list_cursor *cursor);
bool list_previous(struct list_cursor *cursor);

/* Moves towards that end, like the above. */
static inline bool list_step(struct list_cursor *cursor, enum list_end towards)
{
    return towards == LIST_TAIL ? list_next(cursor) : list_previous(cursor);
}

/* Removes the cursor's element from `list`, which is the cursor's, and moves to the neighbour in
 * the direction of that end; if there is none, returns false and the walk has ended. */
bool list_remove_here(struct list *list, struct list_cursor *cursor, enum list_end towards);

/* For tests: true if the invariants hold throughout. Walks all elements. */
bool list_is_sound(const struct list *list);

#endif
