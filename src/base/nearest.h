/* How much a misspelt name differs from a known one, to suggest the one that was meant. */
#ifndef KEYSTORE_BASE_NEAREST_H
#define KEYSTORE_BASE_NEAREST_H

#include <stddef.h>

/* The edit distance: how many letters must be inserted, deleted, replaced or swapped with a
 * neighbour (optimal string alignment), ignoring case. SIZE_MAX for words longer than 40 bytes. */
size_t nearest_distance(const char *word, size_t len, const char *name);

#endif
