/* Gathers records in one buffer. Knows neither revisions nor threads. */
#include "journal/log/gather.h"

#include "base/check.h"
#include "journal/log/command.h"
#include "journal/log/note.h"

/* The caller bounds what gathers; this is more than any machine has. */
#define LIMIT (SIZE_MAX / 4)

void gather_init(struct gather *gather)
{
    *gather = (struct gather){0};
    buf_init_for(&gather->bytes, LIMIT, ACCOUNT_JOURNAL);
}

void gather_deinit(struct gather *gather)
{
    buf_deinit(&gather->bytes);
}

void gather_begin(struct gather *gather)
{
    CHECK(!gather->record.is_open);
    gather->record.is_open = true;
    gather->record.is_complete = false;
    gather->record.start = gather->bytes.len;
    gather->record.changes = 0;
    gather->record.selected = gather->selected;
    gather->record.db = gather->db;
}

static void gather_check_fits(bool fits)
{
    CHECK(fits); /* LIMIT is more than any machine has */
}

static void gather_append_text(struct gather *gather, const char *text)
{
    gather_check_fits(buf_append(&gather->bytes, slice_from_string(text)));
}

/* Inserts the start of a transaction before the record's first change. */
static void gather_insert_multi(struct gather *gather)
{
    size_t len = sizeof COMMAND_MULTI - 1;
    gather_check_fits(buf_reserve(&gather->bytes, len) != NULL);
    DCHECK(gather->record.start <= gather->bytes.len);
    uint8_t *start = gather->bytes.data + gather->record.start;
    memmove(start + len, start, gather->bytes.len - gather->record.start);
    memcpy(start, COMMAND_MULTI, len);
    gather->bytes.len += len;
}

void gather_change(struct gather *gather, const struct op *change)
{
    CHECK(gather->record.is_open && !gather->record.is_complete);
    if (gather->record.changes == 1)
        gather_insert_multi(gather);
    if (!gather->selected || gather->db != change->db) {
        gather_check_fits(command_append_select(&gather->bytes, change->db));
        gather->selected = true;
        gather->db = change->db;
    }
    gather_check_fits(command_append(&gather->bytes, change));
    gather->record.changes++;
}

/* A record has a revision even without changes: then it is an empty transaction. */
static void gather_complete(struct gather *gather)
{
    if (gather->record.is_complete)
        return;
    gather->record.is_complete = true;
    if (gather->record.changes == 0)
        gather_insert_multi(gather);
    if (gather->record.changes != 1)
        gather_append_text(gather, COMMAND_EXEC);
}

void gather_note(struct gather *gather, struct slice note)
{
    CHECK(gather->record.is_open);
    gather_complete(gather);
    note_append(&gather->bytes, note);
}

void gather_end(struct gather *gather)
{
    CHECK(gather->record.is_open && gather->bytes.len >= gather->record.start);
    gather_complete(gather);
    gather->record.is_open = false;
    gather->count++;
    DCHECK(gather->bytes.len > gather->record.start); /* a revision without bytes would be lost */
}

void gather_abort(struct gather *gather)
{
    CHECK(gather->record.is_open && gather->bytes.len >= gather->record.start);
    gather->record.is_open = false;
    gather->bytes.len = gather->record.start;
    gather->selected = gather->record.selected;
    gather->db = gather->record.db;
}

void gather_take(struct gather *gather, struct buf *bytes, uint64_t *count, bool new_file)
{
    CHECK(!gather->record.is_open);
    struct buf taken = gather->bytes;
    gather->bytes = *bytes;
    gather->bytes.limit = LIMIT;
    gather->bytes.len = 0;
    *bytes = taken;
    *count = gather->count;
    gather->count = 0;
    if (new_file)
        gather->selected = false;
    DCHECK((*count == 0) == (bytes->len == 0));
}
