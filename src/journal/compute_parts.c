/* Reads the arguments of a command, and applies operations for it. */
#include "journal/compute_parts.h"

#include "base/arena.h"
#include "base/decimal.h"

enum compute_verdict compute_bad(struct compute *compute, const char *why)
{
    compute->why = why;
    return COMPUTE_BAD;
}

bool compute_is_word(const struct compute *compute, size_t index, const char *word)
{
    const struct scan_command *command = compute->command;
    return index < command->count && resp_is_word(command->args[index], word);
}

bool compute_is_number(const struct compute *compute, size_t index, int64_t *number)
{
    const struct scan_command *command = compute->command;
    return index < command->count && decimal_parse(command->args[index], number);
}

bool compute_do(struct compute *compute, struct op *op)
{
    struct op_result result = {0};
    op->db = compute->command->db;
    compute->apply(compute->user, op, &result);
    if (result.err != ERR_NONE)
        compute->why = result.why;
    op_result_release(&result);
    return result.err == ERR_NONE;
}

bool compute_read(struct compute *compute, struct op *op, struct slice *value, bool *found)
{
    struct op_result result = {0};
    *value = slice_make(NULL, 0);
    *found = false;
    op->db = compute->command->db;
    if (left_out_has(compute->left_out, op->db, op->key)) {
        compute->unknown = true;
        return true;
    }
    compute->apply(compute->user, op, &result);
    *found = result.value.found;
    if (*found)
        *value = arena_copy(compute->arena, result.value.bytes);
    if (result.err != ERR_NONE)
        compute->why = result.why;
    op_result_release(&result);
    return result.err == ERR_NONE;
}

bool compute_string(struct compute *compute, struct slice key, struct slice *value, bool *found)
{
    struct op op = {.kind = OP_GET, .key = key};
    return compute_read(compute, &op, value, found);
}

bool compute_replace(struct compute *compute, struct slice key, struct op *op)
{
    struct op delete = {.kind = OP_DELETE, .key = key};
    op->key = key;
    left_out_remove(compute->left_out, compute->command->db, key);
    return compute_do(compute, &delete) && (op->kind == OP_COUNT || compute_do(compute, op));
}
