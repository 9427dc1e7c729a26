/*
 * The way back of a transaction: what each write replaced, so that all of them can be taken back
 * when a later one fails. Private to the store; records lie in the operation's arena, and cost as
 * much as the change, not as what was changed.
 *
 * Records are undone in reverse order, so each finds the data as it was right after its write.
 */
#ifndef KEYSTORE_STORE_UNDO_H
#define KEYSTORE_STORE_UNDO_H

#include "store/apply.h"

struct undo_record;

/*
 * A change within the value of an entry, which whoever makes it knows how to take back. It is the
 * first member of a record of theirs, which lies in the undo's arena.
 */
struct undo_edit {
    /* Takes the change back; at->entry is the entry as it was right after the change. */
    void (*reverse)(struct undo_edit *edit, const struct lookup *at);
    /* The change stands: frees what was kept. NULL if nothing was. */
    void (*forget)(struct undo_edit *edit, const struct lookup *at);
};

struct undo {
    struct arena *arena;
    struct undo_record *newest;
};

void undo_init(struct undo *undo, struct arena *arena);

/* The entry was replaced or removed, or created if `former` is NULL; passes to the undo. */
void undo_entry(struct undo *undo, const struct lookup *at, struct entry *former, bool is_removal);

/* The entry, which is still there, is about to get another version or deadline. */
void undo_stamp(struct undo *undo, const struct lookup *at);

/* The entry's value was changed, or is about to be. */
void undo_edit(struct undo *undo, const struct lookup *at, struct undo_edit *edit);

/* The writes stand, at that revision: frees what they replaced, and notes what they removed. */
void undo_forget(struct undo *undo, uint64_t revision);

/* Takes all writes back, as if they had never been. */
void undo_rollback(struct undo *undo);

#endif
