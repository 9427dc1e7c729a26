/* Streams of the public API, against scripted answers. */
#include "keystore/streams.h"

#include "failing_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stream_fixture.h"

static const struct keystore_scan_request scan_all = {.pattern = {"k*", 2},
                                                      .type = KEYSTORE_TYPE_STRING,
                                                      .with_values = true,
                                                      .cursor = {"c", 1},
                                                      .page_bytes = 5,
                                                      .max_visited = 6,
                                                      .db = 7};

static const struct keystore_slice queue = {"q", 1};
static const struct keystore_consume_request consume_jobs = {.keys = &queue,
                                                             .key_count = 1,
                                                             .end = KEYSTORE_TAIL,
                                                             .max_in_flight = 2,
                                                             .pending = {"p", 1},
                                                             .lease_ms = 3,
                                                             .auto_ack = true,
                                                             .db = 4};

static void add_page(size_t answer, ProtobufCBinaryData key, ProtobufCBinaryData cursor)
{
    Keystore__V1__Value value = {WIRE(value), .value = WIRE_BYTES("v"), .found = true,
                                 .version = 3};
    Keystore__V1__ScanPage__Entry entry = {WIRE(scan_page__entry), .key = key, .value = &value};
    Keystore__V1__ScanPage__Entry *entries[] = {&entry};
    entry.type = KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_STRING;
    Keystore__V1__ScanPage page = {WIRE(scan_page), .n_entries = 1, .entries = entries,
                                   .cursor = cursor};
    body_add(answer, &page.base);
}

static struct keystore_stream *open_scan(void)
{
    struct keystore_stream *stream;
    if (keystore_scan(client, &scan_all, &stream) != KEYSTORE_OK)
        fail_msg("%s", keystore_last_error(client)->message);
    return stream;
}

static void pages_and_an_end(void **state)
{
    (void)state;
    struct keystore_scan_page page;
    answers[0].behaviour = NG_ANSWER;
    answers[0].frame_size = 3; /* messages come in pieces */
    add_page(0, (ProtobufCBinaryData)WIRE_BYTES("k1"), (ProtobufCBinaryData)WIRE_BYTES("next"));
    add_page(0, (ProtobufCBinaryData)WIRE_BYTES("k2"), (ProtobufCBinaryData){0});
    fixture_start(NULL);
    struct keystore_stream *stream = open_scan();
    assert_int_equal(keystore_scan_next(stream, KEYSTORE_FOREVER, &page), KEYSTORE_ITEM);
    assert_int_equal(page.count, 1);
    assert_slice(page.entries[0].key, "k1");
    assert_int_equal(page.entries[0].type, KEYSTORE_TYPE_STRING);
    assert_true(page.entries[0].has_value);
    assert_slice(page.entries[0].value.value, "v");
    assert_int_equal(page.entries[0].value.version, 3);
    assert_slice(page.cursor, "next");
    assert_int_equal(keystore_scan_next(stream, KEYSTORE_FOREVER, &page), KEYSTORE_ITEM);
    assert_slice(page.entries[0].key, "k2");
    assert_int_equal(page.cursor.len, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(keystore_scan_next(stream, KEYSTORE_FOREVER, &page), KEYSTORE_END);
        assert_int_equal(page.count, 0);
    }
    assert_int_equal(keystore_stream_error(stream)->code, KEYSTORE_OK);
    keystore_stream_close(stream);
    fixture_finish();
    assert_string_equal(server.seen.path, "/keystore.v1.KeyStore/Scan");
    assert_string_equal(server.seen.timeout, ""); /* a stream may take as long as it likes */
    assert_int_equal(server.seen.resets, 0);
    Keystore__V1__ScanRequest *seen = request_seen(&keystore__v1__scan_request__descriptor, 0);
    assert_int_equal(seen->type, KEYSTORE__V1__VALUE_TYPE__VALUE_TYPE_STRING);
    assert_true(seen->with_values);
    assert_int_equal(seen->pattern.len + seen->cursor.len, 3);
    assert_int_equal(seen->page_bytes + seen->max_visited * 10 + seen->db * 100, 765);
    protobuf_c_message_free_unpacked(&seen->base, NULL);
    fake_server_deinit(&server);
}

