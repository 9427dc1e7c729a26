/* Tests of bench/traces/replay.c: a server made by hand sees each request as if it came alone, and
 * what was missing is stored. */
#include "traces/replay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS     4
#define REQUESTS 12

/* Holds everything until it is told to lose a key. */
struct fake_server {
    struct server server;
    bool held[KEYS];
    uint32_t pushed[KEYS]; /* elements */
    size_t sets, runs;
};

static void run_command(struct fake_server *fake, const struct server_command *command, bool *found)
{
    *found = fake->held[command->key];
    switch (command->verb) {
    case SERVER_SET:
        assert_false(*found);
        assert_int_equal(command->size, 100);
        fake->sets++;
        fake->held[command->key] = true;
        break;
    case SERVER_INCR:
        fake->held[command->key] = true;
        break;
    case SERVER_PUSH:
        assert_int_equal(command->size, 100 / TRACE_QUEUE_LENGTH);
        assert_int_equal(command->count, *found ? 1 : TRACE_QUEUE_LENGTH);
        fake->pushed[command->key] += command->count;
        fake->held[command->key] = true;
        break;
    case SERVER_GET:
    case SERVER_POP:
    case SERVER_EXISTS:
        break;
    }
}

static void run(struct server *server, const struct server_command *commands, size_t count,
                bool *found)
{
    struct fake_server *fake = (struct fake_server *)server;
    uint32_t seen = 0;
    assert_true(count > 0 && count <= SERVER_MAX_COMMANDS);
    for (size_t i = 0; i < count; i++) {
        assert_false(seen >> commands[i].key & 1);
        seen |= (uint32_t)1 << commands[i].key;
        assert_int_equal(commands[i].db, commands[i].key);
        run_command(fake, &commands[i], &found[i]);
    }
    fake->runs++;
}

struct fixture {
    struct fake_server fake;
    struct trace_kind kind;
    struct trace_key keys[KEYS];
    uint32_t requests[REQUESTS];
    struct trace trace;
};

/* Keys 0 to 2 in turn, all accessed in one way; key 3 is never asked for. */
static void init(struct fixture *fixture, enum trace_access access)
{
    *fixture = (struct fixture){.fake.server.run = run};
    fixture->trace = (struct trace){.kind = &fixture->kind,
                                    .key_count = KEYS,
                                    .keys = fixture->keys,
                                    .count = REQUESTS,
                                    .requests = fixture->requests};
    for (uint32_t i = 0; i < KEYS; i++)
        fixture->keys[i] = (struct trace_key){
            .size = 100, .db = (uint8_t)i, .access = (uint8_t)access, .is_requested = i < 3};
    for (uint32_t i = 0; i < REQUESTS; i++)
        fixture->requests[i] = i % 3;
}

static size_t replay(struct fixture *fixture, size_t begin, size_t end)
{
    return replay_run(&fixture->fake.server, &fixture->trace, begin, end);
}

static void test_a_miss_is_stored_and_then_a_hit(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, TRACE_CACHE);
    assert_int_equal(replay(&fixture, 0, REQUESTS), REQUESTS - 3);
    assert_int_equal(fixture.fake.sets, 3);
    fixture.fake.held[1] = false;
    assert_int_equal(replay(&fixture, 0, 3), 2);
    assert_int_equal(fixture.fake.sets, 4);
}

static void test_only_the_range_is_replayed(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, TRACE_CACHE);
    assert_int_equal(replay(&fixture, 1, 3), 0);
    assert_false(fixture.fake.held[0]);
    assert_true(fixture.fake.held[1] && fixture.fake.held[2]);
    assert_int_equal(replay(&fixture, 3, 3), 0);
    assert_int_equal(fixture.fake.runs, 2);
}

static void test_counters_need_one_exchange(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, TRACE_COUNTER);
    assert_int_equal(replay(&fixture, 0, REQUESTS), REQUESTS - 3);
    assert_int_equal(fixture.fake.runs, REQUESTS / 3);
}

static void test_queues_get_back_what_was_popped(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, TRACE_QUEUE);
    assert_int_equal(replay(&fixture, 0, REQUESTS), REQUESTS - 3);
    assert_int_equal(fixture.fake.pushed[0], TRACE_QUEUE_LENGTH + REQUESTS / 3 - 1);
}

static void test_what_is_held_is_weighed(void **state)
{
    (void)state;
    struct fixture fixture;
    init(&fixture, TRACE_CACHE);
    assert_int_equal(replay_held(&fixture.fake.server, &fixture.trace), 0);
    fixture.fake.held[0] = fixture.fake.held[2] = fixture.fake.held[3] = true;
    assert_int_equal(replay_held(&fixture.fake.server, &fixture.trace), 2);
    fixture.kind.counts_bytes = true;
    assert_int_equal(replay_held(&fixture.fake.server, &fixture.trace), 2 * (TRACE_KEY_SIZE + 100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_miss_is_stored_and_then_a_hit),
        cmocka_unit_test(test_only_the_range_is_replayed),
        cmocka_unit_test(test_counters_need_one_exchange),
        cmocka_unit_test(test_queues_get_back_what_was_popped),
        cmocka_unit_test(test_what_is_held_is_weighed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
