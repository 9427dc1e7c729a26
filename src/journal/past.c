/*
 * Goes through the logs that the manifest names, from the first on, since only that way it is known
 * which database a command is for. A file that is being written is mapped anew at its end; one that
 * has gone remains readable while it is open.
 */
#include "journal/past.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "journal/fs/fs.h"
#include "journal/layout.h"
#include "journal/log/command.h"
#include "journal/log/command_keys.h"
#include "journal/log/scan.h"
#include "journal/manifest.h"

#include <stdlib.h>

/* Records read at a time, some milliseconds. */
#define TURN_RECORDS 10000

struct past {
    struct fs *fs;
    uint32_t databases;
    uint64_t after;  /* everything up to here was read, or is not wanted */
    uint64_t before; /* the last record passed; 0 = none yet */
    int64_t seq;     /* of the current file; 0 = none yet */
    struct fs_file *file;
    struct slice bytes;
    struct scan scan;
    struct scan_record record; /* with has_record: to be reported next */
    bool has_record;
    struct arena arena;
};

struct past *past_open(struct fs *fs, uint64_t after, uint32_t databases)
{
    struct past *past = mem_alloc_zero(sizeof *past);
    past->fs = fs;
    past->databases = databases;
    past->after = after;
    arena_init_for(&past->arena, ACCOUNT_JOURNAL);
    return past;
}

static void past_close_file(struct past *past)
{
    if (past->file == NULL)
        return;
    scan_deinit(&past->scan);
    fs_unmap(past->fs, past->bytes);
    (void)fs_close(past->file);
    past->file = NULL;
}

void past_close(struct past *past)
{
    if (past == NULL)
        return;
    past_close_file(past);
    arena_deinit(&past->arena);
    free(past);
}

/* ---- files ---- */

/* The name of the first log after the current one, to be freed; NULL: there is none. *lost: that
 * is not known. */
static char *past_find_next(struct past *past, int64_t *seq, bool *lost)
{
    struct manifest manifest = {0};
    struct manifest_fault fault;
    char *name = NULL;
    *lost = manifest_load(past->fs, LAYOUT_FOLDER, LAYOUT_MANIFEST, &manifest, &fault) != 0;
    for (size_t i = 0; i < manifest.count && name == NULL; i++) {
        const struct manifest_file *file = &manifest.files[i];
        if (file->type != 'i' || file->seq <= past->seq)
            continue;
        name = mem_copy_text(file->name);
        *seq = file->seq;
    }
    manifest_deinit(&manifest);
    return name;
}

static bool past_open_file(struct past *past, const char *name, int64_t seq)
{
    char path[LAYOUT_PATH];
    struct fs_file *file;
    struct slice bytes;
    layout_path(path, name);
    if (fs_open(past->fs, path, FS_READ, &file) != 0)
        return false;
    if (fs_map(file, &bytes) != 0) {
        (void)fs_close(file);
        return false;
    }
    uint64_t next = past->file != NULL ? past->scan.next : 0;
    past_close_file(past);
    past->file = file;
    past->bytes = bytes;
    past->seq = seq;
    scan_init(&past->scan, bytes, next);
    return true;
}

/* True if the file has got longer: the scan goes on. */
static bool past_extend(struct past *past)
{
    struct slice bytes;
    if (past->file == NULL || fs_size(past->file) <= (int64_t)past->bytes.len ||
        fs_map(past->file, &bytes) != 0)
        return false;
    fs_unmap(past->fs, past->bytes);
    past->bytes = bytes;
    scan_extend(&past->scan, bytes);
    return true;
}

/* What comes after the last record is not in the logs: was it only numbers? */
static enum past_answer past_judge_end(const struct past *past)
{
    return past->before != 0 && past->after == past->before ? PAST_END : PAST_LOST;
}

/* After a file that ends well comes the one with the next number; if that has gone already, or the
 * file is damaged, records are missing. */
static bool past_open_next(struct past *past, const char *name, int64_t seq,
                           enum scan_verdict verdict)
{
    bool follows = past->file == NULL || (verdict == SCAN_CLEAN && seq == past->seq + 1);
    return follows && past_open_file(past, name, seq);
}

