/* Which states a test has tried, by their hashes: most states that crashes leave occur repeatedly.
 */
#ifndef KEYSTORE_TESTS_CRASH_KNOWN_H
#define KEYSTORE_TESTS_CRASH_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero: none. */
struct known {
    uint64_t *slots; /* 0 = free */
    size_t count;
    size_t capacity; /* of slots; a power of two, or 0 */
};

/* Adds a hash; true if it was not there yet. */
bool known_add(struct known *known, uint64_t hash);

void known_deinit(struct known *known);

#endif
