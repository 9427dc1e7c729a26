/* Tests of service/streams/health_watch.c: what is told, in which order, to whom, and the ends. */
#include "service/streams/health_watch.h"

#include "journal/durable.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/health_link.h"

/* The statuses that have arrived, of which those before `at` have been looked at. */
struct inbox {
    const struct ng_stream *call;
    size_t at;
};

static struct inbox watch(struct link *link, const char *service)
{
    return (struct inbox){.call = health_call(link, WATCH_PATH, service)};
}

/* The next status; 0 if there is none. */
static int next_status(struct inbox *inbox)
{
    struct slice message;
    return ng_call_next(inbox->call, &inbox->at, &message) ? health_read(message) : 0;
}

static void tell(struct link *link)
{
    service_tell_health(link->service);
    link_exchange(link);
}

static void test_changes_are_told(void **state)
{
    struct link *link = *state;
    struct durable durable = {.revision = DURABLE_AT_ONCE};
    embedded_set_durable(link->engine, &durable);
    struct inbox all = watch(link, ""), write = watch(link, "keystore.write"),
                 live = watch(link, "keystore.live");
    assert_int_equal(next_status(&all), HEALTH_SERVING);
    assert_int_equal(next_status(&write), HEALTH_SERVING);
    assert_int_equal(next_status(&live), HEALTH_SERVING);
    for (int i = 0; i < 3; i++) { /* nothing has changed */
        tell(link);
        assert_int_equal(next_status(&all), 0);
    }
    for (int i = 0; i < 3; i++) {
        atomic_store(&durable.read_only_reason, "full");
        tell(link);
        assert_int_equal(next_status(&write), HEALTH_NOT_SERVING);
        atomic_store(&durable.read_only_reason, NULL);
        tell(link);
        assert_int_equal(next_status(&write), HEALTH_SERVING);
        assert_int_equal(next_status(&all), 0);
    }
    embedded_set_loading(link->engine, true);
    tell(link);
    assert_int_equal(next_status(&all), HEALTH_NOT_SERVING);
    assert_int_equal(next_status(&write), HEALTH_NOT_SERVING);
    assert_int_equal(next_status(&live), 0);
    embedded_set_loading(link->engine, false);
}

static void test_it_begins_while_the_data_load(void **state)
{
    struct link *link = *state;
    embedded_set_loading(link->engine, true);
    struct inbox all = watch(link, "");
    assert_int_equal(next_status(&all), HEALTH_NOT_SERVING);
    embedded_set_loading(link->engine, false);
    tell(link);
    assert_int_equal(next_status(&all), HEALTH_SERVING);
}

static void test_an_unknown_service(void **state)
{
    struct link *link = *state;
    struct inbox none = watch(link, "keystore.v1.None");
    assert_int_equal(next_status(&none), HEALTH_SERVICE_UNKNOWN);
    health_stop(&health);
    tell(link);
    assert_int_equal(next_status(&none), 0);
    assert_false(none.call->ended);
}

/* However often it changes meanwhile, a caller gets the newest status. */
static void test_a_caller_that_does_not_read(void **state)
{
    struct link *link = *state;
    link_disconnect(link);
    link_connect(link, &(struct ng_options){.stream_window = 7, .manual_windows = true});
    struct inbox all = watch(link, "");
    assert_int_equal(next_status(&all), HEALTH_SERVING); /* the window is full */
    for (int i = 0; i < 1001; i++) {
        embedded_set_loading(link->engine, i % 2 == 0);
        tell(link);
    }
    assert_int_equal(next_status(&all), 0);
    ng_client_open_window(link->client, all.call->id, 70);
    link_exchange(link);
    assert_int_equal(next_status(&all), HEALTH_NOT_SERVING);
    assert_int_equal(next_status(&all), 0);
    embedded_set_loading(link->engine, false);
    tell(link);
    assert_int_equal(next_status(&all), HEALTH_SERVING);
}

/* Nor is told what is as it was when the caller read last. */
static void test_what_was_taken_back_is_not_told(void **state)
{
    struct link *link = *state;
    struct inbox all = watch(link, "");
    assert_int_equal(next_status(&all), HEALTH_SERVING);
    embedded_set_loading(link->engine, true);
    service_tell_health(link->service); /* not pulled */
    embedded_set_loading(link->engine, false);
    tell(link);
    assert_int_equal(next_status(&all), 0);
    embedded_set_loading(link->engine, true);
    tell(link);
    assert_int_equal(next_status(&all), HEALTH_NOT_SERVING);
}

/* What a worker does when the server stops; the end comes after the status. */
static void test_a_shutdown(void **state)
{
    struct link *link = *state;
    struct inbox calls[3];
    for (size_t i = 0; i < 3; i++) {
        calls[i] = watch(link, "");
        assert_int_equal(next_status(&calls[i]), HEALTH_SERVING);
    }
    health_stop(&health);
    service_tell_health(link->service);
    link_to_client(link);
    assert_int_equal(link->client->goaways, 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(next_status(&calls[i]), HEALTH_NOT_SERVING);
    grpc_connection_drain(link->server);
    link_exchange(link);
    assert_true(link->client->goaways > 0);
    for (size_t i = 0; i < 3; i++) {
        assert_true(calls[i].call->closed);
        assert_int_equal(ng_call_status(calls[i].call), GRPC_UNAVAILABLE);
        ng_assert_slice(ng_call_field(calls[i].call, "keystore-reason"), "ERROR_REASON_STOPPING");
    }
}

/* The others are told as before, whichever of them it was. */
static void test_cancelled_calls(void **state)
{
    struct link *link = *state;
    bool loading = false;
    for (size_t gone = 0; gone < 3; gone++) {
        struct inbox calls[3];
        for (size_t i = 0; i < 3; i++) {
            calls[i] = watch(link, "");
            next_status(&calls[i]);
        }
        ng_client_reset(link->client, calls[gone].call);
        link_exchange(link);
        loading = !loading;
        embedded_set_loading(link->engine, loading);
        tell(link);
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(next_status(&calls[i]) != 0, i != gone);
        for (size_t i = 0; i < 3; i++)
            if (i != gone)
                ng_client_reset(link->client, calls[i].call);
        link_exchange(link);
    }
    struct ng_stream *call = ng_call_begin(link->client, WATCH_PATH); /* without a message */
    link_exchange(link);
    ng_client_reset(link->client, call);
    link_exchange(link);
}

static void test_messages_that_are_refused(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = ng_call_begin(link->client, WATCH_PATH);
    ng_client_send(link->client, call, slice_make(NULL, 0), true);
    link_exchange(link);
    ng_call_assert_failed(call, GRPC_UNIMPLEMENTED, "ERROR_REASON_NOT_SERVED", "no message");
    call = ng_call(link->client, WATCH_PATH, SLICE_LITERAL("\x0a\x05"));
    link_exchange(link);
    ng_call_assert_failed(call, GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE", "");
    call = ng_call_begin(link->client, WATCH_PATH);
    ng_call_send(link->client, call, slice_make(NULL, 0), false);
    ng_call_send(link->client, call, slice_make(NULL, 0), true);
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_UNIMPLEMENTED);
    tell(link);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, health_setup, health_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_changes_are_told),
        TEST(test_it_begins_while_the_data_load),
        TEST(test_an_unknown_service),
        TEST(test_a_caller_that_does_not_read),
        TEST(test_what_was_taken_back_is_not_told),
        TEST(test_a_shutdown),
        TEST(test_cancelled_calls),
        TEST(test_messages_that_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
