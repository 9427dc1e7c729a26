/*
 * The undo log of a commit: what each write replaced, so that all writes can be rolled back when a
 * later operation of a transaction fails, or when memory turns out to be short (limit.h). Private
 * to the store. Records lie in the operation's arena, and cost as much as the change does, not as
 * much as what was changed. A string that the commit itself has created is not kept when it is
 * replaced (apply_is_own()), so only earlier data are kept, and copies of list elements, whose
 * total size is limited.
 *
 * Records are reversed newest first, so each finds the data as they were right after its write.
 */
#ifndef KEYSTORE_STORE_OPS_UNDO_H
#define KEYSTORE_STORE_OPS_UNDO_H

#include "store/data/lookup.h"

struct undo_record;

/*
 * A change within the value of an entry, which only its author can reverse: the first member of the
 * author's own record, which lies in the undo log's arena.
 */
struct undo_edit {
    /* Reverses the change; at->entry is the entry as it was right after the change. */
    void (*reverse)(struct undo_edit *edit, const struct lookup *at);
    /* The change is final: frees what was kept. NULL if there is nothing to free. */
    void (*discard)(struct undo_edit *edit, const struct lookup *at);
};

struct undo {
    struct arena *arena;
    struct undo_record *newest;
    size_t kept;       /* bytes of the slabs that become free when the writes are final */
    size_t copied;     /* bytes of the arena, and of strings created in this commit only */
    size_t max_copied; /* limit of `copied` */
    bool is_full; /* the limit was reached: the step was not carried out and the commit must fail */
    bool has_stamped_string; /* a string with this commit's version may hold earlier data */
};

/* At most about `max_copied` bytes may be copied. */
void undo_init(struct undo *undo, struct arena *arena, size_t max_copied);

/* Memory for a record. */
void *undo_alloc(struct undo *undo, size_t size) __attribute__((returns_nonnull));

/* What undo_alloc() takes for `size` bytes. */
size_t undo_round(size_t size);

/* True if `bytes` more may be copied; else the undo log is full from now on. */
bool undo_may_copy(struct undo *undo, size_t bytes);

/* The entry was replaced or removed, or created if `former` is NULL. Takes ownership of `former`.
 */
void undo_entry(struct undo *undo, const struct lookup *at, struct entry *former, bool is_removal);

/* The entry, which stays, is about to get another version or deadline. */
void undo_stamp(struct undo *undo, const struct lookup *at);

/* The entry's value was changed, or is about to be. */
void undo_edit(struct undo *undo, const struct lookup *at, struct undo_edit *edit);

/* The writes are final, at that revision: frees what they replaced, and notes removed keys. */
void undo_discard(struct undo *undo, uint64_t revision);

/* Reverses all writes, as if they had never happened. */
void undo_roll_back(struct undo *undo);

#endif