static void an_error_after_a_page(void **state)
{
    (void)state;
    struct keystore_scan_page page;
    answers[0].grpc_status = "14";
    answers[0].grpc_message = "stopping";
    answers[0].reason = "ERROR_REASON_STOPPING";
    add_page(0, (ProtobufCBinaryData)WIRE_BYTES("k1"), (ProtobufCBinaryData){0});
    fixture_start(NULL);
    struct keystore_stream *stream = open_scan();
    assert_int_equal(keystore_scan_next(stream, KEYSTORE_FOREVER, &page), KEYSTORE_ITEM);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(keystore_scan_next(stream, KEYSTORE_FOREVER, &page), KEYSTORE_FAILED);
        assert_int_equal(keystore_stream_error(stream)->code, KEYSTORE_UNAVAILABLE);
        assert_string_equal(keystore_stream_error(stream)->reason, "ERROR_REASON_STOPPING");
    }
    keystore_stream_close(stream);
    fixture_finish();
    fake_server_deinit(&server);
}

static void add_backup_page(size_t answer, const char *data, uint64_t offset, uint64_t size)
{
    Keystore__V1__BackupPage page = {WIRE(backup_page), .offset = offset, .size = size};
    page.data = (ProtobufCBinaryData){strlen(data), (uint8_t *)(uintptr_t)data};
    body_add(answer, &page.base);
}

static void a_backup(void **state)
{
    (void)state;
    struct keystore_stream *stream;
    struct keystore_backup_page page;
    add_backup_page(0, "REDIS", 0, 8);
    add_backup_page(0, "end", 5, 8);
    fixture_start(NULL);
    assert_int_equal(keystore_backup(client, NULL), KEYSTORE_INVALID_ARGUMENT);
    assert_int_equal(keystore_backup(client, &stream), KEYSTORE_OK);
    assert_int_equal(keystore_backup_next(stream, KEYSTORE_FOREVER, &page), KEYSTORE_ITEM);
    assert_slice(page.data, "REDIS");
    assert_int_equal(page.offset, 0);
    assert_int_equal(page.size, 8);
    assert_int_equal(keystore_backup_next(stream, KEYSTORE_FOREVER, &page), KEYSTORE_ITEM);
    assert_slice(page.data, "end");
    assert_int_equal(page.offset, 5);
    assert_int_equal(keystore_backup_next(stream, KEYSTORE_FOREVER, &page), KEYSTORE_END);
    keystore_stream_close(stream);
    fixture_finish();
    assert_string_equal(server.seen.path, "/keystore.v1.KeyStoreAdmin/Backup");
    assert_string_equal(server.seen.timeout, ""); /* a snapshot may take long */
    Keystore__V1__BackupRequest *seen = request_seen(&keystore__v1__backup_request__descriptor, 0);
    protobuf_c_message_free_unpacked(&seen->base, NULL);
    fake_server_deinit(&server);
}

/* A stream that only headers answer yet is open, and nothing comes of it in time. */
static void nothing_in_time(void **state)
{
    (void)state;
    const struct keystore_slice channel = {"c", 1};
    const struct keystore_subscribe_request request = {.channels = &channel, .channel_count = 1};
    struct keystore_stream *stream;
    struct keystore_message message;
    answers[0].stay_open = true;
    fixture_start(NULL);
    assert_int_equal(keystore_subscribe(client, &request, &stream), KEYSTORE_OK);
    assert_int_equal(keystore_subscribe_next(stream, 0, &message), KEYSTORE_NOTHING);
    assert_int_equal(keystore_subscribe_next(stream, 1, &message), KEYSTORE_NOTHING);
    assert_true(keystore_descriptor(client) >= 0);
    keystore_stream_close(stream);
    await_server();
    fixture_finish();
    assert_int_equal(server.seen.resets, 1);
    assert_int_equal(server.seen.last_reset_code, NGHTTP2_CANCEL);
    fake_server_deinit(&server);
}

static void a_subscription_that_is_refused(void **state)
{
    (void)state;
    const struct keystore_subscribe_request request = {0};
    struct keystore_stream *stream;
    answers[0].grpc_status = "3";
    answers[0].reason = "ERROR_REASON_BAD_ARGUMENT";
    fixture_start(NULL);
    assert_int_equal(keystore_subscribe(client, &request, &stream), KEYSTORE_INVALID_ARGUMENT);
    assert_null(stream);
    assert_string_equal(keystore_last_error(client)->reason, "ERROR_REASON_BAD_ARGUMENT");
    fixture_finish();
    fake_server_deinit(&server);
}

