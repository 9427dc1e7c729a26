/* Operations on keys, as short as a test can say them. */
#ifndef KEYSTORE_TESTS_KEY_OPS_H
#define KEYSTORE_TESTS_KEY_OPS_H

#include "store/op.h"

#include <string.h>

static inline struct op key_op(enum op_kind kind, const char *key)
{
    return (struct op){.kind = kind, .key = slice_from_string(key)};
}

static inline struct op set_op(const char *key, const char *value)
{
    struct op op = key_op(OP_SET, key);
    op.value = slice_from_string(value);
    return op;
}

/* Pushes the element, which the caller keeps. */
static inline struct op push_op(const char *key, const struct slice *element)
{
    struct op op = key_op(OP_L_PUSH, key);
    op.values = element;
    op.value_count = 1;
    return op;
}

static inline struct op expire_op(const char *key, int64_t expire_at_ms, enum op_when when)
{
    struct op op = key_op(OP_EXPIRE, key);
    op.expire_at_ms = expire_at_ms;
    op.expire.when = when;
    return op;
}

/* Rename or Copy. */
static inline struct op pair_op(enum op_kind kind, const char *key, const char *target)
{
    struct op op = key_op(kind, key);
    op.target.bytes = slice_from_string(target);
    return op;
}

/* An operation on several keys, separated by blanks. `keys` must be large enough for them. */
static inline struct op keys_op(enum op_kind kind, struct op_key *keys, const char *names)
{
    struct op op = {.kind = kind, .keys = keys};
    while (*names != '\0') {
        size_t len = strcspn(names, " ");
        keys[op.key_count++] = (struct op_key){.bytes = slice_make(names, len)};
        names += len + (names[len] == ' ');
    }
    return op;
}

#endif
