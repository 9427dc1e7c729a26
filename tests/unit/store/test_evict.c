/* Tests of store/evict.c: the limit holds, the policies choose, and what is refused is untouched.
 */
#include "store/evict.h"

#include "store/change.h"

#include "store/data/shard.h"
#include "store/op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/limited_fixture.h"
#include "store/seeded.h"

#define LIMIT ((size_t)8 * 1024 * 1024)
/* What the shards together may not have reported yet: see slab.h. */
#define UNREPORTED (LIMIT / 64)
/* Bytes of value; with the key and all, 1,000 of these take about 120 kB. */
#define VALUE_SIZE 64
/* More keys than fit. */
#define MANY 200000

static enum err set(struct limited_fixture *fixture, unsigned number, int64_t expire_at_ms)
{
    static const uint8_t value[VALUE_SIZE];
    return limited_apply(fixture, (struct op){.kind = OP_SET,
                                              .key = slice_make(&number, sizeof number),
                                              .value = slice_make(value, sizeof value),
                                              .expire_at_ms = expire_at_ms})
        ->err;
}

static bool has(struct limited_fixture *fixture, unsigned number)
{
    const struct op_result *result = limited_apply(
        fixture, (struct op){.kind = OP_GET, .key = slice_make(&number, sizeof number)});
    assert_int_equal(result->err, ERR_NONE);
    return result->value.found;
}

static void test_noeviction_refuses_and_loses_nothing(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 2, LIMIT, STORE_NOEVICTION);
    unsigned count = 0;
    while (set(fixture, count, 0) == ERR_NONE)
        count++;
    assert_int_equal(fixture->result.err, ERR_OUT_OF_MEMORY);
    assert_non_null(strstr(fixture->result.why, "--max-memory"));
    assert_true(limited_used(fixture) <= LIMIT + UNREPORTED);
    assert_true(limited_used(fixture) > LIMIT / 2);
    for (unsigned i = 0; i < count; i++)
        assert_true(has(fixture, i));
    assert_false(has(fixture, count));
    /* Removing is allowed, and makes room again. */
    for (unsigned i = 0; i < count; i++)
        limited_apply(fixture, (struct op){.kind = OP_DELETE, .key = slice_make(&i, sizeof i)});
    assert_int_equal(set(fixture, count, 0), ERR_NONE);
}

static void test_a_value_that_can_never_fit_evicts_nothing(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 2, LIMIT, STORE_ALLKEYS_LRU);
    for (unsigned i = 0; i < 100; i++)
        set(fixture, i, 0);
    uint8_t *value = calloc(1, LIMIT + 1);
    const struct op_result *result = limited_apply(
        fixture,
        (struct op){.kind = OP_SET, .key = SLICE_LITERAL("large"), .value = {value, LIMIT + 1}});
    assert_int_equal(result->err, ERR_OUT_OF_MEMORY);
    assert_int_equal(store_count(fixture->store, 0), 100);
    free(value);
}

static void test_lru_keeps_what_is_read(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 2, LIMIT, STORE_ALLKEYS_LRU);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(set(fixture, i, 0), ERR_NONE);
        assert_true(has(fixture, i % 1000 < i ? i % 1000 : i)); /* the first thousand, in turn */
    }
    assert_true(limited_used(fixture) <= LIMIT + UNREPORTED);
    assert_true(store_stats(fixture->store).evicted_keys > MANY / 2);
    assert_int_equal(store_count(fixture->store, 0),
                     MANY - store_stats(fixture->store).evicted_keys);
}

static void test_random_takes_any(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 2, LIMIT, STORE_ALLKEYS_RANDOM);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(set(fixture, i, i % 2 == 0 ? LIMITED_NOW_MS + 1000000 : 0), ERR_NONE);
    assert_true(limited_used(fixture) <= LIMIT + UNREPORTED);
    size_t lasting = 0, all = store_count(fixture->store, 0);
    for (unsigned i = 1; i < MANY; i += 2)
        lasting += has(fixture, i);
    assert_in_range(lasting, all * 4 / 10, all * 6 / 10);
}

