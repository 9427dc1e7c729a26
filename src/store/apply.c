/* What several operations share: finding the entry, conditions, common answers. */
#include "store/apply.h"

#include "base/arena.h"
#include "base/blob.h"
#include "store/entry.h"

struct entry *apply_find(const struct keyspace *space, const struct op *op)
{
    return dict_find(space->dict, op->hash, op->key);
}

void apply_return_bytes(struct keyspace *space, struct slice bytes, struct blob *blob,
                        struct op_result *result)
{
    result->value.found = true;
    result->value.bytes = blob != NULL ? bytes : arena_copy(space->arena, bytes);
    result->value.blob = blob != NULL ? blob_retain(blob) : NULL;
}

void apply_return_string(struct keyspace *space, const struct entry *entry,
                         struct op_result *result)
{
    apply_return_bytes(space, entry_string(entry), entry_blob(entry), result);
    result->value.version = entry_version(entry);
}

void apply_wrong_type(const struct entry *entry, struct op_result *result)
{
    result->err = ERR_WRONG_TYPE;
    result->why = entry_type(entry) == ENTRY_LIST
                      ? "the key holds a list; this operation needs a string (or no such key)"
                      : "the key holds a string; this operation needs a list (or no such key)";
}

static bool holds(const struct condition *condition, const struct entry *entry)
{
    if (entry == NULL)
        return condition->existence != EXISTENCE_PRESENT && condition->version == 0 &&
               !condition->match_value;
    if (condition->existence == EXISTENCE_ABSENT)
        return false;
    if (condition->version != 0 && condition->version != entry_version(entry))
        return false;
    return !condition->match_value || slice_equal(entry_string(entry), condition->value);
}

bool apply_condition(struct keyspace *space, const struct op *op, const struct entry *entry,
                     struct op_result *result)
{
    if (op->condition.match_value && entry != NULL && entry_type(entry) != ENTRY_STRING) {
        apply_wrong_type(entry, result);
        return false;
    }
    if (holds(&op->condition, entry))
        return true;
    if (entry != NULL) {
        result->version = entry_version(entry);
        if (entry_type(entry) == ENTRY_STRING) {
            result->has_previous = true;
            apply_return_string(space, entry, result);
        }
    }
    return false;
}