/* Goes on after the end of what is mapped, where the verdict was that: true if there is more. */
static bool past_go_on(struct past *past, enum scan_verdict verdict, enum past_answer *answer)
{
    int64_t seq = 0;
    bool lost;
    char *name = past_find_next(past, &seq, &lost); /* before the file is found to be complete */
    bool goes_on = past_extend(past);
    if (!goes_on && name != NULL) {
        goes_on = past_open_next(past, name, seq, verdict);
        lost = lost || !goes_on;
    }
    lost = lost || (!goes_on && verdict == SCAN_DAMAGED);
    *answer = lost ? PAST_LOST : past_judge_end(past);
    free(name);
    return goes_on && !lost;
}

/* ---- records ---- */

static void past_report(const struct past_reader *reader, uint64_t revision, struct op *op)
{
    reader->on_change(reader->user, revision, op);
}

static bool past_report_keys(struct past *past, const struct scan_command *command,
                             const struct past_reader *reader, uint64_t revision)
{
    struct slice *keys;
    size_t count;
    if (!command_keys(command, &past->arena, &keys, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        past_report(reader, revision,
                    &(struct op){.kind = OP_COPY,
                                 .db = command->db,
                                 .target_db = command->db,
                                 .target.bytes = keys[i]});
    return true;
}

/* False if it is not known what the command has changed. */
static bool past_report_command(struct past *past, const struct scan_command *command,
                                const struct past_reader *reader, uint64_t revision)
{
    struct op op;
    const char *why;
    switch (command_read(command, &past->arena, &op, &why)) {
    case COMMAND_OP:
        past_report(reader, revision, &op);
        return true;
    case COMMAND_FLUSH_ALL:
        for (op.db = 0; op.db < past->databases; op.db++)
            past_report(reader, revision, &op);
        return true;
    case COMMAND_NOTHING:
        return true;
    case COMMAND_COMPUTED:
    case COMMAND_UNSUPPORTED:
        return past_report_keys(past, command, reader, revision);
    default:
        return false;
    }
}

/* A gap in the revisions is what a crash has taken: a reader who knows of commits in it has lost
 * them, but for the last of them, which was only a number. */
static bool past_reaches(const struct past *past)
{
    uint64_t revision = past->record.revision;
    return past->after >= revision - 1 || (past->before != 0 && past->after == past->before);
}

/* Reports the record, unless it is older than what is wanted. */
static bool past_report_record(struct past *past, const struct past_reader *reader,
                               enum past_answer *answer)
{
    const struct scan_record *record = &past->record;
    past->has_record = false;
    *answer = PAST_MORE;
    if (record->revision == 0)
        return true;
    bool reaches = past_reaches(past);
    past->before = record->revision;
    if (record->revision <= past->after)
        return true;
    *answer = PAST_LOST;
    if (!reaches)
        return false;
    for (size_t i = 0; i < record->count; i++)
        if (!past_report_command(past, &record->commands[i], reader, record->revision))
            return false;
    arena_reset(&past->arena);
    past->after = record->revision;
    *answer = PAST_MORE;
    return reader->on_commit(reader->user, record->revision);
}

/* Has the next record; else says why there is none. */
static bool past_fetch(struct past *past, enum past_answer *answer)
{
    while (!past->has_record) {
        enum scan_verdict verdict = SCAN_CLEAN;
        if (past->file != NULL)
            verdict = scan_next(&past->scan, &past->record);
        if (past->file != NULL && verdict == SCAN_RECORD)
            past->has_record = true;
        else if (!past_go_on(past, verdict, answer))
            return false;
    }
    return true;
}

enum past_answer past_read(struct past *past, uint64_t upto, const struct past_reader *reader)
{
    enum past_answer answer = PAST_MORE;
    for (size_t i = 0; i < TURN_RECORDS; i++) {
        if (past->after >= upto)
            return PAST_END;
        if (!past_fetch(past, &answer))
            return answer;
        if (past->record.revision > upto) /* nothing in between was kept */
            return past_reaches(past) ? PAST_END : PAST_LOST;
        if (!past_report_record(past, reader, &answer))
            return answer;
    }
    return PAST_MORE;
}