static void deliveries_and_acknowledgements(void **state)
{
    (void)state;
    Keystore__V1__ConsumeReply__Delivery delivery = {
        WIRE(consume_reply__delivery), .id = 9, .key = WIRE_BYTES("q"), .value = WIRE_BYTES("job")};
    Keystore__V1__ConsumeReply__Delivery *deliveries[] = {&delivery};
    uint64_t done[] = {1, 2}, returned[] = {3};
    Keystore__V1__ConsumeReply reply = {
        WIRE(consume_reply), .n_deliveries = 1, .deliveries = deliveries, .n_done = 2,
        .done = done,        .n_returned = 1,   .returned = returned};
    struct keystore_stream *stream;
    struct keystore_deliveries got;
    answers[0].behaviour = NG_EARLY;
    answers[0].stay_open = true;
    answers[1].behaviour = NG_ANSWER;
    body_add(0, &reply.base);
    fixture_start(NULL);
    assert_int_equal(keystore_consume(client, &consume_jobs, &stream), KEYSTORE_OK);
    assert_int_equal(keystore_consume_next(stream, KEYSTORE_FOREVER, &got), KEYSTORE_ITEM);
    assert_int_equal(got.count + 10 * got.done_count + 100 * got.returned_count, 121);
    assert_int_equal(got.items[0].id, 9);
    const struct keystore_acks acks = {
        .done = &got.items[0].id, .done_count = 1, .give_back = got.returned, .give_back_count = 1};
    assert_int_equal(keystore_consume_ack(stream, &acks), KEYSTORE_OK);
    assert_slice(got.items[0].key, "q"); /* still valid */
    assert_slice(got.items[0].value, "job");
    assert_int_equal(got.done[1], 2);
    const struct keystore_acks wrong = {.done_count = 1};
    assert_int_equal(keystore_consume_ack(stream, &wrong), KEYSTORE_INVALID_ARGUMENT);
    assert_int_equal(keystore_consume_finish(stream), KEYSTORE_OK);
    assert_int_equal(keystore_consume_ack(stream, &acks), KEYSTORE_INVALID_ARGUMENT);
    keystore_stream_close(stream);
    fixture_finish();
    assert_string_equal(server.seen.path, "/keystore.v1.KeyStore/Consume");
    fake_server_deinit(&server);
}

/* The server sees what was sent until the stream is half-closed. */
static void consume_sends_start_and_acknowledgements(void **state)
{
    (void)state;
    uint64_t ids[] = {5, 6};
    const struct keystore_acks acks = {
        .done = ids, .done_count = 2, .give_back = ids, .give_back_count = 1};
    struct keystore_options options = {.timeout_ms = 50};
    struct keystore_stream *stream;
    answers[0].behaviour = NG_ANSWER;
    fixture_start(&options);
    /* It answers when it has everything, so the opening times out, and the stream is reset. */
    assert_int_equal(keystore_consume(client, &consume_jobs, &stream), KEYSTORE_DEADLINE_EXCEEDED);
    keystore_close(client);
    answers[1].stay_open = true;
    client = keystore_connect(server.address, NULL, NULL);
    assert_int_equal(keystore_consume(client, &consume_jobs, &stream), KEYSTORE_OK);
    assert_int_equal(keystore_consume_ack(stream, &acks), KEYSTORE_OK);
    assert_int_equal(keystore_consume_finish(stream), KEYSTORE_OK);
    await_server();
    keystore_stream_close(stream);
    fixture_finish();
    assert_int_equal(server.seen.requests, 2); /* the second stream, and the call */
    fake_server_deinit(&server);
}

