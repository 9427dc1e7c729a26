/* Turns records into operations and applies them. Where records start and end is known to
 * log/scan.c, what a command means to log/command.h. */
#include "journal/replay.h"

#include "base/arena.h"
#include "journal/compute.h"
#include "journal/log/command.h"
#include "journal/log/command_keys.h"
#include "journal/log/note.h"
#include "journal/log/scan.h"
#include "store/data/entry.h"
#include "store/restore.h"
#include "store/store.h"

#include <inttypes.h>

struct replay {
    struct loading *loading;
    struct arena arena;
    size_t start;    /* offset of the log in its file */
    size_t offset;   /* of the record in the file */
    uint64_t before; /* revision of the record before */
};

/* Applies the operation at the record's revision. The result is valid until the next call. */
static void replay_apply(struct replay *replay, struct op *op, struct op_result *result)
{
    *result = (struct op_result){0};
    restore_revision(replay->loading->store, replay->before);
    store_apply(replay->loading->store, op, &replay->arena, result);
    op_result_release(result);
}

static bool replay_fail(struct replay *replay, const struct scan_command *command, const char *why)
{
    const struct slice name = command->args[0];
    return loading_fail(replay->loading, LOADING_DAMAGED, replay->offset,
                        "the command %.*s cannot be applied here: %s",
                        (int)(name.len < 20 ? name.len : 20), (const char *)name.data, why);
}

/* ---- what the store cannot do ---- */

static struct left_out *replay_left_out(struct replay *replay)
{
    return &replay->loading->left_out;
}

/* Removes the key and notes that it is left out. */
static void replay_drop(struct replay *replay, uint32_t db, struct slice key)
{
    struct op_result result;
    struct op op = {.kind = OP_DELETE, .db = db, .key = key};
    if (left_out_has(replay_left_out(replay), db, key) ||
        db >= store_databases(replay->loading->store))
        return;
    left_out_add(replay_left_out(replay), db, key);
    replay_apply(replay, &op, &result);
}

/* Leaves out whatever the command wrote. */
static bool replay_leave_out(struct replay *replay, const struct scan_command *command,
                             struct slice type, const char *why)
{
    struct unsupported *unsupported = &replay->loading->unsupported;
    struct slice *keys;
    size_t count;
    if (!command_keys(command, &replay->arena, &keys, &count))
        return replay_fail(replay, command, why);
    if (count == 0)
        unsupported_add(unsupported, type, slice_make(NULL, 0), why);
    for (size_t i = 0; i < count; i++) {
        unsupported_add(unsupported, type, keys[i], why);
        replay_drop(replay, command->db, keys[i]);
    }
    return true;
}

/* Leaves out a key whose value derives from a left-out one. */
static void replay_taint(struct replay *replay, const struct scan_command *command, uint32_t db,
                         struct slice key)
{
    static const char why[] = "it works on a key that was left out";
    if (!left_out_has(replay_left_out(replay), db, key))
        unsupported_add(&replay->loading->unsupported, command->args[0], key, why);
    replay_drop(replay, db, key);
}

static bool replay_has(struct replay *replay, uint32_t db, struct slice key)
{
    return left_out_has(replay_left_out(replay), db, key);
}

/* Rename and Copy that overwrite: only the source matters. False: the operation is to be applied.
 */
static bool replay_taint_move(struct replay *replay, const struct scan_command *command,
                              const struct op *op)
{
    bool same = op->db == op->target_db && slice_equal(op->key, op->target.bytes);
    if (!replay_has(replay, op->db, op->key))
        return false;
    if (same)
        return true;
    replay_taint(replay, command, op->target_db, op->target.bytes);
    if (op->kind == OP_RENAME)
        left_out_remove(replay_left_out(replay), op->db, op->key);
    return true;
}

/* Any other operation: if its key or its target was left out, both are left out. */
static bool replay_taint_any(struct replay *replay, const struct scan_command *command,
                             const struct op *op)
{
    struct slice key = op->key_count > 0 ? op->keys[0].bytes : op->key;
    bool pair = op->target.bytes.len > 0;
    if (!replay_has(replay, op->db, key) &&
        !(pair && replay_has(replay, op->target_db, op->target.bytes)))
        return false;
    if (op->kind != OP_COPY) /* which only reads it */
        replay_taint(replay, command, op->db, key);
    if (pair)
        replay_taint(replay, command, op->target_db, op->target.bytes);
    return true;
}

