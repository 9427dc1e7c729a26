/* RESTORE: a key with a value as DUMP serialized it. What the bytes mean is known to rdb/read.c. */
#include "base/arena.h"
#include "base/mem.h"
#include "journal/compute_parts.h"
#include "journal/rdb/read.h"

#include <stdio.h>
#include <stdlib.h>

struct restoring {
    struct compute *compute;
    struct op op; /* OP_COUNT until there is a value */
    struct slice *elements;
    size_t count, capacity;
};

static bool compute_restore_on_string(void *context, const struct rdb_key *key, struct slice value)
{
    struct restoring *restoring = context;
    (void)key;
    restoring->op.kind = OP_SET;
    restoring->op.value = arena_copy(restoring->compute->arena, value);
    return true;
}

static bool compute_restore_on_list_elements(void *context, const struct slice *elements,
                                             size_t count)
{
    struct restoring *restoring = context;
    for (size_t i = 0; i < count; i++) {
        if (restoring->count == restoring->capacity) {
            restoring->capacity = restoring->capacity > 0 ? restoring->capacity * 2 : count;
            restoring->elements =
                mem_realloc(restoring->elements, restoring->capacity * sizeof *restoring->elements);
        }
        restoring->elements[restoring->count++] =
            arena_copy(restoring->compute->arena, elements[i]);
    }
    return true;
}

static bool compute_restore_on_unsupported(void *context, const struct rdb_key *key,
                                           const char *type)
{
    struct restoring *restoring = context;
    (void)key;
    snprintf(restoring->compute->type, sizeof restoring->compute->type, "%s", type);
    return true;
}

/* Reads the words after the value; false if one is unknown. */
static bool compute_restore_read_words(const struct compute *compute, bool *replace, bool *absolute)
{
    *replace = *absolute = false;
    for (size_t i = 4; i < compute->command->count; i++) {
        if (compute_is_word(compute, i, "REPLACE"))
            *replace = true;
        else if (compute_is_word(compute, i, "ABSTTL"))
            *absolute = true;
        else if (compute_is_word(compute, i, "IDLETIME") || compute_is_word(compute, i, "FREQ"))
            i++;
        else
            return false;
    }
    return true;
}

static enum compute_verdict compute_restore_read_value(struct restoring *restoring)
{
    struct compute *compute = restoring->compute;
    struct rdb_receiver receiver = {.on_string = compute_restore_on_string,
                                    .on_list_elements = compute_restore_on_list_elements,
                                    .on_unsupported = compute_restore_on_unsupported,
                                    .context = restoring};
    struct rdb_key key = {.name = compute->command->args[1]};
    struct rdb_error error;
    if (!rdb_read_dump(compute->command->args[3], &key, &receiver, &error)) {
        compute->why =
            (const char *)arena_copy(compute->arena, slice_make(error.reason, sizeof error.reason))
                .data;
        return error.unknown ? COMPUTE_UNSUPPORTED : COMPUTE_BAD;
    }
    if (restoring->count > 0) {
        restoring->op.kind = OP_R_PUSH;
        restoring->op.values = restoring->elements;
        restoring->op.value_count = restoring->count;
    }
    return compute->type[0] != '\0' ? COMPUTE_UNSUPPORTED : COMPUTE_DONE;
}

/* Without REPLACE the key did not exist. */
static enum compute_verdict compute_restore_put_value(struct restoring *restoring, bool replace)
{
    struct compute *compute = restoring->compute;
    struct slice key = compute->command->args[1];
    struct op_key keys[] = {{.bytes = key}};
    struct op exists = {
        .kind = OP_EXISTS, .db = compute->command->db, .keys = keys, .key_count = 1};
    struct op_result result = {0};
    if (!replace && left_out_has(compute->left_out, compute->command->db, key))
        return COMPUTE_LEFT_OUT;
    compute->apply(compute->user, &exists, &result);
    op_result_release(&result);
    if (!replace && result.count > 0)
        return compute_bad(compute, "the key already exists");
    return compute_replace(compute, key, &restoring->op) ? COMPUTE_DONE : COMPUTE_BAD;
}

enum compute_verdict compute_restore(struct compute *compute)
{
    bool replace, absolute;
    struct restoring restoring = {.compute = compute, .op = {.kind = OP_COUNT}};
    int64_t *at_ms = &restoring.op.expire_at_ms;
    if (!compute_is_number(compute, 2, at_ms) || *at_ms < 0 ||
        !compute_restore_read_words(compute, &replace, &absolute))
        return compute_bad(compute, "its time to live is not a number, or a word is unknown");
    if (*at_ms > 0 && !absolute) {
        compute->why = "its time to live is relative to a time that is not in the log";
        return COMPUTE_UNSUPPORTED;
    }
    enum compute_verdict verdict = compute_restore_read_value(&restoring);
    if (verdict == COMPUTE_DONE)
        verdict = compute_restore_put_value(&restoring, replace);
    free(restoring.elements);
    return verdict;
}
