/*
 * The part of an undo that knows lists: the inverse of each step of an edit (edit.h), with the
 * elements that the step took away. Private to the store.
 *
 * Each note is about the list of `at`'s entry. Short elements are copied into the undo's arena,
 * long ones shared. Of a list that many are dropped from a copy is kept, which shares its chunks
 * (list.h) and costs as little for any number.
 */
#ifndef KEYSTORE_STORE_OPS_UNDO_LIST_H
#define KEYSTORE_STORE_OPS_UNDO_LIST_H

#include "store/list/list.h"
#include "store/ops/undo.h"

/* ---- what has just been done ---- */

void undo_list_pushed(struct undo *undo, const struct lookup *at, enum list_end end, size_t count);
void undo_list_inserted(struct undo *undo, const struct lookup *at, size_t index);

/* ---- what is about to be done: the elements are still there. False if the undo has no room for
 * them: then it must not be done ---- */

bool undo_list_dropping(struct undo *undo, const struct lookup *at, enum list_end end, size_t count)
    __attribute__((warn_unused_result));
bool undo_list_replacing(struct undo *undo, const struct lookup *at, size_t index)
    __attribute__((warn_unused_result));

/* The cursor's element is about to be removed. */
bool undo_list_removing(struct undo *undo, const struct lookup *at, struct list_cursor *cursor)
    __attribute__((warn_unused_result));

#endif
