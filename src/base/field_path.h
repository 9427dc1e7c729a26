/*
 * Paths of fields in error messages. A message about a field of the request begins with the field's
 * path, as the API names it, a colon and a space: "success[3].set.key: the key is empty; ...". For
 * programs the path is read from the message, so the two cannot differ.
 *
 * A path is names of fields with dots in between; a name is a small letter and then small letters,
 * digits and underscores, and may have an index: "[3]".
 */
#ifndef KEYSTORE_BASE_FIELD_PATH_H
#define KEYSTORE_BASE_FIELD_PATH_H

#include "base/slice.h"

struct arena;

/* The path that the message begins with, without the colon; empty if there is none. */
struct slice field_path_of(struct slice message);

/* What the message says without its path. */
struct slice field_path_text(struct slice message);

/*
 * The message with `outer`, a path as printf() formats it, around its own path or, if it has none,
 * as its path: "keys[2]: ..." in "success[0].m_get" is "success[0].m_get.keys[2]: ...". It lies in
 * the arena.
 */
const char *field_path_within(struct arena *arena, const char *message, const char *outer, ...)
    __attribute__((format(printf, 3, 4), returns_nonnull));

#endif
