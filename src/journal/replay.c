/* Units become operations. Where units begin and end is scan.c's business, what a command means
 * command.h's. */
#include "journal/replay.h"

#include "base/arena.h"
#include "journal/command.h"
#include "journal/scan.h"
#include "store/entry.h"
#include "store/restore.h"
#include "store/store.h"

#include <inttypes.h>

struct replay {
    struct loading *loading;
    struct arena arena;
    size_t start;    /* offset of the log in its file */
    size_t offset;   /* of the unit in the file */
    uint64_t before; /* revision of the unit before */
};

/* Does the operation at the unit's revision. The result is valid until the next one. */
static void apply(struct replay *replay, struct op *op, struct op_result *result)
{
    *result = (struct op_result){0};
    restore_revision(replay->loading->store, replay->before);
    store_apply(replay->loading->store, op, &replay->arena, result);
    op_result_release(result);
}

static bool fail(struct replay *replay, const struct scan_command *command, const char *why)
{
    const struct slice name = command->args[0];
    return loading_fail(replay->loading, LOADING_DAMAGED, replay->offset,
                        "the command %.*s cannot be done here: %s",
                        (int)(name.len < 20 ? name.len : 20), (const char *)name.data, why);
}

/* ---- what the store cannot do ---- */

static bool is_one_of(struct slice name, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (resp_is_word(name, words[i]))
            return true;
    }
    return false;
}

/* The argument that is the key that the command writes. */
static struct slice written_key(const struct scan_command *command)
{
    static const char *const second[] = {"BITOP", "XGROUP"};
    static const char *const behind_store[] = {"SORT", "GEORADIUS", "GEORADIUSBYMEMBER"};
    const struct slice *args = command->args;
    if (is_one_of(args[0], behind_store, 3)) {
        for (size_t i = 2; i + 1 < command->count; i++) {
            if (resp_is_word(args[i], "STORE") || resp_is_word(args[i], "STOREDIST"))
                return args[i + 1];
        }
    }
    size_t index = is_one_of(args[0], second, 2) ? 2 : 1;
    return index < command->count ? args[index] : slice_make(NULL, 0);
}

static void drop(struct replay *replay, uint32_t db, struct slice key)
{
    struct op_result result;
    struct op op = {.kind = OP_DELETE, .db = db, .key = key};
    if (key.len > 0 && key.len <= OP_MAX_KEY && db < store_databases(replay->loading->store))
        apply(replay, &op, &result);
}

static void leave_out(struct replay *replay, const struct scan_command *command, const char *why)
{
    struct slice key = written_key(command);
    unsupported_add(&replay->loading->unsupported, command->args[0], key, why);
    drop(replay, command->db, key);
}

/* An operation that came to nothing or failed, after something was left out: its key may have
 * been of another type, and then what it was moved or copied to is so now. */
static void follow_left_out(struct replay *replay, const struct op *op)
{
    if (op->kind == OP_RENAME || op->kind == OP_COPY)
        drop(replay, op->target_db, op->target.bytes);
}

/* ---- commands ---- */

static bool has_database(struct replay *replay, uint32_t db)
{
    uint32_t databases = store_databases(replay->loading->store);
    if (db < databases)
        return true;
    return loading_fail(
        replay->loading, LOADING_REFUSED, replay->offset,
        "it writes to database %u, but there are %u; start with --databases %" PRIu64 " or more",
        db, databases, (uint64_t)db + 1);
}

static bool do_op(struct replay *replay, const struct scan_command *command, struct op *op)
{
    struct op_result result;
    if (!has_database(replay, op->db) || !has_database(replay, op->target_db))
        return false;
    apply(replay, op, &result);
    bool anything_left_out = replay->loading->unsupported.count > 0;
    if (anything_left_out && !result.ok)
        follow_left_out(replay, op);
    if (op->kind == OP_FLUSH_DB)
        restore_collect(replay->loading->store);
    if (result.err == ERR_NONE)
        return true;
    if (!anything_left_out)
        return fail(replay, command, result.why);
    unsupported_add(&replay->loading->unsupported, command->args[0], op->key, NULL);
    return true;
}

static bool flush_all(struct replay *replay, const struct scan_command *command, struct op *op)
{
    for (op->db = 0; op->db < store_databases(replay->loading->store); op->db++) {
        op->target_db = op->db;
        if (!do_op(replay, command, op))
            return false;
    }
    return true;
}

static bool do_command(struct replay *replay, const struct scan_command *command)
{
    struct op op;
    const char *why;
    arena_reset(&replay->arena);
    replay->loading->progress.keys++;
    switch (command_read(command, &replay->arena, &op, &why)) {
    case COMMAND_OP:
        return do_op(replay, command, &op);
    case COMMAND_FLUSH_ALL:
        return flush_all(replay, command, &op);
    case COMMAND_NOTHING:
        return true;
    case COMMAND_UNSUPPORTED:
        leave_out(replay, command, why);
        return true;
    default:
        return fail(replay, command, why);
    }
}

static bool do_unit(struct replay *replay, const struct scan_unit *unit)
{
    replay->offset = replay->start + unit->offset;
    replay->before = unit->revision - 1;
    if (!loading_reach(replay->loading, replay->offset))
        return false;
    for (size_t i = 0; i < unit->count; i++) {
        if (!do_command(replay, &unit->commands[i]))
            return false;
    }
    return true;
}

/* ---- logs ---- */

static bool judge_end(struct replay *replay, const struct scan *scan, enum scan_verdict verdict)
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
    struct scan_unit unit;
    enum scan_verdict verdict = SCAN_UNIT;
    struct replay replay = {.loading = loading, .start = start};
    bool good = true;
    arena_init(&replay.arena);
    scan_init(&scan, slice_skip(file, start), restore_newest(loading->store) + 1);
    while (good && (verdict = scan_next(&scan, &unit)) == SCAN_UNIT)
        good = do_unit(&replay, &unit);
    good =
        good && judge_end(&replay, &scan, verdict) && loading_reach(loading, start + scan.offset);
    restore_revision(loading->store, scan.next - 1);
    *end = (struct replay_end){.good = start + scan.offset,
                               .why = verdict == SCAN_TORN ? scan.why : NULL};
    scan_deinit(&scan);
    arena_deinit(&replay.arena);
    return good;
}
