/*
 * The content of a file, shared between states of a disk: copying a view costs nothing, appending
 * to the longest view of a content copies nothing, any other change copies.
 */
#ifndef KEYSTORE_TESTS_CRASH_VIEW_H
#define KEYSTORE_TESTS_CRASH_VIEW_H

#include "base/slice.h"

struct content;

/* All zero is an empty file. */
struct view {
    struct content *content; /* NULL when empty */
    size_t len;
};

/* Another view of the same bytes. */
struct view view_share(struct view view);

/* Releases a view, which is empty then. */
void view_release(struct view *view);

/* The bytes; they stay as they are until this view, or one shared from it now, is released. */
struct slice view_bytes(struct view view);

/* Writes at an offset; a gap before it is filled with zeros. */
void view_write(struct view *view, size_t offset, struct slice bytes);

/* Extends it with zeros to that length, unless it is as long. */
void view_extend(struct view *view, size_t len);

/* Truncates it to that length, unless it is as short. */
void view_cut(struct view *view, size_t len);

/* Releases a view by its bytes, as view_bytes() returned them. */
void view_release_bytes(struct slice bytes);

#endif
