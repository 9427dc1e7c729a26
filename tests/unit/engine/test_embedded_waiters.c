/*
 * Tests of engine/embedded.c: operations that wait for a list. Who comes first is served first,
 * one that leaves has consumed nothing, and nobody is forgotten.
 */
#include "engine/embedded.h"

#include "base/arena.h"
#include "store/store.h"

#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

/* A pop that waits. It submits itself again whenever it is its turn. */
struct pop {
    struct engine_waiter waiter; /* first */
    struct engine *engine;
    struct op_key keys[2];
    size_t key_count;
    struct slice target; /* of an LMove; empty: a ListPop */
    bool is_waiting;
    unsigned tries;
    enum err err;
    char got[32]; /* empty: nothing */
    void (*on_got)(struct pop *pop);
};

static void copy_text(char *to, size_t size, struct slice from)
{
    snprintf(to, size, "%.*s", (int)from.len, (const char *)from.data);
}

static enum engine_answer pop_try(struct pop *pop)
{
    struct arena arena;
    struct op_take take = {.wait_ms = -1, .waiter = &pop->waiter.waiter};
    struct engine_task task = {.arena = &arena, .worker = pop->waiter.worker};
    arena_init(&arena);
    pop->tries++;
    if (pop->target.len > 0)
        task.op = (struct op){.kind = OP_L_MOVE,
                              .key = pop->keys[0].bytes,
                              .target.bytes = pop->target,
                              .move.take = &take};
    else
        task.op = (struct op){.kind = OP_LIST_POP,
                              .keys = pop->keys,
                              .key_count = pop->key_count,
                              .move.take = &take};
    enum engine_answer answer = engine_submit(pop->engine, &task);
    pop->is_waiting = answer == ENGINE_WAITING;
    if (answer == ENGINE_DONE) {
        pop->err = task.result.err;
        if (task.result.value_count > 0)
            copy_text(pop->got, sizeof pop->got, task.result.values[0]);
        else
            copy_text(pop->got, sizeof pop->got, task.result.value.bytes);
        engine_leave(pop->engine, &pop->waiter);
        if (pop->on_got != NULL)
            pop->on_got(pop);
    }
    op_result_release(&task.result);
    arena_deinit(&arena);
    return answer;
}

static void pop_on_list(struct engine_waiter *waiter)
{
    struct pop *pop = (struct pop *)waiter;
    assert_true(pop->is_waiting);
    pop_try(pop);
}

static void pop_init(struct pop *pop, struct engine *engine, unsigned worker, const char *key)
{
    *pop = (struct pop){.waiter = {.on_list = pop_on_list, .worker = worker},
                        .engine = engine,
                        .keys[0].bytes = slice_from_string(key),
                        .key_count = 1};
    engine_init_waiter(engine, &pop->waiter);
}

static struct op_result carry_out(struct engine *engine, unsigned worker, struct op op)
{
    struct arena arena;
    struct engine_task task = {.op = op, .arena = &arena, .worker = worker};
    arena_init(&arena);
    assert_int_equal(engine_submit(engine, &task), ENGINE_DONE);
    op_result_release(&task.result);
    arena_deinit(&arena);
    return task.result;
}

static void push(struct engine *engine, const char *key, const char *text)
{
    struct slice value = slice_from_string(text);
    struct op op = {
        .kind = OP_R_PUSH, .key = slice_from_string(key), .values = &value, .value_count = 1};
    assert_true(carry_out(engine, 0, op).ok);
}

static void count_wake(void *user)
{
    ++*(unsigned *)user;
}

struct fixture {
    struct engine *engine;
    unsigned wakes[3];
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->engine = embedded_new(&(struct store_options){.databases = 3}, 3);
    for (unsigned i = 0; i < 3; i++)
        engine_set_waker(fixture->engine, i, (struct waker){count_wake, &fixture->wakes[i]});
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    embedded_free(fixture->engine);
    free(fixture);
    return 0;
}

