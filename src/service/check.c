/* Checks the keys that the operation table names, databases and values. Knows no message. */
#include "service/check.h"

#include "service/error_text.h"

/* What one check works with, and where its error message goes. */
struct checking {
    const struct check_limits *limits;
    struct arena *arena;
    const char **why;
};

static enum err check_key(const struct checking *checking, struct slice key)
{
    if (key.len > 0 && key.len <= OP_MAX_KEY)
        return ERR_NONE;
    if (key.len == 0) {
        *checking->why = "the key is empty; a key is 1 byte to 64 KiB";
        return ERR_BAD_ARGUMENT;
    }
    *checking->why = error_text_format(checking->arena,
                                       "the key has %zu bytes; a key is 1 byte to 64 KiB", key.len);
    return ERR_TOO_LARGE;
}

static enum err check_db(const struct checking *checking, uint32_t db)
{
    uint32_t databases = checking->limits->databases;
    if (db < databases)
        return ERR_NONE;
    *checking->why = error_text_format(
        checking->arena, "there is no database %u; this server has 0 to %u", db, databases - 1);
    return ERR_BAD_ARGUMENT;
}

/* True if no value exceeds the limit. */
static bool check_values_fit(const struct op *op, size_t max_value)
{
    if (op->value.len > max_value)
        return false;
    for (size_t i = 0; i < op->value_count; i++) {
        if (op->values[i].len > max_value)
            return false;
    }
    return true;
}

static enum err check_values(const struct checking *checking, const struct op *op)
{
    size_t max_value = checking->limits->max_value;
    if (check_values_fit(op, max_value))
        return ERR_NONE;
    *checking->why = error_text_format(
        checking->arena, "a value is longer than the %zu bytes of --max-value", max_value);
    return ERR_TOO_LARGE;
}

static enum err check_pair(const struct checking *checking, const struct op *op)
{
    enum err err = check_key(checking, op->key);
    if (err == ERR_NONE)
        err = check_key(checking, op->target.bytes);
    return err != ERR_NONE ? err : check_db(checking, op->target_db);
}

static enum err check_keys(const struct checking *checking, const struct op *op)
{
    for (size_t i = 0; i < op->key_count; i++) {
        enum err err = check_key(checking, op->keys[i].bytes);
        if (err != ERR_NONE) {
            *checking->why = error_text_format(checking->arena, "keys[%zu]: %s", i, *checking->why);
            return err;
        }
    }
    return ERR_NONE;
}

static enum err check_one(const struct checking *checking, const struct op *op);

static enum err check_ops(const struct checking *checking, const char *field, const struct op *ops,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum err err = check_one(checking, &ops[i]);
        if (err != ERR_NONE) {
            *checking->why =
                error_text_format(checking->arena, "%s[%zu]: %s", field, i, *checking->why);
            return err;
        }
    }
    return ERR_NONE;
}

static enum err check_inner(const struct checking *checking, const struct op *op)
{
    if (op->txn == NULL)
        return check_ops(checking, "entries", op->ops, op->op_count);
    enum err err = check_ops(checking, "success", op->ops, op->op_count);
    if (err == ERR_NONE)
        err = check_ops(checking, "failure", op->txn->else_ops, op->txn->else_count);
    if (err == ERR_NONE)
        err = check_ops(checking, "compares", op->txn->compares, op->txn->compare_count);
    return err;
}

static enum err check_all_keys(const struct checking *checking, const struct op *op)
{
    switch (op_info(op->kind)->keys) {
    case OP_KEYS_KEY:
        return check_key(checking, op->key);
    case OP_KEYS_PAIR:
        return check_pair(checking, op);
    case OP_KEYS_KEYS:
        return check_keys(checking, op);
    case OP_KEYS_INTO: {
        enum err err = check_key(checking, op->key);
        return err != ERR_NONE ? err : check_keys(checking, op);
    }
    case OP_KEYS_OPS:
        return check_inner(checking, op);
    case OP_KEYS_DBS:
        return check_db(checking, op->target_db);
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
        err = check_db(checking, op->db);
    return err != ERR_NONE ? err : check_values(checking, op);
}

enum err check_op(const struct check_limits *limits, const struct op *op, struct arena *arena,
                  const char **why)
{
    struct checking checking = {.limits = limits, .arena = arena, .why = why};
    return check_one(&checking, op);
}
