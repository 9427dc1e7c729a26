/* Tests of store/data/visits.c: what counts as use, and what the hand makes of it. */
#include "store/data/visits.h"

#include "store/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "store/limited_fixture.h"

#define LIMIT ((size_t)8 * 1024 * 1024)

static struct entry *entry_of(struct limited_fixture *fixture, struct slice key)
{
    uint64_t hash = store_hash(fixture->store, key);
    struct shard *shard = shard_of(fixture->store, hash);
    struct entry *entry = dict_find(&shard->databases[0].dict, hash, key);
    assert_non_null(entry);
    return entry;
}

static unsigned marks_of(struct limited_fixture *fixture, struct slice key)
{
    return entry_mark(entry_of(fixture, key));
}

static void test_only_use_is_marked(void **state)
{
    struct limited_fixture *fixture = *state;
    struct slice key = SLICE_LITERAL("key");
    struct op_key keys[] = {{.bytes = key}};
    limited_open(fixture, 2, LIMIT, STORE_ALLKEYS_LRU);
    limited_apply(fixture, (struct op){.kind = OP_SET, .key = key, .value = key});
    assert_int_equal(marks_of(fixture, key), 0);
    limited_apply(fixture, (struct op){.kind = OP_EXISTS, .keys = keys, .key_count = 1});
    limited_apply(fixture, (struct op){.kind = OP_DESCRIBE, .key = key});
    assert_int_equal(marks_of(fixture, key), 0);
    limited_apply(fixture, (struct op){.kind = OP_TOUCH, .keys = keys, .key_count = 1});
    assert_int_equal(marks_of(fixture, key), ENTRY_VISITED);
    /* What changes the entry, in place or not, leaves it used. */
    limited_apply(
        fixture, (struct op){.kind = OP_EXPIRE, .key = key, .expire_at_ms = LIMITED_NOW_MS + 1000});
    assert_int_equal(marks_of(fixture, key), ENTRY_VISITED);
    limited_apply(fixture, (struct op){.kind = OP_APPEND, .key = key, .value = key});
    assert_int_equal(marks_of(fixture, key), ENTRY_VISITED);
    limited_apply(fixture, (struct op){.kind = OP_SET, .key = key, .value = key});
    assert_int_equal(marks_of(fixture, key), ENTRY_VISITED);
}

/* The hand turns the mark of a use into a proof that lasts until the key is written anew. */
static void test_the_hand_proves_what_was_visited(void **state)
{
    struct limited_fixture *fixture = *state;
    struct slice key = SLICE_LITERAL("key");
    limited_open(fixture, 2, LIMIT, STORE_ALLKEYS_LRU);
    limited_apply(fixture, (struct op){.kind = OP_SET, .key = key, .value = key});
    uint64_t hash = store_hash(fixture->store, key);
    struct shard *shard = shard_of(fixture->store, hash);
    usage_begin(shard->usage, 1);
    limited_apply(fixture, (struct op){.kind = OP_GET, .key = key});
    assert_int_equal(marks_of(fixture, key), ENTRY_VISITED);
    mutex_lock(&shard->lock);
    visits_pass(shard, entry_of(fixture, key), 1);
    mutex_unlock(&shard->lock);
    assert_int_equal(marks_of(fixture, key), ENTRY_PROVEN);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, limited_setup, limited_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_only_use_is_marked),
        TEST(test_the_hand_proves_what_was_visited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
