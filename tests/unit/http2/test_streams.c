/* Tests of http2/streams.c: thousands of streams, reuse of memory, and closed streams. */
#include "http2/session.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "store/seeded.h"

#define MANY      5000
#define USER_SIZE 24

/* A session without a peer, and a record of its events. */
struct fixture {
    struct http2_context *context;
    struct http2_session *session;
    size_t closed;
    uint32_t last_closed;
};

static void on_close(void *user, struct http2_stream *stream)
{
    struct fixture *fixture = user;
    fixture->closed++;
    fixture->last_closed = stream->id;
}

static const struct http2_handler handler = {.stream_user_size = USER_SIZE, .on_close = on_close};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->context = http2_context_new(&http2_default_limits, &handler);
    fixture->session = http2_session_new(fixture->context, fixture, 1000);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    http2_session_free(fixture->session);
    http2_context_free(fixture->context);
    free(fixture);
    return 0;
}

static void test_a_new_stream(void **state)
{
    struct fixture *fixture = *state;
    fixture->session->initial_send_window = 77;
    struct http2_stream *stream = stream_open(fixture->session, 5);
    const uint8_t zero[USER_SIZE] = {0};
    assert_int_equal(stream->id, 5);
    assert_int_equal(stream->send_window, 77);
    assert_int_equal(stream->receive_window, http2_default_limits.stream_window);
    assert_int_equal(stream->content_left, -1);
    assert_memory_equal(http2_stream_user(stream), zero, USER_SIZE);
    assert_ptr_equal(http2_stream_from_user(http2_stream_user(stream)), stream);
    assert_ptr_equal(stream_find(fixture->session, 5), stream);
    assert_null(stream_find(fixture->session, 3));
    assert_null(stream_find(fixture->session, 7));
}

/* Opens, finds and closes at random; an array records which are open. */
static void test_random_streams_match_an_array(void **state)
{
    struct fixture *fixture = *state;
    struct http2_session *session = fixture->session;
    struct http2_stream **open = calloc(MANY, sizeof *open);
    uint64_t random = seeded_start();
    uint32_t next = 0, closed = 0;
    for (int step = 0; step < 40000; step++) {
        uint32_t i = seeded_below(&random, MANY);
        if (next < MANY && seeded_below(&random, 3) > 0) {
            open[next] = stream_open(session, 2 * next + 1);
            next++;
        } else if (open[i] != NULL && seeded_below(&random, 4) == 0) {
            stream_close(open[i]);
            open[i] = NULL;
            closed++;
            assert_int_equal(fixture->last_closed, 2 * i + 1);
        }
        assert_ptr_equal(stream_find(session, 2 * i + 1), open[i]);
        assert_int_equal(session->streams.count, next - closed);
        assert_int_equal(fixture->closed, closed);
    }
    assert_int_equal(next, MANY);
    stream_close_all(session);
    assert_int_equal(fixture->closed, MANY);
    assert_int_equal(session->streams.count, 0);
    free(open);
}

static void test_memory_is_used_again_and_clean(void **state)
{
    struct fixture *fixture = *state;
    const uint8_t zero[USER_SIZE] = {0};
    struct http2_stream *first = stream_open(fixture->session, 1);
    memset(http2_stream_user(first), 0xff, USER_SIZE);
    chain_append(&first->body, 10);
    first->body_sent.bytes = 5;
    first->answered = true;
    stream_close(first);
    assert_int_equal(fixture->context->free_count, 1);
    struct http2_stream *second = stream_open(fixture->session, 3);
    assert_ptr_equal(second, first);
    assert_memory_equal(http2_stream_user(second), zero, USER_SIZE);
    assert_int_equal(chain_length(&second->body), 0);
    assert_int_equal(second->body_sent.bytes, 0);
    assert_int_equal(fixture->context->free_count, 0);
}

static void test_only_so_much_memory_is_kept(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < MANY; i++)
        chain_append(&stream_open(fixture->session, 2 * i + 1)->body, 10000);
    stream_close_all(fixture->session);
    assert_int_equal(fixture->context->free_count, 4096);
    for (struct http2_stream *at = fixture->context->free_streams; at != NULL; at = at->next)
        assert_true(at->body.bytes.cap <= 4096);
}

static void test_a_closed_stream_is_taken_out_of_what_waits(void **state)
{
    struct fixture *fixture = *state;
    struct http2_stream *stream = stream_open(fixture->session, 1);
    stream->body_left = 500;
    fixture->session->queued = 700;
    stream_close(stream);
    assert_int_equal(fixture->session->queued, 200);
    fixture->session->queued = 0;
}

struct visits {
    size_t count, most;
    uint64_t ids; /* summed */
};

static bool visit(void *argument, struct http2_stream *stream)
{
    struct visits *visits = argument;
    visits->count++;
    visits->ids += stream->id;
    return visits->count != visits->most;
}

static void test_visits_each_stream_until_stopped(void **state)
{
    struct fixture *fixture = *state;
    for (uint32_t i = 0; i < 100; i++)
        stream_open(fixture->session, 2 * i + 1);
    struct visits visits = {.most = SIZE_MAX};
    assert_true(http2_session_visit(fixture->session, visit, &visits));
    assert_int_equal(visits.count, 100);
    assert_int_equal(visits.ids, 100 * 100);
    visits = (struct visits){.most = 42};
    assert_false(http2_session_visit(fixture->session, visit, &visits));
    assert_int_equal(visits.count, 42);
}

static void test_the_past_is_known_for_a_while(void **state)
{
    struct fixture *fixture = *state;
    struct http2_session *session = fixture->session;
    assert_int_equal(stream_past(session, 1), PAST_UNKNOWN);
    for (uint32_t i = 0; i < 3 * SESSION_CLOSED_KEPT; i++)
        stream_note_past(session, 2 * i + 1, i % 2 == 0 ? PAST_CLOSED : PAST_RESET);
    for (uint32_t i = 0; i < 3 * SESSION_CLOSED_KEPT; i++) {
        enum stream_past expected = i < 2 * SESSION_CLOSED_KEPT ? PAST_UNKNOWN
                                    : i % 2 == 0                ? PAST_CLOSED
                                                                : PAST_RESET;
        assert_int_equal(stream_past(session, 2 * i + 1), expected);
    }
    assert_int_equal(stream_past(session, 6 * SESSION_CLOSED_KEPT + 1), PAST_UNKNOWN);
}

/* The mark of a reset must not collide with stream identifiers. */
static void test_the_highest_id_has_a_past_too(void **state)
{
    struct fixture *fixture = *state;
    stream_note_past(fixture->session, INT32_MAX, PAST_CLOSED);
    assert_int_equal(stream_past(fixture->session, INT32_MAX), PAST_CLOSED);
    stream_note_past(fixture->session, INT32_MAX - 2, PAST_RESET);
    assert_int_equal(stream_past(fixture->session, INT32_MAX - 2), PAST_RESET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_new_stream, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_streams_match_an_array, setup, teardown),
        cmocka_unit_test_setup_teardown(test_memory_is_used_again_and_clean, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_so_much_memory_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_closed_stream_is_taken_out_of_what_waits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_visits_each_stream_until_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_past_is_known_for_a_while, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_highest_id_has_a_past_too, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
