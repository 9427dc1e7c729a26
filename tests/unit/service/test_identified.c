/*
 * Tests of service/identified.c: writes with a request id, from the message to the answer, and
 * every way in which the first call may end. Real calls in memory, over real data and a disk that
 * is done when the test says so.
 */
#include "service/service.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "journal/durable.h"
#include "service/offload_link.h"
#include "store/receipts.h"

#define APPEND   "/keystore.v1.KeyStore/Append"
#define GET      "/keystore.v1.KeyStore/Get"
#define DELETE   "/keystore.v1.KeyStore/Delete"
#define LIST_POP "/keystore.v1.KeyStore/ListPop"
#define PUBLISH  "/keystore.v1.KeyStore/Publish"
#define PIPELINE "/keystore.v1.KeyStore/Pipeline"

static struct durable durable;
static unsigned wakes;

static void count_wake(void *user)
{
    (void)user;
    wakes++;
}

static int setup(void **state)
{
    wakes = 0;
    link_waker = (struct waker){count_wake, NULL};
    embedded_setup(state);
    struct link *link = *state;
    engine_set_waker(link->engine, 0, link_waker);
    atomic_init(&durable.revision, DURABLE_AT_ONCE);
    atomic_init(&durable.read_only_reason, NULL);
    embedded_set_durable(link->engine, &durable);
    struct receipts_options options = {
        .most_count = 1000, .most_bytes = 1 << 20, .age_ms = RECEIPTS_DEFAULT_AGE_MS};
    embedded_set_receipts(link->engine, receipts_new(&options));
    return 0;
}

/* Freeing the receipts checks that no claim is left. */
static int teardown(void **state)
{
    struct link *link = *state;
    struct engine *engine = link->engine;
    struct receipts *receipts = engine->receipts;
    link_free(link);
    link_waker = (struct waker){0};
    embedded_free(engine);
    receipts_free(receipts);
    return 0;
}

static struct ng_stream *call_packed(struct link *link, const char *path, const char *id,
                                     struct slice packed)
{
    const struct http2_field fields[] = {
        {.name = SLICE_LITERAL(":method"), .value = SLICE_LITERAL("POST")},
        {.name = SLICE_LITERAL(":scheme"), .value = SLICE_LITERAL("http")},
        {.name = SLICE_LITERAL(":path"), .value = slice_from_string(path)},
        {.name = SLICE_LITERAL(":authority"), .value = SLICE_LITERAL("test")},
        {.name = SLICE_LITERAL("te"), .value = SLICE_LITERAL("trailers")},
        {.name = SLICE_LITERAL("content-type"), .value = SLICE_LITERAL("application/grpc")},
        {.name = SLICE_LITERAL("keystore-request-id"), .value = slice_from_string(id)},
    };
    struct ng_stream *call =
        ng_client_request(link->client, fields, sizeof fields / sizeof *fields, false);
    ng_call_send(link->client, call, packed, true);
    link_exchange(link);
    return call;
}

static struct ng_stream *call_with(struct link *link, const char *path, const char *id,
                                   const void *message)
{
    struct slice packed = message_pack(message);
    struct ng_stream *call = call_packed(link, path, id, packed);
    message_free_packed(packed);
    return call;
}

static struct ng_stream *call_key(struct link *link, const char *path, const char *id,
                                  const char *key)
{
    Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
    message.key = message_text(key);
    return call_with(link, path, id, &message);
}

static struct ng_stream *append(struct link *link, const char *id, const char *text)
{
    Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
    message.key = message_text("k");
    message.value = message_text(text);
    return call_with(link, APPEND, id, &message);
}

static struct ng_stream *pop(struct link *link, const char *id, int64_t wait_ms)
{
    ProtobufCBinaryData keys = message_text("list");
    Keystore__V1__PopRequest message = KEYSTORE__V1__POP_REQUEST__INIT;
    message.keys = &keys;
    message.n_keys = 1;
    message.wait_ms = wait_ms;
    return call_with(link, LIST_POP, id, &message);
}

/* What the worker does when it is woken. */
static void go_on(struct link *link)
{
    engine_complete(link->engine, 0);
    link_resume(link);
}

static void assert_same_reply(const struct ng_stream *one, const struct ng_stream *other)
{
    assert_true(slice_equal(ng_call_reply(one), ng_call_reply(other)));
}

static void assert_holds(struct link *link, const char *text)
{
    assert_value(link_call_key(link, GET, "k"), text);
}

static void test_a_write_is_carried_out_once(void **state)
{
    struct link *link = *state;
    const struct ng_stream *first = append(link, "a", "x");
    assert_status(first, true, 1);
    for (int i = 0; i < 3; i++)
        assert_same_reply(append(link, "a", "x"), first);
    assert_holds(link, "x");
    ng_call_assert_failed(append(link, "a", "y"), GRPC_ALREADY_EXISTS,
                          "ERROR_REASON_REQUEST_ID_REUSED", "another request");
    assert_status(append(link, "b", "y"), true, 2);
    assert_holds(link, "xy");
}

