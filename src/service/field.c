/* The shared fields. Knows no message but Condition. */
#include "service/field.h"

#include "base/check.h"
#include "base/field_path.h"
#include "service/error_text.h"

enum err field_refuse(const char *text, const char **why)
{
    DCHECK(field_path_of(slice_from_string(text)).len > 0);
    *why = text;
    return ERR_BAD_ARGUMENT;
}

enum err field_refuse_for(const struct op *op, const char *field, struct arena *arena,
                          const char **why)
{
    return field_refuse(error_text_format(arena, "%s: it means nothing for %s; leave it unset",
                                          field, op_info(op->kind)->name),
                        why);
}

enum err field_refuse_memory(const struct arena *arena, const char **why)
{
    *why = arena->refusal == ERR_TOO_LARGE
               ? "carrying out the request takes more than half of --max-client-memory; send fewer "
                 "elements at once"
               : arena->why;
    return arena->refusal;
}

enum err field_expect(const struct op *op, bool given, enum op_trait trait, const char *field,
                      struct arena *arena, const char **why)
{
    return !given || op_is(op->kind, trait) ? ERR_NONE : field_refuse_for(op, field, arena, why);
}

enum err field_condition(const Keystore__V1__Condition *message, struct condition *condition,
                         const char **why)
{
    if (message == NULL)
        return ERR_NONE;
    if ((int)message->existence < EXISTENCE_ANY || (int)message->existence > EXISTENCE_PRESENT)
        return field_refuse(
            "condition.existence: there is no such value; it is 0, 1 (absent) or 2 (present)", why);
    condition->existence = (enum existence)message->existence;
    condition->version = message->version;
    condition->match_value = message->match_value;
    condition->value = field_slice(message->value);
    if (condition->existence == EXISTENCE_ABSENT &&
        (condition->version != 0 || condition->match_value))
        return field_refuse(
            "condition: it asks for an absent key and for its version or value; ask for one", why);
    if (!condition->match_value && condition->value.len > 0)
        return field_refuse(
            "condition.value: it is given without match_value; set match_value to compare it", why);
    return ERR_NONE;
}

enum err field_deadline(int64_t ttl_ms, int64_t expire_at_ms, struct op *op, const char **why)
{
    if (ttl_ms < 0)
        return field_refuse("ttl_ms: it is negative; give a positive one, or none", why);
    if (expire_at_ms < 0)
        return field_refuse("expire_at_ms: it is negative; give a positive one, or none", why);
    if (ttl_ms != 0 && expire_at_ms != 0)
        return field_refuse("expire_at_ms: it is given with ttl_ms; give one of them", why);
    op->expire_at_ms = expire_at_ms;
    if (ttl_ms != 0 && __builtin_add_overflow(op->now_ms, ttl_ms, &op->expire_at_ms))
        return field_refuse("ttl_ms: it is too large; now + ttl_ms must be below 2^63 "
                            "milliseconds since 1970",
                            why);
    return ERR_NONE;
}

enum err field_keys(const ProtobufCBinaryData *keys, size_t count, struct arena *arena,
                    struct op *op, const char **why)
{
    if (count == 0)
        return field_refuse("keys: it is empty; give at least one key", why);
    op->keys = arena_unfold(arena, count * sizeof *op->keys);
    if (op->keys == NULL)
        return field_refuse_memory(arena, why);
    op->key_count = count;
    for (size_t i = 0; i < count; i++)
        op->keys[i] = (struct op_key){.bytes = field_slice(keys[i])};
    return ERR_NONE;
}

struct slice *field_slices(const ProtobufCBinaryData *elements, size_t count, struct arena *arena)
{
    struct slice *slices = arena_unfold(arena, count * sizeof *slices);
    for (size_t i = 0; slices != NULL && i < count; i++)
        slices[i] = field_slice(elements[i]);
    return slices;
}
