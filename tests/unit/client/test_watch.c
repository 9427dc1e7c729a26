/* A watch that reconnects, against scripted batches. */
#include "client/stream.h"

#include "failing_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "stream_fixture.h"

static const struct keystore_selector selectors[] = {
    {KEYSTORE_SELECT_KEY, {"a", 1}, 1},
    {KEYSTORE_SELECT_PREFIX, {"b", 1}, 2},
    {KEYSTORE_SELECT_PATTERN, {"c*", 2}, 3},
};
static const enum keystore_event_type types[] = {KEYSTORE_EVENT_WRITE, KEYSTORE_EVENT_FLUSH};

/* Puts a batch into the body of an answer, with an event for each of the versions. */
static void add_batch(size_t answer, uint64_t version, bool partial, bool initial_done,
                      const uint64_t *versions, size_t count)
{
    Keystore__V1__KeyValue set = {WIRE(key_value), .key = WIRE_BYTES("a"),
                                  .value = WIRE_BYTES("v")};
    Keystore__V1__Op op = {WIRE(op), .op_case = KEYSTORE__V1__OP__OP_SET, .set = &set};
    Keystore__V1__WatchBatch__Event events[8];
    Keystore__V1__WatchBatch__Event *pointers[8];
    for (size_t i = 0; i < count; i++) {
        events[i] = (Keystore__V1__WatchBatch__Event)KEYSTORE__V1__WATCH_BATCH__EVENT__INIT;
        events[i].type = KEYSTORE__V1__EVENT_TYPE__EVENT_TYPE_WRITE;
        events[i].key = (ProtobufCBinaryData)WIRE_BYTES("a");
        events[i].version = versions[i];
        events[i].db = (uint32_t)i; /* distinguishes the events of a version */
        events[i].change = &op;
        pointers[i] = &events[i];
    }
    Keystore__V1__WatchBatch batch = {WIRE(watch_batch),  .n_events = count,
                                      .events = pointers, .version = version,
                                      .partial = partial, .initial_done = initial_done};
    body_add(answer, &batch.base);
}

#define BATCH(answer, version, partial, initial_done, ...)                                         \
    do {                                                                                           \
        const uint64_t versions_[] = {__VA_ARGS__};                                                \
        add_batch(answer, version, partial, initial_done, versions_,                               \
                  sizeof versions_ / sizeof *versions_);                                           \
    } while (0)

static struct keystore_stream *open_watch(const struct keystore_watch_request *request)
{
    struct keystore_stream *stream;
    if (keystore_watch(client, request, &stream) != KEYSTORE_OK)
        fail_msg("%s", keystore_last_error(client)->message);
    return stream;
}

static struct keystore_watch_batch next(struct keystore_stream *stream)
{
    struct keystore_watch_batch batch;
    if (keystore_watch_next(stream, KEYSTORE_FOREVER, &batch) != KEYSTORE_ITEM)
        fail_msg("%s", keystore_stream_error(stream)->message);
    return batch;
}

static const struct keystore_watch_request watch_all = {.selectors = selectors, .count = 3};

/* The last answer's connection was lost: the next one follows. */
static void lose_after(size_t answer)
{
    answers[answer].stay_open = true;
    answers[answer].close_after = true;
}

static void events_with_all_their_fields(void **state)
{
    (void)state;
    BATCH(0, 7, false, true, 7);
    answers[0].behaviour = NG_ANSWER;
    answers[0].stay_open = true;
    fixture_start(NULL);
    struct keystore_watch_request request = watch_all;
    request.initial = true;
    request.types = types;
    request.type_count = 2;
    request.with_changes = true;
    struct keystore_stream *stream = open_watch(&request);
    struct keystore_watch_batch batch = next(stream);
    assert_int_equal(batch.version, 7);
    assert_true(batch.initial_done);
    assert_false(batch.partial || batch.restarted);
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.events[0].type, KEYSTORE_EVENT_WRITE);
    assert_slice(batch.events[0].key, "a");
    assert_int_equal(batch.events[0].version, 7);
    assert_int_equal(batch.events[0].change->kind, KEYSTORE_OP_SET);
    assert_slice(batch.events[0].change->request.key_value.value, "v");
    assert_int_equal(keystore_watch_next(stream, 0, &batch), KEYSTORE_NOTHING);
    keystore_stream_close(stream);
    fixture_finish();
    Keystore__V1__WatchRequest *seen = request_seen(&keystore__v1__watch_request__descriptor, 0);
    assert_int_equal(seen->n_selectors, 3);
    assert_int_equal(seen->selectors[0]->selector_case,
                     KEYSTORE__V1__WATCH_REQUEST__SELECTOR__SELECTOR_KEY);
    assert_int_equal(seen->selectors[1]->selector_case,
                     KEYSTORE__V1__WATCH_REQUEST__SELECTOR__SELECTOR_PREFIX);
    assert_int_equal(seen->selectors[2]->selector_case,
                     KEYSTORE__V1__WATCH_REQUEST__SELECTOR__SELECTOR_PATTERN);
    assert_int_equal(seen->selectors[2]->pattern.len, 2);
    assert_int_equal(seen->selectors[1]->db, 2);
    assert_int_equal(seen->n_types, 2);
    assert_int_equal(seen->types[1], KEYSTORE__V1__EVENT_TYPE__EVENT_TYPE_FLUSH);
    assert_true(seen->initial && seen->with_changes);
    assert_int_equal(seen->start_version, 0);
    protobuf_c_message_free_unpacked(&seen->base, NULL);
    fake_server_deinit(&server);
}