/* True if the operation overwrites its key, or as a pair its target, regardless of what was there.
 */
static bool replay_replaces(const struct op *op)
{
    if (!op_is(op->kind, OP_REPLACES) || op->condition.existence != EXISTENCE_ANY)
        return false;
    if (op->kind == OP_SET)
        return !op->set.keep_ttl;
    if (op->kind == OP_RENAME)
        return !op->copy.absent_only;
    return op->kind != OP_COPY || op->copy.replace;
}

/* replay_depends_on_left_out() of an operation with several keys. */
static bool replay_taint_keys(struct replay *replay, const struct scan_command *command,
                              const struct op *op)
{
    if (!replay_replaces(op))
        return replay_taint_any(replay, command, op);
    for (size_t i = 0; i < op->key_count; i++)
        left_out_remove(replay_left_out(replay), op->db, op->keys[i].bytes);
    return false;
}

/* The same for one that derives the value of a key from others. */
static bool replay_taint_into(struct replay *replay, const struct scan_command *command,
                              const struct op *op)
{
    for (size_t i = 0; i < op->key_count; i++) {
        if (replay_has(replay, op->db, op->keys[i].bytes)) {
            replay_taint(replay, command, op->db, op->key);
            return true;
        }
    }
    left_out_remove(replay_left_out(replay), op->db, op->key);
    return false;
}

/*
 * True if the operation depends on keys that were left out: then it is not applied, and what it
 * would have written is left out, too. Else keys that it writes as a whole are no longer left out.
 */
static bool replay_depends_on_left_out(struct replay *replay, const struct scan_command *command,
                                       const struct op *op)
{
    struct left_out *keys = replay_left_out(replay);
    switch (op_info(op->kind)->keys) {
    case OP_KEYS_DB:
        left_out_clear(keys, op->db);
        return false;
    case OP_KEYS_DBS:
        left_out_swap(keys, op->db, op->target_db);
        return false;
    case OP_KEYS_OPS: /* Sets */
        for (size_t i = 0; i < op->op_count; i++)
            left_out_remove(keys, op->db, op->ops[i].key);
        return false;
    case OP_KEYS_KEYS:
        return replay_taint_keys(replay, command, op);
    case OP_KEYS_INTO:
        return replay_taint_into(replay, command, op);
    case OP_KEYS_KEY:
        if (!replay_replaces(op))
            return replay_taint_any(replay, command, op);
        left_out_remove(keys, op->db, op->key);
        return false;
    case OP_KEYS_PAIR:
        return replay_replaces(op) ? replay_taint_move(replay, command, op)
                                   : replay_taint_any(replay, command, op);
    case OP_KEYS_NONE:
        break;
    }
    return false;
}

/* ---- commands ---- */

static bool replay_has_database(struct replay *replay, uint32_t db)
{
    uint32_t databases = store_databases(replay->loading->store);
    if (db < databases)
        return true;
    return loading_fail(
        replay->loading, LOADING_REFUSED, replay->offset,
        "it writes to database %u, but there are %u; start with --databases %" PRIu64 " or more",
        db, databases, (uint64_t)db + 1);
}

static bool replay_apply_op(struct replay *replay, const struct scan_command *command,
                            struct op *op)
{
    struct op_result result;
    if (!replay_has_database(replay, op->db) || !replay_has_database(replay, op->target_db))
        return false;
    if (replay_left_out(replay)->count > 0 && replay_depends_on_left_out(replay, command, op))
        return true;
    replay_apply(replay, op, &result);
    if (op->kind == OP_FLUSH_DB)
        restore_collect(replay->loading->store);
    if (result.ok && (op->kind == OP_RENAME || op->kind == OP_COPY)) /* over whatever was there */
        left_out_remove(replay_left_out(replay), op->target_db, op->target.bytes);
    return result.err == ERR_NONE || replay_fail(replay, command, result.why);
}

static void replay_apply_computed(void *user, struct op *op, struct op_result *result)
{
    struct replay *replay = user;
    restore_revision(replay->loading->store, replay->before);
    store_apply(replay->loading->store, op, &replay->arena, result);
}

