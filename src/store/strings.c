/* The operations on strings. */
#include "store/apply.h"
#include "store/entry.h"

/* `former` is the key's entry or NULL. One of the same size is changed where it is. */
static void put_string(struct keyspace *space, const struct op *op, struct entry *former,
                       struct entry_stamp stamp)
{
    struct dict *dict = space->dict;
    if (former == NULL) {
        dict_put(dict, op->hash, entry_new_string(dict->slab, op->key, op->value, stamp));
        return;
    }
    struct entry *entry = entry_replace_string(dict->slab, former, op->value, stamp);
    if (entry != former)
        dict_replace(dict, op->hash, former, entry);
}

void apply_set(struct keyspace *space, const struct op *op, struct op_result *result)
{
    struct entry *former = apply_find(space, op);
    if (!apply_condition(space, op, former, result))
        return;
    if (op->return_previous) {
        if (former != NULL && entry_type(former) != ENTRY_STRING) {
            apply_wrong_type(former, result);
            return;
        }
        result->has_previous = true;
        if (former != NULL)
            apply_return_string(space, former, result);
    }
    struct entry_stamp stamp = {.version = apply_next_revision(space)};
    put_string(space, op, former, stamp);
    result->ok = true;
    result->count = 1;
    result->version = stamp.version;
}

void apply_get(struct keyspace *space, const struct op *op, struct op_result *result)
{
    const struct entry *entry = apply_find(space, op);
    if (entry == NULL)
        return;
    if (entry_type(entry) != ENTRY_STRING)
        apply_wrong_type(entry, result);
    else
        apply_return_string(space, entry, result);
}
