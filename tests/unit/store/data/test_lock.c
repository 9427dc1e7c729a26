/* Tests of store/data/lock.c: which shards each kind of operation locks and in which order, and
 * threads that access many keys at the same time. */
#include "store/data/lock.h"

#include "base/arena.h"
#include "store/change.h"
#include "store/data/garbage.h"
#include "store/data/shard.h"
#include "store/store.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/key_ops.h"
#include "store/seeded.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define NOW_MS       1700000000000

/* ---- which shards ---- */

/* An operation that has keys everywhere, though no kind looks at all of them. */
struct everywhere {
    struct op op;
    struct op_key keys[2];
    struct op ops[2], compares[1], otherwise_ops[1];
    struct op_txn otherwise;
};

static void init_everywhere(struct everywhere *all, enum op_kind kind)
{
    *all = (struct everywhere){.keys = {{.bytes = SLICE_LITERAL("one of several")},
                                        {.bytes = SLICE_LITERAL("another of them")}},
                               .ops = {set_op("done first", ""), set_op("done second", "")},
                               .compares = {{.key = SLICE_LITERAL("compared")}},
                               .otherwise_ops = {key_op(OP_GET, "done otherwise")}};
    all->otherwise = (struct op_txn){.compares = all->compares,
                                     .compare_count = 1,
                                     .else_ops = all->otherwise_ops,
                                     .else_count = 1};
    all->op = (struct op){.kind = kind,
                          .key = SLICE_LITERAL("key"),
                          .target = {.bytes = SLICE_LITERAL("target")},
                          .keys = all->keys,
                          .key_count = 2,
                          .ops = all->ops,
                          .op_count = 2,
                          .txn = kind == OP_TXN ? &all->otherwise : NULL};
}

static void add(struct store *store, struct lock_set *set, const char *key)
{
    size_t shard = shard_number(store, store_hash(store, slice_from_string(key)));
    set->bits[shard / 64] |= (uint64_t)1 << shard % 64;
}

static bool is_locked(struct store *store, size_t shard)
{
    return atomic_load(&store->shards[shard].lock.state) != MUTEX_FREE;
}

/* Every shard of the set is locked, and no other. */
static void assert_locked(struct store *store, const struct lock_set *set)
{
    for (size_t i = 0; i < store->shard_count; i++)
        assert_int_equal(is_locked(store, i), (set->bits[i / 64] >> i % 64 & 1) != 0);
}

static void assert_set(const struct lock_set *set, const struct lock_set *expected)
{
    for (size_t i = 0; i < LOCK_WORDS; i++)
        assert_true(set->bits[i] == expected->bits[i]);
}

/* The keys that an operation of that kind looks at. */
static struct lock_set expected_for(struct store *store, enum op_kind kind)
{
    struct lock_set set = {0};
    switch (kind) {
    case OP_RANDOM_KEY:
        break;
    case OP_FLUSH_DB:
        memset(&set, 0xff, store->shard_count / 8);
        break;
    case OP_TXN:
        add(store, &set, "compared");
        add(store, &set, "done otherwise");
        /* fallthrough */
    case OP_M_SET:
        add(store, &set, "done first");
        add(store, &set, "done second");
        break;
    case OP_M_GET:
    case OP_EXISTS:
    case OP_DELETE_MANY:
    case OP_TOUCH:
    case OP_LIST_POP:
        add(store, &set, "one of several");
        add(store, &set, "another of them");
        break;
    case OP_BIT_OP:
        add(store, &set, "one of several");
        add(store, &set, "another of them");
        add(store, &set, "key");
        break;
    case OP_RENAME:
    case OP_COPY:
    case OP_L_MOVE:
        add(store, &set, "target");
        /* fallthrough */
    default:
        add(store, &set, "key");
    }
    return set;
}

static struct lock_set lock_shards(struct store *store, struct op *op)
{
    struct lock_set set = lock_shards_of(store, op);
    assert_true(lock_take(store, &set, false));
    return set;
}

static void every_kind_locks_its_keys(unsigned threads, size_t shards)
{
    struct store *store = store_new(&(struct store_options){.databases = 1, .threads = threads});
    assert_int_equal(store->shard_count, shards);
    for (enum op_kind kind = 0; kind < OP_COUNT; kind++) {
        struct everywhere all;
        init_everywhere(&all, kind);
        struct lock_set expected = expected_for(store, kind);
        struct lock_set set = lock_shards(store, &all.op);
        assert_set(&set, &expected);
        assert_locked(store, &set);
        lock_release(store, &set, false);
        assert_locked(store, &(struct lock_set){0});
    }
    store_free(store);
}