static void test_volatile_lru_takes_only_keys_with_a_deadline(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 2, LIMIT, STORE_VOLATILE_LRU);
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(set(fixture, i, 0), ERR_NONE);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(set(fixture, 1000000 + i, LIMITED_NOW_MS + 1000000), ERR_NONE);
    for (unsigned i = 0; i < 10000; i++)
        assert_true(has(fixture, i));
    assert_true(limited_used(fixture) <= LIMIT + UNREPORTED);
    /* When only lasting keys are left, it refuses. */
    unsigned more = 2000000;
    while (set(fixture, more, 0) == ERR_NONE)
        more++;
    assert_int_equal(fixture->result.err, ERR_OUT_OF_MEMORY);
    /* But for a few, where a page more was needed than they would have supplied. */
    assert_true(store_expiring(fixture->store, 0) * VALUE_SIZE < 8192);
    for (unsigned i = 2000000; i < more; i++)
        assert_true(has(fixture, i));
}

static void test_volatile_ttl_takes_those_that_go_soon(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 2, LIMIT, STORE_VOLATILE_TTL);
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(set(fixture, i, LIMITED_NOW_MS + 1000000000), ERR_NONE);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(set(fixture, 1000000 + i, LIMITED_NOW_MS + 1000000), ERR_NONE);
    size_t late = 0;
    for (unsigned i = 0; i < 10000; i++)
        late += has(fixture, i);
    assert_true(late > 9900);
    assert_true(limited_used(fixture) <= LIMIT + UNREPORTED);
}

static void test_sizes_that_change(void **state)
{
    struct limited_fixture *fixture = *state;
    static const uint8_t value[100000];
    limited_open(fixture, 2, LIMIT, STORE_ALLKEYS_LRU);
    uint64_t random = seeded_start();
    for (unsigned i = 0; i < 100000; i++) {
        unsigned number = seeded_below(&random, 50000);
        size_t len = seeded_below(&random, 100) == 0 ? seeded_below(&random, sizeof value)
                                                     : seeded_below(&random, 300);
        assert_int_equal(
            limited_apply(fixture, (struct op){.kind = OP_SET,
                                               .key = slice_make(&number, sizeof number),
                                               .value = slice_make(value, len)})
                ->err,
            ERR_NONE);
        assert_true(limited_used(fixture) <= LIMIT + UNREPORTED);
    }
}

static void fill(struct limited_fixture *fixture, unsigned *number, size_t bytes, size_t size)
{
    static const uint8_t value[12000];
    for (; bytes > size + 40; bytes -= size + 40, ++*number)
        assert_int_equal(
            limited_apply(fixture, (struct op){.kind = OP_SET,
                                               .db = *number % 2,
                                               .key = slice_make(number, sizeof *number),
                                               .value = slice_make(value, size)})
                ->err,
            ERR_NONE);
}

/* A limit that is large beside what pages of several sizes in all shards take. */
#define LARGE_LIMIT (8 * LIMIT)

static void assert_held_is_near(struct limited_fixture *fixture, size_t limit)
{
    size_t most = limit + limit / 10 + ((size_t)16 << 20);
    assert_true(store_stats(fixture->store).resident_memory < most);
}

/* Small keys make room for larger ones and these for still larger ones: then the pages of the
 * former are given back, though other keys lay in them, too. */
static void test_memory_held_follows_what_is_used(void **state)
{
    struct limited_fixture *fixture = *state;
    static const size_t sizes[] = {30, 300, 1000, 12000, 100};
    limited_open(fixture, 2, LARGE_LIMIT, STORE_ALLKEYS_RANDOM);
    unsigned number = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        fill(fixture, &number, LARGE_LIMIT, sizes[i]);
        assert_true(limited_used(fixture) > LARGE_LIMIT * 3 / 4);
        assert_held_is_near(fixture, LARGE_LIMIT);
    }
}

/* The same where keys are removed on request, and no sweep helps: writes compact themselves. */
static void test_memory_held_without_eviction(void **state)
{
    struct limited_fixture *fixture = *state;
    static const size_t sizes[] = {30, 300, 1000, 12000, 100, 3000};
    limited_open(fixture, 2, LARGE_LIMIT, STORE_NOEVICTION);
    unsigned number = 0, kept = 0;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned first = number;
        fill(fixture, &number, LARGE_LIMIT * 7 / 10, sizes[i]);
        assert_held_is_near(fixture, LARGE_LIMIT);
        for (unsigned n = first; n < number; n++) {
            struct op op = {.kind = OP_DELETE, .db = n % 2, .key = slice_make(&n, sizeof n)};
            if (n % 20 != 0)
                assert_true(limited_apply(fixture, op)->ok);
            kept += n % 20 == 0;
        }
    }
    assert_int_equal(store_count(fixture->store, 0) + store_count(fixture->store, 1), kept);
}

/* Each shard has a page for each of so many sizes, which cannot be compacted: so more is evicted.
 */
