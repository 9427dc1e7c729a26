/* Checks the keys that the operation table names, databases and values. Knows no message but how
 * its fields are named. */
#include "service/check.h"

#include "base/field_path.h"
#include "service/error_text.h"

#include <stdio.h>

/* What one check works with, and where its error message goes. */
struct checking {
    const struct check_limits *limits;
    struct arena *arena;
    const char **why;
};

static inline bool check_key_is_valid(struct slice key)
{
    return key.len > 0 && key.len <= OP_MAX_KEY;
}

enum err check_key(const char *path, struct slice key, struct arena *arena, const char **why)
{
    if (check_key_is_valid(key))
        return ERR_NONE;
    if (key.len == 0) {
        *why = error_text_format(arena, "%s: the key is empty; a key is 1 byte to 64 KiB", path);
        return ERR_BAD_ARGUMENT;
    }
    *why = error_text_format(arena, "%s: the key has %zu bytes; a key is 1 byte to 64 KiB", path,
                             key.len);
    return ERR_TOO_LARGE;
}

static enum err check_db(const struct checking *checking, const char *path, uint32_t db)
{
    uint32_t databases = checking->limits->databases;
    if (db < databases)
        return ERR_NONE;
    *checking->why =
        error_text_format(checking->arena, "%s: there is no database %u; this server has 0 to %u",
                          path, db, databases - 1);
    return ERR_BAD_ARGUMENT;
}

/* ---- names of fields ---- */

/* Of op->key. */
static const char *check_name_key(enum op_kind kind)
{
    return kind == OP_RENAME || kind == OP_COPY || kind == OP_L_MOVE ? "source" : "key";
}

static const char *check_name_target(enum op_kind kind)
{
    return kind == OP_LCS ? "other_key" : "target";
}

static const char *check_name_target_db(const struct op *op)
{
    if (op->target_db == op->db)
        return "db";
    return op->kind == OP_SWAP_DB ? "other_db" : "target_db";
}

/* ---- values ---- */

static enum err check_refuse_value(const struct checking *checking)
{
    *checking->why =
        error_text_format(checking->arena, "value: it is longer than the %zu bytes of --max-value",
                          checking->limits->max_value);
    return ERR_TOO_LARGE;
}

static enum err check_values(const struct checking *checking, const struct op *op)
{
    size_t max_value = checking->limits->max_value;
    if (op->value.len > max_value)
        return check_refuse_value(checking);
    for (size_t i = 0; i < op->value_count; i++) {
        if (op->values[i].len > max_value) {
            *checking->why = error_text_format(
                checking->arena, "values[%zu]: it is longer than the %zu bytes of --max-value", i,
                max_value);
            return ERR_TOO_LARGE;
        }
    }
    return ERR_NONE;
}

/* ---- keys ---- */

static enum err check_own_key(const struct checking *checking, const struct op *op)
{
    if (check_key_is_valid(op->key))
        return ERR_NONE;
    return check_key(check_name_key(op->kind), op->key, checking->arena, checking->why);
}

static enum err check_pair(const struct checking *checking, const struct op *op)
{
    enum err err = check_own_key(checking, op);
    if (err == ERR_NONE)
        err = check_key(check_name_target(op->kind), op->target.bytes, checking->arena,
                        checking->why);
    return err != ERR_NONE ? err : check_db(checking, check_name_target_db(op), op->target_db);
}

static enum err check_refuse_key(const struct checking *checking, size_t number, struct slice key)
{
    char path[32];
    snprintf(path, sizeof path, "keys[%zu]", number);
    return check_key(path, key, checking->arena, checking->why);
}

static enum err check_keys(const struct checking *checking, const struct op *op)
{
    for (size_t i = 0; i < op->key_count; i++) {
        if (!check_key_is_valid(op->keys[i].bytes))
            return check_refuse_key(checking, i, op->keys[i].bytes);
    }
    return ERR_NONE;
}

/* ---- operations ---- */

static enum err check_one(const struct checking *checking, const struct op *op);

/* `has_names`: each is in an Op, where the field has the operation's name. */
static enum err check_ops(const struct checking *checking, const char *field, bool has_names,
                          const struct op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum err err = check_one(checking, &ops[i]);
        if (err == ERR_NONE)
            continue;
        char name[OP_FIELD_SIZE];
        if (has_names)
            *checking->why = field_path_within(checking->arena, *checking->why, "%s",
                                               op_field(ops[i].kind, name));
        *checking->why = field_path_within(checking->arena, *checking->why, "%s[%zu]", field, i);
        return err;
    }
    return ERR_NONE;
}

static enum err check_inner(const struct checking *checking, const struct op *op)
{
    if (op->txn == NULL) {
        enum err err = check_db(checking, "db", op->db); /* which the entries have */
        return err != ERR_NONE ? err : check_ops(checking, "entries", false, op->ops, op->op_count);
    }
    const struct op_txn *txn = op->txn;
    enum err err = check_ops(checking, "success", true, op->ops, op->op_count);
    if (err == ERR_NONE)
        err = check_ops(checking, "failure", true, txn->else_ops, txn->else_count);
    if (err == ERR_NONE)
        err = check_ops(checking, "compares", false, txn->compares, txn->compare_count);
    return err;
}

static enum err check_all_keys(const struct checking *checking, const struct op *op)
{
    switch (op_info(op->kind)->keys) {
    case OP_KEYS_KEY:
        return check_own_key(checking, op);
    case OP_KEYS_PAIR:
        return check_pair(checking, op);
    case OP_KEYS_KEYS:
        return check_keys(checking, op);
    case OP_KEYS_INTO: {
        enum err err = check_own_key(checking, op);
        return err != ERR_NONE ? err : check_keys(checking, op);
    }
    case OP_KEYS_OPS:
        return check_inner(checking, op);
    case OP_KEYS_DBS:
        return check_db(checking, check_name_target_db(op), op->target_db);
    case OP_KEYS_NONE:
    case OP_KEYS_DB:
        break;
    }
    return ERR_NONE;
}

static enum err check_one(const struct checking *checking, const struct op *op)
{
    enum err err = check_all_keys(checking, op);
    if (err == ERR_NONE)
        err = check_db(checking, "db", op->db);
    return err != ERR_NONE ? err : check_values(checking, op);
}

enum err check_op(const struct check_limits *limits, const struct op *op, struct arena *arena,
                  const char **why)
{
    struct checking checking = {.limits = limits, .arena = arena, .why = why};
    return check_one(&checking, op);
}
