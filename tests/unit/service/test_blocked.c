/*
 * Tests of service/blocked.c: calls that wait for a list, from the message to the answer, and every
 * way in which the wait may end. Real calls in memory, over real data.
 */
#include "service/service.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/link.h"
#include "store/data/lock.h"

#define LIST_POP "/keystore.v1.KeyStore/ListPop"
#define LMOVE    "/keystore.v1.KeyStore/LMove"

static unsigned wakes;

static void count_wake(void *user)
{
    (void)user;
    wakes++;
}

static int setup(void **state)
{
    wakes = 0;
    embedded_setup(state);
    struct link *link = *state;
    engine_set_waker(link->engine, 0, (struct waker){count_wake, NULL});
    return 0;
}

static struct ng_stream *begin_pop(struct link *link, const char *key, int64_t wait_ms)
{
    ProtobufCBinaryData keys = message_text(key);
    Keystore__V1__PopRequest message = KEYSTORE__V1__POP_REQUEST__INIT;
    message.keys = &keys;
    message.n_keys = 1;
    message.wait_ms = wait_ms;
    return link_call(link, LIST_POP, &message);
}

static void push(struct link *link, const char *key, const char *text)
{
    ng_call_reply(link_call_push(link, key, text));
}

/* What the worker does when it is woken. */
static void go_on(struct link *link)
{
    engine_complete(link->engine, 0);
    link_resume(link);
}

static void assert_popped(const struct ng_stream *call, const char *text)
{
    struct slice reply = ng_call_reply(call);
    Keystore__V1__Popped *popped = keystore__v1__popped__unpack(NULL, reply.len, reply.data);
    assert_non_null(popped);
    assert_int_equal(popped->found, text != NULL);
    assert_int_equal(popped->n_values, text != NULL);
    if (text != NULL)
        assert_bytes_are(popped->values[0], text);
    keystore__v1__popped__free_unpacked(popped, NULL);
}

/* The list has exactly one element. */
static void assert_left(struct link *link, const char *key, const char *text)
{
    assert_popped(begin_pop(link, key, 0), text);
    assert_popped(begin_pop(link, key, 0), NULL);
}

static void test_a_pop_waits_for_a_push(void **state)
{
    struct link *link = *state;
    const struct ng_stream *call = begin_pop(link, "k", -1);
    assert_int_equal(service_blocked(link->service), 1);
    assert_false(grpc_connection_has_unanswered(link->server));
    push(link, "k", "1");
    assert_int_equal(wakes, 1);
    assert_false(call->closed);
    go_on(link);
    assert_popped(call, "1");
    assert_int_equal(service_blocked(link->service), 0);
}

static void test_a_move_waits_for_a_push(void **state)
{
    struct link *link = *state;
    Keystore__V1__MoveRequest message = KEYSTORE__V1__MOVE_REQUEST__INIT;
    message.source = message_text("k");
    message.target = message_text("t");
    message.wait_ms = 5;
    const struct ng_stream *call = link_call(link, LMOVE, &message);
    assert_int_equal(service_blocked(link->service), 1);
    push(link, "k", "1");
    go_on(link);
    assert_value(call, "1");
    assert_left(link, "t", "1");
}

static void test_the_wait_ends(void **state)
{
    struct link *link = *state;
    const struct ng_stream *forever = begin_pop(link, "k", -1);
    const struct ng_stream *call = begin_pop(link, "k", 1000000);
    int64_t due_ms = service_run_timers(link->service, 0);
    assert_true(due_ms > 1000000 && due_ms != INT64_MAX);
    assert_int_equal(service_run_timers(link->service, due_ms - 1), due_ms);
    assert_true(service_run_timers(link->service, due_ms) == INT64_MAX);
    link_exchange(link);
    assert_popped(call, NULL);
    assert_false(forever->closed);
    push(link, "k", "1");
    go_on(link);
    assert_popped(forever, "1");
}

static void test_a_cancelled_call_has_popped_nothing(void **state)
{
    struct link *link = *state;
    const struct ng_stream *first = begin_pop(link, "k", -1);
    const struct ng_stream *second = begin_pop(link, "k", -1);
    push(link, "k", "1");
    ng_client_reset(link->client, first); /* it was its turn */
    link_exchange(link);
    go_on(link);
    assert_popped(second, "1");
    const struct ng_stream *third = begin_pop(link, "k", -1);
    ng_client_reset(link->client, third);
    link_exchange(link);
    assert_int_equal(service_blocked(link->service), 0);
    push(link, "k", "2");
    assert_left(link, "k", "2");
}

/* Also for calls that come when it is under way. */
static void test_a_shutdown_ends_the_wait(void **state)
{
    struct link *link = *state;
    const struct ng_stream *call = begin_pop(link, "k", -1);
    grpc_connection_drain(link->server);
    const struct ng_stream *late = begin_pop(link, "k", -1);
    link_exchange(link);
    ng_call_assert_failed(call, GRPC_UNAVAILABLE, "ERROR_REASON_STOPPING", "shutting down");
    ng_call_assert_failed(late, GRPC_UNAVAILABLE, "ERROR_REASON_STOPPING", "shutting down");
    assert_int_equal(service_blocked(link->service), 0);
}

static void test_a_client_that_may_be_gone_does_not_wait(void **state)
{
    struct link *link = *state;
    const struct ng_stream *call = begin_pop(link, "k", -1);
    grpc_connection_hang_up(link->server);
    link_exchange(link);
    ng_call_assert_failed(call, GRPC_UNAVAILABLE, "ERROR_REASON_STOPPING", "may be gone");
    push(link, "k", "1");
    go_on(link);
    assert_left(link, "k", "1");
}

/* Its turn may come while a long operation has the lock; and it may end then. */
static void test_a_held_lock_delays_it(void **state)
{
    struct link *link = *state;
    struct store *store = embedded_store(link->engine);
    struct op op = {.kind = OP_GET, .key = SLICE_LITERAL("k")};
    struct lock_set set = lock_shards_of(store, &op);
    for (int cancel = 0; cancel < 2; cancel++) {
        const struct ng_stream *call = begin_pop(link, "k", -1);
        push(link, "k", "1");
        assert_true(lock_take(store, &set, false));
        go_on(link);
        assert_false(call->closed);
        if (cancel)
            ng_client_reset(link->client, call);
        link_exchange(link);
        lock_release(store, &set, false);
        go_on(link);
        if (cancel)
            assert_left(link, "k", "1");
        else
            assert_popped(call, "1");
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, embedded_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_pop_waits_for_a_push),
        TEST(test_a_move_waits_for_a_push),
        TEST(test_the_wait_ends),
        TEST(test_a_cancelled_call_has_popped_nothing),
        TEST(test_a_shutdown_ends_the_wait),
        TEST(test_a_client_that_may_be_gone_does_not_wait),
        TEST(test_a_held_lock_delays_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