static void a_lost_watch_resumes(void **state)
{
    (void)state;
    BATCH(0, 300, false, true, 300);
    lose_after(0);
    BATCH(1, 301, false, false, 301);
    answers[1].behaviour = NG_ANSWER;
    answers[1].grpc_status = "14"; /* the server shuts down */
    BATCH(2, 302, false, false, 302);
    answers[2].behaviour = NG_ANSWER;
    answers[2].stay_open = true;
    fixture_start(NULL);
    struct keystore_watch_request request = watch_all;
    request.initial = true;
    struct keystore_stream *stream = open_watch(&request);
    for (uint64_t version = 300; version <= 302; version++) {
        struct keystore_watch_batch batch = next(stream);
        assert_int_equal(batch.version, version);
        assert_int_equal(batch.count, 1);
        assert_false(batch.restarted);
    }
    keystore_stream_close(stream);
    fixture_finish();
    assert_int_equal(server.accepted, 2);
    Keystore__V1__WatchRequest *seen = request_seen(&keystore__v1__watch_request__descriptor, 0);
    assert_int_equal(seen->start_version, 301);
    assert_false(seen->initial);
    assert_int_equal(seen->n_selectors, 3);
    protobuf_c_message_free_unpacked(&seen->base, NULL);
    fake_server_deinit(&server);
}

/* Of a transaction of five events, three were reported before the connection was lost, and one
 * before it was lost again. */
static void events_of_a_torn_transaction_come_once(void **state)
{
    (void)state;
    BATCH(0, 10, false, false, 10);
    BATCH(0, 10, true, false, 11, 11, 11);
    lose_after(0);
    BATCH(1, 10, true, false, 11, 11, 11, 11);
    lose_after(1);
    BATCH(2, 10, true, false, 11, 11);
    BATCH(2, 11, false, false, 11, 11, 11);
    BATCH(2, 12, false, false, 12);
    answers[2].stay_open = true;
    fixture_start(NULL);
    struct keystore_stream *stream = open_watch(&watch_all);
    size_t of_transaction = 0;
    struct keystore_watch_batch batch;
    do {
        batch = next(stream);
        for (size_t i = 0; i < batch.count; i++)
            of_transaction += batch.events[i].version == 11;
    } while (batch.version < 12);
    assert_int_equal(of_transaction, 5);
    assert_int_equal(batch.count, 1);
    keystore_stream_close(stream);
    fixture_finish();
    assert_int_equal(server.accepted, 3);
    fake_server_deinit(&server);
}

/* Before the initial keys are complete, they start over. */
static void an_incomplete_state_starts_over(void **state)
{
    (void)state;
    BATCH(0, 5, false, false, 1, 2);
    lose_after(0);
    BATCH(1, 6, false, true, 1, 2, 3);
    answers[1].behaviour = NG_ANSWER;
    answers[1].stay_open = true;
    fixture_start(NULL);
    struct keystore_watch_request request = watch_all;
    request.initial = true;
    struct keystore_stream *stream = open_watch(&request);
    assert_int_equal(next(stream).count, 2);
    struct keystore_watch_batch batch = next(stream);
    assert_int_equal(batch.count, 3);
    assert_true(batch.restarted && batch.initial_done);
    keystore_stream_close(stream);
    fixture_finish();
    Keystore__V1__WatchRequest *seen = request_seen(&keystore__v1__watch_request__descriptor, 0);
    assert_true(seen->initial);
    assert_int_equal(seen->start_version, 0);
    protobuf_c_message_free_unpacked(&seen->base, NULL);
    fake_server_deinit(&server);
}

