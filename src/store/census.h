/* The numbers of the store in one pass over its shards, for monitoring. */
#ifndef KEYSTORE_STORE_CENSUS_H
#define KEYSTORE_STORE_CENSUS_H

#include "store/store.h"

struct store_census {
    struct store_stats stats;
    size_t *keys;     /* of each database; of store_databases() */
    size_t *expiring; /* of these, with a deadline */
};

/*
 * Fills the census, whose arrays the caller gives. Holds one lock at a time, for less than a
 * millisecond. False, with the census undefined, if one of them is held for long: for a caller that
 * rather has older numbers than waits. From any thread.
 */
bool store_take_census(struct store *store, struct store_census *census)
    __attribute__((warn_unused_result));

#endif
