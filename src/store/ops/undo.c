/* The undo log. Knows no operations, only entries and their stamps; how values change is up to
 * those who record edits. */
#include "store/ops/undo.h"

#include "base/arena.h"
#include "base/check.h"
#include "store/data/entry.h"
#include "store/data/shard.h"

#include <stdalign.h>
#include <stddef.h>

enum undo_kind { UNDO_ENTRY, UNDO_STAMP, UNDO_EDIT };

struct undo_record {
    struct undo_record *older;
    struct lookup at;
    enum undo_kind kind;
    union {
        struct {
            struct entry *former; /* UNDO_ENTRY; or NULL */
            uint64_t removed;     /* UNDO_ENTRY: of the shard */
            bool is_removal;      /* UNDO_ENTRY */
        };
        struct entry_stamp stamp; /* UNDO_STAMP */
        struct undo_edit *edit;   /* UNDO_EDIT */
    };
};

void undo_init(struct undo *undo, struct arena *arena, size_t max_copied)
{
    *undo = (struct undo){.arena = arena, .max_copied = max_copied};
}

size_t undo_round(size_t size)
{
    size_t align = alignof(max_align_t);
    return (size + align - 1) & ~(align - 1);
}

void *undo_alloc(struct undo *undo, size_t size)
{
    DCHECK(undo->copied + size >= undo->copied);
    undo->copied += undo_round(size);
    return arena_alloc(undo->arena, size);
}

bool undo_may_copy(struct undo *undo, size_t bytes)
{
    if (undo->copied < undo->max_copied && bytes <= undo->max_copied - undo->copied)
        return true;
    undo->is_full = true;
    return false;
}

static struct undo_record *undo_add(struct undo *undo, enum undo_kind kind, const struct lookup *at)
{
    struct undo_record *record = undo_alloc(undo, sizeof *record);
    *record = (struct undo_record){.older = undo->newest, .at = *at, .kind = kind};
    undo->newest = record;
    return record;
}

void undo_entry(struct undo *undo, const struct lookup *at, struct entry *former, bool is_removal)
{
    DCHECK(former == NULL || slice_equal(entry_key(former), at->key));
    struct undo_record *record = undo_add(undo, UNDO_ENTRY, at);
    record->former = former;
    record->removed = at->shard->removed;
    if (former != NULL)
        undo->kept += entry_memory(former);
    record->is_removal = is_removal;
}

void undo_stamp(struct undo *undo, const struct lookup *at)
{
    CHECK(at->entry != NULL);
    undo->has_stamped_string |= entry_type(at->entry) == ENTRY_STRING;
    undo_add(undo, UNDO_STAMP, at)->stamp = (struct entry_stamp){
        .version = entry_version(at->entry), .expire_at_ms = entry_expire_at_ms(at->entry)};
}

void undo_edit(struct undo *undo, const struct lookup *at, struct undo_edit *edit)
{
    CHECK(at->entry != NULL && edit->reverse != NULL);
    undo_add(undo, UNDO_EDIT, at)->edit = edit;
}

static void undo_discard_entry(struct undo_record *record, uint64_t revision)
{
    struct lookup *at = &record->at;
    entry_free(&at->shard->slab, record->former);
    if (record->is_removal)
        removals_note(&at->shard->removals, at->db, at->hash, revision);
}

void undo_discard(struct undo *undo, uint64_t revision)
{
    CHECK(undo->newest == NULL || !undo->is_full); /* else a step was left out */
    for (struct undo_record *record = undo->newest; record != NULL; record = record->older) {
        if (record->kind == UNDO_ENTRY)
            undo_discard_entry(record, revision);
        else if (record->kind == UNDO_EDIT && record->edit->discard != NULL)
            record->edit->discard(record->edit, &record->at);
    }
    undo->newest = NULL;
}

static struct entry *undo_find_present(const struct lookup *at)
{
    return dict_find(&at->database->dict, at->hash, at->key);
}

/* Puts `former` in place of the present entry; either may be NULL. */
static void undo_restore_entry(const struct lookup *at, struct entry *former)
{
    struct dict *dict = &at->database->dict;
    struct entry *present = undo_find_present(at);
    database_uncount(at->database, present);
    database_count(at->database, former);
    if (former != NULL)
        dict_put(dict, at->hash, former);
    else if (present != NULL)
        dict_remove(dict, at->hash, at->key);
    if (former != NULL)
        entry_reclaim_reserve(former);
    DCHECK(undo_find_present(at) == former);
}

static void undo_restore_stamp(const struct lookup *at, struct entry_stamp stamp)
{
    struct entry *present = undo_find_present(at);
    CHECK(present != NULL); /* as it was right after its write */
    database_uncount(at->database, present);
    struct entry *entry = entry_restamp(&at->shard->slab, present, stamp);
    if (entry != present)
        dict_replace(&at->database->dict, at->hash, present, entry);
    database_count(at->database, entry);
}

static void undo_reverse(struct undo_record *record)
{
    switch (record->kind) {
    case UNDO_ENTRY:
        undo_restore_entry(&record->at, record->former);
        record->at.shard->removed = record->removed;
        break;
    case UNDO_STAMP:
        undo_restore_stamp(&record->at, record->stamp);
        break;
    case UNDO_EDIT:
        record->at.entry = undo_find_present(&record->at);
        CHECK(record->at.entry != NULL);
        record->edit->reverse(record->edit, &record->at);
        break;
    }
}

void undo_roll_back(struct undo *undo)
{
    for (struct undo_record *record = undo->newest; record != NULL; record = record->older)
        undo_reverse(record);
    undo->newest = NULL;
    undo->kept = 0;
}