static void test_a_worker_is_woken_for_its_waiter(void **state)
{
    struct fixture *fixture = *state;
    struct engine *engine = fixture->engine;
    struct pop pop;
    pop_init(&pop, engine, 1, "k");
    assert_int_equal(pop_try(&pop), ENGINE_WAITING);
    push(engine, "other", "0");
    assert_int_equal(fixture->wakes[1], 0);
    push(engine, "k", "1");
    assert_int_equal(fixture->wakes[1], 1);
    push(engine, "k", "2"); /* the list is there already */
    assert_int_equal(fixture->wakes[0] + fixture->wakes[1] + fixture->wakes[2], 1);
    assert_int_equal(pop.tries, 1);
    engine_complete(engine, 0);
    assert_int_equal(pop.tries, 1);
    engine_complete(engine, 1);
    assert_int_equal(pop.tries, 2);
    assert_string_equal(pop.got, "1");
    engine_complete(engine, 1);
    assert_int_equal(pop.tries, 2);
}

/* Also when the worker of the first one has not run yet. */
static void test_nobody_overtakes(void **state)
{
    struct fixture *fixture = *state;
    struct engine *engine = fixture->engine;
    struct pop first, second, third;
    pop_init(&first, engine, 1, "k");
    pop_init(&second, engine, 2, "k");
    pop_init(&third, engine, 0, "k");
    pop_try(&first);
    pop_try(&second);
    push(engine, "k", "1");
    push(engine, "k", "2");
    assert_int_equal(pop_try(&third), ENGINE_WAITING); /* though there is a list */
    engine_complete(engine, 2);
    assert_string_equal(second.got, "");
    engine_complete(engine, 1);
    assert_string_equal(first.got, "1");
    assert_int_equal(fixture->wakes[2], 1);
    engine_complete(engine, 2);
    assert_string_equal(second.got, "2");
    assert_string_equal(third.got, "");
    push(engine, "k", "3");
    engine_complete(engine, 0);
    assert_string_equal(third.got, "3");
}

/* Who waits on one worker is served in one turn. */
static void test_waiters_of_a_worker_share_a_turn(void **state)
{
    struct fixture *fixture = *state;
    struct engine *engine = fixture->engine;
    static struct pop pops[100];
    struct slice values[100];
    for (size_t i = 0; i < 100; i++) {
        pop_init(&pops[i], engine, 1, "k");
        pop_try(&pops[i]);
        values[i] = SLICE_LITERAL("v");
    }
    carry_out(
        engine, 0,
        (struct op){
            .kind = OP_R_PUSH, .key = SLICE_LITERAL("k"), .values = values, .value_count = 100});
    assert_int_equal(fixture->wakes[1], 1);
    engine_complete(engine, 1);
    for (size_t i = 0; i < 100; i++)
        assert_string_equal(pops[i].got, "v");
    assert_int_equal(fixture->wakes[1], 1);
}

static void test_who_leaves_passes_its_turn_on(void **state)
{
    struct fixture *fixture = *state;
    struct engine *engine = fixture->engine;
    struct pop first, second;
    pop_init(&first, engine, 1, "k");
    pop_init(&second, engine, 2, "k");
    pop_try(&first);
    pop_try(&second);
    push(engine, "k", "1");
    engine_leave(engine, &first.waiter); /* it has been notified */
    engine_complete(engine, 1);
    assert_int_equal(first.tries, 1);
    assert_int_equal(fixture->wakes[2], 1);
    engine_complete(engine, 2);
    assert_string_equal(second.got, "1");
}

static void test_an_error_passes_the_turn_on(void **state)
{
    struct fixture *fixture = *state;
    struct engine *engine = fixture->engine;
    struct pop move, pop;
    carry_out(engine, 0, (struct op){.kind = OP_SET, .key = SLICE_LITERAL("text")});
    pop_init(&move, engine, 1, "k");
    move.target = SLICE_LITERAL("text");
    pop_init(&pop, engine, 1, "k");
    pop_try(&move);
    pop_try(&pop);
    push(engine, "k", "1");
    engine_complete(engine, 1);
    assert_int_equal(move.err, ERR_WRONG_TYPE);
    assert_string_equal(pop.got, "1");
}

/* It takes from the first of its keys that has a list; a string disturbs only who has just come. */
static void test_several_keys(void **state)
{
    struct fixture *fixture = *state;
    struct engine *engine = fixture->engine;
    struct pop pop;
    pop_init(&pop, engine, 0, "a");
    pop.keys[1].bytes = SLICE_LITERAL("b");
    pop.key_count = 2;
    pop_try(&pop);
    carry_out(engine, 0, (struct op){.kind = OP_SET, .key = SLICE_LITERAL("a")});
    push(engine, "b", "1");
    engine_complete(engine, 0);
    assert_string_equal(pop.got, "1");
    pop_try(&pop);
    assert_int_equal(pop.err, ERR_WRONG_TYPE);
}

