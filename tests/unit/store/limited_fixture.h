/* A store with a memory limit, any policy, and no sink; and operations on it. */
#ifndef KEYSTORE_TESTS_LIMITED_FIXTURE_H
#define KEYSTORE_TESTS_LIMITED_FIXTURE_H

#include "base/arena.h"
#include "store/store.h"

#include <stdlib.h>

/* When all operations happen. */
#define LIMITED_NOW_MS 1700000000000
/* Bytes of zeros, which take no memory. */
#define LIMITED_ZEROS ((size_t)128 * 1024 * 1024)

struct limited_fixture {
    struct store *store; /* NULL until limited_open() */
    struct arena arena;
    struct op_result result; /* of the last operation */
    size_t limit;
    uint8_t *zeros; /* LIMITED_ZEROS */
};

static inline int limited_setup(void **state)
{
    struct limited_fixture *fixture = calloc(1, sizeof *fixture);
    arena_init(&fixture->arena);
    fixture->zeros = calloc(1, LIMITED_ZEROS);
    *state = fixture;
    return 0;
}

static inline int limited_teardown(void **state)
{
    struct limited_fixture *fixture = *state;
    op_result_release(&fixture->result);
    store_free(fixture->store);
    arena_deinit(&fixture->arena);
    free(fixture->zeros);
    free(fixture);
    return 0;
}

static inline void limited_open(struct limited_fixture *fixture, uint32_t databases, size_t limit,
                                enum store_policy policy)
{
    fixture->limit = limit;
    fixture->store = store_new(
        &(struct store_options){.databases = databases, .max_memory = limit, .policy = policy});
}

static inline const struct op_result *limited_apply(struct limited_fixture *fixture, struct op op)
{
    op.now_ms = LIMITED_NOW_MS;
    op_result_release(&fixture->result);
    arena_reset(&fixture->arena);
    store_apply(fixture->store, &op, &fixture->arena, &fixture->result);
    return &fixture->result;
}

static inline size_t limited_used(struct limited_fixture *fixture)
{
    return store_stats(fixture->store).used_memory;
}

static inline uint64_t limited_evicted(struct limited_fixture *fixture)
{
    return store_stats(fixture->store).evicted_keys;
}

#endif
