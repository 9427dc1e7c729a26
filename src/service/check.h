/* The rules for keys, databases and values that hold for every operation. */
#ifndef KEYSTORE_SERVICE_CHECK_H
#define KEYSTORE_SERVICE_CHECK_H

#include "store/op.h"

struct arena;

struct check_limits {
    uint32_t databases; /* 0 to databases - 1 exist */
    size_t max_value;   /* bytes of a value */
};

/* ERR_NONE if the key has 1 byte to OP_MAX_KEY. Else *why is an error message in the arena about
 * the field of that path (base/field_path.h). */
enum err check_key(const char *path, struct slice key, struct arena *arena, const char **why)
    __attribute__((warn_unused_result));

/*
 * ERR_NONE if all keys of the operation and of those within it have 1 byte to OP_MAX_KEY, its
 * databases exist, and no value is too long. Else *why is an error message in the arena, which
 * begins with the path of the field.
 */
enum err check_op(const struct check_limits *limits, const struct op *op, struct arena *arena,
                  const char **why) __attribute__((warn_unused_result));

#endif