/* Calls work beside streams, also beside one of which nothing is read. */
static void calls_beside_streams(void **state)
{
    (void)state;
    static const size_t large = (size_t)40 << 20; /* more than all windows */
    struct keystore_scan_page page;
    struct keystore_status status;
    assert_non_null(buf_reserve(&bodies[0], large));
    memset(bodies[0].data, 0, large);
    for (bodies[0].len = 0; bodies[0].len + CALL_PREFIX_SIZE + 1000 <= large;) {
        uint8_t *message = bodies[0].data + bodies[0].len;
        call_write_prefix(message, 1000);
        memcpy(message + CALL_PREFIX_SIZE, "\x12\xe5\x07", 3); /* a cursor of 997 bytes */
        bodies[0].len += CALL_PREFIX_SIZE + 1000;
    }
    size_t pages = bodies[0].len / (CALL_PREFIX_SIZE + 1000);
    add_page(1, (ProtobufCBinaryData)WIRE_BYTES("k1"), (ProtobufCBinaryData){0});
    for (size_t i = 2; i < MAX_ANSWERS; i++)
        answers[i] =
            (struct ng_answer){.grpc_status = "0", .body = SLICE_LITERAL("\0\0\0\0\2\x10\1")};
    for (size_t i = 2; i < MAX_ANSWERS; i++)
        assert_true(buf_append(&bodies[i], answers[i].body));
    fixture_start(NULL);
    struct keystore_stream *unread = open_scan(), *stream = open_scan();
    for (int i = 0; i < 5; i++) {
        assert_int_equal(keystore_save(client, &(struct keystore_save_request){0}, &status),
                         KEYSTORE_OK);
        assert_int_equal(status.count, 1);
    }
    assert_int_equal(keystore_scan_next(stream, KEYSTORE_FOREVER, &page), KEYSTORE_ITEM);
    assert_int_equal(keystore_scan_next(stream, KEYSTORE_FOREVER, &page), KEYSTORE_END);
    keystore_stream_close(stream);
    for (size_t i = 0; i < pages; i++) {
        assert_int_equal(keystore_scan_next(unread, KEYSTORE_FOREVER, &page), KEYSTORE_ITEM);
        assert_int_equal(page.cursor.len, 997);
    }
    assert_int_equal(keystore_scan_next(unread, KEYSTORE_FOREVER, &page), KEYSTORE_END);
    keystore_stream_close(unread);
    fixture_finish();
    assert_int_equal(server.accepted, 1);
    assert_int_equal(server.seen.resets, 0);
    fake_server_deinit(&server);
}

static void a_lost_connection_ends_all_streams(void **state)
{
    (void)state;
    struct keystore_scan_page page;
    add_page(0, (ProtobufCBinaryData)WIRE_BYTES("k1"), (ProtobufCBinaryData){0});
    answers[0].stay_open = true;
    answers[1].stay_open = true;
    answers[1].close_after = true;
    add_page(2, (ProtobufCBinaryData)WIRE_BYTES("k3"), (ProtobufCBinaryData){0});
    fixture_start(NULL);
    struct keystore_stream *first = open_scan(), *second = open_scan();
    assert_int_equal(keystore_scan_next(second, KEYSTORE_FOREVER, &page), KEYSTORE_FAILED);
    assert_int_equal(keystore_stream_error(second)->code, KEYSTORE_UNAVAILABLE);
    /* What had arrived is not lost. */
    assert_int_equal(keystore_scan_next(first, KEYSTORE_FOREVER, &page), KEYSTORE_ITEM);
    assert_int_equal(keystore_scan_next(first, KEYSTORE_FOREVER, &page), KEYSTORE_FAILED);
    /* A new one, with the same number on a new connection, is not confused with them. */
    struct keystore_stream *third = open_scan();
    assert_int_equal(keystore_last_error(client)->code, KEYSTORE_OK); /* no call has failed */
    keystore_stream_close(first);
    assert_int_equal(keystore_scan_next(third, KEYSTORE_FOREVER, &page), KEYSTORE_ITEM);
    assert_slice(page.entries[0].key, "k3");
    keystore_stream_close(second);
    assert_int_equal(keystore_scan_next(third, KEYSTORE_FOREVER, &page), KEYSTORE_END);
    keystore_stream_close(third);
    fixture_finish();
    assert_int_equal(server.accepted, 2);
    fake_server_deinit(&server);
}

static void cancelled_by_a_descriptor(void **state)
{
    (void)state;
    struct keystore_scan_page page;
    struct keystore_status status;
    int fd = eventfd(0, EFD_CLOEXEC);
    struct keystore_options options = {.cancel_fd = fd};
    answers[0].stay_open = true;
    answers[1].behaviour = NG_SILENT;
    fixture_start(&options);
    struct keystore_stream *stream = open_scan();
    assert_int_equal(eventfd_write(fd, 1), 0);
    assert_int_equal(keystore_scan_next(stream, KEYSTORE_FOREVER, &page), KEYSTORE_NOTHING);
    assert_int_equal(keystore_save(client, &(struct keystore_save_request){0}, &status),
                     KEYSTORE_CANCELLED);
    keystore_stream_close(stream);
    fixture_finish();
    fake_server_deinit(&server);
    close(fd);
}

static void streams_outlive_their_client(void **state)
{
    (void)state;
    struct keystore_scan_page page;
    answers[0].stay_open = true;
    fixture_start(NULL);
    struct keystore_stream *stream = open_scan();
    fixture_finish();
    assert_int_equal(keystore_scan_next(stream, KEYSTORE_FOREVER, &page), KEYSTORE_FAILED);
    assert_int_equal(keystore_stream_error(stream)->code, KEYSTORE_CANCELLED);
    keystore_stream_close(stream);
    fake_server_deinit(&server);
}