static void test_reads_are_not_remembered(void **state)
{
    struct link *link = *state;
    assert_value(call_key(link, GET, "a", "k"), NULL);
    append(link, "a", "x"); /* the same id */
    assert_value(call_key(link, GET, "a", "k"), "x");
    assert_int_equal(receipts_stats(link->engine->receipts).kept, 1);
}

static void test_an_error_is_not_remembered(void **state)
{
    struct link *link = *state;
    ng_call_reply(link_call_push(link, "k", "1"));
    ng_call_assert_failed(append(link, "a", "x"), GRPC_FAILED_PRECONDITION,
                          "ERROR_REASON_WRONG_TYPE", "list");
    assert_status(link_call_key(link, DELETE, "k"), true, 1);
    assert_status(append(link, "a", "x"), true, 1);
}

static void test_what_changed_nothing_is_remembered(void **state)
{
    struct link *link = *state;
    assert_status(call_key(link, DELETE, "a", "k"), false, 0);
    append(link, "b", "x");
    assert_status(call_key(link, DELETE, "a", "k"), false, 0);
    assert_holds(link, "x");
}

/* The first client is gone before its write is durable. */
static void test_a_reply_waits_for_the_disk(void **state)
{
    struct link *link = *state;
    atomic_store(&durable.revision, 0);
    struct ng_stream *first = append(link, "a", "x");
    assert_false(first->closed);
    ng_client_reset(link->client, first);
    const struct ng_stream *second = append(link, "a", "x");
    const struct ng_stream *third = append(link, "a", "x");
    assert_false(second->closed || third->closed);
    atomic_store(&durable.revision, 1);
    durable.on_progress(durable.user);
    assert_int_equal(wakes, 1);
    go_on(link);
    assert_status(second, true, 1);
    assert_same_reply(second, third);
    assert_holds(link, "x");
}

static void test_the_disk_fails(void **state)
{
    struct link *link = *state;
    atomic_store(&durable.revision, 0);
    const struct ng_stream *first = append(link, "a", "x");
    atomic_store(&durable.read_only_reason, "the disk is full");
    durable.on_progress(durable.user);
    go_on(link);
    ng_call_assert_failed(first, GRPC_UNAVAILABLE, "ERROR_REASON_NOT_DURABLE", "disk");
    ng_call_assert_failed(append(link, "a", "x"), GRPC_UNAVAILABLE, "ERROR_REASON_NOT_DURABLE",
                          "disk");
    ng_call_assert_failed(append(link, "b", "x"), GRPC_FAILED_PRECONDITION,
                          "ERROR_REASON_READ_ONLY", "disk is full");
    atomic_store(&durable.read_only_reason, NULL); /* there is space again */
    atomic_store(&durable.revision, DURABLE_AT_ONCE);
    assert_status(append(link, "a", "x"), true, 1);
    assert_holds(link, "x");
    assert_status(append(link, "b", "x"), true, 2);
}

/* ---- calls at the same time ---- */

static void test_a_repeated_pop_waits_for_the_first(void **state)
{
    struct link *link = *state;
    const struct ng_stream *first = pop(link, "a", -1), *second = pop(link, "a", -1);
    assert_int_equal(service_blocked(link->service), 1);
    ng_call_reply(link_call_push(link, "list", "1"));
    ng_call_reply(link_call_push(link, "list", "2"));
    go_on(link);
    go_on(link);
    assert_same_reply(second, first);
    assert_same_reply(pop(link, "a", -1), first);
    ng_call_reply(pop(link, "b", 0));
    assert_int_equal(service_blocked(link->service), 0);
}

static void test_a_repeated_pop_takes_over(void **state)
{
    struct link *link = *state;
    struct ng_stream *first = pop(link, "a", -1);
    struct ng_stream *gone = pop(link, "a", -1);
    const struct ng_stream *second = pop(link, "a", -1);
    ng_client_reset(link->client, gone);
    link_exchange(link);
    wakes = 0;
    ng_client_reset(link->client, first);
    link_exchange(link);
    assert_int_equal(wakes, 1);
    assert_int_equal(service_blocked(link->service), 0);
    go_on(link);
    assert_int_equal(service_blocked(link->service), 1);
    ng_call_reply(link_call_push(link, "list", "1"));
    go_on(link);
    ng_call_reply(second);
}

static void test_waits_end_with_the_connection(void **state)
{
    struct link *link = *state;
    const struct ng_stream *first = pop(link, "a", -1), *second = pop(link, "a", -1);
    assert_false(first->closed || second->closed); /* teardown ends it, and counts the claims */
}

static void test_waits_end_with_the_server(void **state)
{
    struct link *link = *state;
    const struct ng_stream *first = pop(link, "a", -1), *second = pop(link, "a", -1);
    grpc_connection_drain(link->server);
    go_on(link);
    ng_call_assert_failed(first, GRPC_UNAVAILABLE, "ERROR_REASON_STOPPING", "nothing was popped");
    ng_call_assert_failed(second, GRPC_UNAVAILABLE, "ERROR_REASON_STOPPING", "nothing was popped");
}