static void test_many_sizes_in_little_memory(void **state)
{
    struct limited_fixture *fixture = *state;
    uint64_t random = seeded_start();
    limited_open(fixture, 2, 2 * LIMIT, STORE_ALLKEYS_RANDOM);
    for (unsigned number = 0; number < MANY;)
        fill(fixture, &number, 1200, 20 + seeded_below(&random, 900));
    assert_held_is_near(fixture, 2 * LIMIT);
    assert_true(limited_used(fixture) > LIMIT / 2);
}

/* ---- what counts as use, and where the hand goes ---- */

static const struct op_result *apply_to(struct limited_fixture *fixture, enum op_kind kind,
                                        uint32_t db, const char *name)
{
    static const struct slice element = {(const uint8_t *)"a", 1};
    struct op op = {.kind = kind, .db = db, .key = {(const uint8_t *)name, strlen(name)}};
    op.value = element;
    op.values = &element;
    op.value_count = 1;
    return limited_apply(fixture, op);
}

/* Writes keep a key as reads do: it is never gone among many new ones. */
static void test_lru_keeps_what_is_written(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 2, LIMIT, STORE_ALLKEYS_LRU);
    apply_to(fixture, OP_APPEND, 0, "string");
    apply_to(fixture, OP_L_PUSH, 0, "list");
    for (unsigned round = 1; round <= 2000; round++) {
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(apply_to(fixture, OP_APPEND, 0, "string")->count, 3 * round - 1 + i);
            assert_int_equal(apply_to(fixture, OP_L_PUSH, 0, "list")->count, 3 * round - 1 + i);
        }
        for (unsigned i = 0; i < 100; i++)
            assert_int_equal(set(fixture, round * 100 + i, 0), ERR_NONE);
    }
    assert_true(store_stats(fixture->store).evicted_keys > 100000);
}

/* Uses the key; false if it was not there, so that it began anew. */
static bool use(struct limited_fixture *fixture, enum op_kind kind)
{
    struct slice element = SLICE_LITERAL("7");
    struct op op = {.kind = kind, .key = SLICE_LITERAL("key"), .value = element};
    if (kind == OP_SET)
        op.set.return_previous = true;
    if (kind == OP_INCR)
        op.incr.by = 1;
    if (kind == OP_L_MOVE)
        op.target.bytes = op.key;
    if (kind == OP_EXPIRE || kind == OP_GET_EX)
        op.expire_at_ms = LIMITED_NOW_MS + 1000;
    if (kind == OP_L_PUSH) {
        op.values = &element;
        op.value_count = 1;
    }
    const struct op_result *result = limited_apply(fixture, op);
    assert_int_equal(result->err, ERR_NONE);
    switch (kind) {
    case OP_INCR:
        return result->integer > 1;
    case OP_APPEND:
    case OP_L_PUSH:
        return result->count > 1;
    case OP_EXPIRE:
        return result->ok;
    default:
        return result->value.found;
    }
}

/* What is used three times per hundred new keys is never gone, whatever uses it. */
static void test_what_is_used_never_begins_anew(void **state)
{
    struct limited_fixture *fixture = *state;
    static const enum op_kind kinds[] = {OP_INCR,   OP_APPEND, OP_L_PUSH, OP_L_MOVE,
                                         OP_EXPIRE, OP_GET_EX, OP_SET};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        store_free(fixture->store);
        limited_open(fixture, 2, LIMIT / 2, STORE_ALLKEYS_LRU);
        enum op_kind first = kinds[k] == OP_EXPIRE || kinds[k] == OP_GET_EX ? OP_APPEND
                             : kinds[k] == OP_L_MOVE                        ? OP_L_PUSH
                                                                            : kinds[k];
        assert_false(use(fixture, first));
        for (unsigned round = 0; round < 800; round++) {
            for (unsigned i = 0; i < 3; i++)
                assert_true(use(fixture, kinds[k]));
            for (unsigned i = 0; i < 100; i++)
                assert_int_equal(set(fixture, round * 100 + i, 0), ERR_NONE);
        }
        assert_true(store_stats(fixture->store).evicted_keys > 30000);
    }
}

static void set_in(struct limited_fixture *fixture, uint32_t db, unsigned number)
{
    static const uint8_t value[400];
    const struct op_result *result =
        limited_apply(fixture, (struct op){.kind = OP_SET,
                                           .db = db,
                                           .key = slice_make(&number, sizeof number),
                                           .value = slice_make(value, sizeof value)});
    assert_int_equal(result->err, ERR_NONE);
}

