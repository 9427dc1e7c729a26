/*
 * What is known of the keys' versions: an answer may show the one that was known, or after a write
 * another one, and never one that was before.
 */
#ifndef KEYSTORE_TESTS_MODEL_VERSIONS_H
#define KEYSTORE_TESTS_MODEL_VERSIONS_H

#include "universe.h"

/* A version that no key has. */
#define VERSION_NONE UINT64_MAX

struct version {
    bool known;
    uint64_t now;   /* 0 = there is no key */
    uint64_t stale; /* one that the key had before; 0 = none is known */
};

struct versions {
    struct version keys[ALL_DBS][KEYS];
    uint64_t unit; /* of the transaction whose parts are judged; 0 = none */
};

/* Each of these returns a sentence in static memory, or NULL if the version may be. */

/* The key was not written. */
const char *versions_kept(struct versions *versions, uint32_t db, struct keystore_slice key,
                          uint64_t version);

/* The key was written, and there is one. */
const char *versions_wrote(struct versions *versions, uint32_t db, struct keystore_slice key,
                           uint64_t version);

/* The key was written or not, which cannot be told from the answer. */
const char *versions_either(struct versions *versions, uint32_t db, struct keystore_slice key,
                            uint64_t version);

/* The key was removed, or was not there. */
void versions_gone(struct versions *versions, uint32_t db, struct keystore_slice key);

/* The key's database was swapped with another one: what is there now has another version. */
void versions_swapped(struct versions *versions, uint32_t db, struct keystore_slice key);

/* The key may have been written. */
void versions_forget(struct versions *versions, uint32_t db, struct keystore_slice key);

#endif
