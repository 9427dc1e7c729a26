/*
 * Random operations near the memory limit, against a store without one.
 *
 * After each step: memory in use is within its bound; an operation that does not grow was not
 * refused, and nothing was evicted for it; evictions were necessary; a refusal changed nothing and
 * was right: with the limit lifted, the same operation exceeds it by more than could have been
 * evicted. The answers and the data are those of a store without a limit, where the evicted keys
 * are deleted before the operation; so no operation has evicted a key that it works on.
 *
 * KEYSTORE_LIMIT_STEPS=1000000 makes more steps.
 */
#include "store/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/effort.h"
#include "store/data/lock.h"
#include "store/evict.h"
#include "store/keyspace_fixture.h"
#include "store/restore.h"
#include "store/seeded.h"

#define LIMIT     ((size_t)3 * 1024 * 1024)
#define MAX_VALUE ((size_t)2 * 1024 * 1024)
#define DATABASES KEYSPACE_DATABASES
#define KEYS      600
#define STEPS     EFFORT(6000, 6000, 3000)
#define TXN_OPS   5
/* A page of buckets more or less in each shard, and unreported memory. */
#define TOLERANCE ((size_t)16 * 4096 + LIMIT / 64)

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

struct world {
    struct keyspace_fixture *limited; /* its sink has the changes */
    struct store *free;               /* without a limit */
    struct arena arena, free_arena;
    struct op_result free_result;
    enum store_policy policy;
    uint64_t random;
    uint8_t *bytes; /* MAX_VALUE */
    size_t refused, evicted, grown;
};

/* ---- operations ---- */

static struct slice key_of(struct world *world)
{
    char *key = arena_alloc(&world->arena, 16);
    /* A few keys are worked on often. */
    unsigned keys = seeded_below(&world->random, 3) == 0 ? 12 : KEYS;
    int len = snprintf(key, 16, "key %u", seeded_below(&world->random, keys));
    return slice_make(key, (size_t)len);
}

static struct slice value_of(struct world *world)
{
    uint32_t kind = seeded_below(&world->random, 100);
    size_t most = kind < 60 ? 100 : kind < 85 ? 4000 : kind < 97 ? 60000 : MAX_VALUE;
    return slice_make(world->bytes, seeded_below(&world->random, (uint32_t)most + 1));
}

static int64_t deadline_of(struct world *world)
{
    if (seeded_below(&world->random, 2) == 0)
        return 0;
    return world->limited->now_ms + 1 + seeded_below(&world->random, 20000);
}

static const struct slice *values_of(struct world *world, size_t count)
{
    struct slice *values = arena_alloc(&world->arena, count * sizeof *values);
    for (size_t i = 0; i < count; i++)
        values[i] = value_of(world);
    return values;
}

static struct op_key *keys_of(struct world *world, size_t count)
{
    struct op_key *keys = arena_alloc(&world->arena, count * sizeof *keys);
    for (size_t i = 0; i < count; i++)
        keys[i] = (struct op_key){.bytes = key_of(world)};
    return keys;
}

static const enum op_kind kinds[] = {
    OP_SET,     OP_SET,    OP_SET,       OP_SET,      OP_SET,    OP_GET,       OP_DELETE,
    OP_L_PUSH,  OP_R_PUSH, OP_L_PUSH,    OP_R_PUSH,   OP_L_POP,  OP_R_POP,     OP_LIST_POP,
    OP_M_GET,   OP_INCR,   OP_APPEND,    OP_APPEND,   OP_APPEND, OP_SET_RANGE, OP_GET_DEL,
    OP_GET_EX,  OP_EXISTS, OP_EXPIRE,    OP_RENAME,   OP_COPY,   OP_COPY,      OP_L_MOVE,
    OP_L_SET,   OP_L_REM,  OP_L_TRIM,    OP_L_INSERT, OP_TOUCH,  OP_L_RANGE,   OP_DELETE_MANY,
    OP_SET_BIT, OP_BIT_OP, OP_BIT_FIELD,
};

