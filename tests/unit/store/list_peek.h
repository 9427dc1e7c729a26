/* Single elements of a list, and its middle. Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_STORE_LIST_PEEK_H
#define KEYSTORE_TESTS_STORE_LIST_PEEK_H

#include "store/list/list.h"

/* The element at `index`, which there is; borrowed until the list changes or the next call. */
static inline struct slice list_peek(const struct list *list, size_t index)
{
    static struct list_cursor cursor;
    assert_true(list_seek(list, &cursor, index));
    return list_cursor_value(&cursor);
}

/* The blob that holds it, borrowed; NULL if it is too short for one. */
static inline struct blob *list_peek_blob(const struct list *list, size_t index)
{
    struct list_cursor cursor;
    assert_true(list_seek(list, &cursor, index));
    return cursor.blob;
}

/* Keeps the `count` elements from `first` on, all of which exist. */
static inline void list_peek_only(struct list *list, size_t first, size_t count)
{
    list_drop(list, LIST_TAIL, list_length(list) - first - count);
    list_drop(list, LIST_HEAD, first);
}

#endif
