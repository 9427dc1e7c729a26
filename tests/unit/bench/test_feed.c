/* Tests of bench/feed.c with replies that protobuf-c packed, whole and in parts. */
#include "bench/feed.h"

#include "bench/message.h"
#include "bench/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <mini_redis.pb-c.h>

#define VALUE_SIZE 12
#define KEYS       1000

struct fixture {
    struct payload payload;
    struct ledger ledger;
    struct tally tally;
    struct feed_setup setup;
    struct feed feed;
    struct buf replies; /* with gRPC's prefixes */
};

static struct fixture *new_fixture(enum feed_kind kind)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    payload_init(&fixture->payload, 16, VALUE_SIZE, KEYS);
    ledger_init(&fixture->ledger, KEYS, 1, 1);
    tally_init(&fixture->tally);
    fixture->setup =
        (struct feed_setup){kind, &fixture->payload, &fixture->ledger, &fixture->tally};
    feed_init(&fixture->feed, kind, 65535);
    buf_init(&fixture->replies, SIZE_MAX);
    return fixture;
}

static void free_fixture(struct fixture *fixture)
{
    payload_deinit(&fixture->payload);
    ledger_deinit(&fixture->ledger);
    feed_deinit(&fixture->feed);
    buf_deinit(&fixture->replies);
    free(fixture);
}

/* Writes the first `count` keys or elements at 100 ns each. */
static void write_some(struct fixture *fixture, int count)
{
    uint64_t number;
    for (int i = 0; i < count; i++)
        assert_true(ledger_enter(&fixture->ledger, 100, &number));
}

static uint8_t *add_reply(struct fixture *fixture, size_t len)
{
    struct buf *replies = &fixture->replies;
    size_t begin = message_begin(replies);
    uint8_t *to = buf_reserve(replies, len);
    assert_non_null(to);
    replies->len += len;
    message_end(replies, begin);
    return to;
}

/* A batch with events of keys [first, first + count), whose versions start at `version`. */
static void add_events(struct fixture *fixture, unsigned first, unsigned count, uint64_t version,
                       Keystore__V1__EventType type)
{
    Keystore__V1__WatchBatch batch = KEYSTORE__V1__WATCH_BATCH__INIT;
    Keystore__V1__WatchBatch__Event events[10], *pointers[10];
    char keys[10][32];
    for (unsigned i = 0; i < count; i++) {
        pointers[i] = &events[i];
        events[i] = (Keystore__V1__WatchBatch__Event)KEYSTORE__V1__WATCH_BATCH__EVENT__INIT;
        snprintf(keys[i], sizeof keys[i], "key:%012u", first + i);
        events[i].key = (ProtobufCBinaryData){16, (uint8_t *)keys[i]};
        events[i].type = type;
        events[i].version = version + i;
    }
    batch.n_events = count;
    batch.events = pointers;
    batch.version = version + count;
    keystore__v1__watch_batch__pack(
        &batch, add_reply(fixture, keystore__v1__watch_batch__get_packed_size(&batch)));
}

/* Takes all replies, at most `chunk` bytes at once, at 350 ns. */
static const char *take(struct fixture *fixture, size_t chunk)
{
    const char *problem = NULL;
    struct slice rest = buf_slice(&fixture->replies);
    while (rest.len > 0 && problem == NULL) {
        size_t len = rest.len < chunk ? rest.len : chunk;
        problem = feed_take(&fixture->feed, &fixture->setup, slice_make(rest.data, len), 350);
        rest = slice_skip(rest, len);
    }
    buf_clear(&fixture->replies, SIZE_MAX);
    return problem;
}

static void test_events_are_matched_with_their_writes(void **state)
{
    (void)state;
    for (size_t chunk = 1; chunk < 400; chunk += chunk < 30 ? 1 : 77) {
        struct fixture *fixture = new_fixture(FEED_WATCH);
        write_some(fixture, 12);
        add_events(fixture, 0, 0, 5, KEYSTORE__V1__EVENT_TYPE__EVENT_TYPE_WRITE);
        assert_false(fixture->feed.started);
        add_events(fixture, 0, 7, 6, KEYSTORE__V1__EVENT_TYPE__EVENT_TYPE_WRITE);
        add_events(fixture, 7, 5, 13, KEYSTORE__V1__EVENT_TYPE__EVENT_TYPE_WRITE);
        assert_null(take(fixture, chunk));
        assert_true(fixture->feed.started);
        assert_int_equal(fixture->tally.receipt_ns.count, 12);
        assert_int_equal(fixture->tally.receipt_ns.max, 250);
        assert_int_equal(fixture->tally.last_receipt_ns, 350);
        assert_int_equal(tally_errors(&fixture->tally), 0);
        assert_false(ledger_is_open(&fixture->ledger));
        assert_int_equal(fixture->feed.in.len + fixture->feed.out.len, 0);
        free_fixture(fixture);
    }
}

