/* Which of the known names a misspelt one was probably meant to be, to suggest it. */
#ifndef KEYSTORE_BASE_NEAREST_H
#define KEYSTORE_BASE_NEAREST_H

#include <stddef.h>

/* The edit distance: how many letters must be inserted, deleted, replaced or swapped with a
 * neighbour (optimal string alignment), ignoring case. SIZE_MAX for words longer than 40 bytes. */
size_t nearest_distance(const char *word, size_t len, const char *name);

/* A search among names that are offered one after the other. */
struct nearest {
    const char *word; /* borrowed */
    size_t len;
    size_t below;     /* a name is taken if its distance is */
    const char *name; /* the nearest so far, of several the first; NULL: none is near enough */
};

/* Longer words may differ more: up to 3 letters. */
void nearest_begin(struct nearest *nearest, const char *word, size_t len);

/* The name is borrowed. */
void nearest_offer(struct nearest *nearest, const char *name);

#endif