/* ---- many threads ---- */

#define WORKERS  3
#define POPS     40 /* of each worker */
#define ELEMENTS 3000
#define QUEUES   3

static const char *const queues[QUEUES] = {"queue 0", "queue 1", "queue 2"};

struct contest {
    struct engine *engine;
    uint64_t random;
    sem_t news[WORKERS];
    atomic_uint popped;
    atomic_bool seen[QUEUES * ELEMENTS];
};

struct contest_worker {
    struct contest *contest;
    unsigned number;
    struct pop pops[POPS];
};

static struct contest contest;

static void contest_wake(void *user)
{
    sem_post(user);
}

static void contest_on_got(struct pop *pop)
{
    if (pop->got[0] == '\0')
        abort(); /* cmocka fails only on its own thread */
    if (atomic_exchange(&contest.seen[strtoul(pop->got, NULL, 10)], true))
        abort();
    pop->got[0] = '\0';
    atomic_fetch_add(&contest.popped, 1);
}

/* Waits, gives up at random, and takes what comes. */
static void *run_worker(void *user)
{
    struct contest_worker *worker = user;
    struct engine *engine = contest.engine;
    uint64_t random = contest.random + worker->number;
    for (size_t i = 0; i < POPS; i++) {
        pop_init(&worker->pops[i], engine, worker->number, queues[i % QUEUES]);
        if (i % 4 == 3) {
            worker->pops[i].keys[1].bytes = slice_from_string(queues[(i + 1) % QUEUES]);
            worker->pops[i].key_count = 2;
        }
        worker->pops[i].on_got = contest_on_got;
    }
    while (atomic_load(&contest.popped) < QUEUES * ELEMENTS) {
        struct pop *pop = &worker->pops[seeded_below(&random, POPS)];
        if (pop->is_waiting && seeded_below(&random, 2) == 0) {
            engine_leave(engine, &pop->waiter);
            pop->is_waiting = false;
        } else if (!pop->is_waiting) {
            pop_try(pop);
        }
        while (sem_trywait(&contest.news[worker->number]) == 0)
            engine_complete(engine, worker->number);
    }
    for (size_t i = 0; i < POPS; i++)
        engine_leave(engine, &worker->pops[i].waiter);
    return NULL;
}

static void test_each_element_is_popped_once(void **state)
{
    (void)state;
    static struct contest_worker workers[WORKERS];
    pthread_t threads[WORKERS];
    contest.engine = embedded_new(&(struct store_options){.databases = 1}, WORKERS + 1);
    contest.random = seeded_start();
    for (unsigned i = 0; i < WORKERS; i++) {
        sem_init(&contest.news[i], 0, 0);
        engine_set_waker(contest.engine, i, (struct waker){contest_wake, &contest.news[i]});
        workers[i] = (struct contest_worker){.contest = &contest, .number = i};
    }
    engine_set_waker(contest.engine, WORKERS, (struct waker){contest_wake, &contest.news[0]});
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_create(&threads[i], NULL, run_worker, &workers[i]);
    for (unsigned i = 0; i < QUEUES * ELEMENTS; i++) {
        char text[16];
        snprintf(text, sizeof text, "%u", i);
        struct slice value = slice_from_string(text);
        carry_out(contest.engine, WORKERS,
                  (struct op){.kind = i % 2 == 0 ? OP_R_PUSH : OP_L_PUSH,
                              .key = slice_from_string(queues[i % QUEUES]),
                              .values = &value,
                              .value_count = 1});
    }
    for (unsigned i = 0; i < WORKERS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < QUEUES * ELEMENTS; i++)
        assert_true(atomic_load(&contest.seen[i]));
    embedded_free(contest.engine);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_worker_is_woken_for_its_waiter),
        TEST(test_nobody_overtakes),
        TEST(test_waiters_of_a_worker_share_a_turn),
        TEST(test_who_leaves_passes_its_turn_on),
        TEST(test_an_error_passes_the_turn_on),
        TEST(test_several_keys),
        cmocka_unit_test(test_each_element_is_popped_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