static void test_events_of_no_write_and_twice_are_errors(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture(FEED_WATCH);
    write_some(fixture, 3);
    add_events(fixture, 0, 2, 6, KEYSTORE__V1__EVENT_TYPE__EVENT_TYPE_WRITE);
    add_events(fixture, 5, 1, 8, KEYSTORE__V1__EVENT_TYPE__EVENT_TYPE_WRITE);  /* no write */
    add_events(fixture, 2, 1, 8, KEYSTORE__V1__EVENT_TYPE__EVENT_TYPE_WRITE);  /* an old version */
    add_events(fixture, 2, 1, 9, KEYSTORE__V1__EVENT_TYPE__EVENT_TYPE_DELETE); /* no write */
    assert_null(take(fixture, SIZE_MAX));
    assert_int_equal(fixture->tally.ends[TALLY_UNEXPECTED], 3);
    assert_int_equal(fixture->tally.receipt_ns.count, 2);
    assert_int_equal(ledger_missing(&fixture->ledger), 1);
    free_fixture(fixture);
}

static void test_receipts_of_the_warmup_are_not_measured(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture(FEED_WATCH);
    fixture->tally.from_ns = 101;
    write_some(fixture, 2);
    add_events(fixture, 0, 2, 6, KEYSTORE__V1__EVENT_TYPE__EVENT_TYPE_WRITE);
    assert_null(take(fixture, SIZE_MAX));
    assert_int_equal(fixture->tally.all_receipts, 2);
    assert_int_equal(fixture->tally.receipt_ns.count + tally_errors(&fixture->tally), 0);
    free_fixture(fixture);
}

/* A reply with deliveries of elements [first, first + count), and ids that are done. */
static void add_deliveries(struct fixture *fixture, unsigned first, unsigned count, uint64_t id,
                           const uint64_t *done, size_t n_done, const uint64_t *returned,
                           size_t n_returned)
{
    Keystore__V1__ConsumeReply reply = KEYSTORE__V1__CONSUME_REPLY__INIT;
    Keystore__V1__ConsumeReply__Delivery deliveries[10], *pointers[10];
    char values[10][32];
    for (unsigned i = 0; i < count; i++) {
        pointers[i] = &deliveries[i];
        deliveries[i] =
            (Keystore__V1__ConsumeReply__Delivery)KEYSTORE__V1__CONSUME_REPLY__DELIVERY__INIT;
        snprintf(values[i], sizeof values[i], "%03uabcdefghi", first + i);
        deliveries[i].value = (ProtobufCBinaryData){VALUE_SIZE, (uint8_t *)values[i]};
        deliveries[i].id = id + i;
    }
    reply.n_deliveries = count;
    reply.deliveries = pointers;
    reply.n_done = n_done;
    reply.done = (uint64_t *)(uintptr_t)done;
    reply.n_returned = n_returned;
    reply.returned = (uint64_t *)(uintptr_t)returned;
    keystore__v1__consume_reply__pack(
        &reply, add_reply(fixture, keystore__v1__consume_reply__get_packed_size(&reply)));
}

static Keystore__V1__ConsumeRequest *unpack_request(struct slice *bytes)
{
    size_t len = wire_get_u32(bytes->data + 1);
    Keystore__V1__ConsumeRequest *request =
        keystore__v1__consume_request__unpack(NULL, len, bytes->data + MESSAGE_PREFIX);
    assert_non_null(request);
    *bytes = slice_skip(*bytes, MESSAGE_PREFIX + len);
    return request;
}

static void test_elements_are_acknowledged(void **state)
{
    (void)state;
    static const uint64_t done[] = {1, 2, 3, 4};
    for (size_t chunk = 1; chunk < 400; chunk += chunk < 30 ? 1 : 77) {
        struct fixture *fixture = new_fixture(FEED_CONSUME);
        assert_true(fixture->feed.started);
        write_some(fixture, 5);
        add_deliveries(fixture, 0, 4, 1, NULL, 0, NULL, 0);
        add_deliveries(fixture, 4, 1, 300, done, 4, NULL, 0);
        assert_null(take(fixture, chunk));
        assert_int_equal(fixture->tally.receipt_ns.count, 5);
        assert_int_equal(fixture->tally.receipt_ns.max, 250);
        assert_int_equal(fixture->tally.unacknowledged, 1);
        assert_int_equal(tally_errors(&fixture->tally), 0);
        struct slice out = buf_slice(&fixture->feed.out);
        Keystore__V1__ConsumeRequest *first = unpack_request(&out);
        Keystore__V1__ConsumeRequest *second = unpack_request(&out);
        assert_int_equal(out.len, 0);
        assert_int_equal(first->n_done, 4);
        assert_int_equal(first->done[3], 4);
        assert_int_equal(second->n_done, 1);
        assert_int_equal(second->done[0], 300);
        keystore__v1__consume_request__free_unpacked(first, NULL);
        keystore__v1__consume_request__free_unpacked(second, NULL);
        free_fixture(fixture);
    }
}

