/* The operations on strings. */
#include "store/apply.h"
#include "store/entry.h"

void apply_set(struct keyspace *space, const struct op *op, struct op_result *result)
{
    const struct entry *former = apply_find(space, op);
    if (!apply_condition(space, op, former, result))
        return;
    if (op->return_previous) {
        if (former != NULL && former->type != ENTRY_STRING) {
            apply_wrong_type(former, result);
            return;
        }
        result->has_previous = true;
        if (former != NULL)
            apply_return_string(space, former, result);
    }
    struct entry *entry = entry_new_string(op->key, op->value);
    entry->version = apply_next_revision(space);
    dict_put(space->dict, op->hash, entry);
    result->ok = true;
    result->count = 1;
    result->version = entry->version;
}

void apply_get(struct keyspace *space, const struct op *op, struct op_result *result)
{
    const struct entry *entry = apply_find(space, op);
    if (entry == NULL)
        return;
    if (entry->type != ENTRY_STRING)
        apply_wrong_type(entry, result);
    else
        apply_return_string(space, entry, result);
}
