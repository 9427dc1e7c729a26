/* Tests of bench/connection.c on real sockets, with an nghttp2 server in a thread. */
#include "bench/connection.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/fake_server.h"

#include <sys/epoll.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

static const enum op ops[] = {OP_SET};

struct fixture {
    struct fake_server server;
    struct target target;
    struct payload payload;
    struct templates templates;
    struct tally tally;
    struct session_setup setup;
    struct connection connection;
    int epoll;
    uint8_t room[65536];
};

static struct fixture *setup(size_t value_size)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    char problem[TARGET_PROBLEM_SIZE];
    fixture->server.answer = ng_answer_ok;
    fake_server_start(&fixture->server);
    assert_true(
        target_find(&fixture->target, "127.0.0.1", fixture->server.port, NULL, SECOND, problem));
    payload_init(&fixture->payload, 16, value_size, 1000);
    templates_init(&fixture->templates,
                   &(struct template_settings){.authority = SLICE_LITERAL("here"),
                                               .ops = ops,
                                               .count = 1,
                                               .payload = &fixture->payload});
    tally_init(&fixture->tally);
    fixture->setup = (struct session_setup){.templates = &fixture->templates,
                                            .tally = &fixture->tally,
                                            .max_streams = 4,
                                            .first_id = 1};
    fixture->epoll = epoll_create1(EPOLL_CLOEXEC);
    assert_true(connection_open(&fixture->connection, &fixture->setup, &fixture->target, SECOND,
                                fixture->epoll, problem));
    return fixture;
}

static void teardown(struct fixture *fixture)
{
    connection_close(&fixture->connection);
    connection_close(&fixture->connection); /* allowed again */
    close(fixture->epoll);
    fake_server_stop(&fixture->server);
    fake_server_deinit(&fixture->server);
    templates_deinit(&fixture->templates);
    payload_deinit(&fixture->payload);
    free(fixture);
}

/* Waits for an event and handles it; false if the connection is gone. */
static bool step(struct fixture *fixture)
{
    struct epoll_event event;
    assert_int_equal(epoll_wait(fixture->epoll, &event, 1, 10000), 1);
    assert_ptr_equal(event.data.ptr, &fixture->connection);
    if ((event.events & EPOLLIN) != 0 &&
        !connection_read(&fixture->connection, fixture->room, sizeof fixture->room))
        return false;
    return connection_flush(&fixture->connection);
}

static void test_a_call_goes_out_and_its_answer_comes_in(void **state)
{
    (void)state;
    struct fixture *fixture = setup(32);
    while (!fixture->connection.session.ready)
        assert_true(step(fixture));
    session_start(&fixture->connection.session, &(struct session_call){.op = OP_SET, .key = 5});
    assert_true(connection_flush(&fixture->connection));
    while (fixture->tally.finished == 0)
        assert_true(step(fixture));
    assert_int_equal(fixture->tally.ends[TALLY_OK], 1);
    teardown(fixture);
}

/* 8 MB are more than a socket takes at once: the rest goes when there is room. */
static void test_messages_larger_than_the_socket_arrive(void **state)
{
    (void)state;
    struct fixture *fixture = setup(2000000);
    uint64_t began = 0;
    while (!fixture->connection.session.ready)
        assert_true(step(fixture));
    while (fixture->tally.finished < 4) {
        if (began < 4 && session_can_start(&fixture->connection.session)) {
            session_start(&fixture->connection.session,
                          &(struct session_call){.op = OP_SET, .key = began++});
            assert_true(connection_flush(&fixture->connection));
        }
        assert_true(step(fixture));
    }
    assert_int_equal(fixture->tally.ends[TALLY_OK], 4);
    assert_false(fixture->connection.writing);
    teardown(fixture);
}

static void test_the_servers_close_is_noticed(void **state)
{
    (void)state;
    struct fixture *fixture = setup(32);
    while (!fixture->connection.session.ready)
        assert_true(step(fixture));
    fake_server_stop(&fixture->server);
    while (step(fixture))
        continue;
    assert_null(fixture->connection.session.problem);
    fake_server_start(&fixture->server);
    teardown(fixture);
}

static void test_nobody_there_is_a_problem(void **state)
{
    (void)state;
    struct fixture *fixture = setup(32);
    char problem[TARGET_PROBLEM_SIZE] = "";
    struct connection other;
    fake_server_stop(&fixture->server);
    assert_false(connection_open(&other, &fixture->setup, &fixture->target, SECOND, fixture->epoll,
                                 problem));
    assert_non_null(strstr(problem, "refused"));
    fake_server_start(&fixture->server);
    teardown(fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_call_goes_out_and_its_answer_comes_in),
        cmocka_unit_test(test_messages_larger_than_the_socket_arrive),
        cmocka_unit_test(test_the_servers_close_is_noticed),
        cmocka_unit_test(test_nobody_there_is_a_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