/* Fields anywhere in a string that need not be there. */
static void fill_fields(struct world *world, struct op *op)
{
    uint64_t *random = &world->random;
    op->parts.field_count = 1 + seeded_below(random, 3);
    struct op_field *fields = arena_alloc(&world->arena, op->parts.field_count * sizeof *fields);
    for (size_t i = 0; i < op->parts.field_count; i++)
        fields[i] = (struct op_field){.action = (enum op_field_action)seeded_below(random, 3),
                                      .bits = (uint8_t)(1 + seeded_below(random, 63)),
                                      .offset = seeded_below(random, 40000),
                                      .value = seeded_below(random, 1000)};
    op->parts.fields = fields;
}

static struct op make_op(struct world *world)
{
    uint64_t *random = &world->random;
    struct op op = {.kind = kinds[seeded_below(random, COUNT(kinds))],
                    .db = seeded_below(random, DATABASES),
                    .key = key_of(world),
                    .max_value = MAX_VALUE};
    op.value = value_of(world);
    op.expire_at_ms = deadline_of(world);
    op.key_count = 1 + seeded_below(random, 3);
    op.keys = keys_of(world, op.key_count);
    op.value_count = 1 + seeded_below(random, 4);
    op.values = values_of(world, op.value_count);
    op.target.bytes = key_of(world);
    op.target_db = seeded_below(random, DATABASES);
    if (op.kind == OP_COPY)
        op.copy.replace = seeded_below(random, 2);
    if (op.kind == OP_SET) {
        op.set.keep_ttl = seeded_below(random, 3) == 0;
        op.set.return_previous = seeded_below(random, 4) == 0;
    }
    if (op.kind == OP_L_MOVE || op.kind == OP_LIST_POP)
        op.move.end = seeded_below(random, 2) ? OP_HEAD : OP_TAIL;
    if (op.kind == OP_L_MOVE)
        op.move.target_end = seeded_below(random, 2) ? OP_HEAD : OP_TAIL;
    if (seeded_below(random, 8) == 0)
        op.condition.existence = seeded_below(random, 2) ? EXISTENCE_ABSENT : EXISTENCE_PRESENT;
    if (op.kind == OP_L_REM || op.kind == OP_L_INSERT)
        op.value = slice_make(world->bytes, 0);
    if (op.kind == OP_L_INSERT)
        op.insert.pivot = op.value;
    if (op.kind == OP_BIT_FIELD)
        fill_fields(world, &op);
    if (op.kind == OP_BIT_OP)
        op.bits.bitwise = (enum op_bitwise)seeded_below(random, 4);
    if (op.kind == OP_SET_BIT)
        op.start = seeded_below(random, 40000), op.bits.bit = seeded_below(random, 2);
    if (op.kind == OP_INCR)
        op.incr.by = seeded_below(random, 1000);
    else if (op.kind == OP_SET_RANGE)
        op.start = seeded_below(random, seeded_below(random, 20) == 0 ? (uint32_t)MAX_VALUE : 5000);
    else if (op.kind == OP_L_TRIM)
        op.start = seeded_below(random, 3), op.stop = seeded_below(random, 10);
    else if (op.kind == OP_L_RANGE)
        op.stop = 5;
    if (op.kind == OP_L_PUSH || op.kind == OP_R_PUSH)
        op.push.max_length = seeded_below(random, 3) == 0 ? 1 + seeded_below(random, 4) : 0;
    return op;
}

static struct op *make_ops(struct world *world, size_t count)
{
    struct op *ops = arena_alloc(&world->arena, (count + 1) * sizeof *ops);
    for (size_t i = 0; i < count; i++)
        ops[i] = make_op(world);
    return ops;
}

static struct op make_txn(struct world *world)
{
    struct op_txn *otherwise = arena_alloc(&world->arena, sizeof *otherwise);
    *otherwise = (struct op_txn){.else_count = seeded_below(&world->random, TXN_OPS)};
    otherwise->else_ops = make_ops(world, otherwise->else_count);
    otherwise->compare_count = 1;
    otherwise->compares = make_ops(world, 1);
    otherwise->compares[0].condition = (struct condition){.existence = EXISTENCE_PRESENT};
    otherwise->compares[0].compare.since = 0;
    otherwise->compares[0].compare.has_since = false;
    struct op op = {.kind = OP_TXN, .txn = otherwise};
    op.op_count = seeded_below(&world->random, TXN_OPS);
    op.ops = make_ops(world, op.op_count);
    return op;
}