static bool replay_compute(struct replay *replay, const struct scan_command *command, struct op *op)
{
    struct compute work = {.command = command,
                           .op = op,
                           .arena = &replay->arena,
                           .left_out = replay_left_out(replay),
                           .apply = replay_apply_computed,
                           .user = replay};
    if (!replay_has_database(replay, command->db))
        return false;
    switch (compute(&work)) {
    case COMPUTE_DONE:
        return true;
    case COMPUTE_LEFT_OUT:
        return replay_leave_out(replay, command, command->args[0],
                                "it works on a key that was left out");
    case COMPUTE_UNSUPPORTED:
        return replay_leave_out(
            replay, command, work.type[0] != '\0' ? slice_from_string(work.type) : command->args[0],
            work.why);
    default:
        return replay_fail(replay, command, work.why);
    }
}

static bool replay_refuse_unknown(struct replay *replay, const struct scan_command *command,
                                  const char *why)
{
    struct slice name = command->args[0];
    return loading_fail(replay->loading, LOADING_REFUSED, replay->offset, "the command %.*s: %s",
                        (int)(name.len < 20 ? name.len : 20), (const char *)name.data, why);
}

static bool replay_flush_all(struct replay *replay, const struct scan_command *command,
                             struct op *op)
{
    for (op->db = 0; op->db < store_databases(replay->loading->store); op->db++) {
        op->target_db = op->db;
        if (!replay_apply_op(replay, command, op))
            return false;
    }
    return true;
}

static bool replay_command(struct replay *replay, const struct scan_command *command)
{
    struct op op;
    const char *why;
    arena_reset(&replay->arena);
    replay->loading->progress.keys++;
    switch (command_read(command, &replay->arena, &op, &why)) {
    case COMMAND_OP:
        return replay_apply_op(replay, command, &op);
    case COMMAND_FLUSH_ALL:
        return replay_flush_all(replay, command, &op);
    case COMMAND_NOTHING:
        return true;
    case COMMAND_UNSUPPORTED:
        return replay_leave_out(replay, command, command->args[0], why);
    case COMMAND_COMPUTED:
        return replay_compute(replay, command, &op);
    case COMMAND_UNKNOWN:
        return replay_refuse_unknown(replay, command, why);
    default:
        return replay_fail(replay, command, why);
    }
}

/* What is no receipt that this version knows is skipped, as other annotations are. */
static void replay_notes(struct replay *replay, struct slice lines, uint64_t revision)
{
    struct loading *loading = replay->loading;
    struct buf note;
    buf_init_for(&note, SIZE_MAX / 4, ACCOUNT_JOURNAL);
    while (lines.len > 0)
        if (note_read(&lines, &note))
            loading_note(loading, buf_slice(&note), revision);
    buf_deinit(&note);
}

static bool replay_record(struct replay *replay, const struct scan_record *record)
{
    replay->offset = replay->start + record->offset;
    replay->before = record->revision - 1;
    if (!loading_reach(replay->loading, replay->offset))
        return false;
    for (size_t i = 0; i < record->count; i++) {
        if (!replay_command(replay, &record->commands[i]))
            return false;
    }
    if (record->notes.len > 0)
        replay_notes(replay, record->notes, record->revision);
    return true;
}

/* ---- logs ---- */

static bool replay_judge_end(struct replay *replay, const struct scan *scan,
                             enum scan_verdict verdict)
{
    size_t at = replay->start + scan->offset;
    if (verdict != SCAN_DAMAGED)
        return true;
    if (scan->proof == 0)
        return loading_fail(replay->loading, LOADING_DAMAGED, at, "%s", scan->why);
    return loading_fail(replay->loading, LOADING_DAMAGED, at,
                        "%s; the batch at offset %zu shows that this had been written durably",
                        scan->why, replay->start + scan->proof);
}

bool replay_log(struct loading *loading, struct slice file, size_t start, struct replay_end *end)
{
    struct scan scan;
    struct scan_record record;
    enum scan_verdict verdict = SCAN_RECORD;
    struct replay replay = {.loading = loading, .start = start};
    bool good = true;
    arena_init_for(&replay.arena, ACCOUNT_JOURNAL);
    scan_init(&scan, slice_skip(file, start), restore_newest(loading->store) + 1);
    while (good && (verdict = scan_next(&scan, &record)) == SCAN_RECORD)
        good = replay_record(&replay, &record);
    good = good && replay_judge_end(&replay, &scan, verdict) &&
           loading_reach(loading, start + scan.offset);
    restore_revision(loading->store, scan.next - 1);
    *end = (struct replay_end){.good = start + scan.offset,
                               .why = verdict == SCAN_TORN ? scan.why : NULL};
    scan_deinit(&scan);
    arena_deinit(&replay.arena);
    return good;
}
