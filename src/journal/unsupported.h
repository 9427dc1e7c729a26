/*
 * What a store of strings and lists does not take over from the files of a Redis: how many keys of
 * which type, and the names of some.
 */
#ifndef KEYSTORE_JOURNAL_UNSUPPORTED_H
#define KEYSTORE_JOURNAL_UNSUPPORTED_H

#include "base/slice.h"

/* Types that are distinguished; any beyond count as "others". */
#define UNSUPPORTED_TYPES 16
/* Names kept of each type, and bytes kept of a type or name. */
#define UNSUPPORTED_NAMES 3
#define UNSUPPORTED_BYTES 32

struct unsupported_type {
    char type[UNSUPPORTED_BYTES + 1];
    uint64_t count;
    char names[UNSUPPORTED_NAMES][UNSUPPORTED_BYTES + 4];
    size_t name_count;
};

/* All zero is empty. */
struct unsupported {
    struct unsupported_type types[UNSUPPORTED_TYPES];
    size_t type_count;
    uint64_t count;  /* of all */
    const char *why; /* an error message on the first one that its type does not explain, or NULL */
};

/* Notes one of that type; `name` may be empty. `why`, in static memory, may be NULL. */
void unsupported_add(struct unsupported *unsupported, struct slice type, struct slice name,
                     const char *why);

/* Writes `set (1200: "a", "b", "c" and others), hash (1: "d")`, truncated to `size`. */
void unsupported_print(const struct unsupported *unsupported, char *out, size_t size);

#endif
