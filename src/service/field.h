/* Decoding of fields that several request messages share. */
#ifndef KEYSTORE_SERVICE_FIELD_H
#define KEYSTORE_SERVICE_FIELD_H

#include "base/arena.h"
#include "store/op.h"

#include <mini_redis.pb-c.h>

/* Functions that return an error set *why to an error message, static or in the arena. */

static inline struct slice field_slice(ProtobufCBinaryData bytes)
{
    return slice_make(bytes.data, bytes.len);
}

/* Refuses with that error message, which is static or lies in an arena, and begins with the path of
 * the field (base/field_path.h): ERR_BAD_ARGUMENT. */
enum err field_refuse(const char *text, const char **why);

/* Refuses a field that means nothing for the operation. */
enum err field_refuse_for(const struct op *op, const char *field, struct arena *arena,
                          const char **why);

/* The error of a request for which the arena has refused memory. */
enum err field_refuse_memory(const struct arena *arena, const char **why);

/* Refuses the field if it is given to an operation without that trait (op.h). */
enum err field_expect(const struct op *op, bool given, enum op_trait trait, const char *field,
                      struct arena *arena, const char **why);

/* The condition; NULL = none. */
enum err field_condition(const Keystore__V1__Condition *message, struct condition *condition,
                         const char **why);

/* The deadline of the operation, from the time to live at its now_ms or from a Unix time. At most
 * one may be given; 0 = not given. */
enum err field_deadline(int64_t ttl_ms, int64_t expire_at_ms, struct op *op, const char **why);

/* The keys of the operation: at least one. */
enum err field_keys(const ProtobufCBinaryData *keys, size_t count, struct arena *arena,
                    struct op *op, const char **why);

/* Elements as slices in the arena; NULL if it refuses memory for them. */
struct slice *field_slices(const ProtobufCBinaryData *elements, size_t count, struct arena *arena);

#endif
