/* Tests of service/service.c: requests that arrive together, and what becomes of them meanwhile. */
#include "service/service.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/link.h"

/* Requests that arrive together. */

/* Calls of Get with the keys 0 and so on, not sent yet. */
static void begin_gets(struct link *link, struct ng_stream **calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char key[24];
        Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
        snprintf(key, sizeof key, "%zu", i);
        message.key = message_text(key);
        struct slice packed = message_pack(&message);
        calls[i] = ng_call(link->client, "/KeyStore/Get", packed);
        message_free_packed(packed);
    }
}

/* All are prepared before the first is submitted (slow_submit checks the order), none twice. */
static void test_a_feed_is_a_batch(void **state)
{
    static const size_t counts[] = {2, 16, 17, 40};
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        struct link *link = *state;
        struct slow_engine *slow = slow_of(link);
        struct ng_stream *calls[40];
        link_exchange(link);
        slow->batches = 0;
        begin_gets(link, calls, counts[k]);
        assert_true(link_to_server(link));
        assert_int_equal(slow->count, counts[k]);
        assert_int_equal(slow->prepared_count, 0);
        assert_true(slow->batches >= (counts[k] > 17 ? 2 : 1));
        assert_true(slow->batches <= 3);
        for (size_t i = 0; i < counts[k]; i++) {
            char value[24];
            snprintf(value, sizeof value, "%zu", i);
            slow_finish(slow, slow->pending[0], value); /* in the order of arrival */
            link_exchange(link);
            assert_value(calls[i], value);
        }
    }
}

/* A call sees what the previous one in the same feed has changed. */
static void test_a_batch_keeps_its_order(void **state)
{
    struct link *link = *state;
    enum { PUSHES = 60 };
    struct ng_stream *calls[PUSHES];
    link_exchange(link);
    for (size_t i = 0; i < PUSHES; i++) {
        Keystore__V1__ListInsert insert = KEYSTORE__V1__LIST_INSERT__INIT;
        ProtobufCBinaryData value = message_text("element");
        insert.key = message_text("list");
        insert.values = &value;
        insert.n_values = 1;
        struct slice packed = message_pack(&insert);
        calls[i] = ng_call(link->client, "/KeyStore/LPush", packed);
        message_free_packed(packed);
    }
    assert_true(link_to_server(link));
    link_exchange(link);
    for (size_t i = 0; i < PUSHES; i++)
        assert_status(calls[i], true, (int64_t)i + 1);
}

/* Bad requests in it are answered immediately and not part of the batch. */
static void test_bad_requests_in_a_batch(void **state)
{
    struct link *link = *state;
    struct ng_stream *calls[5];
    link_exchange(link);
    link_call_set(link, "1", SLICE_LITERAL("one"));
    begin_gets(link, calls, 2);
    calls[2] = ng_call(link->client, "/KeyStore/Get", SLICE_LITERAL("\xff\xff"));
    calls[3] = ng_call(link->client, "/KeyStore/Get", SLICE_LITERAL(""));
    calls[4] = ng_call(link->client, "/KeyStore/Get",
                       SLICE_LITERAL("\x0a\x01"
                                     "1"));
    link_exchange(link);
    assert_value(calls[0], NULL);
    assert_value(calls[1], "one");
    ng_call_assert_failed(calls[2], GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE", "does not decode");
    ng_call_assert_failed(calls[3], GRPC_INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT", "empty");
    assert_value(calls[4], "one");
}

/* Calls that are reset in the feed that brings them, `which` of them by bits. */
static void cancel_within_a_feed(struct link *link, struct ng_stream **calls, size_t count,
                                 unsigned which)
{
    struct buf wire;
    buf_init(&wire, SIZE_MAX);
    link_exchange(link);
    for (size_t i = 0; i < count; i++) { /* keys of several frames, so that they are gathered */
        Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
        static char key[40001];
        memset(key, (int)('a' + i), sizeof key - 1);
        message.key = message_text(key);
        struct slice packed = message_pack(&message);
        calls[i] = ng_call(link->client, "/KeyStore/Get", packed);
        message_free_packed(packed);
    }
    ng_client_output(link->client, &wire);
    for (size_t i = 0; i < count; i++) {
        if ((which >> i & 1) != 0)
            ng_client_reset(link->client, calls[i]);
    }
    ng_client_output(link->client, &wire);
    link_feed(link, &wire);
    buf_deinit(&wire);
    link_exchange(link);
}

static void test_calls_cancelled_within_their_batch(void **state)
{
    struct link *link = *state;
    for (unsigned which = 0; which < 1u << 4; which++) {
        struct ng_stream *calls[4];
        cancel_within_a_feed(link, calls, 4, which);
        for (size_t i = 0; i < 4; i++) {
            if ((which >> i & 1) == 0)
                assert_value(calls[i], NULL);
            else
                assert_int_equal(ng_call_status(calls[i]), -1);
        }
    }
    assert_value(link_call_key(link, "/KeyStore/Get", "key"), NULL);
}

static void test_the_engine_does_not_see_cancelled_calls_of_a_batch(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    struct ng_stream *calls[4];
    cancel_within_a_feed(link, calls, 4, 5);
    assert_int_equal(slow->count, 2);
    assert_int_equal(slow->cancelled_count, 0);
    slow_finish(slow, slow->pending[0], "second");
    slow_finish(slow, slow->pending[0], "fourth");
    link_exchange(link);
    assert_value(calls[1], "second");
    assert_value(calls[3], "fourth");
}

static void test_requests_have_the_time_that_was_told(void **state)
{
    struct link *link = *state;
    struct slow_engine *slow = slow_of(link);
    for (int64_t now_ms = 1700000000000; now_ms < 1700000000003; now_ms++) {
        service_set_time(link->service, now_ms);
        link_call_key(link, "/KeyStore/Get", "key");
        assert_true(slow->pending[slow->count - 1]->op.now_ms == now_ms);
    }
    while (slow->count > 0)
        slow_finish(slow, slow->pending[0], "value");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SLOW(test_a_feed_is_a_batch),
        EMBEDDED(test_a_batch_keeps_its_order),
        EMBEDDED(test_bad_requests_in_a_batch),
        EMBEDDED(test_calls_cancelled_within_their_batch),
        SLOW(test_the_engine_does_not_see_cancelled_calls_of_a_batch),
        SLOW(test_requests_have_the_time_that_was_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