/* With more threads there are more shards. */
static void test_every_kind_locks_its_keys(void **state)
{
    (void)state;
    every_kind_locks_its_keys(0, 64);
    every_kind_locks_its_keys(4, 64);
    every_kind_locks_its_keys(5, 128);
    every_kind_locks_its_keys(9, 256);
    every_kind_locks_its_keys(1000, 256);
}

static void assert_hashed(const struct store *store, struct slice key, uint64_t hash)
{
    assert_true(hash == store_hash(store, key));
}

static void test_the_hashes_are_noted(void **state)
{
    (void)state;
    struct store *store = store_new(&(struct store_options){.databases = 1});
    struct everywhere all;
    static const enum op_kind kinds[] = {OP_RENAME, OP_EXISTS, OP_TXN};
    init_everywhere(&all, OP_TXN);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        all.op.kind = kinds[i];
        struct lock_set set = lock_shards(store, &all.op);
        lock_release(store, &set, false);
    }
    assert_hashed(store, all.op.key, all.op.hash);
    assert_hashed(store, all.op.target.bytes, all.op.target.hash);
    for (size_t i = 0; i < 2; i++) {
        assert_hashed(store, all.keys[i].bytes, all.keys[i].hash);
        assert_hashed(store, all.ops[i].key, all.ops[i].hash);
    }
    assert_hashed(store, all.compares[0].key, all.compares[0].hash);
    assert_hashed(store, all.otherwise_ops[0].key, all.otherwise_ops[0].hash);
    store_free(store);
}

/* Nested operations, and keys that occur twice. */
static void test_operations_within_others(void **state)
{
    (void)state;
    struct store *store = store_new(&(struct store_options){.databases = 1});
    struct op_key keys[2] = {{.bytes = SLICE_LITERAL("b")}, {.bytes = SLICE_LITERAL("c")}};
    struct op sets[2] = {set_op("a", ""), set_op("b", "")};
    struct op ops[3] = {{.kind = OP_M_SET, .ops = sets, .op_count = 2},
                        {.kind = OP_EXISTS, .keys = keys, .key_count = 2},
                        pair_op(OP_RENAME, "d", "a")};
    struct op_txn otherwise = {0};
    struct op op = {.kind = OP_TXN, .ops = ops, .op_count = 3, .txn = &otherwise};
    struct lock_set expected = {0};
    static const char *const names[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < COUNT(names); i++)
        add(store, &expected, names[i]);
    struct lock_set set = lock_shards(store, &op);
    assert_set(&set, &expected);
    lock_release(store, &set, false);
    assert_hashed(store, sets[1].key, sets[1].hash);
    store_free(store);
}

/* ---- in which order ---- */

/* A key in that shard; the text lies in `name`. */
static struct slice key_in_shard(const struct store *store, size_t shard, char name[16])
{
    for (int i = 0;; i++) {
        snprintf(name, 16, "%d", i);
        if (shard_number(store, store_hash(store, slice_from_string(name))) == shard)
            return slice_from_string(name);
    }
}

struct locker {
    struct store *store;
    struct op *op;
};

static void *lock_and_release(void *context)
{
    struct locker *locker = context;
    struct lock_set set = lock_shards(locker->store, locker->op);
    lock_release(locker->store, &set, false);
    return NULL;
}

/* While this thread holds shard `held`, another thread that wants it and its neighbours gets the
 * lower one and waits without the higher one. */
static void check_order(struct store *store, size_t low, size_t held, size_t high)
{
    const size_t shards[] = {high, low, held, low, high};
    char names[COUNT(shards)][16];
    struct op_key keys[COUNT(shards)] = {0};
    for (size_t i = 0; i < COUNT(shards); i++)
        keys[i].bytes = key_in_shard(store, shards[i], names[i]);
    struct op op = {.kind = OP_DELETE_MANY, .keys = keys, .key_count = COUNT(shards)};
    struct locker locker = {.store = store, .op = &op};
    pthread_t thread;
    mutex_lock(&store->shards[held].lock);
    assert_int_equal(pthread_create(&thread, NULL, lock_and_release, &locker), 0);
    while (!is_locked(store, low)) {
        assert_false(is_locked(store, high));
        sched_yield();
    }
    assert_false(is_locked(store, high));
    mutex_unlock(&store->shards[held].lock);
    pthread_join(thread, NULL);
    assert_locked(store, &(struct lock_set){0});
}

static void test_locks_are_taken_in_ascending_order(void **state)
{
    (void)state;
    struct store *store = store_new(&(struct store_options){.databases = 1, .threads = SHARDS_MAX});
    check_order(store, 0, 1, 2);
    check_order(store, 62, 63, 64);
    check_order(store, 63, 64, 255);
    check_order(store, 5, 130, 200);
    store_free(store);
}

/* ---- threads ---- */

