/* Tests of store/data/saving.c: keys are noted until they are forgotten, and cost nothing then. */
#include "store/data/saving.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"

static void test_keys_are_noted_and_forgotten(void **state)
{
    struct keyspace_fixture *fixture = *state;
    struct store *store = fixture->store;
    struct slab *slab = &store->shards[0].slab;
    struct saving saving = {.done = false};
    size_t used = slab_used(slab);
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 100; i++) {
            struct slice key = slice_make(&i, sizeof i);
            uint64_t hash = store_hash(store, key);
            assert_false(saving_has_noted(&saving, key, hash));
            saving_note(&saving, slab, &store->hasher, key, hash);
            saving_note(&saving, slab, &store->hasher, key, hash); /* once is enough */
            assert_true(saving_has_noted(&saving, key, hash));
        }
        assert_true(slab_used(slab) > used);
        saving_drop_notes(&saving, slab);
        saving_drop_notes(&saving, slab);
        assert_int_equal(slab_used(slab), used);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys_are_noted_and_forgotten, keyspace_setup,
                                        keyspace_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