static void lost_history_is_an_error(void **state)
{
    (void)state;
    struct keystore_watch_batch batch;
    BATCH(0, 10, false, false, 10);
    lose_after(0);
    answers[1].grpc_status = "11";
    answers[1].reason = "ERROR_REASON_HISTORY_LOST";
    answers[1].oldest = "18446744073709551615";
    fixture_start(NULL);
    struct keystore_stream *stream = open_watch(&watch_all);
    assert_int_equal(next(stream).version, 10);
    for (int i = 0; i < 2; i++)
        assert_int_equal(keystore_watch_next(stream, KEYSTORE_FOREVER, &batch), KEYSTORE_FAILED);
    assert_int_equal(keystore_stream_error(stream)->code, KEYSTORE_OUT_OF_RANGE);
    assert_string_equal(keystore_stream_error(stream)->reason, "ERROR_REASON_HISTORY_LOST");
    assert_true(keystore_watch_oldest_version(stream) == UINT64_MAX);
    keystore_stream_close(stream);
    fixture_finish();
    fake_server_deinit(&server);
}

/* While the server is away, the watch says that there is nothing, and when it is back, it goes
 * on. */
static void a_server_that_is_away(void **state)
{
    (void)state;
    struct keystore_watch_batch batch;
    BATCH(0, 10, false, false, 10);
    lose_after(0);
    BATCH(1, 11, false, false, 11);
    answers[1].stay_open = true;
    fixture_start(NULL);
    struct keystore_stream *stream = open_watch(&watch_all);
    assert_int_equal(next(stream).version, 10);
    fake_server_stop(&server);
    for (int i = 0; i < 3; i++)
        assert_int_equal(keystore_watch_next(stream, 100, &batch), KEYSTORE_NOTHING);
    assert_int_equal(keystore_stream_error(stream)->code, KEYSTORE_UNAVAILABLE);
    keystore_close(client); /* its address is gone, but so far it had one */
    assert_int_equal(keystore_watch_next(stream, KEYSTORE_FOREVER, &batch), KEYSTORE_FAILED);
    assert_int_equal(keystore_stream_error(stream)->code, KEYSTORE_CANCELLED);
    keystore_stream_close(stream);
    fake_server_deinit(&server);
}

/* A server that says nothing at all is taken for lost. */
static void a_silent_server(void **state)
{
    (void)state;
    BATCH(0, 10, false, false, 10);
    answers[0].stay_open = true;
    BATCH(1, 11, false, false, 11);
    answers[1].stay_open = true;
    fixture_start(NULL);
    struct keystore_stream *stream = open_watch(&watch_all);
    stream->watch.silence_ms = 100;
    assert_int_equal(next(stream).version, 10);
    assert_int_equal(next(stream).version, 11);
    keystore_stream_close(stream);
    fixture_finish();
    assert_int_equal(server.accepted, 2);
    fake_server_deinit(&server);
}

/* For fixture_fail_each_allocation(). */
static bool watch_without_memory(void)
{
    struct keystore_watch_batch batch;
    struct keystore_stream *stream = NULL;
    uint64_t version = 0;
    if (client != NULL && keystore_watch(client, &watch_all, &stream) == KEYSTORE_OK)
        while (version < 11 &&
               keystore_watch_next(stream, KEYSTORE_FOREVER, &batch) == KEYSTORE_ITEM)
            version = batch.version;
    long failures = memory_recover();
    assert_true(failures > 0 || version == 11);
    if (version < 11 && stream != NULL)
        assert_int_equal(keystore_stream_error(stream)->code, KEYSTORE_RESOURCE_EXHAUSTED);
    keystore_stream_close(stream);
    return failures > 0;
}

static void each_allocation_of_a_watch(void **state)
{
    (void)state;
    BATCH(0, 10, false, false, 10);
    lose_after(0);
    BATCH(1, 11, false, false, 11);
    answers[1].stay_open = true;
    fixture_fail_each_allocation(watch_without_memory, 20);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(events_with_all_their_fields),
        TEST(a_lost_watch_resumes),
        TEST(events_of_a_torn_transaction_come_once),
        TEST(an_incomplete_state_starts_over),
        TEST(lost_history_is_an_error),
        TEST(a_server_that_is_away),
        TEST(a_silent_server),
        TEST(each_allocation_of_a_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
