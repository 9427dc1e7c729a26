/*
 * The part of the undo log that knows lists: the inverse of each step of an edit (edit.h), with the
 * elements that the step removed. Private to the store.
 *
 * Each function records a step on the list of `at`'s entry. Short elements are copied into the undo
 * log's arena, long ones are shared. When many elements are dropped, a copy of the whole list is
 * kept instead: it shares the list's chunks (list.h), so its cost does not depend on their number.
 */
#ifndef KEYSTORE_STORE_OPS_UNDO_LIST_H
#define KEYSTORE_STORE_OPS_UNDO_LIST_H

#include "store/list/list.h"
#include "store/ops/undo.h"

/* ---- called after the step ---- */

void undo_list_pushed(struct undo *undo, const struct lookup *at, enum list_end end, size_t count);
void undo_list_inserted(struct undo *undo, const struct lookup *at, size_t index);

/* ---- called before the step, while the elements are still there. False if the undo log is full:
 * then the step must not be carried out ---- */

bool undo_list_dropping(struct undo *undo, const struct lookup *at, enum list_end end, size_t count)
    __attribute__((warn_unused_result));
bool undo_list_replacing(struct undo *undo, const struct lookup *at, size_t index)
    __attribute__((warn_unused_result));

/* The cursor's element is about to be removed. */
bool undo_list_removing(struct undo *undo, const struct lookup *at, struct list_cursor *cursor)
    __attribute__((warn_unused_result));

#endif
