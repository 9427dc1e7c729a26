/* Tests of store/walk.c: with the commits in between, a walk gives the state at its end exactly. */
#include "store/walk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/keyspace_fixture.h"
#include "store/list/list.h"
#include "store/seeded.h"

#define NOW_MS    KEYSPACE_NOW_MS
#define DATABASES 3u
#define KEYS      3000u

/* What the reader knows: the version of each key that it has been shown, or that has been written
 * since. */
struct fixture {
    struct change_sink sink; /* must be first: cast from it */
    struct store *store;
    struct arena arena;
    uint64_t revision;
    struct store_walk walk;
    uint64_t known[DATABASES][KEYS], truth[DATABASES][KEYS];
    uint64_t random;
};

static unsigned number_of(struct slice key)
{
    unsigned number;
    memcpy(&number, key.data, sizeof number);
    return number;
}

/* The reader takes each change as soon as it is made. */
static void note(struct fixture *fixture, uint32_t db, struct slice key, uint64_t version)
{
    unsigned number = number_of(key);
    fixture->truth[db][number] = version;
    if (store_walk_has_passed(fixture->store, &fixture->walk, db, key))
        fixture->known[db][number] = version;
}

/* The keys of a swapped database have the version of the swap. */
static void swap(struct fixture *fixture, uint32_t one, uint32_t other)
{
    for (unsigned key = 0; key < KEYS; key++) {
        uint64_t former = fixture->truth[one][key];
        fixture->truth[one][key] = fixture->truth[other][key] != 0 ? fixture->revision : 0;
        fixture->truth[other][key] = former != 0 ? fixture->revision : 0;
    }
    memset(fixture->known[one], 0, sizeof fixture->known[0]);
    memset(fixture->known[other], 0, sizeof fixture->known[0]);
    store_walk_restart(&fixture->walk, one, other);
}

static uint64_t sink_begin(struct change_sink *sink)
{
    return ++((struct fixture *)sink)->revision;
}

static void sink_change(struct change_sink *sink, const struct op *op)
{
    struct fixture *fixture = (struct fixture *)sink;
    if (op->kind == OP_SET || op->kind == OP_DELETE) {
        note(fixture, op->db, op->key, op->kind == OP_SET ? fixture->revision : 0);
    } else if (op->kind == OP_FLUSH_DB) {
        memset(fixture->truth[op->db], 0, sizeof fixture->truth[0]);
        memset(fixture->known[op->db], 0, sizeof fixture->known[0]);
    } else if (op->kind == OP_SWAP_DB) {
        swap(fixture, op->db, op->target_db);
    }
}

static void sink_end(struct change_sink *sink)
{
    (void)sink;
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->sink = (struct change_sink){
        .begin = sink_begin, .change = sink_change, .end = sink_end, .abort = sink_end};
    fixture->store = store_new(&(struct store_options){.databases = DATABASES});
    store_set_sink(fixture->store, &fixture->sink);
    arena_init(&fixture->arena);
    fixture->random = seeded_start();
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    store_free(fixture->store);
    arena_deinit(&fixture->arena);
    free(fixture);
    return 0;
}

static void apply(struct fixture *fixture, struct op op)
{
    op.now_ms = NOW_MS;
    keyspace_carry_out(fixture->store, &fixture->arena, &op);
}

static void change_some(struct fixture *fixture, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned number = seeded_below(&fixture->random, KEYS),
                 kind = seeded_below(&fixture->random, 100);
        struct op op = {.kind = kind < 60 ? OP_SET : OP_DELETE,
                        .db = seeded_below(&fixture->random, DATABASES),
                        .key = slice_make(&number, sizeof number),
                        .value = SLICE_LITERAL("value")};
        if (seeded_below(&fixture->random, 20000) == 0)
            op = (struct op){.kind = OP_FLUSH_DB, .db = op.db};
        else if (seeded_below(&fixture->random, 20000) == 0)
            op = (struct op){.kind = OP_SWAP_DB, .db = op.db, .target_db = (op.db + 1) % DATABASES};
        apply(fixture, op);
    }
}

static bool wants_all(void *user, uint32_t db, struct slice key)
{
    (void)user;
    (void)key;
    return db != 1;
}

