/* Keeping and reversing what writes did. Knows no operations, only entries and their stamps; how
 * values are changed is the business of those who note edits. */
#include "store/undo.h"

#include "base/arena.h"
#include "store/entry.h"
#include "store/shard.h"

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

void undo_init(struct undo *undo, struct arena *arena)
{
    *undo = (struct undo){.arena = arena};
}

static struct undo_record *add(struct undo *undo, enum undo_kind kind, const struct lookup *at)
{
    struct undo_record *record = arena_alloc(undo->arena, sizeof *record);
    *record = (struct undo_record){.older = undo->newest, .at = *at, .kind = kind};
    undo->newest = record;
    return record;
}

void undo_entry(struct undo *undo, const struct lookup *at, struct entry *former, bool is_removal)
{
    struct undo_record *record = add(undo, UNDO_ENTRY, at);
    record->former = former;
    record->removed = at->shard->removed;
    record->is_removal = is_removal;
}

void undo_stamp(struct undo *undo, const struct lookup *at)
{
    add(undo, UNDO_STAMP, at)->stamp = (struct entry_stamp){
        .version = entry_version(at->entry), .expire_at_ms = entry_expire_at_ms(at->entry)};
}

void undo_edit(struct undo *undo, const struct lookup *at, struct undo_edit *edit)
{
    add(undo, UNDO_EDIT, at)->edit = edit;
}

static void forget_entry(struct undo_record *record, uint64_t revision)
{
    struct lookup *at = &record->at;
    entry_free(&at->shard->slab, record->former);
    if (record->is_removal)
        removals_note(&at->shard->removals, at->db, at->hash, revision);
}

void undo_forget(struct undo *undo, uint64_t revision)
{
    for (struct undo_record *record = undo->newest; record != NULL; record = record->older) {
        if (record->kind == UNDO_ENTRY)
            forget_entry(record, revision);
        else if (record->kind == UNDO_EDIT && record->edit->forget != NULL)
            record->edit->forget(record->edit, &record->at);
    }
    undo->newest = NULL;
}

static bool has_deadline(const struct entry *entry)
{
    return entry != NULL && entry_expire_at_ms(entry) != 0;
}

static struct entry *present_at(const struct lookup *at)
{
    return dict_find(&at->database->dict, at->hash, at->key);
}

/* `former` takes the place of what is there now, either of which may be NULL. */
static void put_back(const struct lookup *at, struct entry *former)
{
    struct dict *dict = &at->database->dict;
    struct entry *present = present_at(at);
    at->database->expiring -= has_deadline(present);
    at->database->expiring += has_deadline(former);
    if (former != NULL)
        dict_put(dict, at->hash, former);
    else if (present != NULL)
        dict_remove(dict, at->hash, at->key);
}

static void stamp_back(const struct lookup *at, struct entry_stamp stamp)
{
    struct entry *present = present_at(at);
    at->database->expiring -= has_deadline(present);
    struct entry *entry = entry_restamp(&at->shard->slab, present, stamp);
    if (entry != present)
        dict_replace(&at->database->dict, at->hash, present, entry);
    at->database->expiring += has_deadline(entry);
}

static void reverse(struct undo_record *record)
{
    switch (record->kind) {
    case UNDO_ENTRY:
        put_back(&record->at, record->former);
        record->at.shard->removed = record->removed;
        break;
    case UNDO_STAMP:
        stamp_back(&record->at, record->stamp);
        break;
    case UNDO_EDIT:
        record->at.entry = present_at(&record->at);
        record->edit->reverse(record->edit, &record->at);
        break;
    }
}

void undo_rollback(struct undo *undo)
{
    for (struct undo_record *record = undo->newest; record != NULL; record = record->older)
        reverse(record);
    undo->newest = NULL;
}