static void test_elements_that_nobody_pushed_or_that_return_are_errors(void **state)
{
    (void)state;
    static const uint64_t returned[] = {1};
    struct fixture *fixture = new_fixture(FEED_CONSUME);
    write_some(fixture, 1);
    add_deliveries(fixture, 0, 2, 1, NULL, 0, NULL, 0);
    add_deliveries(fixture, 0, 0, 0, NULL, 0, returned, 1);
    assert_null(take(fixture, SIZE_MAX));
    assert_int_equal(fixture->tally.ends[TALLY_UNEXPECTED], 1);
    assert_int_equal(fixture->tally.ends[TALLY_UNACKNOWLEDGED], 1);
    assert_int_equal(fixture->tally.unacknowledged, 1);
    free_fixture(fixture);
}

static void test_replies_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const uint64_t done[] = {1, 2};
    struct fixture *fixture = new_fixture(FEED_CONSUME);
    add_deliveries(fixture, 0, 1, 1, done, 2, NULL, 0); /* more than were delivered */
    assert_non_null(take(fixture, SIZE_MAX));
    free_fixture(fixture);
    fixture = new_fixture(FEED_CONSUME);
    add_deliveries(fixture, 0, 2, 7, NULL, 0, NULL, 0);
    add_deliveries(fixture, 0, 1, 8, NULL, 0, NULL, 0); /* an id again */
    assert_non_null(take(fixture, SIZE_MAX));
    free_fixture(fixture);
    fixture = new_fixture(FEED_WATCH);
    assert_true(buf_append(&fixture->replies, SLICE_LITERAL("\1\0\0\0\0"))); /* compressed */
    assert_non_null(take(fixture, SIZE_MAX));
    free_fixture(fixture);
}

static void test_watch_asks_for_the_prefix_of_all_keys(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture(FEED_WATCH);
    feed_put_request(&fixture->replies, FEED_WATCH, &fixture->payload, 7);
    Keystore__V1__WatchRequest *request = keystore__v1__watch_request__unpack(
        NULL, fixture->replies.len - MESSAGE_PREFIX, fixture->replies.data + MESSAGE_PREFIX);
    assert_non_null(request);
    assert_int_equal(request->n_selectors, 1);
    assert_int_equal(request->selectors[0]->selector_case,
                     KEYSTORE__V1__WATCH_REQUEST__SELECTOR__SELECTOR_PREFIX);
    struct slice prefix =
        slice_make(request->selectors[0]->prefix.data, request->selectors[0]->prefix.len);
    assert_true(slice_equal(prefix, SLICE_LITERAL("key:000000000")));
    keystore__v1__watch_request__free_unpacked(request, NULL);
    free_fixture(fixture);
}

static void test_consume_names_its_list(void **state)
{
    (void)state;
    struct fixture *fixture = new_fixture(FEED_CONSUME);
    feed_put_request(&fixture->replies, FEED_CONSUME, &fixture->payload, 700);
    struct slice bytes = buf_slice(&fixture->replies);
    Keystore__V1__ConsumeRequest *request = unpack_request(&bytes);
    assert_int_equal(bytes.len, 0);
    assert_non_null(request->start);
    assert_int_equal(request->start->n_keys, 1);
    struct slice key = slice_make(request->start->keys[0].data, request->start->keys[0].len);
    assert_true(slice_equal(key, SLICE_LITERAL("lst:000000000000")));
    assert_int_equal(request->start->max_in_flight, 700);
    keystore__v1__consume_request__free_unpacked(request, NULL);
    free_fixture(fixture);
}

static void test_names(void **state)
{
    (void)state;
    enum feed_kind kind = FEED_NONE;
    assert_true(feed_parse("watch", &kind));
    assert_int_equal(kind, FEED_WATCH);
    assert_true(feed_parse("consume", &kind));
    assert_int_equal(kind, FEED_CONSUME);
    assert_false(feed_parse("set", &kind));
    assert_int_equal(kind, FEED_CONSUME);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_are_matched_with_their_writes),
        cmocka_unit_test(test_events_of_no_write_and_twice_are_errors),
        cmocka_unit_test(test_receipts_of_the_warmup_are_not_measured),
        cmocka_unit_test(test_elements_are_acknowledged),
        cmocka_unit_test(test_elements_that_nobody_pushed_or_that_return_are_errors),
        cmocka_unit_test(test_replies_that_make_no_sense_are_refused),
        cmocka_unit_test(test_watch_asks_for_the_prefix_of_all_keys),
        cmocka_unit_test(test_consume_names_its_list),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