static struct op make_m_set(struct world *world)
{
    struct op op = {.kind = OP_M_SET, .op_count = 1 + seeded_below(&world->random, 4)};
    op.ops = make_ops(world, op.op_count);
    for (size_t i = 0; i < op.op_count; i++) {
        op.ops[i].kind = OP_SET;
        op.ops[i].set.keep_ttl = seeded_below(&world->random, 3) == 0;
        op.ops[i].set.return_previous = false;
    }
    return op;
}

static struct op make_any(struct world *world)
{
    uint32_t kind = seeded_below(&world->random, 200);
    if (kind == 0)
        return (struct op){.kind = OP_FLUSH_DB, .db = seeded_below(&world->random, DATABASES)};
    if (kind < 30)
        return make_txn(world);
    return kind < 40 ? make_m_set(world) : make_op(world);
}

/* ---- the two stores ---- */

static size_t used(const struct world *world)
{
    return store_stats(world->limited->store).used_memory;
}

static uint64_t evicted(const struct world *world)
{
    return store_stats(world->limited->store).evicted_keys;
}

static void set_now(struct op *op, int64_t now_ms)
{
    op->now_ms = now_ms;
    for (size_t i = 0; i < op->op_count; i++)
        set_now(&op->ops[i], now_ms);
    for (size_t i = 0; op->txn != NULL && i < op->txn->else_count; i++)
        set_now(&op->txn->else_ops[i], now_ms);
}

static void forget_hash(struct lock_visitor *visitor, uint32_t db, struct slice key, uint64_t *hash)
{
    (void)visitor;
    (void)db;
    (void)key;
    *hash = 0;
}

static void apply_limited(struct world *world, struct op *op)
{
    struct keyspace_fixture *fixture = world->limited;
    op_result_release(&fixture->result);
    arena_reset(&fixture->arena);
    arena_reset(&fixture->emitted);
    fixture->change_count = 0;
    store_apply(fixture->store, op, &fixture->arena, &fixture->result);
}

static void apply_free(struct world *world, struct op *op)
{
    struct lock_visitor visitor = {.visit = forget_hash};
    lock_each_key(op, &visitor);
    op_result_release(&world->free_result);
    arena_reset(&world->free_arena);
    store_apply(world->free, op, &world->free_arena, &world->free_result);
}

/* Each of the first `count` commits evicted one key, which is deleted here, too. */
static void mirror_evictions(struct world *world, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        const struct keyspace_change *change = &world->limited->changes[i];
        assert_int_equal(change->op.kind, OP_DELETE);
        struct op op = change->op;
        op.now_ms = 1; /* nothing has expired then */
        apply_free(world, &op);
        assert_true(world->free_result.ok);
    }
}

static void assert_same_value(const struct op_value *a, const struct op_value *b)
{
    assert_int_equal(a->found, b->found);
    assert_int_equal(a->bytes.len, b->bytes.len);
    if (a->bytes.len > 0)
        assert_memory_equal(a->bytes.data, b->bytes.data, a->bytes.len);
}

static void assert_same_result(const struct op_result *a, const struct op_result *b)
{
    assert_int_equal(a->err, b->err);
    assert_int_equal(a->ok, b->ok);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->has_previous, b->has_previous);
    assert_same_value(&a->value, &b->value);
    assert_int_equal(a->value_count, b->value_count);
    for (size_t i = 0; i < a->value_count; i++)
        assert_int_equal(a->values[i].len, b->values[i].len);
    assert_int_equal(a->item_count, b->item_count);
    for (size_t i = 0; i < a->item_count; i++)
        assert_same_value(&a->items[i], &b->items[i]);
    assert_int_equal(a->result_count, b->result_count);
    for (size_t i = 0; i < a->result_count; i++)
        assert_same_result(&a->results[i], &b->results[i]);
}