static void streams_belong_to_their_process(void **state)
{
    (void)state;
    struct keystore_scan_page page;
    int status;
    answers[0].behaviour = NG_SILENT;
    fixture_start(NULL);
    struct keystore_stream *stream = open_scan();
    pid_t child = fork();
    if (child == 0) {
        bool refused = keystore_scan_next(stream, KEYSTORE_FOREVER, &page) == KEYSTORE_FAILED &&
                       keystore_stream_error(stream)->code == KEYSTORE_FAILED_PRECONDITION;
        keystore_stream_close(stream);
        keystore_close(client);
        _exit(refused ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(keystore_scan_next(stream, 1, &page), KEYSTORE_NOTHING);
    fake_server_stop(&server);
    assert_int_equal(server.seen.resets, 0);
    keystore_stream_close(stream);
    keystore_close(client);
    fake_server_deinit(&server);
}

static void wrong_arguments(void **state)
{
    (void)state;
    struct keystore_stream *stream;
    struct keystore_scan_page page;
    struct keystore_message message;
    fixture_start(NULL);
    assert_int_equal(keystore_scan(NULL, &scan_all, &stream), KEYSTORE_INVALID_ARGUMENT);
    assert_int_equal(keystore_scan(client, NULL, &stream), KEYSTORE_INVALID_ARGUMENT);
    assert_int_equal(keystore_scan(client, &scan_all, NULL), KEYSTORE_INVALID_ARGUMENT);
    const struct keystore_scan_request hole = {.pattern = {NULL, 1}};
    assert_int_equal(keystore_scan(client, &hole, &stream), KEYSTORE_INVALID_ARGUMENT);
    assert_null(stream);
    stream = open_scan();
    assert_int_equal(keystore_subscribe_next(stream, 0, &message), KEYSTORE_FAILED);
    assert_int_equal(keystore_stream_error(stream)->code, KEYSTORE_INVALID_ARGUMENT);
    assert_int_equal(keystore_scan_next(NULL, 0, &page), KEYSTORE_FAILED);
    assert_int_equal(keystore_stream_error(NULL)->code, KEYSTORE_INVALID_ARGUMENT);
    keystore_stream_close(stream);
    keystore_stream_close(NULL);
    fixture_finish();
    fake_server_deinit(&server);
}

/* For fixture_fail_each_allocation(). */
static bool scan_without_memory(void)
{
    struct keystore_scan_page page;
    struct keystore_stream *stream = NULL;
    enum keystore_next next = KEYSTORE_ITEM;
    if (client != NULL && keystore_scan(client, &scan_all, &stream) == KEYSTORE_OK)
        while ((next = keystore_scan_next(stream, KEYSTORE_FOREVER, &page)) == KEYSTORE_ITEM)
            assert_int_equal(page.count, 1);
    long failures = memory_recover();
    if (stream == NULL && client != NULL)
        assert_int_equal(keystore_last_error(client)->code, KEYSTORE_RESOURCE_EXHAUSTED);
    if (stream != NULL && failures > 0)
        assert_int_equal(keystore_stream_error(stream)->code, KEYSTORE_RESOURCE_EXHAUSTED);
    if (failures == 0)
        assert_int_equal(next, KEYSTORE_END);
    keystore_stream_close(stream);
    return failures > 0;
}

static void each_allocation_of_a_stream(void **state)
{
    (void)state;
    add_page(0, (ProtobufCBinaryData)WIRE_BYTES("k1"), (ProtobufCBinaryData){0});
    add_page(0, (ProtobufCBinaryData)WIRE_BYTES("k2"), (ProtobufCBinaryData){0});
    fixture_fail_each_allocation(scan_without_memory, 10);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_and_an_end),
        TEST(an_error_after_a_page),
        TEST(a_backup),
        TEST(nothing_in_time),
        TEST(a_subscription_that_is_refused),
        TEST(deliveries_and_acknowledgements),
        TEST(consume_sends_start_and_acknowledgements),
        TEST(calls_beside_streams),
        TEST(a_lost_connection_ends_all_streams),
        TEST(cancelled_by_a_descriptor),
        TEST(streams_outlive_their_client),
        TEST(streams_belong_to_their_process),
        TEST(wrong_arguments),
        TEST(each_allocation_of_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