/* A database whose keys are newer than most loses hardly one, however few they are. */
static void test_few_new_keys_in_another_database_stay(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 2, LIMIT, STORE_ALLKEYS_LRU);
    for (unsigned i = 0; i < 17000; i++)
        set_in(fixture, 0, i);
    for (unsigned i = 0; i < 100; i++)
        set_in(fixture, 1, i);
    for (unsigned i = 0; i < 2500; i++)
        set_in(fixture, 0, 17000 + i);
    assert_true(store_stats(fixture->store).evicted_keys > 1500);
    assert_true(store_count(fixture->store, 1) >= 98);
}

static size_t count_in(const struct shard *shard)
{
    return shard->databases[0].dict.count + shard->databases[1].dict.count;
}

static size_t seen_in(const struct shard *shard)
{
    size_t seen = 0;
    for (size_t class = 0; class < USAGE_CLASSES; class ++)
        seen += shard->usage->seen[class];
    return seen;
}

/* Any key, by the policy of the store. */
static bool evict_any(struct limited_fixture *fixture)
{
    struct evict_request any = {.policy = store_limit(fixture->store).policy};
    return evict_one(fixture->store, &any);
}

/* Whatever the databases, a hand meets all entries of its shard in a round, and each only once:
 * nothing new comes, so they are those that there were when the round began. */
static void test_a_round_meets_each_entry_once(void **state)
{
    struct limited_fixture *fixture = *state;
    uint64_t random = seeded_start();
    limited_open(fixture, 2, LIMIT, STORE_ALLKEYS_LRU);
    unsigned count = 15000 + seeded_below(&random, 1000), few = seeded_below(&random, 300);
    for (unsigned i = 0; i < count; i++)
        set_in(fixture, i < few, i);
    struct shard *shard = &fixture->store->shards[seeded_below(&random, 64)];
    assert_false(shard->usage->is_counting); /* the first round has not begun */
    size_t before = count_in(shard), seen = 0;
    do {
        seen = seen_in(shard);
        assert_true(evict_any(fixture));
    } while (seen_in(shard) >= seen);
    /* The last turn began in this round and ended it. */
    assert_in_range(seen, before - 60, before);
    assert_true(count_in(shard) < before);
}

/* How far ahead of the hand the key is, in parts of a thousand of a round. */
static unsigned distance_of(struct store *store, unsigned number)
{
    uint64_t hash = store_hash(store, slice_make(&number, sizeof number));
    return (unsigned)((dict_scan_position(hash) - shard_of(store, hash)->stride) /
                      (UINT64_MAX / 1000));
}

static void set_new(struct limited_fixture *fixture, unsigned *number, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(set(fixture, (*number)++, 0), ERR_NONE);
}

/* Of a shard; SIZE_MAX if no use was counted since `before` was. */
static size_t class_counted(const struct usage *now, const struct usage *before)
{
    size_t class = 0;
    while (class < USAGE_CLASSES && now->used[class] <= before->used[class])
        class ++;
    return class < USAGE_CLASSES ? class : SIZE_MAX;
}

/* A use is counted for the class that the entry had when the hand saw it, though it has aged since.
 */
static void test_uses_are_counted_where_they_were_seen(void **state)
{
    struct limited_fixture *fixture = *state;
    limited_open(fixture, 2, LIMIT, STORE_ALLKEYS_LRU);
    unsigned number = 0, counted = 0;
    set_new(fixture, &number, MANY); /* several rounds, of some 5,000 Sets each */
    for (unsigned tries = 0; tries < 50; tries++) {
        while (distance_of(fixture->store, number) > 10)
            number++;
        unsigned chosen = number;
        set_new(fixture, &number, 4000); /* passed within some 50 Sets, and then it ages */
        struct shard *shard = shard_of(
            fixture->store, store_hash(fixture->store, slice_make(&chosen, sizeof chosen)));
        struct usage before = *shard->usage;
        if (!has(fixture, chosen))
            continue;
        size_t class = class_counted(shard->usage, &before);
        assert_true(class == SIZE_MAX || class % USAGE_AGES < usage_class(USAGE_NEW, 2000));
        counted += class != SIZE_MAX;
    }
    assert_true(counted > 10);
}