#define THREADS  6
#define ROUNDS   2000
#define ACCOUNTS 8
#define BALANCE  100
#define PLACES   6 /* keys that a list may be under */
#define LISTS    3
/* Above all revisions that the store gives before there is a sink. */
#define FIRST_REVISION 1000000

/* A sink that receives one commit at a time, as the log does. */
struct serial_sink {
    struct change_sink sink;
    pthread_mutex_t lock;
    uint64_t revision;
    size_t changes; /* of the open commit */
    bool sound;
};

static uint64_t serial_begin(struct change_sink *sink)
{
    struct serial_sink *serial = (struct serial_sink *)sink;
    pthread_mutex_lock(&serial->lock);
    serial->changes = 0;
    return ++serial->revision;
}

static void serial_change(struct change_sink *sink, const struct op *op)
{
    (void)op;
    ((struct serial_sink *)sink)->changes++;
}

static void serial_end(struct change_sink *sink)
{
    struct serial_sink *serial = (struct serial_sink *)sink;
    serial->sound &= serial->changes > 0;
    pthread_mutex_unlock(&serial->lock);
}

static void serial_abort(struct change_sink *sink)
{
    struct serial_sink *serial = (struct serial_sink *)sink;
    serial->revision--;
    pthread_mutex_unlock(&serial->lock);
}

struct worker {
    pthread_t id;
    struct store *store;
    uint64_t random;
    struct arena arena;
    size_t transfers, aborts;
    const char *wrong; /* NULL: no error */
};

static void expect(struct worker *worker, bool holds, const char *what)
{
    if (!holds)
        worker->wrong = what;
}

/* The result is the caller's to release. */
static struct op_result apply(struct worker *worker, struct op op)
{
    struct op_result result;
    op.now_ms = NOW_MS;
    store_apply(worker->store, &op, &worker->arena, &result);
    return result;
}

static const char *account(uint32_t i)
{
    static const char *const names[ACCOUNTS] = {"a0", "a1", "a2", "a3", "a4", "a5", "a6", "a7"};
    return names[i];
}

static const char *place(uint32_t i)
{
    static const char *const names[PLACES] = {"l0", "l1", "l2", "l3", "l4", "l5"};
    return names[i];
}

static int balance_of(const struct op_result *result)
{
    char text[12] = "";
    memcpy(text, result->value.bytes.data, result->value.bytes.len);
    return atoi(text);
}

static struct op set_balance(const char *name, char text[12], int balance)
{
    snprintf(text, 12, "%d", balance);
    return set_op(name, text);
}

/* Takes from one account and gives to another, if nobody else has changed them since. */
static void transfer(struct worker *worker)
{
    uint32_t from = seeded_below(&worker->random, ACCOUNTS);
    uint32_t to = (from + 1 + seeded_below(&worker->random, ACCOUNTS - 1)) % ACCOUNTS;
    int amount = (int)seeded_below(&worker->random, 10);
    struct op_result before[2] = {apply(worker, key_op(OP_GET, account(from))),
                                  apply(worker, key_op(OP_GET, account(to)))};
    char texts[2][12];
    struct op compares[2] = {key_op(OP_GET, account(from)), key_op(OP_GET, account(to))};
    for (size_t i = 0; i < 2; i++)
        compares[i].condition.version = before[i].value.version;
    struct op ops[2] = {set_balance(account(from), texts[0], balance_of(&before[0]) - amount),
                        set_balance(account(to), texts[1], balance_of(&before[1]) + amount)};
    struct op_txn otherwise = {.compares = compares, .compare_count = 2};
    struct op txn = {.kind = OP_TXN, .ops = ops, .op_count = 2, .txn = &otherwise};
    struct op_result result = apply(worker, txn);
    expect(worker, result.err == ERR_NONE, "a transfer failed");
    worker->transfers += result.ok;
}

/* Would ruin two accounts and a list, but fails. */
static void abort_one(struct worker *worker)
{
    uint32_t from = seeded_below(&worker->random, ACCOUNTS);
    uint32_t lost = seeded_below(&worker->random, PLACES);
    struct op ops[5] = {set_op(account(from), "0"), key_op(OP_DELETE, account(0)),
                        pair_op(OP_RENAME, place(lost), "elsewhere"),
                        key_op(OP_DELETE, place((lost + 1) % PLACES)), pair_op(OP_COPY, "x", "x")};
    struct op_txn otherwise = {0};
    struct op txn = {.kind = OP_TXN, .ops = ops, .op_count = 5, .txn = &otherwise};
    struct op_result result = apply(worker, txn);
    expect(worker, result.err == ERR_BAD_ARGUMENT, "a transaction did not fail");
    worker->aborts++;
}