static void test_a_pop_that_timed_out_is_remembered(void **state)
{
    struct link *link = *state;
    const struct ng_stream *first = pop(link, "a", 1000);
    const struct ng_stream *second = pop(link, "a", 1000);
    service_run_timers(link->service, INT64_MAX - 1);
    link_exchange(link);
    go_on(link);
    assert_same_reply(second, first);
    ng_call_reply(link_call_push(link, "list", "1"));
    assert_same_reply(pop(link, "a", 1000), first);
}

/* ---- on another thread ---- */

static int setup_offload(void **state)
{
    offload_link_start();
    return setup(state);
}

static int teardown_offload(void **state)
{
    struct link *link = *state;
    struct engine *engine = link->engine;
    struct receipts *receipts = engine->receipts;
    offload_link_free(link);
    link_waker = (struct waker){0};
    embedded_free(engine);
    receipts_free(receipts);
    return 0;
}

#define ELEMENTS 8000

/* A push whose message is long enough for another thread. */
static struct ng_stream *long_push(struct link *link, const char *id)
{
    static ProtobufCBinaryData values[ELEMENTS];
    Keystore__V1__ListInsert message = KEYSTORE__V1__LIST_INSERT__INIT;
    for (int i = 0; i < ELEMENTS; i++)
        values[i] = message_text("an element");
    message.key = message_text("k");
    message.values = values;
    message.n_values = ELEMENTS;
    return call_with(link, "/keystore.v1.KeyStore/RPush", id, &message);
}

static void test_long_calls_are_carried_out_once(void **state)
{
    struct link *link = *state;
    const struct ng_stream *calls[3];
    for (int i = 0; i < 3; i++)
        calls[i] = long_push(link, "a");
    for (int i = 0; i < 3; i++)
        while (!calls[i]->closed)
            go_on(link);
    for (int i = 0; i < 3; i++)
        assert_status(calls[i], true, ELEMENTS);
    assert_status(link_call_push(link, "k", "1"), true, ELEMENTS + 1);
}

static void test_a_cancelled_long_call_counts(void **state)
{
    struct link *link = *state;
    for (int round = 0; round < 20; round++) {
        char id[20];
        snprintf(id, sizeof id, "id %d", round);
        struct ng_stream *first = long_push(link, id);
        if (round % 2 == 0)
            offload_link_wait();
        ng_client_reset(link->client, first);
        link_exchange(link);
        const struct ng_stream *second = long_push(link, id);
        while (!second->closed)
            go_on(link);
        assert_status(second, true, ELEMENTS * (round + 1));
    }
}

/* ---- what is refused ---- */

static void test_what_is_not_served(void **state)
{
    struct link *link = *state;
    ng_call_assert_failed(call_packed(link, PUBLISH, "a", SLICE_LITERAL("")), GRPC_UNIMPLEMENTED,
                          "ERROR_REASON_NOT_SERVED", "Publish");
    ng_call_assert_failed(call_packed(link, PIPELINE, "a", SLICE_LITERAL("")), GRPC_UNIMPLEMENTED,
                          "ERROR_REASON_NOT_SERVED", "Pipeline");
    embedded_set_loading(link->engine, true);
    ng_call_assert_failed(append(link, "a", "x"), GRPC_UNAVAILABLE, "ERROR_REASON_LOADING", "load");
    embedded_set_loading(link->engine, false);
    assert_status(append(link, "a", "x"), true, 1);
    struct receipts *receipts = link->engine->receipts;
    link->engine->receipts = NULL;
    ng_call_assert_failed(append(link, "a", "x"), GRPC_UNIMPLEMENTED, "ERROR_REASON_NOT_SERVED",
                          "--request-ids 0");
    assert_value(call_key(link, GET, "a", "k"), "x");
    link->engine->receipts = receipts;
    ng_call_assert_failed(call_packed(link, APPEND, "b", SLICE_LITERAL("\xff")), GRPC_INTERNAL,
                          "ERROR_REASON_BAD_MESSAGE", "");
}

#define TEST(name)           cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_OFFLOADED(name) cmocka_unit_test_setup_teardown(name, setup_offload, teardown_offload)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_write_is_carried_out_once),
        TEST(test_reads_are_not_remembered),
        TEST(test_an_error_is_not_remembered),
        TEST(test_what_changed_nothing_is_remembered),
        TEST(test_a_reply_waits_for_the_disk),
        TEST(test_the_disk_fails),
        TEST(test_a_repeated_pop_waits_for_the_first),
        TEST(test_a_repeated_pop_takes_over),
        TEST(test_waits_end_with_the_connection),
        TEST(test_waits_end_with_the_server),
        TEST(test_a_pop_that_timed_out_is_remembered),
        TEST_OFFLOADED(test_long_calls_are_carried_out_once),
        TEST_OFFLOADED(test_a_cancelled_long_call_counts),
        TEST(test_what_is_not_served),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
