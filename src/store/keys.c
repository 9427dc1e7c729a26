/* The operations on keys of any type. */
#include "store/apply.h"
#include "store/entry.h"

void apply_delete(struct keyspace *space, const struct op *op, struct op_result *result)
{
    const struct entry *entry = apply_find(space, op);
    if (!apply_condition(space, op, entry, result))
        return;
    if (entry == NULL)
        return;
    dict_remove(space->dict, op->hash, op->key);
    /* A delete is a write: it takes a revision, though no key is left to bear it. */
    apply_next_revision(space);
    result->ok = true;
    result->count = 1;
}