/* Keys that an operation works on stay, even if there is nothing else. */
static void test_kept_keys_stay(void **state)
{
    struct limited_fixture *fixture = *state;
    enum store_policy policies[] = {STORE_ALLKEYS_LRU, STORE_VOLATILE_LRU, STORE_ALLKEYS_RANDOM,
                                    STORE_VOLATILE_TTL};
    for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        limited_open(fixture, 2, LIMIT, policies[i]);
        for (unsigned number = 0; number < 20; number++)
            assert_int_equal(set(fixture, number, LIMITED_NOW_MS + 1000), ERR_NONE);
        unsigned kept = 7;
        uint64_t hash = store_hash(fixture->store, slice_make(&kept, sizeof kept));
        struct evict_request keep = {.policy = policies[i], .keep = &hash, .keep_count = 1};
        for (unsigned number = 0; number < 19; number++)
            assert_true(evict_one(fixture->store, &keep));
        assert_false(evict_one(fixture->store, &keep));
        assert_true(has(fixture, kept));
        assert_true(evict_any(fixture));
        assert_false(evict_any(fixture));
        store_free(fixture->store);
        fixture->store = NULL;
    }
}

/* Few keys, in other shards and databases: the nearest deadline goes, then the next. */
static void test_of_few_keys_the_nearest_deadline_goes(void **state)
{
    struct limited_fixture *fixture = *state;
    uint64_t random = seeded_start();
    limited_open(fixture, 2, LIMIT, STORE_VOLATILE_TTL);
    unsigned first = seeded_below(&random, 1000000);
    for (unsigned i = 0; i < 20; i++) {
        unsigned number = first + i;
        limited_apply(fixture, (struct op){.kind = OP_SET,
                                           .db = i % 2,
                                           .key = slice_make(&number, sizeof number),
                                           .value = SLICE_LITERAL("value"),
                                           .expire_at_ms = LIMITED_NOW_MS + 1000 + i * 7 % 20});
    }
    for (unsigned order = 0; order < 20; order++) {
        assert_true(evict_any(fixture));
        for (unsigned i = 0; i < 20; i++) {
            unsigned number = first + i;
            const struct op_result *result =
                limited_apply(fixture, (struct op){.kind = OP_GET,
                                                   .db = i % 2,
                                                   .key = slice_make(&number, sizeof number)});
            assert_int_equal(result->value.found, i * 7 % 20 > order);
        }
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, limited_setup, limited_teardown)

/* ---- the change stream ---- */

struct cause_sink {
    struct change_sink sink;
    uint64_t revision;
    size_t evicted;
};

static uint64_t cause_begin(struct change_sink *sink)
{
    return ++((struct cause_sink *)sink)->revision;
}

static void cause_change(struct change_sink *sink, const struct op *op)
{
    ((struct cause_sink *)sink)->evicted +=
        op->kind == OP_DELETE && op->removal.cause == OP_CAUSE_EVICTION;
}

static void cause_end(struct change_sink *sink)
{
    (void)sink;
}

static void test_an_eviction_is_a_delete_with_its_cause(void **state)
{
    struct limited_fixture *fixture = *state;
    struct cause_sink sink = {
        .sink = {
            .begin = cause_begin, .change = cause_change, .end = cause_end, .abort = cause_end}};
    limited_open(fixture, 1, (size_t)64 * 1024 * 1024, STORE_ALLKEYS_RANDOM);
    store_set_sink(fixture->store, &sink.sink);
    assert_int_equal(set(fixture, 1, 0), ERR_NONE);
    assert_true(evict_any(fixture));
    assert_int_equal(sink.evicted, 1);
    store_set_sink(fixture->store, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_eviction_is_a_delete_with_its_cause),
        TEST(test_noeviction_refuses_and_loses_nothing),
        TEST(test_a_value_that_can_never_fit_evicts_nothing),
        TEST(test_lru_keeps_what_is_read),
        TEST(test_lru_keeps_what_is_written),
        TEST(test_what_is_used_never_begins_anew),
        TEST(test_few_new_keys_in_another_database_stay),
        TEST(test_a_round_meets_each_entry_once),
        TEST(test_uses_are_counted_where_they_were_seen),
        TEST(test_kept_keys_stay),
        TEST(test_of_few_keys_the_nearest_deadline_goes),
        TEST(test_random_takes_any),
        TEST(test_volatile_lru_takes_only_keys_with_a_deadline),
        TEST(test_volatile_ttl_takes_those_that_go_soon),
        TEST(test_sizes_that_change),
        TEST(test_memory_held_follows_what_is_used),
        TEST(test_memory_held_without_eviction),
        TEST(test_many_sizes_in_little_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
