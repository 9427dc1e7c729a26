/* Tests of service/streams/watch.c: real calls in memory, and an engine whose history is kept. */
#include "service/streams/watch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/streams/watch_link.h"

static void test_changes_arrive_when_the_worker_is_woken(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = watch_start(link, "key", WATCH_ANY);
    assert_string_equal(watch_taken(call), ".");
    watch_set(link, "key");
    watch_set(link, "other");
    watch_set(link, "key");
    assert_int_equal(watch_wakes, 1); /* for all of them */
    watch_run(link);
    assert_string_equal(watch_taken(call), "1key 1key .");
    link_call_key(link, "/KeyStore/Delete", "key");
    watch_run(link);
    assert_string_equal(watch_taken(call), "2key .");
    assert_false(call->closed);
}

static void test_many_watches_get_what_they_select(void **state)
{
    struct link *link = *state;
    struct ng_stream *key = watch_start(link, "ab", WATCH_ANY);
    struct ng_stream *prefix = watch_start(link, "a*", WATCH_ANY);
    struct ng_stream *same = watch_start(link, "a*", WATCH_ANY);
    struct ng_stream *glob = watch_start(link, "?b", WATCH_ANY);
    struct ng_stream *all[] = {key, prefix, same, glob};
    for (size_t i = 0; i < 4; i++)
        watch_taken(all[i]);
    watch_set(link, "ab");
    watch_set(link, "ac");
    watch_set(link, "bb");
    watch_run(link);
    assert_string_equal(watch_taken(key), "1ab .");
    assert_string_equal(watch_taken(prefix), "1ab 1ac .");
    assert_string_equal(watch_taken(same), "1ab 1ac .");
    assert_string_equal(watch_taken(glob), "1ab 1bb .");
}

static void test_a_cancelled_watch_is_gone(void **state)
{
    struct link *link = *state;
    for (int i = 0; i < 3; i++) {
        struct ng_stream *call = watch_start(link, "a*", WATCH_ANY);
        struct ng_stream *stays = watch_start(link, "a*", WATCH_ANY);
        nghttp2_submit_rst_stream(link->client->session, NGHTTP2_FLAG_NONE, call->id,
                                  NGHTTP2_CANCEL);
        watch_set(link, "a");
        watch_run(link);
        assert_string_equal(watch_taken(stays), ".1a .");
    }
}

static void test_bad_requests_end_it(void **state)
{
    struct link *link = *state;
    Keystore__V1__WatchRequest both = WATCH_INITIAL;
    both.start_version = 1;
    ng_call_assert_failed(watch_start(link, "a", both), GRPC_INVALID_ARGUMENT,
                          "ERROR_REASON_BAD_ARGUMENT", "start_version: it is given with initial");
    Keystore__V1__WatchRequest none = KEYSTORE__V1__WATCH_REQUEST__INIT;
    ng_call_assert_failed(link_call(link, WATCH_PATH, &none), GRPC_INVALID_ARGUMENT,
                          "ERROR_REASON_BAD_ARGUMENT", "selectors: it is empty");
}

static void test_a_version_of_the_future_is_refused(void **state)
{
    struct link *link = *state;
    Keystore__V1__WatchRequest late = KEYSTORE__V1__WATCH_REQUEST__INIT;
    late.start_version = 1000;
    struct ng_stream *call = watch_start(link, "a", late);
    ng_call_assert_failed(call, GRPC_OUT_OF_RANGE, "ERROR_REASON_HISTORY_LOST", "another server");
    assert_true(slice_equal(ng_call_field(call, "keystore-oldest-version"), SLICE_LITERAL("1")));
}

static void test_it_goes_on_from_a_version(void **state)
{
    struct link *link = *state;
    struct ng_stream *first = watch_start(link, "a*", WATCH_ANY);
    for (int i = 0; i < 3000; i++)
        watch_set(link, i % 1000 == 0 ? "a" : "b");
    watch_run(link);
    assert_string_equal(watch_taken(first), ".1a .1a .1a .");
    Keystore__V1__WatchRequest again = KEYSTORE__V1__WATCH_REQUEST__INIT;
    again.start_version = 2; /* that of the first Set */
    struct ng_stream *call = watch_start(link, "a*", again);
    assert_string_equal(watch_taken(call), ".1a .1a ."); /* in turns with others */
    watch_set(link, "a");
    watch_run(link);
    assert_string_equal(watch_taken(call), "1a .");
}

static void test_a_shutdown_ends_it(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = watch_start(link, "a", WATCH_ANY);
    watch_taken(call);
    grpc_connection_drain(link->server);
    link_exchange(link);
    ng_call_assert_failed(call, GRPC_UNAVAILABLE, "ERROR_REASON_STOPPING", "start_version");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(test_changes_arrive_when_the_worker_is_woken),
        WATCH_TEST(test_many_watches_get_what_they_select),
        WATCH_TEST(test_a_cancelled_watch_is_gone),
        WATCH_TEST(test_bad_requests_end_it),
        WATCH_TEST(test_a_version_of_the_future_is_refused),
        WATCH_TEST(test_it_goes_on_from_a_version),
        WATCH_TEST(test_a_shutdown_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