/* The sum is the same at any time. */
static void add_up(struct worker *worker)
{
    struct op ops[ACCOUNTS];
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        ops[i] = key_op(OP_GET, account(i));
    struct op_txn otherwise = {0};
    struct op txn = {.kind = OP_TXN, .ops = ops, .op_count = ACCOUNTS, .txn = &otherwise};
    struct op_result result = apply(worker, txn);
    int sum = 0;
    for (size_t i = 0; i < result.result_count; i++)
        sum += balance_of(&result.results[i]);
    expect(worker, sum == ACCOUNTS * BALANCE, "money was lost or made");
}

/* Moves a list to where none is. */
static void move_list(struct worker *worker)
{
    uint32_t from = seeded_below(&worker->random, PLACES);
    uint32_t to = seeded_below(&worker->random, PLACES);
    struct op op = pair_op(OP_RENAME, place(from), place(to));
    op.copy.absent_only = true;
    expect(worker, apply(worker, op).err == ERR_NONE, "a rename failed");
}

static void count_lists(struct worker *worker)
{
    struct op_key keys[PLACES];
    struct op op = keys_op(OP_EXISTS, keys, "l5 l4 l3 l2 l1 l0");
    expect(worker, apply(worker, op).count == LISTS, "a list was lost or made");
}

/* Database 1 is for arbitrary operations. */
static void play(struct worker *worker)
{
    struct op_key keys[PLACES + 1];
    struct op op = key_op(OP_COPY, place(seeded_below(&worker->random, PLACES)));
    op.target.bytes = op.key;
    op.target_db = 1;
    op.copy.replace = true;
    apply(worker, op);
    op = keys_op(OP_DELETE_MANY, keys, "l0 l3 none");
    op.db = 1;
    apply(worker, op);
    op = (struct op){.kind = OP_RANDOM_KEY, .db = seeded_below(&worker->random, 2)};
    expect(worker, apply(worker, op).ok || op.db == 1, "no key is in database 0");
    if (seeded_below(&worker->random, 10) == 0)
        apply(worker, (struct op){.kind = OP_FLUSH_DB, .db = 1});
    uint32_t shards = (uint32_t)worker->store->shard_count;
    struct shard *shard = &worker->store->shards[seeded_below(&worker->random, shards)];
    mutex_lock(&shard->lock);
    garbage_collect(shard, 1);
    mutex_unlock(&shard->lock);
}

static void *work(void *context)
{
    static void (*const tasks[])(struct worker * worker) = {
        transfer, transfer, transfer, add_up, move_list, count_lists, play, abort_one};
    struct worker *worker = context;
    arena_init(&worker->arena);
    for (int round = 0; round < ROUNDS; round++) {
        tasks[seeded_below(&worker->random, COUNT(tasks))](worker);
        arena_reset(&worker->arena);
    }
    arena_deinit(&worker->arena);
    return NULL;
}

static void fill(struct worker *worker)
{
    struct slice element = SLICE_LITERAL("element");
    char text[12];
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        apply(worker, set_balance(account(i), text, BALANCE));
    for (uint32_t i = 0; i < LISTS; i++)
        apply(worker, push_op(place(i), &element));
}

static void work_together(struct store *store, struct worker *workers)
{
    uint64_t random = seeded_start();
    for (uint32_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){.store = store, .random = random + i * 1000003};
        assert_int_equal(pthread_create(&workers[i].id, NULL, work, &workers[i]), 0);
    }
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(workers[i].id, NULL);
}

static void test_threads_move_things_among_many_keys(void **state)
{
    (void)state;
    struct serial_sink serial = {.sink = {.begin = serial_begin,
                                          .change = serial_change,
                                          .end = serial_end,
                                          .abort = serial_abort},
                                 .lock = PTHREAD_MUTEX_INITIALIZER,
                                 .revision = FIRST_REVISION,
                                 .sound = true};
    struct store *store = store_new(&(struct store_options){.databases = 2});
    struct worker workers[THREADS], first = {.store = store};
    for (int with_sink = 0; with_sink < 2; with_sink++) {
        arena_init(&first.arena);
        store_set_sink(store, with_sink ? &serial.sink : NULL);
        if (!with_sink)
            fill(&first);
        work_together(store, workers);
        size_t transfers = 0, aborts = 0;
        for (size_t i = 0; i < THREADS; i++) {
            assert_null(workers[i].wrong);
            transfers += workers[i].transfers;
            aborts += workers[i].aborts;
        }
        assert_true(transfers > 0 && aborts > 0);
        add_up(&first);
        count_lists(&first);
        assert_null(first.wrong);
        arena_deinit(&first.arena);
    }
    assert_true(serial.sound);
    assert_true(serial.revision > FIRST_REVISION);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_locks_its_keys),
        cmocka_unit_test(test_the_hashes_are_noted),
        cmocka_unit_test(test_operations_within_others),
        cmocka_unit_test(test_locks_are_taken_in_ascending_order),
        cmocka_unit_test(test_threads_move_things_among_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
