/* A real Redis beside a store: whether both hold the same. What differs fails the test. */
#ifndef KEYSTORE_TESTS_REDIS_COMPARE_H
#define KEYSTORE_TESTS_REDIS_COMPARE_H

#include "store/store.h"

#include "support/redis.h"

#define COMPARE_DATABASES 4 /* of both that may have keys */

/* Both hold the same keys, values and deadlines. */
void compare_stores(struct redis *redis, struct store *store);

/* Redis holds what the store does, and perhaps more. */
void compare_within(struct redis *redis, struct store *store);

#endif