static void assert_same_counts(struct world *world)
{
    for (uint32_t db = 0; db < DATABASES; db++) {
        assert_int_equal(store_count(world->limited->store, db), store_count(world->free, db));
        assert_int_equal(store_expiring(world->limited->store, db),
                         store_expiring(world->free, db));
    }
}

/* ---- what could be evicted ---- */

struct census {
    struct lock_visitor visitor; /* first */
    struct world *world;
    const struct op *op;
    bool by_deadline;
    bool is_working; /* the entry in question is one of the operation's keys */
    struct slice key;
    bool is_fragmented; /* more may be evicted: see limit.h */
    size_t bytes;       /* of what could be evicted */
    size_t reserve;     /* of those, reserves of strings */
    size_t largest;     /* of that, one key's */
};

static void compare_key(struct lock_visitor *visitor, uint32_t db, struct slice key, uint64_t *hash)
{
    struct census *census = (struct census *)visitor;
    (void)db;
    (void)hash;
    census->is_working |= slice_equal(key, census->key);
}

static void take_census(void *context, struct entry *entry)
{
    struct census *census = context;
    census->is_working = false;
    census->key = entry_key(entry);
    lock_each_key((struct op *)census->op, &census->visitor);
    if (census->is_working || (census->by_deadline && entry_expire_at_ms(entry) == 0))
        return;
    size_t memory = entry_memory(entry);
    census->bytes += memory;
    census->reserve += entry_type(entry) == ENTRY_STRING ? entry_reserve(entry) : 0;
    if (memory > census->largest)
        census->largest = memory;
}

static struct census count_evictable(struct world *world, const struct op *op)
{
    struct store *store = world->limited->store;
    struct census census = {.visitor = {.visit = compare_key},
                            .world = world,
                            .op = op,
                            .by_deadline = store_policy_is_volatile(world->policy)};
    census.is_fragmented = store_stats(store).resident_memory > LIMIT + ((size_t)16 << 20);
    if (world->policy == STORE_NOEVICTION)
        return census;
    for (size_t i = 0; i < store->shard_count; i++) {
        for (uint32_t db = 0; db < DATABASES; db++) {
            uint64_t cursor = 0;
            do
                cursor =
                    dict_scan(&store->shards[i].databases[db].dict, cursor, take_census, &census);
            while (cursor != 0);
        }
    }
    return census;
}

/* The count of deadlines is what a walk finds. */
static void check_expiring(struct world *world)
{
    struct op none = {.kind = OP_RANDOM_KEY};
    enum store_policy policy = world->policy;
    size_t counted = 0;
    struct store *store = world->limited->store;
    for (size_t i = 0; i < store->shard_count; i++)
        for (uint32_t db = 0; db < DATABASES; db++)
            counted += store->shards[i].databases[db].expiring_memory;
    world->policy = STORE_VOLATILE_LRU;
    assert_int_equal(count_evictable(world, &none).bytes, counted);
    world->policy = policy;
}

/* ---- a step ---- */

/* The operation was refused. With the limit lifted it takes more than there could have been. */
static void check_refusal(struct world *world, struct op *op, size_t before)
{
    struct store *store = world->limited->store;
    struct census census = count_evictable(world, op);
    store_lift_limit(store, true);
    apply_limited(world, op);
    apply_free(world, op);
    assert_same_result(&world->limited->result, &world->free_result);
    /* Strings that have grown have reserves, which are optional. */
    size_t reserves = 0;
    for (size_t i = 0; i < store->shard_count; i++)
        reserves += store->shards[i].slab.reserve;
    size_t could_go = census.bytes + reserves - census.reserve;
    assert_true(used(world) > before);
    assert_true(used(world) + TOLERANCE > LIMIT + could_go);
    store_lift_limit(store, false);
    world->refused++;
}

static void check_evictions(struct world *world, uint64_t count, const struct census *census)
{
    world->evicted += count;
    if (count == 0 || census->is_fragmented)
        return;
    /* The evictions were necessary: without the largest one it would not have fitted. */
    assert_true(used(world) + census->largest + TOLERANCE > LIMIT);
}