static void take_step(struct fixture *fixture)
{
    struct store_walk_step step;
    struct store_walk_filter filter = {.wants = wants_all, .with_values = true, .now_ms = NOW_MS};
    assert_true(store_walk_take(fixture->store, &fixture->walk, &filter, &fixture->arena, &step));
    assert_int_equal(step.revision, fixture->revision);
    for (size_t i = 0; i < step.count; i++) {
        const struct store_walked *walked = &step.keys[i];
        uint64_t *known = &fixture->known[walked->db][number_of(walked->key)];
        assert_int_equal(*known, 0); /* shown once */
        assert_true(slice_equal(walked->value, SLICE_LITERAL("value")));
        *known = walked->version;
    }
    fixture->walk = step.after;
    store_walk_release(&step);
}

static void test_a_walk_and_the_changes_meanwhile_are_the_state(void **state)
{
    struct fixture *fixture = *state;
    change_some(fixture, 6000);
    for (unsigned round = 0; round < 20; round++) {
        memset(fixture->known, 0, sizeof fixture->known);
        store_walk_init(&fixture->walk, 1u << 0 | 1u << 2);
        while (!store_walk_is_done(&fixture->walk)) {
            take_step(fixture);
            change_some(fixture, seeded_below(&fixture->random, 30));
        }
        for (uint32_t db = 0; db < DATABASES; db += 2)
            for (unsigned key = 0; key < KEYS; key++)
                assert_int_equal(fixture->known[db][key], fixture->truth[db][key]);
    }
}

/* The same for a few keys, which are looked up. */
static void test_a_walk_to_certain_keys(void **state)
{
    struct fixture *fixture = *state;
    static struct store_walk_key keys[200];
    static unsigned numbers[200];
    change_some(fixture, 6000);
    for (unsigned i = 0; i < 200; i++) {
        numbers[i] = i / 2 * 7;
        keys[i] = (struct store_walk_key){.db = i % 2 * 2,
                                          .key = slice_make(&numbers[i], sizeof numbers[i])};
    }
    for (unsigned round = 0; round < 20; round++) {
        memset(fixture->known, 0, sizeof fixture->known);
        store_walk_init_keys(&fixture->walk, keys, 200);
        while (!store_walk_is_done(&fixture->walk)) {
            take_step(fixture);
            change_some(fixture, seeded_below(&fixture->random, 30));
        }
        for (unsigned i = 0; i < 200; i++)
            assert_int_equal(fixture->known[keys[i].db][numbers[i]],
                             fixture->truth[keys[i].db][numbers[i]]);
    }
}

static void test_a_step_shows_what_a_key_holds(void **state)
{
    struct fixture *fixture = *state;
    static const uint8_t zeros[40000];
    unsigned numbers[] = {0, 1, 2};
    struct slice element = SLICE_LITERAL("element");
    apply(fixture, (struct op){.kind = OP_SET,
                               .key = slice_make(&numbers[0], sizeof numbers[0]),
                               .value = slice_make(zeros, sizeof zeros),
                               .expire_at_ms = NOW_MS + 5});
    apply(fixture, (struct op){.kind = OP_R_PUSH,
                               .key = slice_make(&numbers[1], sizeof numbers[1]),
                               .values = &element,
                               .value_count = 1});
    apply(fixture, (struct op){.kind = OP_SET,
                               .key = slice_make(&numbers[2], sizeof numbers[2]),
                               .expire_at_ms = NOW_MS + 4});
    struct store_walk walk;
    unsigned strings = 0, lists = 0;
    store_walk_init(&walk, 1);
    while (!store_walk_is_done(&walk)) {
        struct store_walk_step step;
        struct store_walk_filter filter = {
            .wants = wants_all, .with_values = true, .now_ms = NOW_MS + 4};
        assert_true(store_walk_take(fixture->store, &walk, &filter, &fixture->arena, &step));
        for (size_t i = 0; i < step.count; i++) {
            const struct store_walked *walked = &step.keys[i];
            if (walked->is_list) {
                assert_int_equal(list_length(walked->list), 1);
                lists++;
                continue;
            }
            assert_int_equal(walked->value.len, sizeof zeros);
            assert_non_null(walked->blob);
            assert_int_equal(walked->expire_at_ms, NOW_MS + 5);
            assert_int_equal(walked->version, 1);
            strings++;
        }
        walk = step.after;
        store_walk_release(&step);
    }
    assert_int_equal(strings, 1);
    assert_int_equal(lists, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_walk_and_the_changes_meanwhile_are_the_state),
        TEST(test_a_walk_to_certain_keys),
        TEST(test_a_step_shows_what_a_key_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
