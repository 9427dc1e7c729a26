/* Tests of grpc/call.c: a message in parts, and its limits, without a connection around it. */
#include "grpc/call.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/account.h"

/* A call, and what it belongs to. */
struct fixture {
    struct grpc_server server;
    struct grpc_connection connection;
    struct grpc_call call;
};

static void begin(struct fixture *fixture)
{
    *fixture = (struct fixture){0};
    fixture->server.limits = (struct grpc_limits){
        .max_message = 100, .max_unfinished = 60, .request_timeout_ms = 1000, .min_progress = 10};
    fixture->connection.server = &fixture->server;
    fixture->call.connection = &fixture->connection;
}

/* The prefix of a message of `size` bytes, below 256, has come. */
static void take_prefix(struct fixture *fixture, size_t size)
{
    const uint8_t prefix[GRPC_PREFIX_SIZE] = {0, 0, 0, 0, (uint8_t)size};
    const char *why;
    assert_int_equal(call_gather(&fixture->call, slice_make(prefix, sizeof prefix), &why),
                     ERR_NONE);
}

static enum err take(struct fixture *fixture, size_t size, const char **why)
{
    static const uint8_t bytes[100];
    return call_gather(&fixture->call, slice_make(bytes, size), why);
}

static void end(struct fixture *fixture)
{
    call_drop_message(&fixture->call);
    assert_int_equal(fixture->connection.unfinished, 0);
}

static void test_parts_are_counted_until_the_message_is_dropped(void **state)
{
    struct fixture fixture;
    const char *why;
    (void)state;
    begin(&fixture);
    take_prefix(&fixture, 50);
    assert_int_equal(fixture.connection.unfinished, 0);
    assert_int_equal(take(&fixture, 20, &why), ERR_NONE);
    assert_int_equal(take(&fixture, 30, &why), ERR_NONE);
    assert_int_equal(fixture.connection.unfinished, 50);
    assert_int_equal(grpc_message_bytes(&fixture.call.message).len, 50);
    end(&fixture);
}

static void test_a_message_over_the_limit_is_refused(void **state)
{
    struct fixture fixture;
    const char *why;
    (void)state;
    begin(&fixture);
    static const uint8_t prefix[GRPC_PREFIX_SIZE] = {0, 0, 0, 0, 101};
    assert_int_equal(call_gather(&fixture.call, slice_make(prefix, sizeof prefix), &why),
                     ERR_TOO_LARGE);
    assert_non_null(why);
    end(&fixture);
}

static void test_unfinished_messages_of_a_connection_have_a_limit(void **state)
{
    struct fixture fixture;
    const char *why;
    (void)state;
    begin(&fixture);
    take_prefix(&fixture, 50);
    fixture.connection.unfinished = 20; /* of another call */
    assert_int_equal(take(&fixture, 40, &why), ERR_NONE);
    assert_int_equal(take(&fixture, 1, &why), ERR_TOO_MANY_AT_ONCE);
    assert_non_null(strstr(why, "too many large requests"));
    fixture.connection.unfinished -= 20;
    end(&fixture);
}

static void test_the_clients_account_may_refuse_more(void **state)
{
    struct fixture fixture;
    const char *why;
    (void)state;
    static const uint8_t prefix[GRPC_PREFIX_SIZE] = {0, 0, 1, 0, 0}; /* 64 KiB */
    static const uint8_t bytes[32 * 1024];
    begin(&fixture);
    fixture.server.limits.max_message = fixture.server.limits.max_unfinished = SIZE_MAX;
    account_set_limit((size_t)64 * 1024);
    account_count(ACCOUNT_CLIENTS, 64 * 1024); /* of others */
    assert_int_equal(call_gather(&fixture.call, slice_make(prefix, sizeof prefix), &why), ERR_NONE);
    assert_int_equal(call_gather(&fixture.call, slice_make(bytes, sizeof bytes), &why),
                     ERR_NO_CLIENT_MEMORY);
    assert_ptr_equal(why, account_full);
    end(&fixture);
    account_count(ACCOUNT_CLIENTS, -64 * 1024);
    account_set_limit(SIZE_MAX);
}

/* Each period with enough of the message is followed by another. */
static void test_a_call_stalls_without_progress(void **state)
{
    struct fixture fixture;
    const char *why;
    (void)state;
    begin(&fixture);
    take_prefix(&fixture, 50);
    assert_false(call_stalls(&fixture.call, 1000)); /* the period is not over */
    assert_int_equal(take(&fixture, 10, &why), ERR_NONE);
    assert_false(call_stalls(&fixture.call, 1001));
    assert_int_equal(take(&fixture, 9, &why), ERR_NONE);
    assert_false(call_stalls(&fixture.call, 2001));
    assert_int_equal(atomic_load(&fixture.server.slow_requests), 0);
    assert_true(call_stalls(&fixture.call, 2002));
    assert_int_equal(atomic_load(&fixture.server.slow_requests), 1);
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts_are_counted_until_the_message_is_dropped),
        cmocka_unit_test(test_a_message_over_the_limit_is_refused),
        cmocka_unit_test(test_unfinished_messages_of_a_connection_have_a_limit),
        cmocka_unit_test(test_the_clients_account_may_refuse_more),
        cmocka_unit_test(test_a_call_stalls_without_progress),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