static void step(struct world *world)
{
    arena_reset(&world->arena);
    struct op op = make_any(world);
    world->limited->now_ms += seeded_below(&world->random, 100);
    set_now(&op, world->limited->now_ms);
    size_t before = used(world), most = LIMIT + 2 * LIMIT / 64;
    uint64_t evicted_before = evicted(world);
    struct census census = count_evictable(world, &op);
    apply_limited(world, &op);
    uint64_t went = evicted(world) - evicted_before;
    if (world->limited->result.err == ERR_OUT_OF_MEMORY) {
        assert_int_equal(went, 0);
        assert_int_equal(world->limited->change_count, 0);
        assert_true(used(world) <= before + TOLERANCE); /* a dictionary may stay larger */
        assert_same_counts(world);
        assert_true(op_info(op.kind)->access != OP_READ && op_info(op.kind)->access != OP_WRITE);
        check_refusal(world, &op, before);
        return;
    }
    mirror_evictions(world, went);
    apply_free(world, &op);
    assert_same_result(&world->limited->result, &world->free_result);
    assert_same_counts(world);
    check_evictions(world, went, &census);
    if (used(world) > before) {
        world->grown++;
        assert_true(used(world) <= most);
    } else if (before <= LIMIT) {
        assert_true(used(world) <= LIMIT + LIMIT / 64);
    }
}

/* After the limit was lifted: deletes keys until the store is below it again, in the terms of
 * limit.h: as the slabs have reported it. Until then a ceiling is in force (limit_change.h), and
 * each operation evicts for it, also one that is refused. What is really in use may be less by what
 * deletions have freed and not reported. */
static void shrink(struct world *world)
{
    while (used(world) > LIMIT || pages_used(&world->limited->store->pages) > LIMIT) {
        struct op op = {.kind = OP_DELETE, .db = seeded_below(&world->random, DATABASES)};
        arena_reset(&world->arena);
        op.key = key_of(world);
        op.now_ms = world->limited->now_ms;
        apply_limited(world, &op);
        assert_int_equal(world->limited->result.err, ERR_NONE);
        apply_free(world, &op);
    }
}

static size_t steps(void)
{
    const char *given = getenv("KEYSTORE_LIMIT_STEPS");
    return given != NULL ? strtoul(given, NULL, 10) : STEPS;
}

/* A store whose keys are hashed as the seed says, so that a run can be repeated. */
static struct store *new_store(struct world *world, size_t max_memory)
{
    struct store *store = store_new(&(struct store_options){
        .databases = DATABASES, .max_memory = max_memory, .policy = world->policy});
    seeded_fill(&world->random, store->secret, sizeof store->secret);
    return store;
}

static void run(struct keyspace_fixture *fixture, enum store_policy policy, uint64_t *random)
{
    struct store *unlimited = fixture->store;
    struct world world = {.limited = fixture, .policy = policy, .random = *random};
    fixture->store = new_store(&world, LIMIT);
    store_set_sink(fixture->store, &fixture->sink);
    world.free = new_store(&world, 0);
    arena_init(&world.arena);
    arena_init(&world.free_arena);
    world.bytes = calloc(1, MAX_VALUE);
    for (size_t i = 0; i < steps(); i++) {
        step(&world);
        shrink(&world);
        if (i % 256 == 0)
            check_expiring(&world);
    }
    print_message("policy %d: %zu grew, %zu evicted, %zu refused\n", (int)policy, world.grown,
                  world.evicted, world.refused);
    assert_true(world.grown > steps() / 20);
    assert_true(policy == STORE_NOEVICTION ? world.refused > 0 : world.evicted > 0);
    op_result_release(&world.free_result);
    op_result_release(&fixture->result);
    fixture->result = (struct op_result){0};
    store_free(world.free);
    store_free(fixture->store);
    arena_deinit(&world.arena);
    arena_deinit(&world.free_arena);
    free(world.bytes);
    *random = world.random;
    fixture->store = unlimited;
    fixture->change_count = 0;
}

static void test_all_policies(void **state)
{
    uint64_t random = seeded_start();
    for (enum store_policy policy = STORE_NOEVICTION; policy <= STORE_VOLATILE_TTL; policy++)
        run(*state, policy, &random);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_policies, keyspace_setup, keyspace_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
