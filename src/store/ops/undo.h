/*
 * The way back of a unit: what each write replaced, so that all of them can be taken back when a
 * later one of a transaction fails, or when there turns out to be no memory (room.h). Private to
 * the store; records lie in the operation's arena, and cost as much as the change, not as what was
 * changed. A string that this unit has made itself is not kept when it is replaced
 * (apply_is_own()), so what is kept are data that were there before, and copies of list elements,
 * which have a limit.
 *
 * Records are undone in reverse order, so each finds the data as it was right after its write.
 */
#ifndef KEYSTORE_STORE_OPS_UNDO_H
#define KEYSTORE_STORE_OPS_UNDO_H

#include "store/data/lookup.h"

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
    size_t kept;   /* bytes of the slabs that are free when the writes stand */
    size_t copied; /* bytes of the arena, and of strings that only came to be in this unit */
    size_t most;   /* that may be copied */
    bool is_full; /* more was to be copied: what asked for it was not done and the unit must fail */
    bool has_stamped_string; /* a string with this unit's version may hold what was there before */
};

/* `most` bytes may be copied; a little more is possible. */
void undo_init(struct undo *undo, struct arena *arena, size_t most);

/* Memory for a record. */
void *undo_alloc(struct undo *undo, size_t size) __attribute__((returns_nonnull));

/* What undo_alloc() takes for that many bytes. */
size_t undo_round(size_t size);

/* True if that many bytes more may be copied; else the undo is full from now on. */
bool undo_has_room(struct undo *undo, size_t bytes);

/* The entry was replaced or removed, or created if `former` is NULL; passes to the undo. */
void undo_entry(struct undo *undo, const struct lookup *at, struct entry *former, bool is_removal);

/* The entry, which is still there, is about to get another version or deadline. */
void undo_stamp(struct undo *undo, const struct lookup *at);

/* The entry's value was changed, or is about to be. */
void undo_edit(struct undo *undo, const struct lookup *at, struct undo_edit *edit);

/* The writes stand, at that revision: frees what they replaced, and notes what they removed. */
void undo_forget(struct undo *undo, uint64_t revision);

/* Takes all writes back, as if they had never been. */
void undo_roll_back(struct undo *undo);

#endif
